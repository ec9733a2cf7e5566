"""What a file says of its numbers: bands, no-data values, scale, place on Earth, classes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError, MissingInputError

AXES = ("rows", "cols", "bands")

Color = tuple[int, int, int]
# Rows `start` up to `stop` -> bool, true where there is data: (rows, cols) for pixels, or
# (rows, cols, bands) where a product flags each value.
ValidRows = Callable[[int, int], NDArray[np.bool_]]
LookupRows = Callable[[int, int], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class LookupTable:
    """A geometry lookup table: which pixel of a raster lies in each cell of a map grid.

    Attributes:
        shape: (rows, cols) of the map grid.
        transform: Affine transform of the map grid, as in `Georeference`.
        read: Reads rows of the grid, (n, cols, 2) int64: row and col of the pixel in the raster,
            both -1 where there is none.
    """

    shape: tuple[int, int]
    transform: tuple[float, float, float, float, float, float]
    read: LookupRows = field(repr=False)


@dataclass(frozen=True, eq=False)
class Georeference:
    """Where the pixels of a raster lie on Earth, as far as its file says.

    Attributes:
        crs: Coordinate reference system of the transform or the control points, as WKT; empty
            where unknown.
        transform: Affine transform (a, b, c, d, e, f) from (col, row) to map coordinates; None
            where there is none.
        gcps: Ground control points (row, col, x, y, z).
        rpcs: Rational polynomial coefficients, as GDAL's RPC metadata names them.
        lookup: Geometry lookup table onto a map grid in the same system; None where there is none.
    """

    crs: str = ""
    transform: tuple[float, float, float, float, float, float] | None = None
    gcps: tuple[tuple[float, float, float, float, float], ...] = ()
    rpcs: Mapping[str, str] | None = None
    lookup: LookupTable | None = None

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return bool(self.crs or self.transform or self.gcps or self.rpcs or self.lookup)

    def profile(self) -> dict[str, Any]:
        """Arguments of `rasterio.open` for a raster of the same pixels that is written.

        With a lookup table the system is that of the map grid, whose pixels are others.
        """
        import rasterio
        from rasterio.control import GroundControlPoint
        from rasterio.rpc import RPC

        found: dict[str, Any] = {}
        if self.crs and not self.gcps and self.lookup is None:
            found["crs"] = rasterio.crs.CRS.from_wkt(self.crs)
        if self.transform is not None:
            found["transform"] = rasterio.Affine(*self.transform)
        if self.gcps:
            found["gcps"] = [
                GroundControlPoint(row, col, x, y, z) for row, col, x, y, z in self.gcps
            ]
            found["crs"] = rasterio.crs.CRS.from_wkt(self.crs) if self.crs else None
        if self.rpcs:
            found["rpcs"] = RPC.from_gdal(dict(self.rpcs))
        return found

    def grid_profile(self) -> dict[str, Any]:
        """Arguments of `rasterio.open` for a raster on the lookup table's map grid."""
        import rasterio

        assert self.lookup is not None
        found: dict[str, Any] = {"transform": rasterio.Affine(*self.lookup.transform)}
        if self.crs:
            found["crs"] = rasterio.crs.CRS.from_wkt(self.crs)
        return found


NOWHERE = Georeference()


@dataclass(frozen=True, eq=False)
class RasterMetadata:
    """What a file, or the product that it is, says of a raster besides its numbers.

    Attributes:
        wavelengths: (bands,) float64 band centers in nanometers; None where unknown.
        fwhm: (bands,) float64 full widths at half maximum in nanometers; None where unknown.
        good_bands: (bands,) bool, false for those that a bad-band list names; None without one.
        nodata: Values that stand for no data, in the units of the file.
        background: Value that stands for no data where every band of a pixel has it; None where
            there is none. Alone, it may be a measured value.
        valid: Reads a mask of the format's own, or the quality flags of a product; None where it
            has none.
        scale: Factor from stored numbers to physical units, one for all bands or (bands,).
        offset: What is added after it, likewise.
        georeference: Place on Earth.
        class_names: Names by number of a map of classes.
        class_colors: Colors by number of a map of classes.
        product: Name of the sensor's product that was recognized; empty for a plain file.
        notes: What a user has to know of how the file was read, one sentence each.
    """

    wavelengths: NDArray[np.float64] | None = None
    fwhm: NDArray[np.float64] | None = None
    good_bands: NDArray[np.bool_] | None = None
    nodata: tuple[float, ...] = ()
    background: float | None = None
    valid: ValidRows | None = None
    scale: float | NDArray[np.float64] = 1.0
    offset: float | NDArray[np.float64] = 0.0
    georeference: Georeference = NOWHERE
    class_names: Mapping[int, str] = field(default_factory=dict)
    class_colors: Mapping[int, Color] = field(default_factory=dict)
    product: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RasterOptions:
    """What a user says about a raster that its file does not, or says wrongly.

    Attributes:
        nodata: Value that stands for no data, in place of what the file declares.
        axes: Order of the cube's axes, such as ("rows", "bands", "cols"); None as the file has it.
        all_bands: Whether bands that a bad-band list names are kept.
        wavelengths: (bands,) band centers in nanometers; None for those of the file.
    """

    nodata: float | None = None
    axes: tuple[str, ...] | None = None
    all_bands: bool = False
    wavelengths: tuple[float, ...] | None = None


def parse_axes(text: str) -> tuple[str, ...]:
    """Reads the order of a cube's axes as a user writes it, such as "rows,bands,cols".

    Raises:
        InputError: It is no order of the three.
    """
    axes = tuple(part.strip() for part in text.split(","))
    if sorted(axes) != sorted(AXES):
        raise InputError(
            "these axes are not those of a cube",
            received=text,
            allowed=f"{', '.join(AXES)}, each once, in the order of the file",
        )
    return axes


def read_wavelengths(path: Path) -> tuple[float, ...]:
    """Reads band centers from a text file: numbers between spaces, commas or line ends.

    Numbers that are all below 100 are micrometers. Lines that begin with # are passed over.

    Returns:
        Band centers in nanometers.

    Raises:
        InputError: There is no such file.
        DataError: It holds something else.
    """
    from hsitf.scenes.readers.base import nanometers

    path = path.expanduser()
    if not path.is_file():
        raise MissingInputError("there is no file of wavelengths", received=path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        kept = [line for line in lines if not line.lstrip().startswith("#")]
        values = [float(part) for part in re.split(r"[\s,;]+", " ".join(kept)) if part]
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} does not hold wavelengths",
            received=str(error),
            allowed="numbers between spaces, commas or line ends, one a band",
        ) from error
    if not values or not all(math.isfinite(value) and value > 0 for value in values):
        raise DataError(f"{path} does not hold wavelengths", allowed="positive numbers, one a band")
    centers = nanometers(values, None)
    assert centers is not None
    return tuple(centers.tolist())
