"""One process at a time: locks that end with their process, however it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hsitf.files import os_errors_reported

if os.name == "posix":
    import fcntl

_POLL_S = 0.05


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Waits until no other process holds the lock of `path`, and holds it within the block.

    The lock is a hidden file beside `path` that is removed again. That of a process that was killed
    is taken over.

    Args:
        path: What is locked; it need not exist, its folder is made.

    Yields:
        Whether it is locked: some file systems and other systems than POSIX have no locks.

    Raises:
        OutputError: The folder cannot be written.
    """
    if os.name != "posix":
        yield False
        return
    place = path.with_name(f".{path.name}.lock")
    with os_errors_reported(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        handle = _acquire(place)
    try:
        yield handle is not None
    finally:
        place.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


def _acquire(place: Path) -> int | None:
    """The open and locked file; None where the file system has no locks."""
    while True:
        handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            time.sleep(_POLL_S)
            continue
        except OSError:
            os.close(handle)
            return None
        # The process that held it may have removed the file since it was opened.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), place.stat()):
                return handle
        os.close(handle)
