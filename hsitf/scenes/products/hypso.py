"""HYPSO-1 and HYPSO-2 L1A to L1D (NetCDF-4) of NTNU SmallSat Lab.

Layout: the public package that the group writes its products with. `products/Lt` (counts in L1A,
radiance in L1B and L1C) or `products/rhot` (reflectance, L1D) is (lines, samples, bands), with the
attributes wavelengths, fwhm and wavelength_units; L1A has none of these. A second form keeps each
band in a dataset of its own (`Lt_449`), with the attribute `wave`. `navigation/latitude` and
`longitude` give the place of each pixel; `latitude_indirect` and `longitude_indirect`, fitted with
control points, are more exact and are taken where they are there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

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
from hsitf.scenes.products.hdf5_parts import CubePart, is_numeric, open_parts, unknown_unit
from hsitf.scenes.readers.base import ArrayFile, nanometers, widths_in_nanometers
from hsitf.scenes.readers.hdf5 import nodata_of

_QUANTITIES = ("Lt", "rhot")
_MARKS = ("metadata/capture_config", "navigation")


def open_hypso(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens the counts, radiance or reflectance of a capture."""
    import h5py

    with hdf5_file(path) as file:
        products = file.get("products")
        if not isinstance(products, h5py.Group) or not any(mark in file for mark in _MARKS):
            return None
        found = {name: _parts(products, name) for name in _QUANTITIES}
        found = {name: parts for name, parts in found.items() if parts}
        if variable is not None:
            name = variable.rpartition("/")[2]
            found = {key: parts for key, parts in found.items() if key == name}
        if len(found) > 1:
            raise InputError(
                f"{path} holds several cubes",
                allowed=" or ".join(found),
                remedy="name one of them with --variable",
            )
        return next((_opened(path, file, *item) for item in found.items()), None)


def _parts(products: Any, name: str) -> list[CubePart]:
    """The dataset of a quantity, or one a band in the order of their numbers."""
    if is_numeric(products.get(name), 3):
        return [CubePart(f"products/{name}", (0, 1, 2))]
    bands = [
        key
        for key in products
        if re.fullmatch(rf"{name}_\d+", key)
        and is_numeric(products[key], 2)
        and "wave" in products[key].attrs
    ]
    bands.sort(key=lambda key: float(numbers_of(products[key].attrs["wave"])[0]))
    return [CubePart(f"products/{key}", (0, 1)) for key in bands]


def _opened(path: Path, file: Any, name: str, parts: list[CubePart]) -> ArrayFile:
    first = file[parts[0].name]
    unit = text_of(first.attrs.get("wavelength_units", ""))
    key, width = ("wavelengths", "fwhm") if len(parts[0].axes) == 3 else ("wave", "fwhm")
    collected = {}
    for attribute in (key, width):
        values = [file[part.name].attrs.get(attribute) for part in parts]
        if all(value is not None for value in values):
            collected[attribute] = np.concatenate([numbers_of(value) for value in values])
    bands = first.shape[2] if first.ndim == 3 else len(parts)
    centers, widths = collected.get(key), collected.get(width)
    if centers is not None and widths is not None:
        widths = widths_in_nanometers(widths, None, centers, unit)
    if centers is not None:
        check_bands(path, len(centers), bands, f"attribute {key}")
        centers = nanometers(centers.tolist(), unit)
    metadata = RasterMetadata(
        wavelengths=centers,
        fwhm=widths,
        nodata=nodata_of(first.attrs),
        georeference=_place(file, first.shape[:2]),
        product=_product(name, key in collected),
        notes=() if centers is not None else (_without_wavelengths(key in collected, unit),),
    )
    return open_parts(path, file, parts, metadata)


def _without_wavelengths(stated: bool, unit: str) -> str:
    if not stated:
        return "The file has no wavelengths (L1A): --wavelengths FILE gives them."
    return unknown_unit(unit)


def _product(name: str, calibrated: bool) -> str:
    if not calibrated:
        return "HYPSO counts (L1A)"
    return "HYPSO reflectance" if name == "rhot" else "HYPSO radiance"


def _place(file: Any, grid: tuple[int, int]) -> Georeference:
    for suffix in ("_indirect", ""):
        names = f"navigation/latitude{suffix}", f"navigation/longitude{suffix}"
        if all(name in file for name in names):
            return control_points(file[names[0]], file[names[1]], grid)
    return NOWHERE


PRODUCT = Product("HYPSO", frozenset({HDF5}), open_hypso)
