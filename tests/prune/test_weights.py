from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import zoo
from hsitf.errors import InputError
from hsitf.prune.sparsity import Sparsity
from hsitf.prune.weights import (
    Thresholds,
    apply_masks,
    magnitude_limits,
    masked_share,
    masks_by_layer_sparsity,
    masks_by_magnitude,
    masks_by_sparsity,
    masks_by_threshold,
    nonzero_masks,
    prunable_weights,
)


def hidden(kernel, bias=(0.0, 0.0)) -> keras.Model:
    """Two inputs, two units, one output whose weights are 8 and 8."""
    inputs = keras.Input((2,))
    x = layers.Dense(2, name="hidden")(inputs)
    model = keras.Model(inputs, layers.Dense(1, use_bias=False, name="out")(x))
    model.get_layer("hidden").set_weights([np.array(kernel), np.array(bias)])
    model.get_layer("out").set_weights([np.array([[8.0], [8.0]])])
    return model


def listed(found) -> dict:
    return {path: mask.tolist() for path, mask in found.items()}


def test_thresholds_by_hand():
    # Mean 0, mean square (1 + 1 + 49 + 49) / 4 = 25; the biases' deviation is 2, about a mean of 3.
    model = hidden([[1, -1], [7, -7]], [1, 5])
    assert magnitude_limits(model, Thresholds(0.5)) == {
        "hidden/kernel": pytest.approx(2.5),
        "hidden/bias": pytest.approx(1.0),
        "out/kernel": 0.0,
    }
    assert listed(masks_by_threshold(model, Thresholds(0.5))) == {
        "hidden/kernel": [[False, False], [True, True]],
        # What reaches the threshold stays.
        "hidden/bias": [True, True],
        # Equal weights have no deviation to be small by.
        "out/kernel": [[True], [True]],
    }
    assert listed(masks_by_threshold(model, Thresholds(0.55)))["hidden/bias"] == [False, True]
    # sigma is of the tensor as it is, zeros included: sqrt(98 / 4).
    apply_masks(model, masks_by_threshold(model, Thresholds(0.5)))
    assert magnitude_limits(model, Thresholds(1))["hidden/kernel"] == pytest.approx(24.5**0.5)


def test_each_kind_of_layer_has_its_alpha():
    inputs = keras.Input((8, 6))
    x = layers.Conv1D(4, 3, name="first")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.PReLU(shared_axes=[1], name="prelu")(x)
    x = layers.SeparableConv1D(4, 3, name="separable")(x)
    x = layers.DepthwiseConv1D(2, name="depth")(x)
    x = layers.GRU(5, name="gru")(x)
    x = layers.Dense(4, name="dense")(x)
    model = keras.Model(inputs, layers.Dense(2, name="last")(x))
    assert {path: weight.kind for path, weight in prunable_weights(model).items()} == {
        "first/kernel": "first_convolution",
        "first/bias": "first_convolution",
        "separable/depthwise_kernel": "other_convolutions",
        "separable/pointwise_kernel": "other_convolutions",
        "separable/bias": "other_convolutions",
        "depth/kernel": "other_convolutions",
        "depth/bias": "other_convolutions",
        "gru/gru_cell/kernel": "other_dense",
        "gru/gru_cell/recurrent_kernel": "other_dense",
        "gru/gru_cell/bias": "other_dense",
        "dense/kernel": "other_dense",
        "dense/bias": "other_dense",
        "last/kernel": "last_dense",
        "last/bias": "last_dense",
    }
    chosen = Thresholds(1.0, first_convolution=0.5, last_dense=0.0)
    deviations = magnitude_limits(model, Thresholds(1.0))
    found = magnitude_limits(model, chosen)
    assert found["first/kernel"] == pytest.approx(0.5 * deviations["first/kernel"])
    assert found["dense/kernel"] == deviations["dense/kernel"] > 0
    assert found["last/kernel"] == 0


def test_the_only_dense_layer_is_the_last():
    kinds = {
        path: weight.kind
        for path, weight in prunable_weights(zoo.build("he", bands=20, classes=3)).items()
    }
    assert kinds["conv1/kernel"] == "first_convolution"
    assert kinds["block1_conv3/kernel"] == kinds["conv2/bias"] == "other_convolutions"
    assert kinds["logits/kernel"] == "last_dense"


def test_thresholds_scale_together():
    assert Thresholds(2.0, last_dense=1.0).scaled(0.25) == Thresholds(0.5, last_dense=0.25)


@pytest.mark.parametrize("alpha", [-0.1, float("nan"), float("inf")])
def test_alphas_out_of_range(alpha):
    with pytest.raises(InputError, match="alpha is out of range"):
        Thresholds(1.0, other_dense=alpha)


@pytest.mark.parametrize("name", zoo.names())
def test_networks_lose_what_their_alpha_says(name):
    keras.utils.set_random_seed(0)
    model = zoo.build(name, bands=max(40, zoo.network(name).min_bands), classes=5)
    others = [v for v in model.weights if v.path not in prunable_weights(model)]
    before = [np.asarray(v) for v in others]
    chosen = masks_by_threshold(model, Thresholds(0.7))
    apply_masks(model, chosen)
    left = nonzero_masks(model)
    for path, mask in chosen.items():
        assert not (left[path] & ~mask).any()
    for v, value in zip(others, before, strict=True):
        np.testing.assert_array_equal(np.asarray(v), value)
    assert 0.3 < masked_share(chosen.values()) < 0.7


def test_a_share_of_the_whole_or_of_each():
    model = hidden([[1, -2], [3, -4]], [-10, 20])
    # Eight weights, in their magnitudes 1 2 3 4 10 20 8 8; a quarter of them is two.
    assert listed(masks_by_sparsity(model, 0.25)) == {
        "hidden/kernel": [[False, False], [True, True]],
        "hidden/bias": [True, True],
        "out/kernel": [[True], [True]],
    }
    each = listed(masks_by_layer_sparsity(model, 0.5))
    assert each["hidden/kernel"] == [[False, False], [True, True]]
    assert each["hidden/bias"] == [False, True]
    assert sum(row[0] for row in each["out/kernel"]) == 1
    assert masked_share(masks_by_sparsity(model, 0.6).values()) == 5 / 8
    assert masked_share(masks_by_sparsity(model, 0).values()) == 0
    assert masked_share(masks_by_layer_sparsity(model, 1).values()) == 1


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("choose", [masks_by_sparsity, masks_by_layer_sparsity])
def test_what_is_zero_stays_the_smallest(choose, share):
    model = zoo.build("hu", bands=40, classes=5)
    before = choose(model, share / 2)
    apply_masks(model, before)
    after = choose(model, share)
    for path, mask in after.items():
        # Biases that start at zero tie with what was taken.
        if not path.endswith("bias"):
            assert not (mask & ~before[path]).any()


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_shares_out_of_range(share):
    with pytest.raises(InputError, match="sparsity is out of range"):
        masks_by_sparsity(hidden([[1, 2], [3, 4]]), share)


def test_masks_of_another_network():
    with pytest.raises(InputError, match=r"another network; received: other weights, such as conv"):
        apply_masks(
            hidden([[1, 2], [3, 4]]),
            masks_by_threshold(zoo.build("hu", bands=40, classes=5), Thresholds(1)),
        )


def test_networks_without_weights_to_prune():
    inputs = keras.Input((4, 3))
    with pytest.raises(InputError, match="no weights that can be pruned"):
        prunable_weights(keras.Model(inputs, layers.BatchNormalization()(inputs)))


def test_two_weights_of_one_name():
    inputs = keras.Input((3,))
    inner = keras.Model(inputs, layers.Dense(3, name="same")(inputs))
    outer = keras.Model(inputs, layers.Dense(2, name="same")(inner(inputs)))
    with pytest.raises(InputError, match="'same/kernel'"):
        prunable_weights(outer)


def test_a_zero_takes_four_bytes_until_it_is_deflated():
    model = zoo.build("hu", bands=40, classes=5)
    dense = Sparsity.of(model)
    assert dense.parameters == model.count_params()
    assert 4 * dense.parameters < dense.bytes < 4 * dense.parameters + 300 * 6 + 100
    # Random mantissas do not compress: only the exponents do.
    assert 0.85 < dense.bytes_deflated / dense.bytes < 1
    biases = 20 + 100 + 5
    assert dense.nonzero == dense.parameters - biases
    apply_masks(model, masks_by_layer_sparsity(model, 0.9))
    sparse = Sparsity.of(model)
    assert sparse.bytes == dense.bytes
    assert sparse.bytes_deflated < 0.2 * dense.bytes
    assert sparse.zero_share == pytest.approx(0.9 + 0.1 * biases / dense.parameters, abs=1e-3)


def test_limits_are_magnitudes():
    model = hidden([[1, -2], [3, -4]])
    kept = masks_by_magnitude(model, {"hidden/kernel": 2.0, "hidden/bias": 0.0, "out/kernel": 9.0})
    assert listed(kept) == {
        "hidden/kernel": [[False, True], [True, True]],
        "hidden/bias": [True, True],
        "out/kernel": [[False], [False]],
    }
