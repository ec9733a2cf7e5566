"""How exactly thinned networks equal their masked originals: network by criterion by ratio.

    PYTHONPATH=. python benchmarks/exactness.py [NETWORK ...]

Random weights, statistics of batch normalization that are not 0 and 1, random inputs. Errors are
relative to the largest output (1 at least). Where a plan is approximate, what only approximates
is left alone and the line marked with a star.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from hsitf import zoo
from hsitf.errors import InputError
from hsitf.prune import PruningConfig, Ranking, Samples, masked, rank, select, thin
from hsitf.prune.criteria import CRITERIA
from hsitf.tables import format_table

RATIOS = (0.1, 0.5, 0.9)
CLASSES = 5
# Networks for pictures, and those that need more bands or are large.
BANDS = {"luo": 60, "santara": 120, "chen": 103, "roy": 30, "sharma": 20}
PICTURES = ("resnet20", "resnet56", "resnet110", "resnet50", "vgg16")
PATCHES = {"resnet50": 64, "sharma": 64}


def randomized(model: keras.Model, rng: np.random.Generator) -> keras.Model:
    """Random weights of a size that keeps signals alive."""
    for variable in model.weights:
        # The states of random generators are integers.
        if not variable.dtype.startswith("float"):
            continue
        fan = max(1, int(np.prod(variable.shape[:-1])))
        value = rng.normal(size=variable.shape, scale=(2 / fan) ** 0.5)
        variable.assign(0.5 + np.abs(value) if "variance" in variable.name else value)
    return model


def errors(model: keras.Model, ranking: Ranking, x: np.ndarray) -> tuple[list[float], bool]:
    """By ratio the largest relative difference; and whether something was left alone."""
    found, approximate = [], False
    for ratio in RATIOS:
        plan = select(ranking, PruningConfig(ratio))
        if plan.approximate:
            approximate, plan = True, select(ranking, PruningConfig(ratio, exact=True))
        expected = keras.ops.convert_to_numpy(masked(model, plan)(x))
        received = keras.ops.convert_to_numpy(thin(model, plan)(x))
        largest = max(1.0, float(np.abs(expected).max()))
        found.append(float(np.abs(expected - received).max()) / largest)
    return found, approximate


def lines(name: str) -> list[tuple[str, ...]]:
    """One line a criterion."""
    rng = np.random.default_rng(0)
    bands = 3 if name in PICTURES else BANDS.get(name, 40)
    patch = PATCHES.get(name)
    model = randomized(zoo.build(name, bands=bands, classes=CLASSES, patch=patch), rng)
    shape = model.inputs[0].shape[1:]
    samples = Samples(
        (rng.normal(size=(16, *shape)).astype(np.float32),), rng.integers(0, CLASSES, 16)
    )
    x = rng.normal(size=(3, *shape)).astype(np.float32)
    table = []
    for criterion in CRITERIA:
        try:
            ranking = rank(model, criterion, samples)
        except InputError:
            # bn_scale without batch normalization.
            table.append((name, criterion, "-", "-", "-"))
            continue
        found, approximate = errors(model, ranking, x)
        cells = [f"{error:.0e}" for error in found]
        table.append((name + ("*" if approximate else ""), criterion, *cells))
    return table


def main() -> None:
    """Prints the table, network by network; fails where an error is above 1e-5."""
    rows = []
    for name in sys.argv[1:] or zoo.names():
        rows += lines(name)
        print(f"{name}: done", file=sys.stderr, flush=True)
    print(format_table(("network", "criterion", *(f"{r:g}" for r in RATIOS)), rows, text_columns=2))
    worst = max(float(cell) for row in rows for cell in row[2:] if cell != "-")
    print(f"Largest: {worst:.0e}.")
    sys.exit(0 if worst <= 1e-5 else 1)


if __name__ == "__main__":
    main()
