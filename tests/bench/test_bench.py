"""`python -m hsitf.bench` as a user types it."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hsitf.bench.compatibility import analyzer_warnings, check_compatibility
from hsitf.bench.engines import ENGINES, find_engine
from hsitf.bench.measurement import measure
from hsitf.bench.subject import find_subjects, find_usable_subjects
from hsitf.errors import DataError, InputError
from hsitf.export.bundle import Bundle
from hsitf.files import sha256
from hsitf.inspection import Node, Operand, nodes
from hsitf.measure import MeasurementSchedule
from hsitf.progress import Silent
from hsitf.runtimes import LiteRT, _delegated_share
from hsitf.targets import edgetpu, gpu, nnapi

HU = ("--model", "hu")
QUICK = MeasurementSchedule(rounds=1, runs=2, warm_up=0)


@pytest.fixture(scope="module")
def exported(shell):
    done = shell("export", *HU, *shell.SCENE, "--int8", "--int16", "--onnx", "--saved-model")
    assert done.returncode == 0, done.stderr
    return shell.folder / "export/tiny/hu"


@pytest.fixture(scope="module")
def measured(shell, exported):
    done = shell("bench", "--threads", "1", "--threads", "2")
    assert done.returncode == 0, done.stderr
    (record,) = (shell.folder / "export/results").glob("bench-*.json")
    return done, record


def test_a_row_for_each_file_engine_and_number_of_threads(measured):
    rows = json.loads(measured[1].read_text())["rows"]
    found = {(row["name"], row["engine"], row["threads"]) for row in rows}
    files = [
        ("hu int8", "litert"),
        ("hu int8", "litert-plain"),
        ("hu int8", "openvino"),
        ("hu int16", "litert"),
        ("hu int16", "litert-plain"),
        ("hu int16", "openvino"),
        ("hu onnx", "onnxruntime"),
        ("hu onnx", "openvino"),
    ]
    assert found == {(*pair, threads) for pair in files for threads in (1, 2)} | {
        ("hu saved-model", "tensorflow", 0)
    }


def test_what_an_engine_cannot_run_is_noted(exported):
    (file,) = find_subjects([exported / "int8/hu.tflite"])
    strange = replace(find_engine("onnxruntime"), suffixes=(".tflite",))
    found = measure([file], [strange, find_engine("litert")], [1], Silent(), QUICK)
    assert [row.engine for row in found.rows] == ["litert"]
    (note,) = found.notes
    assert note.startswith("onnxruntime cannot run hu.tflite: ")
    with pytest.raises(DataError, match="no engine can run any of these files"):
        measure([file], [strange], [1], Silent(), QUICK)


def test_rows_are_what_the_records_say(measured, exported):
    for row in json.loads(measured[1].read_text())["rows"]:
        record = Bundle.open(exported / row["name"].split()[1]).record
        assert row["bytes"] == record.bytes
        assert row["oa"] == record.oa
        assert row["agreement"] == record.agreement
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
        assert row["pixels_per_second"] == pytest.approx(1e3 / row["p50_ms"])
        assert row["peak_memory_bytes"] > 0
        assert 0 < row["zipped_bytes"] < 2 * row["bytes"]
        assert (row["parameters"], row["macs"]) == (record.parameters, record.macs)
        assert row["min_ms"] <= row["p50_ms"] <= row["max_ms"]
        assert row["version"].split()[0] in (
            "ai-edge-litert",
            "onnxruntime",
            "openvino",
            "tensorflow",
        )


def test_the_delegate_is_recorded(measured):
    rows = json.loads(measured[1].read_text())["rows"]
    found = {(row["name"], row["engine"]): row["delegates"] for row in rows}
    assert found["hu int8", "litert"] >= 1
    assert found["hu int8", "litert-plain"] == 0
    # XNNPACK has no kernels for activations of 16 bits.
    assert found["hu int16", "litert"] == 0
    assert found["hu onnx", "onnxruntime"] is None
    shares = {(row["name"], row["engine"]): row["delegated_share"] for row in rows}
    assert shares["hu int8", "litert"] == 1
    assert shares["hu int8", "litert-plain"] == shares["hu int16", "litert"] == 0


def test_the_other_formats_hold_the_same(measured):
    record = json.loads(measured[1].read_text())
    with measured[1].with_suffix(".csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == [row["name"] for row in record["rows"]]
    assert float(rows[0]["p50_ms"]) == record["rows"][0]["p50_ms"]
    text = measured[1].with_suffix(".md").read_text()
    assert text.count("| hu int8 | LiteRT") == 4
    assert "hsitf.bench" in text
    assert "OA and agreement on the test pixels of tiny." in measured[0].stdout


def test_a_bare_file_is_measured_without_accuracy(exported):
    (one,) = find_subjects([exported / "int8/hu.tflite"])
    (row,) = measure([one], [find_engine("litert")], [1], Silent(), QUICK).rows
    assert (row.oa, row.agreement, row.scene) == (None, None, "")
    assert row.integer_share == 1


def test_the_delegate_changes_nothing_but_time(exported):
    sample = np.zeros((1, 1, 1, 24), np.int8)
    path = exported / "int8/hu.tflite"
    found = [LiteRT(path, 1, delegate).infer(sample) for delegate in (True, False)]
    assert np.abs(found[0].astype(int) - found[1]).max() <= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere",), "nothing to measure at nowhere"),
        (("--engine", "litrt"), "did you mean litert"),
        (("--threads", "0"), "threads are out of range"),
        (("export/tiny/hu/onnx", "--engine", "litert"), "no engine runs files of these formats"),
        (("--runs", "0"), "--runs are out of range"),
        (("export", "--models", "hu"), "files are named, or networks"),
        (("--variants", "int8"), "no network to measure"),
        (("--models", "huu", "--scene", "tiny.npy"), "did you mean hu"),
        (("--models", "hu", "--variants", "int9"), "did you mean int8"),
        (("--target", "cortex-a75"), "or cortex-a76"),
    ],
)
def test_impossible_requests_are_rejected(shell, exported, words, message):
    done = shell("bench", *words, "--out", "none")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (shell.folder / "none").exists()


def test_every_engine_lists_its_formats():
    taken = {suffix for one in ENGINES.values() for suffix in one.suffixes}
    assert taken == {".tflite", ".onnx", ".keras", ""}
    with pytest.raises(InputError, match="engine"):
        find_engine("none")


def test_an_absent_engine_is_named_with_its_pip_line(monkeypatch):
    monkeypatch.setattr("hsitf.bench.engines.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install '\.\[openvino\]'"):
        find_engine("openvino")


def test_networks_by_name_are_exported_where_they_are_not(shell, exported):
    before = (exported / "int8/record.json").stat().st_mtime_ns
    done = shell(
        "bench",
        "--models",
        "hu",
        *shell.SCENE,
        "--variants",
        "int8,float32",
        "--engine",
        "litert",
        "--engine",
        "keras",
        "--rounds",
        "2",
        "--runs",
        "3",
        "--lines",
        "--out",
        "named",
    )
    assert done.returncode == 0, done.stderr
    assert (exported / "int8/record.json").stat().st_mtime_ns == before
    (record,) = (shell.folder / "named").glob("bench-*.json")
    found = json.loads(record.read_text())
    rows = {(row["variant"], row["engine"]): row for row in found["rows"]}
    assert set(rows) == {("trained", "keras"), ("int8", "litert"), ("float32", "litert")}
    assert len({(row["parameters"], row["macs"]) for row in rows.values()}) == 1
    assert [one["delegate"] for one in found["delegate_compatibility"]] == [
        "Edge TPU",
        "GPU",
        "NNAPI",
    ] * 2
    lines = [line for line in done.stdout.splitlines() if line.startswith("INFO:")]
    number = r"[\d.e+]+"
    for line in lines:
        assert re.search(
            rf"count=6 first={number} curr={number} min={number} max={number} avg={number} "
            rf"std={number}$",
            line,
        )
    assert len(lines) == 3


def test_one_damaged_among_many_is_left_out_with_its_reason(exported, tmp_path):
    for name in ("int8", "onnx"):
        shutil.copytree(exported / name, tmp_path / name)
    (tmp_path / "int8" / "hu.tflite").write_bytes(b"TFL3")
    (tmp_path / "float32").mkdir()
    (tmp_path / "float32" / "record.json").write_text("{}")
    (tmp_path / "float32" / "golden.npz").write_text("{}")
    found, damaged = find_usable_subjects([tmp_path])
    assert [one.summary.variant for one in found] == ["onnx"]
    assert len(damaged) == 2
    assert all(str(tmp_path) in str(error) for error in damaged)
    shutil.rmtree(tmp_path / "onnx")
    with pytest.raises(DataError, match="is not a ExportRecord"):
        find_usable_subjects([tmp_path])


def test_a_file_of_other_inputs_than_its_vectors_is_left_out(exported, tmp_path):
    for name in ("int8", "onnx"):
        shutil.copytree(exported / name, tmp_path / name)
    # As an attacker writes it: the record has the digest of the other file.
    other = Bundle.open(exported / "int16").file
    record = json.loads((tmp_path / "int8/record.json").read_text())
    shutil.copyfile(other, tmp_path / "int8" / record["file"])
    record |= {"sha256": sha256(other), "bytes": other.stat().st_size}
    (tmp_path / "int8/record.json").write_text(json.dumps(record))
    found = measure(
        find_subjects([tmp_path]), list(ENGINES.values()), [1], Silent(), MeasurementSchedule(1, 1)
    )
    assert {row.format for row in found.rows} == {"onnx"}
    assert any("is not the file that its golden vectors are of" in note for note in found.notes)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_open_batch_is_one_patch(tmp_path, engine):
    path = tmp_path / "open.onnx"
    onnx_sum(path, ["batch", 2, 2, 3])
    found = measure(
        find_subjects([path]), [find_engine(engine)], [1], Silent(), MeasurementSchedule(1, 1)
    )
    (row,) = found.rows
    assert row.runs == 1


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_another_open_axis_is_said(tmp_path, engine):
    path = tmp_path / "open.onnx"
    onnx_sum(path, ["batch", "rows", 2, 3])
    with pytest.raises(DataError, match="has no fixed size"):
        find_engine(engine).open(path, 1)


def onnx_sum(path, shape):
    """Writes the sum over all axes but the first of a tensor of a shape."""
    from onnx import TensorProto, helper, save

    source = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    sink = helper.make_tensor_value_info("y", TensorProto.FLOAT, [shape[0], 3])
    node = helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])
    graph = helper.make_graph([node], "sum", [source], [sink], [axes])
    opset = [helper.make_opsetid("", 13)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def test_a_damaged_file_is_reported(tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(b"no network" * 20)
    with pytest.raises(DataError, match=r"LiteRT cannot run .*net\.tflite"):
        find_subjects([path])


def test_the_delegated_share_is_found_between_what_goes_in_and_out():
    # 0 -> a -> 1 -> b -> 2 -> c -> 3, of which b and c were taken: 1 goes in, 3 comes out.
    graph = [
        {"op_name": "A", "inputs": [0], "outputs": [1]},
        {"op_name": "B", "inputs": [1, 7], "outputs": [2]},
        {"op_name": "C", "inputs": [2], "outputs": [3]},
        {"op_name": "DELEGATE", "inputs": [1, 7], "outputs": [3]},
    ]
    assert _delegated_share(graph) == pytest.approx(2 / 3)
    assert _delegated_share(graph[:3]) == 0


def node(op: str, *shapes: tuple[int, ...], dtype: str = "int8", **options: int) -> Node:
    """An operator from tensors of all shapes but the last to one of the last."""
    made = [Operand(shape, dtype, constant=False, dynamic=False) for shape in shapes]
    plain = {"fusedActivationFunction": 0, "dilationWFactor": 1, "dilationHFactor": 1}
    return Node(op, tuple(made[:-1]), (made[-1],), SimpleNamespace(**plain, **options))


@pytest.mark.parametrize(
    ("delegate", "given", "reason"),
    [
        (gpu, node("CONV_2D", (1, 5, 5, 8), (1, 3, 3, 8)), ""),
        (gpu, node("CONV_3D", (1, 5, 5, 8, 1), (1, 5, 5, 8, 1)), "no CONV_3D"),
        (gpu, node("RESHAPE", (1, 50), (1, 5, 5, 2, 1)), "RESHAPE has a tensor of 5 axes"),
        (
            gpu,
            node("CONV_2D", (1, 5, 5, 8), (1, 3, 3, 8), dtype="int16"),
            "CONV_2D computes in int16",
        ),
        (gpu, node("STRIDED_SLICE", (4, 8), (2, 8)), "STRIDED_SLICE of 2 axes"),
        (nnapi, node("EXP", (1, 9), (1, 9)), "EXP computes in int8"),
        (nnapi, node("EXP", (1, 9), (1, 9), dtype="float32"), ""),
        (nnapi, node("CONV_2D", (1, 5, 5, 8), (1, 3, 3, 8)), "CONV_2D without a bias"),
        (nnapi, node("SPLIT_V", (1, 9), (1, 3)), "no SPLIT_V"),
        (edgetpu, node("CONV_2D", (1, 5, 5, 8), (1, 3, 3, 8)), ""),
        (
            edgetpu,
            node("CONV_2D", (3, 5, 5, 8), (3, 3, 3, 8)),
            "CONV_2D of 3 x 5 x 5 x 8: only the last 3 axes may be larger than 1",
        ),
        (
            edgetpu,
            node("CONV_2D", (1, 5, 5, 8), (1, 3, 3, 8), dtype="float32"),
            "CONV_2D computes in float32",
        ),
        (
            edgetpu,
            node("FULLY_CONNECTED", (1, 4, 9), (1, 4, 3)),
            "FULLY_CONNECTED of more than one sample",
        ),
    ],
)
def test_rules_of_delegates(delegate, given, reason):
    assert delegate.rejects(given) == reason


def test_dynamic_sizes_are_rejected():
    tensor = Operand((1, 9), "float32", constant=False, dynamic=True)
    given = Node("RELU", (tensor,), (tensor,), None)
    for delegate in (gpu, nnapi):
        assert "known only at run time" in delegate.rejects(given)


def test_a_plain_conversion_of_a_volume_network_is_not_fit(tmp_path):
    import keras
    import tensorflow as tf

    inputs = keras.Input((3, 3, 8, 1))
    outputs = keras.layers.Dense(2)(
        keras.layers.Flatten()(keras.layers.Conv3D(4, 3, activation="relu")(inputs))
    )
    path = tmp_path / "plain.tflite"
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(inputs, outputs))
    path.write_bytes(converter.convert())
    found = {one.delegate: one for one in check_compatibility(find_subjects([path]), Silent())}
    assert "no CONV_3D" in " ".join(found["GPU"].reasons)
    assert "no CONV_3D" in " ".join(found["NNAPI"].reasons)
    assert found["Edge TPU"].supported_operators == 0
    # The converter's own analyzer lets it pass; when that changes, its reasons are told as well.
    assert set(analyzer_warnings(path)) <= set(range(len(nodes(path))))


def test_what_is_lowered_is_fit(exported):
    found = {
        one.delegate: one
        for one in check_compatibility(find_subjects([exported / "int8"]), Silent())
    }
    assert found["NNAPI"].supported_operators == found["NNAPI"].operators
    assert found["GPU"].supported_operators == found["GPU"].operators
