"""Keeping the libraries' chatter from between the lines that a user reads."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quietly() -> Iterator[None]:
    """Holds back what compiled libraries print; shows it when the block fails.

    TensorFlow and its converter write to the process's file descriptors, past Python's streams
    and logging, so the descriptors themselves are turned to a file for the while.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        kept = [os.dup(1), os.dup(2)]
        os.dup2(held.fileno(), 1)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            _restore(kept)
            held.seek(0)
            sys.stderr.write(held.read().decode(errors="replace"))
            raise
        except BaseException:
            # Who interrupts does not ask for it.
            _restore(kept)
            raise
        _restore(kept)


def _restore(kept: list[int]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    for place, descriptor in enumerate(kept, start=1):
        os.dup2(descriptor, place)
        os.close(descriptor)
