"""Results as tables: one row a cell, and one a cell over its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from hsitf.errors import InputError
from hsitf.files import replacing
from hsitf.sweep.record import MEANS, RESULTS, SPREADSHEET, StudyResults, setting_names, value_names
from hsitf.tables import plain_cell, write_csv

EXTRA = "pip install '.[spreadsheet]' in hsitf's folder"

Row = Sequence[object]
# Values whose column is called otherwise, since a setting has their name.
_COLUMN_NAMES = {"bands": "inputs"}
# Columns of results.csv between the settings and the values, and behind them.
_STATE = ("grids", "status", "message")
_REST = ("seconds", "cpu_seconds", "created", "trained", "run", "bits_record", "bundle", "cell")


def write(results: StudyResults, spreadsheet: bool) -> list[Path]:
    """Writes the tables of a study, complete or not, beside its record.

    Args:
        results: Results of the study.
        spreadsheet: Whether to write results.xlsx, too.

    Returns:
        The files written.

    Raises:
        InputError: The package for spreadsheets is not installed.
        OutputError: They cannot be written.
    """
    tables = {RESULTS: rows(results), MEANS: mean_rows(results)}
    for name, table in tables.items():
        with (
            replacing(results.folder / name) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as stream,
        ):
            write_csv(table, stream)
    written = [results.folder / name for name in tables]
    if spreadsheet:
        written.append(results.folder / SPREADSHEET)
        _write_spreadsheet(tables, written[-1])
    return written


def rows(results: StudyResults) -> list[Row]:
    """The head and one row a finished or failed cell."""
    grids = {cell.settings.id: " ".join(cell.grids) for cell in results.study.cells}
    found: list[Row] = [[*setting_names(), *_STATE, *_value_columns(), *_REST]]
    for record in results.records:
        values = {} if record.values is None else asdict(record.values)
        paths = record.paths
        found.append(
            [
                *asdict(record.settings).values(),
                grids[record.settings.id],
                record.status,
                record.message,
                *(values.get(name) for name in value_names()),
                record.seconds,
                record.cpu_seconds,
                record.created,
                paths.trained,
                paths.run,
                paths.bits,
                paths.bundle,
                record.settings.id,
            ]
        )
    return found


def mean_rows(results: StudyResults) -> list[Row]:
    """The head and one row for finished cells that differ in their seed alone.

    Each value has two columns, its mean and the half-width of its 95 % interval by Student's t,
    which is empty where there is a single seed.
    """
    settings = [name for name in setting_names() if name != "seed"]
    columns = [column for name in _value_columns() for column in (name, f"{name}_half_width")]
    found: list[Row] = [[*settings, "grids", "seeds", *columns]]
    for mean in results.means:
        own = asdict(mean.settings)
        cells: list[object] = [own[name] for name in settings]
        cells += [" ".join(mean.grids), len(mean.seeds)]
        for name in value_names():
            one = mean.values.get(name)
            cells.append(one and one.mean)
            cells.append(None if one is None or math.isnan(one.half_width) else one.half_width)
        found.append(cells)
    return found


def _value_columns() -> list[str]:
    """Names of the columns of values, each unlike those of the settings."""
    return [_COLUMN_NAMES.get(name, name) for name in value_names()]


def check_spreadsheet() -> None:
    """Refuses a spreadsheet where the package for it is not installed.

    Raises:
        InputError: It is not.
    """
    try:
        import openpyxl  # noqa: F401
    except ImportError as error:
        raise InputError(
            "spreadsheets need openpyxl",
            received="an environment without it",
            remedy=f"install it: {EXTRA}",
        ) from error


def _write_spreadsheet(tables: dict[str, list[Row]], path: Path) -> None:
    check_spreadsheet()
    from openpyxl import Workbook

    # Rows are written as they come, so that a large study does not lie in memory twice.
    book = Workbook(write_only=True)
    for name, table in tables.items():
        sheet = book.create_sheet(name.removesuffix(".csv"))
        sheet.freeze_panes = "A2"
        for row in table:
            sheet.append([plain_cell(cell) for cell in row])
    with replacing(path) as temporary:
        book.save(temporary)
