"""A scene in strips of rows: each is read with the rows around it, prepared, and classified.

The result of a strip depends only on the scene, the classifier and the strip, so that strips can be
computed ahead, elsewhere, or after an interruption, and give the same map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.classify.source import Classifier, probabilities
from hsitf.data import preprocess
from hsitf.runtimes import scan, tile_core
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.raster_source import RasterSource

# Pixels of a strip at least: a few seconds of the slowest network.
BATCH_PIXELS = 2048
# Bytes of a strip's bands at most, but for what a single row of tiles takes.
BYTES = 64 << 20


@dataclass(frozen=True)
class Strip:
    """Rows `first` up to `last` of a scene."""

    first: int
    last: int


@dataclass(frozen=True, eq=False)
class PreparedStrip:
    """A strip that was read.

    Attributes:
        strip: The rows.
        patches: Patches around its pixels, preprocessed for the network.
        nodata: (rows, cols) bool, pixels with a NaN band, which get no class.
    """

    strip: Strip
    patches: PatchSource
    nodata: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ClassifiedStrip:
    """A strip that was classified.

    Attributes:
        strip: The rows.
        labels: (rows, cols) uint8, 0 for nodata pixels.
        values: (rows, cols, classes) float16 probabilities, 0 for nodata pixels; None where not
            requested.
    """

    strip: Strip
    labels: NDArray[np.uint8]
    values: NDArray[np.float16] | None


def plan_strips(classifier: Classifier, source: RasterSource) -> list[Strip]:
    """The strips of a scene, from top to bottom."""
    rows, cols, bands = source.shape
    if classifier.reducer is not None and not classifier.reducer.is_pixelwise:
        # It knows the pixels of its own scene, all at once.
        return [Strip(0, rows)]
    room = max(1, BYTES // (4 * cols * bands))
    side = tile_core(classifier.runtime, classifier.patch)
    if side:
        height = side * max(1, room // side)
    else:
        # The rows around a strip are read twice, so that a flat one is a waste.
        height = min(room, max(-(-BATCH_PIXELS // cols), 4 * classifier.patch))
    return [Strip(first, min(first + height, rows)) for first in range(0, rows, height)]


def prepare_strip(classifier: Classifier, source: RasterSource, strip: Strip) -> PreparedStrip:
    """Reads a strip with the rows around it, mirrored where the scene ends.

    In the patches of other pixels, pixels with a NaN band are replaced by the mean spectrum of the
    training pixels.
    """
    rows, cols, _ = source.shape
    before, after = classifier.patch // 2, (classifier.patch - 1) // 2
    wanted = _mirrored(np.arange(strip.first - before, strip.last + after), rows)
    low, high = int(wanted.min()), int(wanted.max()) + 1
    cube = source.read(low, high)
    blank = np.logical_not(np.isfinite(cube).all(axis=2))
    if blank.any():
        cube = cube.copy()
        cube[blank] = np.asarray(classifier.normalizer.offset, np.float32)
    preprocessed = preprocess(cube, classifier.normalizer, classifier.reducer)
    padded = np.pad(preprocessed[wanted - low], ((0, 0), (before, after), (0, 0)), mode="reflect")
    patches = PatchSource(padded, strip.last - strip.first, cols, classifier.patch)
    return PreparedStrip(strip, patches, blank[strip.first - low : strip.last - low])


def _mirrored(indices: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Places outside 0 to size - 1 mirrored into it; the border itself is not repeated."""
    indices = np.abs(indices)
    return np.asarray(np.where(indices >= size, 2 * (size - 1) - indices, indices))


def classify_strip(classifier: Classifier, prepared: PreparedStrip, keep: bool) -> ClassifiedStrip:
    """Classifies a strip.

    Args:
        classifier: The classifier.
        prepared: The strip.
        keep: Whether probabilities are wanted.
    """
    rows, cols = prepared.nodata.shape
    labels = np.empty(rows * cols, np.uint8)
    shape = (rows * cols, len(classifier.class_names))
    values = np.empty(shape, np.float16) if keep else None
    for pixels_done, logits in scan(classifier.runtime, prepared.patches, np.arange(rows * cols)):
        labels[pixels_done] = logits.argmax(axis=1) + 1
        if values is not None:
            values[pixels_done] = probabilities(logits)
    blank = prepared.nodata.ravel()
    labels[blank] = 0
    if values is not None:
        values[blank] = 0
        values = values.reshape(rows, cols, -1)
    return ClassifiedStrip(prepared.strip, labels.reshape(rows, cols), values)


def first_logits(
    classifier: Classifier, source: RasterSource, rows: int
) -> tuple[Float32Array, PreparedStrip]:
    """The logits of the first rows of a scene, by which engines are compared."""
    prepared = prepare_strip(classifier, source, Strip(0, min(rows, source.shape[0])))
    pixels = np.arange(prepared.nodata.size)
    found = np.empty((len(pixels), len(classifier.class_names)), np.float32)
    for pixels_done, logits in scan(classifier.runtime, prepared.patches, pixels):
        found[pixels_done] = logits
    return found, prepared
