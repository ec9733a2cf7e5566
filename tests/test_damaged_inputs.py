"""Damage that once ended in a traceback, each kind by the least that shows it."""

from __future__ import annotations

import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import rasterio
from onnx import TensorProto, helper

from hsitf import records
from hsitf.adopt import keras_file
from hsitf.adopt.pytorch.pickled import requested_names
from hsitf.bench.android import _records
from hsitf.bench.measurement import BenchResult
from hsitf.compress.candidates import CandidateFiles
from hsitf.data import load_split
from hsitf.errors import DataError, HsitfError, InputError
from hsitf.export.variants import variant
from hsitf.inspection import onnx as inspect_onnx
from hsitf.literature.claims import read_claims
from hsitf.onnx_files import read_onnx
from hsitf.prune.curve import CurveRequest
from hsitf.records import Epoch, SplitRecord
from hsitf.scenes import load
from hsitf.scenes.class_list import read_classes
from hsitf.scenes.class_numbers import number_in
from hsitf.scenes.image_list import read_image_list
from hsitf.scenes.labels import LabelOptions
from hsitf.scenes.transfer import _number
from hsitf.train.checkpoint import (
    Checkpoint,
    assign_variables,
    check_best,
    read_checkpoint,
    write_checkpoint,
)

# Python refuses to read whole numbers of so many digits.
LONG = "9" * 5000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"1,soil\n{LONG},water\n", "names no class"),
        (f"1,soil\n2,water,{LONG},0,0\n", "holds a color that is none"),
        (f'1,soil\n2,"{"a" * 200_000}"\n', "is no list of classes; received: field larger"),
    ],
)
def test_lists_of_classes(tmp_path, text, words):
    (tmp_path / "classes.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_classes(tmp_path / "classes.csv")


def test_long_numbers_elsewhere(tmp_path):
    assert number_in(f"class {LONG}") is None
    assert _number(LONG) is None
    (tmp_path / "images.toml").write_text(f"[[image]]\nnodata = {LONG}\n")
    with pytest.raises(InputError, match="is no TOML; received: Exceeds the limit"):
        read_image_list(tmp_path / "images.toml")
    with pytest.raises(InputError, match="the claims are no TOML; received: Exceeds the limit"):
        read_claims(f"a = {LONG}")
    with pytest.raises(InputError, match="the claims are no TOML"):
        read_claims("a = " + "[" * 5000)


def test_labels_whose_place_nothing_leads_to(tmp_path):
    """A local system of axes has no way to one on Earth."""
    engineering = (
        'LOCAL_CS["a plant",LOCAL_DATUM["a corner",0],UNIT["metre",1],'
        'AXIS["x",EAST],AXIS["y",NORTH]]'
    )
    for name, crs, rows, values in (
        ("cube", "EPSG:32633", 4, np.ones((3, 4, 5), np.float32)),
        ("labels", engineering, 8, np.ones((1, 8, 5), np.uint8)),
    ):
        with rasterio.open(
            tmp_path / f"{name}.tif",
            "w",
            driver="GTiff",
            height=rows,
            width=5,
            count=len(values),
            dtype=values.dtype,
            crs=crs,
            transform=rasterio.Affine(10, 0, 500000, 0, -10, 4500000),
        ) as file:
            file.write(values)
    with pytest.raises(DataError, match="cannot be resampled to the cube's pixels"):
        load(
            tmp_path / "cube.tif",
            labels=tmp_path / "labels.tif",
            label_options=LabelOptions(align=True),
        )


@pytest.mark.parametrize("suffix", ["h5", "tif"])
def test_a_small_file_of_gigabytes_of_nothing(tmp_path, suffix):
    path = tmp_path / f"cube.{suffix}"
    if suffix == "h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("cube", (2000, 2000, 200), "f4", chunks=(100, 100, 10))
    else:
        facts = {"height": 5000, "width": 5000, "count": 40, "dtype": "float32", "sparse_ok": True}
        with rasterio.open(path, "w", driver="GTiff", tiled=True, **facts):
            pass
    with pytest.raises(DataError, match="says to hold more than its size allows"):
        load(path)


# --- states of trainings ----------------------------------------------------------------------

STATE = Checkpoint([Epoch(1.0, 0.5, 0.1, 2.0)], [np.zeros((3, 2), np.float32)], [], 2.5)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"history": [], "seconds": -1}, "seconds: "),
        ({"history": [], "seconds": "1"}, "seconds: "),
        ({"history": [{"loss": "a"}], "seconds": 1}, "history.0.loss: "),
        ({"history": [[1, 2, 3]], "seconds": 1}, "history.0: "),
        ({"history": 5, "seconds": 1}, "history: "),
        ([], "the whole: "),
    ],
)
def test_history_of_a_state(tmp_path, facts, words):
    path = tmp_path / "state.npz"
    np.savez(path, facts=np.array(json.dumps(facts)))
    with pytest.raises(DataError, match=words):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "values",
    [
        [np.full((3, 2), "a")],
        [np.zeros((3, 2), np.float64)],
        [np.zeros((2, 3), np.float32)],
        [np.zeros((3, 2), np.float32)] * 2,
        [],
    ],
)
def test_variables_of_a_state(tmp_path, values):
    path = tmp_path / "state.npz"
    write_checkpoint(replace(STATE, variables=values, best=values), path)
    found = read_checkpoint(path)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False)])
    with pytest.raises(DataError, match="does not fit the network"):
        assign_variables(network.weights, found.variables, path)
    with pytest.raises(DataError, match="does not fit the network"):
        check_best(network, found.best, path)
    check_best(network, [np.ones((3, 2), np.float32)], path)


# --- records ----------------------------------------------------------------------------------


def test_texts_are_no_numbers():
    """ "1e999" as a text was infinity as a number."""
    text = {"schema": 3, "made": "", "rounds": "3", "runs_per_round": 1, "warm_up": 0}
    text |= {"rows": [], "versions": {}, "command": ""}
    with pytest.raises(DataError, match="rounds: Input should be a valid integer"):
        records.parse(BenchResult, json.dumps(text).encode(), "bench.json")
    assert records.parse(BenchResult, json.dumps(text | {"rounds": 3}).encode(), "").rounds == 3
    for count in (-1, 1.5, True):
        with pytest.raises(DataError, match="rounds: "):
            records.parse(BenchResult, json.dumps(text | {"rounds": count}).encode(), "bench.json")


def test_a_class_that_fails_at_its_own_values(monkeypatch):
    """Whatever error the values of a record cause in its class, the record is damaged."""

    def fails(self):
        raise KeyError("measure")

    monkeypatch.setattr(records.Epoch, "__post_init__", fails, raising=False)
    records.json._ADAPTERS.pop(Epoch, None)
    content = {"loss": 1.0, "validation_oa": 0.5, "learning_rate": 0.1, "seconds": 1.0}
    try:
        with pytest.raises(DataError, match="is not a Epoch; received: KeyError: 'measure'"):
            records.parse(Epoch, json.dumps(content).encode(), "epoch.json")
    finally:
        records.json._ADAPTERS.pop(Epoch, None)


def test_requests_of_measures_that_do_not_exist():
    content = {"schema": 3, "origin_sha256": "", "requests": [{"measure": "evil", "target": 1.0}]}
    with pytest.raises(DataError, match="is not a CurveRequest"):
        records.parse(CurveRequest, json.dumps(content).encode(), "order.json")


def candidate(**changes):
    fidelity = {"agreement": 0.5, "unlabelled": 1, "validation_agreement": 0.5}
    fidelity |= {"accuracy": {"oa": 0.5, "aa": 0.5, "kappa": 0.1}, "expected_drop": 0.0}
    fidelity |= {"drop": {"points": 0.0, "low": 0.0, "high": 0.0, "fields": 1}}
    found = {"step": {"key": "a", "parent": "", "kind": "original", "share": 1.0}, "history": []}
    found |= {"parameters": 1, "macs": 1, "best_epoch": 0, "seconds": 1.0, "fidelity": fidelity}
    return found | {"costs": {"bytes": 9.0, "macs": 1.0, "latency_ms": 0.1}} | changes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"costs": {"bytes": 9.0}}, "costs bytes"),
        ({"costs": {"bytes": -9.0, "macs": 1.0, "latency_ms": 0.1}}, "costs.bytes: "),
        ({"best_epoch": 2}, "best_epoch 2 of 0"),
        ({"parameters": -1}, "parameters: "),
        ({"step": {"key": "b", "parent": "", "kind": "original", "share": 1.0}}, "candidate 'b'"),
    ],
)
def test_candidates_of_a_compression(tmp_path, changes, words):
    files = CandidateFiles(tmp_path, variant("int8"))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "candidate.json").write_text(json.dumps(candidate(**changes)))
    with pytest.raises(DataError, match=words):
        files.find("a")


# --- archives ---------------------------------------------------------------------------------

FLAGS, METHOD = 8, 10


def flagged(path: Path, offset: int, value: int) -> None:
    """Writes a number into the directory of an archive, and into the heads of its members."""
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x01\x02", offset), (b"PK\x03\x04", offset - 2)):
        at = content.find(signature)
        while at >= 0:
            content[at + place : at + place + 2] = value.to_bytes(2, "little")
            at = content.find(signature, at + 1)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "member", "read"),
    [
        ("a.zip", "device.json", _records),
        ("a.pth", "a/data.pkl", requested_names),
        ("a.keras", "config.json", keras_file.read_config),
    ],
)
@pytest.mark.parametrize(("offset", "value"), [(FLAGS, 1), (METHOD, 99), (METHOD, 0xFFFF)])
def test_archives_that_cannot_be_unpacked(tmp_path, name, member, read, offset, value):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, pickle.dumps({}, 2) if name == "a.pth" else b'{"forms": []}')
    flagged(path, offset, value)
    with pytest.raises(DataError):
        read(path)


@pytest.mark.parametrize("text", [b"{", b"[" * 5000, b'{"a": ' + LONG.encode() + b"}", b"\xff"])
def test_configurations_of_keras(tmp_path, text):
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", text)
    with pytest.raises(DataError, match="is no file that Keras wrote"):
        keras_file.read_config(path)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["model_config"] = np.bytes_(text)
    with pytest.raises(HsitfError):
        keras_file.read_config(tmp_path / "a.h5")


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x08\x07", b"onnx" * 100])
def test_what_is_no_onnx_file(tmp_path, content):
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(DataError):
        inspect_onnx(path)


@pytest.mark.parametrize("name", ["image_rows", "train"])
def test_numbers_alone_in_a_split(tmp_path, name):
    arrays = {one: np.arange(3) for one in ("train", "validation", "test", "image_rows")}
    record = SplitRecord("random", 0, 0, 3, 3, 3, 0, None, None, "")
    np.savez(tmp_path / "split.npz", shape=np.array([9, 9]), **(arrays | {name: np.array(0)}))
    with pytest.raises(DataError, match="pixels that are no list"):
        load_split(tmp_path / "split.npz", record)


def test_a_graph_whose_name_is_no_text(tmp_path):
    node = helper.make_node("Identity", ["a"], ["b"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "ab"]
    graph = helper.make_graph([node], "odd-name", ends[:1], ends[1:])
    written = helper.make_model(graph).SerializeToString()
    (tmp_path / "odd.onnx").write_bytes(written.replace(b"odd-name", b"odd\xffname"))
    with pytest.raises(DataError, match="a name that is no text"):
        read_onnx(tmp_path / "odd.onnx")
