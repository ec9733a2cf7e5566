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
from hsitf.lower import difference, lower
from hsitf.prune import (
    PruningConfig,
    Samples,
    dependency_groups,
    estimate_cost,
    masked,
    plan,
    plan_from_channels,
    prune_to_cost,
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


# --- pieces of which something has to be left -------------------------------------------------


def halves(kind="conv"):
    """Two halves of the channels, of which one has the smaller weights."""

    def build(x):
        first, second = ops.split(x, 2, axis=-1)
        return layers.Concatenate()([layers.Conv2D(4, 1, name="of_first")(first), second])

    model = between(build)
    kernel, bias = model.get_layer("conv").get_weights()
    model.get_layer("conv").set_weights([kernel * ([0.01] * 4 + [1] * 4), bias])
    return model


def test_a_piece_of_a_split_keeps_its_most_important_channel():
    model = halves()
    sizes = np.abs(model.get_layer("conv").get_weights()[0]).mean(axis=(0, 1, 2))
    chosen = plan(model, "l1", PruningConfig(ratios={"conv": 0.5}))
    kept = chosen.kept["conv"]
    # As many are left as were asked for: the best of the first half, three of the second.
    assert len(kept) == 4
    assert [at for at in kept if at < 4] == [int(sizes[:4].argmax())]
    assert_exact(model, chosen)
    assert_exact(model, plan(model, "l1", PruningConfig(ratio=0.9)))


def test_kept_channels_stay_a_multiple_where_pieces_need_some():
    model = halves()
    chosen = plan(model, "l1", PruningConfig(0.99, round_to=4))
    assert len(chosen.kept["conv"]) == 4
    assert {at // 4 for at in chosen.kept["conv"]} == {0, 1}
    assert_exact(model, chosen)


def test_a_dead_piece_of_a_split_keeps_a_channel():
    model = halves()
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., :4], bias[:4] = 0, 0
    model.get_layer("conv").set_weights([kernel, bias])
    chosen = dead_channels(model)
    assert chosen.kept["conv"] == (0, 4, 5, 6, 7)
    assert_exact(model, chosen)


@pytest.mark.parametrize(
    "layer",
    [layers.PReLU, lambda: layers.Rescaling(0.5, np.arange(4.0).tolist())],
    ids=["slopes", "rescaling"],
)
def test_a_plan_for_channels_in_groups_keeps_to_blocks(layer):
    model = between(lambda x: layer()(layers.Reshape((5, 4, 2, 4))(x)))
    pruned(model, 0.5)


# --- normalization along other axes -----------------------------------------------------------


@pytest.mark.parametrize("axes", [[1, 2], [1], 2])
def test_layer_normalization_of_positions_is_exact(axes):
    model = between(lambda x: layers.LayerNormalization(axis=axes)(x))
    assert pruned(model).get_layer("conv").filters == 4


def test_layer_normalization_of_channels_is_approximate():
    model = between(lambda x: layers.LayerNormalization(axis=[2, 3], name="norm")(x))
    assert plan(model, "l1", PruningConfig(0.4)).approximate


def test_softmax_along_positions_leaves_channels_free():
    model = between(lambda x: layers.Softmax(axis=[1, 2])(x))
    assert pruned(model).get_layer("conv").filters == 4


# --- outputs as they were ---------------------------------------------------------------------


def several_outputs(arrange):
    inputs = keras.Input((6, 5, 3))
    x = layers.Conv2D(8, 3, name="conv")(inputs)
    classes = layers.Dense(3, name="classes")(layers.Flatten()(x))
    size = layers.Dense(2, name="size")(layers.GlobalAveragePooling2D()(x))
    return randomized(keras.Model(inputs, arrange(classes, size)))


@pytest.mark.parametrize(
    ("arrange", "loss"),
    [
        (lambda one, two: {"cls": one, "aux": two}, {"cls": "mse", "aux": "mae"}),
        (lambda one, two: [one], ["mse"]),
        (lambda one, two: {"z": one, "a": [two, one]}, None),
    ],
    ids=["dict", "list_of_one", "nested"],
)
def test_outputs_keep_their_structure(arrange, loss):
    model = several_outputs(arrange)
    chosen = plan(model, "l1", PruningConfig(0.5))
    smaller = thin(model, chosen)
    x = RNG.normal(size=(2, 6, 5, 3)).astype(np.float32)
    want, masks = model(x), masked(model, chosen)(x)
    for found in (smaller(x), masks, lower(model, 2)(x)):
        keras.tree.assert_same_structure(want, found)
    for one, other in zip(keras.tree.flatten(smaller(x)), keras.tree.flatten(masks), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    if loss is not None:
        smaller.compile("sgd", loss)
        smaller.train_on_batch(x, keras.tree.map_structure(np.zeros_like, want))
    assert difference(model, lower(model, 1), x)[0] < 1e-5


def test_inputs_keep_their_names():
    inputs = {"right": keras.Input((4, 4, 2), name="right"), "left": keras.Input((4,), name="left")}
    x = layers.Flatten()(layers.Conv2D(4, 2, name="conv")(inputs["right"]))
    joined = layers.Concatenate()([x, inputs["left"]])
    model = randomized(keras.Model(inputs, layers.Dense(3)(joined)))
    chosen = plan(model, "l1", PruningConfig(0.5))
    x = {
        "left": RNG.normal(size=(2, 4)).astype(np.float32),
        "right": RNG.normal(size=(2, 4, 4, 2)).astype(np.float32),
    }
    np.testing.assert_allclose(thin(model, chosen)(x), masked(model, chosen)(x), atol=1e-5)


# --- ties -------------------------------------------------------------------------------------


def test_a_criterion_that_selects_nothing_says_so():
    inputs = keras.Input((20,))
    model = randomized(keras.Model(inputs, layers.Dense(3)(layers.Dense(16, name="d")(inputs))))
    samples = Samples((RNG.normal(size=(64, 20)).astype(np.float32),), RNG.integers(0, 3, 64))
    with pytest.warns(UserWarning, match="hrank gives all channels of d the same score"):
        plan(model, "hrank", PruningConfig(0.5), samples)
    with pytest.warns(UserWarning, match="hrank gives all channels of d the same score"):
        prune_to_cost(model, "parameters", 0.5, "hrank", None, samples)


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


def test_channels_of_groups_go_together_where_a_layer_needs_a_block():
    model = between(lambda x: layers.ReLU()(layers.Reshape((5, 4, 2, 4), name="pairs")(x)))
    chosen = plan_from_channels(trace(model), {"conv": [0]})
    assert chosen.kept["conv"] == (1, 2, 3, 4, 5, 6, 7)
    assert_exact(model, chosen)
    # Slopes are a block; dropout of whole maps takes no other rank.
    for layer in (layers.PReLU, lambda: layers.SpatialDropout3D(0.3)):
        block = between(lambda x, layer=layer: layer()(layers.Reshape((5, 4, 2, 4))(x)))
        chosen = plan_from_channels(trace(block), {"conv": [0]})
        assert chosen.kept["conv"] == (1, 2, 3, 5, 6, 7)
        assert_exact(block, chosen)


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
