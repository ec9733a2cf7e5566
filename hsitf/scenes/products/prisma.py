"""PRISMA L1, L2B, L2C and L2D (.he5) of the Italian space agency.

Layout: "PRISMA Products Specification Document" (ASI, PRS-PRO-SPS, issue 2.3) and public readers.
Swaths are groups of `HDFEOS/SWATHS`: PRS_L1_HCO (coregistered), PRS_L1_HRC, PRS_L2B_HCO,
PRS_L2C_HCO, PRS_L2D_HCO. `Data Fields/VNIR_Cube` and `SWIR_Cube` are (rows, bands, cols) uint16
with wavelengths that fall along the bands; these and the widths are attributes of the root
(List_Cw_Vnir, List_Fwhm_Vnir and for Swir), 0 for channels that are not transmitted, with
List_Cw_Vnir_Flags.

Radiance of L1 is DN / ScaleFactor where Offset is 0. Public readers disagree whether another one is
subtracted or added, so it is not interpreted. The others are L2ScaleMin + DN (L2ScaleMax -
L2ScaleMin) / 65535. Error codes of a value are, in L1: 1 defective, 2 saturated, 3 of lower
accuracy, 4 not a number; in L2: 1 invalid in L1, 2 negative and 4 saturated after atmospheric
correction. Values of lower accuracy are used, the others are not. Pixels of zeros lie outside the
image.

L2D is placed by the coordinates of its corners. Products count them at the centers or at the outer
edges of the corner pixels; the pixel size of 30 m tells which. All others are placed by the
latitude and longitude of the pixels. The panchromatic cube is not read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.hdf5_files import hdf5_file
from hsitf.scenes.metadata import NOWHERE, Georeference, RasterMetadata
from hsitf.scenes.products.base import HDF5, Product, check_bands, control_points, numbers_of
from hsitf.scenes.products.hdf5_parts import CubePart, flags_reader, is_numeric, open_parts
from hsitf.scenes.readers.base import ArrayFile, nanometers, widths_in_nanometers

_ROOT = "HDFEOS/SWATHS"
# Where a file has two swaths of the same scene, the coregistered one.
_SWATHS = ("PRS_L2D_HCO", "PRS_L2C_HCO", "PRS_L2B_HCO", "PRS_L1_HCO", "PRS_L1_HRC")
_DETECTORS = ("VNIR", "SWIR")
_AXES = (0, 2, 1)
_BAD_CODES = {"L1": (1, 2, 4), "L2": (1, 2, 4)}
# Meters.
_PIXEL = 30.0
_STEPS = 65535.0


def open_prisma(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens VNIR and SWIR of a swath as one cube, or the one of them that is named.

    Args:
        path: The file.
        variable: VNIR_Cube, SWIR_Cube, the name of a swath, or a full name; None for the cube.
    """
    with hdf5_file(path) as file:
        if _ROOT not in file:
            return None
        swaths = [name for name in _SWATHS if _fields(file, name)]
        chosen = _chosen(swaths, variable)
        if chosen is None:
            return None
        swath, wanted = chosen
        detectors = [
            one
            for one in _DETECTORS
            if one in wanted and is_numeric(_fields(file, swath).get(f"{one}_Cube"))
        ]
        if not detectors:
            return None
        return _opened(path, file, swath, detectors, len(swaths) > 1)


def _fields(file: Any, swath: str) -> Any:
    """The data fields of a swath that holds a cube; empty where there is none."""
    import h5py

    fields = file.get(f"{_ROOT}/{swath}/Data Fields")
    if not isinstance(fields, h5py.Group):
        return {}
    if not any(is_numeric(fields.get(f"{one}_Cube")) for one in _DETECTORS):
        return {}
    return fields


def _chosen(swaths: list[str], variable: str | None) -> tuple[str, tuple[str, ...]] | None:
    """The swath and detectors that a variable names; None where it is another dataset."""
    if not swaths:
        return None
    if variable is None:
        return swaths[0], _DETECTORS
    name = variable.rpartition("/")[2]
    within = [one for one in swaths if one in variable]
    if name in swaths:
        return name, _DETECTORS
    found = tuple(one for one in _DETECTORS if name == f"{one}_Cube")
    return (within[0] if within else swaths[0], found) if found else None


def _opened(path: Path, file: Any, swath: str, detectors: list[str], several: bool) -> ArrayFile:
    level = swath.split("_")[1]
    fields = f"{_ROOT}/{swath}/Data Fields"
    parts, codes, facts = [], [], []
    for one in detectors:
        dataset = file[f"{fields}/{one}_Cube"]
        fact = _detector(path, file, one, dataset.shape, level)
        facts.append(fact)
        # Stored from long to short wavelengths.
        order = np.arange(dataset.shape[1])[::-1]
        parts.append(CubePart(f"{fields}/{one}_Cube", _AXES, order))
        errors = f"{fields}/{one}_PIXEL_{'SAT' if level == 'L1' else 'L2'}_ERR_MATRIX"
        if is_numeric(file.get(errors)) and file[errors].shape == dataset.shape:
            codes.append(CubePart(errors, _AXES, order))
    notes = []
    if several:
        notes.append(f"The file has more swaths than {swath}: --variable names another.")
    if len(detectors) < len(_DETECTORS):
        notes.append(f"Only the cube of {detectors[0]} was read.")
    unscaled = [d for d, one in zip(detectors, facts, strict=True) if np.isnan(one["scale"]).any()]
    if unscaled:
        # Detectors in different units are no spectrum.
        for fact in facts:
            fact["scale"], fact["offset"] = np.ones(fact["scale"].shape), fact["offset"] * 0.0
        notes.append(
            "The scale is not kept, values stay as stored: the file states no usable scale of "
            f"{' and '.join(unscaled)} (none, or an offset that could be added or subtracted)."
        )
    valid = None
    if len(codes) == len(parts):
        valid = flags_reader(path, file, codes, _BAD_CODES[level[:2]])
    else:
        notes.append("Without error codes, all values count as good.")
    rows, _, cols = file[parts[0].name].shape
    place, said = _place(path, file, swath, (rows, cols))
    joined = {key: np.concatenate([one[key] for one in facts]) for key in facts[0]}
    metadata = RasterMetadata(
        wavelengths=joined["wavelengths"],
        fwhm=joined["fwhm"] if (joined["fwhm"] > 0).any() else None,
        good_bands=joined["good"] > 0,
        background=0.0,
        valid=valid,
        scale=joined["scale"],
        offset=joined["offset"],
        georeference=place,
        product=f"PRISMA {level}",
        notes=(*notes, *said),
    )
    return open_parts(path, file, parts, metadata)


def _detector(
    path: Path, file: Any, detector: str, shape: tuple[int, ...], level: str
) -> dict[str, NDArray[np.float64]]:
    """What the root says of the bands of a detector, from short to long wavelengths."""
    name = detector.capitalize()
    key = f"List_Cw_{name}"
    centers = numbers_of(file.attrs[key]) if key in file.attrs else np.zeros(0)
    if len(shape) != 3 or len(centers) != shape[1]:
        raise DataError(
            f"{path} is no PRISMA product as published: its axes are not (rows, bands, cols)",
            received=f"{detector}_Cube {shape}, {len(centers)} wavelengths in {key}",
            allowed="as many wavelengths as the second axis of the cube has bands",
            remedy="name its axes with --axes rows,bands,cols and the cube with --variable",
        )
    bands = shape[1]

    def each(attribute: str, default: float) -> NDArray[np.float64]:
        if attribute not in file.attrs:
            return np.full(bands, default)
        values = numbers_of(file.attrs[attribute])
        check_bands(path, len(values), bands, attribute)
        return values

    good = (centers > 0) & (each(f"List_Cw_{name}_Flags", 1.0) > 0)
    scale, offset = _scale(file, name, level)
    # The attributes have no unit of their own.
    wavelengths = nanometers(centers.tolist(), None)
    widths = widths_in_nanometers(each(f"List_Fwhm_{name}", 0.0), None, centers, None)
    assert wavelengths is not None
    assert widths is not None
    return {
        "wavelengths": wavelengths[::-1],
        "fwhm": widths[::-1],
        "good": good[::-1].astype(np.float64),
        "scale": np.full(bands, scale),
        "offset": np.full(bands, offset),
    }


def _scale(file: Any, name: str, level: str) -> tuple[float, float]:
    """Factor and offset from counts to radiance or reflectance; NaN and 0 where not stated."""
    if level == "L1":
        factor = _number(file, f"ScaleFactor_{name}")
        # Files without an offset add none; of another one than 0 the sign is not certain.
        offset = _number(file, f"Offset_{name}") if f"Offset_{name}" in file.attrs else 0.0
        known = np.isfinite(factor) and factor > 0 and offset == 0
        return (1.0 / factor, 0.0) if known else (np.nan, 0.0)
    low, high = _number(file, f"L2Scale{name}Min"), _number(file, f"L2Scale{name}Max")
    known = high > low and np.isfinite((low, high)).all()
    return ((high - low) / _STEPS, low) if known else (np.nan, 0.0)


def _number(file: Any, attribute: str) -> float:
    """A number of the root; NaN where it is missing or empty."""
    values = numbers_of(file.attrs.get(attribute, np.nan))
    return float(values[0]) if len(values) else np.nan


def _place(
    path: Path, file: Any, swath: str, grid: tuple[int, int]
) -> tuple[Georeference, tuple[str, ...]]:
    """The place of a swath, and a note where it cannot be told."""
    if "L2D" in swath:
        return _corners(path, file, grid)
    fields = f"{_ROOT}/{swath}/Geolocation Fields"
    for suffix in ("", "_VNIR"):
        names = f"{fields}/Latitude{suffix}", f"{fields}/Longitude{suffix}"
        if all(name in file for name in names):
            return control_points(file[names[0]], file[names[1]], grid), ()
    return NOWHERE, ("The file has no latitude and longitude.",)


def _corners(path: Path, file: Any, grid: tuple[int, int]) -> tuple[Georeference, tuple[str, ...]]:
    from rasterio.crs import CRS

    names = [
        f"Product_{corner}corner_{axis}"
        for corner in ("UL", "LR")
        for axis in ("easting", "northing")
    ]
    if not all(name in file.attrs for name in ("Epsg_Code", *names)):
        return NOWHERE, ("The file does not name the corners of its map.",)
    found = {name: _number(file, name) for name in ("Epsg_Code", *names)}
    broken = [name for name, value in found.items() if not np.isfinite(value)]
    if broken:
        return NOWHERE, (f"The place is not kept: a corner of the map is no number ({broken[0]}).",)
    left, top, right, bottom = (found[name] for name in names)
    crs = CRS.from_epsg(int(found["Epsg_Code"])).to_wkt()
    wide, tall = right - left, top - bottom
    rows, cols = grid

    def fits(across: int, down: int) -> bool:
        return bool(np.allclose((wide, tall), (_PIXEL * across, _PIXEL * down), atol=_PIXEL / 4))

    if fits(cols - 1, rows - 1):
        left, top = left - _PIXEL / 2, top + _PIXEL / 2
    elif fits(rows, cols) or fits(rows - 1, cols - 1):
        raise InputError(
            f"the cube of {path} can be read in two ways",
            received=f"{rows} x {cols} pixels by its axes, {tall / _PIXEL:g} x "
            f"{wide / _PIXEL:g} by the corners of its map",
            allowed="axes (rows, bands, cols) as published, or (cols, bands, rows)",
            remedy="name a cube with --variable and the order of its axes with --axes",
        )
    elif not fits(cols, rows):
        said = f"{wide:g} x {tall:g} m do not fit {cols} x {rows} pixels of {_PIXEL:g} m"
        return NOWHERE, (f"The place is not kept: the corners of the map, {said}.",)
    return Georeference(crs, (_PIXEL, 0.0, left, 0.0, -_PIXEL, top)), ()


PRODUCT = Product("PRISMA", frozenset({HDF5}), open_prisma)
