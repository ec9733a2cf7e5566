"""One process at a time: locks that end with their process, however it ends.

A lock is that of flock(2) on a hidden file beside what is locked. The system releases it when its
process ends, also by a signal or a loss of power, so that there is no stale lock to be told from a
living one: a file that is left over without its lock is taken over. Network file systems: NFS
(Linux 2.6.12 and later) turns such locks into byte-range locks of the whole file at the server,
which hold between machines, and releases those of a machine that is gone after its lease; SMB does
the same in its own way; where a mount has no locks (`nolock`, some FUSE file systems), nobody is
kept out, and the user is told.

Who writes is locked, who reads never is: what is published appears whole (`files`).
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from hsitf.errors import InputError
from hsitf.files import os_errors_reported
from hsitf.invocation import command

if os.name == "posix":
    import fcntl

_POLL_S = 0.05
# A lock that is held for less is not worth a message.
_PATIENCE_S = 0.5
# Characters of a command in messages, and bytes of a lock's file that are read.
_COMMAND, _MOST = 120, 4096


@dataclass(frozen=True)
class LockHolder:
    """Who holds a lock.

    Attributes:
        process: Number of the process.
        host: Name of its machine.
        command: The command as it was typed.
        since: When it was locked, local time to the second.
    """

    process: int
    host: str
    command: str
    since: str

    @classmethod
    def this_process(cls) -> LockHolder:
        """This process as a holder from now on."""
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        return cls(os.getpid(), socket.gethostname(), command(), now)

    def __str__(self) -> str:
        typed = self.command if len(self.command) <= _COMMAND else self.command[:_COMMAND] + "..."
        return f"process {self.process} on {self.host} since {self.since}: {typed}"


@contextmanager
def locked(path: Path, blocked: Callable[[str], None] | None = None) -> Iterator[bool]:
    """Waits until no other process holds the lock of `path`, and holds it within the block.

    The lock is a hidden file beside `path` that is removed again, with the folders that were made
    for it where nothing else came into them. That of a process that was killed is taken over.

    Args:
        path: What is locked; it need not exist.
        blocked: Receives once who holds the lock, if that lasts; may raise not to wait.

    Yields:
        Whether it is locked: some file systems and other systems than POSIX have no locks.

    Raises:
        OutputError: The folder cannot be written.
    """
    if os.name != "posix":
        yield False
        return
    place = _file_of(path)
    made = [folder for folder in place.parents if not folder.exists()]
    with os_errors_reported(path):
        handle = _acquire(place, blocked)
    try:
        yield handle is not None
    finally:
        place.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        if handle is not None:
            os.close(handle)


@contextmanager
def one_writer(say: Callable[[str], None], *paths: Path) -> Iterator[None]:
    """Keeps other commands from writing paths within the block; waits for one that does already.

    Several are locked in one order, whatever theirs is, so that no two commands wait for each
    other.

    Args:
        say: Receives who is at it, and that nobody can be kept out where there are no locks.
        paths: What is written: a run's folder, bundles, a map's files.

    Raises:
        OutputError: A folder of theirs cannot be written.
    """
    # One file may be named twice, in two spellings.
    named = {path.resolve(): path for path in paths}
    with ExitStack() as held:
        for place in sorted(named):
            held.enter_context(_one_writer(named[place], say))
        yield


@contextmanager
def _one_writer(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    with locked(
        path,
        lambda holder: say(
            f"waiting for another command that writes {path} ({holder}); interrupt this one if "
            "that will not end"
        ),
    ) as alone:
        if not alone:
            say(f"{path} cannot be locked here: run no other command that writes it meanwhile")
        yield


@contextmanager
def sole_writer(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Keeps other commands from writing `path` within the block; refused where one does already.

    Args:
        path: What is written.
        what: What is wrong where another command is at it.
        remedy: What to do then.

    Raises:
        InputError: Another command is at it.
        OutputError: Its folder cannot be written.
    """

    def refuse(holder: str) -> None:
        raise InputError(what, received=holder, remedy=remedy)

    with locked(path, refuse):
        yield


def current_writer(path: Path) -> str | None:
    """Who writes `path` now, as text; None where nobody does, or it cannot be known.

    The lock's file that a killed process left is removed.
    """
    if os.name != "posix":
        return None
    place = _file_of(path)
    with suppress(OSError):
        handle = os.open(place, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), place.stat()):
                place.unlink()
        except BlockingIOError:
            return _holder(handle)
        finally:
            os.close(handle)
    return None


def _file_of(path: Path) -> Path:
    """The file whose lock stands for that of `path`."""
    # A folder may be named without a name of its own: "." and "..".
    whole = path.resolve()
    return whole.with_name(f".{whole.name}.lock")


def _acquire(place: Path, blocked: Callable[[str], None] | None) -> int | None:
    """The open and locked file; None where the file system has no locks."""
    begin = time.monotonic()
    while True:
        # Whoever held it may have removed a folder that was made for it.
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                if blocked is not None and time.monotonic() - begin > _PATIENCE_S:
                    told, blocked = blocked, None
                    told(_holder(handle))
            finally:
                os.close(handle)
            time.sleep(_POLL_S)
            continue
        except OSError:
            os.close(handle)
            return None
        # The process that held it may have removed the file since it was opened.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), place.stat()):
                _sign(handle)
                return handle
        os.close(handle)


def _sign(handle: int) -> None:
    """Writes into the lock's file whose it is, for those who wait."""
    # On a full disk the lock is as good without.
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(asdict(LockHolder.this_process())).encode(), 0)


def _holder(handle: int) -> str:
    """Who holds the lock of an open file, as text."""
    try:
        return str(LockHolder(**json.loads(os.pread(handle, _MOST, 0))))
    except (OSError, ValueError, TypeError):
        return "a process that is not known"
