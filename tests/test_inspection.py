from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from hsitf import inspection
from hsitf.export.calibration import Calibration
from hsitf.export.tflite import CONVERTERS
from hsitf.export.variants import VARIANTS
from hsitf.inspection import Contents
from hsitf.log_silencing import suppressed_output
from hsitf.lower import lower
from hsitf.records import OperatorCount

PATCHES = np.random.default_rng(0).normal(size=(6, 4, 4, 9)).astype(np.float32)


def model_of(*stack, batch=1):
    inputs = x = keras.Input(batch_shape=(batch, 4, 4, 9), name="patch")
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.fixture(scope="module")
def volume():
    # In rank 5, as the papers have it; converted without being lowered.
    layers = keras.layers
    return model_of(
        layers.Reshape((4, 4, 9, 1)),
        layers.Conv3D(2, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(3),
    )


@pytest.fixture(scope="module")
def image():
    layers = keras.layers
    return model_of(
        # As many weights as make the converter quantize them dynamically.
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
        layers.Dense(3),
    )


def read(model, variant, folder):
    path = folder / f"network{VARIANTS[variant].suffix}"
    VARIANTS[variant].convert(model, Calibration(PATCHES), path)
    return VARIANTS[variant].inspect(path)


def test_float_file(image, tmp_path):
    found = read(image, "float32", tmp_path)
    assert set(found.operators) == {
        OperatorCount("FULLY_CONNECTED", "float32", 2),
        OperatorCount("CONV_2D", "float32", 1),
        OperatorCount("RESHAPE", "float32", 1),
    }
    assert found.operators[0].op == "FULLY_CONNECTED"
    assert (found.max_rank, found.dynamic) == (4, False)
    assert found.integer_share == 0
    assert found.arithmetic == found.floating


def test_integer_file(image, tmp_path):
    found = read(image, "int8", tmp_path)
    assert {operator.dtype for operator in found.operators} == {"int8"}
    assert found.integer_share == 1
    assert found.floating == ()
    assert found.max_rank == 4


def test_dynamic_range_is_not_called_integer(image, tmp_path):
    found = read(image, "dynamic", tmp_path)
    kinds = {operator.op: operator.dtype for operator in found.arithmetic}
    assert kinds == dict.fromkeys(("CONV_2D", "FULLY_CONNECTED"), "float32 (int8 weights)")
    assert found.integer_share == 0


def test_half_precision_weights(image, tmp_path):
    found = read(image, "float16", tmp_path)
    assert {operator.dtype for operator in found.arithmetic} == {"float32"}
    assert "DEQUANTIZE" in {operator.op for operator in found.operators}


def test_open_batch_is_dynamic(tmp_path):
    open_batch = model_of(keras.layers.Flatten(), keras.layers.Dense(2), batch=None)
    with suppressed_output():
        content = tf.lite.TFLiteConverter.from_keras_model(open_batch).convert()
    (tmp_path / "open.tflite").write_bytes(content)
    assert inspection.tflite(tmp_path / "open.tflite").dynamic


def test_volume_convolutions_stay_float_in_a_so_called_integer_file(volume, tmp_path):
    CONVERTERS["int8"](volume, Calibration(PATCHES), tmp_path / "plain.tflite")
    found = inspection.tflite(tmp_path / "plain.tflite")
    assert OperatorCount("CONV_3D", "float32", 1) in found.floating
    assert 0 < found.integer_share < 1
    assert found.max_rank == 5


def test_lowered_they_are_integer(volume, tmp_path):
    found = read(lower(volume), "int8", tmp_path)
    assert found.integer_share == 1
    assert found.max_rank == 4


def test_onnx_file(image, tmp_path):
    found = read(lower(image), "onnx", tmp_path)
    assert OperatorCount("Conv", "float32", 1) in found.operators
    assert {operator.dtype for operator in found.arithmetic} <= {"float32"}
    assert (found.max_rank, found.dynamic, found.integer_share) == (4, False, 0)


def test_saved_model(image, tmp_path):
    found = read(lower(image), "saved-model", tmp_path / "folder")
    assert OperatorCount("Conv2D", "float32", 1) in found.operators
    assert (found.max_rank, found.dynamic, found.integer_share) == (4, False, 0)


def test_share_by_hand():
    operators = (
        OperatorCount("CONV_2D", "int8", 3),
        OperatorCount("CONV_3D", "float32", 1),
        OperatorCount("RESHAPE", "float32", 9),
    )
    found = Contents(operators, 5, False)
    assert found.arithmetic == operators[:2]
    assert found.floating == operators[1:2]
    assert found.integer_share == 0.75
    assert Contents((), 0, False).integer_share == 0
