"""Several runs that differ in their seeds only, and the statistics over them.

Runs on one split differ less from each other than splits do: where there are runs on several
splits, and several of them on each, the mean of each split is one independent value.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from hsitf.train.baselines_beside import finished_baselines, format_baselines
from hsitf.train.run import check_name, default_run_name, train

SUMMARY = "summary.json"
# Of the seed, which is a 32-bit number.
_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class RepeatSummary:
    """What runs with different seeds, and so different splits, weights and orders, have in common.

    Means with the half-width of their 95 % confidence interval (Student's t). Over splits where
    there are several: the mean of each is taken first.

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
        runs_per_split: Runs with the same split, which follow each other in `runs`.
        top5: Top-5 accuracy; None for five classes or fewer, and in older records.
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
    runs_per_split: int = 1
    top5: Interval | None = None

    @property
    def splits(self) -> int:
        """Number of splits."""
        return len(self.runs) // self.runs_per_split

    @property
    def basis(self) -> str:
        """What intervals are over, as tables say it."""
        if self.splits == 1:
            return f"over {len(self.runs)} runs on one split"
        if self.runs_per_split == 1:
            return f"over {self.splits} seeds, each with its own split"
        return f"over {self.splits} splits, of the means of {self.runs_per_split} runs on each"


def train_repeatedly(
    plan: TrainingPlan,
    count: int,
    name: str | None,
    progress: Progress,
    splits: int | None = None,
) -> tuple[RepeatSummary, Path]:
    """Trains a network several times, with the seed of the plan and those that follow it.

    Each run is a run like any other; finished ones are not repeated. Split `s`, counted from the
    plan's seed, has runs with the seeds `s`, `s + 1` and so on of weights and order.

    Args:
        plan: Plan of the first run.
        count: Number of runs; on each split, where the number of splits is given.
        splits: Number of splits; None for a split of its own for each run.
        name: Name of the runs, to which the seed is added; derived from the plan where None.
        progress: Receives progress messages.

    Returns:
        The summary, and the file that holds it.

    Raises:
        InputError: Fewer than two runs, or seeds that are too large; else as `train`.
    """
    pairs = seed_pairs(plan.seed, count, splits)
    if plan.teachers and len({split_seed for split_seed, _ in pairs}) > 1:
        raise InputError(
            "teachers know one split, and several are asked for",
            received=f"--teacher with {len(pairs)} runs on different splits",
            allowed="--splits 1 with any number of runs",
            remedy="train the students one split at a time, each with the teachers of its split",
        )
    if name is not None:
        check_name(name)
    found: list[Run] = []
    for split_seed, seed in pairs:
        one = replace(plan, seed=seed, split=replace(plan.split, seed=split_seed))
        where = "" if splits is None else f"split {split_seed}, "
        progress.say(f"run {len(found) + 1} of {len(pairs)}, {where}seed {seed}")
        own = f"split{split_seed}-seed{seed}" if split_seed != seed else f"seed{seed}"
        found.append(train(one, name and f"{name}-{own}", progress))
    per_split = 1 if splits is None else count
    return summarize(found, per_split, name or default_run_name(plan).rpartition("-seed")[0])


def seed_pairs(seed: int, count: int, splits: int | None) -> list[tuple[int, int]]:
    """The seeds of split and weights of several runs, split by split.

    Args:
        seed: Seed of the first split, and of the first run on it.
        count: Number of runs; on each split, where the number of splits is given.
        splits: Number of splits; None for a split of its own for each run.

    Raises:
        InputError: Fewer than two runs, or seeds that are too large.
    """
    lines, each = (count, 1) if splits is None else (splits, count)
    last = seed + lines + each - 2
    if lines < 1 or each < 1 or lines * each < 2 or last > _LARGEST_SEED:
        raise InputError(
            "the number of runs or the seed is out of range",
            received=f"{count} runs{'' if splits is None else f' on each of {splits} splits'} "
            f"from seed {seed}",
            allowed=f"2 runs or more, with seeds up to {_LARGEST_SEED}",
        )
    return [
        (split, one) for split in range(seed, seed + lines) for one in range(split, split + each)
    ]


def summarize(found: list[Run], per_split: int, stem: str) -> tuple[RepeatSummary, Path]:
    """Writes the summary of finished runs.

    Args:
        found: The runs, split by split.
        per_split: Number of runs on each split.
        stem: What the runs' names have in common.

    Returns:
        The summary, and the file that holds it.
    """
    plan = found[0].record.plan
    summary = _summary(plan, found, per_split)
    each = "" if per_split == 1 else f"-each{per_split}"
    name = f"{stem}-runs{len(found)}{each}-from{plan.split.seed}"
    path = found[0].folder.parent / name / SUMMARY
    records.write(summary, path)
    return summary, path


def _summary(plan: TrainingPlan, found: list[Run], per_split: int) -> RepeatSummary:
    made: list[RunRecord] = [run.record for run in found]
    by_class = np.array([record.scores.per_class for record in made])
    ranked = [record.scores.top5 for record in made]

    def over_splits(values: Sequence[float]) -> Interval:
        if len(values) == per_split:
            return interval(values)
        return interval(np.reshape(values, (-1, per_split)).mean(axis=1).tolist())

    return RepeatSummary(
        schema=records.SCHEMA,
        network=plan.network,
        scene=made[0].scene.name,
        synthetic=made[0].scene.synthetic,
        plan=plan,
        runs=tuple(str(run.folder) for run in found),
        oa=over_splits([record.scores.oa for record in made]),
        aa=over_splits([record.scores.aa for record in made]),
        kappa=over_splits([record.scores.kappa for record in made]),
        top5=None if None in ranked else over_splits([one for one in ranked if one is not None]),
        per_class=tuple(over_splits(column) for column in by_class.T.tolist()),
        class_names=made[0].scene.class_names,
        seconds=over_splits([record.seconds for record in made]),
        predict_us=over_splits([record.predict_us for record in made]),
        peak_memory=over_splits([record.peak_memory for record in made]),
        gpu_memory=over_splits([record.gpu_memory for record in made]),
        runs_per_split=per_split,
    )


def format_summary(summary: RepeatSummary) -> str:
    """A summary as an aligned table."""
    percent = {"OA": summary.oa, "AA": summary.aa}
    percent |= dict(zip(summary.class_names, summary.per_class, strict=True))
    rows = [
        [name, f"{100 * i.mean:.2f} %", f"{100 * i.half_width:.2f}"] for name, i in percent.items()
    ]
    if summary.top5 is not None:
        top5 = summary.top5
        rows.insert(2, ["Top-5", f"{100 * top5.mean:.2f} %", f"{100 * top5.half_width:.2f}"])
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
    title = f"{summary.network} on {summary.scene}{kind}, {len(summary.runs)} runs; intervals "
    title += f"{summary.basis}, by Student's t"
    beside = format_baselines(finished_baselines([Path(one) for one in summary.runs]))
    return "\n".join(filter(None, [title, found, beside]))
