"""What is explained: which logit, or which filter, at which pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError, unknown
from hsitf.explain.view import Floats
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import Split

Pixels = NDArray[np.int64]

# Filters of a hidden layer that are shown where none is named.
FIRST_FILTERS = 8


@dataclass(frozen=True, eq=False)
class Subject:
    """What is explained.

    Attributes:
        name: For readers, such as "Water" or "pixel 12,40 as Water".
        output: Number of the logit or filter.
        pixels: (n,) flat indices whose mean is taken; none of a filter.
    """

    name: str
    output: int
    pixels: NDArray[np.int64]


def of_pixel(
    scene: Scene, place: tuple[int, int], class_name: str, logits: Callable[[Pixels], Floats]
) -> Subject:
    """One pixel, as the class that is named or, without, as the class that the network names.

    Args:
        scene: That holds it.
        place: (row, col).
        class_name: May be empty.
        logits: Of pixels, by the network.

    Raises:
        InputError: The pixel lies outside the scene, or there is no such class.
    """
    rows, cols = scene.labels.shape
    row, col = place
    if not (0 <= row < rows and 0 <= col < cols):
        raise InputError(
            f"the pixel lies outside {scene.name}",
            received=f"row {row}, column {col}",
            allowed=f"rows 0 to {rows - 1}, columns 0 to {cols - 1}",
        )
    pixels = np.array([row * cols + col], np.int64)
    output = _class(scene, class_name) if class_name else int(logits(pixels)[0].argmax())
    return Subject(f"pixel {row},{col} as {scene.class_names[output]}", output, pixels)


def of_classes(scene: Scene, split: Split, class_name: str, most: int) -> list[Subject]:
    """Test pixels of a class, or of every class that has some, drawn by the split's seed.

    Raises:
        InputError: There is no such class.
        DataError: There are no test pixels.
    """
    outputs = [_class(scene, class_name)] if class_name else list(range(scene.classes))
    labels = scene.labels.ravel()[split.test] - 1
    drawn = np.random.default_rng(split.seed)
    found = []
    for output in outputs:
        pixels = drawn.permutation(split.test[labels == output])[:most]
        if len(pixels):
            found.append(Subject(scene.class_names[output], output, np.sort(pixels)))
    if not found:
        raise DataError(
            "there are no test pixels to take a mean over",
            received=class_name or scene.name,
            remedy="name a single pixel with --pixel ROW,COL",
        )
    return found


def of_filters(
    layer: str, count: int, filters: tuple[int, ...], names: tuple[str, ...]
) -> list[Subject]:
    """Filters of a layer.

    Args:
        layer: Its name, for readers.
        count: Filters that it has.
        filters: Those that are asked for; none for the first few.
        names: Of all filters where they have names, as logits do; else none.

    Raises:
        InputError: There is no such filter.
    """
    nothing = np.empty(0, np.int64)
    shown = filters or tuple(range(count if names else min(count, FIRST_FILTERS)))
    for number in shown:
        if number >= count:
            raise InputError(
                f"layer {layer!r} has no such filter", received=number, allowed=f"0 to {count - 1}"
            )
    return [
        Subject(names[number] if names else f"{layer}, filter {number}", number, nothing)
        for number in shown
    ]


def _class(scene: Scene, name: str) -> int:
    if name not in scene.class_names:
        raise unknown("class", name, scene.class_names)
    return scene.class_names.index(name)
