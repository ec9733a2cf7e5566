"""GeoTIFF files: one band is a map, several are a cube."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.readers.base import (
    ArrayFile,
    check_single,
    nanometers,
    parser_errors_reported,
)


def open_geotiff(path: Path, variable: str | None) -> ArrayFile:
    """GeoTIFF: one band is a map, several are a cube."""
    import rasterio

    check_single(path, variable)
    kind = "a GeoTIFF"
    with parser_errors_reported(path, kind), _tiff(path) as image:
        shape = (image.height, image.width, image.count)
        dtype = np.result_type(*image.dtypes)
        tags = [image.tags(band) for band in image.indexes]
    single = shape[2] == 1
    wavelengths = None
    if not single and all("wavelength" in tag for tag in tags):
        with parser_errors_reported(path, "a GeoTIFF with wavelengths"):
            centers = [float(tag["wavelength"]) for tag in tags]
        wavelengths = nanometers(centers, tags[0].get("wavelength_units"))

    def rows(start: int, stop: int) -> NDArray[Any]:
        window = rasterio.windows.Window(0, start, shape[1], stop - start)
        with _tiff(path) as image:
            values: NDArray[Any] = np.moveaxis(image.read(window=window), 0, -1)
        return values[:, :, 0] if single else values

    return ArrayFile(shape[:2] if single else shape, dtype, (path,), kind, rows, wavelengths)


@contextmanager
def _tiff(path: Path) -> Iterator[Any]:
    import rasterio

    # A picture without map coordinates is as good as any here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        # No other driver: GDAL's virtual formats could point at any other file.
        with rasterio.open(path, driver="GTiff") as image:
            yield image
