"""The table that ends a sweep."""

from __future__ import annotations

import math

from hsitf.sweep.record import Mean, StudyResults
from hsitf.tables import aligned

# More lines than this are read in a spreadsheet, not in a terminal.
_MOST_ROWS = 60
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


def table(results: StudyResults) -> str:
    """One line a mean under the study's title; what failed, and where everything lies."""
    study = results.study
    names = [
        f"{scene.name} (synthetic)" if scene.synthetic else scene.name
        for scene in study.scenes.values()
    ]
    lines = [f"{study.title}, {', '.join(names)}"]
    means = results.means
    if means:
        lines.append(aligned(_HEAD, [_row(mean) for mean in means[:_MOST_ROWS]], left=4))
    if len(means) > _MOST_ROWS:
        lines.append(f"{len(means) - _MOST_ROWS} more lines are in means.csv.")
    lines += [f"Failed: {one.settings.text}: {one.message}" for one in results.failed]
    if results.pending:
        lines.append(f"{len(results.pending)} cells have not been run; repeat the command.")
    return "\n".join([*lines, f"Results: {results.folder}."])


def _row(mean: Mean) -> tuple[str, ...]:
    own, values = mean.settings, mean.values
    oa, half = values["oa"].mean, values["oa"].half
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
