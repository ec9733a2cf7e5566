"""Atomic writes: readers never see an incomplete file."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hsitf.errors import OutputError

_CHUNK = 1 << 20


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary file name beside `path`; renames it to `path` when the block succeeds.

    The old file is untouched until then, and the temporary file is removed when the block fails.

    Raises:
        OutputError: The folder cannot be made or written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with os_errors_reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yields an empty temporary folder beside `path`; it takes the place of `path` on success.

    Raises:
        OutputError: The folder cannot be made or written, or the disk is full.
    """
    with os_errors_reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        old = temporary.with_suffix(".old")
        try:
            yield temporary
            # mkdtemp makes folders for their owner alone; what is published is for all to read.
            temporary.chmod(0o755)
            if path.exists():
                os.replace(path, old)
            os.replace(temporary, path)
            if old.is_symlink():
                old.unlink()
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            # Between the two renames the folder does not exist; on failure the old one is restored.
            if old.exists() and not path.exists():
                os.replace(old, path)
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def os_errors_reported(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals to write at `path` into an `OutputError`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            what = f"no room left on the disk for {path}"
            remedy = "free some space or write elsewhere"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            what, remedy = f"cannot write {path}", "change its permissions or write elsewhere"
        elif error.errno in (errno.ENOTDIR, errno.EEXIST):
            what = f"cannot write {path}: there is a file where a folder is needed"
            remedy = "move that file away or write elsewhere"
        elif error.errno == errno.EISDIR:
            what = f"cannot write {path}: there is a folder where a file is needed"
            remedy = "move that folder away or write elsewhere"
        elif error.errno == errno.ENAMETOOLONG:
            what, remedy = f"cannot write {path}", "give a shorter name"
        else:
            raise
        raise OutputError(what, received=error.strerror, remedy=remedy) from error


@contextmanager
def disk_space_required(room: int, folder: Path) -> Iterator[None]:
    """Runs a library that hides a full disk behind its own errors, and reports a full disk as such.

    Args:
        room: Approximate number of bytes that it writes.
        folder: Folder that it writes to, besides the folder for temporary files.

    Raises:
        OutputError: The block failed and the disk does not have this much space.
    """
    try:
        yield
    except OSError:
        raise
    except Exception:
        for location in (folder, Path(tempfile.gettempdir())):
            with os_errors_reported(location), tempfile.TemporaryFile(dir=location) as probe:
                for _ in range(-(-room // _CHUNK)):
                    probe.write(bytes(_CHUNK))
        raise


def sha256(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their relative names, as hexadecimal."""
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        if file != path:
            digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
