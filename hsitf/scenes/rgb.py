"""A scene as an RGB picture of three of its bands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.scene import Scene

# Percentiles of valid pixels between which a band is stretched.
STRETCH = (2, 98)


def rgb_picture(scene: Scene) -> NDArray[np.uint8]:
    """(rows, cols, 3) uint8, each band stretched over valid pixels; black without data."""
    bands = scene.cube[:, :, list(scene.rgb_bands)].astype(np.float32)
    low, high = np.percentile(bands[scene.valid], STRETCH, axis=0)
    stretched = np.clip((bands - low) / np.maximum(high - low, 1e-12), 0, 1)
    pixels: NDArray[np.uint8] = np.rint(
        255 * np.where(scene.valid[:, :, None], stretched, 0)
    ).astype(np.uint8)
    return pixels
