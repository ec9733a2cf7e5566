"""The figures of README and docs that show how things work.

    PYTHONPATH=. python benchmarks/doc_figures.py leakage tile lowering
    PYTHONPATH=. python benchmarks/doc_figures.py front --bundles export/fields/cao

`front` needs the int8 and float32 bundles of `cao` on `fields`
(`hsitf export --model cao --int8 --float32`); the others need nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.figures import BLUE, GRAY, ORANGE, VERMILION, class_palette, new_figure, save
from hsitf.scenes import load
from hsitf.scenes.picture import painted
from hsitf.scenes.rgb import rgb_picture
from hsitf.scenes.splits import SplitOptions, leakage, split

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURES = Path(__file__).resolve().parents[1] / "docs/figures"


def front(bundles: Path) -> None:
    """A scene, its ground truth and the map of an int8 file, with what the file takes."""
    import hsitf

    small = hsitf.load_bundle(bundles / "int8")
    plain = hsitf.load_bundle(bundles / "float32")
    scene = load("fields")
    found = small.classify("fields")
    colors = class_palette(len(scene.class_names), scene.class_colors)
    figure = new_figure(10, 4.1)
    axes = figure.subplots(1, 3)
    pictures = {
        "scene (200 bands, shown in three)": rgb_picture(scene),
        "ground truth": painted(scene, scene.labels, colors),
        "map of the int8 file": painted(scene, found.labels, colors),
    }
    for one, (title, pixels) in zip(axes, pictures.items(), strict=True):
        one.imshow(pixels, interpolation="nearest")
        one.set_title(title, fontsize=12)
        one.set_axis_off()
    record = small.record
    size = record.bytes
    figure.supxlabel(
        f"cao on fields (synthetic): {plain.record.bytes / 1e6:.2f} MB in float32, "
        f"{size / 1e6:.2f} MB in int8; {record.latency_ms.p50:.2f} ms a patch; OA "
        f"{record.oa:.2%}, agreement {record.agreement:.2%} on test pixels",
        fontsize=11,
    )
    save(figure, FIGURES / "front.png")


def leakage_of_splits() -> None:
    """A random and a disjoint split of one scene, with patches of test pixels."""
    scene = load("fields")
    patch = 9
    figure = new_figure(10, 5.6)
    for axes, kind, share in zip(
        figure.subplots(1, 2), ("random", "disjoint"), (0.1, None), strict=True
    ):
        found = split(scene.labels, SplitOptions(kind=kind, train=share, patch=patch))
        picture = np.full((*scene.labels.shape, 3), 255, np.uint8)
        picture[scene.labels > 0] = (225, 225, 225)
        for pixels, color in ((found.test, VERMILION), (found.train, BLUE)):
            picture.reshape(-1, 3)[pixels] = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        axes.imshow(picture, interpolation="nearest")
        _draw_patches(axes, found.test, scene.labels.shape[1], patch)
        seen = leakage(found, patch)
        name = (
            f"{kind}, 10 % for training" if share else f"{kind}, with a guard of {patch - 1} pixels"
        )
        axes.set_title(f"{name}: leakage {100 * seen.patch:.1f} %", fontsize=12)
        axes.set_axis_off()
    figure.supxlabel(
        f"fields (synthetic). Blue: training pixels; orange: test pixels; "
        f"frames: patches of {patch} x {patch} pixels around some test pixels",
        fontsize=11,
    )
    save(figure, FIGURES / "leakage.png")


def _draw_patches(axes: Axes, test: np.ndarray, cols: int, patch: int) -> None:
    from matplotlib.patches import Rectangle

    rng = np.random.default_rng(1)
    for pixel in rng.choice(test, 14, replace=False):
        row, col = divmod(int(pixel), cols)
        corner = (col - patch // 2 - 0.5, row - patch // 2 - 0.5)
        axes.add_patch(
            Rectangle(corner, patch, patch, fill=False, edgecolor="black", linewidth=1.4)
        )


def tile() -> None:
    """How often pixels are read by patches, and by a tile with its halo."""
    from matplotlib.patches import Rectangle

    side, patch = 12, 5
    halo = patch // 2
    full = side + 2 * halo
    counts = np.zeros((full, full), int)
    for row in range(side):
        for col in range(side):
            counts[row : row + patch, col : col + patch] += 1
    figure = new_figure(10, 5.2)
    for axes, values, title in zip(
        figure.subplots(1, 2),
        (counts, np.ones_like(counts)),
        (
            f"{side * side} patches of {patch} x {patch}: {side * side * patch**2:,} pixels read",
            f"one tile with its halo of {halo}: {full * full} pixels read",
        ),
        strict=True,
    ):
        axes.imshow(values, cmap="Blues", vmin=0, vmax=patch**2)
        for (row, col), value in np.ndenumerate(values):
            shade = "white" if value > 14 else GRAY
            axes.text(col, row, value, ha="center", va="center", fontsize=7.5, color=shade)
        axes.add_patch(
            Rectangle(
                (halo - 0.5, halo - 0.5), side, side, fill=False, edgecolor=VERMILION, linewidth=2
            )
        )
        axes.set_title(title, fontsize=12)
        axes.set_axis_off()
    figure.supxlabel(
        "How often each pixel is read to label the pixels in the frame",
        fontsize=11,
    )
    save(figure, FIGURES / "tile-form.png")


def lowering() -> None:
    """A convolution over rows, cols and bands, and the block-Toeplitz kernel that equals it."""
    bands, taps, filters, group = 8, 3, 2, 4
    kernel = np.random.default_rng(0).integers(1, 9, (taps, filters))
    outputs = bands - taps + 1
    # Row: an input band; column: an output position of a filter.
    toeplitz = np.zeros((bands, outputs * filters), int)
    for position in range(outputs):
        toeplitz[position : position + taps, position * filters : (position + 1) * filters] = kernel
    figure = new_figure(10, 4.6)
    axes = figure.subplots(1, 2, width_ratios=[1, 4])
    titles = (
        f"kernel along the bands\n{taps} taps, {filters} filters",
        f"the same as one matrix: {bands} bands in, {outputs} positions of {filters} filters out",
    )
    for one, values, title in zip(axes, (kernel, toeplitz), titles, strict=True):
        one.imshow(values > 0, cmap="Blues", vmin=0, vmax=1.8, aspect="equal")
        for (row, col), value in np.ndenumerate(values):
            one.text(col, row, value, ha="center", va="center", color=GRAY if value else "#bbbbbb")
        one.set_title(title, fontsize=11)
        one.set_xticks([])
        one.set_yticks([])
    for position in range(1, outputs):
        axes[1].axvline(position * filters - 0.5, color=ORANGE, linewidth=1)
    axes[1].set_ylabel("input band")
    share = np.count_nonzero(toeplitz) / toeplitz.size
    figure.supxlabel(
        f"Bands become channels, and a 3-D convolution a 2-D one. {share:.0%} of the products are "
        f"with weights, the others with zeros;\ncutting the spectrum into groups of {group} "
        "positions, or copying bands instead (im2col), has fewer zeros. The cheapest is taken.",
        fontsize=10.5,
    )
    save(figure, FIGURES / "lowering.png")


def main() -> None:
    """Draws the figures that are named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+", choices=("front", "leakage", "tile", "lowering"))
    parser.add_argument("--bundles", type=Path, default=Path("export/fields/cao"))
    given = parser.parse_args()
    for name in given.names:
        if name == "front":
            front(given.bundles)
        else:
            {"leakage": leakage_of_splits, "tile": tile, "lowering": lowering}[name]()


if __name__ == "__main__":
    main()
