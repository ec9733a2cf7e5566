"""Damaged .tflite files end in a message, whatever the reader of flatbuffers makes of them."""

from __future__ import annotations

import random

import pytest

from hsitf import flatbuffer, inspection, litert_trial
from hsitf.errors import DataError
from hsitf.export.variants import TFLITE
from hsitf.runtimes import LiteRT


@pytest.fixture(scope="module")
def whole():
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.name, tensor.buffer = [1, 4], 0, b"x", 0
    other = schema.TensorT()
    other.shape, other.type, other.name, other.buffer = [1, 4], 0, b"y", 0
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.LOGISTIC
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs = [tensor, other], [0], [1]
    graph.operators = [operator]
    model = schema.ModelT()
    model.version, model.operatorCodes = 3, [code]
    model.subgraphs, model.buffers = [graph], [schema.BufferT()]
    return flatbuffer.to_bytes(model)


def test_what_is_whole_is_read(whole, tmp_path):
    (tmp_path / "a.tflite").write_bytes(whole)
    (one,) = inspection.tflite(tmp_path / "a.tflite").operators
    assert (one.op, one.dtype, one.count) == ("LOGISTIC", "float32", 1)


def test_damage_at_any_place_is_reported(whole, tmp_path):
    path, generator, reported = tmp_path / "a.tflite", random.Random(0), 0
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        path.write_bytes(damaged[: generator.choice([len(damaged), generator.randrange(400)])])
        try:
            inspection.tflite(path)
        except DataError:
            reported += 1
    assert reported > 100


@pytest.mark.parametrize("shape", [[], [0, 4]])
def test_a_tensor_without_a_batch(whole, tmp_path, shape):
    """A number alone, or nothing, is no patch: an engine opens such a file nevertheless."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(whole))
    for tensor in model.subgraphs[0].tensors:
        tensor.shape = shape
    (tmp_path / "a.tflite").write_bytes(flatbuffer.to_bytes(model))
    with pytest.raises(DataError, match=r"does not take patches|cannot run"):
        LiteRT(tmp_path / "a.tflite")


def with_operator(whole, kind):
    """The file with another operator in the place of its own, which has one input."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(whole))
    (code,) = model.operatorCodes
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
    return flatbuffer.to_bytes(model)


@pytest.mark.parametrize("kind", ["SLICE", "ADD", "STRIDED_SLICE"])
def test_an_operator_without_its_inputs(whole, tmp_path, kind):
    """LiteRT's delegate goes to the third input of a SLICE without counting."""
    (tmp_path / "a.tflite").write_bytes(with_operator(whole, kind))
    with pytest.raises(DataError, match=f"{kind} with 1 of "):
        LiteRT(tmp_path / "a.tflite")


def test_a_file_of_strangers_that_runs_is_taken(whole, tmp_path):
    (tmp_path / "a.tflite").write_bytes(whole)
    assert TFLITE.runtime_of_any(tmp_path / "a.tflite", 1).batch == 1


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import ctypes; ctypes.string_at(0)", "with signal 11"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "with signal 6"),
        ("import sys; sys.exit(3)", "with status 3"),
        ("import os, sys; sys.exit('MALLOC_PERTURB_' in os.environ)", "with status 1"),
    ],
)
def test_a_file_that_ends_its_interpreter_ends_another_process(
    whole, tmp_path, monkeypatch, program, words
):
    """No real file stands for it: one that reads beyond its inputs ends a process by chance, and
    it may be the one of the tests."""
    path = tmp_path / "a.tflite"
    path.write_bytes(whole)
    monkeypatch.setattr(litert_trial, "PROGRAM", program)
    with pytest.raises(DataError, match=f"ends its interpreter {words}"):
        TFLITE.runtime_of_any(path, 1)


def test_names_of_tensors_that_are_no_text(whole, tmp_path):
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(whole))
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b"\xff\xfe"
    (tmp_path / "a.tflite").write_bytes(flatbuffer.to_bytes(model))
    with pytest.raises(DataError, match="cannot run"):
        LiteRT(tmp_path / "a.tflite")
