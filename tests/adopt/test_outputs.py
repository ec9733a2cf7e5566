from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from hsitf.adopt.assembly import assemble, check_walkable, choose_output
from hsitf.adopt.inputs import input_layouts
from hsitf.adopt.outputs import class_order, select_outputs
from hsitf.errors import InputError

RNG = np.random.default_rng(0)
SPECTRA = RNG.normal(size=(16, 1, 1, 6)).astype(np.float32)


def ending(*last):
    x = inputs = keras.Input((6,))
    for layer in last:
        x = layer(x)
    return keras.Model(inputs, x)


def rebuilt(model, classes=4):
    inside = check_walkable(model)
    layouts = input_layouts(inside, 6)
    return assemble(inside, layouts, 6, choose_output(inside, classes), "net")


@pytest.mark.parametrize(
    ("last", "activation"),
    [
        ([layers.Dense(4)], ""),
        ([layers.Dense(4, activation="softmax")], "softmax"),
        ([layers.Dense(4), layers.Softmax()], "softmax"),
        ([layers.Dense(4), layers.Activation("softmax")], "softmax"),
        ([layers.Dense(4), ops.softmax], "softmax"),
        ([layers.Dense(4, activation="sigmoid")], "sigmoid"),
        (
            [layers.Reshape((1, 6)), layers.Dense(4, activation="softmax"), layers.Flatten()],
            "softmax",
        ),
        ([layers.Reshape((1, 6)), layers.Dense(4), layers.Softmax(), layers.Flatten()], "softmax"),
        ([layers.Reshape((1, 6)), layers.Conv1D(4, 1, activation="softmax")], "softmax"),
        ([layers.Dense(4), layers.ReLU()], ""),
    ],
)
def test_what_follows_the_logits_is_left_out(last, activation):
    model = ending(*last)
    network, head = rebuilt(model)
    assert head.activation == activation
    assert network.output_shape == (None, 4)
    logits = np.asarray(network(SPECTRA))
    expected = np.asarray(model(SPECTRA[:, 0, 0])).reshape(16, 4)
    if activation:
        assert not np.allclose(logits, expected)
        logits = np.asarray(keras.activations.get(activation)(logits))
    np.testing.assert_allclose(logits, expected, atol=1e-6)


def test_the_original_is_left_untouched():
    model = ending(layers.Dense(4, activation="softmax"))
    before = np.asarray(model(SPECTRA[:, 0, 0]))
    network, _ = rebuilt(model)
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    np.testing.assert_array_equal(np.asarray(model(SPECTRA[:, 0, 0])), before)


def test_models_inside_a_model_may_share_names():
    def inner(name):
        x = keras.Input((6,))
        return keras.Model(x, layers.Dense(6, name="dense")(x), name=name)

    x = keras.Input((6,))
    model = keras.Model(x, layers.Dense(4, name="end")(inner("b")(inner("a")(x))))
    network, _ = rebuilt(model)
    np.testing.assert_allclose(
        np.asarray(network(SPECTRA)), np.asarray(model(SPECTRA[:, 0, 0])), atol=1e-6
    )
    names = [layer.name for layer in network.layers]
    assert len(set(names)) == len(names)


def test_a_layer_that_is_called_twice_stays_one_layer():
    x = keras.Input((6,))
    shared = layers.Dense(6, name="shared")
    model = keras.Model(x, layers.Dense(4)(shared(shared(x))))
    network, _ = rebuilt(model)
    assert network.count_params() == model.count_params()
    np.testing.assert_allclose(
        np.asarray(network(SPECTRA)), np.asarray(model(SPECTRA[:, 0, 0])), atol=1e-6
    )


def test_outputs_are_moved_and_removed_by_hand():
    names = ["a", "b", "c"]
    assert class_order(3, names) == (1, 2, 3)
    assert class_order(4, names) == (0, 1, 2, 3)
    assert class_order(4, names, background="last") == (1, 2, 3, 0)
    assert class_order(4, names, ["c", "-", "1", "b"]) == (3, 0, 1, 2)
    network, _ = rebuilt(ending(layers.Dense(4)))
    logits = np.asarray(network(SPECTRA))
    chosen = select_outputs(network, (3, 0, 1, 2))
    np.testing.assert_array_equal(np.asarray(chosen(SPECTRA)), logits[:, [2, 3, 0]])
    assert chosen.count_params() == 7 * 3


def test_outputs_of_another_layer_are_chosen_by_a_matrix():
    network, _ = rebuilt(ending(layers.Dense(4), layers.ReLU()))
    logits = np.asarray(network(SPECTRA))
    chosen = select_outputs(network, (0, 3, 1, 2))
    np.testing.assert_array_equal(np.asarray(chosen(SPECTRA)), logits[:, [2, 3, 1]])
    assert select_outputs(network, (1, 2, 3, 4)) is network


@pytest.mark.parametrize(
    ("outputs", "given", "background", "message"),
    [
        (5, (), "", "other outputs than the scene has classes"),
        (2, (), "", "other outputs"),
        (4, (), "none", "other outputs"),
        (3, ("1", "2", "2"), "", "not one of this network"),
        (3, ("1", "2"), "", "not one of this network"),
        (3, ("1", "2", "d"), "", "names no class"),
        (3, ("1", "2", "4"), "", "names no class"),
        (4, (), "middle", "unknown place"),
    ],
)
def test_orders_that_do_not_fit(outputs, given, background, message):
    with pytest.raises(InputError, match=message):
        class_order(outputs, ["a", "b", "c"], given, background)


def test_one_of_several_outputs():
    x = keras.Input((6,))
    model = keras.Model(x, [layers.Dense(4, name="named")(x), layers.Dense(6, name="rebuilt")(x)])
    network, _ = rebuilt(model)
    assert network.output_shape == (None, 4)
    assert choose_output(model, 4, "rebuilt").shape == (None, 6)
    with pytest.raises(InputError, match="no such output"):
        choose_output(model, 4, "other")
    with pytest.raises(InputError, match="several outputs"):
        choose_output(model, 5)


def test_a_subclassed_model_is_refused_with_the_way_out():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(InputError, match=r"cannot be walked.*keras\.Input"):
        check_walkable(Own())
    with pytest.raises(InputError, match="does not know its input"):
        check_walkable(keras.Sequential([layers.Dense(3)]))
    with pytest.raises(InputError, match="no Keras model"):
        check_walkable(3)
