"""Networks as `keras.applications` builds them: pruned, lowered, counted and in integers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import applications, layers
from keras.src.applications.convnext import ConvNeXt

from hsitf import inspection
from hsitf.arithmetic import INTEGER
from hsitf.cost import cost
from hsitf.export.calibration import Calibration
from hsitf.export.tflite import CONVERTERS
from hsitf.lower import lower
from hsitf.prune import PruningConfig, estimate_cost, masked, plan, thin, trace
from hsitf.runtimes import LiteRT, dequantize, quantize

RNG = np.random.default_rng(0)
CLASSES = 10

# Preprocessing of the picture is part of those that have it, which is Keras' default.
NETWORKS = {
    "DenseNet121": applications.DenseNet121,
    "EfficientNetB0": applications.EfficientNetB0,
    "MobileNetV3Small": applications.MobileNetV3Small,
    "MobileNetV3Large": applications.MobileNetV3Large,
    "ConvNeXtTiny": applications.ConvNeXtTiny,
    "ResNet50V2": applications.ResNet50V2,
}
# The smallest stays in the fast suite, with a ConvNeXt of five blocks below.
SLOW = set(NETWORKS) - {"MobileNetV3Small"}
PREPROCESSED = {"EfficientNetB0", "MobileNetV3Small", "MobileNetV3Large", "ConvNeXtTiny"}


def randomized(model: keras.Model) -> keras.Model:
    """Random weights whose logits neither vanish nor explode over fifty layers."""
    for variable in model.weights:
        shape = variable.shape
        if not variable.dtype.startswith("float") or not shape:
            continue
        value = RNG.normal(size=shape)
        if len(shape) > 1:
            value = value * np.prod(shape[:-1]) ** -0.5
        elif "variance" in variable.name:
            value = 0.5 + np.abs(value)
        else:
            value = 0.1 * value + (variable.name in ("gamma", "variable"))
        variable.assign(value)
    return model


def built(name: str) -> keras.Model:
    """A network for pictures of 32 x 32, as Keras builds it."""
    options = {"input_shape": (32, 32, 3), "classes": CLASSES, "classifier_activation": None}
    return randomized(NETWORKS[name](weights=None, **options))


def pictures(model: keras.Model, count: int = 1) -> np.ndarray:
    return RNG.uniform(0, 255, (count, *model.input_shape[1:])).astype(np.float32)


def assert_thinned_exactly(model: keras.Model, config: PruningConfig) -> keras.Model:
    chosen = plan(model, "l1", config)
    assert chosen.approximate == ()
    smaller, x = thin(model, chosen), pictures(model)
    expected, received = np.asarray(masked(model, chosen)(x)), np.asarray(smaller(x))
    assert np.abs(received - expected).max() <= 1e-5 * np.abs(expected).max()
    assert cost(smaller) == estimate_cost(trace(model), chosen)
    return smaller


def assert_lowered_exactly(model: keras.Model) -> None:
    x = pictures(model)
    expected, received = np.asarray(model(x)), np.asarray(lower(model)(x))
    assert np.ptp(expected) > 0
    assert np.abs(received - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NETWORKS],
)
def test_networks_of_keras(name):
    model = built(name)
    kinds = {type(operation).__name__ for operation in model.operations}
    assert (kinds & {"Rescaling", "Normalization"} != set()) == (name in PREPROCESSED)
    # Layer normalization ties the channels of ConvNeXt's stages: they would go approximately.
    exact = name == "ConvNeXtTiny"
    if exact:
        reasons = plan(model, "l1", PruningConfig(0.3)).approximate
        assert len(reasons) == 4
        assert all("measures each channel by others" in reason for reason in reasons)
    smaller = assert_thinned_exactly(model, PruningConfig(0.3, exact=exact))
    assert cost(smaller).macs < 0.75 * cost(model).macs
    assert_lowered_exactly(model)
    assert_lowered_exactly(smaller)


def macs_of_resnet50v2(side: int, classes: int) -> int:
    """From the shapes of its layers (He et al., Identity mappings in deep residual networks, 2016).

    Four stages of blocks with convolutions of 1 x 1, 3 x 3 and 1 x 1; the last block of a stage
    but the last halves the maps. The first block of a stage has a shortcut of 1 x 1.
    """
    side = -(-side // 2)
    total = side**2 * 7 * 7 * 3 * 64
    side, channels = -(-side // 2), 64
    for width, blocks, last_stride in ((64, 3, 2), (128, 4, 2), (256, 6, 2), (512, 3, 1)):
        for block in range(1, blocks + 1):
            after = -(-side // last_stride) if block == blocks else side
            if block == 1:
                total += side**2 * channels * 4 * width
            total += side**2 * channels * width
            total += after**2 * (9 * width * width + width * 4 * width)
            side, channels = after, 4 * width
    return total + channels * classes


def test_multiply_accumulates_by_hand():
    options = {"weights": None, "classes": CLASSES}
    for side in (32, 64):
        model = applications.ResNet50V2(input_shape=(side, side, 3), **options)
        assert cost(model).macs == macs_of_resnet50v2(side, CLASSES)
    assert macs_of_resnet50v2(32, CLASSES) == 71_045_120


# --- in integers ----------------------------------------------------------------------------


def tiny_convnext() -> keras.Model:
    """Four stages of few blocks and channels, made by what makes ConvNeXt-Tiny."""
    model = ConvNeXt(
        depths=[1, 1, 2, 1],
        projection_dims=[8, 8, 12, 12],
        drop_path_rate=0.1,
        include_preprocessing=True,
        input_shape=(32, 32, 3),
        weights=None,
        classes=CLASSES,
        classifier_activation=None,
        name="convnext",
    )
    kinds = {type(operation).__name__ for operation in model.operations}
    assert {"LayerNormalization", "LayerScale", "StochasticDepth", "Normalization"} <= kinds
    return randomized(model)


def vector_norms() -> keras.Model:
    """Layer, group and root-mean-square normalization, a gelu and a transposed convolution."""
    inputs = keras.Input((8, 8, 6))
    x = layers.GroupNormalization(2)(layers.Conv2D(8, 3, padding="same")(inputs))
    x = layers.LayerNormalization()(layers.Conv2D(8, 3, 2, activation="gelu")(x))
    x = layers.Conv2DTranspose(6, 3, 2, padding="same", activation="relu")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = layers.RMSNormalization()(layers.GlobalAveragePooling2D()(x))
    return randomized(keras.Model(inputs, layers.Dense(CLASSES)(x)))


@pytest.mark.parametrize(
    "build",
    [
        vector_norms,
        tiny_convnext,
        pytest.param(
            lambda: built("MobileNetV3Small"), id="MobileNetV3Small", marks=pytest.mark.slow
        ),
    ],
)
def test_integers_throughout(build, tmp_path):
    model = build()
    samples = pictures(model, 32)
    path = tmp_path / "network.tflite"
    CONVERTERS["int8"](lower(model, 1, INTEGER), Calibration(samples), path)
    found = inspection.tflite(path)
    assert found.floating == ()
    assert found.integer_share == 1
    assert found.max_rank <= 4
    runtime = LiteRT(path)
    stored = quantize(samples, runtime.input)
    received = np.concatenate([runtime.infer(picture[None]) for picture in stored])
    expected = np.asarray(model(samples))
    error = dequantize(received, runtime.output) - expected
    assert np.sqrt(np.mean(error**2)) < 0.25 * np.std(expected)


def test_a_tiny_convnext_is_thinned_and_lowered_exactly():
    model = tiny_convnext()
    assert_lowered_exactly(assert_thinned_exactly(model, PruningConfig(0.3, exact=True)))
    assert_lowered_exactly(model)
