"""AVIRIS classic, AVIRIS-NG and AVIRIS-3 of NASA JPL: ENVI pairs and NetCDF-4.

ENVI. Layout: "AVIRIS-NG Data Product Distribution Document" (JPL) and "AVIRIS Data" pages. The data
file has no suffix (`ang20180814t224053_rfl_v2r2_img`), its header the same name with .hdr. A header
names its flight in the description or the file's name (ang..., f..., AV3...), or the sensor in
`sensor type`. Of AVIRIS-NG and AVIRIS-3, -9999 stands for no data where the header does not say.
The factors of AVIRIS classic's radiance are in a file .gain beside it, which is not read: its
numbers are counts. Geometry lookup tables in files of their own (_glt) are not read either;
orthorectified images have their place in `map info`.

NetCDF. Layout: files of the ORNL DAAC and public readers. A group `reflectance` or `radiance` holds
the cube of the same name, (wavelength, rows, cols), with `wavelength` and `fwhm`;
`transverse_mercator` or `projection` has the attributes `spatial_ref` and `GeoTransform` (GDAL's
six numbers as text). Radiance is in the sensor's geometry, with `geolocation_lookup_table/sample`
and `line` onto the map grid, counted from 1, negative where the nearest pixel was taken.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hsitf.errors import InputError
from hsitf.hdf5_files import hdf5_file
from hsitf.scenes.metadata import NOWHERE, Georeference, RasterMetadata
from hsitf.scenes.products.base import (
    ENVI,
    HDF5,
    Product,
    check_bands,
    text_of,
    with_facts,
)
from hsitf.scenes.products.envi_headers import envi_header
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
from hsitf.scenes.readers.envi import open_envi
from hsitf.scenes.readers.hdf5 import nodata_of

# Names of flights by sensor.
_FLIGHTS = {
    "AVIRIS-NG": re.compile(r"\bang\d{8}t\d{6}", re.I),
    "AVIRIS-3": re.compile(r"\bav3\d{8}t\d{6}", re.I),
    "AVIRIS": re.compile(r"\bf\d{6}t\d{2}p\d{2}r\d{2}", re.I),
}
_NODATA = -9999.0
_QUANTITIES = ("reflectance", "radiance")
_SYSTEMS = ("transverse_mercator", "projection")
_LOOKUP = ("geolocation_lookup_table/sample", "geolocation_lookup_table/line")


def open_aviris(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens an ENVI pair or a NetCDF file of one of the three sensors."""
    import h5py

    return _netcdf(path, variable) if h5py.is_hdf5(path) else _envi(path, variable)


def _envi(path: Path, variable: str | None) -> ArrayFile | None:
    header = envi_header(path)
    if header is None:
        return None
    sensor = _sensor(header.get("sensor type", ""), header.get("description", ""), path.name)
    if not sensor:
        return None
    file = open_envi(path, variable)
    if len(file.shape) != 3:
        return None
    known = file.metadata.nodata
    if not known and sensor != "AVIRIS" and file.dtype.kind == "f":
        known = (_NODATA,)
    return with_facts(file, product=f"{sensor} (ENVI)", nodata=known)


def _sensor(named: str, *texts: str) -> str:
    """The sensor that a header or a file's name names; empty where it is none of the three."""
    spoken = re.sub(r"[^a-z0-9]", "", named.lower())
    if "aviris" in spoken:
        if "ng" in spoken or "nextgen" in spoken:
            return "AVIRIS-NG"
        return "AVIRIS-3" if "aviris3" in spoken else "AVIRIS"
    # An underscore is part of a word for \b.
    joined = " ".join(texts).replace("_", " ")
    return next((sensor for sensor, name in _FLIGHTS.items() if name.search(joined)), "")


def _netcdf(path: Path, variable: str | None) -> ArrayFile | None:
    with hdf5_file(path) as file:
        system = next((file[name] for name in _SYSTEMS if name in file), None)
        found = [
            name
            for name in _QUANTITIES
            if is_numeric(file.get(f"{name}/{name}"), 3) and f"{name}/wavelength" in file
        ]
        if system is None or not found:
            return None
        if variable is not None:
            found = [name for name in found if name == variable.rpartition("/")[2]]
        if len(found) > 1:
            raise InputError(
                f"{path} holds two cubes",
                allowed=" or ".join(found),
                remedy="name one of them with --variable",
            )
        return _opened(path, file, found[0], system) if found else None


def _opened(path: Path, file: Any, name: str, system: Any) -> ArrayFile:
    dataset = file[f"{name}/{name}"]
    scale = list_of_bands(path, file, f"{name}/wavelength")
    check_bands(path, scale.size, dataset.shape[0], f"{name}/wavelength")
    spectral = spectral_scale(scale, file.get(f"{name}/fwhm"))
    place, notes = _place(file, system)
    mission = " ".join(
        text_of(file.attrs.get(key, "")) for key in ("title", "sensor", "instrument")
    )
    metadata = RasterMetadata(
        wavelengths=spectral.wavelengths,
        fwhm=spectral.fwhm,
        nodata=nodata_of(dataset.attrs),
        georeference=place,
        product=f"{_sensor(mission, path.name) or 'AVIRIS'} {name} (NetCDF)",
        notes=(*spectral.notes, *notes),
    )
    return open_parts(path, file, [CubePart(f"{name}/{name}", (1, 2, 0))], metadata)


def _place(file: Any, system: Any) -> tuple[Georeference, tuple[str, ...]]:
    from rasterio.crs import CRS

    if not {"GeoTransform", "spatial_ref"} <= set(system.attrs):
        return NOWHERE, ()
    missing = missing_lookup(file, _LOOKUP)
    if missing:
        # The transform is that of the map, not of the pixels.
        return NOWHERE, (missing,)
    transform = from_gdal(text_of(system.attrs["GeoTransform"]).split())
    crs = CRS.from_string(text_of(system.attrs["spatial_ref"])).to_wkt()
    if _LOOKUP[0] not in file:
        return Georeference(crs, transform), ()
    table = lookup_table(Path(file.filename), file, _LOOKUP, transform)
    return Georeference(crs=crs, lookup=table), ()


PRODUCT = Product("AVIRIS", frozenset({ENVI, HDF5}), open_aviris)
