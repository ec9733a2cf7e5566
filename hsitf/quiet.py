"""Keeping the libraries' chatter from between the lines that a user reads."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO


def hush() -> None:
    """Keeps warnings and the log of libraries that are imported later to themselves."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", module="(keras|tensorflow|tf2onnx|google|jax)")
    # Several networks in one process make TensorFlow warn of tracing them one by one.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def quietly() -> Iterator[None]:
    """Holds back what compiled libraries print; shows it when the block fails.

    TensorFlow and its converter write to the process's file descriptors, past Python's streams
    and logging, so the descriptors themselves are turned to a file for the while.
    """
    with tempfile.TemporaryFile() as held:
        try:
            with redirected(held):
                yield
        except Exception:
            held.seek(0)
            sys.stderr.write(held.read().decode(errors="replace"))
            raise


@contextmanager
def redirected(file: IO[bytes]) -> Iterator[None]:
    """Lets everything that the process prints, compiled code included, go to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        _restore(kept)


def _restore(kept: list[int]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    for place, descriptor in enumerate(kept, start=1):
        os.dup2(descriptor, place)
        os.close(descriptor)
