"""Studies written beside the trained network: record, figures, and the table that is printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hsitf import records
from hsitf.progress import Progress
from hsitf.quantize.figure import draw_layers, draw_study
from hsitf.quantize.request import CALIBRATION_PATCHES, Order
from hsitf.quantize.schemes import Bits
from hsitf.quantize.sensitivity import sensitivity
from hsitf.quantize.study import study
from hsitf.quantize.table import layer_table, table
from hsitf.records import SceneChoice
from hsitf.runs import Run

FIGURES = (".png", ".svg")


def report_study(
    run: Run,
    bits: Sequence[Bits],
    order: Order,
    progress: Progress,
    choice: SceneChoice | None = None,
) -> str:
    """Runs a bit study, writes it and returns its table; see `study.study`."""
    path = place(run, "bits", order).with_suffix(".json")
    found = study(run, bits, order, path, progress, choice)
    return "\n".join([table(found), _drawn(path, lambda figure: draw_study(found, figure))])


def report_layers(
    run: Run, bits: Bits, order: Order, progress: Progress, choice: SceneChoice | None = None
) -> str:
    """Measures each layer, writes what was found and returns its table; see `sensitivity`."""
    found = sensitivity(run, bits, order, progress, choice)
    path = place(run, f"layers-{str(bits).replace(',', '-')}", order).with_suffix(".json")
    records.write(found, path)
    return "\n".join([layer_table(found), _drawn(path, lambda figure: draw_layers(found, figure))])


def place(run: Run, what: str, order: Order) -> Path:
    """Where a study of a run lies: in a folder beside it, one file for each order."""
    scheme = order.scheme
    name = f"{what}-{scheme.weights}-{scheme.activations}-{scheme.method}"
    if order.most:
        name += f"-{order.most}"
    if order.calibration != CALIBRATION_PATCHES:
        name += f"-of{order.calibration}"
    return run.folder.with_name(f"{run.folder.name}-quantized") / name


def _drawn(path: Path, draw: Callable[[Path], None]) -> str:
    figures = [path.with_suffix(suffix) for suffix in FIGURES]
    for figure in figures:
        draw(figure)
    return "\n".join(f"Wrote {written}." for written in (path, *figures))
