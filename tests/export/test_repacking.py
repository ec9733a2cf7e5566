"""Smaller .tflite files that compute the same."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import flatbuffer
from hsitf.arithmetic import FLOAT, INTEGER
from hsitf.export.calibration import Calibration
from hsitf.export.repacking import repack, repacked
from hsitf.export.variants import VARIANTS
from hsitf.inspection import nodes, tflite
from hsitf.lower import lower
from hsitf.runtimes import LiteRT

SAMPLES = np.random.default_rng(0).normal(size=(8, 6, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def unrolled() -> keras.Model:
    """A recurrent network, whose lowered form describes each of its steps."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6, 12))
    x = layers.GRU(4, name="gru")(inputs)
    return keras.Model(inputs, layers.Dense(3, name="logits")(x))


@pytest.mark.parametrize("kind", ["float32", "float16", "int8", "dynamic"])
def test_a_smaller_file_computes_the_same(unrolled, kind, tmp_path):
    file = tmp_path / "net.tflite"
    lowered = lower(unrolled, arithmetic=INTEGER if kind == "int8" else FLOAT)
    VARIANTS[kind].convert(lowered, Calibration(SAMPLES), file)
    size, operators, contents = file.stat().st_size, [n.op for n in nodes(file)], tflite(file)
    before = LiteRT(file)
    inputs = np.random.default_rng(1).normal(size=(20, 1, 6, 12))
    stored = [
        one.astype(np.float32) if kind != "int8" else (40 * one).clip(-128, 127).astype(np.int8)
        for one in inputs
    ]
    expected = [before.infer(one).copy() for one in stored]
    repack(file, SAMPLES)
    assert file.stat().st_size < size
    assert [n.op for n in nodes(file)] == operators
    assert tflite(file) == contents
    after = LiteRT(file)
    assert (after.input, after.output) == (before.input, before.output)
    for one, wanted in zip(stored, expected, strict=True):
        np.testing.assert_array_equal(after.infer(one), wanted)
    assert not list(tmp_path.glob("*.repacked"))


def test_equal_parts_are_written_once(unrolled, tmp_path):
    file = tmp_path / "net.tflite"
    VARIANTS["int8"].convert(lower(unrolled, arithmetic=INTEGER), Calibration(SAMPLES), file)
    smaller = tmp_path / "smaller.tflite"
    smaller.write_bytes(repacked(file))
    model = flatbuffer.read(smaller)
    contents = [bytes(b.data) for b in model.buffers if b.data is not None]
    assert len(contents) == len(set(contents))
    assert smaller.stat().st_size < 0.7 * file.stat().st_size
    names = [tensor.name for tensor in model.subgraphs[0].tensors]
    # OpenVINO takes tensors of one name for one tensor.
    assert len(names) == len(set(names))
    # Repacking a second time finds nothing more.
    assert len(repacked(smaller)) == smaller.stat().st_size


def test_a_change_of_outputs_would_be_refused(unrolled, tmp_path, monkeypatch):
    file = tmp_path / "net.tflite"
    VARIANTS["float32"].convert(lower(unrolled), Calibration(SAMPLES), file)
    content = file.read_bytes()

    def halved(path):
        model = flatbuffer.read(path)
        for buffer in model.buffers:
            if buffer.data is not None and len(buffer.data) > 100:
                buffer.data = np.zeros_like(buffer.data)
        for tensor in model.subgraphs[0].tensors:
            tensor.name = b""
        return flatbuffer.to_shared_bytes(model)

    monkeypatch.setattr("hsitf.export.repacking.repacked", halved)
    with pytest.raises(ValueError, match="changed the outputs"):
        repack(file, SAMPLES)
    assert file.read_bytes() == content
