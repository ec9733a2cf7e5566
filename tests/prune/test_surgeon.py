from __future__ import annotations

import contextlib
import io
import re
from typing import Any

import keras
import numpy as np
import pytest
from conftest import ROOT
from keras import layers

from hsitf.errors import InputError
from hsitf.prune import (
    Surgeon,
    delete_channels,
    delete_layer,
    get_apoz,
    high_apoz,
    insert_layer,
    masked,
    plan_from_channels,
    replace_layer,
    trace,
)

RNG = np.random.default_rng(0)
PAGE = (ROOT / "docs/how-to/migrate-from-keras-surgeon.md").read_text()
# Each block of code, and the block of text under it where it prints something.
BLOCKS = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, flags=re.S)


def test_the_page_prints_what_it_says():
    assert len(BLOCKS) == PAGE.count("```python")
    reader: dict[str, Any] = {}
    for code, text in BLOCKS:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "docs/how-to/migrate-from-keras-surgeon.md", "exec"), reader)
        assert printed.getvalue() == text


def randomized(model: keras.Model) -> keras.Model:
    """Random weights, and statistics of batch normalization that are not 0 and 1."""
    for variable in model.weights:
        fan = max(1, int(np.prod(variable.shape[:-1])))
        value = RNG.normal(size=variable.shape, scale=(2 / fan) ** 0.5)
        variable.assign(0.5 + np.abs(value) if "variance" in variable.name else value)
    return model


def samples(model: keras.Model, count: int = 3) -> list[np.ndarray]:
    return [RNG.normal(size=(count, *t.shape[1:])).astype(np.float32) for t in model.inputs]


def outputs(model: keras.Model, x: list[np.ndarray]) -> list[np.ndarray]:
    return [np.asarray(y) for y in keras.tree.flatten(model(x if len(x) > 1 else x[0]))]


def assert_same(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for a, b in zip(first, second, strict=True):
        assert np.abs(a).max() > 0
        np.testing.assert_allclose(a, b, atol=1e-5 * max(1.0, np.abs(a).max()))


def layer_weights(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in model.layers}


def assert_same_weights(first: keras.Model, second: keras.Model, but: tuple[str, ...] = ()) -> None:
    """All layers that both have, except some, weigh the same and are not the same objects."""
    one, two = layer_weights(first), layer_weights(second)
    for name in (one.keys() & two.keys()) - set(but):
        for a, b in zip(one[name], two[name], strict=True):
            np.testing.assert_array_equal(a, b)
    assert not {id(layer) for layer in first.layers} & {id(layer) for layer in second.layers}


def plain() -> keras.Model:
    """Two units hidden, weights to reckon with: h = relu(W x + b), y = V h."""
    inputs = keras.Input((2,), name="in")
    x = layers.Dense(3, activation="relu", name="hidden")(inputs)
    model = keras.Model(inputs, layers.Dense(1, use_bias=False, name="out")(x), name="plain")
    model.get_layer("hidden").set_weights(
        [np.array([[1.0, 2, 3], [4, 5, 6]]), np.array([1.0, 0, -9])]
    )
    model.get_layer("out").set_weights([np.array([[1.0], [10], [100]])])
    return model


# --- channels ------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [[1], [-2], [1, -2], np.array([1]), np.int64(1), (1, 1)])
def test_a_unit_is_deleted(channels):
    model = plain()
    small = delete_channels(model, "hidden", channels)
    # Input (1, 1): 1 + 4 + 1 = 6 and 3 + 6 - 9 = 0 stay, 2 + 5 = 7 is gone.
    assert float(model(np.ones((1, 2)))[0, 0]) == 6 + 70 + 0
    assert float(small(np.ones((1, 2)))[0, 0]) == 6 + 0
    assert small.get_layer("hidden").units == 2
    np.testing.assert_array_equal(small.get_layer("hidden").kernel, [[1, 3], [4, 6]])
    np.testing.assert_array_equal(small.get_layer("hidden").bias, [1, -9])
    np.testing.assert_array_equal(small.get_layer("out").kernel, [[1], [100]])
    assert small.name == "plain"


def test_deleting_no_channels_copies():
    model = plain()
    copy = delete_channels(model, model.get_layer("hidden"), [])
    assert_same_weights(model, copy)
    assert copy.count_params() == model.count_params()


def pixels() -> keras.Model:
    """Two-dimensional: batch normalization, addition, concatenation, flattening."""
    inputs = keras.Input((5, 5, 4))
    x = layers.Conv2D(6, 3, padding="same", name="target")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.Add(name="sum")([x, layers.Conv2D(6, 3, padding="same", name="partner")(x)])
    y = layers.Conv2D(3, 1, name="beside")(x)
    x = layers.Flatten()(layers.Concatenate(name="both")([y, x]))
    return keras.Model(inputs, layers.Dense(3, name="out")(x))


def spectra() -> keras.Model:
    """One-dimensional and recurrent."""
    inputs = keras.Input((8, 2))
    x = layers.Conv1D(6, 3, activation="relu", name="target")(inputs)
    x = layers.GRU(5, return_sequences=True, name="units")(layers.MaxPooling1D(2)(x))
    return keras.Model(inputs, layers.Dense(2, name="out")(layers.LSTM(4, name="more")(x)))


def volumes() -> keras.Model:
    """Three-dimensional."""
    inputs = keras.Input((4, 4, 6, 1))
    x = layers.Conv3D(6, 2, activation="relu", name="target")(inputs)
    x = layers.Conv3D(3, (1, 1, 2), name="next")(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x)))


def recurrent() -> keras.Model:
    inputs = keras.Input((4, 3))
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True), name="target")(inputs)
    x = layers.TimeDistributed(layers.Dense(4), name="each")(x)
    return keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x)))


def several() -> keras.Model:
    """A shared layer, two inputs and two outputs."""
    inputs = [keras.Input((6, 6, 3), name="left"), keras.Input((6, 6, 3), name="right")]
    shared = layers.Conv2D(6, 3, activation="relu", name="target")
    x = layers.Concatenate(name="both")([shared(value) for value in inputs])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, [layers.Dense(2, name="a")(x), layers.Dense(3, name="b")(x)])


def nested() -> keras.Model:
    """A model inside the model, one of whose layers is called as one outside."""
    inside = keras.Input((5, 5, 4))
    block = keras.Model(inside, layers.Conv2D(4, 3, padding="same", name="target")(inside))
    inputs = keras.Input((5, 5, 2))
    x = keras.ops.relu(layers.Conv2D(4, 1, name="target")(inputs))
    x = layers.Flatten()(keras.ops.relu(block(x)))
    return keras.Model(inputs, layers.Dense(2, name="out")(x))


NETWORKS = [pixels, spectra, volumes, recurrent, several, nested]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("channels", [[0], [1, -1], [0, 2]])
def test_deleting_channels_is_zeroing_them(network, channels):
    model = randomized(network())
    before = [np.array(weight) for weight in model.get_weights()]
    small = delete_channels(model, "target", channels)
    x = samples(model)
    # What a recurrent unit tells the other units is zeroed in a test of its own.
    if network is not recurrent:
        flat = Surgeon(model).operate()
        zeroed = masked(flat, plan_from_channels(trace(flat), {"target": channels}))
        assert_same(outputs(zeroed, x), outputs(small, x))
    assert small.count_params() < model.count_params()
    for then, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(then, now)
    assert not {id(layer) for layer in model.layers} & {id(layer) for layer in small.layers}


def test_rows_set_to_zero_by_hand_are_rows_deleted():
    model = randomized(volumes())
    small = delete_channels(model, "target", [1, 4])
    following = model.get_layer("next")
    kernel, bias = following.get_weights()
    kernel[..., [1, 4], :] = 0
    following.set_weights([kernel, bias])
    x = samples(model)
    assert_same(outputs(model, x), outputs(small, x))


def test_units_that_nobody_hears_are_units_deleted():
    model = randomized(recurrent())
    small = delete_channels(model, "target", [1, 4])
    target, each = model.get_layer("target"), model.get_layer("each")
    weights = target.get_weights()
    for own in (weights[1], weights[4]):
        own[[1, 4]] = 0
    target.set_weights(weights)
    kernel, bias = each.get_weights()
    kernel[[1, 4, 7, 10]] = 0
    each.set_weights([kernel, bias])
    x = samples(model)
    assert_same(outputs(model, x), outputs(small, x))


def test_partners_go_too():
    small = delete_channels(randomized(pixels()), "partner", [0, 3])
    assert {name: small.get_layer(name).filters for name in ("target", "partner", "beside")} == {
        "target": 4,
        "partner": 4,
        "beside": 3,
    }
    assert small.get_layer("norm").gamma.shape == (4,)
    assert small.get_layer("out").kernel.shape == (25 * (3 + 4), 3)


def test_a_layer_inside_another_model_is_told_from_its_namesake():
    model = randomized(nested())
    (block,) = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    by_itself = delete_channels(model, block.get_layer("target"), [3])
    by_number = delete_channels(model, "target_1", [3])
    assert_same_weights(by_itself, by_number)
    assert by_number.get_layer("target").kernel.shape == (1, 1, 2, 4)
    assert by_number.get_layer("target_1").kernel.shape == (3, 3, 4, 3)


def test_bands_and_classes_go_where_they_are_named():
    model = plain()
    narrow = delete_channels(model, "in", [0])
    assert narrow.input_shape == (None, 1)
    np.testing.assert_array_equal(narrow.get_layer("hidden").kernel, [[4, 5, 6]])
    assert float(narrow(np.ones((1, 1)))[0, 0]) == 5 + 50
    two = randomized(several())
    assert delete_channels(two, "b", [-1]).output_shape == [(None, 2), (None, 2)]


def test_channels_tied_to_the_bands_stay_unless_the_bands_go():
    inputs = keras.Input((5, 5, 4), name="bands")
    x = layers.Add()([inputs, layers.Conv2D(4, 3, padding="same", name="conv")(inputs)])
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(x))))
    with pytest.raises(InputError, match=r"removes inputs, outputs or channels coupled"):
        delete_channels(model, "conv", [1])
    small = delete_channels(model, "bands", [1])
    assert small.input_shape == (None, 5, 5, 3)
    assert small.get_layer("conv").filters == 3


def test_an_approximation_says_so():
    inputs = keras.Input((4,))
    x = layers.LayerNormalization(name="measured")(layers.Dense(4, name="hidden")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    with pytest.warns(UserWarning, match=r"hidden is an approximation: measured measures"):
        small = delete_channels(model, "hidden", [0])
    assert small.get_layer("measured").gamma.shape == (3,)


@pytest.mark.parametrize(
    ("layer", "channels", "message"),
    [
        (
            "hiden",
            [0],
            r"unknown layer 'hiden'; allowed: in, hidden, out; did you mean in or hidden\.",
        ),
        ("hidden", [3], r"no such channels; received: \[3\]; allowed: 0 to 2"),
        ("hidden", [0, 1, 2], r"leave nothing of layer 'hidden'"),
        ("hidden", [0.5], r"given by their indices; received: float64 of shape \(1,\)"),
        ("hidden", [True, False, False], r"given by their indices; received: bool"),
        ("hidden", [[0]], r"given by their indices; received: int64 of shape \(1, 1\)"),
    ],
)
def test_channels_that_cannot_be_deleted(layer, channels, message):
    with pytest.raises(InputError, match=message):
        delete_channels(plain(), layer, channels)


def test_layers_without_channels_of_their_own_are_told_from_unknown_ones():
    with pytest.raises(InputError, match=r"unknown layer with channels 'norm'; allowed:.*target"):
        delete_channels(pixels(), "norm", [0])


# --- layers --------------------------------------------------------------------------------


def chain() -> keras.Model:
    """y = 5 (3 (2 x))."""
    inputs = keras.Input((1,), name="in")
    x = inputs
    for name, factor in {"two": 2.0, "three": 3.0, "five": 5.0}.items():
        x = layers.Rescaling(factor, name=name)(x)
    return keras.Model(inputs, x)


def of_one(model: keras.Model) -> float:
    return float(model(np.ones((1, 1)))[0, 0])


def test_deleted_inserted_and_replaced_by_hand():
    model = chain()
    assert of_one(model) == 30
    assert of_one(delete_layer(model, "three")) == 10
    assert of_one(delete_layer(model, model.get_layer("five"))) == 6
    plus_one = layers.Rescaling(1.0, offset=1.0, name="plus_one")
    assert of_one(insert_layer(model, "three", plus_one)) == 5 * 3 * (2 + 1)
    assert of_one(insert_layer(model, "three", plus_one, where="after")) == 5 * (3 * 2 + 1)
    assert of_one(insert_layer(model, "five", plus_one, where="after")) == 31
    assert of_one(replace_layer(model, "three", plus_one)) == 5 * (2 + 1)
    assert [layer.name for layer in replace_layer(model, "three", plus_one).layers] == [
        "in",
        "two",
        "plus_one",
        "five",
    ]
    assert of_one(model) == 30
    assert [layer.name for layer in model.layers] == ["in", "two", "three", "five"]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_layer_that_does_nothing_can_come_and_go(network):
    model = randomized(network())
    x = samples(model)
    nothing = layers.Activation("linear", name="nothing")
    more = insert_layer(model, "target", nothing)
    assert_same(outputs(model, x), outputs(more, x))
    assert "nothing" in [layer.name for layer in more.layers]
    less = delete_layer(more, "nothing")
    assert_same(outputs(model, x), outputs(less, x))
    assert less.count_params() == model.count_params()
    if network is not nested:
        assert_same_weights(model, less)
        assert [layer.name for layer in less.layers] == [layer.name for layer in model.layers]


def test_before_a_layer_is_on_its_own_way():
    inputs = keras.Input((1,))
    x = layers.Rescaling(2.0, name="two")(inputs)
    both = [layers.Rescaling(3.0, name="three")(x), layers.Rescaling(5.0, name="five")(x)]
    model = keras.Model(inputs, both)
    change = layers.Rescaling(7.0, name="seven")
    one = np.ones((1, 1))
    assert [float(y[0, 0]) for y in insert_layer(model, "three", change)(one)] == [42, 10]
    after = insert_layer(model, "two", change, where="after")
    assert [float(y[0, 0]) for y in after(one)] == [42, 70]


def test_a_shared_layer_is_changed_wherever_it_is_used():
    model = randomized(several())
    halves = layers.Rescaling(0.5, name="half")
    more = insert_layer(model, "target", halves)
    assert len(more.layers) == len(model.layers) + 1
    x = samples(model)
    assert_same(outputs(model, [values / 2 for values in x]), outputs(more, x))
    dense = replace_layer(model, "target", layers.Dense(6, name="pointwise"))
    assert dense.get_layer("pointwise").kernel.shape == (3, 6)
    assert dense.get_layer("both").output.shape == (None, 6, 6, 12)


def test_new_layers_bring_their_weights_and_stay_their_owners():
    model = plain()
    other = layers.Dense(3, name="other")
    other.build((None, 2))
    changed = replace_layer(model, "hidden", other)
    assert changed.get_layer("other") is not other
    np.testing.assert_array_equal(changed.get_layer("other").kernel, other.kernel)
    assert_same_weights(model, changed)
    fresh = layers.Dense(3, name="fresh")
    replace_layer(model, "hidden", fresh)
    assert not fresh.built


def test_a_layer_can_move():
    model = chain()
    three = model.get_layer("three")
    plus = insert_layer(model, "two", layers.Rescaling(1.0, offset=1.0, name="plus"))
    assert of_one(plus) == 5 * 3 * 2 * 2
    moved = (
        Surgeon(plus)
        .add_job("delete_layer", "three")
        .add_job("insert_layer", "plus", new_layer=plus.get_layer("three"))
        .operate()
    )
    assert of_one(moved) == 5 * 2 * (3 + 1)
    assert [layer.name for layer in moved.layers] == ["in", "three", "plus", "two", "five"]
    with pytest.raises(InputError, match=r"layer 'three' is not one of this network's.*get_layer"):
        delete_layer(plus, three)


def test_training_arguments_of_a_call_are_kept():
    inputs = keras.Input((100,))
    model = keras.Model(inputs, layers.Dropout(0.5, name="drop")(inputs, training=True))
    more = insert_layer(model, "drop", layers.ReLU(name="relu"))
    assert 0 < float(np.mean(np.asarray(more(np.ones((1, 100)))) == 0)) < 1


def test_layers_that_have_no_channels_rule_can_still_be_deleted():
    inputs = keras.Input((4,))
    x = layers.UnitNormalization(name="odd")(layers.Dense(4, name="hidden")(inputs))
    model = randomized(keras.Model(inputs, layers.Dense(2, name="out")(x)))
    without = Surgeon(model).add_job("delete_layer", "odd")
    small = without.add_job("delete_channels", "hidden", channels=[0]).operate()
    assert small.get_layer("hidden").units == 3


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            "beside",
            r"layer 'out' cannot take.*received: \(None, 300\); allowed: \(None, 225\); replace",
        ),
        ("sum", r"enters layer 'sum' is not one value; received: 2 of shapes \(None, 5, 5, 6\)"),
        ("target", r"layer 'norm' cannot take.*\(None, 5, 5, 4\); allowed: \(None, 5, 5, 6\)"),
        ("input", r"unknown layer 'input'"),
        (3, r"layer 3 is not one of this network's; received: int"),
    ],
)
def test_layers_that_cannot_be_deleted(layer, message):
    with pytest.raises(InputError, match=message):
        delete_layer(pixels(), layer)


def test_a_sum_of_unequal_shapes_names_the_sum():
    inputs = keras.Input((4,))
    x = layers.Dense(3, name="left")(inputs)
    model = keras.Model(inputs, layers.Add(name="sum")([x, layers.Dense(3, name="right")(inputs)]))
    with pytest.raises(
        InputError, match=r"'sum' cannot take.*received: \(None, 4\) and \(None, 3\)"
    ):
        delete_layer(model, "left")


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (layers.Dense(7, name="target"), r"called 'target'; give the new layer another name"),
        (layers.Conv1D(6, 3, name="new"), r"layer 'new' cannot take.*received: \(None, 5, 5, 6\)"),
        (layers.Dense(7, name="wider"), r"layer 'both' cannot take|layer 'out' cannot take"),
        (layers.ReLU, r"the new layer is not a Keras layer"),
    ],
)
def test_layers_that_cannot_take_a_place(new, message):
    with pytest.raises(InputError, match=message):
        replace_layer(pixels(), "beside", new)


def test_weights_of_another_shape_are_not_taken():
    built = layers.Dense(3, name="built")
    built.build((None, 5))
    with pytest.raises(InputError, match=r"layer 'built' cannot take.*received: \(None, 2\)"):
        replace_layer(plain(), "hidden", built)


def test_nothing_is_inserted_where_several_values_meet():
    with pytest.raises(InputError, match=r"what enters layer 'both' is not one value"):
        insert_layer(pixels(), "both", layers.ReLU())
    inputs = keras.Input((4, 3))
    out, state = layers.GRU(2, return_state=True, name="units")(inputs)
    model = keras.Model(inputs, [out, state])
    with pytest.raises(InputError, match=r"what leaves layer 'units' is not one value"):
        insert_layer(model, "units", layers.ReLU(), where="after")
    with pytest.raises(InputError, match=r"what leaves layer 'units' is not one value"):
        delete_layer(model, "units")


# --- surgeons ------------------------------------------------------------------------------


def test_several_jobs_at_once():
    model = randomized(pixels())
    small = (
        Surgeon(model, copy=True)
        .add_job("delete_channels", "partner", channels=[0, 3])
        .add_job("delete_channels", model.get_layer("beside"), channels=[-1])
        .add_job("delete_layer", "norm")
        .add_job("insert_layer", "both", new_layer=layers.ReLU(name="fired"), where="after")
        .operate()
    )
    step = insert_layer(delete_layer(model, "norm"), "both", layers.ReLU(name="fired"), "after")
    step = delete_channels(delete_channels(step, "partner", [0, 3]), "beside", [2])
    x = samples(model)
    assert_same(outputs(step, x), outputs(small, x))
    assert_same_weights(step, small)


def test_new_layers_lose_channels_with_their_partners():
    model = randomized(pixels())
    surgeon = Surgeon(model).add_job(
        "replace_layer", "partner", new_layer=layers.Conv2D(6, 1, name="pointwise")
    )
    small = surgeon.add_job("delete_channels", "target", channels=[0]).operate()
    assert small.get_layer("pointwise").kernel.shape == (1, 1, 5, 5)


def test_a_surgeon_operates_again():
    surgeon = Surgeon(plain()).add_job("delete_channels", "hidden", channels=[0])
    assert_same_weights(surgeon.operate(), surgeon.operate())


@pytest.mark.parametrize(
    ("job", "more", "message"),
    [
        (
            "delete_chanels",
            {},
            r"unknown job 'delete_chanels'.*did you mean delete_layer or delete_channels",
        ),
        ("delete_channels", {}, r"received: the layer alone; allowed: channels"),
        ("delete_layer", {"channels": [0]}, r"received: channels; allowed: the layer alone"),
        ("insert_layer", {}, r"allowed: new_layer"),
        ("delete_layer", {"where": "after"}, r"cannot be done after a layer"),
        ("insert_layer", {"new_layer": layers.ReLU(), "where": "behind"}, r"cannot be done behind"),
    ],
)
def test_jobs_that_cannot_be_given(job, more, message):
    with pytest.raises(InputError, match=message):
        Surgeon(plain()).add_job(job, "hidden", **more)


def test_one_job_a_layer():
    surgeon = Surgeon(plain()).add_job("delete_channels", "hidden", channels=[0])
    with pytest.raises(InputError, match=r"has a job already; received: delete_layer besides del"):
        surgeon.add_job("delete_layer", "hidden")


def test_inputs_only_lose_channels():
    with pytest.raises(InputError, match=r"'in' is an input.*allowed: delete_channels"):
        delete_layer(plain(), "in")


def test_layers_are_always_copied():
    with pytest.raises(InputError, match=r"copy=False"):
        Surgeon(plain(), copy=False)


def test_sequential_models_are_welcome_and_models_without_a_graph_are_not():
    stack = [keras.Input((2,), name="in"), layers.Dense(3, name="hidden"), layers.Dense(1)]
    small = delete_channels(keras.Sequential(stack), "hidden", [0])
    assert small.get_layer("hidden").units == 2

    class Own(keras.Model):
        pass

    for model in (keras.Sequential([layers.Dense(3)]), Own()):
        with pytest.raises(InputError, match=r"no graph of layers"):
            Surgeon(model)


# --- zeros ---------------------------------------------------------------------------------


def test_zeros_by_hand():
    # Units at inputs (1, 1), (0, 0), (-1, 0), (0, -1): x0 + 4 x1 + 1, 2 x0 + 5 x1,
    # 3 x0 + 6 x1 - 9, below zero cut off: zeros 2, 3 and 4 times of four.
    x = np.array([[1, 1], [0, 0], [-1, 0], [0, -1]], np.float32)
    for size in (1, 3, 256):
        np.testing.assert_array_equal(
            get_apoz(plain(), "hidden", x, batch_size=size), [0.5, 0.75, 1]
        )


def passing(*behind: Any, activation: str | None = None) -> keras.Model:
    """One filter that passes the value of a pixel on, and what is behind it."""
    inputs = keras.Input((2, 2, 1))
    conv = layers.Conv2D(1, 1, activation=activation, use_bias=False, name="conv")
    x = conv(inputs)
    for layer in behind:
        x = layer(x)
    model = keras.Model(inputs, layers.Flatten(name="flat")(x))
    conv.set_weights([np.ones((1, 1, 1, 1))])
    return model


@pytest.mark.parametrize(
    ("model", "share"),
    [
        (lambda: passing(), 0.25),
        (lambda: passing(activation="relu"), 0.75),
        (lambda: passing(layers.ReLU()), 0.75),
        (lambda: passing(keras.ops.relu), 0.75),
        (lambda: passing(layers.BatchNormalization(), layers.Activation("relu")), 0.75),
        (lambda: passing(layers.BatchNormalization()), 0.25),
        (lambda: passing(layers.Activation("linear"), layers.ReLU()), 0.75),
        # The pooling is no activation, nor does it let one be looked for.
        (lambda: passing(layers.MaxPooling2D(2), layers.ReLU()), 0.25),
        (lambda: passing(layers.Conv2D(1, 1, activation="relu")), 0.25),
    ],
)
def test_zeros_are_counted_behind_the_activation(model, share):
    # Of the four pixels one is zero and two are negative.
    x = np.array([[[[1.0], [0]], [[-1], [-2]]]], np.float32)
    np.testing.assert_array_equal(get_apoz(model(), "conv", x), [share])


def test_an_activation_beside_another_reader_is_not_the_layers_own():
    inputs = keras.Input((3,))
    x = layers.Activation("linear", name="layer")(inputs)
    model = keras.Model(inputs, [layers.ReLU()(x), x])
    np.testing.assert_array_equal(get_apoz(model, "layer", [[1.0, 0, -1]]), [0, 1, 0])


def test_zeros_of_a_shared_layer_are_averaged_over_its_places():
    inputs = [keras.Input((2,), name="left"), keras.Input((2,), name="right")]
    shared = layers.ReLU(name="shared")
    model = keras.Model(inputs, layers.Add()([shared(value) for value in inputs]))
    x = [np.array([[1.0, -1], [1, 1]]), np.array([[-1.0, -1], [1, -1]])]
    np.testing.assert_array_equal(get_apoz(model, "shared", x), [0.25, 0.75])


def test_zeros_inside_another_model_and_of_both_directions():
    model = randomized(nested())
    assert get_apoz(model, "target_1", samples(model)[0]).shape == (4,)
    both = randomized(recurrent())
    forward = both.get_layer("target").forward_layer
    kernel, recurring, bias = forward.get_weights()
    # The cell's candidate of unit 1 is always 0, so is what it gives, in one of two directions.
    for values in (kernel, recurring, bias[None]):
        values[:, 2 * 6 + 1] = 0
    forward.set_weights([kernel, recurring, bias])
    np.testing.assert_array_equal(get_apoz(both, "target", samples(both)[0]), [0, 0.5, 0, 0, 0, 0])


def test_counting_zeros_leaves_the_network_as_it_was():
    model = plain()
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    get_apoz(model, "hidden", np.ones((2, 2)))
    delete_channels(model, "hidden", [0])
    assert [len(layer._inbound_nodes) for layer in model.layers] == nodes


@pytest.mark.parametrize(
    ("layer", "x", "message"),
    [
        ("hiden", np.ones((1, 2)), r"did you mean in or hidden"),
        ("hidden", np.ones((1, 3)), r"received: \(1, 3\), 256 at once; allowed: \(None, 2\)"),
        ("hidden", np.ones((0, 2)), r"1 sample or more"),
        ("hidden", [np.ones((1, 2)), np.ones((1, 2))], r"received: \(2, 1, 2\)"),
        ("in", np.ones((1, 2)), r"'in' is an input"),
    ],
)
def test_zeros_that_cannot_be_counted(layer, x, message):
    with pytest.raises(InputError, match=message):
        get_apoz(plain(), layer, x)


def test_samples_of_several_inputs_are_of_one_number():
    model = several()
    left, right = samples(model)
    with pytest.raises(InputError, match=r"not what the network takes"):
        get_apoz(model, "target", [left, right[:2]])
    with pytest.raises(InputError, match=r"not what the network takes"):
        get_apoz(model, "target", left)


def test_zeros_of_one_output_with_its_channels_last():
    inputs = keras.Input((4, 3))
    model = keras.Model(inputs, layers.GRU(2, return_state=True, name="units")(inputs))
    with pytest.raises(InputError, match=r"several outputs; received: 2"):
        get_apoz(model, "units", np.ones((1, 4, 3)))
    inputs = keras.Input((3, 4))
    first = layers.Conv1D(2, 1, data_format="channels_first", name="first")
    with pytest.raises(InputError, match=r"'first' has its channels first"):
        get_apoz(keras.Model(inputs, first(inputs)), "first", np.ones((1, 3, 4)))


def test_high_shares_by_hand():
    # Mean 0.4, standard deviation 0.3: from 0.7 on.
    apoz = [0.1, 0.1, 0.7, 0.7]
    assert high_apoz(apoz, cutoff_std=0.99).tolist() == [2, 3]
    assert high_apoz(apoz, cutoff_std=1.01).tolist() == []
    assert high_apoz([0.0, 1.0, 0.99], "absolute").tolist() == [1, 2]
    assert high_apoz([0.0, 1.0, 0.5], "absolute", cutoff_absolute=0.5).tolist() == [1, 2]
    # Whichever is lower: 0.99, or mean plus deviation.
    assert high_apoz([0.99, 1, 1, 1], "both").tolist() == [0, 1, 2, 3]
    assert high_apoz([0.0, 0, 0, 0.6], "both").tolist() == [3]


def test_where_all_are_alike_none_stands_out():
    assert high_apoz([0.3, 0.3, 0.3]).tolist() == []
    assert high_apoz([1.0, 1.0], "both").tolist() == [0, 1]
    with pytest.raises(InputError, match=r"unknown method 'abs'; allowed: std, absolute, both"):
        high_apoz([1.0], "abs")
