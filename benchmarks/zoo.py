"""All networks on one scene: accuracy with its interval, size and int8, as one Markdown table.

    PYTHONPATH=. python benchmarks/zoo.py --scene Samson --data-dir DIR [--runs 3]
        [--schedule short] [--max-epochs EPOCHS] [--train SHARE] [--optimizer adam --lr 0.001]
        [--batch SIZE] [NETWORK ...]

Trains each network so often (disjoint splits of seeds that follow each other), exports the first
run to float32 and int8, and prints the table. Runs lie in models/ and files in export/ under the
current folder; what is there already is not made again, so an interrupted table is continued.
`--max-epochs` bounds the epochs where a machine is small: the table then says so.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from hsitf import zoo
from hsitf.errors import HsitfError
from hsitf.export.pipeline import export
from hsitf.export.request import ExportRequest
from hsitf.export.variants import variant
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.progress import Silent
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.train.repeat import train_repeatedly
from hsitf.train.run import scheduled_recipe

PICTURES = {"resnet20", "resnet56", "resnet110", "resnet50", "vgg16"}
HEAD = (
    "network",
    "epochs",
    "OA",
    "AA",
    "kappa",
    "training, s",
    "float32, bytes",
    "int8, bytes",
    "int8 OA change",
    "int8 agreement",
    "integer share",
)


def row(name: str, given: argparse.Namespace) -> tuple[str, ...]:
    """A network's line; what failed says why."""
    changes, epochs = RecipeOptions(given.optimizer, given.lr, given.batch), "-"
    if name not in zoo.BASELINES:
        count = scheduled_recipe(zoo.network(name), given.schedule).epochs
        bounded = min(count, given.max_epochs or count)
        changes = replace(changes, epochs=bounded if bounded < count else None)
        epochs = f"{bounded} of {zoo.network(name).recipe.epochs}"
    plan = training_plan(
        name,
        SceneChoice(given.scene, given.data_dir),
        SplitChoice(train=given.train),
        given.schedule,
        changes,
        bands="pca:30" if name == "roy" else None,
    )
    summary, _ = train_repeatedly(plan, given.runs, None, Silent())
    accuracies = [
        f"{100 * one.mean:.2f} ± {100 * one.half_width:.2f}" for one in (summary.oa, summary.aa)
    ]
    kappa = f"{summary.kappa.mean:.3f} ± {summary.kappa.half_width:.3f}"
    line = (name, epochs, *accuracies, kappa, f"{summary.seconds.mean:.0f}")
    wanted = ["onnx"] if name in zoo.BASELINES else ["float32", "int8"]
    request = ExportRequest(tuple(map(variant, wanted)), max_drop=100.0)
    bundles, refused = export(Run.open(Path(summary.runs[0])), request, Silent())
    found = {bundle.record.variant: bundle.record for bundle in bundles}
    plain = found.get("float32") or found.get("onnx")
    size = f"{plain.bytes:,}" if plain else "-"
    if "int8" not in found:
        return (*line, size, *["-" if name in zoo.BASELINES else str(refused[0])] * 1, "", "", "")
    int8 = found["int8"]
    return (
        *line,
        size,
        f"{int8.bytes:,}",
        f"{0 - int8.oa_drop:+.2f}",
        f"{100 * int8.agreement:.2f} %",
        f"{int8.integer_share:.2f}",
    )


def main() -> None:
    """Prints the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--scene", default="fields")
    parser.add_argument("--data-dir")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--schedule", default="short")
    parser.add_argument("--max-epochs", type=int)
    parser.add_argument("--train")
    parser.add_argument("--optimizer")
    parser.add_argument("--lr", type=float)
    parser.add_argument("--batch", type=int)
    given = parser.parse_args()
    every = [name for name in zoo.names() if name not in PICTURES]
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    for name in given.networks or [*zoo.BASELINES, *every]:
        try:
            cells = row(name, given)
        except HsitfError as error:
            cells = (name, str(error))
        print("| " + " | ".join(cells) + " |", flush=True)
    print(f"\n`{' '.join(['python', *sys.argv])}`")


if __name__ == "__main__":
    main()
