"""Atomic writes: readers never see an incomplete file, whenever a process or the power ends."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hsitf.errors import OutputError

if os.name == "posix":
    import fcntl

_CHUNK = 1 << 20
# Hidden names of what is being written, such as .int8.k3v9_x2a.part.
_PART, _OLD = ".part", ".old"
_RANDOM = "[a-z0-9_]{8}"
# Seconds that the clocks of a file system and of the system's start may differ by.
_CLOCKS_S = 60.0
# renameat2(2): both names are relative to the working folder, and exchanged.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary file name beside `path`; renames it to `path` when the block succeeds.

    The old file is untouched until then, and the temporary file is removed when the block fails.
    What killed processes left in the folder is removed, too.

    Raises:
        OutputError: The folder cannot be made or written, or the disk is full.
    """
    host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:32]
    temporary = path.with_name(f".{path.name}.{host}.{os.getpid()}{_PART}")
    with os_errors_reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_files_of_ended_processes(path, host)
        try:
            yield temporary
            _to_disk(temporary)
            os.replace(temporary, path)
            _to_disk(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yields an empty temporary folder beside `path`; it takes the place of `path` on success.

    Where the system can exchange two names, either the old or the new folder is there at every
    moment. Elsewhere `path` is missing for an instant; `restore_folder` returns it to its place
    where the process ended in between. What killed processes left of the same folder is removed.

    Raises:
        OutputError: The folder cannot be made or written, or the disk is full.
    """
    with os_errors_reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        restore_folder(path)
        remove_leftovers(path)
        with _locked_folder(path) as temporary:
            old = temporary.with_suffix(_OLD)
            try:
                yield temporary
                # mkdtemp makes folders for their owner alone; what is published is for all to read.
                temporary.chmod(0o755)
                for file in (*temporary.rglob("*"), temporary):
                    # A link is one of the names in its folder.
                    if not file.is_symlink():
                        _to_disk(file)
                _publish_folder(temporary, path, old)
                _to_disk(path.parent)
            except BaseException:
                # Between two renames the folder does not exist; on failure the old one is restored.
                if old.exists() and not path.exists():
                    os.replace(old, path)
                raise
            finally:
                for leftover in (old, temporary):
                    _remove(leftover)


def restore_folder(path: Path) -> None:
    """Returns a folder to its place where the process that was replacing it ended halfway."""
    if path.exists():
        return
    for old in _leftovers(path, _OLD):
        with _lock(old.with_suffix(_PART)) as ended, suppress(OSError):
            if ended and not path.exists():
                os.replace(old, path)
                return


def remove_leftovers(path: Path) -> None:
    """Removes what processes that have ended left beside a folder that they were replacing."""
    for leftover in (*_leftovers(path, _PART), *_leftovers(path, _OLD)):
        with _lock(leftover.with_suffix(_PART)) as ended:
            if ended:
                _remove(leftover)


def is_unused(folder: Path) -> bool:
    """Whether a folder is not there, or holds nothing but hidden files and folders.

    What a process left that was killed before it published its first file is such a file.
    """
    for _, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if not one.startswith(".")]
        if any(not one.startswith(".") for one in files):
            return False
    return True


def find_below(folder: Path, name: str) -> list[Path]:
    """Files of a name below a folder, in order; hidden folders, where others work, are left out.

    A folder whose replacement was cut short is returned to its place first.
    """
    found = []
    for place, folders, files in os.walk(folder):
        for one in folders:
            if whole := re.fullmatch(rf"\.(.+)\.{_RANDOM}\{_OLD}", one):
                restore_folder(Path(place) / whole[1])
                if whole[1] not in folders and (Path(place) / whole[1]).is_dir():
                    folders.append(whole[1])
        folders[:] = [one for one in folders if not one.startswith(".")]
        if name in files:
            found.append(Path(place) / name)
    return sorted(found)


@contextmanager
def _locked_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that is locked as long as this process works in it."""
    while True:
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_PART, dir=path.parent))
        with _lock(temporary) as locked:
            # Between its creation and its lock, another process may have taken it for a leftover.
            if (locked and temporary.is_dir()) or os.name != "posix":
                yield temporary
                return


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    """Whether nobody works in a folder: it is then locked within the block.

    A lock ends with its process, however that ends. A folder that is not there is nobody's. Where
    there are no locks, whose a folder is cannot be known, and it is never taken.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        yield True
        return
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _publish_folder(temporary: Path, path: Path, old: Path) -> None:
    """Gives a folder its final name; what had it before ends under one of the other two names."""
    if not path.exists() and not path.is_symlink():
        os.replace(temporary, path)
    elif not _exchanged(temporary, path):
        os.replace(path, old)
        os.replace(temporary, path)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchanges two names at once; False where the system or the file system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)


def _leftovers(path: Path, suffix: str) -> list[Path]:
    shape = re.compile(rf"\.{re.escape(path.name)}\.{_RANDOM}{re.escape(suffix)}")
    with suppress(OSError):
        return sorted(one for one in path.parent.iterdir() if shape.fullmatch(one.name))
    return []


def _remove(path: Path) -> None:
    if path.is_symlink():
        with suppress(OSError):
            path.unlink()
    shutil.rmtree(path, ignore_errors=True)


def _remove_files_of_ended_processes(path: Path, host: str) -> None:
    """Removes temporary files beside a file whose processes, on this machine, have ended.

    Those of other files, too, but under the very suffix of temporary files: a file whose name holds
    the time is not written a second time.
    """
    own, suffix = re.escape(path.name), re.escape(_PART)
    ended = rf"\.{host}\.([1-9][0-9]{{0,9}})"
    shape = re.compile(rf"\.{own}{ended}\.[\w.]+|\..+{ended}{suffix}")
    for one in os.listdir(path.parent):
        found = shape.fullmatch(one)
        if found and not _is_written_by(int(found[1] or found[2]), path.with_name(one)):
            path.with_name(one).unlink(missing_ok=True)


def _is_written_by(process: int, file: Path) -> bool:
    """Whether a process runs that can be the one that writes a file.

    Numbers of processes are used again, after a restart of the machine above all: one that began
    after the file was last written is another one.
    """
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    begun = _begun(process)
    with suppress(OSError):
        return begun is None or begun <= file.stat().st_mtime + _CLOCKS_S
    return True


def _begun(process: int) -> float | None:
    """When a process began, seconds of `time.time`; None where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
        since_boot = int(fields.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    begun = time.time() - uptime + since_boot
    return begun if begun <= time.time() else None


def _to_disk(path: Path) -> None:
    """Waits until a file or the names in a folder would survive a loss of power.

    File systems that cannot be asked for it, such as some of networks, are not.
    """
    if path.is_dir() and os.name != "posix":
        return
    with suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
                raise
        finally:
            os.close(handle)


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


def cache_folder() -> Path:
    """Where what is fetched once is kept: `$HSITF_DATA`, or the user's cache."""
    named = os.environ.get("HSITF_DATA")
    return Path(named) if named else Path("~/.cache/hsitf").expanduser()


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
