"""Pruning curves: accuracy and cost of a network over the pruning target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hsitf import records
from hsitf.compat import formerly
from hsitf.errors import InputError
from hsitf.export.convert import measure_files
from hsitf.files import is_unused
from hsitf.locks import one_writer
from hsitf.measure import processor
from hsitf.progress import Progress
from hsitf.prune.figure import draw_curve, draw_sparse
from hsitf.prune.record import CurvePoint, PruningCurve, SparseCurve
from hsitf.prune.request import PruningRequest
from hsitf.prune.run import prune
from hsitf.prune.sparse_curve import sparse_curve
from hsitf.records import ModelStats, SceneChoice
from hsitf.runs import Run
from hsitf.tables import format_table

RECORD = "curve.json"
CURVE_REQUEST = "order.json"
FIGURES = ("curve.png", "curve.svg")


@formerly(requests="orders")
@dataclass(frozen=True)
class CurveRequest:
    """What a curve's folder was begun for."""

    schema: int
    origin_sha256: str
    requests: tuple[PruningRequest, ...]


def prune_curve(
    origin: Run,
    requests: Sequence[PruningRequest],
    name: str | None,
    progress: Progress,
    choice: SceneChoice | None = None,
    threads: int = 1,
) -> tuple[PruningCurve, Path]:
    """Prunes a network to several targets and writes their record and figures.

    Every point is a run of its own, finished runs are not repeated; latency is measured again
    for all of them in turns.

    Args:
        origin: The trained network.
        requests: Pruning requests that differ in the target only.
        name: Name of the curve's folder, beside the origin's; derived from the request where None.
            The runs are named after it.
        progress: Receives progress messages.
        choice: Where the scene is now, if not at the path of the record.
        threads: Number of threads of the latency measurement.

    Returns:
        The curve, and the folder that holds it.

    Raises:
        HsitfError: As `prune`.
    """
    first = requests[0]
    curve_folder = origin.folder.parent / (
        name or f"{origin.folder.name}-{first.label}-curve{len(requests)}"
    )
    with one_writer(progress.say, curve_folder):
        _check_folder(curve_folder, origin, requests)
        return _curve(origin, requests, name, curve_folder, progress, choice, threads), curve_folder


def _curve(
    origin: Run,
    requests: Sequence[PruningRequest],
    name: str | None,
    curve_folder: Path,
    progress: Progress,
    choice: SceneChoice | None,
    threads: int,
) -> PruningCurve:
    """The curve that is written to a folder; see `prune_curve`."""
    first = requests[0]
    folders = [
        f"{name}-{order.target_text.replace(' ', '')}" if name else None for order in requests
    ]
    done = [
        prune(origin, order, folder, progress, choice, threads)
        for order, folder in zip(requests, folders, strict=True)
    ]
    networks = {"before": origin.network()} | {str(run.folder): run.network() for run in done}
    measured = measure_files(networks, origin.data(choice), threads)

    def timed(stats: ModelStats, network: str) -> ModelStats:
        return replace(stats, files=measured[network])

    points, before = [], None
    for request, run in zip(requests, done, strict=True):
        pruning, key = run.record.pruning, str(run.folder)
        if pruning is None:
            raise ValueError("a run made by prune has no pruning in its record")
        before = timed(pruning.before, "before")
        points.append(
            CurvePoint(request.target, key, timed(pruning.thinned, key), timed(pruning.after, key))
        )
    if before is None:
        raise ValueError("a curve has points")
    record = origin.record
    found = PruningCurve(
        records.SCHEMA,
        record.plan.network,
        record.scene.name,
        record.scene.synthetic,
        str(origin.folder),
        record.sha256,
        first.criterion_name,
        first.measure,
        first.recipe.epochs,
        before,
        tuple(points),
        processor(),
    )
    records.write(found, curve_folder / RECORD)
    for figure in FIGURES:
        draw_curve(found, curve_folder / figure)
    return found


def prune_sparse_curve(
    origin: Run,
    requests: Sequence[PruningRequest],
    name: str | None,
    progress: Progress,
    choice: SceneChoice | None = None,
) -> tuple[SparseCurve, Path]:
    """Prunes single weights of a network at several thresholds, each time from the start.

    Args:
        origin: The trained network.
        requests: Pruning requests with alpha as the measure.
        name: Name of the curve's folder, beside the origin's; derived from the origin's where None.
        progress: Receives progress messages.
        choice: Where the scene is now, if not at the path of the record.

    Returns:
        The curve, and the folder that holds its record and figures.

    Raises:
        HsitfError: As `sparse_curve`.
    """
    first = requests[0]
    layers = "-layers" if first.layer_alphas else ""
    folder = origin.folder.parent / (name or f"{origin.folder.name}-magnitude-alpha{layers}-curve")
    one_shot = first.schedule == "one-shot" and not first.clusters
    if not one_shot or first.max_drop is not None or first.distill:
        raise InputError(
            "a curve over alpha uses one-shot pruning without a bound, codebooks or a teacher",
            received="--schedule, --max-drop, --cluster or --distill",
            remedy="leave them out, or prune to one --alpha at a time",
        )
    steps = [request.thresholds for request in requests]
    with one_writer(progress.say, folder):
        _check_folder(folder, origin, requests)
        found = sparse_curve(
            origin, origin.data(choice), requests[0].recipe, folder / RECORD, progress, steps
        )
        for figure in FIGURES:
            draw_sparse(found, folder / figure)
    return found, folder


def _check_folder(folder: Path, origin: Run, requests: Sequence[PruningRequest]) -> None:
    """Refuses a folder that holds something else than this curve."""
    kept = folder / CURVE_REQUEST
    asked = CurveRequest(records.SCHEMA, origin.record.sha256, tuple(requests))
    if kept.is_file() and records.read(CurveRequest, kept) == asked:
        return
    if not is_unused(folder):
        raise InputError(
            f"{folder} belongs to another run or curve",
            received="other contents",
            remedy="give this curve another name with --run, or remove that folder",
        )
    records.write(asked, kept)


def format_curve(curve: PruningCurve) -> str:
    """One line a target, the original first."""
    variants = tuple(curve.before.files)
    head = (
        curve.measure,
        "parameters",
        "MACs",
        *(f"{variant} bytes" for variant in variants),
        *(f"{variant} ms" for variant in variants),
        "OA pruned",
        "OA fine-tuned",
        "change, points",
    )
    rows = [_row("before", curve.before, curve.before, curve.before)]
    rows += [_row(f"{p.target:g}", p.thinned, p.after, curve.before) for p in curve.points]
    synthetic = ", a synthetic scene" if curve.synthetic else ""
    title = (
        f"{curve.network} on {curve.scene}{synthetic}: pruned by {curve.criterion}, "
        f"{curve.epochs} epochs of fine-tuning"
    )
    return "\n".join(
        [title, format_table(head, rows), f"Latency of one inference: {curve.processor}."]
    )


def _row(name: str, thinned: ModelStats, after: ModelStats, before: ModelStats) -> tuple[str, ...]:
    return (
        name,
        f"{after.parameters:,}",
        f"{after.macs:,}",
        *(f"{after.files[variant].bytes:,}" for variant in before.files),
        *(f"{after.files[variant].milliseconds:.3f}" for variant in before.files),
        f"{thinned.oa:.2%}",
        f"{after.oa:.2%}",
        f"{100 * (after.oa - before.oa):+.2f}",
    )
