"""NEON AOP surface reflectance (HDF5) of the National Ecological Observatory Network.

Layout: "NEON Imaging Spectrometer reflectance" (NEON.DOC.001288) and NEON's tutorials. A group
named as the site holds `Reflectance/Reflectance_Data`, (rows, cols, bands) int16 with the
attributes Data_Ignore_Value and Scale_Factor; `Reflectance/Metadata/Spectral_Data` holds Wavelength
and FWHM in nanometers, `Coordinate_System` holds Map_Info (as in ENVI headers), "EPSG Code" and
Coordinate_System_String (WKT). Band_Window_1_Nanometers and Band_Window_2_Nanometers, attributes of
`Reflectance`, are the limits of the two windows of water vapor.

At-sensor radiance (`SITE/Radiance`) is refused: it splits each value into an integer and a decimal
part.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.hdf5_files import hdf5_file
from hsitf.scenes.metadata import Georeference, RasterMetadata
from hsitf.scenes.products.base import HDF5, Product, check_bands, numbers_of, text_of
from hsitf.scenes.products.hdf5_parts import (
    CubePart,
    is_numeric,
    list_of_bands,
    open_parts,
    spectral_scale,
)
from hsitf.scenes.readers.base import ArrayFile
from hsitf.scenes.readers.envi_place import place_of
from hsitf.scenes.readers.hdf5 import nodata_of

_CUBE = "Reflectance_Data"


def open_neon(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens the reflectance of a tile or a flight line."""
    import h5py

    with hdf5_file(path) as file:
        sites = [name for name in file if isinstance(file[name], h5py.Group)]
        found = [name for name in sites if is_numeric(file.get(f"{name}/Reflectance/{_CUBE}"), 3)]
        split = [name for name in sites if f"{name}/Radiance/RadianceIntegerPart" in file]
        if split and variable is None:
            raise DataError(
                f"{path} is radiance of NEON AOP, split into integer and decimal parts",
                received=f"{split[0]}/Radiance",
                allowed="surface reflectance",
                remedy="give the reflectance product (DP3.30006), or add the parts before",
            )
        if len(found) != 1 or (variable is not None and variable.rpartition("/")[2] != _CUBE):
            return None
        return _opened(path, file, f"{found[0]}/Reflectance")


def _opened(path: Path, file: Any, root: str) -> ArrayFile:
    dataset = file[f"{root}/{_CUBE}"]
    spectral = file[f"{root}/Metadata/Spectral_Data"]
    centers = list_of_bands(path, spectral, "Wavelength")
    scale = spectral_scale(centers, spectral.get("FWHM"))
    check_bands(path, centers.size, dataset.shape[2], "Spectral_Data/Wavelength")
    factor = numbers_of(dataset.attrs.get("Scale_Factor", 1.0))[0]
    place, notes = _place(file[f"{root}/Metadata"].get("Coordinate_System", {}))
    metadata = RasterMetadata(
        wavelengths=scale.wavelengths,
        fwhm=scale.fwhm,
        good_bands=_outside_windows(file[root].attrs, scale.wavelengths),
        nodata=_nodata(dataset.attrs),
        scale=1.0 / float(factor),
        georeference=place,
        product="NEON AOP reflectance",
        notes=(*scale.notes, *notes),
    )
    return open_parts(path, file, [CubePart(f"{root}/{_CUBE}", (0, 1, 2))], metadata)


def _nodata(attributes: Any) -> tuple[float, ...]:
    """The value that is declared, whether as a number or as text."""
    name = "Data_Ignore_Value"
    return nodata_of({name: numbers_of(attributes[name])} if name in attributes else {})


def _outside_windows(
    attributes: Any, wavelengths: NDArray[np.float64] | None
) -> NDArray[np.bool_] | None:
    names = [f"Band_Window_{number}_Nanometers" for number in (1, 2)]
    windows = [numbers_of(attributes[name]) for name in names if name in attributes]
    if not windows or wavelengths is None:
        return None
    good = np.ones(len(wavelengths), bool)
    for window in windows:
        good &= (wavelengths < window.min()) | (wavelengths > window.max())
    return good


def _place(system: Any) -> tuple[Georeference, tuple[str, ...]]:
    if "Map_Info" not in system:
        return Georeference(), ("The file does not say where it lies.",)
    header = {"map info": text_of(system["Map_Info"][()])}
    if "EPSG Code" in system:
        header["coordinate system string"] = f"EPSG:{int(text_of(system['EPSG Code'][()]))}"
    elif "Coordinate_System_String" in system:
        header["coordinate system string"] = text_of(system["Coordinate_System_String"][()])
    return place_of(header)


PRODUCT = Product("NEON AOP", frozenset({HDF5}), open_neon)
