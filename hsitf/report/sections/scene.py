"""The scene: its picture, its ground truth, its split, its spectra."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hsitf.figures import Color, SpectralAxis, class_palette, rgb_floats
from hsitf.report import drawing
from hsitf.report.data import ReportData
from hsitf.report.document import Block, Chart, Gallery, Prose, ReportImage, ReportTable, Section
from hsitf.report.formatting import number, percent
from hsitf.scenes.picture import draw_spectra
from hsitf.scenes.rgb import rgb_caption, rgb_picture
from hsitf.scenes.scene import Scene
from hsitf.scenes.spectra import SPREAD, ClassSpectra, class_spectra
from hsitf.scenes.splits import Split

# Pixels of a shown image's longer side.
SIDE = 600
# Pixels whose spectra a correlation is counted from.
SPECTRA = 20_000
# Pixels of no class, and of no set.
UNLABELLED: Color = (70, 75, 82)
SETS = (
    ((0, 114, 178), "training"),
    ((230, 159, 0), "validation"),
    ((213, 94, 0), "test"),
)
# Classes whose spectra a chart holds before its lines run into each other, and before their
# spreads do.
MAX_LINES, MAX_SPREADS = 16, 8


def section(data: ReportData) -> Section | None:
    """The scene, where it is available."""
    described = data.scene_record
    if data.scene is None:
        return Section(
            "scene", "Scene", (Prose(f"Not shown: {data.scene_missing_reason}", remark=True),)
        )
    scene = data.scene
    split = data.runs[0].split()
    missing = int(np.count_nonzero(~scene.valid))
    blank = f" {missing:,} pixels without data are left blank." if missing else ""
    images = (
        ReportImage("rgb", f"{rgb_caption(scene)}.{blank}", thinned(rgb_picture(scene))),
        ReportImage(
            "ground-truth", "Ground truth.", thinned(colored(scene, scene.labels)), legend(scene)
        ),
        ReportImage(
            "split",
            f"{split.kind} split, seed {split.seed}, guard of {split.guard} pixels.",
            thinned(painted(scene, split.zones(), [color for color, _ in SETS])),
            (*SETS, (UNLABELLED, "not used")),
        ),
    )
    with drawing.style():
        charts = (_spectra(scene), _correlation(scene))
    source = "generated" if described.synthetic else "measured"
    rows, cols, bands = described.shape
    span = ""
    if described.wavelengths:
        span = f", {min(described.wavelengths):.0f} to {max(described.wavelengths):.0f} nm"
    lead = f"{described.name}, {source}: {rows} x {cols} pixels, {bands} bands{span}."
    blocks: tuple[Block, ...] = (
        Prose(lead),
        Gallery(images),
        _counts(scene, split),
        Gallery(charts),
    )
    return Section("scene", "Scene", blocks)


def colored(scene: Scene, labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """(rows, cols, 4) of classes from 1, as the maps of `classify` color them.

    Pixels of no class are gray, those without data transparent.
    """
    return painted(scene, labels, class_palette(scene.classes, scene.class_colors))


def painted(scene: Scene, numbers: NDArray[np.integer], colors: list[Color]) -> NDArray[np.uint8]:
    """(rows, cols, 4) of numbers from 1 in their colors, gray for 0, transparent without data."""
    pixels = np.array([(*UNLABELLED, 255), *((*color, 255) for color in colors)], np.uint8)[numbers]
    pixels[~scene.valid, 3] = 0
    return np.asarray(pixels)


def legend(scene: Scene) -> tuple[tuple[Color, str], ...]:
    """Colors of the classes of a scene with their names."""
    colors = class_palette(scene.classes, scene.class_colors)
    named = tuple(zip(colors, scene.class_names, strict=True))
    rest = bool((scene.labels[scene.valid] == 0).any())
    return (*named, (UNLABELLED, "unlabelled")) if rest else named


def thinned(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A large image subsampled by a whole factor."""
    step = -(-max(pixels.shape[:2]) // SIDE)
    return np.ascontiguousarray(pixels[::step, ::step])


def _counts(scene: Scene, split: Split) -> ReportTable:
    flat = scene.labels.ravel()
    sets = [np.bincount(flat[pixels], minlength=scene.classes + 1)[1:] for pixels in split.sets]
    every = np.bincount(flat, minlength=scene.classes + 1)[1:]
    rows = tuple(
        (
            name,
            number(count),
            *(number(part[index]) for part in sets),
            percent(count / max(1, every.sum()), 1),
        )
        for index, (name, count) in enumerate(zip(scene.class_names, every.tolist(), strict=True))
    )
    head = ("class", "labelled", "training", "validation", "test", "share of labelled")
    colors = tuple(class_palette(scene.classes, scene.class_colors))
    return ReportTable("classes", "Labelled pixels by class and set.", head, rows, colors=colors)


def _spectra(scene: Scene) -> Chart:
    figure, axes = drawing.canvas()
    every = class_spectra(scene)
    shown = ClassSpectra(
        every.numbers[:MAX_LINES],
        every.names[:MAX_LINES],
        *(part[:MAX_LINES] for part in (every.mean, every.low, every.high)),
    )
    colors = class_palette(scene.classes, scene.class_colors)
    spread = len(every.numbers) <= MAX_SPREADS
    draw_spectra(axes, scene, shown, [rgb_floats(colors[n - 1]) for n in shown.numbers], spread)
    if spread:
        axes.legend(frameon=False)
    left = len(every.numbers) - MAX_LINES
    more = f" The first {MAX_LINES} of {len(every.numbers)} classes." if left > 0 else ""
    shaded = f"; {SPREAD[0]}th to {SPREAD[1]}th percentile shaded" if spread else ""
    caption = f"Mean spectrum of each class, in the colors of the ground truth{shaded}.{more}"
    return Chart("spectra", caption, figure)


def band_correlation(scene: Scene) -> NDArray[np.float64]:
    """(bands, bands) correlation of the bands over valid pixels, evenly spaced ones of many."""
    flat = scene.cube[scene.valid]
    spectra = flat[:: -(-len(flat) // SPECTRA)].astype(np.float64)
    # A band that never changes correlates with nothing.
    spread = spectra.std(axis=0)
    scaled = (spectra - spectra.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return np.asarray(scaled.T @ scaled / len(scaled))


def _correlation(scene: Scene) -> Chart:
    figure, axes = drawing.canvas()
    axis = SpectralAxis.of(scene.wavelengths, scene.bands)
    found = band_correlation(scene)[np.ix_(axis.order, axis.order)]
    # Cells of NaN lie in the gaps.
    for index in (0, 1):
        found = np.insert(found, list(axis.gaps), np.nan, axis=index)
    borders = np.concatenate([edges for _, edges in axis.edges()])
    shown = axes.pcolormesh(
        borders, borders, found, cmap="RdBu_r", vmin=-1, vmax=1, rasterized=True
    )
    # Gaps are gray: no correlation at all is white.
    axes.set_facecolor(drawing.GRID)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.set_xlabel(axis.label)
    axes.set_ylabel(axis.label)
    figure.colorbar(shown, ax=axes, label="correlation")
    caption = "Correlation of bands over valid pixels: what neighbors repeat, a reduction can save."
    return Chart("correlation", caption, figure)
