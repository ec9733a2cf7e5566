"""PACE OCI L1B, L2 and mapped L3 (NetCDF-4) of NASA's Ocean Biology Processing Group.

Layout: "PACE OCI Level-1B Data Product" and "Level-2 Ocean Color Data Format" of OB.DAAC, and
public readers.

L1B: `observation_data/rhot_blue`, `rhot_red` and `rhot_SWIR` (Lt_... in files of radiance) are
(bands, scans, pixels) float32, with `sensor_band_parameters/blue_wavelength` and so on in
nanometers; `SWIR_bandpass` is the width of the SWIR bands. The SWIR detector measures two
wavelengths twice, at standard and at high gain: both bands are kept. `geolocation_data/latitude`
and `longitude` place the pixels.

L2: a variable of `geophysical_data` (Rrs, rhos, ...) is (lines, pixels, wavelength_3d), with
`sensor_band_parameters/wavelength_3d`, and `navigation_data/latitude` and `longitude`.

L3 mapped: a variable of the root is (lat, lon, wavelength) with the datasets `lat`, `lon` and
`wavelength`; the grid is of latitude and longitude on WGS 84. Binned L3 files are no grids and are
not read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.hdf5_files import hdf5_file
from hsitf.scenes.metadata import NOWHERE, Georeference, RasterMetadata
from hsitf.scenes.products.base import (
    HDF5,
    Product,
    check_bands,
    control_points,
    numbers_of,
    text_of,
)
from hsitf.scenes.products.hdf5_parts import (
    CubePart,
    SpectralScale,
    is_numeric,
    list_of_bands,
    open_parts,
    spectral_scale,
)
from hsitf.scenes.readers.base import ArrayFile
from hsitf.scenes.readers.hdf5 import nodata_of

_DETECTORS = ("blue", "red", "SWIR")
_QUANTITIES = {"rhot": "PACE OCI L1B reflectance", "Lt": "PACE OCI L1B radiance"}
_BANDS = "sensor_band_parameters"


def open_pace(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens the three detectors of L1B as one cube, or a spectral variable of L2 or L3."""
    import h5py

    with hdf5_file(path) as file:
        if f"{_BANDS}/blue_wavelength" in file and "observation_data" in file:
            return _level1(path, file, variable)
        if not _is_oci(file):
            return None
        if f"{_BANDS}/wavelength_3d" in file and "geophysical_data" in file:
            return _level2(path, file, variable)
        if all(isinstance(file.get(name), h5py.Dataset) for name in ("lat", "lon", "wavelength")):
            return _level3(path, file, variable)
    return None


def _is_oci(file: Any) -> bool:
    """Whether the root names the sensor: other sensors' L2 and L3 files have the same form."""
    named = " ".join(text_of(file.attrs.get(key, "")) for key in ("instrument", "title"))
    return "OCI" in named.upper().split() or "PACE" in named.upper()


def _level1(path: Path, file: Any, variable: str | None) -> ArrayFile | None:
    group = file["observation_data"]
    found = {
        quantity: [one for one in _DETECTORS if is_numeric(group.get(f"{quantity}_{one}"), 3)]
        for quantity in _QUANTITIES
    }
    found = {quantity: detectors for quantity, detectors in found.items() if detectors}
    if variable is not None:
        name = variable.rpartition("/")[2]
        found = {
            quantity: [one for one in detectors if name in (quantity, f"{quantity}_{one}")]
            for quantity, detectors in found.items()
        }
        found = {quantity: detectors for quantity, detectors in found.items() if detectors}
    if len(found) > 1:
        raise _ambiguous(path, list(found))
    for quantity, detectors in found.items():
        return _detectors(path, file, quantity, detectors)
    return None


def _detectors(path: Path, file: Any, quantity: str, detectors: list[str]) -> ArrayFile:
    parts, scales = [], []
    nodata: list[float] = []
    for one in detectors:
        dataset = file[f"observation_data/{quantity}_{one}"]
        waves = list_of_bands(path, file, f"{_BANDS}/{one}_wavelength")
        check_bands(path, waves.size, dataset.shape[0], f"{one}_wavelength")
        scales.append(spectral_scale(waves, file.get(f"{_BANDS}/{one}_bandpass")))
        nodata += nodata_of(dataset.attrs)
        parts.append(CubePart(f"observation_data/{quantity}_{one}", (1, 2, 0)))
    grid = file[parts[0].name].shape[1:]
    notes = []
    if len(detectors) < len(_DETECTORS):
        notes.append(f"Only the bands of {' and '.join(detectors)} were read.")
    metadata = RasterMetadata(
        wavelengths=_joined([one.wavelengths for one in scales]),
        fwhm=_joined([one.fwhm for one in scales]),
        nodata=tuple(sorted(set(nodata))),
        georeference=_coordinates(file, "geolocation_data", grid),
        product=_QUANTITIES[quantity],
        notes=(*dict.fromkeys(note for one in scales for note in one.notes), *notes),
    )
    return open_parts(path, file, parts, metadata)


def _joined(lists: list[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    """The lists of all detectors one after another; None where a detector has none."""
    known = [one for one in lists if one is not None]
    return np.concatenate(known) if len(known) == len(lists) else None


def _level2(path: Path, file: Any, variable: str | None) -> ArrayFile | None:
    centers = list_of_bands(path, file, f"{_BANDS}/wavelength_3d")
    name = _spectral(path, file["geophysical_data"], centers.size, variable)
    if name is None:
        return None
    key = f"geophysical_data/{name}"

    def place(grid: tuple[int, int]) -> Georeference:
        return _coordinates(file, "navigation_data", grid)

    return _spectral_cube(path, file, key, spectral_scale(centers), place)


def _level3(path: Path, file: Any, variable: str | None) -> ArrayFile | None:
    centers = list_of_bands(path, file, "wavelength")
    lat, lon = (np.asarray(file[name][()], np.float64) for name in ("lat", "lon"))
    name = _spectral(path, file, centers.size, variable)
    if name is None or file[name].shape[:2] != (len(lat), len(lon)):
        return None
    return _spectral_cube(path, file, name, spectral_scale(centers), lambda _: _regular(lat, lon))


def _spectral(path: Path, group: Any, bands: int, variable: str | None) -> str | None:
    """The variable of a group that has a value a wavelength."""
    import h5py

    found = [
        name
        for name, item in group.items()
        if isinstance(item, h5py.Dataset) and item.ndim == 3 and item.shape[2] == bands
    ]
    if variable is not None:
        wanted = variable.rpartition("/")[2]
        return wanted if wanted in found else None
    # Uncertainties of a variable lie beside it.
    found = [name for name in found if not name.endswith(("_unc", "_uncert"))]
    if len(found) > 1:
        raise _ambiguous(path, found)
    return found[0] if found else None


def _spectral_cube(
    path: Path,
    file: Any,
    key: str,
    scale: SpectralScale,
    place: Callable[[tuple[int, int]], Georeference],
) -> ArrayFile:
    dataset = file[key]
    level = "L2" if "/" in key else "L3 mapped"
    metadata = RasterMetadata(
        wavelengths=scale.wavelengths,
        nodata=nodata_of(dataset.attrs),
        scale=float(numbers_of(dataset.attrs.get("scale_factor", 1.0))[0]),
        offset=float(numbers_of(dataset.attrs.get("add_offset", 0.0))[0]),
        georeference=place(dataset.shape[:2]),
        product=f"PACE OCI {level} {key.rpartition('/')[2]}",
        notes=scale.notes,
    )
    return open_parts(path, file, [CubePart(key, (0, 1, 2))], metadata)


def _coordinates(file: Any, group: str, grid: tuple[int, int]) -> Georeference:
    names = f"{group}/latitude", f"{group}/longitude"
    if not all(name in file for name in names):
        return NOWHERE
    return control_points(file[names[0]], file[names[1]], grid)


def _regular(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> Georeference:
    """A grid of latitude and longitude, given at the centers of its cells."""
    from rasterio.crs import CRS

    if min(len(lat), len(lon)) < 2:
        return NOWHERE
    down, across = (lat[-1] - lat[0]) / (len(lat) - 1), (lon[-1] - lon[0]) / (len(lon) - 1)
    even = np.allclose(np.diff(lat), down, rtol=0, atol=abs(down) / 100)
    if not even or not np.allclose(np.diff(lon), across, rtol=0, atol=abs(across) / 100):
        return NOWHERE
    corner = float(lon[0] - across / 2), float(lat[0] - down / 2)
    return Georeference(
        CRS.from_epsg(4326).to_wkt(), (float(across), 0.0, corner[0], 0.0, float(down), corner[1])
    )


def _ambiguous(path: Path, names: list[str]) -> InputError:
    return InputError(
        f"{path} holds several spectral variables",
        allowed=", ".join(names),
        remedy="name one of them with --variable",
    )


PRODUCT = Product("PACE OCI", frozenset({HDF5}), open_pace)
