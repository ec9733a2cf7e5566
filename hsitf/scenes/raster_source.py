"""A scene that is classified: read row by row, with labels where there are some.

Unlike a `Scene` it need not fit into memory, and may hold values that are not numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.scenes.cube import PreparedCube
from hsitf.scenes.metadata import NOWHERE, Color, Georeference
from hsitf.scenes.scene import Scene


@dataclass(frozen=True, eq=False)
class RasterSource:
    """What there is to classify.

    Attributes:
        name: Short name.
        shape: (rows, cols, bands).
        read: Returns rows `start` up to `stop`, (n, cols, bands) float32 in the units of the
            source.
        digest: Identifies the source, for work that is resumed.
        wavelengths: (bands,) in nanometers; None where unknown.
        labels: (rows, cols) int32, 0 = unlabelled; None where there are none.
        class_names: One name per class of the labels.
        synthetic: True where the cube was generated.
        sources: SHA-256 by file name of the files of labels and cube; empty where there are no
            labels to compare with.
        class_colors: One color per class of the labels, where they bring them; else empty.
        georeference: Place on Earth.
        notes: What was left out or put into order, one sentence each.
        fwhm: (bands,) full widths at half maximum in nanometers; None where unknown.
        scale: Factor from its numbers to physical units, one for all bands or (bands,).
        offset: What is added after it, likewise.
    """

    name: str
    shape: tuple[int, int, int]
    read: Callable[[int, int], Float32Array]
    digest: str
    wavelengths: NDArray[np.float64] | None = None
    labels: NDArray[np.int32] | None = None
    class_names: tuple[str, ...] = ()
    synthetic: bool = False
    sources: tuple[tuple[str, str], ...] = ()
    class_colors: tuple[Color, ...] = ()
    georeference: Georeference = NOWHERE
    notes: tuple[str, ...] = ()
    fwhm: NDArray[np.float64] | None = None
    scale: float | NDArray[np.float64] = 1.0
    offset: float | NDArray[np.float64] = 0.0

    @classmethod
    def from_scene(cls, scene: Scene) -> RasterSource:
        """A scene in memory."""
        rows, cols, bands = scene.cube.shape
        return cls(
            scene.name,
            (rows, cols, bands),
            lambda start, stop: scene.cube[start:stop],
            hashlib.sha256(np.ascontiguousarray(scene.cube).data).hexdigest(),
            scene.wavelengths,
            scene.labels if scene.labels.any() else None,
            scene.class_names,
            scene.synthetic,
            tuple(scene.sources.items()),
            scene.class_colors,
            scene.georeference,
            scene.notes,
            scene.fwhm,
            scene.scale,
            scene.offset,
        )

    @classmethod
    def from_cube(cls, path: Path, cube: PreparedCube) -> RasterSource:
        """A cube in a file, without labels."""
        return cls(
            path.stem,
            cube.shape,
            cube.read,
            _stamp(cube.file.files, cube.band_numbers),
            cube.wavelengths,
            georeference=cube.georeference,
            notes=cube.notes,
            fwhm=cube.fwhm,
            scale=cube.scale,
            offset=cube.offset,
        )


def _stamp(paths: tuple[Path, ...], bands: NDArray[np.int64]) -> str:
    """Sizes and times of files: hashing gigabytes would take as long as the classification."""
    found = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(repr((found, bands.tolist())).encode()).hexdigest()
