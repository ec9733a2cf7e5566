"""A scene as an RGB picture of three of its bands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.scene import Scene

# Percentiles of valid pixels between which a band is stretched.
STRETCH = (2, 98)


def rgb_picture(scene: Scene) -> NDArray[np.uint8]:
    """(rows, cols, 4) uint8: red, green, blue, each stretched over valid pixels, and opacity.

    Pixels without data are black and transparent.
    """
    bands = scene.cube[:, :, list(scene.rgb_bands)].astype(np.float32)
    low, high = np.percentile(bands[scene.valid], STRETCH, axis=0)
    stretched = np.clip((bands - low) / np.maximum(high - low, 1e-12), 0, 1)
    pixels = np.zeros((*scene.valid.shape, 4), np.uint8)
    pixels[..., :3] = np.rint(255 * np.where(scene.valid[:, :, None], stretched, 0))
    pixels[..., 3] = np.where(scene.valid, 255, 0)
    return pixels


def gray_picture(scene: Scene) -> NDArray[np.uint8]:
    """(rows, cols, 4) uint8: the RGB picture as pale gray, for what is drawn over it."""
    pixels = rgb_picture(scene)
    gray = pixels[..., :3].mean(axis=2)
    # Half as much contrast, so that colors over it stand out.
    pixels[..., :3] = np.where(scene.valid, 120 + gray / 2, 0)[:, :, None]
    return pixels


def rgb_caption(scene: Scene) -> str:
    """Which bands the picture shows, by wavelength or by number from 1."""
    if scene.wavelengths is None:
        named = ", ".join(str(band + 1) for band in scene.rgb_bands)
        return f"bands {named} as RGB"
    return ", ".join(f"{scene.wavelengths[band]:.0f}" for band in scene.rgb_bands) + " nm as RGB"
