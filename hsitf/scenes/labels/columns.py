"""Which columns of a vector layer or table hold the class, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.class_list import ClassEntry
from hsitf.scenes.labels.base import MAX_LABEL
from hsitf.scenes.labels.cells import ColumnValues, column_values, name_order

USUAL_COLUMNS = {
    *("class", "classes", "label", "labels", "category", "landcover", "land_cover"),
    *("classid", "class_id", "class_no", "class_num", "class_number", "class_code", "label_id"),
    *("classname", "class_name", "labelname", "label_name"),
}
"""Names of columns that are taken for the class, in lower case."""

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, eq=False)
class FeatureClasses:
    """The class of each feature.

    Attributes:
        numbers: (features,) int64, in the numbers of the file; of text in the order of names,
            from 1.
        known: (features,) bool, false for features without a class.
        names: Names by number, where the columns hold names.
        is_text: Whether the file has names alone.
        column: The column that was read, or two of them.
        marks: Text among the numbers that means no class.
    """

    numbers: NDArray[np.int64]
    known: NDArray[np.bool_]
    names: Mapping[int, str]
    is_text: bool
    column: str
    marks: tuple[str, ...] = ()


def feature_classes(
    path: Path, columns: Columns, chosen: str | None, listed: Mapping[int, ClassEntry]
) -> FeatureClasses:
    """Reads the class of each feature.

    A column of whole numbers holds numbers of classes; one of text holds names, which are
    numbered by the user's list, or in their order. Numbers among other text are names only where
    the list has them as names. Two columns are a number and its name.

    Args:
        path: The file, for messages.
        columns: Values of the features by column.
        chosen: The user's column, or two with a comma between; None to recognize them by
            `USUAL_COLUMNS`.
        listed: The user's list of classes; may be empty.

    Raises:
        InputError: There is no such column, or which one it is cannot be told.
        DataError: The columns hold neither numbers nor names of classes.
    """
    names = _named(path, columns, chosen) if chosen else _recognized(path, columns)
    found = _read(path, columns, names, listed)
    if (count := len(np.unique(found.numbers[found.known]))) > MAX_LABEL:
        raise DataError(
            f"column {found.column} of {path} holds too many classes",
            received=f"{count:,} different values",
            allowed=f"{MAX_LABEL:,}",
            remedy="name the column that holds the class with --class-column",
        )
    return found


def _read(
    path: Path, columns: Columns, names: Sequence[str], listed: Mapping[int, ClassEntry]
) -> FeatureClasses:
    found = [column_values(path, name, columns[name]) for name in names]
    if len(found) == 1:
        return _one_column(path, found[0], listed)
    numeric = [one for one in found if one.is_numeric]
    if len(found) == 2 and len(numeric) == 1:
        (text,) = (one for one in found if not one.is_numeric)
        return _two_columns(path, numeric[0], text)
    if mixed := next((one for one in found if one.is_mixed), None):
        raise mixed.two_readings()
    raise InputError(
        f"several columns of {path} could hold the class",
        received=", ".join(names),
        allowed="one column, or one of numbers and one of names",
        remedy=f"name it with --class-column {names[0]}",
    )


def _named(path: Path, columns: Columns, chosen: str) -> list[str]:
    """The columns that the user named, in any case where that is enough."""
    wanted = [chosen] if chosen in columns else [part.strip() for part in chosen.split(",")]
    found = []
    for name in wanted:
        near = [one for one in columns if one.lower() == name.lower()]
        exact = name if name in columns else None
        if exact is None and len(near) != 1:
            raise InputError(
                f"{path} has no column {name!r}",
                allowed=", ".join(columns) or "no columns",
                remedy="name one of these with --class-column",
            )
        found.append(exact or near[0])
    return found


def _recognized(path: Path, columns: Columns) -> list[str]:
    found = [
        name
        for name in columns
        if name.strip().lower().replace(" ", "_").replace("-", "_") in USUAL_COLUMNS
    ]
    if not found:
        raise InputError(
            f"no column of {path} is known to hold the class",
            received=f"columns {', '.join(columns)}" if columns else "no columns",
            allowed="class, label, landcover, class_id, class_name and the like",
            remedy="name it with --class-column",
        )
    return found


def _one_column(
    path: Path, column: ColumnValues, listed: Mapping[int, ClassEntry]
) -> FeatureClasses:
    name = column.name
    if column.is_mixed and not _are_listed(column, listed):
        raise column.two_readings()
    marks = _marks(column) if column.has_numbers else ()
    if column.is_numeric:
        numbers, known = _coded(column)
        _check_zero(path, name, numbers, known, listed)
        return FeatureClasses(numbers, known, {}, False, name, marks)
    texts = column.as_names()
    known = np.array([text is not None for text in texts], bool)
    present = sorted({text for text in texts if text}, key=name_order)
    _check_spelling(path, name, present)
    # Names that the user's list does not have come after it, and are no classes.
    order = {entry.name: number for number, entry in listed.items()}
    following = max(order.values(), default=0) + 1
    unlisted = [text for text in present if text not in order]
    if listed and len(unlisted) == len(present):
        raise DataError(
            f"no class of {path} is in the file of classes",
            received=", ".join(present[:20]),
            allowed=", ".join(order),
            remedy="list the names as the column has them",
        )
    order |= {text: following + at for at, text in enumerate(unlisted)}
    coded = np.array([order.get(text or "", 0) for text in texts], np.int64)
    return FeatureClasses(coded, known, {order[text]: text for text in present}, True, name, marks)


def _are_listed(column: ColumnValues, listed: Mapping[int, ClassEntry]) -> bool:
    """Whether the user's list names numbers of a mixed column as it does its other text."""
    names = {entry.name for entry in listed.values()}
    numbers = {
        text
        for text, number in zip(column.texts, column.numbers, strict=True)
        if number is not None
    }
    return names.issuperset(column.odd) and bool(names & numbers)


def _marks(column: ColumnValues) -> tuple[str, ...]:
    """The text that means no class, and whether empty values do so besides."""
    empty = ("empty",) if column.marks and None in column.texts else ()
    return (*empty, *column.marks)


def _coded(column: ColumnValues) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The number of each feature, 0 without one, and which features have one.

    Raises:
        DataError: None has one, or there are numbers that cannot be labels.
    """
    given = column.as_numbers()
    known = np.array([number is not None for number in given], bool)
    if not known.any():
        raise DataError(
            f"column {column.name} of {column.path} is empty",
            remedy="name the column that holds the class with --class-column",
        )
    return np.array([number or 0 for number in given], np.int64), known


def _check_zero(
    path: Path,
    name: str,
    numbers: NDArray[np.int64],
    known: NDArray[np.bool_],
    listed: Mapping[int, ClassEntry],
) -> None:
    given = numbers[known]
    if given.min() < 0 and not listed:
        raise DataError(
            f"column {name} of {path} holds negative numbers",
            received=int(given.min()),
            allowed="numbers of classes from 1",
            remedy="list the numbers that are classes in a file and give it with --classes",
        )
    if not listed and (given == 0).any():
        raise DataError(
            f"{path} can be read in two ways",
            received=f"features of number 0 in column {name}",
            allowed="0 as unlabelled, or 0 as a class",
            remedy="list the numbers that are classes in a file and give it with --classes",
        )


def _check_spelling(path: Path, name: str, present: Sequence[str]) -> None:
    folded: dict[str, str] = {}
    for text in present:
        if (other := folded.setdefault(text.casefold(), text)) != text:
            raise DataError(
                f"two classes of {path} differ in upper and lower case alone",
                received=f"{other} and {text} in column {name}",
                remedy="spell them alike, or apart",
            )


def _two_columns(path: Path, number: ColumnValues, text: ColumnValues) -> FeatureClasses:
    codes, known = _coded(number)
    pairs: dict[int, str] = {}
    for code, is_known, name in zip(codes.tolist(), known.tolist(), text.texts, strict=True):
        if not is_known or name is None:
            continue
        if pairs.setdefault(code, name) != name:
            raise DataError(
                f"{path} gives one class two names",
                received=f"{code} is {pairs[code]} and {name} in columns {number.name} and "
                f"{text.name}",
                remedy=f"name the column that is right with --class-column {text.name}",
            )
    said = f"{number.name} with names from {text.name}"
    return FeatureClasses(codes, known, pairs, False, said, _marks(number))
