"""Similarity of explanations before and after pruning, and band selection by importance.

    PYTHONPATH=. python benchmarks/explain.py pruning SCENE [--data-dir DIR] [--model cao]
        [--reductions pca:30,nmf:30]
    PYTHONPATH=. python benchmarks/explain.py bands SCENE [--data-dir DIR] [--model hu] [--epochs N]

`pruning`: trains a network on 30 components of PCA and of NMF, removes 40, 55, 70 and 85 % of its
channels (APoZ, fine-tuned after each cut from the whole network), explains all of them by saliency
and draws the similarity of the explanations beside the accuracy. `bands`: trains a network on all
bands, takes the 10 and the 30 that matter most, and trains it on these, on as many evenly spaced
ones and on as many principal components. Every step is a command as a user types it; repeated, the
script goes on where it stopped.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hsitf import records
from hsitf.explain.record import ExplanationRecord
from hsitf.figures import BLUE, VERMILION, new_figure, save, style_axes
from hsitf.runs import MODELS, RECORD, Run

REDUCTIONS = ("pca:30", "nmf:30")
RATIOS = (0.4, 0.55, 0.7, 0.85)
# Epochs of fine-tuning: what is left has learned already.
EPOCHS = 4
COUNTS = (10, 30)
# Least distance of two bands chosen by importance; neighbors see nearly the same.
APART = {10: 3, 30: 2}
FIGURES = Path("docs/figures")


def verb(name: str, *words: str) -> str:
    """Runs a verb and gives what it prints.

    Raises:
        SystemExit: It failed; its message has been shown.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"hsitf.{name}", *words], stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def trained(model: str, scene: Sequence[str], bands: str, name: str, epochs: int = 0) -> Run:
    """A run with a short schedule or with so many epochs, trained where it is not there yet."""
    name += f"-epochs{epochs}" if epochs else ""
    folder = _folder(model, scene, name)
    if not (folder / RECORD).is_file():
        options = ["--epochs", str(epochs)] if epochs else ["--schedule", "short"]
        options += ["--bands", bands] if bands else []
        verb("train", "--model", model, *scene, *options, "--run", name)
    return Run.open(folder)


def pruned(model: str, scene: Sequence[str], origin: Run, ratio: float) -> Run:
    """A run with so many channels less, cut where it is not there yet."""
    name = f"{origin.folder.name}-less{100 * ratio:.0f}"
    folder = _folder(model, scene, name)
    if not (folder / RECORD).is_file():
        verb(
            "prune",
            "--model",
            model,
            *scene,
            "--from",
            str(origin.folder),
            "--criterion",
            "apoz",
            "--ratio",
            str(ratio),
            "--epochs",
            str(EPOCHS),
            "--run",
            name,
        )
    return Run.open(folder)


def _folder(model: str, scene: Sequence[str], name: str) -> Path:
    return MODELS / scene[1] / model / name


def pruning(model: str, scene: Sequence[str], reductions: Sequence[str]) -> None:
    """Prints a table of accuracy and similarity, and draws both."""
    figure = new_figure(4.5 * len(reductions), 3.6)
    parts = figure.subplots(1, len(reductions), sharey=True, squeeze=False)[0]
    print("| bands | channels removed | parameters | OA | bands alike | maps alike |")
    print("|---|---|---|---|---|---|")
    for axes, bands in zip(parts, reductions, strict=True):
        whole = trained(model, scene, bands, bands.replace(":", ""))
        runs = [whole, *(pruned(model, scene, whole, ratio) for ratio in RATIOS)]
        name = f"saliency-{model}-{scene[1].lower()}-{bands.partition(':')[0]}"
        folders = [word for run in runs for word in ("--from", str(run.folder))]
        with tempfile.TemporaryDirectory() as made:
            verb("explain", *folders, *scene[2:], "--name", name, "--out", made)
            record = records.read(ExplanationRecord, Path(made) / f"{name}.json")
            shutil.copyfile(Path(made) / f"{name}-maps.png", FIGURES / f"{name}-maps.png")
        ratios = [0.0, *RATIOS]
        alike = [
            [
                np.mean([getattr(one, kind) or 0.0 for one in variant.similarity])
                for variant in record.sources
            ]
            for kind in ("rank_correlation", "ssim")
        ]
        for row in zip(ratios, runs, *alike, strict=True):
            ratio, run, *numbers = row
            print(
                f"| {bands} | {ratio:.0%} | {run.record.parameters:,} | "
                f"{run.record.scores.oa:.2%} | " + " | ".join(f"{n:.2f}" for n in numbers) + " |"
            )
        _draw(axes, ratios, [run.record.scores.oa for run in runs], alike)
        axes.set_title(f"{model} of {bands} on {record.scene}", fontsize="medium")
    parts[0].set_ylabel("OA; similarity to the whole network")
    parts[0].legend(loc="lower left", fontsize="small")
    save(figure, FIGURES / f"similarity-{model}-{scene[1].lower()}.png")


def _draw(axes, ratios, accuracies, alike) -> None:
    percent = [100 * ratio for ratio in ratios]
    axes.plot(percent, accuracies, color=BLUE, marker="o", label="OA")
    axes.plot(
        percent,
        alike[0],
        color=VERMILION,
        marker="s",
        linestyle="--",
        label="importance of bands (rank correlation)",
    )
    axes.plot(
        percent,
        alike[1],
        color=VERMILION,
        marker="^",
        linestyle=":",
        label="maps (structural similarity)",
    )
    axes.set_xlabel("channels removed (%)")
    axes.set_ylim(0, 1.02)
    style_axes(axes)


def bands(model: str, scene: Sequence[str], epochs: int) -> None:
    """Prints a table of accuracies."""
    whole = trained(model, scene, "", "all", epochs)
    print("| bands | of | OA | kappa |\n|---|---|---|---|")
    print(_row(str(whole.record.components), "all", whole), flush=True)
    total = whole.record.components
    for count in COUNTS:
        told = verb(
            "explain",
            "--from",
            str(whole.folder),
            *scene[2:],
            "--top",
            str(count),
            "--min-distance",
            str(APART[count]),
        )
        chosen = re.findall(r"select:[\d,]+", told)[-1]
        even = np.linspace(0, total - 1, count).round().astype(int)
        evenly = "select:" + ",".join(map(str, even))
        for way, text in (("importance", chosen), ("PCA", f"pca:{count}"), ("evenly", evenly)):
            run = trained(model, scene, text, f"{way.lower()}{count}", epochs)
            print(_row(str(count), way, run), flush=True)


def _row(count: str, way: str, run: Run) -> str:
    scores = run.record.scores
    return f"| {count} | {way} | {scores.oa:.2%} | {scores.kappa:.3f} |"


def main() -> None:
    """Runs one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("pruning", "bands"))
    parser.add_argument("scene")
    parser.add_argument("--data-dir")
    parser.add_argument("--model")
    parser.add_argument("--reductions", default=",".join(REDUCTIONS))
    parser.add_argument("--epochs", type=int, default=0, help="of bands; else a short schedule")
    given = parser.parse_args()
    scene = ["--scene", given.scene]
    scene += ["--data-dir", given.data_dir] if given.data_dir else []
    if given.what == "pruning":
        pruning(given.model or "cao", scene, given.reductions.split(","))
    else:
        bands(given.model or "hu", scene, given.epochs)


if __name__ == "__main__":
    main()
