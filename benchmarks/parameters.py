"""Parameters and multiply-accumulates of every network, as docs/reference/networks.md lists them.

    PYTHONPATH=. python benchmarks/parameters.py

At 200 bands with 16 and 17 classes (roy and ssftt: 30 components); networks for pictures at 3
bands with their paper's classes. Only `luo` needs memory: 0.4 GB of weights, twice.
"""

from __future__ import annotations

from hsitf import zoo
from hsitf.cost import cost
from hsitf.tables import format_table

# Where a paper reduces its scene first, and where it looks at pictures.
REDUCED = {"roy": 30, "ssftt": 30}
PICTURES = {"resnet20": 100, "resnet56": 10, "resnet110": 10, "vgg16": 21, "resnet50": 1000}


def row(name: str) -> tuple[str, ...]:
    """A network's line."""
    bands = 3 if name in PICTURES else REDUCED.get(name, 200)
    counts = (PICTURES[name],) if name in PICTURES else (16, 17)
    found = [cost(zoo.build(name, bands=bands, classes=count)) for count in counts]
    patch = zoo.network(name).tile or zoo.network(name).patch
    return (
        name,
        f"{patch} x {patch} x {bands}",
        " / ".join(map(str, counts)),
        " / ".join(f"{one.parameters:,}" for one in found),
        f"{found[0].macs:,}",
    )


def main() -> None:
    """Prints the table."""
    head = ("network", "patch", "classes", "parameters", "multiply-accumulates")
    print(format_table(head, [row(name) for name in zoo.names()]))


if __name__ == "__main__":
    main()
