"""DeepHS-Net whose first convolution is a function of wavelength: a network for several sensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np
from keras import layers

from hsitf.layers import WavelengthFilters
from hsitf.zoo import deephs

NETWORK = replace(
    deephs.NETWORK,
    paper=(
        "L. A. Varga, M. Messmer, N. Benbarka, A. Zell, Wavelength-aware 2D convolutions for "
        "hyperspectral imaging, WACV, 2023; layers and recipe as in H. Frank, L. A. Varga, A. "
        "Zell, Hyperspectral benchmark: bridging the gap between HSI applications through "
        "comprehensive dataset and pretraining, arXiv:2309.11122, 2023"
    ),
    patch=11,
    min_patch=10,
    min_bands=2,
    by_wavelength=True,
)

_GAUSSIANS, _TAPS = 5, 7


def build(
    bands: int, classes: int, patch: int, wavelengths: Sequence[float] | None = None
) -> keras.Model:
    """`(patch, patch, bands)` -> logits.

    The first convolution, of 7 x 7 pixels, has a kernel that is a sum of five Gaussians over
    wavelength. It is computed in two steps, the Gaussians and then the convolution over them, which
    is the same and takes a small part of the multiplications. The authors add two kernels to each
    Gaussian's own, one for all Gaussians and one for all filters besides; sums of the same form,
    they are left out here.

    Args:
        bands: Number of input bands.
        classes: Number of logits.
        patch: Side of the patch in pixels.
        wavelengths: Center of each band in nanometers. Without them the bands lie evenly, by their
            number, which serves to count and draw the network.
    """
    centers = np.arange(bands) if wavelengths is None else np.asarray(wavelengths)
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = WavelengthFilters(_GAUSSIANS, centers.tolist(), name="wavelengths")(inputs)
    x = layers.Conv2D(deephs.FILTERS[0], _TAPS, kernel_initializer="he_normal", name="conv1")(x)
    x = layers.ReLU(name="conv1_relu")(x)
    return keras.Model(inputs, deephs.behind_first(x, classes), name="deephs_hyve")
