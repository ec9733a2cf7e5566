from __future__ import annotations

import random
import threading

import keras
import numpy as np
from keras import layers

from hsitf.seeding import seeded


def build():
    """What a network and its augmentation are made of: weights, dropout, seeds."""
    network = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dropout(0.5)])
    seeds = keras.random.SeedGenerator()
    return [*network.get_weights(), np.asarray(seeds.state), keras.random.uniform((3,), seed=seeds)]


def test_numbers_are_those_of_keras():
    keras.utils.set_random_seed(7)
    expected = build()
    with seeded(7):
        found = build()
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_other_thread_takes_a_seed():
    with seeded(7):
        expected = build()
    ended = threading.Event()

    def draw():
        while not ended.is_set():
            random.random()

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        for _ in range(5):
            with seeded(7):
                for one, other in zip(expected, build(), strict=True):
                    np.testing.assert_array_equal(one, other)
    finally:
        ended.set()
        thread.join()


def test_what_follows_is_seeded_as_the_caller_says():
    with seeded(7):
        build()
    keras.utils.set_random_seed(3)
    expected = build()
    keras.utils.set_random_seed(3)
    for one, other in zip(expected, build(), strict=True):
        np.testing.assert_array_equal(one, other)
