"""Maps as files: GeoTIFF, ENVI classification, a picture with its legend."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from hsitf.classify.map_grid import MapGrid, map_grid
from hsitf.classify.output_journal import UNRESUMED, OutputJournal, intermediate_folder
from hsitf.classify.probability_files import write_probabilities
from hsitf.errors import InputError
from hsitf.figures import Color, palette
from hsitf.files import os_errors_reported, replacing
from hsitf.smoothing import mean_field_smoothing

if TYPE_CHECKING:
    from hsitf.classify.mapping import MapArrays
    from hsitf.classify.request import MapRequest
    from hsitf.classify.source import Classifier
    from hsitf.scenes.raster_source import RasterSource

Labels = NDArray[np.uint8]

# Pixels of no class.
NODATA = 0
NO_CLASS = "no class"
# What GDAL adds to the name of a file for the metadata beside it.
AUXILIARY = ".aux.xml"
# Columns of a raster attribute table: name, type (0 whole, 2 text) and usage as GDAL numbers them.
_ATTRIBUTES = (
    ("Value", 0, 5),
    ("Count", 0, 1),
    ("Class", 2, 2),
    ("Red", 0, 6),
    ("Green", 0, 7),
    ("Blue", 0, 8),
)
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
        georeference: Coordinate reference system, transform, control points or coefficients of the
            input, as rasterio takes them; empty where it has none.
        class_colors: One color per class, as the labels that were learned from have them; empty
            for colors of our own.
    """

    labels: Labels
    class_names: tuple[str, ...]
    georeference: dict[str, Any]
    class_colors: tuple[Color, ...] = ()

    @property
    def colors(self) -> list[Color]:
        """One color per class, the first (black) for no class."""
        return [(0, 0, 0), *(self.class_colors or palette(len(self.class_names)))]


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
            # No class is transparent.
            file.write_colormap(
                1, {n: (*color, 255 if n else 0) for n, color in enumerate(class_map.colors)}
            )
            file.update_tags(
                1, **{f"class_{n}": name for n, name in enumerate(class_map.class_names, 1)}
            )


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
        class_names=[NO_CLASS, *class_map.class_names],
        class_colors=class_map.colors,
        metadata=_envi_place(class_map.georeference),
    )


def _envi_place(georeference: Mapping[str, Any]) -> dict[str, object]:
    """The fields of an ENVI header for a place on Earth; none where a header cannot hold it."""
    transform, crs = georeference.get("transform"), georeference.get("crs")
    if transform is None or georeference.get("gcps"):
        return {}
    width, height = math.hypot(transform.a, transform.d), math.hypot(transform.b, transform.e)
    sheared = abs(transform.a * transform.b + transform.d * transform.e) > 1e-9 * width * height
    if sheared:
        return {}
    zone = _utm_zone(crs)
    fields: list[object] = [
        *(
            ["UTM"]
            if zone
            else ["Geographic Lat/Lon" if crs and crs.is_geographic else "Arbitrary"]
        ),
        *(1, 1, repr(transform.c), repr(transform.f), repr(width), repr(height)),
        *(zone or ()),
        *(["WGS-84"] if zone or (crs and crs.to_epsg() == 4326) else []),
        "units=Degrees" if crs and crs.is_geographic else "units=Meters",
    ]
    if angle := math.degrees(math.atan2(transform.d, transform.a)):
        fields.append(f"rotation={angle!r}")
    found: dict[str, object] = {"map info": fields}
    if crs:
        # As one text: in lists, commas are replaced.
        found["coordinate system string"] = "{" + crs.to_wkt(version="WKT1_ESRI") + "}"
    return found


def _utm_zone(crs: Any) -> tuple[int, str] | None:
    """Zone and hemisphere of UTM on WGS 84; None for another system."""
    code = crs.to_epsg() if crs else None
    if code is None or not (32601 <= code <= 32660 or 32701 <= code <= 32760):
        return None
    return code % 100, "North" if code < 32700 else "South"


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
    # Pixels without a class show the paper.
    opaque = [(*color, 255 if n else 0) for n, color in enumerate(class_map.colors)]
    image = np.asarray(opaque, np.uint8)[labels]
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


def check(paths: Sequence[Path], overwrite: bool, journal: OutputJournal | None = None) -> None:
    """Refuses output paths that cannot be written, before any work is done.

    Files that this very map's interrupted command has written are no obstacle.

    Args:
        paths: The files.
        overwrite: Whether files that exist are replaced.
        journal: What was written; None for the one in the folder of intermediate results that the
            first file names.

    Raises:
        InputError: An unknown suffix, or a file that exists.
    """
    if journal is None:
        journal = OutputJournal(intermediate_folder(paths[0])) if paths else UNRESUMED
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
            if made.exists() and not overwrite and not journal.has_written(made):
                raise InputError(
                    f"{made} exists already", remedy="name another file or --overwrite"
                )


def write(class_map: ClassMap, path: Path, journal: OutputJournal = UNRESUMED) -> None:
    """Writes a map in the format of the path's suffix.

    Args:
        class_map: The map.
        path: The file.
        journal: Notes the files before they get their names.

    Raises:
        OutputError: It cannot be written.
    """
    suffix = path.suffix.lower()
    with os_errors_reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".hdr":
            # Two files: the data first, so that there is never a header without data.
            made = path.with_name(f".{path.stem}.part.hdr")
            parts = {path.with_suffix(".img"): made.with_suffix(".img"), path: made}
            try:
                envi(class_map, made)
                for final, part in parts.items():
                    journal.note(final, part)
                    part.replace(final)
            finally:
                for part in parts.values():
                    part.unlink(missing_ok=True)
            return
    with replacing(path) as temporary:
        FORMATS[suffix](class_map, temporary)
        journal.note(path, temporary)
    if FORMATS[suffix] is geotiff:
        with replacing(path.with_name(path.name + AUXILIARY)) as temporary:
            temporary.write_text(auxiliary(class_map), encoding="utf-8")


def auxiliary(class_map: ClassMap) -> str:
    """GDAL's metadata beside a GeoTIFF: category names and a table of attributes.

    GeoTIFF has no place for the names of classes; GDAL keeps them in a file beside it, which QGIS
    and other programs show.
    """
    names = [NO_CLASS, *class_map.class_names]
    counts = np.bincount(class_map.labels.ravel(), minlength=len(names)).tolist()
    root = ElementTree.Element("PAMDataset")
    band = ElementTree.SubElement(root, "PAMRasterBand", band="1")
    categories = ElementTree.SubElement(band, "CategoryNames")
    for name in names:
        ElementTree.SubElement(categories, "Category").text = name
    table = ElementTree.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    for index, (title, kind, usage) in enumerate(_ATTRIBUTES):
        field = ElementTree.SubElement(table, "FieldDefn", index=str(index))
        for tag, text in (("Name", title), ("Type", str(kind)), ("Usage", str(usage))):
            ElementTree.SubElement(field, tag).text = text
    for number, (name, color) in enumerate(zip(names, class_map.colors, strict=True)):
        row = ElementTree.SubElement(table, "Row", index=str(number))
        for value in (number, counts[number], name, *color):
            ElementTree.SubElement(row, "F").text = str(value)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def write_requested(
    mapped: MapArrays,
    classifier: Classifier,
    source: RasterSource,
    request: MapRequest,
    journal: OutputJournal = UNRESUMED,
) -> ClassMap:
    """Writes the requested files, and returns the map, smoothed if requested."""
    colors = classifier.class_colors
    labels, values = mapped.labels, mapped.values
    if request.smooth and values is not None:
        values = mean_field_smoothing(np.asarray(values, np.float32), request.smooth)
        labels = np.where(labels, values.argmax(axis=2) + 1, 0).astype(np.uint8)
    found = ClassMap(
        np.array(labels), classifier.class_names, source.georeference.profile(), colors
    )
    grid = map_grid(source.georeference)
    placed = found if grid is None else _on_grid(found, grid)
    for path in request.out:
        # Pictures have no place, and show the scene as the sensor saw it.
        write(found if path.suffix.lower() == ".png" else placed, path, journal)
    if values is not None and request.probabilities is not None:
        write_probabilities(values, found, request.probabilities, grid, journal)
    if values is not None and request.confidence is not None:
        write_probabilities(values.max(axis=2), found, request.confidence, grid, journal)
    return found


def _on_grid(class_map: ClassMap, grid: MapGrid) -> ClassMap:
    """The map on a map grid, without a class where no pixel lies."""
    labels = grid.gather(class_map.labels, NODATA)
    return replace(class_map, labels=labels, georeference=grid.profile)
