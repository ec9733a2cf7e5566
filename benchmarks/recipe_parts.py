"""What each part of the robust recipe gives: one left out, or one added, at a time.

    PYTHONPATH=. python benchmarks/recipe_parts.py --scene IndianPines [--data-dir FOLDER]
        [--splits 2] [--epochs 8] [NETWORK ...]

Every variant is an ordinary run (in `models/`), so that the command, repeated, goes on where it
was. The splits are disjoint with a guard of 8 pixels for all networks. The table has the validation
accuracy of the best epoch, by which parts are chosen, and the accuracy on test pixels, which is
there to judge the choice; each with its difference to the whole recipe, paired by split. Stop it at
any time: a line is printed as soon as a variant is done.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import hsitf
from hsitf import zoo

HEAD = f"{'network':8} {'variant':34} {'validation':>10} {'diff':>7} {'test':>7} {'diff':>7}"

LIGHT = {"brightness": 0.02, "slope": 0.02, "curvature": 0.01}
SPATIAL = {"border": 0.0, "center": 0.0}
# Options of `train_network` beside those of the whole recipe, by what they change.
VARIANTS: dict[str, dict[str, Any]] = {
    "robust": {},
    "paper": {"recipe": "paper"},
    "without augmentation": {"augment": ["none"]},
    "without noise": {"augment": {"noise": 0.0}},
    "without neighbor": {"augment": {"neighbor": 0.0}},
    "without border and center": {"augment": SPATIAL},
    "without flips and rotations": {"flip_rotate": False},
    "without mixup": {"mixup": 0.0},
    "without label smoothing": {"label_smoothing": 0.0},
    "without averaged weights": {"ema_epochs": 0.0},
    "without decoupled weight decay": {"decoupled_weight_decay": 0.0},
    "without warm-up and cosine decay": {"warmup": 0.0, "cosine_decay": False},
    "with changes of light": {"augment": LIGHT},
    "with shifts": {"augment": ["shift"]},
    "with missing bands and blocks": {"augment": ["missing-bands", "missing-block"]},
    "with balanced sampling": {"balanced_sampling": 0.5},
    "with standard normal variate": {"pixel_normalization": "snv"},
    "with pseudo-labels": {"pseudo_labels": 0.95},
}
_OF_PATCHES = ("without border and center", "without flips and rotations")


def scores(
    network: str, scene: hsitf.LoadedScene, name: str, epochs: int | None, splits: int
) -> np.ndarray:
    """(splits, 2) validation accuracy of the best epoch and test accuracy, in percent."""
    found = []
    for seed in range(splits):
        options: dict[str, Any] = {"recipe": "robust", **VARIANTS[name]}
        label = name.replace(" ", "-")
        run = hsitf.train_network(
            network,
            scene,
            guard=8,
            seed=seed,
            epochs=epochs,
            run=f"parts-{label}-{epochs or 'short'}-seed{seed}",
            **options,
        )
        record = run.record
        best = record.history[record.best_epoch - 1].validation_oa
        found.append((100 * best, 100 * record.scores.oa))
    return np.array(found)


def main() -> None:
    """Trains what is asked for and prints a line a variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["cao", "he"])
    parser.add_argument("--scene", default="IndianPines")
    parser.add_argument("--data-dir")
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--epochs", type=int)
    asked = parser.parse_args()
    scene = hsitf.load_scene(asked.scene, data_dir=asked.data_dir)
    print(HEAD, flush=True)
    for network in asked.networks:
        single = zoo.network(network).patch == 1
        names = [name for name in VARIANTS if not (single and name in _OF_PATCHES)]
        whole = None
        for name in names:
            found = scores(network, scene, name, asked.epochs, asked.splits)
            whole = found if whole is None else whole
            (validation, test), (by, beyond) = found.mean(0), (found - whole).mean(0)
            print(
                f"{network:8} {name:34} {validation:10.2f} {by:+7.2f} {test:7.2f} {beyond:+7.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
