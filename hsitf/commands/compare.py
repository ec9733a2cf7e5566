"""`hsitf compare`: compares networks or recipes, pair by pair, on the same test pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsitf.commands.application import application, verb

app = application("Compares trained networks on the same test pixels.")


@verb(app)
def compare(
    sides: Annotated[
        list[str] | None,
        typer.Argument(
            help="Two or more: a run, a summary, or a pattern in quotes; NAME=PATHS names it."
        ),
    ] = None,
    side: Annotated[
        list[str] | None,
        typer.Option(
            "--side",
            help="NAME=PATH, for a path with = or commas; repeated, more paths or more sides.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of record and figure; else in models/."),
    ] = None,
) -> None:
    """Prints mean differences with intervals and tests, over the splits that two sides share.

    Writes comparison.json and comparison.png to models/<scene>/comparisons/<sides>/.
    """
    from hsitf import records
    from hsitf.log_silencing import load_keras

    load_keras()
    from hsitf.compare.comparison import compare as compared
    from hsitf.compare.comparison import comparison_path
    from hsitf.compare.figure import draw_comparison
    from hsitf.compare.sides import read_sides
    from hsitf.compare.table import format_comparison
    from hsitf.runs import MODELS

    record = compared(read_sides(sides or (), side or ()))
    folder = out or comparison_path(record, MODELS)
    records.write(record, folder / "comparison.json")
    draw_comparison(record, folder / "comparison.png")
    print(f"{format_comparison(record)}\nRecord and figure: {folder}.")
