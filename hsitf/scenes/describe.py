"""Text output about scenes: the catalog, and the content of one scene."""

from __future__ import annotations

import numpy as np

from hsitf.scenes import BUILT_IN
from hsitf.scenes.catalog import CATALOG
from hsitf.scenes.scene import Scene
from hsitf.tables import format_table


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


def format_scene(scene: Scene) -> str:
    """A scene's size, range and wavelengths, and its labelled pixels by class."""
    rows, cols, bands = scene.cube.shape
    counts = np.bincount(scene.labels.ravel(), minlength=scene.classes + 1)
    span = "wavelengths unknown"
    if scene.wavelengths is not None:
        span = f"{scene.wavelengths[0]:.0f} to {scene.wavelengths[-1]:.0f} nm"
    title = (
        f"{scene.name}{' (synthetic)' if scene.synthetic else ''}: {rows} x {cols} pixels, {bands} "
        f"bands, {span}, values {np.nanmin(scene.cube):g} to {np.nanmax(scene.cube):g}"
    )
    names = ("unlabelled", *scene.class_names)
    lines = [
        (str(label), name, f"{count:,}", f"{count / (rows * cols):.1%}")
        for label, (name, count) in enumerate(zip(names, counts.tolist(), strict=True))
    ]
    return "\n".join(
        [
            title,
            *scene.notes,
            format_table(("label", "class", "pixels", "share"), lines, text_columns=2),
        ]
    )
