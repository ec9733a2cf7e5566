"""Curves: what is left of a network, and what it is worth, over how much is pruned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hsitf import records
from hsitf.errors import InputError
from hsitf.export.convert import trials
from hsitf.measure import processor
from hsitf.progress import Progress
from hsitf.prune.figure import draw_curve, draw_sparse
from hsitf.prune.order import Order
from hsitf.prune.record import Curve, Point, SparseCurve
from hsitf.prune.run import prune
from hsitf.prune.sparse_curve import sparse_curve
from hsitf.prune.thresholds import Thresholds
from hsitf.records import SceneChoice, Standing
from hsitf.runs import Run
from hsitf.tables import aligned

RECORD = "curve.json"
CURVE_ORDER = "order.json"
FIGURES = ("curve.png", "curve.svg")


@dataclass(frozen=True)
class CurveOrder:
    """What a curve's folder was begun for."""

    schema: int
    origin_sha256: str
    orders: tuple[Order, ...]


def curve(
    origin: Run,
    orders: Sequence[Order],
    name: str | None,
    progress: Progress,
    choice: SceneChoice | None = None,
    threads: int = 1,
) -> tuple[Curve, Path]:
    """Prunes a network to several targets and writes their record and figures.

    Every point is a run of its own, finished runs are not repeated; latency is measured again
    for all of them in turns.

    Args:
        origin: The trained network.
        orders: What to remove; alike but for the target.
        name: Of the curve's folder, beside the origin's; told from the order where None. The
            runs are named after it.
        progress: Told what happens.
        choice: Where the scene is now, if not where the run found it.
        threads: That latency is measured with.

    Returns:
        The curve, and the folder that holds it.

    Raises:
        HsitfError: As `prune`.
    """
    first = orders[0]
    place = origin.folder.parent / (
        name or f"{origin.folder.name}-{first.label}-curve{len(orders)}"
    )
    _own(place, origin, orders)
    folders = [f"{name}-{order.asked.replace(' ', '')}" if name else None for order in orders]
    done = [
        prune(origin, order, folder, progress, choice, threads)
        for order, folder in zip(orders, folders, strict=True)
    ]
    networks = {"before": origin.network()} | {str(run.folder): run.network() for run in done}
    measured = trials(networks, origin.data(choice), threads)

    def timed(standing: Standing, network: str) -> Standing:
        trial = measured[network]
        return replace(
            standing, ms_float32=trial["float32"].milliseconds, ms_int8=trial["int8"].milliseconds
        )

    points, before = [], None
    for order, run in zip(orders, done, strict=True):
        pruning, key = run.record.pruning, str(run.folder)
        if pruning is None:
            raise ValueError("a run made by prune has no pruning in its record")
        before = timed(pruning.before, "before")
        points.append(
            Point(order.target, key, timed(pruning.thinned, key), timed(pruning.after, key))
        )
    if before is None:
        raise ValueError("a curve has points")
    record = origin.record
    found = Curve(
        records.SCHEMA,
        record.plan.network,
        record.scene.name,
        record.scene.synthetic,
        str(origin.folder),
        record.sha256,
        first.chosen_by,
        first.measure,
        first.recipe.epochs,
        before,
        tuple(points),
        processor(),
    )
    records.write(found, place / RECORD)
    for figure in FIGURES:
        draw_curve(found, place / figure)
    return found, place


def sparse(
    origin: Run,
    orders: Sequence[Order],
    name: str | None,
    progress: Progress,
    choice: SceneChoice | None = None,
) -> tuple[SparseCurve, Path]:
    """Prunes single weights of a network at several thresholds, each time from the start.

    Args:
        origin: The trained network.
        orders: What to remove, with alpha as measure.
        name: Of the curve's folder, beside the origin's; told from the origin's where None.
        progress: Told what happens.
        choice: Where the scene is now, if not where the run found it.

    Returns:
        The curve, and the folder that holds its record and figures.

    Raises:
        HsitfError: As `sparse_curve`.
    """
    place = origin.folder.parent / (name or f"{origin.folder.name}-magnitude-alpha-curve")
    first = orders[0]
    if first.schedule != "one-shot" or first.max_drop is not None:
        raise InputError(
            "a curve of alphas prunes at once, whatever it costs",
            received="--cuts or --max-drop",
            remedy="leave them out",
        )
    _own(place, origin, orders)
    steps = [Thresholds(order.target) for order in orders]
    found = sparse_curve(
        origin, origin.data(choice), orders[0].recipe, place / RECORD, progress, steps
    )
    for figure in FIGURES:
        draw_sparse(found, place / figure)
    return found, place


def _own(place: Path, origin: Run, orders: Sequence[Order]) -> None:
    """Refuses a folder that holds something else than this curve."""
    kept = place / CURVE_ORDER
    asked = CurveOrder(records.SCHEMA, origin.record.sha256, tuple(orders))
    if kept.is_file() and records.read(CurveOrder, kept) == asked:
        return
    if place.exists():
        raise InputError(
            f"{place} belongs to another run or curve",
            received="other contents",
            remedy="give this curve another name with --run, or remove that folder",
        )
    records.write(asked, kept)


def table(found: Curve) -> str:
    """One line a target, the original first."""
    head = (
        found.measure,
        "parameters",
        "MACs",
        "float32",
        "int8",
        "float32 ms",
        "int8 ms",
        "OA cut",
        "OA",
        "change",
    )
    rows = [_row("before", found.before, found.before, found.before)]
    rows += [_row(f"{p.target:g}", p.thinned, p.after, found.before) for p in found.points]
    synthetic = ", a synthetic scene" if found.synthetic else ""
    title = (
        f"{found.network} on {found.scene}{synthetic}: pruned by {found.criterion}, "
        f"{found.epochs} epochs of fine-tuning"
    )
    return "\n".join([title, aligned(head, rows), f"Latency of one patch: {found.processor}."])


def _row(name: str, cut: Standing, after: Standing, before: Standing) -> tuple[str, ...]:
    return (
        name,
        f"{after.parameters:,}",
        f"{after.macs:,}",
        f"{after.bytes_float32:,}",
        f"{after.bytes_int8:,}",
        f"{after.ms_float32:.3f}",
        f"{after.ms_int8:.3f}",
        f"{cut.oa:.2%}",
        f"{after.oa:.2%}",
        f"{100 * (after.oa - before.oa):+.2f}",
    )
