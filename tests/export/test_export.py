from __future__ import annotations

import json

import numpy as np
import pytest

from hsitf.export.bundle import GOLDEN, LABELS, RECORD, Bundle, GoldenVectors
from hsitf.export.variants import VARIANTS
from hsitf.records import GoldenRecord, TensorSpec
from hsitf.runtimes import LiteRT, dequantize
from hsitf.trust import SUFFIX

# Geometry: 24 bands are enough for he, whose patch of 7 leaves room for a random split only.
HE = ("--model", "he", "--split", "random", "--train", "60")


@pytest.fixture(scope="module")
def exported(shell):
    trained = shell("train", *HE, *shell.SCENE, "--epochs", "6")
    assert trained.returncode == 0, trained.stderr
    done = shell("export", *HE, *shell.SCENE, "--all")
    assert done.returncode == 0, done.stderr
    return done, shell.folder / "export/tiny/he"


def test_every_variant_is_a_bundle(exported):
    _, folder = exported
    assert {path.name for path in folder.iterdir()} == set(VARIANTS)
    for name in VARIANTS:
        bundle = Bundle.open(folder / name)
        names = {path.name for path in bundle.folder.iterdir()}
        # A program is signed by whoever exported it.
        signed = {f"{bundle.record.file}{SUFFIX}"} if name == "saved-model" else set()
        assert names == {bundle.record.file, RECORD, GOLDEN, LABELS} | signed


def test_the_run_at_hand_is_used(exported):
    assert "using models/tiny/he/random-custom-seed0" in exported[0].stderr


def test_the_table_has_a_line_a_variant(exported):
    lines = exported[0].stdout.splitlines()
    assert lines[0].startswith("he on tiny: ")
    for name in VARIANTS:
        assert any(line.startswith(f"{name} ") for line in lines)


def test_floats_are_the_network(exported):
    for name in ("float32", "onnx", "saved-model"):
        record = Bundle.open(exported[1] / name).record
        assert record.agreement == 1
        assert record.relative_logit_error <= 1e-4
        assert record.oa == record.oa_keras
    half = Bundle.open(exported[1] / "float16").record
    assert half.relative_logit_error <= 1e-2
    assert 0.45 < half.bytes / half.bytes_float32 < 0.6


def test_int8_is_integer_throughout(exported):
    record = Bundle.open(exported[1] / "int8").record
    assert record.integer_share == 1
    assert record.max_rank <= 4
    assert {operator.dtype for operator in record.operators} == {"int8"}
    assert "CONV_3D" not in {operator.op for operator in record.operators}
    assert record.input.dtype == record.output.dtype == "int8"
    assert record.input.scale > 0
    assert record.calibration_patches > 0
    # A quarter of the weights, and the same description of the graph.
    assert record.bytes / record.bytes_float32 < 0.45


def test_golden_vectors_replay_bit_for_bit(exported):
    bundle = Bundle.open(exported[1] / "int8")
    runtime = LiteRT(bundle.file)
    with np.load(bundle.folder / GOLDEN, allow_pickle=False) as golden:
        for stored, expected, real in zip(
            golden["stored_inputs"], golden["stored_outputs"], golden["outputs"], strict=True
        ):
            received = runtime.infer(stored[None])
            np.testing.assert_array_equal(received[0], expected)
            np.testing.assert_array_equal(dequantize(received, runtime.output)[0], real)


def test_other_kernels_are_as_far_off_as_the_record_says(exported):
    bundle = Bundle.open(exported[1] / "int8")
    stated = bundle.record.golden
    assert (stated.engine, stated.other_engine) == ("LiteRT (XNNPACK)", "LiteRT")
    plain = LiteRT(bundle.file, delegate=False)
    with np.load(bundle.folder / GOLDEN, allow_pickle=False) as golden:
        received = np.concatenate([plain.infer(one[None]) for one in golden["stored_inputs"]])
        difference = np.abs(received.astype(int) - golden["stored_outputs"])
        assert (difference.max(), (difference > 0).sum()) == (stated.largest, stated.differing)
        assert difference.size == stated.outputs
        assert ("other_outputs" in golden) == (stated.differing > 0)


class Doubling:
    """A runtime of whole numbers that gives the inputs times a factor."""

    batch = 2

    def __init__(self, engine, factor):
        self.engine, self.factor = engine, factor
        self.input = self.output = TensorSpec("x", (2, 1), "int8", 0.5, 0)

    def infer(self, stored):
        return stored * np.int8(self.factor)


def test_differences_of_kernels_by_hand(tmp_path):
    patches = np.array([[0.5], [1.0], [2.0], [-1.5]], np.float32)
    golden = GoldenVectors.of(Doubling("one", 1), np.arange(4), patches, patches)
    assert golden.record is None
    assert golden.stored_outputs.ravel().tolist() == [1, 2, 4, -3]
    other = golden.beside(Doubling("other", 2))
    assert other.record == GoldenRecord("one", "other", outputs=4, differing=4, largest=4.0)
    for vectors, names in ((golden, set()), (golden.beside(Doubling("same", 1)), set())):
        vectors.save(tmp_path / "golden.npz")
        with np.load(tmp_path / "golden.npz") as found:
            assert set(found) & {"other_outputs", "engine"} == names
    other.save(tmp_path / "golden.npz")
    with np.load(tmp_path / "golden.npz") as found:
        assert found["other_outputs"].ravel().tolist() == [2, 4, 8, -6]


def test_labels_are_the_classes_in_order(exported, tiny):
    # A cube given by its path has classes without names.
    text = (exported[1] / "int8" / LABELS).read_text()
    assert text.splitlines() == [f"class {k}" for k in range(1, tiny.classes + 1)]


def test_the_record_has_what_others_build_on(exported):
    record = json.loads((exported[1] / "int8" / RECORD).read_text())
    wanted = "model scene split leakage variant file bytes sha256 oa_keras oa aa kappa agreement"
    wanted += " max_abs_logit_error operators integer_share latency_ms input output versions"
    assert set(wanted.split()) <= set(record)
    assert {"p50", "p90", "p99", "runs", "threads"} <= set(record["latency_ms"])
    assert {"scale", "zero_point"} <= set(record["input"])


def test_a_batched_file_takes_its_batch(exported, shell):
    done = shell("export", *HE, *shell.SCENE, "--int8", "--batch", "8")
    assert done.returncode == 0, done.stderr
    record = Bundle.open(exported[1] / "int8-batch8").record
    assert record.input.shape[0] == record.output.shape[0] == record.batch == 8


def test_a_file_outside_its_bounds_is_not_published(exported, shell, tmp_path):
    # No file agrees so well that it may lose less than nothing.
    from hsitf.bounds import Bounds
    from hsitf.errors import VerificationError
    from hsitf.metrics import Scores
    from hsitf.verify import Verification

    scores = Scores(0.9, 0.9, 0.9, (0.9,), (0.9,), (10,))
    worse = Scores(0.8, 0.8, 0.8, (0.8,), (0.8,), (10,))
    judged = Verification(scores, worse, 0.85, 3.0, 0.5, 10)
    with pytest.raises(VerificationError, match=r"agreement 85.*relative error.*10\.00 points"):
        judged.check(Bounds(0.95, 0.1, 1.0), "he-int8")


def test_an_exchanged_file_is_noticed(exported):
    from hsitf.errors import DataError

    bundle = Bundle.open(exported[1] / "dynamic")
    content = bundle.file.read_bytes()
    bundle.file.write_bytes(content[:-1] + b"!")
    with pytest.raises(DataError, match="another SHA-256"):
        Bundle.open(bundle.folder)
    bundle.file.write_bytes(content)


@pytest.mark.slow
def test_without_a_run_a_short_one_is_trained(shell):
    done = shell("export", "--model", "hu", *shell.SCENE, "--int8", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert "training one with the robust recipe and the short schedule, 60 epochs" in done.stderr
    assert (shell.folder / "models/tiny/hu/disjoint-short-robust-seed3/network.keras").is_file()


def test_from_a_run_the_scene_is_the_runs(exported, shell):
    run = "models/tiny/he/random-custom-seed0"
    done = shell("export", "--model", "he", "--from", run, "--float32", "--out", "elsewhere")
    assert done.returncode == 0, done.stderr
    assert (shell.folder / "elsewhere/tiny/he/float32/he.tflite").is_file()
