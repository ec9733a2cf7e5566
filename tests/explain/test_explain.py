"""Methods of explanation against their definitions, worked out by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from hsitf.bands.reducer import AffineProjection
from hsitf.errors import InputError
from hsitf.explain import importance, outputs
from hsitf.explain.figure import columns
from hsitf.explain.finite_differences import finite_differences
from hsitf.explain.gradients import gradients, logit
from hsitf.explain.guided_network import guided
from hsitf.explain.methods import METHODS, MethodSettings, check, known
from hsitf.explain.methods.activation import MAX_DEVIATION
from hsitf.explain.methods.integrated_gradients import COMPLETENESS_TOLERANCE
from hsitf.explain.similarity import rank_correlation, structural_similarity
from hsitf.explain.truncation import logits_layer, split_weight, truncate, weight
from hsitf.explain.view import NetworkView, ProjectedView
from hsitf.scenes.patches import PatchSource

# Of two layers and one logit: at x = (1, 2) they give (5, 1), (3, 6) and -3.
FIRST = np.array([[1, -1], [2, 1]], np.float32)
SECOND = np.array([[1, 1], [-2, 1]], np.float32)
LOGIT = np.array([[1], [-1]], np.float32)
PATCH = np.array([1, 2], np.float32).reshape(1, 1, 1, 2)

RECTIFIERS = {
    "argument": None,
    "activation": lambda: layers.Activation("relu"),
    "layer": layers.ReLU,
    "operation": lambda: ops.relu,
    "ceiling": lambda: ops.relu6,
}


def toy(kind: str = "argument") -> keras.Model:
    """(1, 1, 2) -> one logit, with rectifiers of a kind."""
    rectifier = RECTIFIERS[kind]
    x = inputs = keras.Input((1, 1, 2))
    x = layers.Flatten()(x)
    for name in ("first", "second"):
        x = layers.Dense(2, activation=None if rectifier else "relu", name=name)(x)
        x = rectifier()(x) if rectifier else x
    model = keras.Model(inputs, layers.Dense(1, name="logit")(x))
    nothing = np.zeros(2)
    model.set_weights([FIRST, nothing, SECOND, nothing, LOGIT, np.zeros(1)])
    return model


def linear(weights: np.ndarray) -> keras.Model:
    """A network whose one logit is the sum of a patch times `weights`."""
    inputs = keras.Input(weights.shape)
    model = keras.Model(inputs, layers.Dense(1, name="logit")(layers.Flatten()(inputs)))
    model.set_weights([weights.reshape(-1, 1), np.ones(1)])
    return model


def view(network: keras.Model) -> NetworkView:
    """Of patches as large as the network's, anywhere in a scene of noise."""
    side, _, bands = network.input_shape[1:]
    cube = np.random.default_rng(0).standard_normal((12, 12, bands)).astype(np.float32)
    return NetworkView(
        PatchSource.from_cube(cube, side),
        lambda x: network.predict(x, verbose=0),
        network,
        difference_step=0.02,
    )


def explained(method: str, network: keras.Model, patches: np.ndarray, **settings) -> np.ndarray:
    return known(method).explain(view(network), patches, 0, MethodSettings(**settings)).values


def convolutional() -> keras.Model:
    keras.utils.set_random_seed(1)
    inputs = keras.Input((5, 5, 6))
    x = layers.Conv2D(8, 3, activation="relu", name="conv")(inputs)
    x = layers.Dense(10, activation="relu", name="dense")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(3, name="logits")(x))


def test_saliency_is_the_gradient():
    np.testing.assert_allclose(explained("saliency", toy(), PATCH).ravel(), [3, -3])


@pytest.mark.parametrize("kind", RECTIFIERS)
def test_guided_backpropagation_is_its_definition(kind):
    """(1, -1) keeps 1; carried back (1, -2) keeps 1; carried back it is (1, 2)."""
    network = toy(kind)
    np.testing.assert_allclose(explained("guided-backpropagation", network, PATCH).ravel(), [1, 2])
    np.testing.assert_allclose(guided(network)(PATCH), network(PATCH))


def test_a_ceiling_closes_a_guided_rectifier():
    """At (2, 4) the first layer gives (10, 2), cut to (6, 2), and the second (2, 8)."""
    patch = 2 * PATCH
    found = explained("guided-backpropagation", toy("ceiling"), patch).ravel()
    # Back come (1, -2): the first unit is closed above 6, the second passes no -2 on.
    np.testing.assert_allclose(found, [0, 0])


def test_guided_backpropagation_needs_rectifiers():
    with pytest.raises(InputError, match="which has none; take saliency"):
        explained("guided-backpropagation", linear(np.ones((1, 1, 2), np.float32)), PATCH)


def test_integrated_gradients_of_a_product_share_it():
    """Of x0 * x1 the gradient on the way is a * (x1, x0), so that each gets half."""
    inputs = keras.Input((1, 1, 2))
    flat = layers.Flatten()(inputs)
    network = keras.Model(inputs, flat[:, :1] * flat[:, 1:])
    found = explained("integrated-gradients", network, PATCH).ravel()
    np.testing.assert_allclose(found, [1, 1], rtol=1e-6)


def test_integrated_gradients_sum_up_to_the_difference_of_logits():
    network = convolutional()
    seen = view(network)
    patches = seen.patches.extract(np.arange(40))
    found = METHODS["integrated-gradients"].explain(seen, patches, 1, MethodSettings())
    wanted = network.predict(patches, verbose=0)[:, 1]
    wanted = wanted - network.predict(np.zeros_like(patches[:1]), verbose=0)[:, 1]
    off = np.abs(found.values.sum(axis=(1, 2, 3)) - wanted) / np.abs(wanted)
    assert off.max() <= COMPLETENESS_TOLERANCE
    assert found.metrics["completeness"] == pytest.approx(off.max(), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("saliency", [2, -1]),
        ("gradient-times-input", [10, -7]),
        ("integrated-gradients", [10, -7]),
        ("smoothgrad", [2, -1]),
        ("occlusion", [10, -7]),
    ],
)
def test_a_linear_network_by_hand(name, expected):
    weights = np.array([2, -1], np.float32).reshape(1, 1, 2)
    patch = np.array([5, 7], np.float32).reshape(1, 1, 1, 2)
    np.testing.assert_allclose(explained(name, linear(weights), patch).ravel(), expected, rtol=1e-5)


def test_a_kink_by_hand():
    """relu(a - 1): on the way from 0 to 3 its slope is 0 for a third and 1 for the rest."""
    inputs = keras.Input((1, 1, 1))
    dense = layers.Dense(1, activation="relu")
    network = keras.Model(inputs, dense(layers.Flatten()(inputs)))
    dense.set_weights([np.ones((1, 1), np.float32), np.array([-1], np.float32)])
    patch = np.full((1, 1, 1, 1), 3, np.float32)
    assert explained("integrated-gradients", network, patch).item() == pytest.approx(2, rel=0.01)
    assert explained("gradient-times-input", network, patch).item() == pytest.approx(3)
    assert explained("occlusion", network, patch).item() == pytest.approx(2)


def test_smoothgrad_of_a_square_is_the_mean_of_its_slopes():
    inputs = keras.Input((1, 1, 2))
    network = keras.Model(inputs, ops.sum(layers.Flatten()(inputs) ** 2, axis=1, keepdims=True))
    found = explained("smoothgrad", network, PATCH, num_samples=7, noise_level=0.2, seed=3).ravel()
    # The range of (1, 2) is 1.
    noise = 0.2 * np.random.default_rng(3).standard_normal((7, 1, 1, 2), np.float32)
    np.testing.assert_allclose(found, 2 * (PATCH + noise).mean(axis=0).ravel(), rtol=1e-5)


def test_occlusion_takes_away_what_a_band_gave():
    weights = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    patch = np.ones((1, 2, 2, 2), np.float32)
    # Band 0 has the weights 0, 2, 4, 6.
    np.testing.assert_allclose(explained("occlusion", linear(weights), patch), [[12, 16]])


def test_occlusion_hides_neighbors_together():
    weights = np.array([1, 10, 100, 1000], np.float32).reshape(1, 1, 4)
    patch = np.ones((1, 1, 1, 4), np.float32)
    found = explained("occlusion", linear(weights), patch, window=3)
    np.testing.assert_allclose(found, [[11, 111, 1110, 1100]])


def test_activation_goes_to_the_corner_of_the_box():
    weights = np.array([1, -2, 0.5], np.float32).reshape(1, 1, 3)
    found = METHODS["activation"].explain(
        view(linear(weights)), np.empty((0, 1, 1, 1), np.float32), 0, MethodSettings()
    )
    np.testing.assert_allclose(found.values.ravel(), MAX_DEVIATION * np.sign(weights).ravel())
    assert found.metrics["activation"] == pytest.approx(MAX_DEVIATION * 3.5 + 1)


def test_activation_wakes_rectified_filters():
    network = convolutional()
    found = METHODS["activation"].explain(
        view(network), np.empty((0, 1, 1, 1), np.float32), 2, MethodSettings(layer="conv")
    )
    reached = truncate(network, "conv").network.predict(found.values, verbose=0)[..., 2].mean()
    assert found.metrics["activation"] == pytest.approx(reached, rel=1e-4)
    noise = view(network).patches.extract(np.arange(100))
    assert (
        reached
        > truncate(network, "conv").network.predict(noise, verbose=0)[..., 2].mean((1, 2)).max()
    )


@pytest.mark.parametrize(
    ("name", "gradient", "patch_map"),
    [
        # d logit / d a of the first layer is (0, -3), so that only its second unit counts.
        ("first/bias", [0, 3], [-3, 3]),
        # Times the input (1, 2), which sums up to 9 for that unit.
        ("first/kernel", [[0, 3], [0, 6]], [-9, 9]),
        # Both units of the second layer count once: the columns of FIRST @ SECOND, summed.
        ("second/bias", [1, 1], [3, 3]),
    ],
)
def test_the_gradient_of_a_weight_and_its_map(name, gradient, patch_map):
    found = METHODS["weight"].explain(view(toy()), PATCH, 0, MethodSettings(weight=name))
    np.testing.assert_allclose(found.arrays["weight_gradient"], gradient)
    np.testing.assert_allclose(found.values.ravel(), patch_map)


def test_gradients_do_not_mix_samples():
    network = convolutional()
    patches = view(network).patches.extract(np.arange(3))
    logits, (together,) = gradients(logit(network, 2), [patches])
    np.testing.assert_allclose(logits, network.predict(patches, verbose=0)[:, 2], rtol=1e-4)
    for patch, slope in zip(patches, together, strict=True):
        np.testing.assert_allclose(
            gradients(logit(network, 2), [patch[None]])[1][0][0], slope, atol=1e-6
        )


def test_differences_are_the_gradient():
    network = convolutional()
    seen = view(network)
    patches = seen.patches.extract(np.arange(3))
    _, (exact,) = gradients(logit(network, 1), [patches])
    found = finite_differences(seen, patches, 1)
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.999


def test_differences_through_a_reduction_are_those_of_the_bands():
    generator = np.random.default_rng(0)
    affine = AffineProjection(
        generator.standard_normal((4, 2)).astype(np.float32), np.ones(2, np.float32)
    )
    inner = view(linear(generator.standard_normal((3, 3, 2)).astype(np.float32)))
    patches = PatchSource.from_cube(generator.standard_normal((5, 5, 4)).astype(np.float32), 3)
    through = NetworkView(
        patches,
        lambda x: inner.logits(x @ affine.matrix + affine.offset),
        difference_step=0.5,
        projection=ProjectedView(affine, inner),
    )
    plain = NetworkView(patches, through.logits, difference_step=0.5)
    some = patches.extract(np.arange(2))
    np.testing.assert_allclose(
        finite_differences(through, some, 0), finite_differences(plain, some, 0), atol=1e-3
    )


def test_layers_and_weights_are_found_or_their_nearest_names_offered():
    network = toy()
    assert logits_layer(network) == "logit"
    part = truncate(network, "second")
    np.testing.assert_allclose(part.network(PATCH), [[3, 6]])
    np.testing.assert_allclose(weight(part, "kernel"), SECOND)
    with pytest.raises(InputError, match="did you mean second"):
        truncate(network, "secnd")
    with pytest.raises(InputError, match="did you mean bias"):
        weight(part, "bia")
    with pytest.raises(InputError, match="no trainable weights"):
        weight(truncate(network, network.layers[1].name), "bias")
    with pytest.raises(InputError, match="allowed: 0 to 1"):
        part.check_filter(2)
    with pytest.raises(InputError, match="LAYER/WEIGHT"):
        split_weight("bias")


def test_a_weight_has_to_tell_units_apart():
    inputs = keras.Input((1, 1, 2))
    x = layers.Flatten()(layers.DepthwiseConv2D(1, depth_multiplier=3, name="deep")(inputs))
    network = keras.Model(inputs, layers.Dense(1)(x))
    with pytest.raises(InputError, match="has no axis for the units"):
        METHODS["weight"].explain(view(network), PATCH, 0, MethodSettings(weight="deep/kernel"))


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
def test_files_give_what_they_can(method):
    if method.supports_files:
        check(method, "int8")
    else:
        with pytest.raises(InputError, match="allowed: occlusion, saliency"):
            check(method, "int8")


def test_the_most_important_bands():
    found = np.array([5, 9, 8, 1, 7, 0], np.float32)
    assert importance.top_bands(found, 3) == (1, 2, 4)
    assert importance.top_bands(found, 3, min_distance=2) == (1, 4)
    assert importance.top_bands(found, 9) == tuple(range(6))
    assert importance.selection_spec((1, 4)) == "select:1,4"
    maps = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    np.testing.assert_allclose(importance.band_importance(maps), [12, 16])


def test_subjects_count_alike_however_large_their_logits():
    found = np.array([[1, 3], [300, 100], [0, 0]], np.float32)
    np.testing.assert_allclose(importance.mean_importance(found), np.array([1, 1]) / 3)


def test_ranks_are_compared():
    one = np.array([1, 2, 3, 4], np.float32)
    assert rank_correlation(one, one**3) == pytest.approx(1)
    # Two neighbors exchanged: 1 - 6 * 2 / (4 * 15).
    assert rank_correlation(one, np.array([2, 1, 3, 4], np.float32)) == pytest.approx(0.8)
    assert rank_correlation(one, np.ones(4, np.float32)) is None


def test_structures_are_compared():
    flat, spot = np.ones((3, 3, 1), np.float32), np.zeros((3, 3, 1), np.float32)
    spot[1, 1] = 9
    assert structural_similarity(spot, 40 * spot) == pytest.approx(1)
    # Both have the mean 1; variances 0 and 8, covariance 0; the range is 9.
    c2 = (0.03 * 9) ** 2
    assert structural_similarity(flat, spot) == pytest.approx(c2 / (8 + c2))
    assert structural_similarity(flat[:1, :1], flat[:1, :1]) is None
    assert structural_similarity(flat, np.zeros_like(flat)) is None


def test_columns_are_spread_over_the_whole_spectrum():
    assert columns((), 224) == [0, 25, 50, 74, 99, 124, 149, 173, 198, 223]
    assert columns((), 30) == [0, 3, 6, 10, 13, 16, 19, 23, 26, 29]
    assert columns((), 3) == [0, 1, 2]
    assert columns((7, 2), 200) == [7, 2]


def test_subjects_are_found(tiny):
    found = outputs.pixel_output(tiny, (3, 5), "", lambda pixels: np.eye(4)[[2]])
    assert (found.output, found.pixels.tolist()) == (2, [3 * 40 + 5])
    with pytest.raises(InputError, match="rows 0 to 39, columns 0 to 39"):
        outputs.pixel_output(tiny, (40, 0), "", lambda pixels: np.eye(4))
    with pytest.raises(InputError, match="unknown class"):
        outputs.pixel_output(tiny, (0, 0), "Watr", lambda pixels: np.eye(4))
    names = [one.name for one in outputs.filter_outputs("conv", 20, (), ())]
    assert names[:2] == ["conv, filter 0", "conv, filter 1"]
    assert len(names) == outputs.NUM_FILTERS
    with pytest.raises(InputError, match="0 to 19"):
        outputs.filter_outputs("conv", 20, (20,), ())
