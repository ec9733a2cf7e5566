from __future__ import annotations

import keras
import numpy as np
import pytest

from hsitf.errors import DataError
from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.lower import lower
from hsitf.records import TensorSpec
from hsitf.runtimes import Keras, LiteRT, OnnxRuntime, SavedModel, dequantize, predict, quantize
from hsitf.trust import programs_trusted

BYTES = TensorSpec("x", (1, 4), "int8", scale=0.5, zero_point=10)
FLOATS = TensorSpec("x", (1, 4), "float32")
PATCHES = np.random.default_rng(0).normal(size=(7, 3, 3, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3, 3, 8), name="patch")
    x = keras.layers.Conv2D(6, 2, activation="relu")(inputs)
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, keras.layers.Dense(4, name="logits")(x))


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    folder, lowered, found = tmp_path_factory.mktemp("files"), lower(network, batch=2), {}
    for name in ("float32", "int8", "onnx", "saved-model"):
        found[name] = folder / f"network-{name}{VARIANTS[name].suffix}"
        VARIANTS[name].convert(lowered, Calibration(PATCHES[:6]), found[name])
    return found


def test_quantize_by_hand():
    real = np.array([0, 1, -1, 0.5, 0.4, 0.6], np.float32)
    np.testing.assert_array_equal(quantize(real, BYTES), [10, 12, 8, 11, 11, 11])
    assert quantize(real, BYTES).dtype == np.int8


def test_quantize_saturates():
    real = np.array([58.5, 59, 1e30, np.inf, -69, -69.5, -1e30, -np.inf], np.float32)
    np.testing.assert_array_equal(
        quantize(real, BYTES), [127, 127, 127, 127, -128, -128, -128, -128]
    )


def test_quantize_rounds_ties_to_even():
    real = np.array([0.25, 0.75, 1.25, -0.25, -0.75], np.float32)
    np.testing.assert_array_equal(quantize(real, BYTES), [10, 12, 12, 10, 8])


def test_quantize_to_other_integers():
    counts = TensorSpec("x", (1,), "uint8", scale=1.0, zero_point=0)
    np.testing.assert_array_equal(quantize(np.array([-1, 3, 300.0]), counts), [0, 3, 255])


def test_dequantize_by_hand():
    stored = np.array([-128, 10, 127], np.int8)
    real = dequantize(stored, BYTES)
    np.testing.assert_array_equal(real, [-69, 0, 58.5])
    assert real.dtype == np.float32


def test_every_step_survives_the_round_trip():
    stored = np.arange(-128, 128).astype(np.int8)
    odd = TensorSpec("x", (1,), "int8", scale=0.0123, zero_point=-77)
    np.testing.assert_array_equal(quantize(dequantize(stored, odd), odd), stored)


def test_floats_pass_as_they_are():
    real = np.array([1.5, -2], np.float32)
    np.testing.assert_array_equal(quantize(real, FLOATS), real)
    np.testing.assert_array_equal(dequantize(real, FLOATS), real)


class Echo:
    """Returns the first band of the first pixel, three patches at a time."""

    batch, input, output = 3, FLOATS, FLOATS

    def __init__(self):
        self.seen = []

    def infer(self, stored):
        self.seen.append(stored)
        return stored[:, 0, 0, :1]


def test_predict_fills_the_last_batch_and_drops_the_surplus():
    echo = Echo()
    np.testing.assert_array_equal(predict(echo, PATCHES), PATCHES[:, 0, 0, :1])
    assert [len(stored) for stored in echo.seen] == [3, 3, 3]
    np.testing.assert_array_equal(echo.seen[2], PATCHES[[6, 6, 6]])


@pytest.mark.parametrize(
    ("name", "engine"), [("float32", LiteRT), ("onnx", OnnxRuntime), ("saved-model", SavedModel)]
)
def test_engines_agree_with_keras(network, files, name, engine):
    runtime = engine(files[name])
    assert runtime.batch == 2
    assert runtime.input.shape == (2, 3, 3, 8)
    assert runtime.output.shape == (2, 4)
    assert runtime.input.scale is runtime.output.zero_point is None
    expected = np.asarray(network(PATCHES))
    np.testing.assert_allclose(predict(runtime, PATCHES), expected, atol=1e-5)
    np.testing.assert_allclose(predict(Keras(network), PATCHES), expected, atol=1e-5)


def test_integers_are_a_few_steps_away(network, files):
    runtime = LiteRT(files["int8"])
    assert (runtime.input.dtype, runtime.output.dtype) == ("int8", "int8")
    error = np.abs(predict(runtime, PATCHES) - np.asarray(network(PATCHES))).max()
    assert 0 < error < 12 * runtime.output.scale


@pytest.mark.parametrize(
    ("name", "engine"),
    [("float32", LiteRT), ("int8", LiteRT), ("onnx", OnnxRuntime), ("saved-model", SavedModel)],
)
def test_bare_action_does_what_infer_does(files, name, engine):
    runtime = engine(files[name])
    stored = quantize(PATCHES[:2], runtime.input)
    first = runtime.infer(stored)
    action = runtime.action(stored)
    action()
    action()
    np.testing.assert_array_equal(runtime.infer(stored), first)


@pytest.mark.parametrize(("name", "engine"), [("int8", LiteRT), ("onnx", OnnxRuntime)])
@pytest.mark.parametrize("share", [0, 0.1, 0.9])
def test_truncated_file(files, tmp_path, name, engine, share):
    path, whole = tmp_path / files[name].name, files[name].read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert_refused(engine, path)


@pytest.mark.parametrize("engine", [LiteRT, OnnxRuntime, SavedModel])
def test_no_file(engine, tmp_path):
    assert_refused(engine, tmp_path / "nothing")


def test_damaged_saved_model(files, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(
        (files["saved-model"] / "saved_model.pb").read_bytes()[:-100]
    )
    assert_refused(SavedModel, tmp_path)
    with programs_trusted():
        assert_refused(SavedModel, tmp_path)


def assert_refused(engine, path):
    with pytest.raises(DataError, match="export it again") as caught:
        engine(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
