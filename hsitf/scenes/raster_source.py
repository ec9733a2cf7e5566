"""A scene that is classified: read row by row, with labels where there are some.

Unlike a `Scene` it need not fit into memory, and may hold values that are not numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.errors import DataError
from hsitf.scenes.readers import ArrayFile
from hsitf.scenes.scene import Scene, renumbered


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
        )

    @classmethod
    def from_file(cls, path: Path, cube: ArrayFile) -> RasterSource:
        """A cube in a file, without labels.

        Raises:
            DataError: It is not a cube.
        """
        if len(cube.shape) != 3:
            raise DataError(
                f"{path} holds no cube",
                received=f"shape {cube.shape}",
                allowed="(rows, cols, bands)",
                remedy="name the variable that holds the cube",
            )

        def read(start: int, stop: int) -> Float32Array:
            # What is too large becomes infinite, and infinite pixels get no class.
            with np.errstate(over="ignore"):
                return np.ascontiguousarray(cube.read(start, stop), dtype=np.float32)

        rows, cols, bands = cube.shape
        return cls(path.stem, (rows, cols, bands), read, _stamp(cube.files), cube.wavelengths)

    def without_classes(self, names: Collection[str]) -> RasterSource:
        """The site with the classes `names` unlabelled and the others renumbered."""
        if not names or self.labels is None:
            return self
        kept, table = renumbered(self.class_names, names)
        return replace(self, labels=table[self.labels], class_names=kept)


def _stamp(paths: tuple[Path, ...]) -> str:
    """Sizes and times of files: hashing gigabytes would take as long as the classification."""
    found = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(repr(found).encode()).hexdigest()
