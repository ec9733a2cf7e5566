from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import zoo
from hsitf.prune.dead import dead_channels
from hsitf.prune.thinning import thin
from hsitf.prune.thresholds import Thresholds
from hsitf.prune.weights import apply_masks, masks_by_sparsity, masks_by_threshold

RNG = np.random.default_rng(0)


def randomized(model: keras.Model) -> keras.Model:
    """Random weights and statistics; nothing is zero."""
    for variable in model.weights:
        value = RNG.normal(size=variable.shape, scale=0.5)
        variable.assign(0.5 + np.abs(value) if "variance" in variable.name else value)
    return model


def assert_same(model: keras.Model) -> keras.Model:
    """The network without its dead channels gives the same, and has no more of them."""
    smaller = thin(model, dead_channels(model))
    x = [RNG.normal(size=(3, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]
    x = x[0] if len(x) == 1 else x
    expected, received = np.asarray(model(x)), np.asarray(smaller(x))
    assert np.abs(expected - received).max() <= 1e-5 * np.abs(expected).max()
    assert np.abs(expected).max() > 0
    assert dead_channels(smaller).kept == {}
    return smaller


def stack(shape, *stacked) -> keras.Model:
    inputs = x = keras.Input(shape)
    for layer in stacked:
        x = layer(x)
    return randomized(keras.Model(inputs, x))


def silenced(model: keras.Model, layer: str, *columns: int, bias: bool = True) -> None:
    """Takes all weights away that make these channels."""
    kernel, *rest = model.get_layer(layer).get_weights()
    kernel[..., list(columns)] = 0
    if bias:
        rest[0][list(columns)] = 0
    model.get_layer(layer).set_weights([kernel, *rest])


def unread(model: keras.Model, layer: str, *rows: int) -> None:
    """Takes all weights away that read these channels."""
    kernel, *rest = model.get_layer(layer).get_weights()
    kernel[..., list(rows), :] = 0
    model.get_layer(layer).set_weights([kernel, *rest])


def two_convolutions(*between) -> keras.Model:
    return stack(
        (6, 6, 3),
        layers.Conv2D(5, 3, padding="same", name="first"),
        *between,
        layers.Conv2D(4, 3, name="second"),
        layers.Flatten(),
        layers.Dense(2, name="out"),
    )


def test_nothing_is_dead_where_nothing_is_zero():
    assert dead_channels(two_convolutions()).kept == {}


def test_a_channel_that_nobody_reads():
    model = two_convolutions()
    unread(model, "second", 1, 3)
    assert dead_channels(model).kept == {"first": (0, 2, 4)}
    assert_same(model)


def test_a_channel_that_is_read_at_one_place_lives():
    model = two_convolutions()
    unread(model, "second", 1)
    kernel, bias = model.get_layer("second").get_weights()
    kernel[2, 0, 1, 3] = 1e-30
    model.get_layer("second").set_weights([kernel, bias])
    assert dead_channels(model).kept == {}


def test_a_channel_that_is_always_zero():
    model = two_convolutions(layers.ReLU(), layers.MaxPooling2D(2), layers.ZeroPadding2D(1))
    silenced(model, "first", 0)
    assert dead_channels(model).kept == {"first": (1, 2, 3, 4)}
    assert_same(model)


@pytest.mark.parametrize(
    "between",
    [
        layers.Activation("sigmoid"),
        layers.BatchNormalization(),
        layers.LayerNormalization(),
        layers.Activation("softmax"),
    ],
)
def test_a_constant_is_not_dead(between):
    model = two_convolutions(between)
    silenced(model, "first", 0)
    assert dead_channels(model).kept == {}


def test_neither_is_one_made_by_its_bias():
    model = two_convolutions()
    silenced(model, "first", 0, bias=False)
    assert dead_channels(model).kept == {}


def test_a_normalization_that_says_nothing_of_zeros():
    norm = layers.BatchNormalization(name="norm")
    model = two_convolutions(norm)
    silenced(model, "first", 0, 1)
    # Both the mean and the offset of channel 0 are zero, of channel 1 only the mean.
    scale, offset, mean, variance = norm.get_weights()
    offset[0] = mean[0] = mean[1] = 0
    norm.set_weights([scale, offset, mean, variance])
    assert dead_channels(model).kept == {"first": (1, 2, 3, 4)}
    assert_same(model)


def test_death_spreads_both_ways():
    model = stack(
        (4,),
        layers.Dense(3, name="a"),
        layers.Dense(3, name="b"),
        layers.Dense(3, name="c"),
        layers.Dense(2, name="out"),
    )
    # c0 is not read; b0 is read by c0 only, a0 by b0 only.
    unread(model, "out", 0)
    for name, reader in (("b", 0), ("c", 0)):
        layer = model.get_layer(name)
        kernel, bias = layer.get_weights()
        kernel[0, :] = 0
        kernel[0, reader] = 1
        layer.set_weights([kernel, bias])
    assert dead_channels(model).kept == {"a": (1, 2), "b": (1, 2), "c": (1, 2)}
    assert_same(model)
    # a2 is zero; b2 reads it only, and has no bias: both are zero.
    silenced(model, "a", 2)
    layer = model.get_layer("b")
    kernel, bias = layer.get_weights()
    kernel[:2, 2] = bias[2] = 0
    layer.set_weights([kernel, bias])
    assert dead_channels(model).kept == {"a": (1,), "b": (1,), "c": (1, 2)}
    assert_same(model)


def test_every_layer_keeps_a_channel():
    model = stack((4,), layers.Dense(3, name="a"), layers.Dense(3, name="b"), layers.Dense(2))
    unread(model, model.layers[-1].name, 0, 1, 2)
    assert dead_channels(model).kept == {"a": (0,), "b": (0,)}
    smaller = thin(model, dead_channels(model))
    x = RNG.normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_array_equal(model(x), smaller(x))


def residual() -> keras.Model:
    inputs = keras.Input((5, 5, 3))
    x = layers.Conv2D(4, 3, padding="same", name="left")(inputs)
    y = layers.Conv2D(4, 3, padding="same", name="right")(x)
    z = layers.Flatten()(layers.Add()([x, y]))
    return randomized(keras.Model(inputs, layers.Dense(2, name="out")(z)))


def test_partners_of_a_sum_die_together():
    model = residual()
    silenced(model, "left", 1)
    assert dead_channels(model).kept == {}
    silenced(model, "right", 1)
    assert dead_channels(model).kept == {"left": (0, 2, 3), "right": (0, 2, 3)}
    assert_same(model)


def test_a_product_with_zero_is_zero():
    inputs = keras.Input((6,))
    x, gate = (layers.Dense(4, activation=a, name=a)(inputs) for a in ("relu", "sigmoid"))
    model = keras.Model(inputs, layers.Dense(2, name="out")(layers.Multiply()([x, gate])))
    silenced(randomized(model), "relu", 2)
    assert dead_channels(model).kept == {"relu": (0, 1, 3), "sigmoid": (0, 1, 3)}
    assert_same(model)


@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.GRU, layers.LSTM])
def test_units_that_only_they_themselves_hear(kind):
    model = stack((5, 3), kind(4, name="units"), layers.Dense(2, name="out"))
    unread(model, "out", 1)
    assert dead_channels(model).kept == {}
    layer = model.get_layer("units")
    kernel, recurrent, *bias = layer.get_weights()
    gates = recurrent.shape[1] // 4
    others = np.tile(np.arange(4) != 1, gates)
    recurrent[1, others] = 0
    layer.set_weights([kernel, recurrent, *bias])
    assert dead_channels(model).kept == {"units": (0, 2, 3)}
    assert_same(model)


def mixed() -> keras.Model:
    """Groups, depthwise and separable kernels, transposed ones, concatenation, permutation."""
    inputs = keras.Input((9, 9, 6))
    x = layers.Conv2D(8, 3, activation="relu", name="stem")(inputs)
    x = layers.Conv2D(8, 3, padding="same", groups=2, activation="relu", name="pairs")(x)
    a = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depth")(x)
    b = layers.SeparableConv2D(5, 3, depth_multiplier=2, name="separable")(x)
    x = layers.Concatenate()([a, b])
    x = layers.Conv2DTranspose(7, 2, strides=2, name="up")(x)
    x = layers.Permute((3, 1, 2))(layers.AveragePooling2D(2)(layers.LeakyReLU()(x)))
    x = layers.GRU(6, return_sequences=True, name="gru")(layers.Reshape((7, 25))(x))
    x = layers.Bidirectional(layers.LSTM(4, name="lstm"), name="both")(x)
    return randomized(keras.Model(inputs, layers.Dense(4, name="out")(x)))


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.95])
def test_mixed_layers_stay_the_same_function(share):
    model = mixed()
    apply_masks(model, masks_by_sparsity(model, share))
    assert_same(model)


def test_mixed_layers_lose_whole_channels():
    model = mixed()
    for name in ("stem", "pairs"):
        silenced(model, name, 0, 2, 4, 6)
    # A bias here would go on where the channels before it end.
    kernel, bias = model.get_layer("depth").get_weights()
    model.get_layer("depth").set_weights([kernel, 0 * bias])
    kept = dead_channels(model).kept
    assert kept == {"stem": (1, 3, 5, 7), "pairs": (1, 3, 5, 7)}
    assert_same(model)


def test_both_directions_hear_their_own_units():
    model = stack(
        (5, 3),
        layers.Dense(4, name="dense"),
        layers.Bidirectional(layers.GRU(3), name="both"),
        layers.Dense(2, name="out"),
    )
    unread(model, "out", 1, 4)
    forward, recurrent, *rest = model.get_layer("both").get_weights()
    forward[2] = 0
    model.get_layer("both").set_weights([forward, recurrent, *rest])
    # The backward direction still reads channel 2, and unit 1.
    recurrent[1] = 0
    model.get_layer("both").set_weights([forward, recurrent, *rest])
    assert dead_channels(model).kept == {}
    weights = model.get_layer("both").get_weights()
    weights[3][2] = weights[4][1] = 0
    model.get_layer("both").set_weights(weights)
    assert dead_channels(model).kept == {"dense": (0, 1, 3), "both": (0, 2)}
    assert_same(model)


@pytest.mark.parametrize("name", ["cao", "he", "hu", "luo", "resnet20", "santara"])
@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_networks_stay_the_same_function(name, alpha):
    model = randomized(zoo.build(name, bands=max(40, zoo.network(name).min_bands), classes=5))
    apply_masks(model, masks_by_threshold(model, Thresholds(alpha)))
    assert_same(model)
