"""Strips computed by the workers of a Dask scheduler.

Each worker opens the network and the scene by their paths and reads the strips that it computes,
so that neither travels; classes come back and are written here, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hsitf.classify.engines import engine
from hsitf.classify.mapping import Compute
from hsitf.classify.request import MapRequest
from hsitf.classify.source import Classifier, opened, site_for
from hsitf.classify.strips import Done, Strip, compute, prepare
from hsitf.errors import InputError
from hsitf.progress import Silent
from hsitf.records import SceneChoice
from hsitf.scenes import Site

EXTRA = "pip install '.[dask]' in hsitf's folder"
# Seconds that a scheduler has to answer.
PATIENCE = 10
# Strips that wait for each worker.
AHEAD = 2


@dataclass(frozen=True)
class Order:
    """What a worker needs to compute strips as any other would.

    Attributes:
        origin: Folder of the run or the bundle.
        choice: The scene, with absolute paths.
        request: With the engine and its threads.
    """

    origin: Path
    choice: SceneChoice
    request: MapRequest


def remotely(address: str, order: Order) -> Compute:
    """Computes strips on a cluster.

    Args:
        address: Of its scheduler, such as tcp://host:8786.
        order: What to compute.

    Raises:
        InputError: The extra is not installed, the scheduler does not answer, or has no workers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            "computing on a cluster needs Dask",
            received="an environment without it",
            remedy=f"install it: {EXTRA}",
        ) from error
    try:
        client: Any = Client(address, timeout=PATIENCE)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(
            "no scheduler answers",
            received=address,
            allowed="the address of a running one, such as tcp://host:8786",
            remedy="start one with 'dask scheduler', or correct the address",
        ) from error
    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    if not workers:
        client.close()
        raise InputError(
            "the scheduler has no workers",
            received=address,
            remedy=f"start some with 'dask worker {address} --nthreads 1'",
        )

    def work(strips: Sequence[Strip]) -> Iterator[Done]:
        with client:
            waiting: deque[Any] = deque()
            for strip in strips:
                waiting.append(client.submit(_strip, order, strip, pure=False))
                if len(waiting) > AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    return work


def _strip(order: Order, strip: Strip) -> Done:
    classifier, site = _opened(order)
    return compute(classifier, prepare(classifier, site, strip), order.request.keeps)


@lru_cache(maxsize=1)
def _opened(order: Order) -> tuple[Classifier, Site]:
    """What a worker computes with, opened once for all its strips."""
    classifier, run = opened(order.origin, order.request.threads)
    site = site_for(order.choice)
    # Files of the engine last as long as the worker.
    lasting = ExitStack()
    return lasting.enter_context(engine(classifier, run, site, order.request, Silent())), site
