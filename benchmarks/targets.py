"""Cost of the zoo's networks on targets: lowered by default, and as the target's cost chooses.

    PYTHONPATH=. python benchmarks/targets.py TARGET [--bands 200] [--tile SIDE] [--out FILE] \
        [NETWORK ...]

Weights are random: shapes alone decide about cost, but for the compression of weights. Without
networks, all that take 200 bands and are not too large. Prints a Markdown table, and writes each
row to FILE as soon as it is known, so that a repeated command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from hsitf import zoo
from hsitf.bench.report import markdown_table
from hsitf.export.convert import lowered_form
from hsitf.export.tuning import TuningSubject, tune
from hsitf.export.variants import VARIANTS
from hsitf.progress import Silent
from hsitf.targets import find_target

HEAD = ("network", "default", "tuned", "ratio", "channels", "methods", "files tried", "seconds")
# Bands after their reduction, where a network is made for components.
COMPONENTS = {"roy": 30, "ssftt": 30, "sharma": 30}
NETWORKS = (
    *("hu", "boulch", "hamida", "santara", "liu", "li", "lee", "he", "cao", "ssrn", "ssftt"),
    *("spectralformer", "dbda", "a2s2k", "gaht", "fdssc", "justoliunet", "roy"),
)


def measure(name: str, target_name: str, kind: str, bands: int, tile: int) -> dict[str, object]:
    """One row: the cost by default and tuned."""
    keras.utils.set_random_seed(0)
    bands = COMPONENTS.get(name, bands)
    model = zoo.build(name, bands=bands, classes=16)
    variant = VARIANTS[kind]
    side = zoo.network(name).patch + (tile - 1 if tile else 0)
    samples = np.random.default_rng(0).normal(size=(4, side, side, bands)).astype(np.float32)
    subject = TuningSubject(
        lambda arithmetic: lowered_form(model, 1, arithmetic, tile),
        variant,
        samples,
        target_name,
        find_target(target_name),
    )
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = tune(subject, variant.arithmetic, Path(folder) / "tuning.json", Silent())
    return {
        "network": name,
        "default": found.default_cost,
        "tuned": found.cost,
        "channels": found.arithmetic.channel_alignment,
        "methods": {
            layer: [method.channel_alignment, method.unfolding]
            for layer, method in found.arithmetic.methods
        },
        "tried": found.tried,
        "seconds": time.perf_counter() - start,
    }


def main() -> None:
    """Measures the networks and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--kind", default="int8")
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--tile", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_intermixed_args()
    rows = []
    if options.out is not None and options.out.is_file():
        rows = [json.loads(line) for line in options.out.read_text().splitlines()]
    done = {row["network"] for row in rows}
    for name in options.networks:
        if name in done:
            continue
        rows.append(measure(name, options.target, options.kind, options.bands, options.tile))
        if options.out is not None:
            with options.out.open("a") as stream:
                stream.write(json.dumps(rows[-1]) + "\n")
    print(markdown_table(HEAD, [_cells(row) for row in rows]))
    ratios = [row["tuned"] / row["default"] for row in rows]
    print(f"\nGeometric mean of the ratios: {math.prod(ratios) ** (1 / len(ratios)):.3f}")


def _cells(row: dict) -> tuple[str, ...]:
    methods = "; ".join(f"{name}: {ways[0]} {ways[1]}" for name, ways in row["methods"].items())
    return (
        row["network"],
        f"{row['default']:,.6g}",
        f"{row['tuned']:,.6g}",
        f"{row['tuned'] / row['default']:.2f}",
        str(row["channels"]),
        methods or "-",
        str(row["tried"]),
        f"{row['seconds']:.0f}",
    )


if __name__ == "__main__":
    main()
