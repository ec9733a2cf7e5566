"""Learned ranges are found among the tensors of a file, whatever lowering made of the layers."""

from __future__ import annotations

import importlib

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import flatbuffer
from hsitf.arithmetic import INTEGER
from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.lower import lower, to_fully_convolutional
from hsitf.quantize.learned_ranges import Probe, observe_learned_ranges

RNG = np.random.default_rng(0)


def small():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((5, 5, 6), name="patch")
    x = layers.Conv2D(8, 3, use_bias=False, name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(7, activation="relu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(3, name="logits")(x))


def patches_of(model, count=32):
    return RNG.normal(size=(count, *model.input_shape[1:])).astype(np.float32)


def probes(patches, batch=1):
    return [Probe(patches[at : at + batch], patches[at : at + batch]) for at in range(0, 8, batch)]


def test_extremes_by_hand():
    x = inputs = keras.Input((3,), name="patch")
    x = layers.ReLU(name="relu")(x)
    model = keras.Model(inputs, layers.Rescaling(-2, name="twice")(x))
    patches = np.array([[-1, 2, 3], [-4, -5, -6]], np.float32)
    ranges = {"patch": (-1.0, 1.0), "relu": (0.0, 2.0), "twice": (-5.0, 5.0), "gone": (0.0, 1.0)}
    learned = observe_learned_ranges(
        model, ranges, [Probe(one[None], one[None]) for one in patches]
    )
    assert {one.layer: (one.low, one.high) for one in learned.layers} == {
        name: ranges[name] for name in ("patch", "relu", "twice")
    }
    assert {one.layer: one.extremes.tolist() for one in learned.layers} == {
        # Zero counts as a value, which padding adds.
        "patch": [[-1, 3], [-6, 0]],
        "relu": [[0, 3], [0, 0]],
        "twice": [[-6, 0], [0, 0]],
    }


@pytest.mark.parametrize("batch", [1, 4])
def test_every_learned_range_is_in_the_file(tmp_path, batch):
    model = small()
    patches = patches_of(model)
    ranges = {
        "patch": (-3.0, 3.5),
        "relu": (-0.5, 1.25),
        "hidden": (0.0, 0.75),
        "logits": (-1.5, 1.0),
    }
    learned = observe_learned_ranges(model, ranges, probes(patches, batch))
    path = tmp_path / "file.tflite"
    lowered = lower(model, batch, INTEGER)
    VARIANTS["int8"].convert(lowered, Calibration(patches, learned_ranges=learned), path)
    assert learned.kept_in(path) == tuple(ranges)
    scales = {
        round(float(tensor.quantization.scale[0]), 6)
        for tensor in flatbuffer.read(path).subgraphs[0].tensors
        if tensor.quantization is not None
        and tensor.quantization.scale is not None
        and len(tensor.quantization.scale) == 1
    }
    assert {round((high - low) / 255, 6) for low, high in ranges.values()} <= scales
    contents = VARIANTS["int8"].inspect(path)
    assert contents.integer_share == 1


@pytest.mark.parametrize("name", ["hamida", "he", "li", "cao"])
def test_networks_that_lowering_rearranges(tmp_path, name):
    """Spectral networks: 3-D convolutions become 2-D ones, parallel ones are merged."""
    module = importlib.import_module(f"hsitf.zoo.{name}")
    keras.utils.set_random_seed(0)
    model = module.build(24, 4, module.NETWORK.patch)
    patches = patches_of(model)
    wanted = [
        layer.name
        for layer in model.layers
        if isinstance(layer, layers.Conv3D | layers.Conv2D | layers.Dense)
        and getattr(layer.activation, "__name__", "") == "relu"
    ] + ["patch", model.layers[-1].name]
    ranges = {one: (-1.0 - at / 10, 1.5 + at / 7) for at, one in enumerate(wanted)}
    learned = observe_learned_ranges(model, ranges, probes(patches))
    path = tmp_path / "file.tflite"
    lowered = lower(model, 1, INTEGER)
    VARIANTS["int8"].convert(lowered, Calibration(patches, learned_ranges=learned), path)
    assert set(learned.kept_in(path)) == set(wanted)


def test_measured_ranges_given_as_learned_change_nothing(tmp_path):
    """Between measuring and quantizing, the file of the converter is only read and written."""
    model = small()
    patches = patches_of(model)
    ends = {"relu": "relu", "hidden": "hidden"}
    outputs = keras.Model(model.inputs, [model.get_layer(name).output for name in ends])
    ranges = {
        name: (float(values.min()), float(values.max()))
        for name, values in zip(ends, outputs.predict(patches, verbose=0), strict=True)
    }
    learned = observe_learned_ranges(model, ranges, probes(patches))
    lowered = lower(model, 1, INTEGER)
    tensors = []
    for at, calibration in enumerate(
        (Calibration(patches), Calibration(patches, learned_ranges=learned))
    ):
        path = tmp_path / f"{at}.tflite"
        VARIANTS["int8"].convert(lowered, calibration, path)
        file = flatbuffer.read(path)
        tensors.append(
            [
                (tensor.name, tensor.quantization.scale, file.buffers[tensor.buffer].data)
                for tensor in file.subgraphs[0].tensors
            ]
        )
    for (name, scale, data), (other, other_scale, other_data) in zip(*tensors, strict=True):
        assert name == other
        if scale is not None:
            np.testing.assert_allclose(scale, other_scale, rtol=1e-5)
        np.testing.assert_array_equal(data, other_data)


def test_a_layer_that_the_file_lacks_keeps_measured_ranges(tmp_path):
    model = small()
    patches = patches_of(model)
    # Normalization is folded into the convolution, and the rectifier into both.
    learned = observe_learned_ranges(model, {"conv": (-9.0, 9.0)}, probes(patches))
    path = tmp_path / "file.tflite"
    calibration = Calibration(patches, learned_ranges=learned)
    VARIANTS["int8"].convert(lower(model, 1, INTEGER), calibration, path)
    assert learned.kept_in(path) == ()


def test_tiles_have_the_ranges_of_patches(tmp_path):
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((5, 5, 6), name="patch")
    for number in (1, 2):
        x = layers.Conv2D(8, 3, activation="relu", name=f"conv{number}")(x)
    model = keras.Model(inputs, layers.Dense(3, name="logits")(layers.Flatten()(x)))
    side = 6
    tiles = RNG.normal(size=(8, side + 4, side + 4, 6)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(tiles, (5, 5), axis=(1, 2))
    inside = windows.transpose(0, 1, 2, 4, 5, 3).reshape(len(tiles), side * side, 5, 5, 6)
    ranges = {"patch": (-3.0, 3.0), "conv1": (0.0, 2.0), "conv2": (0.0, 1.0), "logits": (-1.0, 1.5)}
    found = [Probe(one[None], patches) for one, patches in zip(tiles, inside, strict=True)]
    learned = observe_learned_ranges(model, ranges, found)
    path = tmp_path / "file.tflite"
    lowered = to_fully_convolutional(model, side, INTEGER)
    VARIANTS["int8"].convert(lowered, Calibration(tiles, learned_ranges=learned), path)
    assert set(learned.kept_in(path)) == set(ranges)


def test_a_shared_layer_has_its_range_at_each_place():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((6,), name="patch")
    shared = layers.Dense(6, activation="relu", name="shared")
    x = shared(layers.Rescaling(3.0, name="scaled")(shared(x)))
    model = keras.Model(inputs, layers.Dense(2)(x))
    learned = observe_learned_ranges(model, {"shared": (0.0, 1.0)}, probes(patches_of(model)))
    assert [one.layer for one in learned.layers] == ["shared", "shared"]
    assert not np.array_equal(learned.layers[0].extremes, learned.layers[1].extremes)
