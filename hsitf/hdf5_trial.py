"""Attributes of HDF5 files whose values may be of any length, first read by another process.

A text or list of any length is stored as its length and the place of its content. The library
believes the length before it looks at the place: where four bytes are damaged, it takes up to 4 GB
and only then reports the damage. Here that happens to a process that may not have as much.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hsitf.errors import DataError

TIMEOUT_S = 300
"""Time limit for reading the attributes of a file, in seconds."""

ROOM = 32 << 20
"""Bytes of addresses for reading a value, beside those for copies of its content."""

# The library, h5py and Python each have their own, and some while they change it.
_COPIES = 8
_TOO_LONG = 3

# Other errors are reported where the file is read. Only Linux limits the addresses of a process,
# and says how many it has; elsewhere an honest file is read as here, and a damaged one takes what
# it takes from a process that ends with it.
PROGRAM = f"""
import io, sys
import h5py

def limit(room):
    try:
        import resource
        with open("/proc/self/statm") as stream:
            used = int(stream.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    least, most = resource.getrlimit(resource.RLIMIT_AS)
    allowed = min([used + room] + [one for one in (least, most) if one >= 0])
    resource.setrlimit(resource.RLIMIT_AS, (allowed, most))

def read(name, one):
    for key in one.attrs:
        try:
            one.attrs[key]
        except Exception as error:
            if isinstance(error, MemoryError) or "alloc" in str(error):
                sys.exit({_TOO_LONG})

given = sys.argv[2:] or [io.BytesIO(sys.stdin.buffer.read())]
with h5py.File(given[0], "r") as file:
    limit(int(sys.argv[1]))
    read("/", file)
    file.visititems(read)
"""


def has_open_lengths(one: Any) -> bool:
    """Whether a group or dataset of `h5py` has attributes whose values may be of any length.

    Those of which the library cannot tell count as such.
    """
    import h5py

    try:
        for key in one.attrs:
            kind = one.attrs.get_id(key).get_type()
            if isinstance(kind, h5py.h5t.TypeStringID):
                if kind.is_variable_str():
                    return True
            elif isinstance(
                kind, h5py.h5t.TypeVlenID | h5py.h5t.TypeCompoundID | h5py.h5t.TypeArrayID
            ):
                return True
    except (OSError, RuntimeError, TypeError, ValueError, KeyError):
        return True
    return False


def check_attributes(path: Path, content: bytes | None, texts: int) -> None:
    """Refuses a file whose attributes claim to be longer than the file lets them be.

    Args:
        path: The file.
        content: What to read in its place: a file within an archive.
        texts: Bytes of the file's largest collection of texts and lists.

    Raises:
        DataError: They do, or reading them does not come to an end.
    """
    source = [] if content is not None else [str(path.resolve())]
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(ROOM + _COPIES * texts), *source],
            input=content or b"",
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _damaged(path, f"attributes not read within {TIMEOUT_S} s") from None
    if done.returncode == _TOO_LONG:
        raise _damaged(path, "a text or list among its attributes that is longer than the file")
    if done.returncode < 0:
        raise _damaged(path, f"attributes that end their reader with signal {-done.returncode}")


def _damaged(path: Path, received: str) -> DataError:
    return DataError(f"{path} is damaged", received=received, remedy="fetch it again")
