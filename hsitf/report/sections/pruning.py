"""What pruning removed, and what that cost."""

from __future__ import annotations

from hsitf.prune.record import PruningCurve
from hsitf.report import drawing
from hsitf.report.data import ReportData
from hsitf.report.document import Block, Chart, Gallery, ReportTable, Section
from hsitf.report.drawing import ChartLine
from hsitf.report.formatting import number, percent, points, size


def section(data: ReportData) -> Section | None:
    """Pruned networks and curves."""
    blocks: list[Block] = []
    pruned = [run for run in data.runs if run.record.pruning is not None]
    if pruned:
        rows = []
        stages = [run.record.pruning.after for run in pruned if run.record.pruning]
        variants = tuple(dict.fromkeys(name for one in stages for name in one.compressed_files))
        for run in pruned:
            pruning = run.record.pruning
            if pruning is None:
                continue
            before, after = pruning.before, pruning.after
            rows.append(
                (
                    data.names[str(run.folder)],
                    f"{pruning.criterion} {pruning.target}",
                    percent(after.parameters / before.parameters, 1),
                    percent(after.macs / before.macs, 1),
                    *(
                        size(after.files[name].bytes) if name in after.files else "-"
                        for name in variants
                    ),
                    percent(before.oa),
                    percent(pruning.thinned.oa),
                    percent(after.oa),
                    points(after.oa - before.oa),
                )
            )
        head = (
            "network",
            "pruned by",
            "parameters left",
            "MACs left",
            *(f"{name} file" for name in variants),
            "OA before",
            "OA pruned",
            "OA after",
            "change, points",
        )
        blocks.append(
            ReportTable(
                "pruned",
                "Pruned networks; channels were removed, not zeroed, where the kind is channels.",
                head,
                tuple(rows),
                text_columns=2,
            )
        )
    charts: list[Chart] = []
    with drawing.style():
        for number, curve in enumerate(data.curves, start=1):
            charts.append(
                Chart(
                    f"curve-{number}",
                    f"{curve.network}: channels chosen by {curve.criterion}, "
                    f"{curve.epochs} epochs of fine-tuning.",
                    drawing.lines(
                        [
                            ChartLine(
                                "pruned",
                                [p.target for p in curve.points],
                                [100 * p.thinned.oa for p in curve.points],
                            ),
                            ChartLine(
                                "fine-tuned",
                                [p.target for p in curve.points],
                                [100 * p.after.oa for p in curve.points],
                            ),
                        ],
                        f"{curve.measure} asked for",
                        "overall accuracy (%)",
                        [("trained", 100 * curve.before.oa)],
                    ),
                )
            )
        for number, sparse in enumerate(data.sparse, start=1):
            zeros = [100 * point.sparse.zero_share for point in sparse.points]
            charts.append(
                Chart(
                    f"sparse-{number}",
                    f"{sparse.network}: unstructured pruning below alpha standard deviations.",
                    drawing.lines(
                        [
                            ChartLine("pruned", zeros, [100 * p.oa_pruned for p in sparse.points]),
                            ChartLine("in the end", zeros, [100 * p.oa for p in sparse.points]),
                        ],
                        "sparsity of the weights (%)",
                        "overall accuracy (%)",
                        [("trained", 100 * sparse.oa)],
                    ),
                )
            )
    if charts:
        blocks.append(Gallery(tuple(charts)))
    blocks += [
        _curve(curve_number, curve) for curve_number, curve in enumerate(data.curves, start=1)
    ]
    return Section("pruning", "Pruning", tuple(blocks)) if blocks else None


def _curve(curve_number: int, curve: PruningCurve) -> ReportTable:
    variants = tuple(curve.before.files)
    head = (
        curve.measure,
        "parameters",
        "MACs",
        *(f"{variant} file" for variant in variants),
        *(f"{variant}, ms" for variant in variants),
        "OA pruned",
        "OA fine-tuned",
        "change, points",
    )
    standings = [("before", curve.before, curve.before)]
    standings += [(f"{point.target:g}", point.thinned, point.after) for point in curve.points]
    rows = tuple(
        (
            name,
            number(after.parameters),
            number(after.macs),
            *(size(after.files[variant].bytes) for variant in variants),
            *(f"{after.files[variant].milliseconds:.3f}" for variant in variants),
            percent(thinned.oa),
            percent(after.oa),
            points(after.oa - curve.before.oa),
        )
        for name, thinned, after in standings
    )
    return ReportTable(
        f"curve-{curve_number}",
        f"{curve.network} pruned by {curve.criterion}; times of one "
        f"patch in turns on {curve.processor}.",
        head,
        rows,
    )
