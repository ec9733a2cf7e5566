"""Finished baselines on the pixels of other runs, to be shown beside these."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsitf import zoo
from hsitf.errors import DataError, InputError
from hsitf.metrics import Scores
from hsitf.runs import RECORD, Run
from hsitf.tables import format_table

# What decides whether two runs are judged alike: the scene, its classes and the test pixels.
PixelKey = tuple[str, tuple[str, ...], str]


@dataclass(frozen=True)
class BaselineScores:
    """A baseline on the splits of other runs.

    Attributes:
        network: Name of the baseline.
        labelled: Labelled pixels a class that it learned from, at most; None for all.
        splits: Number of their splits that it has finished.
        oa: Mean overall accuracy over these; `aa` and `kappa` likewise.
    """

    network: str
    labelled: int | None
    splits: int
    oa: float
    aa: float
    kappa: float


def pixel_key(run: Run) -> PixelKey:
    """What the run is judged on: its scene with its files, its classes and test pixels.

    Training pixels may be others: a number of labelled pixels changes these alone.

    Raises:
        DataError: The pixels of its split cannot be read.
    """
    split = run.split()
    parts = [np.asarray(split.shape, "<i8"), np.asarray(split.test, "<i8")]
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    scene = run.record.scene
    files = "".join(sorted(scene.sha256.values()))
    digest = hashlib.sha256((digest + files).encode()).hexdigest()
    return scene.name, scene.class_names, digest


def finished_baselines(folders: Sequence[Path]) -> list[BaselineScores]:
    """Baselines beside runs: in the same folder of a scene, judged on the same test pixels.

    Args:
        folders: Folders of finished runs, `<root>/<scene>/<network>/<run>`.

    Returns:
        Best first; those that are among the runs are left out.
    """
    keyed = [one for folder in folders if (one := _keyed(folder)) is not None]
    keys = {key for _, key in keyed}
    networks = {run.record.plan.network for run, _ in keyed}
    found: dict[tuple[str, int | None], dict[PixelKey, list[Scores]]] = {}
    for scene in sorted({run.folder.resolve().parents[1] for run, _ in keyed}):
        for name in sorted({*zoo.BASELINES} - networks):
            for path in sorted(scene.glob(f"{name}/*/{RECORD}")):
                baseline = _keyed(path.parent)
                if baseline is None or baseline[1] not in keys:
                    continue
                record = baseline[0].record
                if not record.plan.bands:
                    of = found.setdefault((name, record.plan.split.labelled), defaultdict(list))
                    of[baseline[1]].append(record.scores)
    scores = [_mean(name, count, by_split) for (name, count), by_split in found.items()]
    return sorted(scores, key=lambda one: -one.oa)


def _keyed(folder: Path) -> tuple[Run, PixelKey] | None:
    """A finished run and what it is judged on; None where it cannot be read.

    A damaged run is no reason to show nothing of the others.
    """
    try:
        run = Run.open(folder)
        return run, pixel_key(run)
    except (DataError, InputError):
        return None


def _mean(
    network: str, labelled: int | None, by_split: dict[PixelKey, list[Scores]]
) -> BaselineScores:
    values = [
        np.mean([[one.oa, one.aa, one.kappa] for one in scores], axis=0)
        for scores in by_split.values()
    ]
    oa, aa, kappa = np.mean(values, axis=0).tolist()
    return BaselineScores(network, labelled, len(by_split), oa, aa, kappa)


def format_baselines(found: Sequence[BaselineScores]) -> str:
    """Baselines as an aligned table; empty where there are none."""
    if not found:
        return ""
    rows = [
        [
            one.network,
            "all" if one.labelled is None else str(one.labelled),
            str(one.splits),
            f"{100 * one.oa:.2f} %",
            f"{100 * one.aa:.2f} %",
            f"{one.kappa:.4f}",
        ]
        for one in found
    ]
    head = ["baseline", "labelled a class", "splits", "OA", "AA", "kappa"]
    return f"on the same test pixels\n{format_table(head, rows)}"
