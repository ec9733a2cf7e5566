"""Labels as people have them, brought to classes from 1 with names and colors.

Each form has its own file: rasters (any format of a cube), pictures, vector layers, tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hsitf.errors import InputError, MissingInputError
from hsitf.scenes.labels.base import MAX_LABEL, LabelMap, LabelOptions, RasterGrid
from hsitf.scenes.labels.numbering import label_numbers
from hsitf.scenes.labels.pictures import read_picture
from hsitf.scenes.labels.rasters import read_raster
from hsitf.scenes.labels.tables import read_table
from hsitf.scenes.labels.vectors import read_geojson, read_layer
from hsitf.scenes.readers import READERS

__all__ = [
    "FORMS",
    "MAX_LABEL",
    "LabelMap",
    "LabelOptions",
    "RasterGrid",
    "label_numbers",
    "read_labels",
]

LabelReader = Callable[[Path, LabelOptions, RasterGrid], LabelMap]

FORMS: Mapping[str, LabelReader] = {
    ".gpkg": read_layer,
    ".shp": read_layer,
    ".geojson": read_geojson,
    ".json": read_geojson,
    ".csv": read_table,
    ".tsv": read_table,
    ".png": read_picture,
    **dict.fromkeys(READERS, read_raster),
}
"""How labels are read, by suffix."""

_ARCHIVES = (".zip", ".shz", ".gz", ".tar", ".7z")


def read_labels(path: Path, options: LabelOptions, grid: RasterGrid) -> LabelMap:
    """Reads labels for the pixels of a cube; the suffix determines the form (see `FORMS`).

    Pixels that the file declares to hold no data are unlabelled. Numbers with gaps (11, 21, 41)
    become 1, 2, 3 and are noted; names and colors come from the file of classes, or from the label
    file where it has them.

    Raises:
        InputError: No such file, variable, layer or column, an unknown suffix, or it does not
            belong to the cube.
        DataError: It holds no labels, or can be read in two ways.
    """
    if not path.is_file():
        raise MissingInputError(
            f"there is no file {path}",
            received="a folder" if path.is_dir() else None,
            remedy="correct the path",
        )
    suffix = path.suffix.lower()
    if suffix in _ARCHIVES:
        raise InputError(
            f"{path} is an archive",
            allowed=", ".join(FORMS),
            remedy="unpack it, and name the file of labels in it",
        )
    if suffix not in FORMS:
        raise InputError(
            f"{path} has a suffix that no labels are read from",
            received=path.suffix or "no suffix",
            allowed=", ".join(FORMS),
            remedy="convert it to one of these, or rename it if it is one of them",
        )
    if options.column is not None and FORMS[suffix] in (read_raster, read_picture):
        raise InputError(
            f"{path} has no columns",
            received=f"--class-column {options.column}",
            allowed="a vector layer or a table",
            remedy="leave it out",
        )
    return FORMS[suffix](path, options, grid)
