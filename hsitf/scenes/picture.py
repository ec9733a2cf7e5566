"""A scene to look at before training: RGB, ground truth, split, spectra of the classes, counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hsitf.figures import (
    BLUE,
    GRAY,
    ORANGE,
    VERMILION,
    Color,
    SpectralAxis,
    class_palette,
    new_figure,
    plain_text,
    rgb_floats,
    save,
    style_axes,
)
from hsitf.scenes.count_table import (
    CHARACTER_WIDTH,
    count_table,
    draw_table,
    shortened,
    table_height,
    table_width,
)
from hsitf.scenes.describe import SETS
from hsitf.scenes.rgb import gray_picture, rgb_caption, rgb_picture
from hsitf.scenes.scene import Scene
from hsitf.scenes.spectra import SPREAD, ClassSpectra, class_spectra, value_label
from hsitf.scenes.splits import Split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

# Colors of the sets of a split, here and in reports.
SET_COLORS = dict(zip(SETS, (BLUE, ORANGE, VERMILION), strict=True))
UNUSED_COLOR = "#CC79A7"
# Classes whose spectra fit one diagram, each with its spread; more get a diagram each.
MAX_TOGETHER = 8
# Pixels of an image's longer side; larger scenes are thinned out.
MAX_SIDE = 1600
# Sizes in inches: the images, the least width of the page, and its title.
IMAGE_HEIGHT, IMAGE_WIDTH, PAGE_WIDTH, TITLE_HEIGHT = 4.6, 4.3, 11.0, 0.35


def draw_scene(scene: Scene, split: Split | None, path: Path) -> None:
    """Draws a scene to a file.

    Args:
        scene: The scene; without labels, its RGB picture and mean spectrum are drawn.
        split: Its split; None for none.
        path: Path with the suffix .png, .svg or .pdf.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    labelled = bool(scene.labels.any())
    images = 1 if not labelled else 2 if split is None else 3
    rows, cols = scene.labels.shape
    height = min(IMAGE_HEIGHT, IMAGE_WIDTH * rows / cols) + 1.1
    table = count_table(scene, split) if labelled else None
    lower = 3.4
    if table is not None:
        lower = max(3.4 if scene.classes <= MAX_TOGETHER else 4.6, table_height(table))
    width = max(PAGE_WIDTH, images * (min(IMAGE_WIDTH, IMAGE_HEIGHT * cols / rows) + 0.4))
    figure = new_figure(width, TITLE_HEIGHT + height + lower)
    synthetic = ", a synthetic scene" if scene.synthetic else ""
    title = f"{scene.name}{synthetic}: {rows} x {cols} pixels, {scene.bands} bands"
    ratios = [TITLE_HEIGHT, height, lower]
    head, upper, below = np.asarray(figure.subfigures(3, 1, height_ratios=ratios))
    head.text(0.5, 0.4, plain_text(title), ha="center", va="center", fontsize="large")
    _draw_images(upper, scene, split, images)
    if table is None:
        _draw_together(below.subplots(), scene, class_spectra(scene))
    else:
        side = min(table_width(table), 0.6 * width)
        left, right = np.asarray(below.subfigures(1, 2, width_ratios=[width - side, side]))
        _draw_spectra(left, scene)
        draw_table(right.subplots(), scene, table, side, lower)
    save(figure, path)


def _draw_images(figure: SubFigure, scene: Scene, split: Split | None, images: int) -> None:
    parts = np.atleast_1d(np.asarray(figure.subplots(1, images)))
    missing = int(np.count_nonzero(~scene.valid))
    share = f"white: {missing:,} pixels without data" if missing else ""
    _show(parts[0], rgb_picture(scene), f"RGB: {rgb_caption(scene).removesuffix(' as RGB')}")
    parts[0].set_xlabel(share, fontsize="small")
    if images > 1:
        _show(parts[1], painted(scene, scene.labels, _colors(scene)), "ground truth")
    if images > 2 and split is not None:
        zones = split.zones()
        unused = (scene.labels > 0) & (zones == 0)
        colors = [_bytes(color) for color in (*SET_COLORS.values(), UNUSED_COLOR)]
        kind = f"{split.kind} split, seed {split.seed}"
        guard = f", guard of {split.guard} pixels" if split.kind == "disjoint" else ""
        _show(parts[2], painted(scene, np.where(unused, 4, zones), colors), kind + guard)
        _set_legend(parts[2], split, int(np.count_nonzero(unused)))


def painted(scene: Scene, numbers: NDArray[np.integer], colors: list[Color]) -> NDArray[np.uint8]:
    """(rows, cols, 4) uint8: numbers from 1 in their colors, over the scene in pale gray.

    Args:
        scene: The scene; pixels without data stay transparent.
        numbers: (rows, cols), 0 where nothing is painted.
        colors: One color per number.
    """
    pixels = gray_picture(scene)
    opaque = np.array([(0, 0, 0, 0), *((*color, 255) for color in colors)], np.uint8)
    return np.where((numbers > 0)[:, :, None], opaque[numbers], pixels)


def _show(axes: Axes, pixels: NDArray[np.uint8], title: str) -> None:
    step = -(-max(pixels.shape[:2]) // MAX_SIDE)
    rows, cols = pixels.shape[:2]
    ends = (-0.5, cols - 0.5, rows - 0.5, -0.5)
    axes.imshow(pixels[::step, ::step], interpolation="nearest", extent=ends)
    axes.set_title(plain_text(title), fontsize="medium")
    axes.tick_params(labelsize=7, colors=GRAY)
    axes.locator_params(axis="y", nbins=5, integer=True)
    axes.locator_params(axis="x", nbins=max(1, min(5, 8 * cols // rows)), integer=True)
    for spine in axes.spines.values():
        spine.set_color("#cccccc")


def _set_legend(axes: Axes, split: Split, unused: int) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=color, label=f"{name}: {len(pixels):,}")
        for (name, color), pixels in zip(SET_COLORS.items(), split.sets, strict=True)
    ]
    if unused:
        handles.append(Patch(facecolor=UNUSED_COLOR, label=f"in no set: {unused:,}"))
    axes.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.07),
        ncols=2,
        frameon=False,
        fontsize="small",
    )


def _draw_spectra(figure: SubFigure, scene: Scene) -> None:
    spectra = class_spectra(scene)
    count = len(spectra.numbers)
    if count <= MAX_TOGETHER:
        _draw_together(figure.subplots(), scene, spectra)
        return
    across = int(np.ceil(np.sqrt(1.5 * count)))
    down = -(-count // across)
    parts = np.asarray(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False))
    axis, colors = SpectralAxis.of(scene.wavelengths, scene.bands), _colors(scene)
    room = int(figure.bbox.width / figure.dpi / across / CHARACTER_WIDTH)
    for index, axes in enumerate(parts.ravel()):
        if index >= count:
            axes.remove()
            continue
        for other in spectra.mean:
            axis.plot(axes, other, color="#dddddd", linewidth=0.5)
        color = rgb_floats(colors[spectra.numbers[index] - 1])
        axis.fill(axes, spectra.low[index], spectra.high[index], color=color, alpha=0.35)
        axis.plot(axes, spectra.mean[index], color=color, linewidth=1.2)
        axes.set_title(plain_text(shortened(spectra.names[index], room)), fontsize=7.5, pad=2)
        axes.tick_params(labelsize=6)
        axes.locator_params(nbins=3)
        # The lowest of every column, whether or not the last row reaches it.
        axes.tick_params(labelbottom=index >= count - across)
        style_axes(axes)
    figure.supxlabel(axis.label, fontsize="small")
    figure.supylabel(f"mean and {_spread()}, {value_label(scene)}", fontsize="small")


def _draw_together(axes: Axes, scene: Scene, spectra: ClassSpectra) -> None:
    colors = _colors(scene)
    lines = [rgb_floats(colors[number - 1]) if number else GRAY for number in spectra.numbers]
    draw_spectra(axes, scene, spectra, lines)
    axes.set_title(f"mean and {_spread()} of {_whose(spectra)}", fontsize="medium")


def draw_spectra(
    axes: Axes,
    scene: Scene,
    spectra: ClassSpectra,
    colors: list[tuple[float, float, float] | str],
    spread: bool = True,
) -> None:
    """Draws mean spectra into a diagram, and between which values most pixels lie.

    Args:
        axes: The diagram.
        scene: The scene, for its bands and units.
        spectra: Its spectra.
        colors: One color per spectrum.
        spread: Whether the spread is shaded.
    """
    axis = SpectralAxis.of(scene.wavelengths, scene.bands)
    for index, color in enumerate(colors):
        if spread:
            axis.fill(axes, spectra.low[index], spectra.high[index], color=color, alpha=0.15)
        name = plain_text(spectra.names[index])
        axis.plot(axes, spectra.mean[index], color=color, linewidth=1.2, label=name)
    axes.set_xlabel(axis.label)
    axes.set_ylabel(value_label(scene))
    axes.tick_params(labelsize="small")
    style_axes(axes)


def _whose(spectra: ClassSpectra) -> str:
    return "the classes" if spectra.numbers != (0,) else "all pixels"


def _spread() -> str:
    return f"{SPREAD[0]}th to {SPREAD[1]}th percentile"


def _colors(scene: Scene) -> list[Color]:
    return class_palette(scene.classes, scene.class_colors)


def _bytes(color: str) -> Color:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
