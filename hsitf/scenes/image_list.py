"""Files that list the images of a scene: cubes with their labels, and which of them train.

A TOML file: `name` and `classes` of the scene, then an `[[image]]` table for each image.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hsitf.errors import DataError, InputError, MissingInputError, unknown
from hsitf.scenes.labels import LabelOptions
from hsitf.scenes.metadata import RasterOptions, parse_axes

SUFFIX = ".toml"
USUAL_NAME = "scene.toml"
SETS = ("train", "validation", "test")
MAX_BYTES = 2**20
MAX_IMAGES = 1000
_SCENE_KEYS = {"name": str, "classes": str, "image": list}
_IMAGE_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "cube": str,
    "labels": str,
    "set": str,
    "name": str,
    "variable": str,
    "labels-variable": str,
    "class-column": str,
    "nodata": (int, float),
    "axes": str,
}


@dataclass(frozen=True)
class ListedImage:
    """One image as the file lists it; None where it says nothing.

    Attributes:
        name: Its own, or that of its cube's file.
        cube: Path of the cube.
        labels: Path of the labels.
        set: "train", "validation" or "test"; empty where none is given.
        variable: Variable of the cube.
        labels_variable: Variable or layer of the labels.
        class_column: Column of the labels that holds the class.
        nodata: Value that stands for no data.
        axes: Order of the cube's axes, such as "rows,bands,cols".
    """

    name: str
    cube: Path
    labels: Path | None = None
    set: str = ""
    variable: str | None = None
    labels_variable: str | None = None
    class_column: str | None = None
    nodata: float | None = None
    axes: str | None = None


@dataclass(frozen=True)
class ImageList:
    """The images of a scene.

    Attributes:
        path: The file.
        name: Name of the scene.
        images: Two or more.
        classes: File of classes of all labels; None where they bring their own.
    """

    path: Path
    name: str
    images: tuple[ListedImage, ...]
    classes: Path | None = None


def find_image_list(path: Path) -> Path | None:
    """The file that lists the images of a scene: `path` itself, or the one in that folder.

    Returns:
        Its path; None where `path` is something else.
    """
    if path.suffix.lower() == SUFFIX and not path.is_dir():
        return path
    if not path.is_dir():
        return None
    if (path / USUAL_NAME).is_file():
        return path / USUAL_NAME
    found = sorted(path.glob(f"*{SUFFIX}"))
    if len(found) > 1:
        raise InputError(
            f"{path} holds several files that could list its images",
            received=", ".join(one.name for one in found),
            allowed=f"one, or {USUAL_NAME}",
            remedy="name the file itself",
        )
    return found[0] if found else None


def read_image_list(path: Path) -> ImageList:
    """Reads the images of a scene; paths in the file are relative to it.

    Raises:
        InputError: There is no such file, it is no TOML, or a key is unknown or missing.
        DataError: It is too large.
    """
    content = _toml(path)
    _check_keys(path, "the scene", content, _SCENE_KEYS)
    tables = content.get("image", [])
    if not 2 <= len(tables) <= MAX_IMAGES or not all(isinstance(one, dict) for one in tables):
        raise InputError(
            f"{path} does not list the images of a scene",
            received=f"{len(tables)} images",
            allowed=f"2 to {MAX_IMAGES} tables [[image]]",
            remedy='write [[image]] and cube = "FILE" for each; a scene of one image is named by '
            "the path of its cube",
        )
    images = tuple(_image(path, number, one) for number, one in enumerate(tables, start=1))
    names = [image.name for image in images]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            f"images of {path} share a name",
            received=", ".join(twice),
            remedy='write name = "..." for each of them',
        )
    classes = content.get("classes")
    return ImageList(
        path,
        content.get("name") or _default_name(path),
        images,
        None if classes is None else _beside(path, classes),
    )


def _toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    if not path.is_file():
        raise MissingInputError(f"there is no file {path}", remedy="correct the path")
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path} is too large for a list of images", allowed=f"{MAX_BYTES} bytes")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    # Brackets within brackets without end exhaust the parser; numbers of thousands of digits are
    # refused by Python itself.
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is no TOML", received=str(error), remedy="correct that line"
        ) from error


def _image(path: Path, number: int, table: Mapping[str, Any]) -> ListedImage:
    what = f"image {number}"
    _check_keys(path, what, table, _IMAGE_KEYS)
    if "cube" not in table:
        raise InputError(
            f"{what} of {path} has no cube", remedy='write cube = "FILE", relative to this file'
        )
    cube = _beside(path, table["cube"])
    name = table.get("name") or cube.stem
    if set(name) & set("/\\") or not name.isprintable() or not name.strip("."):
        raise InputError(
            f"{what} of {path} cannot have this name",
            received=repr(name),
            allowed="printable characters without slashes, not only dots",
        )
    chosen, labels = table.get("set", ""), table.get("labels")
    if chosen and chosen not in SETS:
        raise unknown(f"set of image {name}", chosen, SETS)
    if chosen and labels is None and "labels-variable" not in table:
        raise InputError(
            f"image {name} of {path} has a set and no labels",
            received=f"set = {chosen!r}",
            remedy='write labels = "FILE", or leave the set out',
        )
    nodata = table.get("nodata")
    return ListedImage(
        name,
        cube,
        None if labels is None else _beside(path, labels),
        chosen,
        table.get("variable"),
        table.get("labels-variable"),
        table.get("class-column"),
        None if nodata is None else float(nodata),
        table.get("axes"),
    )


def _check_keys(
    path: Path,
    what: str,
    table: Mapping[str, Any],
    allowed: Mapping[str, type | tuple[type, ...]],
) -> None:
    for key, value in table.items():
        if key not in allowed:
            raise unknown(f"key of {what} in {path}", key, allowed)
        if not isinstance(value, allowed[key]) or isinstance(value, bool):
            raise InputError(
                f"{key} of {what} in {path} has the wrong type",
                received=repr(value)[:80],
                allowed="a number" if key == "nodata" else "text in quotation marks",
            )


def _beside(path: Path, name: str) -> Path:
    return path.parent / Path(name).expanduser()


def _default_name(path: Path) -> str:
    return path.resolve().parent.name if path.name == USUAL_NAME else path.stem


def image_label_options(
    listed: ImageList, image: ListedImage, options: LabelOptions
) -> LabelOptions:
    """What is said about the labels of an image; its own words go before those of the scene."""
    return replace(
        options,
        variable=image.labels_variable,
        classes=options.classes or listed.classes,
        column=image.class_column or options.column,
    )


def image_raster_options(image: ListedImage, options: RasterOptions) -> RasterOptions:
    """What is said about the cube of an image; its own words go before those of the scene."""
    return replace(
        options,
        nodata=options.nodata if image.nodata is None else image.nodata,
        axes=options.axes if image.axes is None else parse_axes(image.axes),
    )


@contextmanager
def image_named(name: str) -> Iterator[None]:
    """Says in messages which image they are about."""
    try:
        yield
    except (InputError, DataError) as error:
        raise type(error)(
            f"image {name}: {error.what}",
            received=error.received,
            allowed=error.allowed,
            remedy=error.remedy,
        ) from error
