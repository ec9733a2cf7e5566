"""PNG pictures of labels: indices of a palette, gray levels, or colors of a legend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.class_list import ClassEntry, read_classes
from hsitf.scenes.labels.base import LabelMap, LabelOptions, RasterGrid
from hsitf.scenes.labels.colors import describe_colors, has_colors, numbers_by_color
from hsitf.scenes.labels.numbering import NumberedPixels, class_pixels, number_classes
from hsitf.scenes.metadata import Color
from hsitf.scenes.readers.base import check_single, parser_errors_reported


def read_picture(path: Path, options: LabelOptions, grid: RasterGrid) -> LabelMap:
    """Reads a PNG file of labels.

    A picture with a palette holds class numbers, colored by the palette; a gray one holds class
    numbers; one in red, green and blue is read by a legend (a file of classes with colors).
    Transparent pixels are unlabelled.

    Raises:
        InputError: There is no legend for the colors of the picture.
        DataError: It is of another size than the cube, damaged, or holds no labels.
    """
    check_single(path, options.variable)
    listed = {} if options.classes is None else read_classes(options.classes)
    image = _opened(path, grid.shape)
    notes: list[str] = []
    if image.mode == "P":
        pixels = _from_palette(path, image, listed, notes)
    elif image.mode in ("RGB", "RGBA"):
        pixels = _from_colors(path, image, listed, notes)
    elif image.mode in ("1", "L", "LA") or image.mode.startswith("I"):
        pixels = _from_gray(path, image, listed)
    else:
        raise DataError(
            f"{path} is a picture that no labels are read from",
            received=f"pixels of kind {image.mode}",
            allowed="a palette, gray levels, or red, green and blue",
        )
    return number_classes((path,), pixels, listed, notes)


def _opened(path: Path, shape: tuple[int, int]) -> Any:
    """The decoded picture; its size is compared with the cube's before anything is decoded."""
    from PIL import Image

    with parser_errors_reported(path, "a PNG picture"):
        # No other format, whatever the bytes say.
        image = Image.open(path, formats=["PNG"])
        size = (image.height, image.width)
        if size != shape:
            raise DataError(
                f"the labels of {path} are of another size than the cube",
                received=f"labels {size}, cube {shape}",
                allowed="the same rows and cols; a picture has no place on Earth",
                remedy="give the label map that belongs to this cube",
            )
        image.load()
        return image


def _from_palette(
    path: Path, image: Any, listed: Mapping[int, ClassEntry], notes: list[str]
) -> NumberedPixels:
    indices = np.asarray(image)
    palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    missing = _transparent(image, indices)
    if has_colors(listed) and _by_color(path, indices[~missing], palette, listed):
        numbers = numbers_by_color(path, palette[indices], missing, listed, notes)
        return NumberedPixels(numbers, numbers >= 0)
    notes.append(f"Classes of {path.name} are the indices of its palette, in its colors.")
    pixels = class_pixels(path, indices, missing, (), listed)
    colors: dict[int, Color] = {
        number: (int(red), int(green), int(blue))
        for number, (red, green, blue) in enumerate(palette)
    }
    return replace(pixels, colors=colors)


def _by_color(
    path: Path,
    indices: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    listed: Mapping[int, ClassEntry],
) -> bool:
    """Whether a legend means the colors of a palette, since its numbers are other indices.

    Raises:
        DataError: Numbers and colors of the legend both occur, and say different things.
    """
    used = set(np.unique(indices).tolist())
    own = {index: tuple(palette[index].tolist()) for index in used}
    agree = all(own[n] == entry.color for n, entry in listed.items() if n in used)
    by_color = bool({entry.color for entry in listed.values()} & set(own.values()))
    by_number = bool(used & set(listed))
    if agree or not by_color:
        return by_color and not by_number
    raise DataError(
        f"{path} can be read in two ways",
        received="a palette with other colors for these numbers than the file of classes gives",
        allowed="numbers of the list as indices of the palette, or its colors as those of the "
        "palette",
        remedy="leave the colors out of the list to read indices, or save the picture without "
        "palette, in red, green and blue, to read colors",
    )


def _transparent(image: Any, indices: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels whose color in the palette is fully transparent."""
    alpha = image.info.get("transparency")
    if isinstance(alpha, int):
        return np.asarray(indices == alpha)
    clear = [index for index, value in enumerate(alpha or b"") if value == 0]
    return np.isin(indices, clear)


def _from_colors(
    path: Path, image: Any, listed: Mapping[int, ClassEntry], notes: list[str]
) -> NumberedPixels:
    values = np.asarray(image)
    visible = values[:, :, 3] > 0 if values.shape[2] == 4 else np.ones(values.shape[:2], bool)
    colors = values[:, :, :3]
    if not has_colors(listed):
        raise InputError(
            f"{path} holds colors, and no legend says which classes they are",
            received=describe_colors(colors[visible]) or "transparent pixels",
            allowed="a legend: a text file with number,name,#rrggbb for each class",
            remedy="write the colors that are classes into such a file and give it with --classes",
        )
    numbers = numbers_by_color(path, colors, ~visible, listed, notes)
    return NumberedPixels(numbers, numbers >= 0)


def _from_gray(path: Path, image: Any, listed: Mapping[int, ClassEntry]) -> NumberedPixels:
    values = np.asarray(image)
    if values.ndim == 3:
        return class_pixels(path, values[:, :, 0], values[:, :, 1] == 0, (), listed)
    clear = image.info.get("transparency")
    missing = values == clear if isinstance(clear, int) else np.zeros(values.shape, bool)
    return class_pixels(path, values, missing, (), listed)
