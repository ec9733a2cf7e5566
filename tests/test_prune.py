from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import zoo
from hsitf.cost import cost
from hsitf.errors import InputError
from hsitf.prune import Cutting, Plan, groups, masked, plan, reach, thin
from hsitf.prune.criteria import CRITERIA, fpgm, l1, l2

RNG = np.random.default_rng(0)


def randomized(model: keras.Model) -> keras.Model:
    """Random weights, and statistics of batch normalization that are not 0 and 1."""
    for variable in model.weights:
        fan = max(1, int(np.prod(variable.shape[:-1])))
        value = RNG.normal(size=variable.shape, scale=(2 / fan) ** 0.5)
        if "variance" in variable.name:
            value = 0.5 + np.abs(value)
        variable.assign(value)
    return model


def assert_exact(model: keras.Model, chosen: Plan) -> keras.Model:
    before = [np.array(weight) for weight in model.get_weights()]
    smaller = thin(model, chosen)
    x = [RNG.normal(size=(3, *t.shape[1:])).astype(np.float32) for t in model.inputs]
    x = x[0] if len(x) == 1 else x
    expected = keras.tree.flatten(masked(model, chosen)(x))
    received = keras.tree.flatten(smaller(x))
    for a, b in zip(expected, received, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert np.abs(a - b).max() <= 1e-5 * max(1.0, np.abs(a).max())
        assert np.abs(a).max() > 0
    for then, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(then, now)
    return smaller


@pytest.mark.parametrize("name", zoo.names())
@pytest.mark.parametrize("criterion", sorted(CRITERIA))
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_networks_thin_exactly(name, criterion, ratio):
    model = randomized(zoo.build(name, bands=40, classes=5))
    smaller = assert_exact(model, plan(model, criterion, Cutting(ratio)))
    if ratio >= 0.5:
        assert smaller.count_params() < 0.7 * model.count_params()


def branches() -> keras.Model:
    """Add, concatenate, multiply with a squeeze, grouped and depthwise convolutions, PReLU."""
    inputs = keras.Input((9, 9, 6))
    x = layers.Conv2D(8, 3, name="stem")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    y = layers.PReLU(shared_axes=[1, 2], name="prelu")(x)
    y = layers.Conv2D(8, 3, padding="same", groups=2, name="pairs")(y)
    squeeze = layers.GlobalAveragePooling2D(name="squeeze", keepdims=True)(y)
    y = layers.Multiply(name="scale")(
        [y, layers.Dense(8, activation="sigmoid", name="gate")(squeeze)]
    )
    x = layers.Add(name="sum")([x, y])
    a = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depth")(x)
    b = layers.SeparableConv2D(5, 3, depth_multiplier=2, name="separable")(x)
    x = layers.Concatenate(name="both")([a, b])
    x = layers.Conv2DTranspose(7, 2, strides=2, name="up")(x)
    x = layers.ZeroPadding2D(1)(layers.MaxPooling2D(2)(layers.LeakyReLU()(x)))
    x = layers.Permute((3, 1, 2))(x)
    x = layers.Permute((2, 3, 1))(x)
    x = layers.Flatten()(x)
    return randomized(keras.Model(inputs, layers.Dense(4, activation="softmax", name="out")(x)))


@pytest.mark.parametrize("ratio", [0.3, 0.6])
@pytest.mark.parametrize("everywhere", [False, True])
def test_branches_thin_exactly(ratio, everywhere):
    model = branches()
    smaller = assert_exact(model, plan(model, "l1", Cutting(ratio, everywhere=everywhere)))
    assert smaller.count_params() < model.count_params()


def test_who_lives_with_whom():
    found = {group.layers: group for group in groups(branches())}
    tied = next(names for names in found if "stem" in names)
    assert set(tied) == {"stem", "pairs", "gate"}
    # Halves of the grouped convolution lose the same places: four channels, of two each.
    assert len(found[tied]) == 4
    assert found[tied].channels[0] == ((0, 4), (0, 4), (0, 4))
    assert found[("out",)].protected
    assert not found[("up",)].protected


@pytest.mark.parametrize("kind", [layers.GRU, layers.LSTM, layers.SimpleRNN])
def test_recurrent_units(kind):
    inputs = keras.Input((6, 5))
    x = layers.Conv1D(8, 1, name="conv")(inputs)
    x = kind(10, name="units")(x)
    model = randomized(keras.Model(inputs, layers.Dense(3, name="out")(x)))
    chosen = plan(model, "l2", Cutting(0.5))
    smaller = thin(model, chosen)
    assert smaller.get_layer("units").units == 5
    # A removed unit is not heard by the others either.
    gone = np.setdiff1d(np.arange(10), chosen.kept["units"])
    layer = model.get_layer("units")
    weights = layer.get_weights()
    weights[1][gone] = 0
    layer.set_weights(weights)
    x = RNG.normal(size=(4, 6, 5)).astype(np.float32)
    np.testing.assert_allclose(masked(model, chosen)(x), smaller(x), atol=1e-5)


def test_a_layer_used_twice_is_cut_once():
    inputs = [keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")]
    shared = layers.Conv2D(6, 3, name="shared")
    x = layers.Concatenate()([shared(value) for value in inputs])
    x = layers.Flatten()(layers.Conv2D(4, 3, name="after")(x))
    outputs = [layers.Dense(2, name="a")(x), layers.Dense(3, name="b")(x)]
    model = randomized(keras.Model(inputs, outputs))
    smaller = assert_exact(model, plan(model, "l2", Cutting(0.5)))
    assert smaller.get_layer("shared").filters == 3
    assert len(smaller.layers) == len(model.layers)


def test_a_sum_of_zero_and_more_channels_is_tied():
    inputs = keras.Input((5, 5, 4))
    # The sum ties the convolution to the bands, which stay.
    x = layers.Add()([inputs, layers.Conv2D(4, 3, padding="same", name="conv")(inputs)])
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x))))
    assert plan(model, "l2", Cutting(0.9)).kept == {}


def test_kept_are_the_most_important():
    inputs = keras.Input((4,))
    x = layers.Dense(4, use_bias=False, name="hidden")(inputs)
    model = keras.Model(inputs, layers.Dense(2, name="out")(x))
    model.get_layer("hidden").set_weights([np.diag([3.0, 1.0, 4.0, 2.0])])
    assert plan(model, "l1", Cutting(0.5)).kept == {"hidden": (0, 2)}
    assert plan(model, "l1", Cutting(0.5, round_to=3)).kept == {"hidden": (0, 2, 3)}
    assert plan(model, "l1", Cutting(0.9, least=2)).kept == {"hidden": (0, 2)}
    assert plan(model, "l1", Cutting(0.5, ignored=["hidden"])).kept == {}
    assert plan(model, "l1", Cutting(ratios={"hidden": 0.25})).kept == {"hidden": (0, 2, 3)}


def test_scores_by_hand():
    kernels = np.array([[3.0, -4.0], [0.0, 0.0], [6.0, 8.0]])
    np.testing.assert_allclose(l1(kernels), [3.5, 0, 7])
    np.testing.assert_allclose(l2(kernels), [5 / 2**0.5, 0, 10 / 2**0.5])
    far = (3**2 + 12**2) ** 0.5
    np.testing.assert_allclose(fpgm(kernels), [5 + far, 15, 10 + far])


@pytest.mark.parametrize("measure", ["macs", "parameters"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_a_cost_is_reached(measure, everywhere):
    model = randomized(zoo.build("cao", bands=20, classes=4))
    chosen = reach(model, measure, 0.5, "l1", Cutting(everywhere=everywhere))
    left = getattr(cost(thin(model, chosen)), measure) / getattr(cost(model), measure)
    assert 0.48 < left <= 0.5


def test_a_cost_out_of_reach_names_the_range():
    model = zoo.build("hu", bands=40, classes=4)
    with pytest.raises(InputError, match=r"cannot be reached.*allowed: 0\.\d+ to 1"):
        reach(model, "macs", 0.001)
    with pytest.raises(InputError, match=r"parameters, macs"):
        reach(model, "flops", 0.5)


def test_bad_plans():
    model = zoo.build("cao", bands=10, classes=3)
    with pytest.raises(InputError, match=r"0 to below 1"):
        Cutting(1.0)
    with pytest.raises(InputError, match=r"no layer 'conv'.*did you mean conv"):
        plan(model, "l1", Cutting(ratios={"conv": 0.5}))
    with pytest.raises(InputError, match=r"unknown criterion 'l3'"):
        plan(model, "l3")
    other = plan(zoo.build("cao", bands=11, classes=3), "l1", Cutting(0.5))
    with pytest.raises(InputError, match=r"another network.*patch"):
        thin(model, other)
    widths = plan(model).widths
    with pytest.raises(InputError, match=r"nothing of layer 'conv1'"):
        thin(model, Plan(widths, {"conv1": ()}))
    with pytest.raises(InputError, match=r"inputs, outputs"):
        thin(model, Plan(widths, {"logits": (0,)}))
    tied = zoo.build("he", bands=20, classes=3)
    with pytest.raises(InputError, match=r"whose partners it removes"):
        thin(tied, Plan(plan(tied).widths, {"block1_conv1": (0, 1)}))


def test_an_unknown_layer_names_itself():
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, layers.UnitNormalization(name="odd")(inputs))
    with pytest.raises(InputError, match=r"'odd' cannot be pruned through.*rules\.py"):
        plan(model)
