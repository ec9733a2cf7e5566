"""Text output about scenes: the catalog, and the content of one scene."""

from __future__ import annotations

import numpy as np

from hsitf.scenes import BUILT_IN
from hsitf.scenes.catalog import CATALOG
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import Split
from hsitf.tables import format_table

# The sets of a split, in its order.
SETS = ("training", "validation", "test")


def format_catalog() -> str:
    """One line a scene that can be named."""
    head = ("scene", "sensor, location", "files", "rows", "cols", "bands", "classes")
    rows = [
        (
            entry.name,
            f"{entry.sensor}, {entry.location}",
            "downloaded" if entry.layouts[0].cube.folder else "yours (--data-dir)",
            str(entry.rows),
            str(entry.cols),
            str(entry.bands),
            str(len(entry.class_names)),
        )
        for entry in CATALOG.values()
    ]
    rows += [
        ("cifar10", "60,000 pictures", "downloaded", "7840", "7840", "3", "10"),
        ("cifar100", "60,000 pictures", "downloaded", "7840", "7840", "3", "100"),
        ("ucmerced", "2,100 pictures of land use", "yours (--data-dir)", "1472", "1472", "3", "21"),
    ]
    rows.append((BUILT_IN, "generated, synthetic", "none", "145", "145", "200", "16"))
    return format_table(head, rows, text_columns=3)


def format_scene(scene: Scene, split: Split | None = None) -> str:
    """A scene's size, range and wavelengths, and its labelled pixels by class, and by set.

    Args:
        scene: The scene, labelled or not.
        split: Its split into training, validation and test pixels; None to leave it out.
    """
    rows, cols, bands = scene.cube.shape
    span = "wavelengths unknown"
    if scene.wavelengths is not None:
        span = f"{scene.wavelengths.min():.0f} to {scene.wavelengths.max():.0f} nm"
    title = (
        f"{scene.name}{' (synthetic)' if scene.synthetic else ''}: {rows} x {cols} pixels, {bands} "
        f"bands, {span}, values {np.nanmin(scene.cube):g} to {np.nanmax(scene.cube):g}"
    )
    flat = scene.labels.ravel()
    groups = [flat, *(flat[pixels] for pixels in (split.sets if split else ()))]
    every, *sets = (np.bincount(one, minlength=scene.classes + 1).tolist() for one in groups)
    names = ("unlabelled", *scene.class_names)
    lines = [
        (
            str(label),
            name,
            f"{count:,}",
            f"{count / (rows * cols):.1%}",
            *(f"{one[label]:,}" for one in sets),
        )
        for label, (name, count) in enumerate(zip(names, every, strict=True))
    ]
    head = ("label", "class", "pixels", "share", *(SETS if split else ()))
    return "\n".join([title, *scene.notes, format_table(head, lines, text_columns=2)])
