"""Grad-CAM against its equations, worked out by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import zoo
from hsitf.errors import InputError
from hsitf.explain.feature_maps import behind, chosen_maps, feature_maps
from hsitf.explain.methods import MethodSettings, check, known
from hsitf.explain.request import ExplanationOptions
from hsitf.explain.truncation import truncate
from hsitf.explain.view import NetworkView
from hsitf.scenes.patches import PatchSource

METHOD = known("grad-cam")


def network() -> keras.Model:
    """(2, 2, 1) -> two maps, x and 1 - x, whose means are weighted 3 and -1 in the first logit."""
    inputs = keras.Input((2, 2, 1))
    x = layers.Conv2D(2, 1, name="maps")(inputs)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    model = keras.Model(inputs, layers.Dense(2, name="logits")(x))
    kernel = np.array([[[[1.0, -1.0]]]])
    dense = np.array([[3.0, -3.0], [-1.0, 1.0]])
    model.set_weights([kernel, np.array([0.0, 1.0]), dense, np.zeros(2)])
    return model


def view_of(model: keras.Model) -> NetworkView:
    side, bands = model.input_shape[1], model.input_shape[-1]
    patches = PatchSource.from_cube(np.zeros((side, side, bands), np.float32), side)
    return NetworkView(patches, lambda x: np.asarray(model(x)), model)


def test_a_map_by_hand():
    patch = np.array([[0, 1], [2, -1]], np.float32).reshape(1, 2, 2, 1)
    # The gradient of a mean over four positions is a quarter of its weight everywhere: 3/4 of x and
    # -1/4 of 1 - x are x - 1/4.
    found = METHOD.explain(view_of(network()), patch, 0, MethodSettings()).values
    np.testing.assert_allclose(found[0, :, :, 0], [[0, 0.75], [1.75, 0]], atol=1e-6)
    # The other logit's weights have the other sign.
    found = METHOD.explain(view_of(network()), patch, 1, MethodSettings()).values
    np.testing.assert_allclose(found[0, :, :, 0], [[0.25, 0], [0, 1.25]], atol=1e-6)


def test_maps_are_resized_to_the_patch():
    inputs = keras.Input((4, 4, 1))
    x = layers.AveragePooling2D(2, name="halved")(inputs)
    model = keras.Model(inputs, layers.Dense(1, name="logit")(layers.GlobalMaxPooling2D()(x)))
    model.set_weights([np.ones((1, 1)), np.zeros(1)])
    patch = np.zeros((1, 4, 4, 1), np.float32)
    patch[0, :2, :2] = 4
    found = METHOD.explain(view_of(model), patch, 0, MethodSettings()).values
    # One of four positions has the gradient 1, so that the weight is 1/4 and its map 4/4; between
    # the centers of two positions values go down by quarters.
    line = np.array([1, 0.75, 0.25, 0])
    np.testing.assert_allclose(found[0, :, :, 0], np.outer(line, line), atol=1e-6)


def test_a_shortcut_beside_the_layer_has_no_part():
    inputs = keras.Input((3, 3, 2))
    x = layers.Conv2D(2, 3, padding="same", name="first")(inputs)
    x = layers.Add(name="sum")([x, inputs])
    x = layers.Conv2D(3, 1, activation="relu", name="last")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    patches = np.random.default_rng(0).standard_normal((2, 3, 3, 2)).astype(np.float32)
    for layer in ("first", "sum", "last"):
        maps = truncate(model, layer).network(patches)
        rest = behind(model, layer)([keras.ops.convert_to_tensor(patches), maps])
        np.testing.assert_allclose(np.asarray(rest), np.asarray(model(patches)), atol=1e-6)


def test_axes_are_followed_from_the_patch():
    inputs = keras.Input((3, 3, 4))
    x = layers.Reshape((3, 3, 4, 1), name="volume")(inputs)
    x = layers.Conv3D(2, (2, 2, 3), name="conv")(x)
    kept = layers.Permute((1, 2, 4, 3), name="filters_first")(x)
    kept = layers.ReLU(name="relu")(layers.Reshape((2, 2, 4), name="image")(kept))
    lost = layers.ReLU(name="lost")(layers.Permute((3, 1, 2, 4), name="bands_first")(x))
    x = layers.Concatenate()([layers.Flatten()(kept), layers.Flatten()(lost)])
    model = keras.Model(inputs, layers.Dense(2)(x))
    found = {maps.layer: (maps.rows, maps.cols) for maps in feature_maps(model)}
    assert found == {"conv": (2, 2), "relu": (2, 2)}


def test_networks_of_which_a_map_can_be_drawn():
    assert chosen_maps(zoo.build("he", bands=60, classes=3)).layer == "conv2"
    with pytest.raises(InputError, match="which are 1 x 1 here") as caught:
        chosen_maps(zoo.build("cao", bands=20, classes=3))
    assert "--layer, such as conv2 (2 x 2)" in str(caught.value)
    assert chosen_maps(zoo.build("cao", bands=20, classes=3), "conv1").rows == 7
    with pytest.raises(InputError, match="do not exist here") as caught:
        chosen_maps(zoo.build("hu", bands=60, classes=3))
    assert "--method saliency" in str(caught.value)


def test_what_has_no_meaning_is_refused():
    with pytest.raises(InputError, match="one map, of all bands"):
        ExplanationOptions(METHOD, MethodSettings(), map_bands=(0,))
    with pytest.raises(InputError, match="explains logits"):
        ExplanationOptions(METHOD, MethodSettings(), filters=(0,))
    with pytest.raises(InputError, match="looks at no layer"):
        ExplanationOptions(known("saliency"), MethodSettings(layer="conv1"))
    with pytest.raises(InputError, match="a file does not give"):
        check(METHOD, "int8")
    assert ExplanationOptions(METHOD, MethodSettings(layer="conv1")).label == "grad-cam-conv1"
