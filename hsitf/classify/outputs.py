"""Maps as files: GeoTIFF, ENVI classification, a picture with its legend."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.figures import Color, palette
from hsitf.files import os_errors_reported, replacing
from hsitf.smoothing import mean_field_smoothing

if TYPE_CHECKING:
    from hsitf.classify.mapping import MapArrays
    from hsitf.classify.request import MapRequest
    from hsitf.scenes.raster_source import RasterSource

Labels = NDArray[np.uint8]

# Pixels of no class.
NODATA = 0
# uint8 with 0 for no class.
MAX_CLASSES = 255
# Pixels of a picture's longer side; larger maps are thinned out for it.
MAX_PICTURE_SIDE = 4000


@dataclass(frozen=True, eq=False)
class ClassMap:
    """A classified scene.

    Attributes:
        labels: (rows, cols) uint8, 0 for no class.
        class_names: Names of the classes from 1.
        georeference: Coordinate reference system and transform of the input, as GDAL reads them;
            empty where it has none.
    """

    labels: Labels
    class_names: tuple[str, ...]
    georeference: dict[str, Any]

    @property
    def colors(self) -> list[Color]:
        """One color per class, the first (black) for no class."""
        return [(0, 0, 0), *palette(len(self.class_names))]


def geotiff(class_map: ClassMap, path: Path) -> None:
    """uint8 GeoTIFF with colors, class names (tags class_1 ...), the georeference, nodata 0."""
    import rasterio

    rows, cols = class_map.labels.shape
    profile = {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": 1,
        "height": rows,
        "width": cols,
        "nodata": NODATA,
        "compress": "deflate",
        **class_map.georeference,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as file:
            file.write(class_map.labels, 1)
            file.write_colormap(1, {n: (*color, 255) for n, color in enumerate(class_map.colors)})
            file.update_tags(
                1, **{f"class_{n}": name for n, name in enumerate(class_map.class_names, 1)}
            )


def probability_tiff(values: NDArray[np.floating], class_map: ClassMap, path: Path) -> None:
    """float32 GeoTIFF with a band for each class (or one of confidence), halves rounded once."""
    import rasterio

    layers = values[:, :, None] if values.ndim == 2 else values
    rows, cols, count = layers.shape
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": count,
        "height": rows,
        "width": cols,
        "compress": "deflate",
        **class_map.georeference,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as file:
            for band in range(count):
                file.write(layers[:, :, band].astype(np.float32), band + 1)
                if count == len(class_map.class_names):
                    file.set_band_description(band + 1, class_map.class_names[band])


def write_probabilities(values: NDArray[np.floating], class_map: ClassMap, path: Path) -> None:
    """Writes probabilities or confidence; see `probability_tiff`.

    Raises:
        OutputError: They cannot be written.
    """
    with os_errors_reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        probability_tiff(values, class_map, temporary)


def envi(class_map: ClassMap, path: Path) -> None:
    """ENVI classification: a header, and the labels in an .img beside it."""
    from spectral.io import envi as files

    files.save_classification(
        str(path),
        class_map.labels,
        dtype=np.uint8,
        force=True,
        ext=".img",
        interleave="bsq",
        class_names=["no class", *class_map.class_names],
        class_colors=class_map.colors,
    )


def picture(class_map: ClassMap, path: Path) -> None:
    """PNG of the map with a legend of the classes that are in it."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    step = -(-max(class_map.labels.shape) // MAX_PICTURE_SIDE)
    labels = class_map.labels[::step, ::step]
    rows, cols = labels.shape
    wide = 6.4 * min(3.0, max(0.5, cols / rows))
    figure = Figure(figsize=(wide + 3.2, 6.8), dpi=150, layout="constrained")
    axes = figure.subplots()
    image = np.asarray(class_map.colors, np.uint8)[labels]
    axes.imshow(image, interpolation="nearest")
    axes.set_axis_off()
    present = [n for n in np.unique(labels).tolist() if n]
    handles = [
        Patch(
            facecolor="#{:02x}{:02x}{:02x}".format(*class_map.colors[n]),
            label=class_map.class_names[n - 1],
        )
        for n in present
    ]
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=9)
    figure.savefig(path, format="png")


# By the suffix of the file that is asked for.
FORMATS: dict[str, Callable[[ClassMap, Path], None]] = {
    ".tif": geotiff,
    ".tiff": geotiff,
    ".hdr": envi,
    ".png": picture,
}


def check(paths: Sequence[Path], overwrite: bool) -> None:
    """Refuses output paths that cannot be written, before any work is done.

    Raises:
        InputError: An unknown suffix, or a file that exists.
    """
    for path in paths:
        if path.suffix.lower() not in FORMATS:
            raise InputError(
                f"{path} is of no kind that maps are written in",
                received=path.suffix or "no suffix",
                allowed=".tif (GeoTIFF), .hdr (ENVI), .png (a picture with legend)",
            )
        # An ENVI header has its data beside it.
        data = [path.with_suffix(".img")] if path.suffix.lower() == ".hdr" else []
        for made in (path, *data):
            if made.exists() and not overwrite:
                raise InputError(
                    f"{made} exists already", remedy="name another file or --overwrite"
                )


def write(class_map: ClassMap, path: Path) -> None:
    """Writes a map in the format of the path's suffix.

    Raises:
        OutputError: It cannot be written.
    """
    suffix = path.suffix.lower()
    with os_errors_reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".hdr":
            # Two files: the data first, so that there is never a header without data.
            made = path.with_name(f".{path.stem}.part.hdr")
            envi(class_map, made)
            made.with_suffix(".img").replace(path.with_suffix(".img"))
            made.replace(path)
            return
    with replacing(path) as temporary:
        FORMATS[suffix](class_map, temporary)


def write_requested(
    mapped: MapArrays, class_names: tuple[str, ...], source: RasterSource, request: MapRequest
) -> ClassMap:
    """Writes the requested files, and returns the map, smoothed if requested."""
    labels, values = mapped.labels, mapped.values
    if request.smooth and values is not None:
        values = mean_field_smoothing(np.asarray(values, np.float32), request.smooth)
        labels = np.where(labels, values.argmax(axis=2) + 1, 0).astype(np.uint8)
    found = ClassMap(np.array(labels), class_names, source.georeference.profile())
    for path in request.out:
        write(found, path)
    if values is not None and request.probabilities is not None:
        write_probabilities(values, found, request.probabilities)
    if values is not None and request.confidence is not None:
        write_probabilities(values.max(axis=2), found, request.confidence)
    return found
