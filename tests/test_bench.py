"""`python -m hsitf.bench` as a user types it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from hsitf.bench.engines import ENGINES, engine
from hsitf.bench.measured import measure
from hsitf.bench.subject import subjects
from hsitf.errors import InputError
from hsitf.export.bundle import Bundle
from hsitf.progress import Silent
from hsitf.runtimes import LiteRT

HU = ("--model", "hu")


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
    files = [("hu int8", "litert"), ("hu int8", "litert-plain"), ("hu int16", "litert"),
             ("hu int16", "litert-plain"), ("hu onnx", "onnxruntime")]  # fmt: skip
    assert found == {(*pair, threads) for pair in files for threads in (1, 2)}


def test_rows_are_what_the_records_say(measured, exported):
    for row in json.loads(measured[1].read_text())["rows"]:
        record = Bundle.open(exported / row["name"].split()[1]).record
        assert row["bytes"] == record.bytes
        assert row["oa"] == record.oa
        assert row["agreement"] == record.agreement
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
        assert row["pixels_per_second"] == pytest.approx(1e3 / row["p50_ms"])
        assert row["memory"] > 0
        assert 0 < row["zipped"] < 2 * row["bytes"]


def test_the_delegate_is_told(measured):
    rows = json.loads(measured[1].read_text())["rows"]
    found = {(row["name"], row["engine"]): row["delegates"] for row in rows}
    assert found["hu int8", "litert"] >= 1
    assert found["hu int8", "litert-plain"] == 0
    # XNNPACK has no kernels for activations of 16 bits.
    assert found["hu int16", "litert"] == 0
    assert found["hu onnx", "onnxruntime"] is None


def test_the_other_formats_hold_the_same(measured):
    record = json.loads(measured[1].read_text())
    with measured[1].with_suffix(".csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == [row["name"] for row in record["rows"]]
    assert float(rows[0]["p50_ms"]) == record["rows"][0]["p50_ms"]
    text = measured[1].with_suffix(".md").read_text()
    assert text.count("| hu int8 |") == 4
    assert "hsitf.bench" in text
    assert "OA and agreement on the test pixels of tiny." in measured[0].stdout


def test_a_bare_file_is_measured_without_accuracy(exported):
    (one,) = subjects([exported / "int8/hu.tflite"])
    (row,) = measure([one], [engine("litert")], [1], Silent()).rows
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
        (("export/tiny/hu/onnx", "--engine", "litert"), "no engine takes these files"),
    ],
)
def test_what_cannot_be_is_said(shell, exported, words, message):
    done = shell("bench", *words, "--out", "none")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (shell.folder / "none").exists()


def test_every_engine_says_which_files_it_takes():
    assert {one.suffix for one in ENGINES.values()} == {".tflite", ".onnx"}
    with pytest.raises(InputError, match="engine"):
        engine("none")
