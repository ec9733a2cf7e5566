"""What computes a map: the trained network as it is, or one of its exact forms in another engine.

Converted files are temporary. An engine is used only where its logits agree with the network's on
the first rows of the scene.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.classify.request import MapRequest
from hsitf.classify.source import Classifier
from hsitf.classify.strips import first_logits, plan_strips
from hsitf.errors import InputError, LoweringError, unknown
from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.log_silencing import suppressed_output
from hsitf.progress import Progress
from hsitf.runs import Run
from hsitf.runtimes import Runtime
from hsitf.scenes.raster_source import RasterSource
from hsitf.tile_networks import at_side, is_tile_network, run_side

# Side of a tile, and patches a batch, that were fastest for most networks.
TILE, BATCH = 64, 64
KERAS = "keras"
# A map that takes less than this with the network as it is needs no other form, in seconds.
MAX_TRIAL_SECONDS = 30.0
# Largest difference of a logit over the largest logit.
LOGIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class MapEngine:
    """A form of a network in an engine.

    Attributes:
        variant: Variant of the exported file.
        tiles: Whether it takes whole tiles instead of batches of patches.
    """

    variant: str
    tiles: bool

    def make(self, run: Run, threads: int, folder: Path) -> Runtime:
        """Rewrites and converts a trained network.

        Raises:
            LoweringError: The network has no such form.
        """
        # Keras and its backend, which exported files do without.
        from hsitf.lower import lower, to_fully_convolutional

        kind = VARIANTS[self.variant]
        network = run.network()
        if is_tile_network(network):
            lowered = lower(at_side(network, run_side(network)))
        elif self.tiles:
            lowered = to_fully_convolutional(network, TILE)
        else:
            lowered = lower(network, BATCH)
        path = folder / f"{self.variant}-{self.tiles}{kind.suffix}"
        kind.convert(lowered, Calibration(np.empty(0, np.float32)), path)
        return kind.runtime(path, threads)


ENGINES = {
    "litert": MapEngine("float32", False),
    "litert-tiles": MapEngine("float32", True),
    "onnx": MapEngine("onnx", False),
    "onnx-tiles": MapEngine("onnx", True),
}


@contextmanager
def engine(
    classifier: Classifier,
    run: Run | None,
    source: RasterSource,
    request: MapRequest,
    progress: Progress,
) -> Iterator[Classifier]:
    """The classifier in the requested engine, or in the fastest one.

    Args:
        classifier: The trained network as it is, or an exported file.
        run: The trained network; None for an exported file, which has its engine.
        source: The scene to classify.
        request: The map request, with or without an engine.
        progress: Receives a message about the selected engine.

    Raises:
        InputError: There is no such engine, or an exported file was requested to run in another.
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
            with suppressed_output():
                made = ENGINES[request.engine].make(run, request.threads, Path(folder))
            yield replace(classifier, runtime=made)
        else:
            yield _fastest(classifier, run, source, request, progress, Path(folder))


def _fastest(
    classifier: Classifier,
    run: Run,
    source: RasterSource,
    request: MapRequest,
    progress: Progress,
    folder: Path,
) -> Classifier:
    rows = max(plan_strips(classifier, source)[0].last, min(TILE, source.shape[0]))
    seconds, expected = _time(classifier, source, rows)
    if seconds * source.shape[0] / rows < MAX_TRIAL_SECONDS:
        return classifier
    speeds, best = {KERAS: rows * source.shape[1] / seconds}, (seconds, classifier)
    progress.start("trying engines", len(ENGINES))
    for name, one in ENGINES.items():
        try:
            with suppressed_output():
                tried = replace(classifier, runtime=one.make(run, request.threads, folder))
        except LoweringError as error:
            progress.say(f"{name} is left out: {error.what}")
            continue
        taken, found = _time(tried, source, rows)
        progress.advance(1, name)
        if not np.abs(found - expected).max() <= LOGIT_TOLERANCE * max(1.0, np.abs(expected).max()):
            progress.say(f"{name} is left out: its logits differ from the network's")
            continue
        speeds[name] = rows * source.shape[1] / taken
        best = min(best, (taken, tried), key=lambda pair: pair[0])
    speeds_text = ", ".join(f"{name} {speed:,.0f}" for name, speed in speeds.items())
    progress.say(f"pixels/s by engine: {speeds_text}")
    return best[1]


def _time(classifier: Classifier, source: RasterSource, rows: int) -> tuple[float, Float32Array]:
    """Seconds for the first rows of a scene, without the warm-up of the first inference."""
    first_logits(classifier, source, 1)
    start = time.perf_counter()
    found, _ = first_logits(classifier, source, rows)
    return time.perf_counter() - start, found
