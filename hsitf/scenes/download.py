"""Fetching a scene's files once, and noticing when they change.

Nobody publishes checksums for the scenes. The catalog has those of files that were at hand; of
others the SHA-256 of what was first downloaded is kept beside the file, in the form that
`sha256sum --check` reads, and compared on every later use.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from hsitf import files
from hsitf.errors import DataError, InputError
from hsitf.locks import locked
from hsitf.scenes.transfer import MAX_BYTES, DownloadProgress, RejectedError, discard, fetch


def download(
    url: str,
    path: Path,
    progress: DownloadProgress | None = None,
    *,
    limit: int = MAX_BYTES,
    sha256: str | None = None,
) -> str:
    """Fetches `url` to `path` unless it is there already, and checks it against its record.

    Of two processes that want the same file, one fetches it while the other waits. Data is written
    to `<path>.part`. After a broken connection it is kept, and the next call requests only the
    rest, provided that the server can confirm that its file is unchanged. Whatever fails a check
    leaves nothing behind.

    Args:
        url: An http or https address.
        path: Final path of the file.
        progress: Called after every chunk.
        limit: Largest accepted number of bytes.
        sha256: SHA-256 that the file has to have, hexadecimal; None where it is not known.

    Returns:
        SHA-256 of the file, hexadecimal.

    Raises:
        InputError: The address is not http or https.
        DataError: The server cannot be reached, refuses, disconnects, sends something other than a
            file or too much data; or the file is not the one that is known or was recorded.
        OutputError: The file cannot be written.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(
            "the address cannot be downloaded from", received=url, allowed="http:// or https://"
        )
    with locked(path) as alone:
        if not path.exists():
            # Where nobody can be kept away, a part of one's own cannot be resumed, nor disturbed.
            suffix = ".part" if alone else f".{os.getpid()}.part"
            part, validator = _beside(path, suffix), _beside(path, f"{suffix}.validator")
            try:
                fetch(url, part, validator, progress, limit)
                _record(url, part, path, sha256)
                with files.os_errors_reported(path):
                    part.replace(path)
                    validator.unlink(missing_ok=True)
            except RejectedError as error:
                discard(part, validator)
                raise error.reason from error
            finally:
                if not alone:
                    discard(part, validator)
        return verify_checksum(path, record=True)


def _record(url: str, part: Path, path: Path, sha256: str | None) -> None:
    """Compares the whole file with what is known of it, and records its SHA-256.

    Raises:
        RejectedError: It is another file.
    """
    digest, note = files.sha256(part), _beside(path, ".sha256")
    expected, source = sha256, "the file that the literature uses"
    if expected is None and note.exists():
        expected, source = _recorded(note), f"recorded in {note.name}"
    if expected is not None and digest != expected:
        raise RejectedError(
            DataError(
                f"{path.name} was not received as it should be, and is not kept",
                received=f"SHA-256 {digest}, from {url}",
                allowed=f"SHA-256 {expected}, {source}",
                remedy="run again; where it stays so, download the file by other means and name "
                "its folder with --data-dir",
            )
        )
    with files.replacing(note) as temporary:
        temporary.write_text(f"{digest}  {path.name}\n", encoding="utf-8")


def verify_checksum(path: Path, *, record: bool) -> str:
    """SHA-256 of a file, compared with the one recorded beside it.

    Args:
        path: The file; its record is `<path>.sha256`.
        record: Whether to write the record where there is none.

    Raises:
        DataError: The file is not the one that was recorded, or the record cannot be read.
        OutputError: The record cannot be written.
    """
    digest, note = files.sha256(path), _beside(path, ".sha256")
    if note.exists():
        expected = _recorded(note)
        if digest != expected:
            raise DataError(
                f"{path} is not the file that was first downloaded",
                received=f"SHA-256 {digest}",
                allowed=f"SHA-256 {expected}, recorded in {note.name}",
                remedy=f"delete {path.name} to fetch it anew; if you replaced it on purpose, "
                f"delete {note.name} instead",
            )
    elif record:
        with files.replacing(note) as temporary:
            temporary.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    return digest


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _recorded(note: Path) -> str:
    found = re.match(rb"\\?([0-9a-fA-F]{64})[ \t]", note.read_bytes()[:66])
    if found is None:
        raise DataError(
            f"{note} does not hold a checksum",
            allowed="64 hexadecimal digits and the file's name, as sha256sum writes them",
            remedy="delete it to record the file as it is now",
        )
    return found[1].decode().lower()
