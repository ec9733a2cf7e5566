"""Several runs that differ in their seed only, and the statistics over them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hsitf import records
from hsitf.errors import InputError
from hsitf.metrics import Interval, interval
from hsitf.progress import Progress
from hsitf.records import RunRecord, TrainingPlan
from hsitf.runs import Run
from hsitf.tables import format_table
from hsitf.train.run import check_name, default_run_name, train

SUMMARY = "summary.json"
# Of the seed, which is a 32-bit number.
_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class RepeatSummary:
    """What runs with different seeds, and so different splits, weights and orders, have in common.

    Means with the half-width of their 95 % confidence interval (Student's t).

    Attributes:
        network: Name of the network in the zoo.
        scene: Name of the scene; `synthetic` where it was generated.
        plan: Plan of the first run; the others differ in the seed.
        runs: Folders of the runs.
        oa: Overall accuracy on the test pixels; `aa` and `kappa` likewise.
        per_class: Recall of every class.
        class_names: One name per class.
        seconds: Training time.
        predict_us: Inference time per test pixel in batches, in microseconds.
        peak_memory: Peak memory of the process since the run began, in bytes; it includes what
            earlier runs of the same process still hold.
        gpu_memory: Peak memory of the first GPU, in bytes; 0 where no GPU was used.
    """

    schema: int
    network: str
    scene: str
    synthetic: bool
    plan: TrainingPlan
    runs: tuple[str, ...]
    oa: Interval
    aa: Interval
    kappa: Interval
    per_class: tuple[Interval, ...]
    class_names: tuple[str, ...]
    seconds: Interval
    predict_us: Interval
    peak_memory: Interval
    gpu_memory: Interval


def train_repeatedly(
    plan: TrainingPlan, count: int, name: str | None, progress: Progress
) -> tuple[RepeatSummary, Path]:
    """Trains a network several times, with the seed of the plan and those that follow it.

    Each run is a run like any other; finished ones are not repeated.

    Args:
        plan: Plan of the first run.
        count: Number of runs.
        name: Name of the runs, to which the seed is added; derived from the plan where None.
        progress: Receives progress messages.

    Returns:
        The summary, and the file that holds it.

    Raises:
        InputError: Fewer than two runs, or seeds that are too large; else as `train`.
    """
    if count < 2 or plan.seed + count - 1 > _LARGEST_SEED:
        raise InputError(
            "the number of runs or the seed is out of range",
            received=count,
            allowed=f"2 or more, with seeds up to {_LARGEST_SEED}",
        )
    if name is not None:
        check_name(name)
    found: list[Run] = []
    for seed in range(plan.seed, plan.seed + count):
        one = replace(plan, seed=seed, split=replace(plan.split, seed=seed))
        progress.say(f"run {len(found) + 1} of {count}, seed {seed}")
        found.append(train(one, name and f"{name}-seed{seed}", progress))
    summary = _summary(plan, found)
    stem = name or default_run_name(plan).rpartition("-seed")[0]
    path = found[0].folder.parent / f"{stem}-runs{count}-from{plan.seed}" / SUMMARY
    records.write(summary, path)
    return summary, path


def _summary(plan: TrainingPlan, found: list[Run]) -> RepeatSummary:
    made: list[RunRecord] = [run.record for run in found]
    by_class = np.array([record.scores.per_class for record in made])
    return RepeatSummary(
        schema=records.SCHEMA,
        network=plan.network,
        scene=made[0].scene.name,
        synthetic=made[0].scene.synthetic,
        plan=plan,
        runs=tuple(str(run.folder) for run in found),
        oa=interval([record.scores.oa for record in made]),
        aa=interval([record.scores.aa for record in made]),
        kappa=interval([record.scores.kappa for record in made]),
        per_class=tuple(interval(column) for column in by_class.T.tolist()),
        class_names=made[0].scene.class_names,
        seconds=interval([record.seconds for record in made]),
        predict_us=interval([record.predict_us for record in made]),
        peak_memory=interval([record.peak_memory for record in made]),
        gpu_memory=interval([record.gpu_memory for record in made]),
    )


def format_summary(summary: RepeatSummary) -> str:
    """A summary as an aligned table."""
    percent = {"OA": summary.oa, "AA": summary.aa}
    percent |= dict(zip(summary.class_names, summary.per_class, strict=True))
    rows = [
        [name, f"{100 * i.mean:.2f} %", f"{100 * i.half_width:.2f}"] for name, i in percent.items()
    ]
    rows.insert(2, ["kappa", f"{summary.kappa.mean:.4f}", f"{summary.kappa.half_width:.4f}"])
    for label, unit, measured in (
        ("training, s", 1.0, summary.seconds),
        ("inference, us a pixel", 1.0, summary.predict_us),
        ("peak memory, MB", 1e6, summary.peak_memory),
        ("peak GPU memory, MB", 1e6, summary.gpu_memory),
    ):
        rows.append([label, f"{measured.mean / unit:.1f}", f"{measured.half_width / unit:.1f}"])
    found = format_table(["", "mean", "+- (95 %)"], rows)
    kind = " (synthetic scene)" if summary.synthetic else ""
    return f"{summary.network} on {summary.scene}{kind}, {len(summary.runs)} runs\n{found}"
