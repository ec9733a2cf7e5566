"""`hsitf report`: what runs and studies found, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.progress import Terminal

app = application("Writes the HTML report of runs or of a study.")


@verb(app)
def report(
    paths: Annotated[
        list[Path], typer.Argument(help="Runs, folders of runs (of one scene), or one study.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write to; else reports/<name>/.")
    ] = None,
    data_dir: options.DataDir = None,
    export: Annotated[
        Path, typer.Option("--export", help="Folder of exported files and results of bench.")
    ] = Path("export"),
    maps: Annotated[
        list[Path] | None,
        typer.Option("--map", help="Map of the whole scene (.tif, .hdr) by classify; repeatable."),
    ] = None,
) -> None:
    """Writes report.html, with its figures (SVG, PNG) and tables (CSV) beside it.

    Made from records alone: networks are not loaded, nothing is computed again.
    """
    from hsitf.report.data import ReportOptions
    from hsitf.report.make import write_report as make

    wanted = ReportOptions(tuple(paths), data_dir, export, tuple(maps or ()))
    with Terminal() as progress:
        page = make(wanted, out, progress)
    print(f"Wrote {page} ({page.stat().st_size / 1e6:.1f} MB).")
