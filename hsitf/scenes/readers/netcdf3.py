"""NetCDF classic files (version 3), which are no HDF5."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hsitf.scenes.metadata import AXES, RasterMetadata
from hsitf.scenes.readers.base import (
    ArrayFile,
    check_fits_memory,
    choose,
    in_memory,
    parser_errors_reported,
)
from hsitf.scenes.readers.hdf5 import axes_notes, centers_in_nanometers, nodata_of

# How a classic file begins: CDF and its version.
_MAGIC = (b"CDF\x01", b"CDF\x02")
_CENTERS = ("wavelength", "wavelengths")


def is_netcdf3(path: Path) -> bool:
    """Whether a file is NetCDF classic."""
    with path.open("rb") as stream:
        return stream.read(4) in _MAGIC


def open_netcdf3(path: Path, variable: str | None, axes: Sequence[str] | None) -> ArrayFile:
    """Opens a NetCDF classic file, whose arrays are read at once."""
    from scipy.io import netcdf_file

    kind = "a NetCDF classic file"
    with parser_errors_reported(path, kind), netcdf_file(path, mmap=False) as file:
        shapes = {name: tuple(one.shape) for name, one in file.variables.items()}
        name = choose(path, shapes, variable)
        one = file.variables[name]
        check_fits_memory(path, shapes[name], one.itemsize())
        # The classic format is big endian.
        values: Any = np.array(one[:]).astype(one[:].dtype.newbyteorder("="))
        attributes = dict(getattr(one, "_attributes", {}))
        scales = [(key, s) for key, s in file.variables.items() if key.lower() in _CENTERS]
        centers, unit = None, None
        if len(scales) == 1 and values.ndim == 3 and len(scales[0][1][:]) in values.shape:
            centers = np.array(scales[0][1][:], np.float64)
            raw = getattr(scales[0][1], "units", None)
            unit = raw.decode() if isinstance(raw, bytes) else raw
    notes: tuple[str, ...] = ()
    if centers is not None and axes is None:
        notes = axes_notes(values.shape, len(centers))
        centers = centers if values.shape.count(len(centers)) == 1 else None
    if axes is not None and values.ndim == 3:
        values = values.transpose([list(axes).index(axis) for axis in AXES])
    elif centers is not None:
        values = np.moveaxis(values, values.shape.index(len(centers)), -1)
    bands = values.shape[2] if values.ndim == 3 else 0
    metadata = RasterMetadata(
        wavelengths=centers_in_nanometers(centers, unit, bands),
        nodata=nodata_of(attributes),
        notes=notes,
    )
    return in_memory(np.ascontiguousarray(values), path, kind, metadata)
