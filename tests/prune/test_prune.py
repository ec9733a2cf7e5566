from __future__ import annotations

import re

import keras
import numpy as np
import pytest
from conftest import ROOT
from keras import layers, ops

from hsitf import zoo
from hsitf.cost import cost
from hsitf.errors import DataError, InputError
from hsitf.prune import (
    PruningConfig,
    PruningPlan,
    Samples,
    compose,
    dependency_groups,
    estimate_cost,
    masked,
    plan,
    plan_from_channels,
    prune_to_cost,
    rank,
    select,
    thin,
    trace,
)
from hsitf.prune.channel_graph import SlidingKernel, surviving_positions
from hsitf.prune.criteria import CRITERIA
from hsitf.prune.request import PruningRequest
from hsitf.prune.run import plan_iteration
from hsitf.zoo import Recipe

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


def assert_exact(model: keras.Model, chosen: PruningPlan) -> keras.Model:
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


# Bands of a network where few do not suffice, and networks that take minutes.
BANDS = {"luo": 42, "santara": 110, "chen": 94, "roy": 13, "ssftt": 8, "justoliunet": 91}
SLOW = {
    "a2s2k",
    "chen",
    "dbda",
    "fdssc",
    "gaht",
    "nn",
    "resnet110",
    "resnet20",
    "resnet50",
    "resnet56",
    "roy",
    "sharma",
    "spectralformer",
    "ssrn",
    "vgg16",
}


# Those with a batch normalization whose channels are a layer's: mou's are of time and units both.
NORMALIZED = {
    "a2s2k",
    "boulch",
    "dbda",
    "deephs",
    "deephs_hyve",
    "fdssc",
    "gaht",
    "justounet",
    "liu",
    "resnet110",
    "resnet20",
    "resnet50",
    "resnet56",
    "sharma",
    "spwunet",
    "ssftt",
    "ssrn",
    "vgg16",
}


@pytest.fixture(scope="module", params=zoo.names())
def network(request):
    if request.param in SLOW:
        pytest.skip("see test_large_networks_thin_exactly")
    return randomized(zoo.build(request.param, bands=BANDS.get(request.param, 40), classes=5))


def samples_for(model: keras.Model, count: int = 32) -> Samples:
    shape = model.inputs[0].shape[1:]
    patches = RNG.normal(size=(count, *shape)).astype(np.float32)
    pixels = model.outputs[0].shape[1:-1]
    return Samples((patches,), RNG.integers(0, model.outputs[0].shape[-1], (count, *pixels)))


@pytest.mark.parametrize("criterion", sorted(CRITERIA))
def test_networks_thin_exactly(network, criterion):
    if criterion == "bn_scale" and network.name not in NORMALIZED:
        with pytest.raises(InputError, match="bn_scale needs batch normalization"):
            rank(network, criterion)
        return
    ranking = rank(network, criterion, samples_for(network))
    for ratio in (0.1, 0.5, 0.9):
        chosen = select(ranking, PruningConfig(ratio))
        if chosen.approximate:
            # Only what a kernel slides across, or is measured by others, cannot be exact.
            assert network.name in ("lee", "luo", "spectralformer", "ssftt")
            thin(network, chosen)
            chosen = select(ranking, PruningConfig(ratio, exact=True))
        smaller = assert_exact(network, chosen)
        assert estimate_cost(ranking.trace, chosen) == cost(smaller)
        assert ratio < 0.5 or smaller.count_params() < network.count_params()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SLOW))
@pytest.mark.parametrize("criterion", ["l1", "bn_scale", "lfp", "taylor"])
def test_large_networks_thin_exactly(name, criterion):
    model = randomized(zoo.build(name, bands=BANDS.get(name, 3), classes=5))
    if criterion == "bn_scale" and name not in NORMALIZED:
        pytest.skip("there is no batch normalization")
    ranking = rank(model, criterion, samples_for(model, 16))
    for ratio in (0.1, 0.5, 0.9):
        assert_exact(model, select(ranking, PruningConfig(ratio)))


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
    smaller = assert_exact(
        model, plan(model, "l1", PruningConfig(ratio, global_pruning=everywhere))
    )
    assert smaller.count_params() < model.count_params()


def test_who_lives_with_whom():
    found = {group.layers: group for group in dependency_groups(branches())}
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
    chosen = plan(model, "l2", PruningConfig(0.5))
    # A removed unit is not heard by the others either.
    assert assert_exact(model, chosen).get_layer("units").units == 5


def test_a_layer_used_twice_is_cut_once():
    inputs = [keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")]
    shared = layers.Conv2D(6, 3, name="shared")
    x = layers.Concatenate()([shared(value) for value in inputs])
    x = layers.Flatten()(layers.Conv2D(4, 3, name="after")(x))
    outputs = [layers.Dense(2, name="a")(x), layers.Dense(3, name="b")(x)]
    model = randomized(keras.Model(inputs, outputs))
    smaller = assert_exact(model, plan(model, "l2", PruningConfig(0.5)))
    assert smaller.get_layer("shared").filters == 3
    assert len(smaller.layers) == len(model.layers)


def test_what_enters_a_shared_layer_at_several_places_lives_together():
    inputs = keras.Input((4,))
    a = layers.Dense(6, activation="relu", name="a")(inputs)
    b = layers.Dense(6, activation="relu", name="b")(inputs)
    shared = layers.Dense(3, name="shared")
    x = layers.Add()([shared(a), shared(b)])
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))
    found = [set(group.layers) for group in dependency_groups(model) if not group.protected]
    assert found == [{"a", "b"}, {"shared"}]
    assert_exact(model, plan(model, "l2", PruningConfig(0.5)))


def test_a_sequential_model_is_thinned():
    model = randomized(
        keras.Sequential([keras.Input((5,)), layers.Dense(8, name="a"), layers.Dense(2, name="b")])
    )
    assert assert_exact(model, plan(model, "l1", PruningConfig(0.5))).get_layer("a").units == 4


def test_an_input_is_named_as_its_layer():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="out")(inputs))
    assert list(trace(model).widths) == [model.layers[0].name, "out"]
    assert thin(model, plan(model)).layers[0].name == model.layers[0].name


def test_a_sum_of_zero_and_more_channels_is_tied():
    inputs = keras.Input((5, 5, 4))
    # The sum ties the convolution to the bands, which stay.
    x = layers.Add()([inputs, layers.Conv2D(4, 3, padding="same", name="conv")(inputs)])
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x))))
    assert plan(model, "l2", PruningConfig(0.9)).kept == {}


def test_kept_are_the_most_important():
    inputs = keras.Input((4,))
    x = layers.Dense(4, use_bias=False, name="hidden")(inputs)
    model = keras.Model(inputs, layers.Dense(2, name="out")(x))
    model.get_layer("hidden").set_weights([np.diag([3.0, 1.0, 4.0, 2.0])])
    assert plan(model, "l1", PruningConfig(0.5)).kept == {"hidden": (0, 2)}
    assert plan(model, "l1", PruningConfig(0.5, round_to=3)).kept == {"hidden": (0, 2, 3)}
    assert plan(model, "l1", PruningConfig(0.9, min_channels=2)).kept == {"hidden": (0, 2)}
    assert plan(model, "l1", PruningConfig(0.5, ignored=["hidden"])).kept == {}
    assert plan(model, "l1", PruningConfig(ratios={"hidden": 0.25})).kept == {"hidden": (0, 2, 3)}


@pytest.mark.parametrize("measure", ["macs", "parameters", "bytes"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_a_cost_is_reached(measure, everywhere):
    model = randomized(zoo.build("cao", bands=20, classes=4))
    whole = getattr(cost(model), measure)
    for target in (0.5, whole // 2):
        chosen = prune_to_cost(
            model, measure, target, "l1", PruningConfig(global_pruning=everywhere)
        )
        assert 0.48 < getattr(cost(thin(model, chosen)), measure) / whole <= 0.5


def test_blocks_come_back_where_rounding_took_too_much():
    # Four layers of 16: all at 8 leaves 28 % of the multiply-accumulates, one at 16 more up to 50.
    model = randomized(zoo.build("he", bands=62, classes=4))
    chosen = prune_to_cost(model, "macs", 0.5, "l1", PruningConfig(round_to=8))
    widths = [len(chosen.kept.get(name, range(16))) for name in FOUR]
    assert set(widths) == {8, 16}
    assert 0.38 < cost(thin(model, chosen)).macs / cost(model).macs <= 0.5
    held = prune_to_cost(model, "macs", 0.5, "l1", PruningConfig(round_to=8, ratios={"conv2": 0.5}))
    assert len(held.kept["conv2"]) == 8


FOUR = ("conv1", "block1_conv1", "block2_conv1", "conv2")


def test_a_cost_out_of_reach_names_the_range():
    model = zoo.build("hu", bands=40, classes=4)
    with pytest.raises(InputError, match=r"cannot be reached.*: 0\.\d+ to 1, or [\d,]+ to"):
        prune_to_cost(model, "macs", 0.001)
    with pytest.raises(InputError, match=r"parameters, macs"):
        prune_to_cost(model, "flops", 0.5)


def test_bad_plans():
    model = zoo.build("cao", bands=10, classes=3)
    with pytest.raises(InputError, match=r"0 to below 1"):
        PruningConfig(1.0)
    with pytest.raises(InputError, match=r"unknown layer with channels 'conv'.*conv1"):
        plan(model, "l1", PruningConfig(ratios={"conv": 0.5}))
    with pytest.raises(InputError, match=r"unknown criterion 'l3'"):
        plan(model, "l3")
    other = plan(zoo.build("cao", bands=11, classes=3), "l1", PruningConfig(0.5))
    with pytest.raises(InputError, match=r"another network.*patch"):
        thin(model, other)
    widths = plan(model).widths
    with pytest.raises(InputError, match=r"nothing of layer 'conv1'"):
        thin(model, PruningPlan(widths, {"conv1": ()}))
    with pytest.raises(InputError, match=r"inputs, outputs"):
        thin(model, PruningPlan(widths, {"logits": (0,)}))
    tied = zoo.build("he", bands=20, classes=3)
    with pytest.raises(InputError, match=r"but removes channels coupled with them"):
        thin(tied, PruningPlan(plan(tied).widths, {"block1_conv1": (0, 1)}))


def test_an_unknown_layer_names_itself():
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, layers.UnitNormalization(name="odd")(inputs))
    with pytest.raises(InputError, match=r"'odd' \(UnitNormalization\) cannot be pruned through"):
        plan(model)


# --- graphs that move channels about --------------------------------------------------------


def test_slices_and_splits_move_with_their_channels():
    inputs = keras.Input((6, 6, 4))
    x = layers.Conv2D(12, 3, name="conv")(inputs)
    a, b, c = ops.split(x, [3, 7], axis=-1)
    d = x[:, 1:, ..., 8:2:-2]
    parts = zip("abc", (a, b, c), strict=True)
    y = ops.concatenate([layers.Conv2D(4, 1, name=name)(part) for name, part in parts], -1)
    z = layers.Flatten()(layers.Conv2D(3, 1, name="d")(d))
    x = layers.Concatenate()([layers.Flatten()(ops.relu(y)), z])
    model = randomized(keras.Model(inputs, layers.Dense(3, name="out")(x)))
    kept = (0, 2, 3, 4, 6, 8, 10, 11)
    chosen = plan_from_channels(trace(model), {"conv": [1, 5, 7, 9]})
    assert chosen.kept == {"conv": kept}
    smaller = assert_exact(model, chosen)
    assert smaller.get_layer("a").kernel.shape[2] == 2
    # Of the channels 8, 6, 4 all stay.
    assert smaller.get_layer("d").kernel.shape[2] == 3
    with pytest.raises(InputError, match=r"nothing at layer 'split(_\d+)?'"):
        thin(model, plan_from_channels(trace(model), {"conv": [0, 1, 2]}))


def test_permuted_and_reshaped_operations():
    inputs = keras.Input((5, 4, 3))
    x = layers.Conv2D(6, 2, name="conv")(inputs)
    x = ops.transpose(x, (0, 3, 1, 2))
    x = ops.reshape(x, (-1, 6, 12))
    x = ops.expand_dims(ops.transpose(x, (0, 2, 1)), 1)
    x = layers.Conv2D(4, 1, name="mixed")(x)
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x))))
    smaller = assert_exact(model, plan(model, "l2", PruningConfig(0.5)))
    assert smaller.get_layer("mixed").kernel.shape[2:] == (3, 2)


def test_zero_padded_shortcuts_let_stages_go_apart():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="stage1")(inputs)
    y = layers.Conv2D(8, 3, padding="same", strides=2, name="stage2")(x)
    shortcut = ops.pad(x[:, ::2, ::2, :], [[0, 0], [0, 0], [0, 0], [2, 2]])
    x = ops.relu(layers.Add(name="sum")([y, shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    model = randomized(keras.Model(inputs, layers.Dense(3, name="out")(x)))
    assert [group.layers for group in dependency_groups(model) if not group.protected] == [
        ("stage1",),
        ("stage2",),
    ]
    assert_exact(model, plan_from_channels(trace(model), {"stage1": [0, 3]}))
    assert_exact(model, plan_from_channels(trace(model), {"stage2": [1, 3, 6]}))
    assert_exact(model, plan_from_channels(trace(model), {"stage1": [1], "stage2": [0, 1, 3, 7]}))


def test_layers_around_layers():
    inputs = keras.Input((5, 7, 3))
    x = layers.TimeDistributed(layers.Conv1D(6, 3), name="each")(inputs)
    x = layers.TimeDistributed(layers.BatchNormalization(), name="norm")(x)
    x = layers.TimeDistributed(layers.Flatten(), name="flat")(x)
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True), name="both")(x)
    x = layers.Bidirectional(layers.LSTM(3), merge_mode="sum", name="last")(x)
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))
    chosen = plan(model, "l2", PruningConfig(0.5, ignored=("both", "last")))
    assert set(chosen.kept) == {"each"}
    assert_exact(model, chosen)
    chosen = plan(model, "l2", PruningConfig(0.5))
    smaller = assert_exact(model, chosen)
    assert smaller.get_layer("both").backward_layer.units == 2
    assert smaller.get_layer("last").forward_layer.units == 1
    assert estimate_cost(trace(model), chosen) == cost(smaller)


def test_models_inside_models_come_out_flat():
    inner_inputs = keras.Input((6, 6, 4))
    x = layers.Conv2D(8, 3, name="conv")(inner_inputs)
    inner = keras.Model(inner_inputs, layers.ReLU(name="relu")(x), name="inner")
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    x = layers.Flatten()(inner(x))
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))
    assert [g.layers for g in dependency_groups(model) if not g.protected] == [
        ("conv",),
        ("conv_1",),
    ]
    smaller = assert_exact(model, plan(model, "l1", PruningConfig(0.5)))
    assert smaller.get_layer("conv_1").filters == 4


def test_maps_joined_along_positions_share_their_channels():
    inputs = keras.Input((6, 6, 3))
    a = layers.Conv2D(6, 3, name="a")(inputs)
    b = layers.Conv2D(6, 3, name="b")(inputs)
    x = layers.Concatenate(axis=1)([a, b])
    x = layers.Conv2D(4, 3, name="after")(x)
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x))))
    assert [g.layers for g in dependency_groups(model) if not g.protected] == [
        ("a", "b"),
        ("after",),
    ]
    assert_exact(model, plan(model, "l1", PruningConfig(0.5)))


# --- channels that became positions ---------------------------------------------------------


def test_whole_groups_of_santara_go_exactly():
    model = randomized(zoo.build("santara", bands=110, classes=4))
    group = next(g for g in dependency_groups(model) if "select" in g.layers)
    # Eleven neighboring filters make a sequence that shared kernels slide along.
    assert len(group) == 10
    assert group.channels[1] == (tuple(range(11, 22)),)
    assert group.approximate is None
    smaller = assert_exact(model, plan_from_channels(trace(model), {"select": [0, 60]}))
    assert smaller.get_layer("groups").target_shape == (8, 11, 9)


def test_what_a_kernel_slides_across_is_approximate():
    model = randomized(zoo.build("luo", bands=42, classes=4))
    chosen = plan(model, "l1", PruningConfig(ratios={"conv1": 0.6444, "conv2": 0.65}))
    assert chosen.approximate == ("conv2 slides across them",)
    smaller = thin(model, chosen)
    assert [smaller.get_layer(name).filters for name in ("conv1", "conv2")] == [32, 22]
    assert smaller.get_layer("dense").kernel.shape == ((32 - 2) * 22, 1024)
    assert not plan(model, "l1", PruningConfig(0.5, exact=True)).approximate
    with pytest.raises(InputError, match="fewer positions than a kernel spans"):
        plan_from_channels(trace(model), {"conv1": range(2, 90)})


def test_places_of_a_kernel_survive_with_the_positions_at_their_center():
    kept = np.array([1, 0, 1, 1, 0, 1, 1], bool)
    # Centers were at 1 .. 5; now at the 2nd, 3rd and 4th of the positions left: 2, 3, 5.
    np.testing.assert_array_equal(
        surviving_positions(kept, SlidingKernel(3)), np.isin([1, 2, 3, 4, 5], [2, 3, 5])
    )
    # All stay: nothing is lost, whatever the stride and padding.
    for slide in (
        SlidingKernel(3, 2),
        SlidingKernel(4, 1, "same"),
        SlidingKernel(3, 2, "same"),
        SlidingKernel(2, 1, "causal"),
    ):
        assert surviving_positions(np.ones(9, bool), slide).all()


def test_bands_and_classes_go_where_they_may():
    model = randomized(zoo.build("cao", bands=12, classes=5))
    with pytest.raises(InputError, match=r"inputs, outputs.*prune_io"):
        plan_from_channels(trace(model), {"patch": [0, 1]})
    free = ("patch", "logits")
    chosen = plan_from_channels(trace(model, free), {"patch": [0, 7], "logits": [4]}, free)
    smaller = thin(model, chosen)
    assert (smaller.input_shape, smaller.output_shape) == ((None, 9, 9, 10), (None, 4))
    x = RNG.normal(size=(3, 9, 9, 12)).astype(np.float32)
    left_in = np.delete(x, [0, 7], axis=-1)
    x[..., [0, 7]] = 0
    np.testing.assert_allclose(model(x)[:, :4], smaller(left_in), atol=1e-5)
    weakest = plan(model, "l2", PruningConfig(0.5, prune_io=("patch",), ignored=("conv1", "conv2")))
    norms = (np.asarray(model.get_layer("conv1").kernel) ** 2).sum(axis=(0, 1, 3))
    assert set(weakest.kept["patch"]) == set(np.argsort(norms)[6:].tolist())
    with pytest.raises(InputError, match="unknown input or output 'conv1'"):
        trace(model, ("conv1",))


# --- plans -----------------------------------------------------------------------------------


def test_plans_are_kept_as_json(tmp_path):
    model = zoo.build("he", bands=20, classes=3)
    chosen = plan(model, "fpgm", PruningConfig(0.25))
    chosen.save(tmp_path / "plan.json")
    assert PruningPlan.load(tmp_path / "plan.json") == chosen
    assert chosen.criterion == "fpgm"
    (tmp_path / "plan.json").write_text('{"widths": 3}')
    with pytest.raises(DataError, match="is not a PruningPlan"):
        PruningPlan.load(tmp_path / "plan.json")


def test_two_plans_make_one():
    model = randomized(zoo.build("cao", bands=8, classes=3))
    first = plan(model, "l1", PruningConfig(0.3))
    smaller = thin(model, first)
    second = plan(smaller, "l2", PruningConfig(0.5, ignored=("dense1",)))
    at_once = thin(model, compose(first, second))
    step_by_step = thin(smaller, second)
    for a, b in zip(at_once.get_weights(), step_by_step.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_width_is_rounded_down():
    inputs = keras.Input((4,))
    x = layers.Dense(16, name="hidden")(inputs)
    model = keras.Model(inputs, layers.Dense(2, name="out")(x))
    # As the literature counts: int(16 * 0.85) = 13; and 0.7 * 10 is 7, not 6.
    assert len(plan(model, "l1", PruningConfig(0.15)).kept["hidden"]) == 13
    x = layers.Dense(10, name="hidden")(inputs)
    model = keras.Model(inputs, layers.Dense(2, name="out")(x))
    assert len(plan(model, "l1", PruningConfig(0.3)).kept["hidden"]) == 7


def test_a_loaded_file_is_thinned(tmp_path):
    model = randomized(zoo.build("santara", bands=110, classes=3))
    model.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False, safe_mode=True)
    smaller = assert_exact(loaded, plan(loaded, "l1", PruningConfig(0.4)))
    smaller.save(tmp_path / "smaller.keras")
    again = keras.saving.load_model(tmp_path / "smaller.keras", compile=False, safe_mode=True)
    x = RNG.normal(size=(2, 3, 3, 110)).astype(np.float32)
    np.testing.assert_array_equal(smaller(x), again(x))


def test_the_page_on_pruning_runs_as_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/how-to/prune.md").read_text(), re.S)
    zoo.build("cao", bands=8, classes=3).save("network.keras")
    names: dict[str, object] = {}
    exec(block, names)
    assert "300 channels: conv1" in capsys.readouterr().out
    assert names["smaller"].get_layer("conv2").filters == 100
    assert names["smaller"].get_layer("conv1").filters == 300
    assert PruningPlan.load(tmp_path / "plan.json") == names["chosen"]


def test_every_criterion_is_on_the_page():
    page = (ROOT / "docs/how-to/prune.md").read_text()
    assert set(CRITERIA) == set(re.findall(r"`(\w+)`", page)) & set(CRITERIA)


def test_resnet56_is_left_as_the_literature_counts():
    model = zoo.build("resnet56", bands=3, classes=10)
    ratios = {f"stage{s}_block{b}_conv1": 0.4 for s in (1, 2, 3) for b in range(1, 10)}
    ratios |= {"stage1_block1_conv2": 0.15, "stage2_block1_conv2": 0.15}
    smaller = thin(model, plan(model, "l1", PruningConfig(ratios=ratios)))
    trainable = sum(int(np.prod(weight.shape)) for weight in smaller.trainable_weights)
    # Zhang et al., 2023, table 2: 44.7 and 48.4 % less.
    assert 1 - trainable / 853_018 == pytest.approx(0.447, abs=0.02)
    assert 1 - cost(smaller).macs / cost(model).macs == pytest.approx(0.484, abs=0.02)


# --- what a reviewer broke once ---------------------------------------------------------------


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(8, activation="softmax"),
        layers.Conv2D(8, 1, activation="softmax"),
        layers.Activation("sparsemax"),
    ],
    ids=["dense", "convolution", "sparsemax"],
)
def test_channels_that_sum_to_one_stay(layer):
    inputs = keras.Input((4, 4, 3))
    x = layer(layers.Conv2D(8, 1, name="conv")(inputs))
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x))))
    assert_exact(model, plan(model, "l1", PruningConfig(0.5)))
    protected = {name for g in dependency_groups(model) if g.protected for name in g.layers}
    assert (layer.name if layer.weights else "conv") in protected


@pytest.mark.parametrize("activation", ["glu", keras.ops.sin])
def test_an_activation_that_nobody_knows_is_refused(activation):
    inputs = keras.Input((6,))
    x = layers.Activation(activation, name="odd")(layers.Dense(8)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    with pytest.raises(InputError, match="activation of layer 'odd'"):
        dependency_groups(model)


def test_padding_with_anything_but_zeros_is_refused():
    inputs = keras.Input((4, 4, 3))
    for options in ({"mode": "reflect"}, {"constant_values": 1}):
        x = ops.pad(layers.Conv2D(4, 1)(inputs), [[0, 0], [1, 1], [1, 1], [0, 0]], **options)
        with pytest.raises(InputError, match="allowed: zeros"):
            dependency_groups(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))


def test_states_handed_in_are_refused():
    inputs = keras.Input((5, 3))
    state = layers.Dense(4)(layers.Flatten()(inputs))
    x = layers.GRU(4, name="gru")(inputs, initial_state=state)
    with pytest.raises(InputError, match="'gru' hands states"):
        dependency_groups(keras.Model(inputs, layers.Dense(2)(x)))


def test_an_attention_map_of_one_channel_ties_none():
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(8, 3, padding="same", name="conv")(inputs)
    attention = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="where")(x)
    x = layers.Multiply()([x, attention])
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x))))
    assert assert_exact(model, plan(model, "l1", PruningConfig(0.5))).get_layer("conv").filters == 4


def test_layer_normalization_over_positions_is_cut():
    inputs = keras.Input((4, 4, 3))
    x = layers.LayerNormalization(axis=[1, 2, 3])(layers.Conv2D(6, 1, name="conv")(inputs))
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x))))
    chosen = plan(model, "l1", PruningConfig(0.5))
    assert "measures each channel by others" in chosen.approximate[0]
    assert cost(thin(model, chosen)) == estimate_cost(trace(model), chosen)
    with pytest.raises(InputError, match="approximate but not marked as such"):
        thin(model, PruningPlan(chosen.widths, chosen.kept))


def test_networks_from_files_thin_with_their_slices(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", name="conv")(inputs)[:, ::2, ::2, 1:]
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x))))
    model.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False)
    assert_exact(loaded, plan(loaded, "l1", PruningConfig(0.5)))


def test_what_is_not_functional_is_refused():
    with pytest.raises(InputError, match="only functional and sequential"):
        dependency_groups(keras.Sequential([layers.Dense(3)]))


def test_a_global_ratio_is_kept_where_scores_are_alike():
    inputs = keras.Input((4,))
    x = layers.Dense(10, name="a", kernel_initializer="ones")(inputs)
    x = layers.Dense(10, name="b", kernel_initializer="ones")(x)
    model = keras.Model(inputs, layers.Dense(2, name="out")(x))
    chosen = plan(model, "l1", PruningConfig(0.2, global_pruning=True))
    assert sum(10 - len(kept) for kept in chosen.kept.values()) == 4
    # A layer with a ratio of its own is left out of the ranking: 1 of a, 2 of the 10 of b.
    chosen = plan(model, "l1", PruningConfig(0.2, {"a": 0.1}, global_pruning=True))
    assert {name: len(kept) for name, kept in chosen.kept.items()} == {"a": 9, "b": 8}


def test_plans_keep_in_order():
    with pytest.raises(InputError, match="in order"):
        PruningPlan({"a": 5}, {"a": (4, 0, 2)})


def test_steps_end_where_one_cut_does():
    recipe = Recipe("sgd", 0.1, epochs=16)
    inputs = keras.Input((4,))
    x = layers.Dense(10, name="narrow")(inputs)
    x = layers.Dense(64, name="wide")(x)
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))
    orders = [
        PruningRequest("ratio", 0.5, recipe, schedule=schedule, iterations=steps)
        for schedule, steps in (("one-shot", 1), ("iterative", 4), ("gradual", 8))
    ]
    alone = PruningConfig(ratios={"narrow": 0.3})
    orders.append(
        PruningRequest("macs", 0.5, recipe, config=alone, schedule="iterative", iterations=4)
    )
    widths = []
    for order in orders:
        network = model
        for number in range(1, order.iterations + 1):
            network = thin(
                network, plan_iteration(network, order, number, model, samples_for(model))
            )
        widths.append([network.get_layer(name).units for name in ("narrow", "wide")])
    assert widths[:3] == [[5, 32]] * 3
    assert widths[3][0] == 7
