"""What a teacher gives pruned networks: fine-tuned with and without one, paired.

    PYTHONPATH=. python benchmarks/distillation.py hu cao --scene IndianPines --scene Samson
        --scene cube.tif:labels.tif [--data-dir FOLDER] [--seeds 3] [--epochs 40] [--tune 20]

For every scene, network and seed a network is trained by the robust recipe on a disjoint split
(guard 8), cut to a share of its multiply-accumulates, and fine-tuned twice from the same cut: from
labels alone, and with the uncut network as its teacher on labelled and unlabelled pixels. The table
has the accuracy on test pixels; nothing is chosen by it. An epoch with unlabelled pixels has up to
twice the steps: with `--twice`, labels alone get twice the epochs. They are learnt from at a tenth
of the recipe's rate, as `hsitf prune` does, or with `--labels-rate 1` at the whole, as with a
teacher. The last lines have the mean difference of each network, and of all pairs, with its 95 %
interval (Student's t over the pairs; pairs of one scene are not independent of each other, so that
the interval over all is a lower bound).

Every network is an ordinary run (in `models/`): the command, repeated, goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

import hsitf
from hsitf.metrics import interval

HEAD = ("scene", "network", "seed", "origin", "labels", "distilled", "difference", "unlabelled")
LINE = "{:14} {:8} {:>4} {:>8} {:>8} {:>9} {:>10} {:>10}"


class Pair(NamedTuple):
    """One network fine-tuned both ways; accuracies on test pixels in percent.

    Attributes:
        scene: Name of the scene.
        network: Name of the network.
        seed: Seed of split and training.
        origin: Accuracy of the network before it was cut.
        labels: Fine-tuned from labels alone.
        distilled: Fine-tuned with its teacher.
        unlabelled: Unlabelled pixels that epochs were drawn from.
    """

    scene: str
    network: str
    seed: int
    origin: float
    labels: float
    distilled: float
    unlabelled: int

    @property
    def difference(self) -> float:
        """Points that the teacher gives."""
        return self.distilled - self.labels


def pair(scene: hsitf.LoadedScene, network: str, seed: int, asked: argparse.Namespace) -> Pair:
    """Trains, cuts and fine-tunes one network, or finds its runs."""
    origin = hsitf.train_network(
        network,
        scene,
        guard=8,
        seed=seed,
        recipe="robust",
        epochs=asked.epochs,
        run=f"distillation-{asked.epochs}-seed{seed}",
    )
    how = {"macs": asked.macs, "criterion": asked.criterion, "epochs": asked.tune, "threads": None}
    folder = f"{origin.folder.name}-{asked.criterion}-macs{asked.macs:g}-{asked.tune}"
    alone, own = f"{folder}-labels", dict(how)
    if asked.twice:
        alone, own["epochs"] = f"{alone}-twice", 2 * asked.tune
    if asked.labels_rate is not None:
        alone = f"{alone}-rate{asked.labels_rate:g}"
        own["learning_rate"] = asked.labels_rate * origin.record.plan.recipe.learning_rate
    labels = origin.prune(run=alone, **own)
    options = {
        "temperature": asked.temperature,
        "teacher_weight": asked.teacher_weight,
        "unlabelled_weight": asked.unlabelled_weight,
    }
    named = "".join(f"-{name}{value:g}" for name, value in options.items() if value is not None)
    taught = origin.prune(run=f"{folder}-distilled{named}", distill=True, **options, **how)
    assert taught.record.pruning is not None
    assert taught.record.pruning.distillation is not None
    return Pair(
        scene.name,
        network,
        seed,
        *(100 * run.scores.oa for run in (origin, labels, taught)),
        taught.record.pruning.distillation.unlabelled,
    )


def summary(title: str, pairs: list[Pair]) -> str:
    """The mean difference of pairs, with its interval where there are two or more."""
    found = [one.difference for one in pairs]
    if len(found) < 2:
        return f"{title}: {found[0]:+.2f} points, one pair"
    mean = interval(found)
    return f"{title}: {mean.mean:+.2f} +- {mean.half_width:.2f} points over {len(found)} pairs"


def write(pairs: list[Pair], path: Path) -> None:
    """All pairs as CSV, accuracies in percent."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(HEAD)
        for one in pairs:
            rows.writerow(_row(one))


def _row(one: Pair) -> tuple[str, ...]:
    values = (one.origin, one.labels, one.distilled)
    return (
        one.scene,
        one.network,
        str(one.seed),
        *(f"{value:.2f}" for value in values),
        f"{one.difference:+.2f}",
        str(one.unlabelled),
    )


def main() -> None:
    """Prints a line a pair as soon as it is done, then the mean differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["he", "cao", "santara"])
    parser.add_argument("--scene", action="append", help="name, or CUBE:LABELS; repeatable")
    parser.add_argument("--data-dir")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40, help="of the network before the cut")
    parser.add_argument("--tune", type=int, default=20, help="epochs of fine-tuning")
    parser.add_argument("--twice", action="store_true", help="twice as many without a teacher")
    parser.add_argument("--labels-rate", type=float, help="share of the rate without a teacher")
    parser.add_argument("--macs", type=float, default=0.1, help="share that is left")
    parser.add_argument("--criterion", default="taylor")
    parser.add_argument("--temperature", type=float)
    parser.add_argument("--teacher-weight", type=float)
    parser.add_argument("--unlabelled-weight", type=float)
    parser.add_argument("--csv", type=Path, default=Path("distillation.csv"))
    asked = parser.parse_args()
    pairs: list[Pair] = []
    print(LINE.format(*HEAD), flush=True)
    for name in asked.scene or ["IndianPines"]:
        cube, _, labels = name.partition(":")
        scene = hsitf.load_scene(cube, labels=labels or None, data_dir=asked.data_dir)
        for network in asked.networks:
            for seed in range(asked.seeds):
                pairs.append(pair(scene, network, seed, asked))
                print(LINE.format(*_row(pairs[-1])), flush=True)
                write(pairs, asked.csv)
    groups: dict[str, list[Pair]] = defaultdict(list)
    for one in pairs:
        groups[one.network].append(one)
    for network, own in groups.items():
        print(summary(network, own))
    print(summary("all", pairs))
    print(f"mean before the cut {np.mean([one.origin for one in pairs]):.2f} %")


if __name__ == "__main__":
    main()
