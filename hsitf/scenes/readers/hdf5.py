"""HDF5 and NetCDF-4 files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.metadata import RasterMetadata
from hsitf.scenes.readers.base import (
    ArrayFile,
    Shape,
    choose,
    nanometers,
    parser_errors_reported,
)


def open_hdf5(path: Path, variable: str | None) -> ArrayFile:
    """HDF5 and NetCDF-4, axes as stored, but the band axis last where the file identifies it.

    The band axis is identified by a one-dimensional dataset named `wavelength` or `wavelengths`
    whose length equals that of exactly one axis of the array.
    """
    import h5py

    kind = "HDF5 or NetCDF-4"
    with parser_errors_reported(path, kind), h5py.File(path, "r") as file:
        datasets = numeric_datasets(file)
        name = choose(path, {key: item.shape for key, item in datasets.items()}, variable)
        shape, dtype = datasets[name].shape, datasets[name].dtype
        band, wavelengths = _band_axis(datasets, shape)

    def rows(start: int, stop: int) -> NDArray[Any]:
        # The first axis that is not the bands' counts rows.
        chosen = [slice(None)] * len(shape)
        chosen[1 if band == 0 else 0] = slice(start, stop)
        with h5py.File(path, "r") as file:
            values = file[name][tuple(chosen)]
        return np.asarray(values if band is None else np.moveaxis(values, band, -1))

    order = [*shape] if band is None else [*shape[:band], *shape[band + 1 :], shape[band]]
    return ArrayFile(tuple(order), dtype, (path,), kind, rows, RasterMetadata(wavelengths))


def _band_axis(
    datasets: Mapping[str, Any], shape: Shape
) -> tuple[int | None, NDArray[np.float64] | None]:
    """The band axis of a cube and its wavelengths, as far as the file identifies them."""
    scales = [
        item
        for key, item in datasets.items()
        if key.rpartition("/")[2].lower() in ("wavelength", "wavelengths") and item.ndim == 1
    ]
    if len(scales) != 1 or len(shape) != 3 or shape.count(len(scales[0])) != 1:
        return None, None
    unit = scales[0].attrs.get("units")
    unit = unit.decode() if isinstance(unit, bytes) else unit
    found = nanometers(scales[0][()], None if unit is None else str(unit))
    return shape.index(len(scales[0])), found


def numeric_datasets(file: Any) -> dict[str, Any]:
    """The numeric datasets of an open HDF5 file by their full names."""
    import h5py

    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        # MATLAB keeps the content of cells under #refs# and text as 16-bit integers.
        if (
            isinstance(item, h5py.Dataset)
            and item.shape is not None
            and item.dtype.kind in "biuf"
            and not name.startswith("#")
            and item.attrs.get("MATLAB_class", b"") != b"char"
        ):
            found[name] = item

    file.visititems(visit)
    return found
