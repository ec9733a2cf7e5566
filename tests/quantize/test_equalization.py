"""Cross-layer equalization: factors worked out by hand, and the same numbers to the bit."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import randomized
from test_conformance import NETWORKS, built

from hsitf.arithmetic import INTEGER
from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.lower import lower
from hsitf.quantize.equalization import equalize
from hsitf.runtimes import predict

RNG = np.random.default_rng(0)


def chain(*stack, shape=(1, 1, 2)):
    inputs = x = keras.Input(batch_shape=(1, *shape), name="patch")
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


def weights(model, name):
    return [np.asarray(one) for one in model.get_layer(name).get_weights()]


def same(model, other, patches):
    expected = model.predict(patches, batch_size=1, verbose=0)
    np.testing.assert_array_equal(other.predict(patches, batch_size=1, verbose=0), expected)


def test_factors_by_hand():
    """Channels of 16, 4 and 1, read by weights of 1, are divided by 2, 1 and 1/2."""
    model = chain(
        layers.Flatten(),
        layers.Dense(3, activation="relu", name="first"),
        layers.Dense(2, name="second"),
    )
    first = np.array([[16, 4, 1], [0, 0, 0]], np.float32)
    model.get_layer("first").set_weights([first, np.array([0, 2, 1], np.float32)])
    model.get_layer("second").set_weights([np.array([[1, -1]] * 3, np.float32), np.zeros(2)])
    # The second channel makes 4 + 2 at most: its factor is sqrt(6), the median of 4, 2.4 and 1.4.
    equal, scaled = equalize(model, np.ones((1, 1, 1, 2), np.float32))
    assert scaled == 2
    kernel, bias = weights(equal, "first")
    np.testing.assert_array_equal(kernel[0], [8, 4, 2])
    np.testing.assert_array_equal(bias, [0, 2, 2])
    np.testing.assert_array_equal(weights(equal, "second")[0], [[2, -2], [1, -1], [0.5, -0.5]])
    # The original is left as it was.
    np.testing.assert_array_equal(weights(model, "first")[0], first)


def test_depthwise_pooling_padding_and_flattening_keep_factors():
    keras.utils.set_random_seed(0)
    model = chain(
        layers.Conv2D(4, 1, name="first", bias_initializer="random_normal"),
        layers.MaxPooling2D(2, name="pool"),
        layers.ZeroPadding2D(1),
        layers.DepthwiseConv2D(3, depth_multiplier=2, name="second", activation="relu"),
        layers.Conv2D(6, 1, groups=2, name="third"),
        layers.AveragePooling2D(2, 1, "same"),
        layers.Flatten(),
        layers.Dense(3, name="fourth"),
        shape=(6, 6, 2),
    )
    kernel, bias = weights(model, "first")
    model.get_layer("first").set_weights([kernel * [1, 100, 1, 0.01], bias])
    patches = RNG.normal(size=(8, 6, 6, 2)).astype(np.float32)
    equal, scaled = equalize(model, patches)
    for name in ("first", "second"):
        assert not np.array_equal(weights(equal, name)[0], weights(model, name)[0])
    assert scaled > 2
    same(model, equal, patches)


def test_what_is_added_keeps_its_range():
    inputs = keras.Input(batch_shape=(1, 1, 1, 2), name="patch")
    first = layers.Conv2D(3, 1, name="first")(inputs)
    second = layers.Conv2D(3, 1, name="second")(layers.ReLU(6.0)(first))
    model = keras.Model(inputs, layers.Conv2D(2, 1)(layers.Add()([first, second])))
    model.get_layer("first").set_weights([np.array([[[[100, 1, 0.01]] * 2]]), np.zeros(3)])
    equal, scaled = equalize(model, RNG.normal(size=(4, 1, 1, 2)).astype(np.float32))
    assert scaled == 0
    for one, other in zip(model.get_weights(), equal.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_layer_used_twice_keeps_its_weights():
    inputs = keras.Input(batch_shape=(1, 2), name="patch")
    shared = layers.Dense(2, name="shared")
    model = keras.Model(inputs, layers.Dense(2)(layers.ReLU()(shared(shared(inputs)))))
    model.get_layer("shared").set_weights([np.array([[64, 1.0], [64, 1.0]]), np.zeros(2)])
    assert equalize(model, np.ones((1, 2), np.float32))[1] == 0


def unlike(model):
    """Random weights whose channels differ by up to ten octaves."""
    for layer in model.layers:
        given = [RNG.normal(size=one.shape) for one in layer.get_weights()]
        layer.set_weights([one * 2.0 ** RNG.integers(-5, 6, one.shape[-1]) for one in given])
    return model


def test_a_layer_used_again_keeps_what_it_read_first():
    inputs = keras.Input(batch_shape=(1, 3), name="patch")
    shared, first = layers.Dense(3), layers.Dense(3)
    x = layers.Concatenate()([shared(first(inputs)), shared(inputs)])
    model = unlike(keras.Model(inputs, layers.Dense(2)(x)))
    patches = RNG.normal(size=(8, 3)).astype(np.float32)
    same(model, equalize(model, patches)[0], patches)


@pytest.mark.parametrize("batch", [1, 2])
def test_axes_folded_into_the_batch_keep_their_channels(batch):
    """Lowering counts leading axes as batch where it moves others."""
    inputs = keras.Input((4, 3, 2), name="patch")
    x = layers.Conv2D(4, 3, groups=2, padding="same")(layers.Conv2D(6, 1)(inputs))
    x = layers.Permute((3, 2, 1))(x)[:, :, :, 1::2]
    x = layers.Flatten()(layers.Conv2D(2, (3, 2))(x))
    model = lower(unlike(keras.Model(inputs, x)), batch=batch, arithmetic=INTEGER)
    patches = RNG.normal(size=(8, 4, 3, 2)).astype(np.float32)
    expected = model.predict(patches, batch_size=batch, verbose=0)
    found = equalize(model, patches)[0].predict(patches, batch_size=batch, verbose=0)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("pooled", [False, True])
def test_a_value_beside_a_channel_is_no_padding(pooled):
    inputs = keras.Input(batch_shape=(1, 4, 4, 3), name="patch")
    x = layers.Concatenate(axis=1)([layers.Conv2D(3, 1)(inputs), inputs])
    if pooled:
        x = layers.MaxPooling2D(2, 1)(x)
    x = layers.Flatten()(layers.Conv2D(4, 2)(x))
    model = unlike(keras.Model(inputs, layers.Dense(3)(x)))
    patches = RNG.normal(size=(8, 4, 4, 3)).astype(np.float32)
    same(model, equalize(model, patches)[0], patches)


def test_a_weight_that_is_no_number_stays_alone():
    model = chain(layers.Dense(3, activation="relu", name="first"), layers.Dense(2), shape=(2,))
    kernel, bias = weights(unlike(model), "first")
    kernel[:, 1] = np.nan
    model.get_layer("first").set_weights([kernel, bias])
    equal, _ = equalize(model, RNG.normal(size=(8, 2)).astype(np.float32))
    assert np.isfinite(weights(equal, "first")[0][:, [0, 2]]).all()


def test_channels_side_by_side_stay_their_own():
    inputs = keras.Input(batch_shape=(1, 2, 2, 2), name="patch")
    parts = [layers.Conv2D(2, 1, name=name)(inputs) for name in ("one", "two")]
    x = layers.Concatenate()(parts)
    x = ops.transpose(x, (0, 2, 1, 3))
    model = keras.Model(inputs, layers.Conv2D(2, 2, name="last")(x))
    one = np.array([[[[1, 256.0]] * 2]])
    model.get_layer("one").set_weights([one, np.zeros(2)])
    model.get_layer("last").set_weights([np.ones((2, 2, 4, 2)), np.zeros(2)])
    patches = np.ones((1, 2, 2, 2), np.float32)
    equal, _ = equalize(model, patches)
    # Channels of 2 and 512: factors of 1/4 and 4 around their middle, to the nearest power of two.
    np.testing.assert_array_equal(weights(equal, "one")[0] / one, [[[[4, 0.25]] * 2]])
    same(model, equal, patches)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_equal_bit_for_bit(name):
    model = lower(randomized(built(name)), arithmetic=INTEGER)
    patches = RNG.normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    equal, scaled = equalize(model, patches)
    assert scaled > 0 or name in UNCHAINED
    same(model, equal, patches)


# What every channel of them meets on its way keeps no factor.
UNCHAINED = {"dbda", "fdssc", "hu", "justoliunet", "justounet", "mou"}


def test_an_integer_file_of_unlike_channels_errs_less(tmp_path):
    keras.utils.set_random_seed(1)
    model = chain(
        layers.Conv2D(8, 1, activation="relu", name="first"),
        layers.Conv2D(8, 1, activation="relu", name="second"),
        layers.Flatten(),
        layers.Dense(3),
        shape=(1, 1, 6),
    )
    spread = np.float32(2.0) ** np.arange(-4, 4)
    kernel, bias = weights(model, "first")
    model.get_layer("first").set_weights([kernel * spread, bias])
    kernel, bias = weights(model, "second")
    model.get_layer("second").set_weights([kernel / spread[:, None], bias])
    patches = RNG.normal(size=(64, 1, 1, 6)).astype(np.float32)
    expected = model.predict(patches, batch_size=1, verbose=0)
    errors = []
    for network in (model, equalize(model, patches)[0]):
        path = tmp_path / "int8.tflite"
        VARIANTS["int8"].convert(network, Calibration(patches), path)
        found = predict(VARIANTS["int8"].runtime(path, 1), patches)
        errors.append(float(np.square(found - expected).mean()))
    assert errors[1] < 0.25 * errors[0]


def attention(queries, keys, values, outputs):
    """One head of two tokens: scores of queries and keys, sums of values, and their projection."""
    inputs = keras.Input(batch_shape=(1, 2, 3), name="patch")
    query = layers.Dense(queries.shape[1], name="query")(inputs)
    key = layers.Dense(keys.shape[1], name="key")(inputs)
    scores = layers.Softmax()(ops.matmul(query, ops.transpose(key, (0, 2, 1))))
    value = layers.Dense(values.shape[1], name="value")(inputs)
    sums = ops.matmul(scores, value)
    model = keras.Model(inputs, layers.Dense(outputs.shape[1], name="output")(sums))
    for name, kernel in zip(
        ("query", "key", "value", "output"), (queries, keys, values, outputs), strict=True
    ):
        layer = model.get_layer(name)
        layer.set_weights([kernel.astype(np.float32), np.zeros(kernel.shape[1], np.float32)])
    return model


def test_attention_by_hand():
    """Queries of 16, 1, 1 and keys of 1, 1, 16 get 4, 1, 4 both; values are read by the output."""
    one = np.zeros((3, 3))
    queries, keys, values, outputs = one.copy(), one.copy(), one.copy(), np.ones((3, 2))
    queries[0], keys[0], values[0] = [16, 1, 1], [1, 1, 16], [16, 4, 1]
    model = attention(queries, keys, values, outputs)
    patches = np.array([[[1, 0, 0], [0.5, 0, 0]]], np.float32)
    equal, _ = equalize(model, patches)
    np.testing.assert_array_equal(weights(equal, "query")[0][0], [4, 1, 4])
    np.testing.assert_array_equal(weights(equal, "key")[0][0], [4, 1, 4])
    # The sums lie between the values of both tokens: sqrt(16), sqrt(4), sqrt(1), their middle 2.
    np.testing.assert_array_equal(weights(equal, "value")[0][0], [8, 4, 2])
    np.testing.assert_array_equal(weights(equal, "output")[0][:, 0], [2, 1, 0.5])
    same(model, equal, patches)


def test_channels_of_two_products_keep_their_range():
    inputs = keras.Input(batch_shape=(1, 2, 3), name="patch")
    query = layers.Dense(3, name="query")(inputs)
    keys = [layers.Dense(3, name=name)(inputs) for name in ("first", "second")]
    scores = [ops.matmul(query, ops.transpose(key, (0, 2, 1))) for key in keys]
    model = keras.Model(inputs, layers.Add()(scores))
    spread = np.diag([16, 4, 1]).astype(np.float32)
    model.get_layer("query").set_weights([spread, np.zeros(3)])
    patches = RNG.normal(size=(4, 2, 3)).astype(np.float32)
    equal, scaled = equalize(model, patches)
    assert scaled == 0
    np.testing.assert_array_equal(weights(equal, "query")[0], spread)


def test_heads_of_a_lowered_network_are_equalized(monkeypatch):
    # Of some weights the ranges are alike already; which are drawn is not to depend on other tests.
    monkeypatch.setattr("networks.RNG", np.random.default_rng(0))
    inputs = keras.Input((5, 8))
    x = layers.LayerNormalization(name="norm")(inputs)
    x = layers.MultiHeadAttention(2, 4, name="seen")(x, x)
    model = randomized(keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x))))
    lowered = lower(model, arithmetic=INTEGER)
    patches = np.random.default_rng(0).normal(size=(4, 5, 8)).astype(np.float32)
    equal, _ = equalize(lowered, patches)
    # Scale and shift of the normalization go with the projections that read it.
    for name in (
        "norm",
        "seen_scaled",
        "seen_key_biased",
        "seen_value_biased",
        "seen_output_biased",
    ):
        assert not np.array_equal(weights(lowered, name)[0], weights(equal, name)[0]), name
    same(lowered, equal, patches)
    np.testing.assert_allclose(
        equal.predict(patches, batch_size=1, verbose=0), model.predict(patches), atol=1e-4
    )


def test_an_integer_file_of_unlike_heads_errs_less(tmp_path):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((6, 8), name="patch")
    x = layers.MultiHeadAttention(2, 4, name="seen")(inputs, inputs)
    model = randomized(keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x))))
    seen, spread = model.get_layer("seen"), np.float32(2.0) ** np.array([-4, -2, 2, 4])
    for part, factor in (("query", spread), ("key", 1 / spread), ("value", spread)):
        dense = getattr(seen, f"_{part}_dense")
        dense.kernel.assign(np.asarray(dense.kernel) * factor)
        dense.bias.assign(np.asarray(dense.bias) * factor)
    output = seen._output_dense.kernel
    output.assign(np.asarray(output) / spread[:, None])
    patches = RNG.normal(size=(64, 6, 8)).astype(np.float32)
    expected = model.predict(patches, verbose=0)
    lowered = lower(model, arithmetic=INTEGER)
    errors = []
    for network in (lowered, equalize(lowered, patches)[0]):
        path = tmp_path / "int8.tflite"
        VARIANTS["int8"].convert(network, Calibration(patches), path)
        found = predict(VARIANTS["int8"].runtime(path, 1), patches)
        errors.append(float(np.abs(found - expected).mean()))
    assert errors[1] < 0.6 * errors[0]
