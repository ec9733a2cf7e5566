"""Accuracy and size on disk of a network over its sparsity."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras

from hsitf import records
from hsitf.data import SceneData
from hsitf.errors import InputError
from hsitf.progress import Progress
from hsitf.prune.dead import dead_channels
from hsitf.prune.record import SparseCurve, SparsePoint
from hsitf.prune.sparse import one_shot, retrain
from hsitf.prune.sparsity import Sparsity
from hsitf.prune.thinning import thin
from hsitf.prune.thresholds import Thresholds
from hsitf.prune.weights import apply_masks, masks_by_threshold
from hsitf.records import TrainingPlan
from hsitf.runs import Run
from hsitf.seeding import seeded
from hsitf.tables import format_table
from hsitf.train.evaluation import evaluate, score_predictions
from hsitf.train.gather import gather_model
from hsitf.zoo import Recipe

# The range of the study of hyperspectral networks.
ALPHAS = tuple(Thresholds(step / 10) for step in range(1, 21))


def sparse_curve(
    origin: Run,
    data: SceneData,
    recipe: Recipe | None,
    path: Path,
    progress: Progress,
    steps: Sequence[Thresholds] = ALPHAS,
) -> SparseCurve:
    """Prunes a trained network at each threshold, and retrains it.

    The record is written after every point; an existing record is completed.

    Args:
        origin: The trained network.
        data: The scene that it was trained and is evaluated on.
        recipe: Recipe of the retraining; None for no retraining.
        path: Path of the JSON record.
        progress: Receives progress messages.
        steps: The thresholds.

    Raises:
        InputError: The record is another curve's, or the training diverged.
        DataError: The record or the network is damaged.
        OutputError: The record cannot be written.
    """
    found = _opened(origin, data, recipe, path)
    plan = replace(origin.record.plan, recipe=recipe, schedule="custom") if recipe else None
    done = {point.thresholds: point for point in found.points}
    for number, thresholds in enumerate(steps, start=1):
        if thresholds not in done:
            progress.say(f"alpha {thresholds.alpha:g}, {number} of {len(steps)}")
            # Seeds of dropouts are in no file; each point has those of the plan.
            with seeded(origin.record.plan.seed):
                done[thresholds] = sparse_point(origin.network(), data, thresholds, plan, progress)
            found = replace(found, points=tuple(done.values()))
            records.write(found, path)
            progress.say(_format_point(done[thresholds]))
    return replace(found, points=tuple(done[thresholds] for thresholds in steps))


def sparse_point(
    network: keras.Model,
    data: SceneData,
    thresholds: Thresholds,
    plan: TrainingPlan | None,
    progress: Progress,
) -> SparsePoint:
    """Prunes and retrains a network in place and evaluates it.

    Args:
        network: The trained network.
        data: The scene for training and evaluation.
        thresholds: Thresholds of one-shot magnitude pruning.
        plan: Plan of the retraining; None for no retraining.
        progress: Receives the progress of every epoch.

    Raises:
        InputError: The training diverged.
    """
    schedule = one_shot(network, thresholds)
    apply_masks(network, masks_by_threshold(network, thresholds))
    oa = evaluate(gather_model(network, data.patches), data, data.split.test).oa
    retrained = None
    if plan:
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state.npz"
            fitted = retrain(network, schedule, plan, data, state, progress)
            retrained = score_predictions(fitted.predicted, data, data.split.test).oa
    return SparsePoint(
        thresholds=thresholds,
        sparse=Sparsity.of(network),
        thinned=Sparsity.of(thin(network, dead_channels(network))),
        oa_pruned=oa,
        oa_retrained=retrained,
    )


def format_sparse_curve(curve: SparseCurve) -> str:
    """One line a threshold, the trained network first."""
    head = (
        "alpha",
        "zeros",
        "not zero",
        "deflated bytes",
        "weights without dead channels",
        "their bytes",
        "OA pruned",
        "OA",
        "change, points",
    )
    dense = curve.dense
    rows = [
        (
            "-",
            f"{dense.zero_share:.1%}",
            f"{dense.nonzero:,}",
            f"{dense.bytes_deflated:,}",
            f"{dense.parameters:,}",
            f"{dense.bytes:,}",
            f"{curve.oa:.2%}",
            f"{curve.oa:.2%}",
            "",
        )
    ]
    rows += [
        (
            f"{p.thresholds.alpha:g}",
            f"{p.sparse.zero_share:.1%}",
            f"{p.sparse.nonzero:,}",
            f"{p.sparse.bytes_deflated:,}",
            f"{p.thinned.parameters:,}",
            f"{p.thinned.bytes:,}",
            f"{p.oa_pruned:.2%}",
            f"{p.oa:.2%}",
            f"{100 * (p.oa - curve.oa):+.2f}",
        )
        for p in curve.points
    ]
    synthetic = ", a synthetic scene" if curve.synthetic else ""
    tuned = f"{curve.recipe.epochs} epochs of retraining" if curve.recipe else "no retraining"
    title = f"{curve.network} on {curve.scene}{synthetic}: weights below alpha are zeroed, {tuned}"
    others = {name: value for p in curve.points for name, value in p.thresholds.others.items()}
    named = ", ".join(f"{name} {value:g}" for name, value in others.items())
    notes = [f"Alpha of {named}, whatever the others have."] if others else []
    return "\n".join([title, format_table(head, rows), *notes])


def _opened(origin: Run, data: SceneData, recipe: Recipe | None, path: Path) -> SparseCurve:
    """The record at a path, or a new one without points."""
    if path.is_file():
        found = records.read(SparseCurve, path)
        if (found.origin_sha256, found.recipe) != (origin.record.sha256, recipe):
            raise InputError(
                f"{path} holds another curve",
                received="one of another network, or retrained otherwise",
                remedy="name another file, or remove that one",
            )
        return found
    record = origin.record
    return SparseCurve(
        schema=records.SCHEMA,
        network=record.plan.network,
        scene=record.scene.name,
        synthetic=record.scene.synthetic,
        split=data.split_record(),
        origin=str(origin.folder),
        origin_sha256=record.sha256,
        recipe=recipe,
        dense=Sparsity.of(origin.network()),
        oa=record.scores.oa,
        points=(),
        versions=records.versions(),
        command=records.command(),
    )


def _format_point(point: SparsePoint) -> str:
    retrained = "" if point.oa_retrained is None else f", {point.oa_retrained:.2%} retrained"
    return (
        f"alpha {point.thresholds.alpha:g}: {point.sparse.zero_share:.1%} zeros, "
        f"OA {point.oa_pruned:.2%}{retrained}, {point.sparse.bytes_deflated:,} bytes deflated, "
        f"{point.thinned.parameters:,} of {point.sparse.parameters:,} parameters left without "
        "dead channels"
    )
