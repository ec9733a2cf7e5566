"""Strips computed by the workers of a Dask scheduler.

Each worker opens the network and the scene by their paths and reads its own strips, so that neither
is sent over the network; the classes are returned and written here, in order.
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
from hsitf.classify.sensor import open_for_site
from hsitf.classify.source import Classifier, open_classifier
from hsitf.classify.strips import ClassifiedStrip, Strip, classify_strip, prepare_strip
from hsitf.errors import InputError
from hsitf.progress import Silent
from hsitf.records import SceneChoice
from hsitf.scenes import RasterSource

EXTRA = "pip install '.[dask]' in hsitf's folder"
# Seconds that a scheduler has to answer.
CONNECT_TIMEOUT = 10
# Strips that wait for each worker.
PREFETCH = 2


@dataclass(frozen=True)
class StripJob:
    """What a worker needs to compute strips as any other would.

    Attributes:
        origin: Folder of the run or the bundle.
        choice: The scene, with absolute paths.
        request: The map request, with the engine and its threads.
    """

    origin: Path
    choice: SceneChoice
    request: MapRequest


def compute_remotely(address: str, job: StripJob) -> Compute:
    """Computes strips on a cluster.

    Args:
        address: Address of the scheduler, such as tcp://host:8786.
        job: The network, the scene and the request.

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
        client: Any = Client(address, timeout=CONNECT_TIMEOUT)  # type: ignore[no-untyped-call]
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

    def work(strips: Sequence[Strip]) -> Iterator[ClassifiedStrip]:
        with client:
            waiting: deque[Any] = deque()
            for strip in strips:
                waiting.append(client.submit(_strip, job, strip, pure=False))
                if len(waiting) > PREFETCH * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    return work


def _strip(job: StripJob, strip: Strip) -> ClassifiedStrip:
    classifier, site = _opened(job)
    return classify_strip(classifier, prepare_strip(classifier, site, strip), job.request.keeps)


@lru_cache(maxsize=1)
def _opened(job: StripJob) -> tuple[Classifier, RasterSource]:
    """What a worker computes with, opened once for all its strips."""
    classifier, run = open_classifier(job.origin, job.request.threads)
    site, classifier, run = open_for_site(job.choice, classifier, run, job.request.strict_bands)
    # Files of the engine last as long as the worker.
    lasting = ExitStack()
    return lasting.enter_context(engine(classifier, run, site, job.request, Silent())), site
