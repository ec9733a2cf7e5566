"""Which columns of a vector layer or table hold the class, and what they say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.class_list import ClassEntry
from hsitf.scenes.labels.base import MAX_LABEL

USUAL_COLUMNS = {
    *("class", "classes", "label", "labels", "category", "landcover", "land_cover"),
    *("classid", "class_id", "class_no", "class_num", "class_number", "class_code", "label_id"),
    *("classname", "class_name", "labelname", "label_name"),
}
"""Names of columns that are taken for the class, in lower case."""

Columns = Mapping[str, Sequence[Any]]
_Cell = int | str | None


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
    """

    numbers: NDArray[np.int64]
    known: NDArray[np.bool_]
    names: Mapping[int, str]
    is_text: bool
    column: str


def feature_classes(
    path: Path, columns: Columns, chosen: str | None, listed: Mapping[int, ClassEntry]
) -> FeatureClasses:
    """Reads the class of each feature.

    A column of whole numbers holds numbers of classes; one of text holds names, which are
    numbered by the user's list, or in their order. Two columns are a number and its name.

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
    cells = {name: _cells(path, name, columns[name]) for name in names}
    numeric = [name for name in names if _is_numeric(cells[name])]
    if len(names) == 1:
        return _one_column(path, names[0], cells[names[0]], bool(numeric), listed)
    text = [name for name in names if name not in numeric]
    if len(names) == 2 and len(numeric) == 1:
        return _two_columns(path, (numeric[0], text[0]), cells)
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


def _cells(path: Path, name: str, values: Sequence[Any]) -> list[_Cell]:
    found: list[_Cell] = []
    for value in values:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or (isinstance(value, float) and math.isnan(value)):
            found.append(None)
        elif isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            found.append(int(value))
        elif isinstance(value, str):
            found.append(value.strip() or None)
        else:
            raise _no_classes(path, name, value)
    texts = [cell for cell in found if isinstance(cell, str)]
    if not texts or len(texts) < sum(cell is not None for cell in found):
        return found
    if not all(_is_number(text) for text in texts):
        return found
    if fraction := next((text for text in texts if not float(text).is_integer()), None):
        raise _no_classes(path, name, fraction)
    return [None if cell is None else int(float(cell)) for cell in found]


def _no_classes(path: Path, name: str, received: object) -> DataError:
    return DataError(
        f"column {name} of {path} holds neither numbers nor names of classes",
        received=repr(received)[:80],
        allowed="whole numbers or text",
        remedy="name another column with --class-column",
    )


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < 2**53
    except ValueError:
        return False


def _is_numeric(cells: Sequence[_Cell]) -> bool:
    return all(isinstance(cell, int) for cell in cells if cell is not None)


def _one_column(
    path: Path,
    name: str,
    cells: Sequence[_Cell],
    numeric: bool,
    listed: Mapping[int, ClassEntry],
) -> FeatureClasses:
    known = np.array([cell is not None for cell in cells], bool)
    if not known.any():
        raise DataError(
            f"column {name} of {path} is empty",
            remedy="name the column that holds the class with --class-column",
        )
    if numeric:
        numbers = [0 if cell is None else int(cell) for cell in cells]
        _check_zero(path, name, numbers, known, listed)
        return FeatureClasses(np.array(numbers, np.int64), known, {}, False, name)
    texts = ["" if cell is None else str(cell) for cell in cells]
    present = sorted({text for text in texts if text})
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
    coded = np.array([order.get(text, 0) for text in texts], np.int64)
    return FeatureClasses(coded, known, {order[text]: text for text in present}, True, name)


def _check_zero(
    path: Path,
    name: str,
    numbers: Sequence[int],
    known: NDArray[np.bool_],
    listed: Mapping[int, ClassEntry],
) -> None:
    given = np.array(numbers, np.int64)[known]
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


def _two_columns(
    path: Path, names: tuple[str, str], cells: Mapping[str, Sequence[_Cell]]
) -> FeatureClasses:
    number, text = names
    pairs: dict[int, str] = {}
    for code, name in zip(cells[number], cells[text], strict=True):
        if code is None or name is None:
            continue
        assert isinstance(code, int)
        if pairs.setdefault(code, str(name)) != name:
            raise DataError(
                f"{path} gives one class two names",
                received=f"{code} is {pairs[code]} and {name} in columns {number} and {text}",
                remedy=f"name the column that is right with --class-column {text}",
            )
    known = np.array([code is not None for code in cells[number]], bool)
    if not known.any():
        raise DataError(f"column {number} of {path} is empty")
    codes = [0 if code is None else code for code in cells[number]]
    return FeatureClasses(
        np.array(codes, np.int64), known, pairs, False, f"{number} with names from {text}"
    )
