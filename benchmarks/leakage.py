"""Leakage of splits of published label maps: the table of docs/explanation/leakage.md.

    PYTHONPATH=. python benchmarks/leakage.py --data-dir DIR [--write]

Takes the label maps that DIR holds, under the names that their publishers gave them; no cube is
needed. With --write the table on the page is replaced.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from hsitf.scenes.splits import (
    INDIAN_PINES_DISJOINT,
    SmallClassesError,
    Split,
    SplitOptions,
    leakage,
    remap,
    split,
)

PAGE = Path(__file__).resolve().parents[1] / "docs/explanation/leakage.md"
PATCHES = (5, 7, 9, 25)
# Scene: its file and variable.
MAPS = {
    "Indian Pines": ("Indian_pines_gt.mat", "indian_pines_gt"),
    "PaviaU": ("PaviaU_gt.mat", "paviaU_gt"),
    "Salinas": ("Salinas_gt.mat", "salinas_gt"),
    "KSC": ("KSC_gt.mat", "KSC_gt"),
    "Botswana": ("Botswana_gt.mat", "Botswana_gt"),
}
PUBLISHED = ("indianpines_disjoint_dset.mat", "indianpines_disjoint_dset")


def rows(folder: Path) -> list[str]:
    """The lines of the table."""
    lines = [
        "| scene, split | " + " | ".join(f"{patch} x {patch}" for patch in PATCHES) + " |",
        "|---|" + "---|" * len(PATCHES),
    ]
    for scene, (file, variable) in MAPS.items():
        labels = loadmat(folder / file)[variable].astype(np.int32)
        for share in (0.05, 0.1):
            found = [
                split(labels, SplitOptions(kind="random", train=share, patch=patch))
                for patch in PATCHES
            ]
            lines.append(_row(f"{scene}, random {100 * share:.0f} %", found))
        if scene == "Indian Pines":
            train = remap(
                loadmat(folder / PUBLISHED[0])[PUBLISHED[1]].astype(np.int32),
                INDIAN_PINES_DISJOINT,
            )
            fixed = [
                split(labels, SplitOptions(kind="fixed", patch=patch), train_map=train)
                for patch in PATCHES
            ]
            lines.append(_row(f'{scene}, published "disjoint" map', fixed))
        lines.append(_row(f"{scene}, disjoint with guard", _disjoint(labels)))
    return lines


def _disjoint(labels: NDArray[np.int32]) -> list[Split]:
    """Splits of the classes that are large enough, as the verbs make them."""
    found = []
    for patch in PATCHES:
        options = SplitOptions(kind="disjoint", patch=patch)
        try:
            found.append(split(labels, options))
        except SmallClassesError as error:
            kept = np.where(np.isin(labels, error.classes), 0, labels)
            found.append(split(kept, options))
    return found


def _row(name: str, found: list[Split]) -> str:
    cells = []
    for patch, one in zip(PATCHES, found, strict=True):
        seen = leakage(one, patch)
        cells.append(f"{100 * seen.patch:.1f} ({100 * seen.pixel:.1f})")
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Prints the table, or puts it on the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    table = "\n".join(rows(given.data_dir))
    if given.write:
        text = PAGE.read_text()
        marked = f"<!-- leakage: begin -->\n\n{table}\n\n<!-- leakage: end -->"
        pattern = r"<!-- leakage: begin -->.*<!-- leakage: end -->"
        PAGE.write_text(re.sub(pattern, marked, text, flags=re.S))
    print(table)


if __name__ == "__main__":
    main()
