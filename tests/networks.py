"""Networks for tests: random weights, small geometries, stacks of layers."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

RNG = np.random.default_rng(0)

# Bands and patches that are small and suit the network; 62 bands and its own patch elsewhere.
GEOMETRY = {
    "a2s2k": (20, 5),
    "chen": (94, 25),
    "dbda": (20, 3),
    "deephs": (12, 6),
    "deephs_hyve": (12, 10),
    "fdssc": (20, 5),
    "gaht": (18, 5),
    "justoliunet": (91, 1),
    "luo": (42, 3),
    "mou": (12, 1),
    "resnet110": (3, 8),
    "resnet20": (3, 8),
    "resnet50": (3, 32),
    "resnet56": (3, 8),
    "roy": (13, 9),
    "sharma": (6, 56),
    "spectralformer": (12, 3),
    "ssftt": (8, 7),
    "ssrn": (20, 5),
    "vgg16": (3, 32),
}


def randomized(model: keras.Model) -> keras.Model:
    """Random weights, and statistics of batch normalization that are not 0 and 1."""
    for variable in model.weights:
        # The states of random generators are integers.
        if not variable.dtype.startswith("float"):
            continue
        fan = max(1, int(np.prod(variable.shape[:-1])))
        value = RNG.normal(size=variable.shape, scale=(2 / fan) ** 0.5)
        variable.assign(0.5 + np.abs(value) if "variance" in variable.name else value)
    return model


def model_of(shape: tuple[int, ...], *stack: layers.Layer) -> keras.Model:
    inputs = x = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return randomized(keras.Model(inputs, x))
