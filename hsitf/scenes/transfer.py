"""Transfers over http and https: resumed, bounded in size and time, and kept to one host."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from hsitf import files
from hsitf.errors import DataError

TIMEOUT_S = 30.0
"""Seconds without data after which a connection counts as lost."""

MAX_SECONDS = 4 * 3600.0
"""Seconds after which a download is given up; the next call goes on from there."""

MAX_BYTES = 4 << 30
"""Largest file that is fetched; the largest scene of the catalog is some 120 MB."""

_CHUNK = 1 << 18
# Digits of a length in bytes; Python refuses to read numbers of thousands of them.
_MAX_DIGITS = 18

DownloadProgress = Callable[[int, "int | None"], None]
"""Told the bytes done and the bytes in all, None where the server does not say."""


class RejectedError(Exception):
    """What was received can never become the file.

    Args:
        reason: The error for the user.
    """

    def __init__(self, reason: DataError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def discard(part: Path, validator: Path) -> None:
    """Removes what was received of a file, and what it would be resumed with."""
    part.unlink(missing_ok=True)
    validator.unlink(missing_ok=True)


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects on the same host alone, and from https to nothing less."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """See `HTTPRedirectHandler`."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.hostname != old.hostname or (old.scheme == "https" and new.scheme != "https"):
            reason = f"{msg}, to {new.scheme}://{new.hostname}, which is not followed"
            raise urllib.error.HTTPError(req.full_url, code, reason, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """An opener for http and https alone, so that no redirect leads to ftp or a local file."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        _SameHost,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def fetch(
    url: str, part: Path, validator: Path, progress: DownloadProgress | None, limit: int
) -> None:
    """Brings `part` to its full length, starting from what it holds already.

    Raises:
        DataError: The connection failed; what was received can be completed later.
        RejectedError: What was received is of no use.
    """
    held = part.stat().st_size if part.exists() and validator.exists() else 0
    mark, _, length = (
        validator.read_text(encoding="utf-8").partition("\n") if held else ("", "", "")
    )
    request = urllib.request.Request(url)
    if held:
        # If-Range: the rest is sent only of the same file, else the whole of the new one.
        request.add_header("Range", f"bytes={held}-")
        request.add_header("If-Range", mark)
    end = time.monotonic() + MAX_SECONDS
    with _open(request, part, validator) as response:
        start = held if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0
        total = _total(response)
        _refuse(url, response, start, total, limit)
        if start and (known := _number(length)) is not None and total != known:
            # The same mark on a file of another length: the server's marks mean nothing.
            raise RejectedError(_failed(url, f"the file has {total} bytes now, not {length}"))
        if not start:
            with files.os_errors_reported(part):
                part.unlink(missing_ok=True)
                _remember(response, validator, total)
        done = start
        with files.os_errors_reported(part), part.open("ab") as stream:
            for chunk in _chunks(url, response, end):
                done += len(chunk)
                if done > limit:
                    raise RejectedError(_too_large(url, f"more than {limit} bytes", limit))
                stream.write(chunk)
                if progress is not None:
                    progress(done, total)
    if total is not None and done < total:
        raise _failed(url, f"the connection broke off after {done} of {total} bytes")
    if total is not None and done > total:
        raise RejectedError(_failed(url, f"{done} bytes were received instead of {total}"))


def _open(request: urllib.request.Request, part: Path, validator: Path) -> http.client.HTTPResponse:
    url = request.full_url
    try:
        response = _opener().open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            # What is held does not begin the file that is served: the next call starts over.
            discard(part, validator)
        raise _failed(url, f"the server answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _failed(url, str(error.reason)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failed(url, str(error) or type(error).__name__) from error
    return cast("http.client.HTTPResponse", response)


def _chunks(url: str, response: http.client.HTTPResponse, end: float) -> Iterator[bytes]:
    """Chunks of the body; separates errors of the network from those of the disk.

    Args:
        url: The address, for messages.
        response: The server's answer.
        end: When to give up, in the seconds of `time.monotonic`.
    """
    while True:
        if time.monotonic() > end:
            raise _failed(url, f"it took longer than {MAX_SECONDS:g} s")
        try:
            # What has arrived, however little: a server that sends a byte at a time is noticed.
            chunk = response.read1(_CHUNK)
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
    return _number(length)


def _number(text: str) -> int | None:
    """A length as servers write it; None for anything else, however many digits it has."""
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else None


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
        raise RejectedError(_too_large(url, f"{total} bytes", limit))


def _remember(response: http.client.HTTPResponse, validator: Path, total: int | None) -> None:
    """Stores the validator of this version of the file, for `If-Range`, and its length."""
    etag = response.headers.get("ETag", "")
    # A weak ETag (W/...) does not vouch for single bytes, and If-Range must not carry one.
    mark = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    validator.unlink(missing_ok=True)
    if mark:
        validator.write_text(f"{mark}\n{'' if total is None else total}", encoding="utf-8")


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
