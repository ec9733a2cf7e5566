"""Files of classes: a number, a name and a color each, for labels that bring none."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from hsitf.errors import DataError, MissingInputError
from hsitf.scenes.metadata import Color

# A thousand classes with long names take some tens of kilobytes.
MAX_BYTES = 2**20
_MAX_DIGITS = 9
_HEX = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})$")


@dataclass(frozen=True)
class ClassEntry:
    """One class of a label map.

    Attributes:
        name: Its name.
        color: Its color; None where none is given.
    """

    name: str
    color: Color | None = None


def read_classes(path: Path) -> dict[int, ClassEntry]:
    """Reads classes by number from a text file: `number,name` or `number,name,#rrggbb` a line.

    Fields stand between commas, semicolons or tabs; a first line that begins with no number is a
    head, and lines that begin with # are passed over. Numbers that the file does not list are no
    classes.

    Raises:
        InputError: There is no such file.
        DataError: It holds something else.
    """
    path = path.expanduser()
    if not path.is_file():
        raise MissingInputError("there is no file of classes", received=path)
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path} is too large for a file of classes", allowed=f"{MAX_BYTES} bytes")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text file in UTF-8", received=error.reason) from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    separator = next((one for one in "\t;," if lines and one in lines[0]), ",")
    found: dict[int, ClassEntry] = {}
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise DataError(f"{path} is no list of classes", received=str(error)) from error
    for row in rows:
        number = row[0].strip()
        if not _is_number(number):
            if not found and number.lower() in ("number", "class", "id", "value"):
                continue
            raise _no_class(path, separator.join(row))
        if len(row) < 2 or not row[1].strip() or int(number) in found:
            raise _no_class(path, separator.join(row))
        found[int(number)] = ClassEntry(row[1].strip(), _color(path, row[2:]))
    if len(found) < 2:
        raise DataError(f"{path} lists fewer than two classes", received=len(found))
    return found


def _color(path: Path, fields: list[str]) -> Color | None:
    """A color as #rrggbb, or as three numbers up to 255."""
    parts = [field.strip() for field in fields if field.strip()]
    if not parts:
        return None
    match = _HEX.match(parts[0])
    if len(parts) == 1 and match:
        return int(match[1], 16), int(match[2], 16), int(match[3], 16)
    if len(parts) >= 3 and all(_is_number(part) and int(part) <= 255 for part in parts[:3]):
        return int(parts[0]), int(parts[1]), int(parts[2])
    raise DataError(
        f"{path} holds a color that is none",
        received=",".join(parts),
        allowed="#rrggbb, or three numbers from 0 to 255",
    )


def _is_number(text: str) -> bool:
    """Whether a text is a whole number; none that Python refuses to read for its length."""
    return text.isdecimal() and len(text) <= _MAX_DIGITS


def _no_class(path: Path, line: str) -> DataError:
    return DataError(
        f"{path} holds a line that names no class",
        received=line,
        allowed="number,name or number,name,#rrggbb, each number once",
    )
