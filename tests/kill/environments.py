"""Called in the process of a command: makes its environment a hostile one."""

from __future__ import annotations

import os
import resource
import signal
import threading

# Bytes of addresses, and of the largest file.
ADDRESSES, FILE = 3_000_000_000, 3000


def arm(kind: str, seconds: float = 0.0) -> None:
    """Makes the environment of this process hostile.

    Args:
        kind: One of the names of `ENVIRONMENTS`.
        seconds: When a signal comes.
    """
    ENVIRONMENTS[kind](seconds)


def _full_output(seconds: float) -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def _closed_pipe(seconds: float) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, 1)


def _small_files(seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))


def _few_addresses(seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))


def _no_home(seconds: float) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HSITF_DATA", "MPLCONFIGDIR"):
        os.environ.pop(name, None)


def _unwritable_home(seconds: float) -> None:
    _no_home(seconds)
    # Nobody, root included, makes folders there.
    os.environ["HOME"] = "/proc/nowhere"


def _interrupted(number: signal.Signals, seconds: float) -> None:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()


ENVIRONMENTS = {
    "full output": _full_output,
    "closed pipe": _closed_pipe,
    "small files": _small_files,
    "3 GB": _few_addresses,
    "no home": _no_home,
    "unwritable home": _unwritable_home,
    "SIGINT": lambda seconds: _interrupted(signal.SIGINT, seconds),
    "SIGTERM": lambda seconds: _interrupted(signal.SIGTERM, seconds),
    # Of the folder, which whoever types the command prepares.
    "read-only": lambda seconds: None,
    "full disk": lambda seconds: None,
}
