"""Bias correction: the means of an integer file's channels become those of the float file."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import flatbuffer
from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.files import size
from hsitf.inspection import nodes, tflite
from hsitf.quantize import bias_correction, mixed_precision
from hsitf.quantize.bias_correction import correct_biases
from hsitf.quantize.mixed_precision import MixedPrecisionRecipe
from hsitf.quantize.tensor_statistics import TensorRecorder, collect_statistics
from hsitf.runtimes import LiteRT, predict

RNG = np.random.default_rng(0)
# All positive, so that rounded weights shift what they sum up.
PATCHES = RNG.uniform(0.5, 1, size=(96, 3, 3, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(2)
    inputs = x = keras.Input(batch_shape=(1, 3, 3, 8), name="patch")
    # A layer whose biases are all zero has none in a .tflite file.
    rest = {"bias_initializer": "random_normal"}
    for layer in (
        layers.Conv2D(16, 1, activation="relu", name="first", **rest),
        layers.DepthwiseConv2D(3, activation="relu", name="second", **rest),
        layers.Conv2D(16, 1, activation="relu", name="third", **rest),
        layers.Flatten(),
        layers.Dense(3, name="fourth", **rest),
    ):
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corrected")
    for name in ("float32", "int8"):
        VARIANTS[name].convert(network, Calibration(PATCHES), folder / f"{name}.tflite")
    return folder


def means(path):
    running = TensorRecorder(path)
    found = [running(patch[None]) for patch in PATCHES]
    return {
        name: np.mean([one[name].reshape(-1, one[name].shape[-1]).mean(0) for one in found], 0)
        for name in found[0]
    }


def shifts(files, path):
    """Root mean squares, by tensor that both files make, of what its channels' means differ by."""
    expected, found = means(files / "float32.tflite"), means(path)
    names = [name for name in expected if name in found and "patch" not in name]
    assert len(names) >= 4
    return [float(np.sqrt(np.square(expected[name] - found[name]).mean())) for name in names]


def test_channel_means_match_the_float_file(files, tmp_path):
    path = tmp_path / "corrected.tflite"
    assert correct_biases(files / "float32.tflite", files / "int8.tflite", PATCHES, path) == 4
    before, after = shifts(files, files / "int8.tflite"), shifts(files, path)
    assert np.mean(after) < 0.5 * np.mean(before)
    made_of = tflite(path)
    assert made_of.integer_share == 1
    assert made_of.operators == tflite(files / "int8.tflite").operators


def test_a_bias_by_hand(tmp_path):
    """A bias off by 4,000 of its steps gets them back."""
    inputs = keras.Input(batch_shape=(1, 4), name="patch")
    model = keras.Model(inputs, layers.Dense(2, name="only", bias_initializer="ones")(inputs))
    patches = RNG.uniform(-1, 1, size=(64, 4)).astype(np.float32)
    for name in ("float32", "int8"):
        VARIANTS[name].convert(model, Calibration(patches), tmp_path / f"{name}.tflite")
    whole = flatbuffer.read(tmp_path / "int8.tflite")
    (one,) = bias_correction._biased_operators(whole)
    right = bias(whole)
    bias_correction._add(whole, one.operator, np.array([4000.0, 0.0]))
    (tmp_path / "off.tflite").write_bytes(flatbuffer.to_bytes(whole))
    correct_biases(
        tmp_path / "float32.tflite", tmp_path / "off.tflite", patches, tmp_path / "back.tflite"
    )
    back = bias(flatbuffer.read(tmp_path / "back.tflite"))
    # An output's step is some 250 of a bias's, and some outputs saturated: that hides a little.
    assert np.abs(back - right).max() <= 200


def bias(model):
    graph = model.subgraphs[0]
    (at,) = [operator.inputs[2] for operator in graph.operators]
    return np.frombuffer(bytes(model.buffers[graph.tensors[at].buffer].data), np.int32)


def test_layers_with_one_bias_get_their_own(tmp_path):
    """A file may keep equal biases once; each layer's correction is its own."""
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input(batch_shape=(1, 8), name="patch")
    small = {"bias_initializer": keras.initializers.Constant(0.01)}
    for number in range(3):
        x = layers.Dense(8, activation="relu", name=f"layer{number}", **small)(x)
    model = keras.Model(inputs, x)
    patches = RNG.uniform(0.5, 1, size=(64, 8)).astype(np.float32)
    for name in ("float32", "int8"):
        VARIANTS[name].convert(model, Calibration(patches), tmp_path / f"{name}.tflite")
    path = tmp_path / "int8.tflite"
    whole = flatbuffer.read(path)
    graph = whole.subgraphs[0]
    # As other converters do: one tensor for all.
    first = graph.operators[0].inputs[2]
    for operator in graph.operators:
        operator.inputs = np.array(operator.inputs)
        operator.inputs[2] = first
    path.write_bytes(flatbuffer.to_bytes(whole))
    correct_biases(tmp_path / "float32.tflite", path, patches, path)
    after = flatbuffer.read(path).subgraphs[0]
    assert len({int(operator.inputs[2]) for operator in after.operators}) == 3
    found, expected = predict(LiteRT(path), patches), model.predict(patches, 1, verbose=0)
    assert np.abs((found - expected).mean(0)).max() < 0.01 * np.abs(expected).max()


def test_constants_behind_the_flatbuffer_are_read(files, tmp_path):
    """litert-quantizer lays the constants of larger files there."""
    source = files / "float32.tflite"
    quantized = tmp_path / "recipe.tflite"
    mixed_precision.quantize_file(
        source, collect_statistics(source, PATCHES), MixedPrecisionRecipe("min-max"), quantized
    )
    model = flatbuffer.read(quantized)
    kept = bytearray()
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data):
            data, buffer.data = bytes(buffer.data), None
            buffer.offset, buffer.size = 2**30 + len(kept), len(data)
            kept += data + bytes(-len(data) % 16)
    # The offsets count from the start of the file, whose length their digits do not change.
    start = -(-len(flatbuffer.to_bytes(model)) // 16) * 16
    for buffer in model.buffers:
        if buffer.offset:
            buffer.offset += start - 2**30
    head = flatbuffer.to_bytes(model)
    moved = tmp_path / "moved.tflite"
    moved.write_bytes(head + bytes(start - len(head)) + bytes(kept))
    assert [node.inputs for node in nodes(moved)] == [node.inputs for node in nodes(quantized)]
    plain, behind = tmp_path / "plain-c.tflite", tmp_path / "moved-c.tflite"
    assert correct_biases(source, quantized, PATCHES, plain) == correct_biases(
        source, moved, PATCHES, behind
    )
    assert np.array_equal(predict(LiteRT(plain), PATCHES), predict(LiteRT(behind), PATCHES))
    assert size(behind) == size(plain)


def test_steps_are_bounded(files, monkeypatch, tmp_path):
    runs = []
    real = bias_correction._channel_means
    monkeypatch.setattr(
        bias_correction, "_channel_means", lambda *given: runs.append(1) or real(*given)
    )
    monkeypatch.setattr(bias_correction, "STEPS", 2)
    correct_biases(files / "float32.tflite", files / "int8.tflite", PATCHES, tmp_path / "c.tflite")
    # The float file; the integer one before and after each of two steps, and at the very ends.
    assert len(runs) == 1 + 2 * 2 + 2


def test_deep_networks_come_nearer(tmp_path):
    """Forty layers, each corrected with those before it corrected."""
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input(batch_shape=(1, 16), name="patch")
    rest = {"kernel_initializer": "he_normal", "bias_initializer": "random_normal"}
    for number in range(40):
        x = layers.Dense(16, activation="relu", name=f"layer{number}", **rest)(x)
    model = keras.Model(inputs, layers.Dense(3, name="last", **rest)(x))
    patches = RNG.uniform(0.2, 1, size=(64, 16)).astype(np.float32)
    for name in ("float32", "int8"):
        VARIANTS[name].convert(model, Calibration(patches), tmp_path / f"{name}.tflite")
    expected = model.predict(patches, 1, verbose=0)
    path = tmp_path / "corrected.tflite"
    assert (
        correct_biases(tmp_path / "float32.tflite", tmp_path / "int8.tflite", patches, path) == 41
    )
    before, after = (
        np.square(predict(LiteRT(file), patches) - expected).mean()
        for file in (tmp_path / "int8.tflite", path)
    )
    assert after < before


def test_what_comes_no_nearer_is_left(files, monkeypatch, tmp_path):
    """A correction of the wrong sign is taken back, bias by bias."""
    real = bias_correction._shift
    monkeypatch.setattr(bias_correction, "_shift", lambda *given: -real(*given))
    path = tmp_path / "same.tflite"
    correct_biases(files / "float32.tflite", files / "int8.tflite", PATCHES, path)
    expected = predict(LiteRT(files / "int8.tflite"), PATCHES)
    assert np.array_equal(predict(LiteRT(path), PATCHES), expected)


def test_patches_that_are_no_numbers_change_nothing(files, tmp_path):
    path = tmp_path / "same.tflite"
    spoiled = PATCHES.copy()
    spoiled[3] = np.nan
    assert correct_biases(files / "float32.tflite", files / "int8.tflite", spoiled, path) == 0
    assert path.read_bytes() == (files / "int8.tflite").read_bytes()


def test_biases_keep_room_for_their_sum(files):
    model = flatbuffer.read(files / "int8.tflite")
    one = bias_correction._biased_operators(model)[0]
    bias_correction._add(model, one.operator, np.full(16, 2.0**40))
    at = model.subgraphs[0].operators[one.operator].inputs[2]
    buffer = model.buffers[model.subgraphs[0].tensors[at].buffer]
    assert np.frombuffer(bytes(buffer.data), np.int32).tolist() == [2**30] * 16
