"""ResNet-20 of He et al. for small images; its shortcuts between stages are convolutions."""

from __future__ import annotations

import keras

from hsitf.zoo import Network
from hsitf.zoo._resnet import PAPER, RECIPE, cifar, projected

NETWORK = Network(paper=PAPER, patch=32, recipe=RECIPE, short_epochs=20)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits, through three stages of 3 blocks."""
    return cifar("resnet20", 3, projected, bands=bands, classes=classes, patch=patch)
