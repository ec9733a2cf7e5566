"""Numbers of a label map become classes from 1 without gaps, with names and colors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.scenes.class_list import ClassEntry
from hsitf.scenes.class_numbers import numbered_name
from hsitf.scenes.labels.base import MAX_LABEL, LabelMap, counted
from hsitf.scenes.metadata import Color

# What rasters without a declaration use for no data.
_USUAL_NODATA = {255}
# Classes that a note lists by number.
_MAX_LISTED = 20


@dataclass(frozen=True, eq=False)
class NumberedPixels:
    """Numbers of classes on the pixels of a cube, as the labels have them.

    Attributes:
        numbers: (rows, cols) whole numbers.
        labelled: (rows, cols) bool, true where the number is that of a class.
        names: Names by number that the labels bring.
        colors: Colors by number that the labels bring.
    """

    numbers: NDArray[np.int64]
    labelled: NDArray[np.bool_]
    names: Mapping[int, str] = field(default_factory=dict)
    colors: Mapping[int, Color] = field(default_factory=dict)


def number_classes(
    files: Sequence[Path],
    pixels: NumberedPixels,
    listed: Mapping[int, ClassEntry],
    notes: Sequence[str],
) -> LabelMap:
    """Classes from 1 in the order of their numbers.

    Args:
        files: The files that the labels were read from, the one that the user named last.
        pixels: The numbers.
        listed: The classes of the user's own list; all that is not in it is unlabelled. Empty for
            the classes that are there.
        notes: What was said so far.

    Raises:
        DataError: No class of the list is there, or two classes share a name.
    """
    path, said = files[-1], list(notes)
    present = np.unique(pixels.numbers[pixels.labelled]).tolist()
    if listed and present and not set(present) & set(listed):
        raise DataError(
            f"no label of {path} is in the file of classes",
            received=f"labels {', '.join(map(str, present))}",
            allowed=", ".join(map(str, sorted(listed))),
            remedy="list the numbers of the label map",
        )
    numbers = sorted(listed) if listed else present
    labelled = pixels.labelled
    if strange := [number for number in present if number not in numbers]:
        stray = labelled & np.isin(pixels.numbers, strange)
        shown = [pixels.names.get(number, str(number)) for number in strange]
        said.append(
            f"Labels {_listed(shown)} are not in the file of classes: "
            f"{counted(int(np.count_nonzero(stray)), 'pixel')} unlabelled."
        )
        labelled = labelled & ~stray
    if numbers and numbers != list(range(1, len(numbers) + 1)):
        said.append(f"Labels {_listed(numbers)} of {path.name} are classes 1 to {len(numbers)}.")
    labels = np.zeros(pixels.numbers.shape, np.int32)
    labels[labelled] = np.searchsorted(numbers, pixels.numbers[labelled]) + 1
    own_names = {number: entry.name for number, entry in listed.items()}
    own_colors = {number: entry.color for number, entry in listed.items() if entry.color}
    names = [own_names.get(n) or pixels.names.get(n) or numbered_name(n) for n in numbers]
    chosen = [own_colors.get(n) or pixels.colors.get(n) for n in numbers]
    colors = tuple(color for color in chosen if color is not None)
    return LabelMap(
        labels,
        _distinct(path, names),
        tuple(files),
        colors if len(colors) == len(chosen) else (),
        tuple(said),
        tuple(numbers),
        has_names=any(own_names.get(n) or pixels.names.get(n) for n in numbers),
    )


def _listed(numbers: Sequence[object]) -> str:
    shown = ", ".join(map(str, numbers[:_MAX_LISTED]))
    return shown + (", ..." if len(numbers) > _MAX_LISTED else "")


def _distinct(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"two classes of {path} share a name",
            received=", ".join(twice),
            remedy="name them apart in a file of classes, and give it with --classes",
        )
    return tuple(names)


def class_pixels(
    path: Path,
    values: NDArray[Any],
    missing: NDArray[np.bool_],
    nodata: Sequence[float],
    listed: Mapping[int, ClassEntry],
) -> NumberedPixels:
    """The classes of a raster: 0 is unlabelled, unless the user's list has it.

    Args:
        path: The label file, for messages.
        values: (rows, cols) of whatever type.
        missing: (rows, cols) bool, where the file says that there is no data.
        nodata: The values that it declares for that.
        listed: The classes of the user's own list; may be empty.

    Raises:
        DataError: The values are no numbers of classes, or can be read in two ways.
    """
    if values.shape == missing.shape and missing.all():
        raise DataError(
            f"{path} holds no label",
            received="NaN or no-data values everywhere",
            allowed=f"whole numbers, 0 (unlabelled) to {MAX_LABEL}",
            remedy="name the variable that holds the label map",
        )
    numbers = label_numbers(path, np.where(missing, 0, values) if missing.any() else values)
    declared = [value for value in nodata if value != 0]
    if declared and not listed and not numbers[~missing].all():
        raise DataError(
            f"{path} can be read in two ways",
            received=f"{declared[0]:g} declared as no data, and pixels of 0 besides",
            allowed="0 as unlabelled, or 0 as a class",
            remedy="list the numbers that are classes in a file and give it with --classes",
        )
    labelled = ~missing if 0 in listed else ~missing & (numbers > 0)
    present = set(np.unique(numbers[labelled]).tolist())
    if not listed and not declared and present & _USUAL_NODATA and len(present) > 1:
        raise DataError(
            f"{path} can be read in two ways",
            received=f"{max(present)}, which often stands for no data and is not declared",
            allowed="no data, or a class",
            remedy="list the numbers that are classes in a file and give it with --classes",
        )
    return NumberedPixels(numbers.astype(np.int64), labelled)


def label_numbers(path: Path, values: NDArray[Any]) -> NDArray[np.int32]:
    """(rows, cols) of whole numbers 0 to `MAX_LABEL`, however they were stored.

    Raises:
        DataError: They are no such numbers.
    """
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim != 2:
        raise DataError(
            f"{path} does not hold a label map",
            received=f"shape {values.shape}",
            allowed="(rows, cols)",
            remedy="name the variable that holds the label map",
        )
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise DataError(
            f"{path} does not hold a label map",
            received="values that are not whole numbers",
            allowed=f"whole numbers, 0 (unlabelled) to {MAX_LABEL}",
            remedy="name the variable that holds the label map",
        )
    low, high = values.min(), values.max()
    if low < 0 or high > MAX_LABEL:
        raise DataError(
            f"{path} holds values that cannot be labels",
            received=f"values from {low} to {high}",
            allowed=f"whole numbers, 0 (unlabelled) to {MAX_LABEL}",
            remedy="renumber them, with 0 for pixels without a class",
        )
    return np.ascontiguousarray(values, dtype=np.int32)
