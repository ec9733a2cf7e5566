"""Channels without weights keep their biases, and ranges are estimated without zeros."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.lower import lower
from hsitf.quantize.range_estimation import estimate_params, histogram
from hsitf.runtimes import predict

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def network():
    """Half of its convolution's channels have a bias and no weights, or hardly any."""
    inputs = keras.Input((6, 6, 5))
    x = layers.Conv2D(8, 3, activation="relu", name="conv")(inputs)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    model = keras.Model(inputs, layers.Dense(4, name="out")(layers.Flatten()(x)))
    for weight in model.weights:
        weight.assign(RNG.normal(size=weight.shape, scale=0.3))
    for name, channels in (("conv", (..., slice(4))), ("depthwise", (..., slice(2, 6), 0))):
        kernel, bias = model.get_layer(name).get_weights()
        kernel[channels] *= 0 if name == "conv" else 1e-9
        bias[:6] = [0.5, 1.0, -0.3, 0.2, 1.5, -2.0]
        model.get_layer(name).set_weights([kernel, bias])
    return model


@pytest.mark.parametrize("estimator", ["min-max", "percentile"])
def test_a_channel_without_weights_keeps_its_bias(network, estimator, tmp_path):
    pytest.importorskip("litert_quantizer")
    patches = RNG.normal(size=(200, 6, 6, 5)).astype(np.float32)
    wanted = network.predict(patches, verbose=0)
    variant, path = VARIANTS["int8"], tmp_path / "network.tflite"
    lowered = lower(network, 1, variant.arithmetic)
    variant.convert(lowered, Calibration(patches[:100], range_estimator=estimator), path)
    received = predict(variant.runtime(path, 1), patches)
    # Before, biases were clipped to 32 bits: 0.43 deviations.
    assert np.sqrt(((wanted - received) ** 2).mean()) < 0.05 * wanted.std()


@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.88, 0.97])
def test_divergence_does_not_look_at_zeros(zeros):
    values = np.abs(RNG.normal(size=100_000))
    values[RNG.random(len(values)) < zeros] = 0
    params = estimate_params(histogram(values, 0, values.max()), 8, "kl", "asymmetric")
    error = np.sqrt(((params.round(values) - values) ** 2).mean())
    assert error < 0.1 * values.std()


def test_divergence_clips_a_far_outlier():
    values = np.concatenate([np.abs(RNG.normal(size=100_000)), [60.0]])
    params = estimate_params(histogram(values, 0, values.max()), 8, "kl", "asymmetric")
    assert params.real_range[1] < 20


def test_a_tensor_of_zeros_has_a_range():
    params = estimate_params(histogram(np.zeros(100), 0, 0), 8, "kl", "asymmetric")
    assert params.scale > 0
