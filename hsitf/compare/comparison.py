"""Paired comparison of networks or recipes on the same test pixels.

A side is a name and finished runs. Runs of two sides are a pair where they are judged on the same
pixels: scene, classes and test pixels are the same. Of several runs of a side on the same pixels,
the mean is compared, so that a pair is one independent value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from hsitf import records
from hsitf.compare.statistics import PairedDifference, paired_difference
from hsitf.errors import InputError
from hsitf.records import SceneChoice, SceneRecord
from hsitf.runs import Run
from hsitf.train.baselines_beside import BaselineScores, PixelKey, finished_baselines, pixel_key

MEASURES = ("oa", "aa", "kappa")


@dataclass(frozen=True, eq=False)
class ComparisonSide:
    """One of what is compared: a name, and its finished runs."""

    name: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class SplitScores:
    """What two sides reach on one split.

    Attributes:
        scene: Name of the scene.
        seed: Seed of the split.
        test_pixels: Number of its test pixels.
        first: Overall accuracy, average accuracy and kappa of the first side, by name.
        second: The same of the second.
        same_training: Whether both trained on the same pixels, too.
    """

    scene: str
    seed: int
    test_pixels: int
    first: dict[str, float]
    second: dict[str, float]
    same_training: bool


@dataclass(frozen=True)
class SceneDifference:
    """How two sides differ on one scene.

    Attributes:
        scene: Name of the scene.
        synthetic: Whether it was generated.
        splits: Each split that both have.
        measures: Differences over these splits, by measure.
        baselines: Finished baselines on the same pixels.
    """

    scene: str
    synthetic: bool
    splits: tuple[SplitScores, ...]
    measures: dict[str, PairedDifference]
    baselines: tuple[BaselineScores, ...] = ()


@dataclass(frozen=True)
class PairComparison:
    """Two sides, on every scene that both have.

    Attributes:
        first: Name of the first side.
        second: Name of the second, which is the better one where differences are above 0.
        scenes: Differences by scene.
        mean: Differences over the scenes, of the means of each; empty where there is one scene.
        unpaired: Splits that only one of them has, each a sentence.
    """

    first: str
    second: str
    scenes: tuple[SceneDifference, ...]
    mean: dict[str, PairedDifference]
    unpaired: tuple[str, ...]


@dataclass(frozen=True)
class ComparisonRecord:
    """A comparison of two or more sides, each with each.

    Attributes:
        sides: Folders of the runs of each side, by its name.
        pairs: Every two of them.
        versions: Versions of Python and the packages that matter.
        command: The command line as typed.
    """

    schema: int
    sides: dict[str, tuple[str, ...]]
    pairs: tuple[PairComparison, ...]
    versions: dict[str, str]
    command: str


def compare(sides: Sequence[ComparisonSide]) -> ComparisonRecord:
    """Compares every two sides on the pixels that both are judged on.

    Args:
        sides: Two or more, with different names.

    Raises:
        InputError: Fewer than two sides, or two that share no test pixels; a run is on two sides,
            or a side has runs of different settings on the same pixels.
        DataError: The split of a run cannot be read.
    """
    if len(sides) < 2:
        raise InputError(
            "a comparison needs two sides", received=len(sides), allowed="2 or more of them"
        )
    _check_apart(sides)
    keyed = {side.name: _by_pixels(side) for side in sides}
    return ComparisonRecord(
        records.SCHEMA,
        {side.name: tuple(str(run.folder) for run in side.runs) for side in sides},
        tuple(
            _compared(one.name, keyed[one.name], other.name, keyed[other.name])
            for one, other in combinations(sides, 2)
        ),
        records.versions(),
        records.command(),
    )


def _check_apart(sides: Sequence[ComparisonSide]) -> None:
    """Refuses a run that would be compared with itself."""
    for one, other in combinations(sides, 2):
        first, second = ({run.folder.resolve() for run in side.runs} for side in (one, other))
        if both := sorted(first & second):
            raise InputError(
                f"{one.name} and {other.name} have the same runs",
                received=_names(both),
                allowed="each run on one side",
                remedy="narrow the patterns",
            )


def _by_pixels(side: ComparisonSide) -> dict[PixelKey, list[Run]]:
    keyed = defaultdict(list)
    for run in {run.folder.resolve(): run for run in side.runs}.values():
        keyed[pixel_key(run)].append(run)
    for several in keyed.values():
        if len({_settings(run) for run in several}) > 1:
            raise InputError(
                f"{side.name} has runs of different settings on the same test pixels",
                received=_names([run.folder for run in several]),
                allowed="on each split, runs that differ in their seed alone",
                remedy="narrow the pattern, or name them as sides of their own",
            )
    return dict(keyed)


def _settings(run: Run) -> str:
    """What a run has in common with its repetitions by other seeds."""
    plan, pruning = run.record.plan, run.record.pruning
    alike = replace(
        plan,
        scene=SceneChoice(""),
        seed=0,
        split=replace(plan.split, seed=0),
        teachers=tuple(replace(one, folder="") for one in plan.teachers),
    )
    return repr((alike, pruning and (pruning.kind, pruning.criterion, pruning.target)))


def _names(folders: Sequence[Path], most: int = 6) -> str:
    """Names of runs, the first of many."""
    names = [folder.name for folder in folders]
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _compared(
    first: str,
    one: Mapping[PixelKey, list[Run]],
    second: str,
    other: Mapping[PixelKey, list[Run]],
) -> PairComparison:
    both = [key for key in one if key in other]
    lacking = (*_lacking(one, second, other), *_lacking(other, first, one))
    if not both:
        raise InputError(
            f"{first} and {second} have no test pixels in common",
            received="; ".join(lacking),
            remedy="train them on the same scene, classes and --seed, with the same --split, "
            "--train and --guard: without --guard, splits differ with the patch",
        )
    by_scene: dict[str, list[PixelKey]] = defaultdict(list)
    for key in both:
        by_scene[key[0]].append(key)
    scenes = tuple(
        _on_scene([(one[key], other[key]) for key in _by_seed(keys, one)])
        for keys in by_scene.values()
    )
    mean = {}
    if len(scenes) > 1:
        for name in MEASURES:
            found = [scene.measures[name] for scene in scenes]
            mean[name] = paired_difference([d.first for d in found], [d.second for d in found])
    return PairComparison(first, second, scenes, mean, lacking)


def _by_seed(keys: Sequence[PixelKey], found: Mapping[PixelKey, list[Run]]) -> list[PixelKey]:
    return sorted(keys, key=lambda key: found[key][0].record.split.seed)


def _lacking(
    one: Mapping[PixelKey, list[Run]], name: str, other: Mapping[PixelKey, list[Run]]
) -> tuple[str, ...]:
    """Splits that a side lacks, each a sentence that says what is nearest to it."""
    found = []
    for key, (run, *_) in one.items():
        if key in other:
            continue
        split, scene = run.record.split, run.record.scene.name
        described = f"{scene}, {split.kind} split of seed {split.seed}, guard {split.guard}"
        near = [
            r.record
            for several in other.values()
            for r in several
            if r.record.scene.name == scene and r.record.split.seed == split.seed
        ]
        reason = f"{name} has no run on {described}"
        if near and near[0].scene.class_names != run.record.scene.class_names:
            reason = f"{name} has other classes on {described}"
        elif near and _files(near[0].scene) != _files(run.record.scene):
            reason = f"{name} has other files of that name on {described}"
        elif near:
            theirs = near[0].split
            reason = (
                f"{name} has other test pixels on {described}: its split is {theirs.kind}, guard "
                f"{theirs.guard}, {theirs.test:,} test pixels and not {split.test:,}"
            )
        found.append(reason)
    return tuple(found)


def _files(scene: SceneRecord) -> list[str]:
    """SHA-256 of the files of a scene, whatever they are called."""
    return sorted(scene.sha256.values())


def _on_scene(pairs: Sequence[tuple[list[Run], list[Run]]]) -> SceneDifference:
    """The difference over the splits of one scene."""
    splits = tuple(_split_scores(*pair) for pair in pairs)
    scene = pairs[0][0][0].record.scene
    measures = {
        name: paired_difference(
            [split.first[name] for split in splits], [split.second[name] for split in splits]
        )
        for name in MEASURES
    }
    folders = [run.folder for pair in pairs for side in pair for run in side]
    baselines = tuple(finished_baselines(folders))
    return SceneDifference(scene.name, scene.synthetic, splits, measures, baselines)


def _split_scores(first: Sequence[Run], second: Sequence[Run]) -> SplitScores:
    record = first[0].record
    return SplitScores(
        record.scene.name,
        record.split.seed,
        record.split.test,
        _mean_scores(first),
        _mean_scores(second),
        len({run.record.split.sha256 for run in (*first, *second)}) == 1,
    )


def _mean_scores(found: Sequence[Run]) -> dict[str, float]:
    return {
        name: float(np.mean([getattr(run.record.scores, name) for run in found]))
        for name in MEASURES
    }


def comparison_path(record: ComparisonRecord, root: Path) -> Path:
    """Where a comparison is written where a user says nothing else."""
    scenes = dict.fromkeys(scene.scene for pair in record.pairs for scene in pair.scenes)
    return (
        root / "-".join(scenes) / "comparisons" / "-against-".join(_plain(n) for n in record.sides)
    )


def _plain(name: str) -> str:
    return "".join(one if one.isalnum() or one in "-_." else "-" for one in name)
