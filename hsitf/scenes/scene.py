"""A scene: the cube, its ground truth, and what is known of its bands."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError, unknown
from hsitf.scenes.metadata import NOWHERE, Color, Georeference


@dataclass(frozen=True, eq=False)
class SceneImage:
    """One image of a scene of several, which are stacked along the rows of its cube.

    Attributes:
        name: Name within the scene.
        first_row: Its first row in the cube.
        rows: Its rows.
        cols: Its columns; the cube's further columns are empty there.
        set: "train", "validation" or "test", as the user assigned it; empty where it is not.
        georeference: Place on Earth.
    """

    name: str
    first_row: int
    rows: int
    cols: int
    set: str = ""
    georeference: Georeference = NOWHERE

    @property
    def block(self) -> tuple[slice, slice]:
        """Its rows and columns in the cube."""
        return slice(self.first_row, self.first_row + self.rows), slice(0, self.cols)


@dataclass(frozen=True, eq=False)
class Scene:
    """A hyperspectral image with its ground truth, checked when constructed.

    Attributes:
        name: Short name, used in folder names.
        cube: (rows, cols, bands) float32, in the units of the source (counts or reflectance); NaN
            in all bands of a pixel without data.
        labels: (rows, cols) int32, 0 = unlabelled, class k is named `class_names[k - 1]`.
        class_names: One name per class.
        wavelengths: (bands,) float64 band centers in nanometers, or None where unknown.
        rgb_bands: Band indices for an RGB image.
        synthetic: True where the cube was generated, not measured.
        sources: SHA-256 by file name of the files it was read from.
        training: (rows, cols) int32, the published training labels of the scene; None where there
            are none.
        band_numbers: Indices of the bands in the source, in their order; empty where they are all
            of the source's.
        georeference: Place on Earth.
        class_colors: One color per class, where the labels bring them; else empty.
        notes: What was left out, renumbered or put into order in reading, one sentence each.
        left_out_classes: Names of classes that were left out because they are too small for the
            split.
        source_bands: Number of bands in the source; 0 where all of them are used.
        images: The images that the cube is made of, from top to bottom; empty where it is one. No
            patch crosses from one to the next.
        product: Name of the sensor's product that was recognized; empty for a plain file.
        scale: Factor from the cube's numbers to physical units (reflectance or radiance), one for
            all bands or (bands,); 1 where the files name none.
        offset: What is added after it, likewise; 0 where the files name none.
        fwhm: (bands,) float64 full widths at half maximum in nanometers, or None where unknown.
        picture_side: Rows and cols of each picture of a set of pictures that is laid out as one
            cube: the samples are whole pictures. 0 for an image of pixels.

    Raises:
        DataError: The arrays do not form a scene (rank, size, no valid pixel, labels).
    """

    name: str
    cube: NDArray[np.float32]
    labels: NDArray[np.int32]
    class_names: tuple[str, ...]
    wavelengths: NDArray[np.float64] | None = None
    rgb_bands: tuple[int, int, int] = (0, 0, 0)
    synthetic: bool = False
    sources: dict[str, str] = field(default_factory=dict)
    training: NDArray[np.int32] | None = None
    band_numbers: tuple[int, ...] = ()
    georeference: Georeference = NOWHERE
    class_colors: tuple[Color, ...] = ()
    notes: tuple[str, ...] = ()
    left_out_classes: tuple[str, ...] = ()
    source_bands: int = 0
    images: tuple[SceneImage, ...] = ()
    product: str = ""
    scale: float | NDArray[np.float64] = 1.0
    offset: float | NDArray[np.float64] = 0.0
    fwhm: NDArray[np.float64] | None = None
    picture_side: int = 0

    def __post_init__(self) -> None:
        # Folders are named after it, so it must not lead out of the one they are made in.
        if not self.name.strip(".") or not self.name.isprintable() or set(self.name) & set("/\\"):
            raise DataError(
                "a scene cannot have this name",
                received=repr(self.name),
                allowed="printable characters without slashes, not only dots",
                remedy="rename its file",
            )
        if unnamed := [name for name in self.class_names if "\0" in name]:
            raise DataError(
                f"a class of {self.name} cannot have this name",
                received=repr(unnamed[0]),
                allowed="a text without the character 0",
                remedy="correct it where the labels name their classes",
            )
        if self.cube.ndim != 3:
            raise DataError(
                f"the cube of {self.name} has the wrong rank",
                received=f"shape {self.cube.shape}",
                allowed="(rows, cols, bands)",
                remedy="name the variable that holds the cube",
            )
        if self.labels.shape != self.cube.shape[:2]:
            raise DataError(
                f"the labels of {self.name} are of another size than its cube",
                received=f"labels {self.labels.shape}, cube {self.cube.shape[:2]}",
                allowed="the same rows and cols",
                remedy="give the label map that belongs to this cube",
            )
        if not self.valid.any():
            raise DataError(
                f"no pixel of {self.name} has data in all bands",
                received="NaN, infinite or no-data values everywhere",
                remedy="give the value that stands for no data with --nodata, or leave bands out",
            )
        if self.labels[~self.valid].any():
            raise DataError(
                f"the labels of {self.name} name pixels without data",
                allowed="0 (unlabelled) there",
            )
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high > len(self.class_names):
            raise DataError(
                f"the labels of {self.name} do not match its class names",
                received=f"labels from {low} to {high}, {len(self.class_names)} names",
                allowed=f"0 (unlabelled) to {len(self.class_names)}",
                remedy="renumber the labels or name every class",
            )
        if self.wavelengths is not None and len(self.wavelengths) != self.bands:
            raise DataError(
                f"the wavelengths of {self.name} do not match its bands",
                received=f"{len(self.wavelengths)} wavelengths, {self.bands} bands",
                allowed="one wavelength a band",
                remedy="correct the header or leave the wavelengths out",
            )

    @cached_property
    def valid(self) -> NDArray[np.bool_]:
        """(rows, cols) bool, true where a pixel has data in all bands."""
        return np.asarray(np.isfinite(self.cube).all(axis=2))

    @property
    def valid_spectra(self) -> NDArray[np.float32]:
        """(pixels, bands) float32, spectra of the pixels that have data, row by row."""
        return self.cube[self.valid]

    @property
    def bands(self) -> int:
        """Number of spectral bands."""
        return int(self.cube.shape[2])

    @property
    def classes(self) -> int:
        """Number of classes, unlabelled not counted."""
        return len(self.class_names)

    def leaving_out(self, names: Collection[str]) -> Scene:
        """The scene without classes that are too small for its split, which it says.

        Raises:
            InputError: As `without_classes`.
        """
        if not names:
            return self
        counts = np.bincount(self.labels.ravel(), minlength=self.classes + 1)
        listed = ", ".join(
            f"{name} ({counts[number]} pixels)"
            for number, name in enumerate(self.class_names, start=1)
            if name in names
        )
        note = f"Left out {listed}: too small for separate training and test regions."
        return replace(
            self.without_classes(names),
            left_out_classes=(*self.left_out_classes, *names),
            notes=(*self.notes, note),
        )

    def without_classes(self, names: Collection[str]) -> Scene:
        """The scene with the classes `names` unlabelled and the others renumbered.

        Raises:
            InputError: There is no such class, or fewer than two would be left.
        """
        if not names:
            return self
        kept, table = renumbered(self.class_names, names)
        colors = tuple(
            color
            for name, color in zip(self.class_names, self.class_colors, strict=False)
            if name in kept
        )
        training = None if self.training is None else table[self.training]
        return replace(
            self,
            labels=table[self.labels],
            class_names=kept,
            training=training,
            class_colors=colors,
        )


def renumbered(
    class_names: tuple[str, ...], dropped: Collection[str]
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The classes that are left without those dropped, and the new number of each old one.

    Raises:
        InputError: There is no such class, or fewer than two would be left.
    """
    for name in dropped:
        if name not in class_names:
            raise unknown("class", name, class_names)
    kept = tuple(name for name in class_names if name not in dropped)
    if len(kept) < 2:
        raise InputError(
            "a classifier needs two classes or more",
            received=f"{len(kept)} left after dropping {len(set(dropped))}",
            allowed="2 or more",
            remedy="drop fewer classes",
        )
    numbers = [0, *(kept.index(name) + 1 if name in kept else 0 for name in class_names)]
    return kept, np.array(numbers, np.int32)
