"""What computes a map: the trained network as it is, or one of its exact forms in another engine.

Files made for it live as long as the map takes. A form is used only where it says what the
network says of the first rows of the scene.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hsitf.classify.request import MapRequest
from hsitf.classify.source import Classifier
from hsitf.classify.strips import plan, timed
from hsitf.errors import InputError, LoweringError, unknown
from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.progress import Progress
from hsitf.quiet import quietly
from hsitf.runs import Run
from hsitf.runtimes import Floats, Runtime
from hsitf.scenes.site import Site

# Side of a tile, and patches a batch, that were fastest for most networks.
TILE, BATCH = 64, 64
KERAS = "keras"
# A map that takes less than this with the network as it is needs no other form, in seconds.
PATIENCE = 30.0
# Largest difference of a logit over the largest logit.
DIFFERENCE = 1e-3


@dataclass(frozen=True)
class Engine:
    """A form of a network in an engine.

    Attributes:
        variant: Kind of file.
        tiles: Whether it takes whole tiles; else batches of patches.
    """

    variant: str
    tiles: bool

    def make(self, run: Run, threads: int, folder: Path) -> Runtime:
        """Rewrites and converts a trained network.

        Raises:
            LoweringError: The network has no such form.
        """
        # Keras and its backend, which exported files do without.
        from hsitf.lower import dense, lower

        kind = VARIANTS[self.variant]
        network = run.network()
        lowered = dense(network, TILE) if self.tiles else lower(network, BATCH)
        path = folder / f"{self.variant}-{self.tiles}{kind.suffix}"
        kind.convert(lowered, Calibration(np.empty(0, np.float32)), path)
        return kind.runtime(path, threads)


ENGINES = {
    "litert": Engine("float32", False),
    "litert-tiles": Engine("float32", True),
    "onnx": Engine("onnx", False),
    "onnx-tiles": Engine("onnx", True),
}


@contextmanager
def engine(
    classifier: Classifier, run: Run | None, site: Site, request: MapRequest, progress: Progress
) -> Iterator[Classifier]:
    """The classifier with the engine that is asked for, or the fastest.

    Args:
        classifier: The trained network as it is, or an exported file.
        run: The trained network; None for a file, whose engine is given.
        site: What will be classified.
        request: Names an engine or none.
        progress: Told what was chosen.

    Raises:
        InputError: There is no such engine, or a file is asked to run in another.
        LoweringError: The network has no such form.
    """
    if request.engine is not None and request.engine not in (KERAS, *ENGINES):
        raise unknown("engine", request.engine, (KERAS, *ENGINES))
    if run is None:
        if request.engine is not None:
            raise InputError(
                "an exported file has its engine",
                received=f"--engine {request.engine} with a bundle",
                allowed=classifier.runtime.engine,
                remedy="leave --engine out, or give --from the folder of a run",
            )
        yield classifier
        return
    with tempfile.TemporaryDirectory() as folder:
        # Who computes elsewhere cannot be timed here.
        if request.engine == KERAS or (request.dask and request.engine is None):
            yield classifier
        elif request.engine is not None:
            with quietly():
                made = ENGINES[request.engine].make(run, request.threads, Path(folder))
            yield replace(classifier, runtime=made)
        else:
            yield _fastest(classifier, run, site, request, progress, Path(folder))


def _fastest(
    classifier: Classifier,
    run: Run,
    site: Site,
    request: MapRequest,
    progress: Progress,
    folder: Path,
) -> Classifier:
    rows = max(plan(classifier, site)[0].last, min(TILE, site.shape[0]))
    seconds, expected = _time(classifier, site, rows)
    if seconds * site.shape[0] / rows < PATIENCE:
        return classifier
    speeds, best = {KERAS: rows * site.shape[1] / seconds}, (seconds, classifier)
    progress.start("trying engines", len(ENGINES))
    for name, one in ENGINES.items():
        try:
            with quietly():
                tried = replace(classifier, runtime=one.make(run, request.threads, folder))
        except LoweringError as error:
            progress.say(f"{name} is left out: {error.what}")
            continue
        taken, found = _time(tried, site, rows)
        progress.advance(1, name)
        if not np.abs(found - expected).max() <= DIFFERENCE * max(1.0, np.abs(expected).max()):
            progress.say(f"{name} is left out: its logits differ from the network's")
            continue
        speeds[name] = rows * site.shape[1] / taken
        best = min(best, (taken, tried), key=lambda pair: pair[0])
    told = ", ".join(f"{name} {speed:,.0f}" for name, speed in speeds.items())
    progress.say(f"pixels/s by engine: {told}")
    return best[1]


def _time(classifier: Classifier, site: Site, rows: int) -> tuple[float, Floats]:
    """Seconds for the first rows of a scene, without what only the first inference takes."""
    timed(classifier, site, 1)
    start = time.perf_counter()
    found, _ = timed(classifier, site, rows)
    return time.perf_counter() - start, found
