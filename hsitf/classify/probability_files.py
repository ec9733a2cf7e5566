"""Probabilities of classes as GeoTIFF files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hsitf.classify.map_grid import MapGrid
from hsitf.classify.output_journal import UNRESUMED, OutputJournal
from hsitf.files import os_errors_reported, replacing

if TYPE_CHECKING:
    from hsitf.classify.outputs import ClassMap


def probability_tiff(
    values: NDArray[np.floating], class_map: ClassMap, path: Path, grid: MapGrid | None = None
) -> None:
    """float32 GeoTIFF with a band for each class (or one of confidence), halves rounded once.

    Pixels without a class, and cells of a map grid without a pixel, are NaN, which is declared as
    no data.
    """
    import rasterio

    layers = values[:, :, None] if values.ndim == 2 else values
    count = layers.shape[2]
    blank = class_map.labels == 0
    rows, cols = layers.shape[:2] if grid is None else grid.shape
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": count,
        "height": rows,
        "width": cols,
        "compress": "deflate",
        "nodata": np.nan,
        **(class_map.georeference if grid is None else grid.profile),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as file:
            for band in range(count):
                layer = np.where(blank, np.nan, layers[:, :, band]).astype(np.float32)
                file.write(layer if grid is None else grid.gather(layer, np.nan), band + 1)
                if count == len(class_map.class_names):
                    file.set_band_description(band + 1, class_map.class_names[band])


def write_probabilities(
    values: NDArray[np.floating],
    class_map: ClassMap,
    path: Path,
    grid: MapGrid | None = None,
    journal: OutputJournal = UNRESUMED,
) -> None:
    """Writes probabilities or confidence; see `probability_tiff`.

    Raises:
        OutputError: They cannot be written.
    """
    with os_errors_reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        probability_tiff(values, class_map, temporary, grid)
        journal.note(path, temporary)
