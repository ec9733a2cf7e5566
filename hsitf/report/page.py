"""Sections to files: one page that needs nothing else, and its figures and tables beside it."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from hsitf.figures import Color
from hsitf.files import replacing
from hsitf.report import drawing
from hsitf.report.document import (
    Block,
    Chart,
    Confusion,
    Gallery,
    ReportImage,
    ReportTable,
    Section,
)
from hsitf.tables import write_csv

PAGE = "report.html"
FIGURES, TABLES = "figures", "tables"


@dataclass(frozen=True)
class PageHead:
    """Header and footer of the page.

    Attributes:
        title: Title of the page.
        subtitle: A sentence.
        synthetic: Whether the numbers refer to a synthetic scene; the page then has a badge.
        footer: How the page was made.
    """

    title: str
    subtitle: str
    synthetic: bool
    footer: str


def write(head: PageHead, sections: Sequence[Section], folder: Path) -> Path:
    """Writes `report.html`, `figures/` and `tables/`; the page last.

    Args:
        head: Header and footer of the page.
        sections: The sections in order.
        folder: Folder to write to.

    Returns:
        The page.

    Raises:
        OutputError: Something cannot be written.
    """
    from jinja2 import Environment, StrictUndefined

    shown = [
        {
            "key": section.key,
            "title": section.title,
            "blocks": [_shown(block, folder) for block in section.blocks],
        }
        for section in sections
    ]
    source = resources.files("hsitf.report").joinpath("page.html").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    text = template.render(sections=shown, **vars(head))
    path = folder / PAGE
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _shown(block: Block, folder: Path) -> dict[str, Any]:
    """A block in the form of the page template; its files are written beside the page."""
    kind = type(block).__name__
    if isinstance(block, Gallery):
        return {"kind": kind, "items": [_shown(item, folder) for item in block.items]}
    if isinstance(block, Chart):
        return {"kind": kind} | _chart(block, folder / FIGURES)
    if isinstance(block, ReportImage):
        return {"kind": kind} | _image(block, folder / FIGURES)
    if isinstance(block, ReportTable):
        _csv(folder / TABLES / f"{block.name}.csv", [block.head, *block.rows])
    if isinstance(block, Confusion):
        rows = [(name, *row) for name, row in zip(block.names, block.counts, strict=True)]
        _csv(folder / TABLES / f"{block.name}.csv", [("truth", *block.names), *rows])
    shown = {"kind": kind} | vars(block)
    if isinstance(block, ReportTable | Confusion):
        shown["colors"] = [_css(color) for color in block.colors]
    return shown


def _css(color: Color) -> str:
    red, green, blue = color
    return f"rgb({red} {green} {blue})"


def _chart(chart: Chart, folder: Path) -> dict[str, Any]:
    from markupsafe import Markup

    with drawing.style():
        text, pixels = drawing.svg(chart.figure), drawing.png(chart.figure)
    with replacing(folder / f"{chart.name}.svg") as temporary:
        temporary.write_text(text, encoding="utf-8")
    with replacing(folder / f"{chart.name}.png") as temporary:
        temporary.write_bytes(pixels)
    caption = html.escape(chart.caption, quote=True)
    # Matplotlib escapes what it writes into its SVG.
    svg = Markup(drawing.inline_svg(text, chart.name, caption))
    return {"svg": svg, "caption": chart.caption, "legend": ()}


def _image(image: ReportImage, folder: Path) -> dict[str, Any]:
    pixels = drawing.image(image.pixels)
    with replacing(folder / f"{image.name}.png") as temporary:
        temporary.write_bytes(pixels)
    source = "data:image/png;base64," + base64.b64encode(pixels).decode()
    legend = [(_css(color), name) for color, name in image.legend]
    return {"svg": "", "source": source, "caption": image.caption, "legend": legend}


def _csv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        write_csv(rows, stream)
