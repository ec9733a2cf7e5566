"""GeoTIFF files: one band is a map, several are a cube.

Read from what GDAL knows of a file: no-data values and masks, scales, place, band centers in the
IMAGERY domain, in tags of the bands or in their descriptions, bad bands in tags (`bbl`), and class
names and colors of maps (category names beside the file, `class_N` tags, color tables).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.scenes.metadata import Color, Georeference, RasterMetadata, ValidRows
from hsitf.scenes.readers.base import (
    ArrayFile,
    by_blocks,
    check_packed,
    check_single,
    nanometers,
    parser_errors_reported,
)

# A band description such as "band 1 (418.24 Nanometers)" or "0.45 um".
_CENTER = re.compile(r"(\d+(?:\.\d+)?)\s*(nm|nanomet\w*|um|µm|μm|microns?|micromet\w*)", re.I)
# A file of GDAL's auxiliary metadata that is larger holds more than names and colors.
MAX_AUXILIARY_BYTES = 16 * 2**20
# GDAL keeps and looks up each band by itself; the finest spectrometers have some thousands.
MAX_BANDS = 16_384


def open_geotiff(path: Path, variable: str | None) -> ArrayFile:
    """Opens a GeoTIFF, whose rows are read as they are needed."""
    import rasterio

    check_single(path, variable)
    kind = "a GeoTIFF"
    with parser_errors_reported(path, kind), _tiff(path) as image:
        if image.count > MAX_BANDS:
            raise DataError(
                f"{path} has too many bands",
                received=f"{image.count:,}",
                allowed=f"{MAX_BANDS:,}",
                remedy="it may be damaged: fetch it again",
            )
        shape = (image.height, image.width, image.count)
        dtype = np.result_type(*image.dtypes)
        metadata = _metadata(path, image)
        block_rows = max(height for height, _ in image.block_shapes)
        # The library takes memory for a whole block before it looks whether that is there.
        block_cols = max(width for _, width in image.block_shapes)
        block = (block_rows, block_cols, *shape[2:])
        check_packed(path, block, dtype.itemsize, [path])
    single = shape[2] == 1

    def rows(start: int, stop: int) -> NDArray[Any]:
        window = rasterio.windows.Window(0, start, shape[1], stop - start)
        with _tiff(path) as image:
            values: NDArray[Any] = np.moveaxis(image.read(window=window), 0, -1)
        return values[:, :, 0] if single else values

    stored = shape[:2] if single else shape
    return by_blocks(ArrayFile(stored, dtype, (path,), kind, rows, metadata, block_rows=block_rows))


def _metadata(path: Path, image: Any) -> RasterMetadata:
    tags = [image.tags(band) for band in image.indexes]
    single = image.count == 1
    nodata = {float(value) for value in image.nodatavals if value is not None}
    return RasterMetadata(
        wavelengths=None if single else _wavelengths(image, tags),
        fwhm=None if single else _fwhm(image, tags),
        good_bands=None if single else _good_bands(tags),
        nodata=tuple(sorted(nodata)),
        valid=_mask(path, image),
        scale=_one_or_each(image.scales),
        offset=_one_or_each(image.offsets),
        georeference=_georeference(image),
        class_names=_class_names(path, tags[0]) if single else {},
        class_colors=_class_colors(image) if single else {},
    )


def _one_or_each(values: Sequence[float]) -> float | NDArray[np.float64]:
    return float(values[0]) if len(set(values)) == 1 else np.asarray(values, np.float64)


def _mask(path: Path, image: Any) -> ValidRows | None:
    """A mask that the file has besides no-data values: a mask band, or alpha."""
    import rasterio
    from rasterio.enums import MaskFlags

    flags = image.mask_flag_enums[0]
    if MaskFlags.per_dataset not in flags:
        return None
    width = image.width

    def valid(start: int, stop: int) -> NDArray[np.bool_]:
        window = rasterio.windows.Window(0, start, width, stop - start)
        with _tiff(path) as file:
            return np.asarray(file.dataset_mask(window=window) > 0)

    return valid


def _wavelengths(image: Any, tags: Sequence[Mapping[str, str]]) -> NDArray[np.float64] | None:
    """Band centers in nanometers, from the first place that has them for every band."""
    imagery = [image.tags(band, ns="IMAGERY") for band in image.indexes]
    centers = _numbers(imagery, "CENTRAL_WAVELENGTH_UM")
    if centers is not None:
        return np.round(centers * 1000, 6)
    centers = _numbers(tags, "wavelength")
    if centers is not None:
        lowered = {key.lower(): value for key, value in tags[0].items()}
        return nanometers(centers.tolist(), lowered.get("wavelength_units"))
    found = [_CENTER.search(text or "") for text in image.descriptions]
    described = [match for match in found if match is not None]
    if len(described) < len(found) or not described:
        return None
    unit = described[0].group(2).lower()
    return nanometers([float(match.group(1)) for match in described], _unit(unit))


def _unit(text: str) -> str:
    return "nm" if text.startswith("n") else "um"


def _fwhm(image: Any, tags: Sequence[Mapping[str, str]]) -> NDArray[np.float64] | None:
    widths = _numbers([image.tags(band, ns="IMAGERY") for band in image.indexes], "FWHM_UM")
    if widths is not None:
        return np.round(widths * 1000, 6)
    widths = _numbers(tags, "fwhm")
    if widths is None:
        return None
    lowered = {key.lower(): value for key, value in tags[0].items()}
    # Widths are a hundredth of centers: their magnitude tells the unit only beside these.
    micrometers = str(lowered.get("wavelength_units", "")).lower().startswith(("u", "µ", "μ", "mi"))
    return widths * 1000 if micrometers else widths


def _good_bands(tags: Sequence[Mapping[str, str]]) -> NDArray[np.bool_] | None:
    flags = _numbers(tags, "bbl")
    return None if flags is None else flags > 0


def _numbers(tags: Sequence[Mapping[str, str]], name: str) -> NDArray[np.float64] | None:
    """A number that every band has among its tags, whatever the case of its name."""
    lowered = [{key.lower(): value for key, value in one.items()} for one in tags]
    if not all(name.lower() in one for one in lowered):
        return None
    return np.array([float(one[name.lower()]) for one in lowered])


def _georeference(image: Any) -> Georeference:
    points, points_crs = image.gcps
    transform = None if image.transform.is_identity else tuple(image.transform)[:6]
    crs = points_crs if points else image.crs
    return Georeference(
        crs=crs.to_wkt() if crs else "",
        transform=transform,
        gcps=tuple((one.row, one.col, one.x, one.y, one.z or 0.0) for one in points),
        rpcs=image.tags(ns="RPC") or None,
    )


def _class_names(path: Path, tags: Mapping[str, str]) -> dict[int, str]:
    """Names of a map's classes: category names of GDAL, or tags such as class_1."""
    found = {
        int(key.removeprefix("class_")): value
        for key, value in tags.items()
        if key.startswith("class_") and key.removeprefix("class_").isdecimal()
    }
    beside = path.with_name(path.name + ".aux.xml")
    if found or not beside.is_file() or beside.stat().st_size > MAX_AUXILIARY_BYTES:
        return found
    names = ElementTree.parse(beside).findall("./PAMRasterBand/CategoryNames/Category")
    return {number: one.text for number, one in enumerate(names) if one.text}


def _class_colors(image: Any) -> dict[int, Color]:
    try:
        table = image.colormap(1)
    except ValueError:
        return {}
    return {number: (red, green, blue) for number, (red, green, blue, _) in table.items()}


@contextmanager
def _tiff(path: Path) -> Iterator[Any]:
    import rasterio

    # A picture without map coordinates is as good as any here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        # No other driver: GDAL's virtual formats could point at any other file.
        with rasterio.open(path, driver="GTiff") as image:
            yield image
