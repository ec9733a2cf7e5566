"""Each row of the table of pruning: thinned, a network equals its masked original."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.src.applications.convnext import LayerScale, StochasticDepth
from test_prune import assert_exact, randomized

from hsitf.cost import cost
from hsitf.errors import InputError
from hsitf.prune import (
    PruningConfig,
    dependency_groups,
    estimate_cost,
    plan,
    plan_from_channels,
    thin,
    trace,
)
from hsitf.prune.dead import dead_channels
from hsitf.prune.rules import OPERATIONS, RULES

RNG = np.random.default_rng(0)


def between(build, shape=(6, 5, 3), channels=8):
    """What is to be pruned through, behind a convolution and before a dense layer."""
    inputs = keras.Input(shape)
    x = layers.Conv2D(channels, 2, activation="relu", name="conv")(inputs)
    leaving = build(x)
    several = leaving if isinstance(leaving, list | tuple) else [leaving]
    flat = [layers.Flatten()(value) for value in several]
    x = layers.Concatenate()(flat) if len(flat) > 1 else flat[0]
    return randomized(keras.Model(inputs, layers.Dense(3, name="out")(x)))


def pruned(model, ratio=0.4):
    """The thinned network, which equals its masked original and costs what was estimated."""
    chosen = plan(model, "l1", PruningConfig(ratio))
    assert not chosen.approximate
    smaller = assert_exact(model, chosen)
    assert estimate_cost(trace(model), chosen) == cost(smaller)
    return smaller


def shuffled(x, groups=2):
    """Channels of each group in turn, as in ShuffleNet."""
    rows, cols, channels = x.shape[1:]
    x = ops.reshape(x, (-1, rows, cols, groups, channels // groups))
    x = ops.transpose(x, (0, 1, 2, 4, 3))
    return ops.reshape(x, (-1, rows, cols, channels))


def gated(x):
    """A gate for each channel, written with operations."""
    gate = ops.mean(x, axis=(1, 2), keepdims=True)
    return x * ops.hard_sigmoid(layers.Dense(8, name="gate")(gate))


# For each operation a use of it; channels may go in all of them unless said below.
OPERATION_USES = {
    "Absolute": lambda x: ops.abs(x - 1.0),
    "Add": lambda x: x + layers.Conv2D(8, 1)(x),
    "Clip": lambda x: ops.clip(x, 0.1, 0.7),
    "Concatenate": lambda x: ops.concatenate([x, 2.0 * x], axis=-1),
    "Divide": lambda x: ops.divide(x, 2.0 + ops.abs(x)),
    "Elu": ops.elu,
    "Exp": lambda x: ops.exp(-x),
    "ExpandDims": lambda x: ops.expand_dims(x, 3),
    "Flip": lambda x: ops.flip(x, axis=(1, 3)),
    "Gelu": ops.gelu,
    "GetItem": lambda x: x[:, 1:, :, 5::-1],
    "HardSigmoid": gated,
    "HardSilu": ops.hard_silu,
    "HardTanh": ops.hard_tanh,
    "LeakyRelu": ops.leaky_relu,
    "Log": lambda x: ops.log(1.0 + x),
    "LogSoftmax": lambda x: ops.log_softmax(x, axis=-1),
    "Max": lambda x: ops.max(x - 5.0, axis=-1),
    "Maximum": lambda x: ops.maximum(x, 0.3),
    "Mean": lambda x: ops.mean(x, axis=(2, 3)),
    "Min": lambda x: ops.min(x + 5.0, axis=3, keepdims=True),
    "Minimum": lambda x: ops.minimum(x, layers.Conv2D(8, 1)(x)),
    "Moveaxis": lambda x: ops.moveaxis(x, 3, 1),
    "Multiply": lambda x: x * x,
    "Negative": lambda x: -x,
    "Pad": lambda x: ops.pad(x, [[0, 0], [1, 0], [0, 0], [2, 2]]),
    "Power": lambda x: x**3,
    "Relu": lambda x: ops.relu(x - 0.3),
    "Relu6": ops.relu6,
    "Repeat": lambda x: ops.repeat(ops.repeat(x, 2, axis=3), 2, axis=1),
    "Reshape": lambda x: ops.reshape(x, (-1, 20, 8)),
    "Roll": lambda x: ops.roll(ops.roll(x, 3, axis=3), 1, axis=1),
    "Rsqrt": lambda x: ops.rsqrt(x + 1.0),
    "Selu": ops.selu,
    "Sigmoid": ops.sigmoid,
    "Silu": ops.silu,
    "Softmax": lambda x: ops.softmax(x, axis=-1),
    "Softplus": ops.softplus,
    "Softsign": ops.softsign,
    "Split": lambda x: ops.split(x, 2, axis=-1),
    "Sqrt": lambda x: ops.sqrt(x + 0.1),
    "Square": ops.square,
    "Squeeze": lambda x: ops.squeeze(ops.expand_dims(x, 1), 1),
    "Stack": lambda x: layers.Conv3D(2, 1)(ops.stack([x, layers.Conv2D(8, 1)(x)], axis=2)),
    "Subtract": lambda x: x - ops.mean(x, axis=(1, 2), keepdims=True),
    "Sum": lambda x: ops.sum(x, axis=-1),
    "Swapaxes": lambda x: layers.Conv2D(2, 1)(ops.swapaxes(x, 1, 2)),
    "Take": lambda x: ops.take(x, [7, 0, 0, 3, 4], axis=3),
    "Tanh": ops.tanh,
    "Matmul": lambda x: ops.matmul(x, ops.swapaxes(layers.Conv2D(8, 1)(x), 2, 3)),
    "Einsum": lambda x: ops.einsum("bhwc,bhvc->bhwv", x, layers.Conv2D(8, 1)(x)),
    "Tile": lambda x: ops.tile(x, (1, 2, 1, 3)),
    "Transpose": lambda x: ops.transpose(x, (0, 3, 1, 2)),
    "TrueDivide": lambda x: x / 3.0 + 2.0 / (1.0 + x),
    "Unstack": lambda x: ops.unstack(x, axis=2)[1:3],
}
# Here the channels stay: what sums to one has to.
KEPT = {"LogSoftmax", "Softmax"}


@pytest.mark.parametrize("use", OPERATION_USES)
def test_operations(use):
    model = between(OPERATION_USES[use])
    assert use in {type(operation).__name__ for operation in model.operations}
    smaller = pruned(model)
    assert smaller.get_layer("conv").filters == (8 if use in KEPT else 4)


def test_every_operation_is_used():
    assert set(OPERATION_USES) == set(OPERATIONS)


LAYER_USES = {
    "identity": lambda x: layers.Identity()(x),
    "training_only": lambda x: layers.AlphaDropout(0.3)(layers.ActivityRegularization(0.1)(x)),
    "rescaling": lambda x: layers.Rescaling(0.5, list(range(8)))(x),
    "normalization": lambda x: layers.Normalization(axis=(-1, 1))(x),
    "normalization_of_constants": lambda x: layers.Normalization(
        mean=list(range(8)), variance=[2.0] * 8
    )(x),
    "groups": lambda x: layers.GroupNormalization(4)(x),
    "instances": lambda x: layers.GroupNormalization(-1, scale=False)(x),
    "mean_square": lambda x: layers.RMSNormalization(epsilon=0.1)(x),
    "mean_square_of_all": lambda x: layers.RMSNormalization(axis=[1, 2, 3], epsilon=0.1)(x),
    "scale": lambda x: StochasticDepth(0.2)(LayerScale(0.5, 8)(x)),
    "einsum": lambda x: layers.EinsumDense("...x,xy->...y", 6, bias_axes="y", activation="relu")(x),
    "einsum_transposed": lambda x: layers.EinsumDense("abcd,ed->abce", (5, 4, 6))(x),
    "repeated": lambda x: layers.LSTM(4)(layers.RepeatVector(3)(layers.Flatten()(x))),
    "bilinear": lambda x: layers.UpSampling2D(2, interpolation="bilinear")(x),
    "resizing": lambda x: layers.Resizing(3, 7)(x),
    "depthwise_by_groups": lambda x: layers.Conv2D(16, 3, groups=8, name="depth")(x),
    "each_step": lambda x: layers.TimeDistributed(layers.EinsumDense("abc,cd->abd", (4, 6)))(
        layers.TimeDistributed(layers.GroupNormalization(4))(x)
    ),
}


@pytest.mark.parametrize("use", LAYER_USES)
def test_layers(use):
    model = between(LAYER_USES[use])
    layer = next((found for found in model.layers if isinstance(found, layers.Normalization)), None)
    if layer is not None:
        layer.finalize_state()
    assert pruned(model).get_layer("conv").filters == 4


def test_groups_of_a_normalization_go_as_a_whole():
    model = between(LAYER_USES["groups"])
    found = next(group for group in dependency_groups(model) if "conv" in group.layers)
    assert found.channels == (((0, 1),), ((2, 3),), ((4, 5),), ((6, 7),))
    smaller = assert_exact(model, plan_from_channels(trace(model), {"conv": [2, 3]}))
    (layer,) = [each for each in smaller.layers if isinstance(each, layers.GroupNormalization)]
    assert (layer.groups, layer.gamma.shape) == (3, (6,))


def test_a_depthwise_convolution_by_groups_passes_channels_on():
    model = between(LAYER_USES["depthwise_by_groups"])
    smaller = assert_exact(model, plan_from_channels(trace(model), {"conv": [0, 3, 4]}))
    layer = smaller.get_layer("depth")
    assert (layer.groups, layer.filters, layer.kernel.shape) == (5, 10, (3, 3, 1, 10))


def test_groups_along_rows_are_refused():
    with pytest.raises(InputError, match=r"groups along another axis.*permute the axes"):
        plan(between(lambda x: layers.GroupNormalization(5, axis=1)(x)))


@pytest.mark.parametrize("equation", ["abcd,dce->abe", "abcd,def->abcef", "abcd,bde->abce"])
def test_other_equations_are_refused(equation):
    shape = {"abe": (5, 6), "abcef": (5, 4, 2, 3), "abce": (5, 4, 6)}[equation.partition("->")[2]]
    model = between(lambda x: layers.EinsumDense(equation, shape, name="odd")(x))
    with pytest.raises(InputError, match=r"equation of layer 'odd'.*such as \.\.\.x,xy->\.\.\.y"):
        plan(model)


def test_unstacked_channels_stay():
    model = between(lambda x: layers.Add()(ops.unstack(x, axis=-1)))
    assert plan(model, "l1", PruningConfig(0.5)).kept == {}


def test_channels_repeated_by_different_numbers():
    model = between(lambda x: ops.repeat(x, [1, 2, 3, 1, 2, 1, 1, 2], axis=3))
    assert_exact(model, plan_from_channels(trace(model), {"conv": [0, 2, 7]}))


def test_means_and_variances_of_bands_go_with_them():
    inputs = keras.Input((4, 4, 6), name="patch")
    layer = layers.Normalization(name="standardized")
    x = layers.Conv2D(5, 2, name="conv")(layer(inputs))
    model = randomized(keras.Model(inputs, layers.Dense(3, name="out")(layers.Flatten()(x))))
    x = RNG.normal(3, 2, (20, 4, 4, 6)).astype(np.float32)
    layer.adapt(x)
    chosen = plan_from_channels(trace(model, ("patch",)), {"patch": [1, 4]}, ("patch",))
    smaller = thin(model, chosen)
    # A band that is removed counts as zero where it is consumed, which is after the layer.
    x[..., [1, 4]] = np.asarray(layer.mean)[..., [1, 4]]
    left = smaller(np.delete(x, [1, 4], axis=-1))
    np.testing.assert_allclose(left, model(x), atol=1e-4)
    assert smaller.count_params() == model.count_params() - 2 * 4 * 5 - 2 * 2


def test_a_mean_of_groups_takes_whole_groups():
    def build(x):
        return ops.mean(ops.reshape(x, (-1, 5, 4, 4, 2)), axis=4)

    model = between(build)
    found = next(group for group in dependency_groups(model) if "conv" in group.layers)
    assert found.channels[1] == ((2, 3),)
    assert_exact(model, plan_from_channels(trace(model), {"conv": [2, 3, 6, 7]}))


def test_a_channel_that_only_a_mean_of_positions_reads_is_dead():
    model = between(lambda x: ops.mean(x, axis=(1, 2)))
    kernel, bias = model.get_layer("out").get_weights()
    kernel[[1, 4]] = 0
    model.get_layer("out").set_weights([kernel, bias])
    assert dead_channels(model).kept == {"conv": (0, 2, 3, 5, 6, 7)}


# --- channel shuffle ------------------------------------------------------------------------


def test_a_channel_shuffle_loses_any_channels():
    model = between(lambda x: layers.Conv2D(4, 2, name="after")(shuffled(x)))
    for removed in ([0], [1, 2], [0, 5, 6, 7]):
        smaller = assert_exact(model, plan_from_channels(trace(model), {"conv": removed}))
        assert smaller.get_layer("after").kernel.shape[2] == 8 - len(removed)


def test_a_channel_shuffle_of_layers_and_grouped_convolutions(tmp_path):
    def build(x):
        x = layers.Reshape((5, 4, 2, 4))(x)
        x = layers.Reshape((5, 4, 8))(layers.Permute((1, 2, 4, 3))(x))
        x = layers.Conv2D(8, 2, groups=2, name="first")(x)
        return layers.Conv2D(4, 2, groups=2, name="second")(shuffled(x))

    model = between(build)
    smaller = pruned(model, 0.5)
    assert smaller.get_layer("second").kernel.shape[2] < 4
    smaller.save(tmp_path / "shuffled.keras")
    again = keras.saving.load_model(tmp_path / "shuffled.keras")
    x = RNG.normal(size=(2, 6, 5, 3)).astype(np.float32)
    np.testing.assert_array_equal(smaller(x), again(x))


def test_what_is_no_block_stops_at_a_layer_that_needs_one():
    model = between(lambda x: layers.ReLU()(layers.Reshape((5, 4, 2, 4), name="pairs")(x)))
    chosen = plan_from_channels(trace(model), {"conv": [0]})
    assert_exact(model, chosen)
    odd = between(lambda x: layers.PReLU(name="odd")(layers.Reshape((5, 4, 2, 4))(x)))
    with pytest.raises(InputError, match="left at layer 'odd' does not form a block"):
        thin(odd, plan_from_channels(trace(odd), {"conv": [0]}))


def test_every_new_layer_is_used():
    models = [between(use) for use in LAYER_USES.values()]
    used = {type(operation) for model in models for operation in model.operations}
    new = {
        layers.Identity,
        layers.ActivityRegularization,
        layers.AlphaDropout,
        layers.Rescaling,
        layers.Normalization,
        layers.GroupNormalization,
        layers.RMSNormalization,
        layers.EinsumDense,
        layers.RepeatVector,
        layers.Resizing,
        LayerScale,
        StochasticDepth,
    }
    assert new <= used & set(RULES)
