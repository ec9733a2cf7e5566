"""The scene: its picture, its ground truth, its split, its spectra."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hsitf.figures import palette, style_axes
from hsitf.report import drawing
from hsitf.report.data import ReportData
from hsitf.report.document import Block, Chart, Gallery, Prose, ReportImage, ReportTable, Section
from hsitf.report.formatting import label, number, percent
from hsitf.scenes.rgb import rgb_picture
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import Split

# Pixels of a shown image's longer side.
SIDE = 600
# Pixels whose spectra a correlation is counted from.
SPECTRA = 20_000
ZONES = (
    ((70, 75, 82), "not used"),
    ((0, 114, 178), "training"),
    ((230, 159, 0), "validation"),
    ((213, 94, 0), "test"),
)
# Classes whose spectra a chart holds before its lines run into each other.
MAX_LINES = 16


def section(data: ReportData) -> Section | None:
    """The scene, where it is available."""
    described = data.scene_record
    if data.scene is None:
        return Section(
            "scene", "Scene", (Prose(f"Not shown: {data.scene_missing_reason}", remark=True),)
        )
    scene = data.scene
    split = data.runs[0].split()
    images = (
        ReportImage(
            "rgb",
            "Bands " + ", ".join(str(b + 1) for b in scene.rgb_bands) + " as a picture.",
            thinned(rgb_picture(scene)),
        ),
        ReportImage(
            "ground-truth",
            "Ground truth.",
            thinned(colored(scene.labels, scene.classes)),
            legend(scene.class_names),
        ),
        ReportImage(
            "split",
            f"{split.kind} split, seed {split.seed}, guard of {split.guard} pixels.",
            thinned(np.array([color for color, _ in ZONES], np.uint8)[split.zones()]),
            ZONES,
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


def colored(labels: NDArray[np.integer], classes: int) -> NDArray[np.uint8]:
    """(rows, cols, 3) of classes from 1, as the maps of `classify` color them."""
    return np.asarray(np.array([(0, 0, 0), *palette(classes)], np.uint8)[labels])


def legend(names: tuple[str, ...]) -> tuple[tuple[tuple[int, int, int], str], ...]:
    """Colors of classes with their names."""
    return tuple(zip(palette(len(names)), names, strict=True))


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
    head = ("class", "labelled", "training", "validation", "test", "share")
    return ReportTable("classes", "Labelled pixels by class and set.", head, rows)


def _spectra(scene: Scene) -> Chart:
    figure, axes = drawing.canvas()
    wavelengths, unit = _places(scene)
    flat = scene.cube.reshape(-1, scene.bands)
    for number_, name in enumerate(scene.class_names[:MAX_LINES]):
        pixels = np.flatnonzero(scene.labels.ravel() == number_ + 1)
        if len(pixels):
            color = np.array(palette(scene.classes)[number_]) / 255
            mean = flat[pixels].mean(axis=0)
            axes.plot(wavelengths, mean, color=tuple(color), linewidth=1.2, label=label(name))
    axes.set_xlabel(unit)
    axes.set_ylabel("mean, in the scene's units")
    style_axes(axes)
    if scene.classes <= 8:
        axes.legend(frameon=False)
    left = scene.classes - MAX_LINES
    more = f" The first {MAX_LINES} of {scene.classes} classes." if left > 0 else ""
    caption = f"Mean spectrum of each class, in the colors of the ground truth.{more}"
    return Chart("spectra", caption, figure)


def _correlation(scene: Scene) -> Chart:
    figure, axes = drawing.canvas()
    flat = scene.cube[scene.valid]
    spectra = flat[:: -(-len(flat) // SPECTRA)].astype(np.float64)
    # A band that never changes correlates with nothing.
    spread = spectra.std(axis=0)
    scaled = (spectra - spectra.mean(axis=0)) / np.where(spread > 0, spread, 1)
    found = scaled.T @ scaled / len(scaled)
    wavelengths, unit = _places(scene)
    ends = (wavelengths[0], wavelengths[-1], wavelengths[-1], wavelengths[0])
    shown = axes.imshow(found, cmap="RdBu_r", vmin=-1, vmax=1, extent=ends, aspect="auto")
    axes.set_xlabel(unit)
    axes.set_ylabel(unit)
    figure.colorbar(shown, ax=axes, label="correlation")
    caption = "Correlation of bands: what neighbors repeat, a reduction can save."
    return Chart("correlation", caption, figure)


def _places(scene: Scene) -> tuple[NDArray[np.float64], str]:
    if scene.wavelengths is not None and np.all(np.diff(scene.wavelengths) > 0):
        return scene.wavelengths, "wavelength (nm)"
    return np.arange(1, scene.bands + 1, dtype=np.float64), "band"
