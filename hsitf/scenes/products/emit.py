"""EMIT L2A reflectance and L1B radiance (NetCDF-4) of NASA.

Layout: "EMIT L2A Algorithm and User Guide" (JPL D-107862) and public readers of the LP DAAC.
`reflectance` or `radiance` is (downtrack, crosstrack, bands) float32 in the sensor's geometry;
`sensor_band_parameters` holds `wavelengths` (`wavelength` in some versions), `fwhm`, both with an
attribute `units`, and, in L2A, `good_wavelengths` (0 in the water bands). `location/glt_x` and
`glt_y` are the geometry lookup table onto a map grid: col and row of the pixel in each cell, from
1, 0 for none; the grid's transform is the attribute `geotransform` of the root in GDAL's order, its
system `spatial_ref`.

Masks of clouds and quality come in files of their own (L2A_MASK), which are not read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hsitf.errors import InputError
from hsitf.hdf5_files import hdf5_file
from hsitf.scenes.metadata import NOWHERE, Georeference, RasterMetadata
from hsitf.scenes.products.base import HDF5, Product, check_bands, numbers_of, text_of
from hsitf.scenes.products.hdf5_parts import (
    CubePart,
    from_gdal,
    is_numeric,
    list_of_bands,
    lookup_table,
    missing_lookup,
    open_parts,
    spectral_scale,
)
from hsitf.scenes.readers.base import ArrayFile
from hsitf.scenes.readers.hdf5 import nodata_of

_CUBES = {"reflectance": "EMIT L2A reflectance", "radiance": "EMIT L1B radiance"}
_BANDS = "sensor_band_parameters"
_LOOKUP = ("location/glt_x", "location/glt_y")


def open_emit(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens the reflectance or the radiance of a scene, in the sensor's geometry."""
    with hdf5_file(path) as file:
        centers = next(
            (f"{_BANDS}/{n}" for n in ("wavelengths", "wavelength") if f"{_BANDS}/{n}" in file), ""
        )
        cubes = [name for name in _CUBES if is_numeric(file.get(name), 3)]
        if not centers or not any(name in file for name in _LOOKUP) or not cubes:
            return None
        wanted = cubes if variable is None else [name for name in cubes if name == variable]
        if len(wanted) > 1:
            raise InputError(
                f"{path} holds two cubes",
                allowed=" or ".join(wanted),
                remedy="name one of them with --variable",
            )
        if not wanted:
            return None
        return _opened(path, file, wanted[0], centers)


def _opened(path: Path, file: Any, name: str, centers: str) -> ArrayFile:
    dataset = file[name]
    bands = dataset.shape[-1]
    listed = list_of_bands(path, file, centers)
    check_bands(path, listed.size, bands, centers)
    scale = spectral_scale(listed, file.get(f"{_BANDS}/fwhm"))
    good = f"{_BANDS}/good_wavelengths"
    place, notes = _place(file)
    metadata = RasterMetadata(
        wavelengths=scale.wavelengths,
        fwhm=scale.fwhm,
        good_bands=np.asarray(list_of_bands(path, file, good)[()]) > 0 if good in file else None,
        nodata=nodata_of(dataset.attrs),
        georeference=place,
        product=_CUBES[name],
        notes=(*scale.notes, *notes),
    )
    return open_parts(path, file, [CubePart(name, (0, 1, 2))], metadata)


def _place(file: Any) -> tuple[Georeference, tuple[str, ...]]:
    from rasterio.crs import CRS

    missing = missing_lookup(file, _LOOKUP)
    if missing:
        return NOWHERE, (missing,)
    if not {"geotransform", "spatial_ref"} <= set(file.attrs):
        return NOWHERE, ("The file does not say where its map grid lies.",)
    transform = from_gdal(numbers_of(file.attrs["geotransform"]))
    table = lookup_table(Path(file.filename), file, _LOOKUP, transform)
    crs = CRS.from_string(text_of(file.attrs["spatial_ref"])).to_wkt()
    return Georeference(crs=crs, lookup=table), ()


PRODUCT = Product("EMIT", frozenset({HDF5}), open_emit)
