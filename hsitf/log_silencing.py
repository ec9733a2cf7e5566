"""Suppresses log output of libraries between the lines that a user reads."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from hsitf.errors import ResourceError

# Bytes of addresses that TensorFlow and Keras take to start and to train a small network.
ADDRESS_SPACE = 2_500_000_000


def silence_library_logs() -> None:
    """Suppresses warnings and log messages of libraries that are imported later."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", module="(keras|tensorflow|tf2onnx|google|jax)")
    # TensorFlow warns of repeated tracing where one process builds several networks.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def suppressed_output() -> Iterator[None]:
    """Suppresses the output of compiled libraries, and shows it when the block fails.

    TensorFlow and its converter write to the process's file descriptors, bypassing Python's streams
    and logging, so the descriptors themselves are redirected to a file meanwhile.
    """
    with tempfile.TemporaryFile() as held:
        try:
            with redirected_output(held):
                yield
        except Exception:
            held.seek(0)
            sys.stderr.write(held.read().decode(errors="replace"))
            raise


@contextmanager
def redirected_output(file: IO[bytes]) -> Iterator[None]:
    """Redirects all output of the process, compiled code included, to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
    try:
        with _redirected_streams(file):
            yield
    finally:
        _restore(kept)


@contextmanager
def _redirected_streams(file: IO[bytes]) -> Iterator[None]:
    """Redirects Python's streams where they do not end in the process's descriptors.

    A notebook sends them to the browser instead.
    """
    streams = sys.stdout, sys.stderr
    with open(os.dup(file.fileno()), "w", buffering=1, errors="replace") as text:
        if not _ends_in(sys.stdout, 1):
            sys.stdout = text
        if not _ends_in(sys.stderr, 2):
            sys.stderr = text
        try:
            yield
        finally:
            sys.stdout, sys.stderr = streams


def _ends_in(stream: IO[str], descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor
    except (OSError, ValueError):
        return False


def _restore(kept: list[int]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    for place, descriptor in enumerate(kept, start=1):
        os.dup2(descriptor, place)
        os.close(descriptor)


def _check_address_space() -> None:
    """Says how much is needed where TensorFlow would end the process, or wait for ever, instead."""
    try:
        import resource
    except ImportError:
        # No limits on this system.
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < ADDRESS_SPACE:
        raise ResourceError(
            "there is not enough address space for TensorFlow",
            received=f"a limit of {limit / 1e9:.1f} GB",
            allowed=f"{ADDRESS_SPACE / 1e9:.1f} GB or more",
            remedy="raise it with 'ulimit -v'",
        )


def load_keras() -> None:
    """Imports Keras and its backend without the messages that they print as they start.

    Raises:
        ResourceError: The process may not have as many addresses as they take.
    """
    silence_library_logs()
    _check_address_space()
    with suppressed_output():
        import keras  # noqa: F401
