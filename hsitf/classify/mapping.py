"""The classes of every pixel, strip by strip: read ahead, computed, written behind, resumable."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hsitf.array_files import DAMAGE
from hsitf.classify.output_journal import JOURNAL, intermediate_folder
from hsitf.classify.source import Classifier
from hsitf.classify.strips import ClassifiedStrip, Strip, classify_strip, plan_strips, prepare_strip
from hsitf.files import disk_space_required, os_errors_reported, replacing
from hsitf.progress import Progress
from hsitf.scenes.raster_source import RasterSource

LABELS, VALUES, STATE = "labels.npy", "probabilities.npy", "state.json"
# Strips that wait between reading, computing and writing.
PREFETCH = 2

S = TypeVar("S")
T = TypeVar("T")
# From the strips that are left to what they give, in their order.
Compute = Callable[[Sequence[Strip]], Iterator[ClassifiedStrip]]


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
class MapArrays:
    """A map on disk.

    Attributes:
        labels: (rows, cols) uint8, 0 for pixels without a class.
        values: (rows, cols, classes) float16 probabilities; None where they were not requested.
        speed: Pixels per second of this call; 0 where the map was complete already.
    """

    labels: NDArray[np.uint8]
    values: NDArray[np.floating[Any]] | None
    speed: float


def compute_locally(classifier: Classifier, source: RasterSource, keep: bool) -> Compute:
    """Computes strips in this process, while the next ones are read."""

    def work(strips: Sequence[Strip]) -> Iterator[ClassifiedStrip]:
        for prepared in prefetch(partial(prepare_strip, classifier, source), strips):
            yield classify_strip(classifier, prepared, keep)

    return work


def classify(
    classifier: Classifier,
    source: RasterSource,
    folder: Path,
    progress: Progress,
    keep: bool,
    compute: Compute | None = None,
) -> MapArrays:
    """Classifies all pixels of a scene.

    Results are stored on disk strip by strip: an interrupted map resumes after its last strip where
    network, engine and scene are the same.

    Args:
        classifier: The classifier.
        source: The scene.
        folder: Folder of the intermediate results; created here, removed by `remove_state`.
        progress: Receives the progress of every strip, with pixels per second.
        keep: Whether probabilities are wanted.
        compute: Computes the strips; in this process where None.

    Raises:
        OutputError: There is no space, or the folder cannot be written.
        DataError: The scene's file is damaged.
    """
    rows, cols, _ = source.shape
    strips, classes = plan_strips(classifier, source), len(classifier.class_names)
    height = strips[0].last - strips[0].first
    known = _State(
        classifier.sha256,
        source.digest,
        classifier.runtime.engine,
        (rows, cols, classes),
        height,
        keep,
        0,
    )
    done = _done(folder, known)
    begin, first = time.monotonic(), done
    with os_errors_reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
        labels = _memory_map(folder / LABELS, (rows, cols), np.uint8, done > 0)
        values = None
        if keep:
            values = _memory_map(folder / VALUES, (rows, cols, classes), np.float16, done > 0)
        progress.start(f"classifying with {classifier.runtime.engine}", rows * cols)
        progress.advance(done * cols)
        remaining = [strip for strip in strips if strip.first >= done]

        def write(found: ClassifiedStrip) -> int:
            """Stores a strip; rows that the state counts as done are on disk."""
            at = slice(found.strip.first, found.strip.last)
            labels[at] = found.labels
            labels.flush()
            if values is not None:
                values[at] = found.values
                values.flush()
            _write(folder, replace(known, done=found.strip.last))
            return found.strip.last

        for last in prefetch(
            write, (compute or compute_locally(classifier, source, keep))(remaining)
        ):
            speed = (last - first) * cols / max(time.monotonic() - begin, 1e-9)
            progress.advance((last - done) * cols, f"{speed:,.0f} pixels/s")
            done = last
    seconds = max(time.monotonic() - begin, 1e-9)
    return MapArrays(labels, values, (done - first) * cols / seconds)


def prefetch(function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """Applies a function to items in a background thread that is a few items ahead.

    The items themselves are produced by the consumer's thread: of two such generators in a row, one
    reads, the caller computes, and the other writes.
    """
    pool = ThreadPoolExecutor(1)
    try:
        waiting: deque[Future[T]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > PREFETCH:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _memory_map(path: Path, shape: tuple[int, ...], dtype: type[np.generic], there: bool) -> Any:
    room = 0 if there else int(np.prod(shape)) * np.dtype(dtype).itemsize
    with disk_space_required(room, path.parent):
        return np.lib.format.open_memmap(path, "r+" if there else "w+", dtype, shape)


@contextmanager
def parts_folder(out: Sequence[Path]) -> Iterator[Path]:
    """Folder of intermediate results: beside the map, from where it resumes, if it is written."""
    if out:
        folder = intermediate_folder(out[0])
        try:
            yield folder
        finally:
            # Without a strip or a file that is finished there is nothing to resume from.
            if not (folder / STATE).is_file() and not (folder / JOURNAL).is_file():
                remove_state(folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary) / "parts"


def remove_state(folder: Path) -> None:
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
    except DAMAGE:
        return 0


def _write(folder: Path, state: _State) -> None:
    with replacing(folder / STATE) as temporary:
        temporary.write_text(json.dumps(asdict(state)))
