"""Parameters and multiply-accumulates of the pruning paper's networks, beside its own.

Each network of the zoo is built with fresh weights, planned with the ratios of the paper (Zhang
et al., Remote Sensing 2023, 15, 3144) and thinned; which channels go does not change what is
left, so no data are needed.

    PYTHONPATH=. python benchmarks/lfp_tables.py [NETWORK ...]

Where the paper gives the first convolution a ratio of its own, it takes that of its stage's
outputs here: the two are added, and lose the same channels.
"""

from __future__ import annotations

import os
import sys
import time
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from hsitf import zoo
from hsitf.cost import cost
from hsitf.measure import peak_memory
from hsitf.prune import PruningConfig, plan, thin
from hsitf.tables import format_table


class Row(NamedTuple):
    """One line of the paper's tables.

    Attributes:
        network: Name in the zoo.
        classes: Classes of its picture set.
        ratios: As the paper lists them.
        parameters: Reduction of the parameters in the paper, in percent; `flops` likewise.
        within: Percentage points that ours may differ; None where they are only shown, since
            the paper's figures do not follow from its ratios.
    """

    network: str
    classes: int
    ratios: list[float]
    parameters: float
    flops: float
    within: float | None


# ResNet-110's 132.08 M do not follow from its ratios: by hand they leave 139.0 M, 45.0 % less.
ROWS = [
    Row("resnet56", 10, [0.0] + [0.15] * 2 + [0.4] * 27, 44.7, 48.4, 2),
    Row("resnet56", 10, [0.0] + [0.4] * 2 + [0.5] * 9 + [0.6] * 9 + [0.7] * 9, 71.8, 71.8, 2),
    Row("resnet110", 10, [0.0] + [0.2] * 2 + [0.3] * 18 + [0.35] * 36, 39.0, 47.8, 3),
    Row("resnet110", 10, [0.0] + [0.4] * 2 + [0.5] * 18 + [0.65] * 36, 68.6, 71.2, 2),
    Row("vgg16", 10, [0.3] * 7 + [0.75] * 5, 83.3, 66.6, 2),
    Row("vgg16", 10, [0.45] * 7 + [0.78] * 5, 87.4, 78.6, 2),
    Row("resnet20", 100, [0.0] + [0.1] * 2 + [0.25] * 9, 36.7, 50.0, None),
    Row("resnet20", 100, [0.0] + [0.3] * 2 + [0.3] * 3 + [0.4] * 3 + [0.5] * 3, 43.4, 52.3, None),
    Row("resnet50", 1000, [0.0] + [0.1] * 3 + [0.35] * 16, 40.8, 46.7, 4),
    Row("resnet50", 1000, [0.0] + [0.5] * 3 + [0.6] * 16, 68.5, 76.3, 4),
    # Table 7 gives no ratios: those of the study lfp, in the form of Table 1.
    Row("vgg16", 21, [0.04] * 7 + [0.76] * 5, 78.3, 40.6, 2),
    Row("vgg16", 21, [0.13] * 7 + [0.9] * 5, 86.4, 53.3, 2),
]

# Blocks of each stage.
BLOCKS = {
    "resnet20": (3, 3, 3),
    "resnet56": (9, 9, 9),
    "resnet110": (18, 18, 18),
    "resnet50": (3, 4, 6, 3),
}
VGG = [(1, 2), (2, 2), (3, 3), (4, 3), (5, 3)]


def by_layer(row: Row) -> dict[str, float]:
    """The paper's list of ratios as ratios of layers."""
    if row.network == "vgg16":
        names = [f"stage{s}_conv{n}" for s, count in VGG for n in range(1, count + 1)]
        return dict(zip(names, row.ratios, strict=False))
    stages = BLOCKS[row.network]
    outputs, inner = row.ratios[1 : len(stages)], iter(row.ratios[len(stages) :])
    last = "conv3" if row.network == "resnet50" else "conv2"
    found = {f"stage{stage}_block1_{last}": ratio for stage, ratio in enumerate(outputs, start=1)}
    for stage, blocks in enumerate(stages, start=1):
        for block in range(1, blocks + 1):
            ratio = next(inner)
            for conv in ("conv1", "conv2") if row.network == "resnet50" else ("conv1",):
                found[f"stage{stage}_block{block}_{conv}"] = ratio
    return found


def line(row: Row) -> tuple[tuple[str, ...], bool]:
    """What is left of a network, and whether it is as near to the paper as it has to be."""
    model = zoo.build(row.network, bands=3, classes=row.classes)
    begin = time.perf_counter()
    smaller = thin(model, plan(model, "l1", PruningConfig(ratios=by_layer(row))))
    seconds = time.perf_counter() - begin
    before, after = cost(model), cost(smaller)
    counts = [trainable(network) for network in (model, smaller)]
    ours = [100 * (1 - counts[1] / counts[0]), 100 * (1 - after.macs / before.macs)]
    differences = [ours[0] - row.parameters, ours[1] - row.flops]
    near = row.within is None or max(map(abs, differences)) <= row.within
    cells = (
        row.network,
        f"{counts[1]:,}",
        f"{ours[0]:.1f}",
        f"{row.parameters:.1f}",
        f"{differences[0]:+.1f}",
        f"{after.macs / 1e6:.2f}",
        f"{ours[1]:.1f}",
        f"{row.flops:.1f}",
        f"{differences[1]:+.1f}",
        "shown" if row.within is None else "yes" if near else "NO",
        f"{seconds:.1f}",
    )
    return cells, near


def trainable(model: object) -> int:
    """Parameters as the paper counts them, without the statistics of batch normalization."""
    return sum(int(weight.value.numpy().size) for weight in model.trainable_weights)  # type: ignore[attr-defined]


def main() -> None:
    """Prints the table; fails where a network is too far from the paper."""
    chosen = [row for row in ROWS if not sys.argv[1:] or row.network in sys.argv[1:]]
    head = (
        "network",
        "parameters",
        "less %",
        "paper",
        "diff",
        "MACs (M)",
        "less %",
        "paper",
        "diff",
        "near",
        "s",
    )
    lines, near = zip(*map(line, chosen), strict=True)
    print(format_table(head, lines))
    print(f"s: seconds to plan and thin. Peak memory {peak_memory() / 1e9:.2f} GB.")
    sys.exit(0 if all(near) else 1)


if __name__ == "__main__":
    main()
