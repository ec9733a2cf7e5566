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
from hsitf.scenes.band_facts import check_one_entry_a_band, detectors_overlap
from hsitf.scenes.metadata import Georeference, RasterMetadata, RasterOptions
from hsitf.scenes.readers import ArrayFile
from hsitf.scenes.readers.base import BlockRows

# Rows, spread over the scene, that tell whether a band has data.
SAMPLED_ROWS = 64
# Blocks of rows, where a file stores many rows together.
SAMPLED_BLOCKS = 8
# A band without data in so many of the pixels that have data in another one is no band.
EMPTY_SHARE = 0.99
# A band whose values the product flags in more of them is left out, rather than the pixels.
FLAGGED_SHARE = 0.1
# Bands that a note lists by number.
MAX_LISTED = 12


@dataclass(frozen=True, eq=False)
class PreparedCube:
    """A cube whose bands were chosen.

    Attributes:
        file: The array in its file.
        band_numbers: Indices of its bands in the file, in their order.
        nodata: Values that stand for no data.
        notes: What was recognized, left out or put into order, one sentence each.
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
    def scale(self) -> float | NDArray[np.float64]:
        """Factor from stored numbers to physical units, one for all bands or (bands,)."""
        return self._chosen(self.metadata.scale)

    @property
    def offset(self) -> float | NDArray[np.float64]:
        """What is added after the factor, one for all bands or (bands,)."""
        return self._chosen(self.metadata.offset)

    @property
    def product(self) -> str:
        """Name of the sensor's product; empty for a plain file."""
        return self.metadata.product

    @property
    def georeference(self) -> Georeference:
        """Place on Earth."""
        return self.metadata.georeference

    def _chosen(self, values: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        if not isinstance(values, np.ndarray):
            return values
        chosen = values[self.band_numbers]
        return float(chosen[0]) if len(chosen) and (chosen == chosen[0]).all() else chosen

    def read(self, start: int, stop: int) -> Float32Array:
        """Rows `start` up to `stop`: (n, cols, bands) float32, NaN in pixels without data."""
        values = self.file.read(start, stop)
        missing = _background(values, self.metadata.background)
        if len(self.band_numbers) < values.shape[2] or (np.diff(self.band_numbers) != 1).any():
            values = values[:, :, self.band_numbers]
        # What is too large becomes infinite, and infinite pixels have no data either.
        with np.errstate(over="ignore"):
            cube = np.ascontiguousarray(values, dtype=np.float32)
        missing |= _missing(values, self.nodata).any(axis=2)
        if self.metadata.valid is not None:
            valid = self.metadata.valid(start, stop)
            missing |= ~(valid if valid.ndim == 2 else valid[:, :, self.band_numbers].all(axis=2))
        if missing.any():
            shared = np.may_share_memory(cube, values) or not cube.flags.writeable
            cube = cube.copy() if shared else cube
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
        DataError: It is no cube, its lists of bands are not one entry a band, or no band has data.
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
    check_one_entry_a_band(path, file.metadata, file.shape[2])
    nodata = file.metadata.nodata if options.nodata is None else (options.nodata,)
    if options.nodata is not None:
        file = replace(file, metadata=replace(file.metadata, background=None))
    notes = [f"Read as {file.metadata.product}."] if file.metadata.product else []
    notes += file.metadata.notes
    if len(band_numbers):
        if max(band_numbers) >= file.shape[2]:
            raise InputError(
                f"{path} has fewer bands than the network was trained on",
                received=f"{file.shape[2]} bands",
                allowed=f"{max(band_numbers) + 1} or more",
            )
        numbers = np.asarray(band_numbers, np.int64)
        return PreparedCube(file, numbers, nodata, tuple(notes))
    kept = _kept_bands(file, nodata, options.all_bands, notes)
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
        whose = "overlapping detectors' bands" if detectors_overlap(centers[order]) else "bands"
        order = order[np.argsort(centers[order], kind="stable")]
        notes.append(f"Put {whose} into the order of wavelength.")
    return PreparedCube(file, order, nodata, tuple(notes))


def _kept_bands(
    file: ArrayFile, nodata: Sequence[float], all_bands: bool, notes: list[str]
) -> NDArray[np.bool_]:
    """(bands,) bool, the bands that networks take; notes why others are left out."""
    kept = np.ones(file.shape[2], bool)
    centers, good = file.metadata.wavelengths, file.metadata.good_bands
    # What has no wavelength was not measured: --all-bands does not bring it about.
    absent = np.zeros(len(kept), bool) if centers is None else ~(centers > 0)
    if absent.any():
        kept &= ~absent
        notes.append(f"Left out {_listed(absent)}, for which the file has no wavelength.")
    if good is not None and (bad := kept & ~good).any():
        if all_bands:
            notes.append(f"Kept {np.count_nonzero(bad)} bands that the file calls bad.")
        else:
            kept &= good
            notes.append(f"Left out {_listed(bad)}, which the file calls bad.")
    missing, flagged = _shares(file, nodata)
    empty = (missing >= EMPTY_SHARE) & kept
    if empty.any():
        kept &= ~empty
        holds = "holds" if np.count_nonzero(empty) == 1 else "hold"
        notes.append(f"Left out {_listed(empty)}, which {holds} no data.")
    faulty = (flagged > FLAGGED_SHARE) & kept
    if faulty.any():
        where = f"in more than {FLAGGED_SHARE:.0%} of the pixels"
        if all_bands:
            notes.append(f"Kept {_listed(faulty)}, which the product flags {where}.")
        else:
            kept &= ~faulty
            notes.append(f"Left out {_listed(faulty)}, which the product flags {where}.")
    return kept


def _with_wavelengths(file: ArrayFile, wavelengths: Sequence[float]) -> ArrayFile:
    if len(wavelengths) != file.shape[2]:
        raise InputError(
            f"these wavelengths are not those of {file.files[-1]}",
            received=f"{len(wavelengths)} wavelengths, {file.shape[2]} bands",
            allowed="one a band",
        )
    centers = np.asarray(wavelengths, np.float64)
    return replace(file, metadata=replace(file.metadata, wavelengths=centers))


def _background(values: NDArray[np.generic], background: float | None) -> NDArray[np.bool_]:
    """(rows, cols) bool, where every band has the value of the background."""
    if background is None:
        return np.zeros(values.shape[:2], bool)
    return np.asarray((values == background).all(axis=2))


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


def _shares(
    file: ArrayFile, nodata: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the sampled pixels that have data in some band, those that a band lacks or flags.

    Returns:
        (bands,) share without data, and (bands,) share flagged by the product besides; without any
        such pixel, 1 and 0.
    """
    rows, bands = file.shape[0], file.shape[2]
    missing, flagged, present = np.zeros(bands, np.int64), np.zeros(bands, np.int64), 0
    whole = None if file.streams else file.read(0, rows)
    for start, stop in _sampled(file):
        values = file.read(start, stop) if whole is None else whole[start:stop]
        lacking = _missing(values, nodata)
        inside = ~lacking.all(axis=2) & ~_background(values, file.metadata.background)
        if file.metadata.valid is not None:
            valid = file.metadata.valid(start, stop)
            if valid.ndim == 2:
                inside &= valid
            else:
                flagged += np.count_nonzero(~valid[inside] & ~lacking[inside], axis=0)
        missing += np.count_nonzero(lacking[inside], axis=0)
        present += int(np.count_nonzero(inside))
    if present == 0:
        return np.ones(bands), np.zeros(bands)
    return missing / present, flagged / present


def _sampled(file: ArrayFile) -> list[tuple[int, int]]:
    """Spans of rows, spread over the scene, of which few blocks have to be read."""
    rows, step = file.shape[0], max(file.block_rows, 1)
    if step == 1:
        single = np.unique(np.linspace(0, rows - 1, min(rows, SAMPLED_ROWS)).round().astype(int))
        return [(row, row + 1) for row in single.tolist()]
    blocks = -(-rows // step)
    chosen = np.unique(np.linspace(0, blocks - 1, min(blocks, SAMPLED_BLOCKS)).round().astype(int))
    each = SAMPLED_ROWS // len(chosen)
    spans = []
    for block in chosen.tolist():
        first, last = block * step, min((block + 1) * step, rows)
        if isinstance(file.slice, BlockRows):
            # The block is kept: its rows cost nothing after the first.
            spread = np.unique(np.linspace(first, last - 1, min(each, last - first)).astype(int))
            spans += [(row, row + 1) for row in spread.tolist()]
        else:
            start = max(first, (first + last - each) // 2)
            spans.append((start, min(start + each, last)))
    return spans


def _listed(chosen: NDArray[np.bool_]) -> str:
    """Bands by number from 1, consecutive ones as a range."""
    numbers = np.flatnonzero(chosen) + 1
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    parts = [f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    shown = ", ".join(parts[:MAX_LISTED]) + (", ..." if len(parts) > MAX_LISTED else "")
    return f"band {shown}" if len(numbers) == 1 else f"{len(numbers)} bands ({shown})"
