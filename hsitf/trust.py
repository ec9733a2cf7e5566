"""Which files that are programs may be run: those made here, and those that a user trusts by name.

A TensorFlow SavedModel is a program: its graph can read and write any file as the user who loads
it. An exporter therefore signs what it writes, with a key that never leaves the user's folder of
configuration, and nothing without such a signature is loaded unless the user says so.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hsitf.errors import DataError, OutputError
from hsitf.files import os_errors_reported, replacing, sha256

KEY = "signing-key"
SUFFIX = ".signature"
KEY_BYTES = 32
# In the environment, so that processes that measure a file for this one inherit it.
_VARIABLE = "HSITF_TRUST_PROGRAMS"
# No signature made for another purpose with the same key is one of a program.
_PURPOSE = b"hsitf: program exported by this user\0"


def configuration_folder() -> Path:
    """Folder of this user's configuration of hsitf, whether it exists or not.

    Raises:
        OutputError: The user has no home folder.
    """
    if named := os.environ.get("XDG_CONFIG_HOME"):
        return Path(named) / "hsitf"
    try:
        return Path.home() / ".config" / "hsitf"
    except RuntimeError as error:
        raise OutputError(
            "there is no folder for the key that signs exported programs",
            received="a user without a home folder",
            remedy="set XDG_CONFIG_HOME or HOME",
        ) from error


def sign(path: Path) -> None:
    """Signs a program that this process has written; the signature lies beside it.

    Raises:
        OutputError: The key cannot be made, or the signature cannot be written.
        DataError: Others can read the key.
    """
    key = configuration_folder() / KEY
    if not key.exists():
        _make_key(key)
    with replacing(_signature_file(path)) as temporary:
        temporary.write_text(_signature(_read_key(key), path) + "\n", encoding="ascii")


def is_signed(path: Path) -> bool:
    """Whether a program is, byte for byte, one that this user has exported.

    Raises:
        DataError: Others can read the key.
    """
    note = _signature_file(path)
    try:
        key = configuration_folder() / KEY
    except OutputError:
        return False
    if not note.is_file() or not key.is_file():
        return False
    with note.open("rb") as stream:
        given = stream.read(200).strip()
    return hmac.compare_digest(given, _signature(_read_key(key), path).encode())


def require(path: Path) -> None:
    """Refuses a program that was not exported by this user, unless programs are trusted.

    Raises:
        DataError: It was made elsewhere, or has changed.
    """
    # What is not there is reported by whoever opens it.
    if os.environ.get(_VARIABLE) == "1" or not path.exists() or is_signed(path):
        return
    raise DataError(
        f"{path} is a program (a TensorFlow SavedModel), and running it can read and write any of "
        "your files",
        received="no signature of this user"
        if not _signature_file(path).exists()
        else "content that differs from what this user signed",
        allowed="one that was exported here, or a .tflite or .onnx file, which are data",
        remedy="export it again; or add --trust if you know who made it",
    )


@contextmanager
def programs_trusted(trusted: bool = True) -> Iterator[None]:
    """Lets this process and its children run programs that others made, within the block.

    Args:
        trusted: Whether to; where not, what is trusted outside of the block stays trusted.
    """
    before = os.environ.get(_VARIABLE)
    if trusted:
        os.environ[_VARIABLE] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before


def _signature_file(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)


def _signature(key: bytes, path: Path) -> str:
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        # Each file by itself: bytes cannot move from one file to the next unnoticed.
        name = "" if file == path else file.relative_to(path).as_posix()
        digest.update(hashlib.sha256(name.encode()).digest() + bytes.fromhex(sha256(file)))
    return hmac.new(key, _PURPOSE + digest.digest(), hashlib.sha256).hexdigest()


def _make_key(path: Path) -> None:
    """Makes a key that its owner alone can read; of two processes the first one's stays."""
    with os_errors_reported(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
        stream = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(stream, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def _read_key(path: Path) -> bytes:
    mode = path.stat().st_mode
    key = path.read_bytes() if path.stat().st_size == KEY_BYTES else b""
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise DataError(
            f"others can read {path}, the key that signs exported programs",
            received=f"permissions {stat.S_IMODE(mode):o}",
            allowed="600",
            remedy="delete it; a new one is made with the next export",
        )
    if not key:
        raise DataError(
            f"{path} is no key",
            received=f"{path.stat().st_size} bytes",
            allowed=f"{KEY_BYTES} bytes",
            remedy="delete it; a new one is made with the next export",
        )
    return key
