"""Sensitivity: what a network loses with the channels of each dependency group alone.

Han, Pool, Tran, Dally (Learning both weights and connections for efficient neural networks, 2015)
prune one layer at a time, without retraining, to see how much each may lose. Here whole channels
go, the least important first, and the accuracy is that of the thinned network.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras

from hsitf import records
from hsitf.cost import cost
from hsitf.data import SceneData
from hsitf.errors import InputError
from hsitf.progress import Progress
from hsitf.prune.combination import EvidenceBatches, check_evidence, file_label
from hsitf.prune.config import PruningConfig
from hsitf.prune.counts import PrunableGroups, removal_counts
from hsitf.prune.iterations import calibration_samples
from hsitf.prune.plans import plan_from_counts, prunable_groups
from hsitf.prune.ranking import Ranking, rank
from hsitf.prune.record import GroupSensitivity, SensitivityAnalysis, SensitivityPoint
from hsitf.prune.sensitivity_figure import draw_sensitivity
from hsitf.prune.thinning import thin
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.tables import format_table
from hsitf.train.evaluation import evaluate
from hsitf.train.gather import gather_model

RATIOS = tuple(step / 10 for step in range(1, 10))
RECORD = "sensitivity.json"
FIGURES = ("sensitivity.png", "sensitivity.svg")


def sensitivity(
    origin: Run,
    criterion: str,
    config: PruningConfig,
    name: str | None,
    progress: Progress,
    choice: SceneChoice | None = None,
    batches: EvidenceBatches | None = None,
) -> tuple[SensitivityAnalysis, Path]:
    """Cuts each dependency group of a trained network alone, and writes record and figures.

    Every group loses 10, 20, ... 90 % of its channels, the rest of the network none. The record is
    written after every group; an interrupted analysis goes on where it was.

    Args:
        origin: The trained network.
        criterion: Importance criterion of the channels.
        config: Which layers are excluded, and how many channels are kept at least; it has no ratio.
        name: Name of the folder, beside the origin's; derived from the criterion where None.
        progress: Receives progress messages.
        choice: Where the scene is now, if not at the path of the record.
        batches: How much data the criterion looks at; as it has it where None.

    Returns:
        The analysis, and the folder that holds it.

    Raises:
        InputError: The split has no validation pixels, there is no group to cut, the criterion
            looks at no samples where their number is given, or the folder belongs to something
            else.
        DataError: The scene or the network is not the one of the origin's record.
        OutputError: The folder cannot be written.
    """
    batches = batches or EvidenceBatches()
    check_evidence(criterion, batches)
    data = origin.data(choice)
    if not len(data.split.validation):
        raise InputError(
            "sensitivity is measured on validation pixels",
            received="a split that has none",
            remedy="train on a split with validation pixels",
        )
    label = file_label(criterion)
    folder = origin.folder.parent / (name or f"{origin.folder.name}-{label}-sensitivity")
    network = origin.network()
    samples = calibration_samples(data, batches, network)
    ranking = rank(network, criterion, samples, config.prune_io, batches)
    for message in ranking.tie_messages:
        progress.say(message)
    groups = prunable_groups(ranking, config)
    if not groups:
        raise InputError(
            "no group of this network may lose channels",
            received=f"{origin.folder} and these options",
            remedy="leave out --ignore or --exact",
        )
    fresh = replace(
        _begun(origin, data, network, criterion, config),
        batches=batches.count,
        batch_samples=batches.size,
    )
    found = _opened(fresh, folder)
    # Layers may have channels of two kinds: some that go exactly, and some that do not.
    known = {(group.layers, group.approximate): group for group in found.groups}
    keys = [(group.layers, group.approximate or "") for group, _ in groups]
    progress.start("cutting each group alone", len(groups))
    for at, key in enumerate(keys):
        if key not in known:
            known[key] = _cut(network, ranking, config, groups[at : at + 1], data)
            found = replace(found, groups=tuple(known.values()))
            records.write(found, folder / RECORD)
        progress.advance(1, " + ".join(key[0]))
    found = replace(found, groups=tuple(known[key] for key in keys))
    records.write(found, folder / RECORD)
    for figure in FIGURES:
        draw_sensitivity(found, folder / figure)
    return found, folder


def _cut(
    network: keras.Model,
    ranking: Ranking,
    config: PruningConfig,
    groups: PrunableGroups,
    data: SceneData,
) -> GroupSensitivity:
    """One group at all ratios.

    Args:
        network: The trained network.
        ranking: Ranking of its channels.
        config: How the number of kept channels is found from a ratio.
        groups: That group alone, with the importance of its channels.
        data: The scene.
    """
    ((group, _),) = groups
    by_count: dict[int, SensitivityPoint] = {}
    points = []
    for ratio in RATIOS:
        counts = removal_counts(groups, replace(config, ratio=ratio), {})
        kept = len(group) - counts[0]
        if kept not in by_count:
            smaller = thin(network, plan_from_counts(ranking, config, groups, counts))
            scores = evaluate(gather_model(smaller, data.patches), data, data.split.validation)
            left = cost(smaller)
            by_count[kept] = SensitivityPoint(ratio, kept, scores.oa, left.parameters, left.macs)
        points.append(replace(by_count[kept], ratio=ratio))
    return GroupSensitivity(group.layers, len(group), group.approximate or "", tuple(points))


def _begun(
    origin: Run, data: SceneData, network: keras.Model, criterion: str, config: PruningConfig
) -> SensitivityAnalysis:
    """A new record, without groups."""
    record, whole = origin.record, cost(network)
    oa = evaluate(gather_model(network, data.patches), data, data.split.validation).oa
    return SensitivityAnalysis(
        schema=records.SCHEMA,
        network=record.plan.network,
        scene=record.scene.name,
        synthetic=record.scene.synthetic,
        split=data.split_record(),
        origin=str(origin.folder),
        origin_sha256=record.sha256,
        criterion=criterion,
        min_channels=config.min_channels,
        round_to=config.round_to,
        oa=oa,
        parameters=whole.parameters,
        macs=whole.macs,
        groups=(),
        versions=records.versions(),
        command=records.command(),
    )


def _opened(fresh: SensitivityAnalysis, folder: Path) -> SensitivityAnalysis:
    """The record of a folder, or the new one where it has none."""
    if not (folder / RECORD).is_file():
        if folder.exists() and any(folder.iterdir()):
            raise _other_folder(folder)
        return fresh
    found = records.read(SensitivityAnalysis, folder / RECORD)
    if _key(found) != _key(fresh):
        raise _other_folder(folder)
    return found


def _key(analysis: SensitivityAnalysis) -> tuple[object, ...]:
    """What has to be equal for groups to stand in one table."""
    return (
        analysis.origin_sha256,
        analysis.split.sha256,
        analysis.criterion,
        analysis.min_channels,
        analysis.round_to,
        analysis.batches,
        analysis.batch_samples,
    )


def _other_folder(folder: Path) -> InputError:
    return InputError(
        f"{folder} belongs to something else",
        received="a folder with other contents",
        remedy="give this analysis another name with --run, or remove that folder",
    )


def format_sensitivity(analysis: SensitivityAnalysis) -> str:
    """One line a group: the points of accuracy that it loses at each ratio."""
    ratios = [point.ratio for point in analysis.groups[0].points]
    head = ("group", "channels", "MACs gone", *(f"{ratio:.0%}" for ratio in ratios))
    rows = [
        (
            " + ".join(group.layers),
            f"{group.channels:,}",
            f"{1 - group.points[-1].macs / analysis.macs:.1%}",
            *(f"{100 * (point.oa - analysis.oa):+.1f}" for point in group.points),
        )
        for group in analysis.groups
    ]
    synthetic = ", a synthetic scene" if analysis.synthetic else ""
    title = (
        f"{analysis.network} on {analysis.scene}{synthetic}: points of OA when a group alone loses "
        f"channels, chosen by {analysis.criterion}, without retraining; {analysis.oa:.2%} on "
        f"{analysis.split.validation:,} validation pixels before; {analysis.split.summary}"
    )
    notes = [
        f"MACs gone: share of the network's multiply-accumulates that go with {ratios[-1]:.0%} of "
        "the group's channels."
    ]
    reasons = dict.fromkeys(group.approximate for group in analysis.groups if group.approximate)
    notes += [f"Approximate: {reason}." for reason in reasons]
    return "\n".join([title, format_table(head, rows), *notes])
