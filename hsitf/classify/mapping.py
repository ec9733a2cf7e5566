"""The classes of every pixel, strip by strip: read ahead, computed, written behind, resumable."""

from __future__ import annotations

import json
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hsitf.classify.source import Classifier
from hsitf.classify.strips import Done, Strip, compute, plan, prepare
from hsitf.files import explained, needing, replacing
from hsitf.progress import Progress
from hsitf.scenes.site import Site

LABELS, VALUES, STATE = "labels.npy", "probabilities.npy", "state.json"
# Strips that wait between reading, computing and writing.
AHEAD = 2

S = TypeVar("S")
T = TypeVar("T")
# From the strips that are left to what they give, in their order.
Compute = Callable[[Sequence[Strip]], Iterator[Done]]


@dataclass(frozen=True)
class _State:
    """How far a map is, and of what it is."""

    sha256: str
    scene: str
    engine: str
    shape: tuple[int, int, int]
    strip: int
    keep: bool
    done: int


@dataclass(frozen=True, eq=False)
class Mapped:
    """A map on disk.

    Attributes:
        labels: (rows, cols) uint8, 0 for pixels without a class.
        values: (rows, cols, classes) float16; None where they were not asked for.
        speed: Pixels per second of what was computed now; 0 where nothing was left to do.
    """

    labels: NDArray[np.uint8]
    values: NDArray[np.floating[Any]] | None
    speed: float


def locally(classifier: Classifier, site: Site, keep: bool) -> Compute:
    """Computes strips in this process, while the next ones are read."""

    def work(strips: Sequence[Strip]) -> Iterator[Done]:
        for prepared in ahead(partial(prepare, classifier, site), strips):
            yield compute(classifier, prepared, keep)

    return work


def classify(
    classifier: Classifier,
    site: Site,
    folder: Path,
    progress: Progress,
    keep: bool,
    work: Compute | None = None,
) -> Mapped:
    """Classifies all pixels of a scene.

    What is found is kept on disk while it is made: an interrupted map goes on from its last
    strip where network, engine and scene are the same.

    Args:
        classifier: What classifies.
        site: The scene.
        folder: To keep it in; made here, removed by `finish`.
        progress: Told of every strip, with pixels per second.
        keep: Whether probabilities are wanted.
        work: What computes strips; in this process where None.

    Raises:
        OutputError: There is no room, or the folder cannot be written.
        DataError: The scene's file is damaged.
    """
    rows, cols, _ = site.shape
    strips, classes = plan(classifier, site), len(classifier.class_names)
    height = strips[0].last - strips[0].first
    known = _State(
        classifier.sha256,
        site.identity,
        classifier.runtime.engine,
        (rows, cols, classes),
        height,
        keep,
        0,
    )
    done = _done(folder, known)
    begin, first = time.monotonic(), done
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        labels = _kept(folder / LABELS, (rows, cols), np.uint8, done > 0)
        values = None
        if keep:
            values = _kept(folder / VALUES, (rows, cols, classes), np.float16, done > 0)
        progress.start(f"classifying with {classifier.runtime.engine}", rows * cols)
        progress.advance(done * cols)
        left = [strip for strip in strips if strip.first >= done]

        def write(found: Done) -> int:
            """Keeps a strip; what the state says to be done lies on the disk."""
            at = slice(found.strip.first, found.strip.last)
            labels[at] = found.labels
            labels.flush()
            if values is not None:
                values[at] = found.values
                values.flush()
            _write(folder, replace(known, done=found.strip.last))
            return found.strip.last

        for last in ahead(write, (work or locally(classifier, site, keep))(left)):
            speed = (last - first) * cols / max(time.monotonic() - begin, 1e-9)
            progress.advance((last - done) * cols, f"{speed:,.0f} pixels/s")
            done = last
    seconds = max(time.monotonic() - begin, 1e-9)
    return Mapped(labels, values, (done - first) * cols / seconds)


def ahead(function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """What a function makes of items, in their order, by a thread that is a few ahead.

    The items themselves are made by who takes the results: of two such in a row, one reads, the
    caller computes, and the other writes.
    """
    pool = ThreadPoolExecutor(1)
    try:
        waiting: deque[Future[T]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _kept(path: Path, shape: tuple[int, ...], dtype: type[np.generic], there: bool) -> Any:
    room = 0 if there else int(np.prod(shape)) * np.dtype(dtype).itemsize
    with needing(room, path.parent):
        return np.lib.format.open_memmap(path, "r+" if there else "w+", dtype, shape)


def finish(folder: Path) -> None:
    """Removes what only an unfinished map needs."""
    shutil.rmtree(folder, ignore_errors=True)


def _done(folder: Path, known: _State) -> int:
    """Rows that an earlier run of the same network and scene left there."""
    if not (folder / STATE).is_file() or not (folder / LABELS).is_file():
        return 0
    try:
        then = json.loads((folder / STATE).read_text())
        same = {**then, "shape": tuple(then["shape"]), "done": 0} == asdict(known)
        whole = np.load(folder / LABELS, mmap_mode="r").shape == known.shape[:2]
        if known.keep:
            whole &= np.load(folder / VALUES, mmap_mode="r").shape == known.shape
        return int(then["done"]) if same and whole else 0
    except (ValueError, KeyError, TypeError, OSError, EOFError):
        return 0


def _write(folder: Path, state: _State) -> None:
    with replacing(folder / STATE) as temporary:
        temporary.write_text(json.dumps(asdict(state)))
