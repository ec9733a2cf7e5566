"""From records to a page."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from hsitf import records
from hsitf.progress import Progress
from hsitf.report.data import ReportOptions, gather_data
from hsitf.report.page import PageHead, write
from hsitf.report.sections import SECTIONS

REPORTS = Path("reports")


def write_report(options: ReportOptions, out: Path | None, progress: Progress) -> Path:
    """Writes a report.

    Args:
        options: The records to report.
        out: Folder to write to; `reports/<name of the first path>` where None.
        progress: Receives progress messages.

    Returns:
        The page.

    Raises:
        InputError: There is nothing to report.
        DataError: A named record is damaged.
        OutputError: The page cannot be written.
    """
    progress.start("reading records", 1)
    material = gather_data(options)
    progress.advance(1)
    progress.start("drawing", len(SECTIONS))
    made = []
    for module in SECTIONS:
        found = module.section(material)
        if found is not None:
            made.append(found)
        progress.advance(1, module.__name__.rpartition(".")[2])
    described = material.scene_record
    rows, cols, bands = described.shape
    head = PageHead(
        material.title,
        f"{described.name}, {rows} x {cols} pixels, {bands} bands, "
        f"{len(described.class_names)} classes.",
        described.synthetic,
        f"Made from records by hsitf {records.versions()['hsitf']} on {date.today()}: "
        f"{records.command()}",
    )
    return write(head, made, out or REPORTS / _name(options.paths[0]))


def _name(path: Path) -> str:
    """Name of the folder: the last parts of the path that distinguish runs."""
    return (
        "-".join(path.resolve().parts[-3:])
        if (path / "record.json").is_file()
        else (path.resolve().name)
    )
