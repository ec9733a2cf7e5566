"""A scene in strips of rows: each is read with the rows around it, prepared, and classified.

What a strip gives depends on the scene, the classifier and the strip alone, so that strips can be
computed ahead, elsewhere, or after an interruption, and make the same map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.classify.source import Classifier, probabilities
from hsitf.data import front
from hsitf.runtimes import Floats, scan, tile
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.site import Site

# Pixels of a strip at least: a few seconds of the slowest network.
PIXELS = 2048
# Bytes of a strip's bands at most, but for what a single row of tiles takes.
BYTES = 64 << 20


@dataclass(frozen=True)
class Strip:
    """Rows `first` up to `last` of a scene."""

    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Prepared:
    """A strip that was read.

    Attributes:
        strip: Which.
        patches: Around its pixels, as the network takes them.
        blank: (rows, cols) pixels with a band that is not a number, which get no class.
    """

    strip: Strip
    patches: PatchSource
    blank: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Done:
    """A strip that was classified.

    Attributes:
        strip: Which.
        labels: (rows, cols) uint8, 0 for blank pixels.
        values: (rows, cols, classes) float16 probabilities, 0 for blank pixels; None where not
            asked for.
    """

    strip: Strip
    labels: NDArray[np.uint8]
    values: NDArray[np.float16] | None


def plan(classifier: Classifier, site: Site) -> list[Strip]:
    """The strips of a scene, from top to bottom."""
    rows, cols, bands = site.shape
    if classifier.reducer is not None and not classifier.reducer.by_pixel:
        # It knows the pixels of its own scene, all at once.
        return [Strip(0, rows)]
    room = max(1, BYTES // (4 * cols * bands))
    side = tile(classifier.runtime)
    if side:
        height = side * max(1, room // side)
    else:
        # The rows around a strip are read twice, so that a flat one is a waste.
        height = min(room, max(-(-PIXELS // cols), 4 * classifier.patch))
    return [Strip(first, min(first + height, rows)) for first in range(0, rows, height)]


def prepare(classifier: Classifier, site: Site, strip: Strip) -> Prepared:
    """Reads a strip with the rows around it, mirrored where the scene ends.

    Pixels with bands that are not numbers are taken for the mean spectrum of the training
    pixels where they lie in the patches of others.
    """
    rows, cols, _ = site.shape
    before, after = classifier.patch // 2, (classifier.patch - 1) // 2
    wanted = _mirrored(np.arange(strip.first - before, strip.last + after), rows)
    low, high = int(wanted.min()), int(wanted.max()) + 1
    cube = site.read(low, high)
    blank = np.logical_not(np.isfinite(cube).all(axis=2))
    if blank.any():
        cube = cube.copy()
        cube[blank] = np.asarray(classifier.normalizer.offset, np.float32)
    seen = front(cube, classifier.normalizer, classifier.reducer)
    padded = np.pad(seen[wanted - low], ((0, 0), (before, after), (0, 0)), mode="reflect")
    patches = PatchSource(padded, strip.last - strip.first, cols, classifier.patch)
    return Prepared(strip, patches, blank[strip.first - low : strip.last - low])


def _mirrored(places: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Places outside 0 to size - 1 mirrored into it; the border itself is not repeated."""
    places = np.abs(places)
    return np.asarray(np.where(places >= size, 2 * (size - 1) - places, places))


def compute(classifier: Classifier, prepared: Prepared, keep: bool) -> Done:
    """Classifies a strip.

    Args:
        classifier: What classifies.
        prepared: The strip.
        keep: Whether probabilities are wanted.
    """
    rows, cols = prepared.blank.shape
    labels = np.empty(rows * cols, np.uint8)
    shape = (rows * cols, len(classifier.class_names))
    values = np.empty(shape, np.float16) if keep else None
    for places, logits in scan(classifier.runtime, prepared.patches, np.arange(rows * cols)):
        labels[places] = logits.argmax(axis=1) + 1
        if values is not None:
            values[places] = probabilities(logits)
    blank = prepared.blank.ravel()
    labels[blank] = 0
    if values is not None:
        values[blank] = 0
        values = values.reshape(rows, cols, -1)
    return Done(prepared.strip, labels.reshape(rows, cols), values)


def timed(classifier: Classifier, site: Site, rows: int) -> tuple[Floats, Prepared]:
    """The logits of the first rows of a scene, by which engines are compared."""
    prepared = prepare(classifier, site, Strip(0, min(rows, site.shape[0])))
    pixels = np.arange(prepared.blank.size)
    found = np.empty((len(pixels), len(classifier.class_names)), np.float32)
    for places, logits in scan(classifier.runtime, prepared.patches, pixels):
        found[places] = logits
    return found, prepared
