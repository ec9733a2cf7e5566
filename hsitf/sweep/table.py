"""The table that ends a sweep."""

from __future__ import annotations

import math
from collections.abc import Callable

from hsitf.sweep.differences import format_differences
from hsitf.sweep.record import CellMean, CellSettings, StudyResults
from hsitf.tables import format_table

# More lines than this are read in a spreadsheet, not in a terminal.
_MAX_ROWS = 60
_HEAD = (
    "network",
    "bands",
    "pruning",
    "bits or file",
    "runs",
    "OA",
    "leakage",
    "parameters",
    "MACs",
    "bytes",
)

# Columns of studies that vary these.
_VARIED: dict[str, Callable[[CellSettings], str]] = {
    "scene": lambda own: own.scene,
    "recipe": lambda own: own.recipe,
    "training": lambda own: own.training.replace(";", ", ") or "as the recipe",
    "labelled": lambda own: str(own.labelled or "all"),
}


def format_study(results: StudyResults) -> str:
    """One line per mean under the study's title, the failures, and the paths of the results."""
    study = results.study
    names = [
        f"{scene.name} (synthetic)" if scene.synthetic else scene.name
        for scene in study.scenes.values()
    ]
    lines = [f"{study.title}, {', '.join(names)}"]
    means = results.means
    if means:
        varied = {
            label: get
            for label, get in _VARIED.items()
            if len({get(mean.settings) for mean in means}) > 1
        }
        rows = [
            (*(get(mean.settings) for get in varied.values()), *_row(mean))
            for mean in means[:_MAX_ROWS]
        ]
        lines.append(format_table((*varied, *_HEAD), rows, text_columns=len(varied) + 4))
    if len(means) > _MAX_ROWS:
        lines.append(f"{len(means) - _MAX_ROWS} more lines are in means.csv.")
    if compared := format_differences(results):
        lines.append(compared)
    lines += [f"Failed: {one.settings.text}: {one.message}" for one in results.failed]
    if results.pending:
        lines.append(f"{len(results.pending)} cells have not been run; repeat the command.")
    return "\n".join([*lines, f"Results: {results.folder}."])


def _row(mean: CellMean) -> tuple[str, ...]:
    own, values = mean.settings, mean.values
    oa, half = values["oa"].mean, values["oa"].half_width
    size = values.get("file_bytes", values.get("weight_bytes"))
    return (
        own.network,
        own.reduction or "all",
        own.pruning,
        own.quantization,
        str(len(mean.seeds)),
        f"{100 * oa:.2f}" + ("" if math.isnan(half) else f" ± {100 * half:.2f}"),
        f"{values['leakage'].mean:.1%}",
        *(f"{values[name].mean:,.0f}" if name in values else "" for name in ("parameters", "macs")),
        f"{size.mean:,.0f}" if size else "",
    )
