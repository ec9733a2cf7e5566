"""What is decided of a file before work on it begins."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from hsitf.export.job import Job, PreprocessingRecipe
from hsitf.export.request import ExportRequest
from hsitf.export.variants import VARIANTS

FOLDABLE = SimpleNamespace(foldable=True)


def job(variant: str, reducer: object = None, adopted: object = None, **options: object) -> Job:
    """The job of one variant, of a request for that one alone."""
    record = SimpleNamespace(
        plan=SimpleNamespace(network="cao"),
        scene=SimpleNamespace(name="fields"),
        adopted=adopted,
        tile=0,
    )
    run = SimpleNamespace(record=record, label="cao-pruned")
    kind = VARIANTS[variant]
    return Job.of(ExportRequest((kind,), **options), kind, run, reducer)


def test_names_and_places():
    one = job("int8", batch=4, root=Path("files"))
    assert one.folder == Path("files/fields/cao-pruned/int8-batch4")
    assert one.label == "cao-int8"
    assert one.file_name == "cao.tflite"
    assert job("saved-model").file_name == "cao"


def test_dense_layers_have_one_scale_where_the_demos_runtime_needs_it():
    assert job("int8", android=True).per_tensor_dense
    assert not job("int8").per_tensor_dense
    assert not job("int8", android=True, tile=8).per_tensor_dense
    assert not job("int8", android=True, calibration="mse").per_tensor_dense
    assert not job("float32", android=True).per_tensor_dense


def test_a_bound_replaces_the_variants_own():
    assert job("int8").bounds == VARIANTS["int8"].bounds
    assert job("int8").max_drop is None
    assert job("int8", max_drop=0.5).bounds.oa_drop == 0.5
    assert job("int8", max_drop=0.5).max_drop == 0.5


def test_where_no_technique_helps_a_bound_only_refuses():
    assert job("onnx", max_drop=0.5).bounds.oa_drop == 0.5
    assert job("onnx", max_drop=0.5).max_drop is None


@pytest.mark.parametrize(
    ("variant", "options", "roots"),
    [
        ("int8", {}, False),
        ("int8", {"max_drop": 0.5}, True),
        ("int8", {"calibration": "kl"}, True),
        ("onnx-int8", {"calibration": "kl"}, False),
        ("float32", {"max_drop": 0.5}, False),
    ],
)
def test_ranges_that_are_chosen_need_roots(variant, options, roots):
    assert job(variant, **options).arithmetic.square_root_powers is roots


def test_ranges_are_chosen_only_where_they_can_be():
    both = ExportRequest((VARIANTS["int8"], VARIANTS["float32"]), calibration="kl")
    run = SimpleNamespace(
        record=SimpleNamespace(
            plan=SimpleNamespace(network="cao"),
            scene=SimpleNamespace(name="s"),
            adopted=None,
            tile=0,
        ),
        label="cao",
    )
    estimators = [Job.of(both, kind, run, None).range_estimator for kind in both.variants]
    assert estimators == ["kl", None]


def test_the_alignment_is_the_targets_or_the_users():
    assert job("int8").arithmetic.channel_alignment == VARIANTS["int8"].arithmetic.channel_alignment
    assert job("int8", channel_alignment=1).arithmetic.channel_alignment == 1


@pytest.mark.parametrize(
    ("variant", "reducer", "options", "recipe"),
    [
        ("float32", None, {}, PreprocessingRecipe(False, False, False)),
        ("float32", FOLDABLE, {}, PreprocessingRecipe(True, False, False)),
        ("int8", FOLDABLE, {}, PreprocessingRecipe(False, False, False)),
        ("int8", FOLDABLE, {"fold_preprocessing": True}, PreprocessingRecipe(True, True, False)),
        ("int8", None, {"qat": True}, PreprocessingRecipe(False, False, True)),
    ],
)
def test_what_happens_before_lowering(variant, reducer, options, recipe):
    assert job(variant, reducer, **options).recipe == recipe


def test_only_the_training_changes_with_qat():
    one = job("int8", max_drop=0.5)
    assert one.with_qat().recipe.qat
    assert one.with_qat().bounds == one.bounds


def test_extras_are_for_tflite_alone():
    assert job("int8", c_array=True).c_source
    assert job("int8", tflm=True).tflm
    both = ExportRequest((VARIANTS["int8"], VARIANTS["onnx"]), c_array=True, tflm=True)
    run = SimpleNamespace(
        record=SimpleNamespace(
            plan=SimpleNamespace(network="cao"),
            scene=SimpleNamespace(name="s"),
            adopted=None,
            tile=0,
        ),
        label="cao",
    )
    assert not Job.of(both, VARIANTS["onnx"], run, None).c_source
    assert not Job.of(both, VARIANTS["onnx"], run, None).tflm


def test_learned_ranges_are_used_where_nothing_else_is_asked_for():
    adopted = SimpleNamespace(activation_ranges={"conv1": (0.0, 6.0)})
    assert job("int8", adopted=adopted).learned_ranges
    assert not job("int8").learned_ranges
    assert not job("int8", adopted=SimpleNamespace(activation_ranges={})).learned_ranges
    assert not job("int8", adopted=adopted, calibration="min-max").learned_ranges
    assert not job("int8", adopted=adopted, qat=True).learned_ranges
    assert not job("int8", adopted=adopted, max_drop=1.0).with_qat().learned_ranges
    assert not job("float32", adopted=adopted).learned_ranges
