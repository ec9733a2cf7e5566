"""Label rasters brought to the pixels of the cube: by place where both have one, else by size."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.labels.base import RasterGrid
from hsitf.scenes.metadata import Georeference


def on_grid(
    path: Path,
    values: NDArray[Any],
    there: Georeference,
    grid: RasterGrid,
    align: bool,
) -> NDArray[Any]:
    """The values on the pixels of the cube, resampled where the user asked for it.

    Args:
        path: The label file, for messages.
        values: (rows, cols), NaN where there is no data if they are to be resampled.
        there: Where they lie on Earth.
        grid: The pixels of the cube.
        align: Whether they may be resampled.

    Returns:
        The values themselves where they lie on the cube's pixels; else (rows, cols) float64, NaN
        outside of the map.

    Raises:
        DataError: The map is of another size, and its place or the cube's is not known; or nothing
            leads from one to the other.
        InputError: The map lies elsewhere, and was not to be aligned.
    """
    here = grid.georeference
    placed = is_affine(here) and is_affine(there)
    if values.shape == grid.shape and (not placed or _same_place(here, there)):
        return values
    if not placed:
        raise DataError(
            f"the labels of {path} are of another size than the cube",
            received=f"labels {values.shape}, cube {grid.shape}",
            allowed="the same rows and cols",
            remedy="give the label map that belongs to this cube",
        )
    if not align:
        raise InputError(
            f"{path} lies on another grid than the cube",
            received=f"labels {values.shape} at {describe_place(there)}",
            allowed=f"{grid.shape} at {describe_place(here)}",
            remedy="resample the labels to the cube's pixels with --align, or give those of this "
            "cube",
        )
    try:
        aligned = _resampled(values, there, grid)
    # Errors of the projection are of types that rasterio does not publish.
    except Exception as error:
        raise DataError(
            f"the labels of {path} cannot be resampled to the cube's pixels",
            received=f"labels {values.shape} at {describe_place(there)}",
            allowed=f"{grid.shape} at {describe_place(here)}",
            remedy="correct the place that the file names, or warp it to the cube's pixels",
        ) from error
    if np.isnan(aligned).all():
        raise InputError(
            f"{path} does not overlap the cube",
            received=f"labels {values.shape} at {describe_place(there)}",
            allowed=f"{grid.shape} at {describe_place(here)}",
            remedy="give the labels of this place",
        )
    return aligned


def is_affine(place: Georeference) -> bool:
    """Whether the pixels themselves lie in a map by an affine transform."""
    return bool(place.transform and place.crs and place.lookup is None and not place.gcps)


def _same_place(here: Georeference, there: Georeference) -> bool:
    """Whether two grids agree to a hundredth of a pixel."""
    from rasterio.crs import CRS

    assert here.transform is not None
    assert there.transform is not None
    size = max(abs(here.transform[0]), abs(here.transform[1]), 1e-12)
    close = np.allclose(here.transform, there.transform, rtol=0, atol=0.01 * size)
    return bool(close) and CRS.from_wkt(here.crs) == CRS.from_wkt(there.crs)


def describe_place(reference: Georeference) -> str:
    """Corner, size of a pixel and coordinate system, for messages."""
    from rasterio.crs import CRS

    assert reference.transform is not None
    a, b, c, d, e, f = reference.transform
    named = describe_crs(CRS.from_wkt(reference.crs))
    turned = "" if b == 0 else ", rotated"
    size = f"{np.hypot(a, d):g} x {np.hypot(b, e):g}"
    return f"({c:.10g}, {f:.10g}), pixels of {size}{turned}, {named}"


def describe_crs(system: Any) -> str:
    """A coordinate system by its code, or its name where it has none."""
    if code := system.to_epsg():
        return f"EPSG:{code}"
    name = re.search(r'"([^"]+)"', system.to_wkt())
    return name[1] if name else "a coordinate system without a name"


def _resampled(values: NDArray[Any], there: Georeference, grid: RasterGrid) -> NDArray[np.float64]:
    """Nearest neighbors of a map on the cube's grid; NaN outside of it."""
    import rasterio
    from rasterio.warp import Resampling, reproject

    here = grid.georeference
    assert there.transform is not None
    assert here.transform is not None
    # No label is NaN, so that what lies outside is not taken for a class of number 0.
    target = np.full(grid.shape, np.nan)
    reproject(
        values.astype(np.float64),
        target,
        src_transform=rasterio.Affine(*there.transform),
        src_crs=there.crs,
        src_nodata=np.nan,
        dst_transform=rasterio.Affine(*here.transform),
        dst_crs=here.crs,
        dst_nodata=np.nan,
        resampling=Resampling.nearest,
    )
    return target
