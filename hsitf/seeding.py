"""Random numbers of a training that no other thread takes part in."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import keras
from keras.src.random import seed_generator


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds all random numbers, those by which a network is built within the block most of all.

    Layers, initializers and augmentations take their own seeds, when they are made, from Python's
    shared random numbers. Other threads draw from these, too (those of Dask's workers twice a
    second), so that the same seed would build another network now and then. Within the block Keras
    has numbers of its own: the same that `keras.utils.set_random_seed` begins.

    Args:
        seed: The seed.
    """
    keras.utils.set_random_seed(seed)
    # Keras offers no way to give it a source of seeds; its module looks one up by this name.
    shared = seed_generator.python_random
    seed_generator.python_random = random.Random(seed)
    try:
        yield
    finally:
        seed_generator.python_random = shared
