"""Plain text tables for the terminal."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import IO


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """A table with its columns lined up and its head between rules.

    Args:
        head: Names of the columns.
        rows: Rows of cells, as many per row as there are column names.
        text_columns: Number of leading columns that are left-aligned as text; the others are
            right-aligned as numbers.
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if column < text_columns else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]
    rule = "-" * max(map(len, lines))
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


# What spreadsheets take for the beginning of a formula, and texts of numbers that begin likewise.
_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NUMBERS = re.compile(r"[+\-]?[\d.,eE%\u00b1/ +\-]*(points|nm|ms|s|x)?")


def plain_cell(value: object) -> object:
    """A cell of a spreadsheet or CSV file that is shown as it is, and never computed.

    Names of classes, scenes and files come from elsewhere. One such as `=HYPERLINK(...)` gets an
    apostrophe in front, which spreadsheets take for the mark of a text.
    """
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBERS.fullmatch(value):
        return f"'{value}"
    return value


def write_csv(rows: Iterable[Iterable[object]], stream: IO[str]) -> None:
    """Writes rows of cells, none of which is a formula."""
    csv.writer(stream).writerows([plain_cell(cell) for cell in row] for row in rows)
