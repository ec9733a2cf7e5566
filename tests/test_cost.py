from __future__ import annotations

import keras
import pytest
from keras import layers

from hsitf import zoo
from hsitf.cost import Cost, cost
from hsitf.lower import lower


def of(shape, *stack):
    inputs = x = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return cost(keras.Model(inputs, x))


def test_by_hand():
    assert of((4,), layers.Dense(3)) == Cost(15, 12)
    assert of((5, 5, 2), layers.Conv2D(4, 3)) == Cost(76, 9 * 72)
    assert of((5, 5, 4), layers.Conv2D(4, 3, groups=2, padding="same")) == Cost(76, 25 * 72)
    assert of((4, 4, 3), layers.DepthwiseConv2D(2, strides=2)) == Cost(15, 4 * 12)
    assert of((4, 4, 3), layers.SeparableConv2D(5, 2)) == Cost(12 + 15 + 5, 9 * 27)
    assert of((3, 3, 2), layers.Conv2DTranspose(4, 2, strides=2)) == Cost(36, 9 * 32)
    assert of((7, 2), layers.GRU(3)) == Cost(18 + 27 + 18, 7 * 45)
    assert of((4, 4, 2), layers.BatchNormalization(), layers.MaxPooling2D()) == Cost(8, 0)


def test_a_shared_layer_multiplies_twice():
    inputs = keras.Input((4,))
    shared = layers.Dense(4)
    assert cost(keras.Model(inputs, shared(shared(inputs)))) == Cost(20, 32)


def test_what_is_kept_in_the_batch_counts_as_often():
    """Lowered networks move an axis there and back."""
    inputs = keras.Input(batch_shape=(2, 6, 4))
    x = keras.ops.reshape(inputs, (12, 4))
    x = layers.Dense(3)(x)
    x = keras.ops.reshape(x, (2, 18))
    assert cost(keras.Model(inputs, layers.Dense(5)(x))) == Cost(15 + 95, 6 * 12 + 90)


def test_a_batch_that_shrinks_counts_by_its_share():
    inputs = keras.Input(batch_shape=(4, 6))
    x = layers.Dense(3)(keras.ops.reshape(inputs, (2, 12)))
    assert cost(keras.Model(inputs, x)) == Cost(39, 36 * 2 // 4)


@pytest.mark.parametrize("name", ["li", "hamida"])
def test_lowering_saves_no_arithmetic(name):
    """Both are written without zeros: bands in the batch, or as the width of a picture."""
    model = zoo.build(name, bands=50, classes=4)
    assert cost(lower(model, 2)).macs >= cost(model).macs


CAO = 49 * 540_000 + 4 * 540_000 + 40_000 + 20_000 + 1_600
HE = 64 * 25 * 1_584 + 2 * 64 * 25 * 5_120 + 62 * 16 * 3_072 + 253_952


@pytest.mark.parametrize(("name", "macs"), [("cao", CAO), ("he", HE)])
def test_networks(name, macs):
    assert cost(zoo.build(name, bands=200, classes=16)).macs == macs
