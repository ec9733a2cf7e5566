"""A cube in a file as networks take it: valid pixels, good bands in the order of wavelength.

Values stay as they are stored. Pixels without data become NaN in every band, whatever the file
calls no data; a band without data nearly everywhere is left out, and so are the bands that the
file's own list calls bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.errors import DataError, InputError
from hsitf.scenes.metadata import Georeference, RasterMetadata, RasterOptions
from hsitf.scenes.readers import ArrayFile

# Rows, spread over the scene, that tell whether a band has data.
SAMPLED_ROWS = 64
# A band without data in so many of the pixels that have data in another one is no band.
EMPTY_SHARE = 0.99
# Bands that a note lists by number.
MAX_LISTED = 12


@dataclass(frozen=True, eq=False)
class PreparedCube:
    """A cube whose bands were chosen.

    Attributes:
        file: The array in its file.
        band_numbers: Indices of its bands in the file, in their order.
        nodata: Values that stand for no data.
        notes: What was left out or put into order, one sentence each.
    """

    file: ArrayFile
    band_numbers: NDArray[np.int64]
    nodata: tuple[float, ...]
    notes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(rows, cols, bands)."""
        rows, cols = self.file.shape[:2]
        return rows, cols, len(self.band_numbers)

    @property
    def metadata(self) -> RasterMetadata:
        """What the file says, of all of its bands."""
        return self.file.metadata

    @property
    def wavelengths(self) -> NDArray[np.float64] | None:
        """(bands,) in nanometers; None where unknown."""
        found = self.metadata.wavelengths
        return None if found is None else found[self.band_numbers]

    @property
    def fwhm(self) -> NDArray[np.float64] | None:
        """(bands,) in nanometers; None where unknown."""
        found = self.metadata.fwhm
        return None if found is None else found[self.band_numbers]

    @property
    def georeference(self) -> Georeference:
        """Place on Earth."""
        return self.metadata.georeference

    def read(self, start: int, stop: int) -> Float32Array:
        """Rows `start` up to `stop`: (n, cols, bands) float32, NaN in pixels without data."""
        values = self.file.read(start, stop)[:, :, self.band_numbers]
        # What is too large becomes infinite, and infinite pixels have no data either.
        with np.errstate(over="ignore"):
            cube = np.ascontiguousarray(values, dtype=np.float32)
        missing = _missing(values, self.nodata).any(axis=2)
        if self.metadata.valid is not None:
            missing |= ~self.metadata.valid(start, stop)
        if missing.any():
            cube = cube.copy() if cube.base is not None or not cube.flags.writeable else cube
            cube[missing] = np.nan
        return cube


def prepare_cube(
    file: ArrayFile, options: RasterOptions, band_numbers: Sequence[int] = ()
) -> PreparedCube:
    """Chooses the bands of a cube.

    Args:
        file: The array.
        options: What the user says about it.
        band_numbers: Indices of bands that an earlier run chose; empty to choose them now.

    Raises:
        DataError: It is no cube, or no band has data.
        InputError: The earlier bands are not there.
    """
    path = file.files[-1]
    if len(file.shape) != 3:
        raise DataError(
            f"{path} holds no cube",
            received=f"shape {file.shape}",
            allowed="(rows, cols, bands)",
            remedy="name the variable that holds the cube",
        )
    if options.wavelengths is not None:
        file = _with_wavelengths(file, options.wavelengths)
    nodata = file.metadata.nodata if options.nodata is None else (options.nodata,)
    count = file.shape[2]
    if len(band_numbers):
        if max(band_numbers) >= count:
            raise InputError(
                f"{path} has fewer bands than the network was trained on",
                received=f"{count} bands",
                allowed=f"{max(band_numbers) + 1} or more",
            )
        return PreparedCube(file, np.asarray(band_numbers, np.int64), nodata, ())
    kept = np.ones(count, bool)
    notes = []
    good = file.metadata.good_bands
    if good is not None and not good.all():
        if options.all_bands:
            notes.append(f"Kept {np.count_nonzero(~good)} bands that the file calls bad.")
        else:
            kept &= good
            notes.append(f"Left out {_listed(~good)}, which the file calls bad.")
    empty = _empty_bands(file, nodata) & kept
    if empty.any():
        kept &= ~empty
        holds = "holds" if np.count_nonzero(empty) == 1 else "hold"
        notes.append(f"Left out {_listed(empty)}, which {holds} no data.")
    if not kept.any():
        raise DataError(
            f"no band of {path} has data",
            received="; ".join(notes),
            remedy="give the value that stands for no data with --nodata, or keep bands that the "
            "file calls bad with --all-bands",
        )
    order = np.flatnonzero(kept)
    centers = file.metadata.wavelengths
    if centers is not None and (np.diff(centers[order]) < 0).any():
        order = order[np.argsort(centers[order], kind="stable")]
        notes.append("Put overlapping detectors' bands into the order of wavelength.")
    return PreparedCube(file, order, nodata, tuple(notes))


def _with_wavelengths(file: ArrayFile, wavelengths: Sequence[float]) -> ArrayFile:
    if len(wavelengths) != file.shape[2]:
        raise InputError(
            f"these wavelengths are not those of {file.files[-1]}",
            received=f"{len(wavelengths)} wavelengths, {file.shape[2]} bands",
            allowed="one a band",
        )
    centers = np.asarray(wavelengths, np.float64)
    return replace(file, metadata=replace(file.metadata, wavelengths=centers))


def _missing(values: NDArray[np.generic], nodata: Sequence[float]) -> NDArray[np.bool_]:
    """Where numbers stand for no data: declared ones, NaN and infinity."""
    found = np.zeros(values.shape, bool)
    if values.dtype.kind == "f":
        found |= ~np.isfinite(values)
    for value in nodata:
        if not np.isnan(value):
            # As the file stores it: -9999.9 in float32 is another number than in float64.
            stored = np.asarray(value).astype(values.dtype, casting="unsafe")
            if values.dtype.kind == "f" or stored == value:
                found |= values == stored
    return found


def _empty_bands(file: ArrayFile, nodata: Sequence[float]) -> NDArray[np.bool_]:
    """(bands,) bool, true where nearly all pixels that have data elsewhere have none."""
    rows = file.shape[0]
    sampled = np.unique(np.linspace(0, rows - 1, min(rows, SAMPLED_ROWS)).round().astype(int))
    missing, present = np.zeros(file.shape[2], np.int64), 0
    if not file.streams:
        whole = _missing(file.read(0, rows), nodata)
    for row in sampled.tolist():
        here = whole[row] if not file.streams else _missing(file.read(row, row + 1), nodata)[0]
        inside = ~here.all(axis=1)
        missing += here[inside].sum(axis=0)
        present += int(np.count_nonzero(inside))
    if present == 0:
        return np.ones(file.shape[2], bool)
    return np.asarray(missing >= EMPTY_SHARE * present)


def _listed(chosen: NDArray[np.bool_]) -> str:
    """Bands by number from 1, consecutive ones as a range."""
    numbers = np.flatnonzero(chosen) + 1
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    parts = [f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    shown = ", ".join(parts[:MAX_LISTED]) + (", ..." if len(parts) > MAX_LISTED else "")
    return f"band {shown}" if len(numbers) == 1 else f"{len(numbers)} bands ({shown})"


def count_missing(cube: Float32Array) -> int:
    """Number of pixels without data."""
    return int(np.count_nonzero(np.isnan(cube[..., 0])))
