"""Fetching a scene's files once, and noticing when they change.

Nobody publishes checksums for the scenes. So the SHA-256 of what was first downloaded is kept
beside the file, in the form that `sha256sum --check` reads, and compared on every later use.
"""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from hsitf import files
from hsitf.errors import DataError, InputError

TIMEOUT_S = 30.0
"""Seconds without data after which a connection counts as lost."""

MAX_BYTES = 4 << 30
"""Largest file that is fetched; the largest scene of the catalog is some 120 MB."""

_CHUNK = 1 << 18

DownloadProgress = Callable[[int, "int | None"], None]
"""Told the bytes done and the bytes in all, None where the server does not say."""


def download(
    url: str, path: Path, progress: DownloadProgress | None = None, *, limit: int = MAX_BYTES
) -> str:
    """Fetches `url` to `path` unless it is there already, and checks it against its record.

    Data is written to `<path>.part`. After a broken connection it is kept, and the next call
    requests only the rest, provided that the server can confirm that its file is unchanged.

    Args:
        url: An http or https address.
        path: Final path of the file.
        progress: Called after every chunk.
        limit: Largest accepted number of bytes.

    Returns:
        SHA-256 of the file, hexadecimal.

    Raises:
        InputError: The address is not http or https.
        DataError: The server cannot be reached, refuses, disconnects, sends something other than a
            file or too much data; or the file is not the one that was recorded.
        OutputError: The file cannot be written.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(
            "the address cannot be downloaded from", received=url, allowed="http:// or https://"
        )
    if not path.exists():
        part, validator = _beside(path, ".part"), _beside(path, ".part.validator")
        with files.os_errors_reported(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, part, validator, progress, limit)
        with files.os_errors_reported(path):
            part.replace(path)
            validator.unlink(missing_ok=True)
    return verify_checksum(path, record=True)


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


def _opener() -> urllib.request.OpenerDirector:
    """An opener for http and https alone, so that no redirect leads to ftp or a local file."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _fetch(
    url: str, part: Path, validator: Path, progress: DownloadProgress | None, limit: int
) -> None:
    """Brings `part` to its full length, starting from what it holds already."""
    held = part.stat().st_size if part.exists() and validator.exists() else 0
    request = urllib.request.Request(url)
    if held:
        # If-Range: the rest is sent only of the same file, else the whole of the new one.
        request.add_header("Range", f"bytes={held}-")
        request.add_header("If-Range", validator.read_text(encoding="utf-8"))
    with _open(request, part) as response:
        start = held if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        total = _total(response)
        _refuse(url, response, start, total, limit)
        if not start:
            with files.os_errors_reported(part):
                part.unlink(missing_ok=True)
                _remember(response, validator)
        done = start
        with files.os_errors_reported(part), part.open("ab") as stream:
            for chunk in _chunks(url, response):
                done += len(chunk)
                if done > limit:
                    raise _too_large(url, f"more than {limit} bytes", limit)
                stream.write(chunk)
                if progress is not None:
                    progress(done, total)
    if total is not None and done < total:
        raise _failed(url, f"the connection broke off after {done} of {total} bytes")
    if total is not None and done > total:
        part.unlink()
        raise _failed(url, f"{done} bytes were received instead of {total}")


def _open(request: urllib.request.Request, part: Path) -> http.client.HTTPResponse:
    url = request.full_url
    try:
        response = _opener().open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # What is held does not begin the file that is served: the next call starts over.
            part.unlink(missing_ok=True)
        raise _failed(url, f"the server answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _failed(url, str(error.reason)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failed(url, str(error) or type(error).__name__) from error
    return cast("http.client.HTTPResponse", response)


def _chunks(url: str, response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Chunks of the body; separates errors of the network from those of the disk."""
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _failed(url, str(error) or type(error).__name__) from error
        if not chunk:
            return
        yield chunk


def _total(response: http.client.HTTPResponse) -> int | None:
    """Length of the whole file, of which the answer may be the rest only."""
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        length = response.headers.get("Content-Range", "").rpartition("/")[2]
    else:
        length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _refuse(
    url: str, response: http.client.HTTPResponse, start: int, total: int | None, limit: int
) -> None:
    """Refuses a response that cannot be the file, before any of it is written."""
    if response.headers.get_content_type() == "text/html":
        raise _failed(url, "the server sent a web page instead of the file")
    span = response.headers.get("Content-Range", "bytes 0-")
    if not span.startswith(f"bytes {start}-"):
        raise _failed(url, f"the server sent another part of the file than asked for ({span})")
    if total is not None and total > limit:
        raise _too_large(url, f"{total} bytes", limit)


def _remember(response: http.client.HTTPResponse, validator: Path) -> None:
    """Stores the validator of this version of the file, for `If-Range`."""
    etag = response.headers.get("ETag", "")
    # A weak ETag (W/...) does not vouch for single bytes, and If-Range must not carry one.
    mark = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    validator.unlink(missing_ok=True)
    if mark:
        validator.write_text(mark, encoding="utf-8")


def _failed(url: str, reason: str) -> DataError:
    return DataError(
        f"{urlsplit(url).path.rpartition('/')[2]} cannot be downloaded",
        received=f"{reason}, from {url}",
        remedy="run again to resume, or download the file by other means and name "
        "its folder with --data-dir",
    )


def _too_large(url: str, received: str, limit: int) -> DataError:
    return DataError(
        f"{urlsplit(url).path.rpartition('/')[2]} is too large to be a scene",
        received=f"{received}, from {url}",
        allowed=f"{limit} bytes",
        remedy="download it by other means and name its folder with --data-dir",
    )
