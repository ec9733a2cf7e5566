from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from hsitf import records
from hsitf.errors import DataError, OutputError
from hsitf.metrics import Scores
from hsitf.records import (
    SCHEMA,
    BandsRecord,
    Epoch,
    ExportRecord,
    FileStats,
    Latency,
    ModelStats,
    OperatorCount,
    PruningRecord,
    RunRecord,
    SceneChoice,
    SceneRecord,
    SplitRecord,
    TensorSpec,
    TrainingPlan,
)
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.splits import SplitOptions
from hsitf.zoo import Recipe

CHOICE = SceneChoice("cube.npy", labels="labels.npy", drop=("class 3", "Röte"))
PLAN = TrainingPlan(
    "hu",
    CHOICE,
    SplitOptions(train=0.5, guard=3),
    Recipe("sgd", 0.01, weight_decay=1e-4),
    "full",
    7,
)
SCENE = SceneRecord("cube", (4, 5, 6), ("corn", "wheat"), False, {"cube.npy": "ab12"})
SPLIT = SplitRecord("disjoint", 7, 3, 10, 2, 8, 1, 0.0, 1 / 3, "ab12")
NORMALIZER = Normalizer((0.1, 1e-30) * 3, (1.0, 2.5) * 3)
SCORES = Scores(0.9, 0.8, -0.1, (1.0, 0.6), (0.7, 0.0), (5, 3))
EPOCH = Epoch(1.5, 0.9, 0.01, 0.25)
FILES = {"float32": FileStats(40, 0.1), "int8": FileStats(10, 0.05)}
STATS = ModelStats(10, 9, 100, FILES, 30, 0.9, 0.8, 0.7)
TENSOR = TensorSpec("patch", (1, 9, 9, 6), "int8", 0.0123, -3)
OPERATOR = OperatorCount("CONV_2D", "int8", 4)
LATENCY = Latency(0.1, 0.2, 0.3, 5.0, 200, 1, "LiteRT (XNNPACK)", "some processor, 2 cores")
RUN = RunRecord(
    schema=SCHEMA,
    plan=PLAN,
    paper="A paper",
    parameters=123,
    scene=SCENE,
    split=SPLIT,
    normalizer=NORMALIZER,
    history=(EPOCH, EPOCH),
    best_epoch=2,
    scores=SCORES,
    seconds=1.0,
    peak_memory=1 << 33,
    sha256="cd34",
    versions={"keras": "3"},
    command="python -m hsitf.train",
)
EXPORT = ExportRecord(
    schema=SCHEMA,
    model="hu",
    scene="cube",
    synthetic=True,
    split=SPLIT,
    leakage=0.0,
    variant="int8",
    file="hu.tflite",
    bytes=10,
    bytes_float32=40,
    sha256="ef56",
    batch=1,
    oa_keras=0.9,
    oa=0.91,
    aa=0.8,
    kappa=0.7,
    oa_drop=-1.0,
    agreement=0.99,
    max_abs_logit_error=0.1,
    relative_logit_error=0.01,
    test_pixels=8,
    lowering_error=1e-6,
    channel_alignment=32,
    operators=(OPERATOR,),
    integer_share=1.0,
    max_rank=4,
    latency_ms=LATENCY,
    input=TENSOR,
    output=TensorSpec("logits", (1, 2), "float32"),
    class_names=("corn", "wheat"),
    normalizer=NORMALIZER,
    patch=9,
    bands=6,
    calibration_patches=512,
    versions={},
    run_folder="models/cube/hu/a",
    run_sha256="cd34",
    command="python -m hsitf.export",
)
ALL = [CHOICE, PLAN, SCENE, SPLIT, EPOCH, RUN, OPERATOR, TENSOR, LATENCY, EXPORT]


@pytest.mark.parametrize("record", ALL, ids=lambda record: type(record).__name__)
def test_round_trip(record, tmp_path):
    records.write(record, tmp_path / "record.json")
    assert records.read(type(record), tmp_path / "record.json") == record


@pytest.mark.parametrize("train", [None, 50, 0.65, 1 - 1e-16])
def test_shares_and_numbers_of_pixels_stay_apart(train, tmp_path):
    options = SplitOptions("random", train=train)
    records.write(options, tmp_path / "record.json")
    found = records.read(SplitOptions, tmp_path / "record.json").train
    assert (found, type(found)) == (train, type(train))


def test_is_text_for_people(tmp_path):
    records.write(CHOICE, tmp_path / "record.json")
    text = (tmp_path / "record.json").read_text(encoding="utf-8")
    assert text.startswith('{\n  "source": "cube.npy",\n')
    assert text.endswith("}\n")
    assert "Röte" in text


def test_a_run_from_before_decoders_were_trained_is_read(tmp_path):
    records.write(RUN, tmp_path / "record.json")
    content = json.loads((tmp_path / "record.json").read_text())
    del content["unlabelled"]
    (tmp_path / "record.json").write_text(json.dumps(content))
    assert records.read(RunRecord, tmp_path / "record.json").unlabelled == 0


def changed(tmp_path, **values):
    records.write(RUN, tmp_path / "record.json")
    content = json.loads((tmp_path / "record.json").read_text()) | values
    (tmp_path / "record.json").write_text(json.dumps(content))
    return tmp_path / "record.json"


def assert_refused(path, *words):
    with pytest.raises(DataError) as caught:
        records.read(RunRecord, path)
    for word in (str(path), *words):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_truncated(tmp_path, share):
    path = changed(tmp_path)
    text = path.read_bytes()
    path.write_bytes(text[: int(share * len(text))])
    assert_refused(path, "is not a RunRecord", "EOF")


@pytest.mark.parametrize("content", [b"\x00\xff", b"[]", b"null", b"<html>"])
def test_something_else(tmp_path, content):
    (tmp_path / "record.json").write_bytes(content)
    assert_refused(tmp_path / "record.json", "is not a RunRecord")


def test_wrong_type_is_placed(tmp_path):
    assert_refused(changed(tmp_path, best_epoch="last"), "received: best_epoch: ", "integer")
    assert_refused(changed(tmp_path, history=[{"loss": 1}]), "history.0.validation_oa")


def test_missing_field(tmp_path):
    path = changed(tmp_path)
    content = json.loads(path.read_text())
    del content["plan"]["recipe"]["learning_rate"]
    path.write_text(json.dumps(content))
    assert_refused(path, "plan.recipe.learning_rate: Field required")


def test_value_that_its_own_class_refuses(tmp_path):
    plan = json.loads(changed(tmp_path).read_text())["plan"]
    plan["split"]["kind"] = "diagonal"
    assert_refused(changed(tmp_path, plan=plan), "is not a RunRecord", "unknown split 'diagonal'")


def test_another_schema(tmp_path):
    words = f"received: schema {SCHEMA + 1}; allowed: schema 1 to {SCHEMA}"
    assert_refused(changed(tmp_path, schema=SCHEMA + 1), "another version of hsitf", words)


def test_another_schema_with_other_fields(tmp_path):
    # What the number is for: a later version may have dropped a field.
    path = changed(tmp_path, schema=SCHEMA + 1)
    content = json.loads(path.read_text())
    del content["paper"]
    path.write_text(json.dumps(content))
    assert_refused(path, "another version of hsitf")


def test_no_record(tmp_path):
    assert_refused(tmp_path / "record.json", "no record")


def test_a_number_that_is_none_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="nan"):
        records.write(Epoch(float("nan"), 0.5, 0.1, 1.0), tmp_path / "record.json")
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "models").write_text("")
    with pytest.raises(OutputError):
        records.write(CHOICE, tmp_path / "models" / "record.json")


def test_versions_name_what_decides():
    assert {"python", "hsitf", "keras", "numpy"} <= set(records.versions())


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["/x/hsitf/train/__main__.py", "-m", "hu"], "python -m hsitf.train -m hu"),
        (
            ["/x/hsitf/__main__.py", "train", "--scene", "my cube.npy"],
            "python -m hsitf train --scene 'my cube.npy'",
        ),
        (["/usr/bin/hsitf", "export", "--int8"], "hsitf export --int8"),
    ],
)
def test_command_can_be_typed_again(monkeypatch, argv, expected):
    monkeypatch.setattr("sys.argv", argv)
    assert records.command() == expected


def test_a_run_of_schema_1_is_read(tmp_path):
    pruning = PruningRecord(
        *("origin", "ab12", "channels", "l1", "ratio 0.5", "iterative", 4, ()),
        *(STATS, STATS, STATS, 1, "some processor"),
    )
    bands = BandsRecord("pca:3", 3, (), True, "", "ef56")
    run = replace(RUN, pruning=pruning, bands=bands)
    records.write(run, tmp_path / "record.json")
    text = (tmp_path / "record.json").read_text().replace('"schema": 3', '"schema": 1')
    for new, old in {
        "batch_size": "batch",
        "weight_decay": "l2",
        "learning_rate_decay": "decay",
        "flip_rotate": "turn",
        "brightness_noise": "radiation",
        "intra_class_mixup": "mixture",
        "class_weights": "balanced",
        "iterations": "steps",
        "spec": "text",
        "selected": "chosen",
        "foldable": "fusable",
    }.items():
        assert text.count(f'"{new}": ') == 1, new
        text = text.replace(f'"{new}": ', f'"{old}": ')
    content = json.loads(text)
    for stage in ("before", "thinned", "after"):
        del content["pruning"][stage]["files"]
        content["pruning"][stage] |= FORMER_FILES
    (tmp_path / "old.json").write_text(json.dumps(content))
    # Components had unit deviation each.
    bands = replace(bands, spec="pca-whiten:3")
    assert records.read(RunRecord, tmp_path / "old.json") == replace(run, bands=bands)


STATS_1 = {"parameters": 10, "nonzero": 9, "macs": 100, "bytes_zipped": 30}
STATS_1 |= {"oa": 0.9, "aa": 0.8, "kappa": 0.7, "schema": 1}
FORMER_FILES = {"bytes_float32": 40, "bytes_int8": 10, "ms_float32": 0.1, "ms_int8": 0.05}


def test_files_of_schema_1_are_read_by_variant():
    def read(**files: float) -> ModelStats:
        return records.parse(ModelStats, json.dumps(STATS_1 | files).encode(), "old.json")

    assert read(**FORMER_FILES) == STATS
    # 0 stood for what was not measured.
    assert read(**dict.fromkeys(FORMER_FILES, 0)) == replace(STATS, files={})
    damaged = {key: value for key, value in FORMER_FILES.items() if key != "ms_int8"}
    with pytest.raises(DataError, match=r"files\.int8\.milliseconds: Field required"):
        read(**damaged)
    assert list(STATS.compressed_files) == ["int8"]


@pytest.mark.parametrize(
    ("then", "today"),
    [
        ("", ""),
        ("pca:30", "pca-whiten:30"),
        ("svd:3", "svd-whiten:3"),
        ("ica:30", "ica:30"),
        ("nmf:30", "nmf:30"),
        ("forest-rfe:8", "forest-rfe:8"),
        ("select:1,2", "select:1,2"),
        ("weights.npz", "weights.npz"),
    ],
)
def test_reductions_of_schema_2_are_whitened(tmp_path, then, today):
    bands = BandsRecord(then, 3, (), True, "", "ef56")
    run = replace(RUN, plan=replace(RUN.plan, bands=then), bands=bands)
    records.write(run, tmp_path / "record.json")
    assert records.read(RunRecord, tmp_path / "record.json") == run
    text = (tmp_path / "record.json").read_text()
    (tmp_path / "old.json").write_text(text.replace('"schema": 3', '"schema": 2'))
    found = records.read(RunRecord, tmp_path / "old.json")
    assert (found.plan.bands, found.bands.spec) == (today, today)


@records.formerly_written(spec=lambda spec: f"old {spec}")
@dataclass(frozen=True)
class Inner:
    spec: str


@dataclass(frozen=True)
class Outer:
    one: Inner | None
    several: tuple[Inner, ...]
    named: dict[str, Inner]


def test_values_are_upgraded_at_every_depth_once():
    text = b'{"schema": 2, "one": null, "several": [{"spec": "a"}], "named": {"b": {"spec": "b"}}}'
    expected = Outer(None, (Inner("old a"),), {"b": Inner("old b")})
    assert records.parse(Outer, text, "old.json") == expected
    today = Outer(None, (Inner("a"),), {"b": Inner("b")})
    assert records.parse(Outer, text.replace(b"2", b"3", 1), "new.json") == today
    with pytest.raises(TypeError, match="Inner has no field text"):
        records.formerly_written(text=str)(Inner)


def test_a_former_shape_is_read_before_former_names():
    def nested(content):
        low, *rest = content.pop("range", [])
        return content | {"low": low} | ({"high": rest[0]} if rest else {})

    @records.formerly(upper="high")
    @records.formerly_shaped(nested)
    @dataclass(frozen=True)
    class Interval:
        low: int
        upper: int

    text = b'{"schema": 1, "range": [1, 3]}'
    assert records.parse(Interval, text, "old.json") == Interval(1, 3)
    with pytest.raises(DataError, match="upper: Field required"):
        records.parse(Interval, b'{"schema": 1, "range": [1]}', "old.json")
    with pytest.raises(DataError, match="low: Field required"):
        records.parse(Interval, text.replace(b"1,", b"2,", 1), "new.json")
