"""Where the stages of a study run: Dask workers, on this machine or behind a scheduler."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hsitf.errors import InputError

EXTRA = "pip install '.[dask]' in hsitf's folder"
# Bytes that a process takes at least: TensorFlow, a scene and a network with its conversion.
WORKER_MEMORY = 4 * 10**9
# Seconds that a scheduler has to answer.
CONNECT_TIMEOUT = 10


def check() -> None:
    """Refuses to begin where Dask is not installed.

    Raises:
        InputError: It is not.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise InputError(
            "studies run on Dask",
            received="an environment without it",
            remedy=f"install it: {EXTRA}",
        ) from error


@contextmanager
def local_workers(workers: int | None) -> Iterator[Any]:
    """Processes on this machine, as many as its cores and memory allow, each with at least one
    core.

    Args:
        workers: Number of processes; None for as many as fit.

    Yields:
        The client, a `distributed.Client`.
    """
    import dask
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster
    from distributed.system import MEMORY_LIMIT

    count = workers or max(1, min(CPU_COUNT, MEMORY_LIMIT // WORKER_MEMORY))
    threads = max(1, CPU_COUNT // count)
    numbers = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    settings = {
        # Set before a worker's process begins: libraries look once, when they are loaded.
        "distributed.nanny.pre-spawn-environ": dict.fromkeys(numbers, str(threads)),
        # A conversion of a large network answers nobody for minutes.
        "distributed.scheduler.worker-ttl": None,
        # What killed a worker once, such as its memory, kills the next one too.
        "distributed.scheduler.allowed-failures": 1,
        # TensorFlow keeps some of each network. A worker that waited for its memory to shrink would
        # wait for ever; one that goes on is replaced when it reaches its limit.
        "distributed.worker.memory.pause": False,
    }
    with dask.config.set(settings):
        running = LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=MEMORY_LIMIT // count,
            silence_logs=logging.CRITICAL,
            local_directory=tempfile.gettempdir(),
        )
        try:
            with Client(running) as client:  # type: ignore[no-untyped-call]
                yield client
        finally:
            # A worker that a busy machine keeps from ending in time ends with this process.
            with suppress(TimeoutError, asyncio.TimeoutError):
                running.close()


@contextmanager
def remote_workers(address: str) -> Iterator[Any]:
    """The workers of a scheduler, which see the study's folder and the scene by the same paths.

    Args:
        address: Address such as tcp://host:8786.

    Raises:
        InputError: The scheduler does not answer, or has no workers.
    """
    from distributed import Client

    try:
        client: Any = Client(address, timeout=CONNECT_TIMEOUT)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            "no scheduler answers",
            received=address,
            allowed="the address of a running one, such as tcp://host:8786",
            remedy="start one with 'dask scheduler', or correct the address",
        ) from error
    with client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise InputError(
                "the scheduler has no workers",
                received=address,
                remedy=f"start some with 'dask worker {address} --nthreads 1'",
            )
        yield client
