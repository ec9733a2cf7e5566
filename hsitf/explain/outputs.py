"""What is explained: which logit, or which filter, at which pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.errors import DataError, InputError, unknown
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import Split

Pixels = NDArray[np.int64]

# Number of filters of a hidden layer that are shown by default.
NUM_FILTERS = 8


@dataclass(frozen=True, eq=False)
class ExplainedOutput:
    """What is explained.

    Attributes:
        name: Display name, such as "Water" or "pixel 12,40 as Water".
        output: Number of the logit or filter.
        pixels: (n,) flat indices of the pixels to average over; empty for a filter.
    """

    name: str
    output: int
    pixels: NDArray[np.int64]


def pixel_output(
    scene: Scene,
    position: tuple[int, int],
    class_name: str,
    logits: Callable[[Pixels], Float32Array],
) -> ExplainedOutput:
    """One pixel, as the class that is named or, without, as the class that the network names.

    Args:
        scene: The scene of the pixel.
        position: (row, col) of the pixel.
        class_name: Name of the class; may be empty.
        logits: Maps pixels to the logits of the network.

    Raises:
        InputError: The pixel is outside the scene, or there is no such class.
    """
    rows, cols = scene.labels.shape
    row, col = position
    if not (0 <= row < rows and 0 <= col < cols):
        raise InputError(
            f"the pixel is outside {scene.name}",
            received=f"row {row}, column {col}",
            allowed=f"rows 0 to {rows - 1}, columns 0 to {cols - 1}",
        )
    pixels = np.array([row * cols + col], np.int64)
    output = _class(scene, class_name) if class_name else int(logits(pixels)[0].argmax())
    return ExplainedOutput(f"pixel {row},{col} as {scene.class_names[output]}", output, pixels)


def class_outputs(
    scene: Scene, split: Split, class_name: str, max_samples: int
) -> list[ExplainedOutput]:
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
        pixels = drawn.permutation(split.test[labels == output])[:max_samples]
        if len(pixels):
            found.append(ExplainedOutput(scene.class_names[output], output, np.sort(pixels)))
    if not found:
        raise DataError(
            "there are no test pixels to take a mean over",
            received=class_name or scene.name,
            remedy="name a single pixel with --pixel ROW,COL",
        )
    return found


def filter_outputs(
    layer: str, count: int, filters: tuple[int, ...], names: tuple[str, ...]
) -> list[ExplainedOutput]:
    """Filters of a layer.

    Args:
        layer: Display name of the layer.
        count: Number of filters of the layer.
        filters: The requested filters; empty for the first few.
        names: Names of all filters where they have names, as logits do; else empty.

    Raises:
        InputError: There is no such filter.
    """
    nothing = np.empty(0, np.int64)
    shown = filters or tuple(range(count if names else min(count, NUM_FILTERS)))
    for number in shown:
        if number >= count:
            raise InputError(
                f"layer {layer!r} has no such filter", received=number, allowed=f"0 to {count - 1}"
            )
    return [
        ExplainedOutput(names[number] if names else f"{layer}, filter {number}", number, nothing)
        for number in shown
    ]


def _class(scene: Scene, name: str) -> int:
    if name not in scene.class_names:
        raise unknown("class", name, scene.class_names)
    return scene.class_names.index(name)
