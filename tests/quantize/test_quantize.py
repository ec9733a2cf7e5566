from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import zoo
from hsitf.errors import InputError
from hsitf.layers import LearnedTokens, PositionEmbedding
from hsitf.quantize import range_estimation
from hsitf.quantize.bit_study import evaluation_pixels
from hsitf.quantize.fake_quantize import TrainableFakeQuantize, TrainableMatmul
from hsitf.quantize.fake_quantized_network import FakeQuantizedNetwork
from hsitf.quantize.inner_weights import inner_kernels
from hsitf.quantize.qat import _copy_weights
from hsitf.quantize.range_estimation import ESTIMATORS, Histogram, histogram
from hsitf.quantize.request import BitStudyRequest, parse_bit_triples
from hsitf.quantize.schemes import (
    Bits,
    Scheme,
    accumulator_range,
    asymmetric_params,
    quantize_weights,
    required_accumulator_bits,
    symmetric_params,
)
from hsitf.quantize.simulator import QuantizationSimulator

LIGHT = ("boulch", "cao", "hamida", "he", "hu", "lee", "li", "liu", "mou", "resnet20", "santara")


# --- grids ---------------------------------------------------------------------------------


def test_a_symmetric_grid_has_zero_in_the_middle():
    grid = symmetric_params(1.27, 8)
    assert grid.scale == pytest.approx(0.01)
    values = grid.round(np.array([0, 0.014, -0.016, 5, -5], np.float32))
    np.testing.assert_allclose(values, [0, 0.01, -0.02, 1.27, -1.27], rtol=1e-6)


def test_asymmetric_params_use_every_step():
    grid = asymmetric_params(-1.0, 1.55, 8)
    assert grid.scale == pytest.approx(0.01)
    assert (grid.zero_point, grid.qmin, grid.qmax) == (100, 0, 255)
    np.testing.assert_allclose(
        grid.round(np.array([-2, 0, 9], np.float32)), [-1, 0, 1.55], rtol=1e-6
    )


def test_asymmetric_params_always_hold_zero():
    assert asymmetric_params(2.0, 5.1, 8).zero_point == 0
    assert asymmetric_params(-5.1, -2.0, 8).zero_point == 255


def test_one_bit_is_a_sign():
    grid = symmetric_params(0.5, 1)
    np.testing.assert_allclose(grid.round(np.array([3, 0.1, -0.1], np.float32)), [0.5, 0.5, -0.5])
    assert grid.accumulator_scale == pytest.approx(0.5)


def test_two_bits_are_three_numbers():
    values = symmetric_params(1.0, 2).round(np.linspace(-1, 1, 9, dtype=np.float32))
    assert sorted(set(values.tolist())) == [-1, 0, 1]


def test_accumulators_are_of_twos_complement():
    assert accumulator_range(8) == (-128, 127)
    assert accumulator_range(1) == (-1, 0)


def test_accumulator_bits_by_hand():
    # 16 channels, 3 x 3: 144 products, 8 bits to count them.
    assert required_accumulator_bits(Bits(8, 8, 32), 144) == 24
    assert required_accumulator_bits(Bits(8, 4, 32), 1) == 12


def test_weights_by_channel_and_by_tensor():
    rows = np.array([[1.27, 0.0], [0.02, 0.127]], np.float32)
    values, units = quantize_weights(rows, 8, "channel")
    np.testing.assert_allclose(units, [0.01, 0.001], rtol=1e-5)
    np.testing.assert_allclose(values[1], [0.02, 0.127], atol=1e-7)
    values, units = quantize_weights(rows, 8, "tensor")
    np.testing.assert_allclose(units, [0.01, 0.01], rtol=1e-5)
    np.testing.assert_allclose(values[1], [0.02, 0.13], atol=1e-6)


def test_weights_of_one_bit_keep_their_mean_magnitude():
    values, units = quantize_weights(np.array([[1.0, -3.0]], np.float32), 1, "channel")
    np.testing.assert_allclose(values, [[2, -2]])
    np.testing.assert_allclose(units, [2])


# --- ranges --------------------------------------------------------------------------------


def outlier() -> Histogram:
    """Almost everything within 1 of zero, and one value at 100."""
    values = np.append(np.random.default_rng(0).normal(0, 0.3, 100_000), 100.0)
    return histogram(values, float(values.min()), 100.0)


def test_min_max_is_everything():
    seen = outlier()
    assert ESTIMATORS["min-max"](seen, 8, asymmetric_params) == (seen.low, 100.0)


def test_a_percentile_leaves_the_rare_out():
    _, high = ESTIMATORS["percentile"](outlier(), 8, asymmetric_params)
    assert high < 5


def test_a_percentile_of_an_even_distribution_by_hand():
    seen = Histogram(0.0, 1.0, np.full(2048, 1000.0))
    low, high = ESTIMATORS["percentile"](seen, 8, asymmetric_params)
    # Half of 1e-4 of the mass is a tenth of a bin.
    assert (low, high) == (0.0, 1.0)


def test_squared_errors_weigh_clipping_against_steps():
    few = ESTIMATORS["mse"](outlier(), 3, asymmetric_params)[1]
    many = ESTIMATORS["mse"](outlier(), 16, asymmetric_params)[1]
    assert few < many == 100.0


def test_divergence_leaves_the_rare_out():
    _, high = ESTIMATORS["kl"](outlier(), 8, asymmetric_params)
    assert high < 50


@pytest.mark.parametrize("value", [0.0, 1.306, -3e7])
@pytest.mark.parametrize("method", ESTIMATORS)
def test_a_constant_tensor_has_a_range(method, value):
    values = np.full(10, value, np.float32)
    grid = range_estimation.estimate_params(
        histogram(values, values[0], values[0]), 8, method, "asymmetric"
    )
    assert np.isfinite(grid.scale)
    assert grid.scale > 0


# --- options -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["8,8", "8,8,x", "8,8,32,4", "", "0,8,32", "8,33,32", "8,8,65"])
def test_bits_out_of_range_are_rejected(text):
    with pytest.raises(InputError):
        Bits.parse(text)


def test_a_grid_is_all_triples_once():
    found = parse_bit_triples(["8,8,32"], "4,8")
    assert len(found) == 9
    assert found[0] == Bits(8, 8, 32)


def test_something_has_to_be_studied():
    with pytest.raises(InputError, match="--grid 4,8,16,32"):
        parse_bit_triples([], None)


def test_pixels_are_spread_over_the_test_set():
    test = np.arange(100, dtype=np.int64)
    assert evaluation_pixels(test, 3).tolist() == [0, 49, 99]
    assert evaluation_pixels(test, 0) is test
    with pytest.raises(InputError):
        BitStudyRequest(Scheme(), max_samples=-1)


@pytest.mark.parametrize("options", [{"weights": "row"}, {"activations": "odd"}])
def test_unknown_schemes_are_rejected(options):
    with pytest.raises(InputError):
        Scheme(**options)


def test_unknown_methods_are_offered_a_near_one():
    with pytest.raises(InputError, match="percentile"):
        range_estimation.known_estimator("percentil")


# --- simulation ----------------------------------------------------------------------------


def dense(kernel: list[list[float]], bias: list[float]) -> keras.Model:
    inputs = keras.Input((len(kernel),))
    layer = layers.Dense(len(bias), name="sums")
    model = keras.Model(inputs, layer(inputs))
    layer.set_weights([np.array(kernel, np.float32), np.array(bias, np.float32)])
    return model


def test_a_layer_in_eight_bits_by_hand():
    model = dense([[1.27], [0.635]], [0.5])
    simulation = QuantizationSimulator(model, np.array([[1.27, -1.27], [0, 0.5]], np.float32))
    simulation.set_bits(Bits(8, 8, 32))
    # Steps: inputs 0.01, weights 0.01 (0.635 becomes 0.64 or 0.63), bias in steps of 1e-4.
    sums, shares = simulation.predict(np.array([[0.014, 1.0]], np.float32))
    step = (1.27 * 1.27 - 1.27 * 0.635 + 0.5) / 127
    exact = 0.01 * 1.27 + 1.0 * 0.64 + 0.5
    assert sums[0, 0] == pytest.approx(round(exact / step) * step, abs=1e-5)
    assert shares.tolist() == [[0]]


def test_sums_saturate():
    model = dense([[1.27, -1.27]], [0.0, 0.0])
    simulation = QuantizationSimulator(model, np.array([[1.27], [-1.27]], np.float32))
    simulation.set_bits(Bits(8, 8, 8))
    sums, shares = simulation.predict(np.array([[1.27], [0.0]], np.float32))
    # One step of a sum is 1e-4: 16,129 steps are held to 127 and -128.
    step = 1.6129 / 127
    np.testing.assert_allclose(sums[0], np.round(np.array([0.0127, -0.0128]) / step) * step)
    assert shares[:, 0].tolist() == [1, 0]
    assert simulation.saturation_by_layer(shares) == {"sums": 0.5}


def test_sizes_by_hand():
    simulation = QuantizationSimulator(
        dense([[1.0, 2.0], [3.0, 4.0]], [0.0, 0.0]), np.ones((1, 2), "f")
    )
    assert simulation.float_bytes() == 4 * 6
    # Four weights of 4 bits and two biases of 16.
    assert simulation.weight_bytes(Bits(8, 4, 16)) == 2 + 4


@pytest.fixture(scope="module")
def networks():
    made = {}

    def network(name: str) -> tuple[keras.Model, np.ndarray]:
        if name not in made:
            keras.utils.set_random_seed(0)
            generator = np.random.default_rng(1)
            facts = zoo.network(name)
            model = zoo.build(name, bands=max(32, facts.min_bands), classes=4)
            for layer in model.layers:
                # Statistics that would show if a normalization were folded in the wrong way.
                if isinstance(layer, layers.BatchNormalization):
                    layer.set_weights(
                        [generator.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()]
                    )
            shape = (6, *model.input_shape[1:])
            made[name] = model, generator.normal(size=shape).astype(np.float32)
        return made[name]

    return network


@pytest.mark.parametrize("name", LIGHT)
def test_without_bits_it_is_the_network(networks, name):
    model, patches = networks(name)
    simulation = QuantizationSimulator(model, patches)
    expected = model.predict(patches, verbose=0)
    scale = np.abs(expected).max()
    assert np.abs(simulation.predict(patches)[0] - expected).max() <= 1e-5 * scale
    simulation.set_bits(Bits(16, 16, 64))
    fine = np.abs(simulation.predict(patches)[0] - expected).max()
    assert 0 < fine <= 2e-3 * scale
    simulation.set_bits(Bits(4, 4, 32))
    assert np.abs(simulation.predict(patches)[0] - expected).max() > fine
    simulation.set_bits(None)
    assert np.abs(simulation.predict(patches)[0] - expected).max() <= 1e-5 * scale


def test_every_layer_with_weights_is_quantized(networks):
    model, patches = networks("he")
    names = [place.name for place in QuantizationSimulator(model, patches).quantized_layers]
    weighted = [layer.name for layer in model.layers if layer.weights]
    assert sorted(names) == sorted(weighted)


@pytest.mark.parametrize("kind", ["heads", "groups"])
def test_weights_of_attention_are_quantized(kind):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5, 6))
    if kind == "heads":
        seen = layers.MultiHeadAttention(2, 3, value_dim=4, name="seen")(inputs, inputs)
    else:
        seen = layers.GroupQueryAttention(3, 4, 2, name="seen")(inputs, inputs)
    model = keras.Model(inputs, layers.Dense(2, name="logits")(seen[:, 0]))
    patches = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    simulation = QuantizationSimulator(model, patches)
    place = simulation.quantized_layers[0]
    assert (place.name, place.products_per_sum) == ("seen", 0)
    assert simulation.float_bytes() == 4 * model.count_params()
    kernels = {one.number for one in inner_kernels(model.get_layer("seen"))}
    assert len(kernels) == 4
    simulation.set_bits(Bits(8, 2, 32))
    # Two bits are -1, 0 and 1 times the step of the output channel.
    output = place.recurrent._output_dense.kernel
    for number, weight in enumerate(place.recurrent.weights):
        values = np.asarray(weight)
        if number in kernels:
            rows = values.reshape(-1, 6).T if weight is output else values.reshape(6, -1).T
            assert max(len(np.unique(np.abs(row))) for row in rows) <= 2
        else:
            np.testing.assert_array_equal(values, model.get_layer("seen").get_weights()[number])
    simulation.set_bits(None)
    for one, other in zip(place.recurrent.weights, model.get_layer("seen").weights, strict=True):
        np.testing.assert_array_equal(one, other)
    # The network itself is as it was.
    expected = model.predict(patches, verbose=0)
    assert np.abs(simulation.predict(patches)[0] - expected).max() <= 1e-5 * np.abs(expected).max()
    rebuilt, _ = aware(model, patches)
    _copy_weights(rebuilt, model, model)
    np.testing.assert_allclose(model.predict(patches, verbose=0), expected, atol=1e-5)


def test_weights_of_layers_without_simulated_sums_are_quantized():
    """Separable convolutions, products by an equation, learned tokens and positions."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 3))
    x = layers.SeparableConv2D(8, 2, depth_multiplier=2, name="separable")(inputs)
    x = layers.EinsumDense("abcd,ed->abce", (3, 3, 5), bias_axes="e", name="product")(x)
    x = LearnedTokens(1, "random_normal", name="token")(layers.Reshape((9, 5))(x))
    x = PositionEmbedding("random_normal", name="positions")(x)
    model = keras.Model(inputs, layers.Dense(2, name="logits")(x[:, 0] + x[:, 5]))
    patches = np.random.default_rng(0).normal(size=(8, 4, 4, 3)).astype(np.float32)
    simulation = QuantizationSimulator(model, patches)
    places = {place.name: place for place in simulation.quantized_layers}
    assert list(places) == ["separable", "product", "token", "positions", "logits"]
    assert simulation.float_bytes() == 4 * model.count_params()
    # 2 x 2 x 6 and 6 x 8 weights, 8 x 5, and 5 x 2; all others are biases of 32 bits.
    biases = 8 + 5 + 5 + 50 + 2
    assert simulation.weight_bytes(Bits(8, 4, 32)) == (24 + 48 + 40 + 10) // 2 + 4 * biases
    simulation.set_bits(Bits(8, 2, 32))
    depthwise, pointwise, _ = places["separable"].recurrent.get_weights()
    rows = [*depthwise.reshape(4, 6).T, *pointwise.reshape(6, 8).T]
    rows += list(places["product"].recurrent.get_weights()[0])
    # Two bits are -1, 0 and 1 times the step of the output channel.
    assert max(len(np.unique(np.abs(row))) for row in rows) <= 2
    # Positions are biases of a weight of 1, which is the step of two bits.
    step = places["positions"].input_quantizer.accumulator_scale
    (positions,) = places["positions"].recurrent.get_weights()
    trained = model.get_layer("positions").get_weights()[0]
    np.testing.assert_allclose(positions / step, np.rint(trained / step), atol=1e-3)
    simulation.set_bits(None)
    expected = model.predict(patches, verbose=0)
    assert np.abs(simulation.predict(patches)[0] - expected).max() <= 1e-5 * np.abs(expected).max()
    rebuilt, _ = aware(model, patches)
    _copy_weights(rebuilt, model, model)
    np.testing.assert_allclose(model.predict(patches, verbose=0), expected, atol=1e-5)


def test_one_layer_alone_costs_less_than_all(networks):
    model, patches = networks("he")
    simulation = QuantizationSimulator(model, patches)
    expected, _ = simulation.predict(patches)

    def noise(**options: object) -> float:
        simulation.set_bits(Bits(6, 6, 32), **options)
        return float(((simulation.predict(patches)[0] - expected) ** 2).sum())

    assert 0 < noise(only=["conv2"]) < noise()


def test_an_absent_layer_is_named(networks):
    model, patches = networks("he")
    with pytest.raises(InputError, match="conv2"):
        QuantizationSimulator(model, patches).set_bits(Bits(8, 8, 32), only=["conv3"])


def test_missing_calibration_patches_are_rejected(networks):
    model, patches = networks("hu")
    with pytest.raises(InputError, match="no calibration patches"):
        QuantizationSimulator(model, patches[:0])


def test_non_finite_activations_are_rejected(networks):
    model, patches = networks("hu")
    with pytest.raises(InputError, match="not finite"):
        QuantizationSimulator(model, np.full_like(patches, np.nan))


# --- quantization-aware training -----------------------------------------------------------


def aware(
    model: keras.Model, patches: np.ndarray
) -> tuple[FakeQuantizedNetwork, QuantizationSimulator]:
    simulation = QuantizationSimulator(model, patches, Scheme("channel", "asymmetric"))
    rebuilt = FakeQuantizedNetwork(model, TrainableFakeQuantize, TrainableMatmul)
    for rounding, grid in zip(
        rebuilt.quantizers, simulation.activation_params(Bits(8, 8, 32)), strict=True
    ):
        rounding.set_params(grid)
    return rebuilt, simulation


@pytest.mark.parametrize("name", ["he", "liu", "hu", "resnet20"])
def test_what_learns_sees_the_rounding(networks, name):
    model, patches = networks(name)
    rebuilt, simulation = aware(model, patches)
    simulation.set_bits(Bits(8, 8, 32))
    expected, _ = simulation.predict(patches)
    received = rebuilt.logits.predict(patches, verbose=0)
    # Biases are rounded in files, not in training: their steps are fine.
    assert np.abs(received - expected).max() <= 0.03 * np.abs(expected).max()
    assert len(rebuilt.logits.trainable_variables) == 2 * len(rebuilt.quantized_layers)


@pytest.mark.parametrize(
    "name",
    ["he", "liu", pytest.param("resnet20", marks=pytest.mark.slow), "boulch", "mou", "ssftt"],
)
def test_what_has_learned_nothing_is_the_network(networks, name):
    model, patches = networks(name)
    rebuilt, _ = aware(model, patches)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        if layer.name in {place.layer.name for place in rebuilt.quantized_layers}:
            layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    _copy_weights(rebuilt, model, copy)
    expected = model.predict(patches, verbose=0)
    received = copy.predict(patches, verbose=0)
    np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max())


def test_gradients_pass_through_the_rounding(networks):
    model, patches = networks("li")
    rebuilt, _ = aware(model, patches)
    before = [np.array(v) for v in rebuilt.logits.trainable_variables]
    rebuilt.logits.compile(
        "sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
    )
    rebuilt.logits.train_on_batch(patches, np.arange(len(patches)) % 4)
    after = [np.array(v) for v in rebuilt.logits.trainable_variables]
    assert all((one != two).any() for one, two in zip(before, after, strict=True))
