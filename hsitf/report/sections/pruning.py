"""What pruning removed, and what that cost."""

from __future__ import annotations

from hsitf.prune.record import Curve
from hsitf.report import drawing
from hsitf.report.document import Block, Chart, Gallery, Section, Table
from hsitf.report.drawing import Line
from hsitf.report.material import Material
from hsitf.report.words import number, percent, points, size


def section(material: Material) -> Section | None:
    """Pruned networks and curves."""
    blocks: list[Block] = []
    pruned = [run for run in material.runs if run.record.pruning is not None]
    if pruned:
        rows = []
        for run in pruned:
            pruning = run.record.pruning
            if pruning is None:
                continue
            before, after = pruning.before, pruning.after
            rows.append(
                (
                    material.names[str(run.folder)],
                    f"{pruning.criterion} {pruning.target}",
                    percent(after.parameters / before.parameters, 1),
                    percent(after.macs / before.macs, 1),
                    size(after.bytes_int8) if after.bytes_int8 else "-",
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
            "int8 file",
            "OA before",
            "OA cut",
            "OA after",
            "change",
        )
        blocks.append(
            Table(
                "pruned",
                "Pruned networks; channels were removed, not zeroed, where the kind is channels.",
                head,
                tuple(rows),
                left=2,
            )
        )
    charts: list[Chart] = []
    with drawing.style():
        for place, curve in enumerate(material.curves, start=1):
            charts.append(
                Chart(
                    f"curve-{place}",
                    f"{curve.network}: channels chosen by {curve.criterion}, "
                    f"{curve.epochs} epochs of fine-tuning.",
                    drawing.lines(
                        [
                            Line(
                                "cut",
                                [p.target for p in curve.points],
                                [100 * p.thinned.oa for p in curve.points],
                            ),
                            Line(
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
        for place, sparse in enumerate(material.sparse, start=1):
            zeros = [100 * point.sparse.zeros for point in sparse.points]
            charts.append(
                Chart(
                    f"sparse-{place}",
                    f"{sparse.network}: single weights below alpha standard deviations go.",
                    drawing.lines(
                        [
                            Line("pruned", zeros, [100 * p.oa_pruned for p in sparse.points]),
                            Line("in the end", zeros, [100 * p.oa for p in sparse.points]),
                        ],
                        "zeros among the weights (%)",
                        "overall accuracy (%)",
                        [("trained", 100 * sparse.oa)],
                    ),
                )
            )
    if charts:
        blocks.append(Gallery(tuple(charts)))
    blocks += [_curve(place, curve) for place, curve in enumerate(material.curves, start=1)]
    return Section("pruning", "Pruning", tuple(blocks)) if blocks else None


def _curve(place: int, curve: Curve) -> Table:
    head = (
        curve.measure,
        "parameters",
        "MACs",
        "float32",
        "int8",
        "float32, ms",
        "int8, ms",
        "OA cut",
        "OA",
        "change",
    )
    standings = [("before", curve.before, curve.before)]
    standings += [(f"{point.target:g}", point.thinned, point.after) for point in curve.points]
    rows = tuple(
        (
            name,
            number(after.parameters),
            number(after.macs),
            size(after.bytes_float32),
            size(after.bytes_int8),
            f"{after.ms_float32:.3f}",
            f"{after.ms_int8:.3f}",
            percent(cut.oa),
            percent(after.oa),
            points(after.oa - curve.before.oa),
        )
        for name, cut, after in standings
    )
    return Table(
        f"curve-{place}",
        f"{curve.network} pruned by {curve.criterion}; times of one "
        f"patch in turns on {curve.processor}.",
        head,
        rows,
    )
