"""ResNet-110 of He et al. for small images; its shortcuts between stages are without weights."""

from __future__ import annotations

import keras

from hsitf.zoo import Network
from hsitf.zoo._resnet import PAPER, RECIPE, cifar, padded

NETWORK = Network(paper=PAPER, patch=32, recipe=RECIPE, short_epochs=20)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits, through three stages of 18 blocks."""
    return cifar("resnet110", 18, padded, bands=bands, classes=classes, patch=patch)
