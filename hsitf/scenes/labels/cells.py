"""What the values of a column say: numbers of classes, names of classes, or no class."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from hsitf.errors import DataError

NO_CLASS = {"na", "nan", "n/a", "null", "none", "-"}
"""Text that means no class among numbers, in lower case."""

# Python's own conversion takes more than tables mean by a number: inf, 1_0, digits of any script.
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,6})?")
_LIMIT = 2**63
# Odd values that a message shows.
_MAX_SHOWN = 10


@dataclass(frozen=True, eq=False)
class ColumnValues:
    """The values of a column, as text and as numbers.

    Attributes:
        path: The file, for messages.
        name: The column.
        texts: Each value as it is written; None where it is empty.
        numbers: The number of each value; None where it is none.
        odd: Values that are neither numbers nor mean no class, each once, in their order.
        marks: Values of `NO_CLASS` that occur, each once, in their order.
    """

    path: Path
    name: str
    texts: Sequence[str | None]
    numbers: Sequence[Decimal | None]
    odd: tuple[str, ...]
    marks: tuple[str, ...]

    @property
    def has_numbers(self) -> bool:
        """Whether any value is a number."""
        return any(number is not None for number in self.numbers)

    @property
    def is_numeric(self) -> bool:
        """Whether all values are numbers or mean no class."""
        return not self.odd

    @property
    def is_mixed(self) -> bool:
        """Whether numbers and other text occur."""
        return bool(self.odd) and self.has_numbers

    def as_numbers(self) -> list[int | None]:
        """The number of the class of each feature; None without one.

        Raises:
            DataError: A number is not whole, or exceeds 64 bits.
        """
        for number, text in zip(self.numbers, self.texts, strict=True):
            if number is None:
                continue
            if not -_LIMIT <= number < _LIMIT:
                raise DataError(
                    f"column {self.name} of {self.path} holds numbers that cannot be labels",
                    received=str(text)[:80],
                    allowed=f"whole numbers up to {_LIMIT - 1:,}",
                    remedy="renumber the classes, or name another column with --class-column",
                )
            if number != number.to_integral_value():
                raise _no_classes(self.path, self.name, text)
        return [None if number is None else int(number) for number in self.numbers]

    def as_names(self) -> list[str | None]:
        """The name of the class of each feature; None without one.

        Text of `NO_CLASS` is a name unless numbers occur.
        """
        if not self.has_numbers:
            return list(self.texts)
        return [None if text in self.marks else text for text in self.texts]

    def two_readings(self) -> DataError:
        """The error of a column of numbers and other text."""
        shown = ", ".join(repr(text[:40]) for text in self.odd[:_MAX_SHOWN])
        more = f" and {len(self.odd) - _MAX_SHOWN} others" if len(self.odd) > _MAX_SHOWN else ""
        return DataError(
            f"{self.path} can be read in two ways",
            received=f"{shown}{more} among numbers in column {self.name}",
            allowed="numbers of classes, or names of classes; no class is empty, NA, NaN, N/A, "
            "null, none or -",
            remedy="name the classes all as text, or correct these values",
        )


def column_values(path: Path, name: str, values: Sequence[Any]) -> ColumnValues:
    """Reads the values of a column.

    Raises:
        DataError: A value is neither a number nor text.
    """
    texts = [_text(path, name, value) for value in values]
    parsed: Mapping[str | None, Decimal | None] = {
        text: None if text is None else _number(text) for text in dict.fromkeys(texts)
    }
    others = [text for text, number in parsed.items() if text is not None and number is None]
    return ColumnValues(
        path,
        name,
        texts,
        [parsed[text] for text in texts],
        odd=tuple(text for text in others if text.casefold() not in NO_CLASS),
        marks=tuple(text for text in others if text.casefold() in NO_CLASS),
    )


def name_order(name: str) -> tuple[bool, Decimal, str]:
    """A key that sorts names that are numbers by their size, before all others."""
    number = _number(name)
    return number is None, Decimal(0) if number is None else number, name


def _text(path: Path, name: str, value: object) -> str | None:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int):
        return str(int(value))
    raise _no_classes(path, name, value)


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _no_classes(path: Path, name: str, received: object) -> DataError:
    return DataError(
        f"column {name} of {path} holds neither numbers nor names of classes",
        received=repr(received)[:80],
        allowed="whole numbers or text",
        remedy="name another column with --class-column",
    )
