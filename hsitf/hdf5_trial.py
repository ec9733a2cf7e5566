"""Attributes of variable length in HDF5 files, first read by another process.

Such a text or list is stored as its length and the place of its content. The library believes the
length before it looks at the place: where four bytes are damaged, it takes up to 4 GB and only then
reports the damage. Here that happens to a process that may not have as much.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from hsitf.errors import DataError

TIMEOUT_S = 300
"""Time limit for reading the attributes of a file, in seconds."""

HEADROOM = 32 << 20
"""Bytes of addresses beside those for the file and its texts: what the library keeps at hand."""

# The library, h5py and Python each have their own copy of a text, and some while they change it.
_COPIES = 8
_TOO_LONG = 3

# Modules come from where they are installed, never from the current folder, which may hold
# anybody's. Errors that have nothing to do with lengths are reported by whoever reads the file.
# Where a process cannot be limited, as outside of Linux, a length that is believed shows by its
# content, which is shorter, and the memory is that of this process.
PROGRAM = f"""
import sys
sys.path[:] = [place for place in sys.path if place]
import io
import h5py

def limit(room):
    try:
        import resource
        with open("/proc/self/statm") as stream:
            used = int(stream.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    allowed = min([used + room] + [one for one in (soft, hard) if one >= 0])
    resource.setrlimit(resource.RLIMIT_AS, (allowed, hard))

def judge(name, error):
    words = str(error)
    if isinstance(error, MemoryError) or "alloc" in words or "heap object size" in words:
        print(repr(name), file=sys.stderr)
        sys.exit({_TOO_LONG})

def look(name):
    try:
        one = file[name]
        keys = list(one.attrs)
    except Exception as error:
        return judge(name, error)
    for key in keys:
        try:
            kind = one.attrs.get_id(key).get_type()
            if not isinstance(kind, (h5py.h5t.TypeIntegerID, h5py.h5t.TypeFloatID)):
                one.attrs[key]
        except Exception as error:
            judge(name, error)

file = h5py.File(sys.argv[2] if sys.argv[2:] else io.BytesIO(sys.stdin.buffer.read()), "r")
names = ["/"]
file.visit(names.append)
limit(int(sys.argv[1]))
for name in names:
    look(name)
"""


def has_variable_lengths(one: Any, names: Collection[str] | None = None) -> bool:
    """Whether a group or dataset of `h5py` has attributes whose values may be of any length.

    Those of which the library cannot tell count as such.

    Args:
        one: The group or dataset.
        names: Attributes that count; None for all.
    """
    import h5py

    variable = h5py.h5t.TypeVlenID | h5py.h5t.TypeCompoundID | h5py.h5t.TypeArrayID
    try:
        for key in one.attrs:
            if names is not None and key not in names:
                continue
            kind = one.attrs.get_id(key).get_type()
            if isinstance(kind, h5py.h5t.TypeStringID):
                if kind.is_variable_str():
                    return True
            elif isinstance(kind, variable):
                return True
    except (OSError, RuntimeError, TypeError, ValueError, KeyError):
        return True
    return False


def check_attributes(path: Path, content: bytes | None, size: int, heaps: int) -> None:
    """Refuses a file whose attributes claim to be longer than the file lets them be.

    Args:
        path: The file.
        content: What to read in its place: a file within an archive.
        size: Bytes of the file.
        heaps: Bytes of its collections of texts and lists.

    Raises:
        DataError: They do, or the other process cannot read them, or does not come to an end.
    """
    source = [] if content is not None else [str(path.resolve())]
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(HEADROOM + 2 * size + _COPIES * heaps), *source],
            input=content or b"",
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _damaged(path, f"attributes not read within {TIMEOUT_S} s") from None
    told = done.stderr.decode(errors="replace").strip().splitlines() or [""]
    if done.returncode == _TOO_LONG:
        raise _damaged(path, f"an attribute of {told[-1]} that is longer than the file")
    if done.returncode:
        reason = told[-1] or f"status {done.returncode}"
        raise _damaged(path, f"attributes that another process could not read: {reason[:200]}")


def _damaged(path: Path, received: str) -> DataError:
    return DataError(f"{path} is damaged", received=received, remedy="fetch it again")
