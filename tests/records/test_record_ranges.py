"""Records hold numbers that can be, and that fit each other, whoever wrote them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hsitf import records
from hsitf.errors import DataError
from hsitf.export.bundle import Bundle
from hsitf.records import ExportRecord, RunRecord, SceneRecord

sys.path.insert(0, str(Path(__file__).parent))
from test_records import EXPORT, RUN, SCENE

KINDS = {"run": (RunRecord, RUN), "export": (ExportRecord, EXPORT), "scene": (SceneRecord, SCENE)}


def damaged(kind, place, value):
    """The text of a record with another value at a place such as "scores.oa"."""
    content = json.loads(
        json.dumps(
            records.json._adapter(type(KINDS[kind][1])).dump_python(KINDS[kind][1], mode="json")
        )
    )
    inner = content
    *way, last = place.split(".")
    for key in way:
        inner = inner[int(key) if isinstance(inner, list) else key]
    inner[int(last) if isinstance(inner, list) else last] = value
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("kind", "place", "value"),
    [
        ("export", "class_names", []),
        ("export", "class_names", ["corn"]),
        ("export", "class_names", ["corn", "wheat", "oats"]),
        ("export", "patch", 3),
        ("export", "patch", 0),
        ("export", "batch", -3),
        ("export", "batch", 4),
        ("export", "tile", -1),
        ("export", "oa", 7.5),
        ("export", "oa", float("nan")),
        ("export", "kappa", -1.5),
        ("export", "bytes", -5),
        ("export", "scene", "../../evil"),
        ("export", "scene", ""),
        ("export", "scene", "1" * 256),
        ("export", "model", "..\\evil"),
        ("export", "file", ".."),
        ("export", "file", "/etc/passwd"),
        ("export", "class_colors", [[1, 2, 3]]),
        ("export", "class_colors", [[1, 2, 3], [1, 2, 256]]),
        ("export", "wavelengths", [float("inf")] * 6),
        ("export", "wavelengths", [400.0] * 5),
        ("export", "band_numbers", [-1, 2, 3, 4, 5, 6]),
        ("export", "fwhm", [1.0]),
        ("export", "scale", [1.0, 2.0]),
        ("export", "latency_ms.p50", -1),
        ("export", "input.shape", [1, 9, 0, 6]),
        ("export", "input.shape", [9, 9, 6]),
        ("export", "input.scale", 0),
        ("export", "output.shape", [1, 5]),
        ("export", "operators.0.count", -1),
        ("run", "scene.name", "a/b"),
        ("run", "scene.class_names", []),
        ("run", "scene.class_names", ["corn"]),
        ("run", "scene.shape", [4, 5, -6]),
        ("run", "scene.shape", [4, 5, 7]),
        ("run", "scores.oa", -0.1),
        ("run", "scores.per_class", [1.0]),
        ("run", "scores.matrix", [[1, 2], [3]]),
        ("run", "scores.support", [-5, 3]),
        ("run", "split.test", -8),
        ("run", "split.leakage_patch", 1.2),
        ("run", "history.0.loss", float("inf")),
        ("run", "best_epoch", 3),
        ("run", "best_epoch", -1),
        ("run", "seconds", -1.0),
        ("run", "normalizer", {"offset": [0.0], "scale": [1.0]}),
        ("run", "tile_stride", 0),
        ("scene", "fwhm", [-1.0] * 6),
    ],
)
def test_what_cannot_be_is_refused(kind, place, value):
    with pytest.raises(DataError, match=r"^cube/record\.json is not a \w+Record; received: .+"):
        records.parse(KINDS[kind][0], damaged(kind, place, value), "cube/record.json")


def test_infinity_in_other_words_is_refused():
    text = damaged("run", "history.0.loss", 1.5).replace(b'"loss": 1.5', b'"loss": 1e999')
    with pytest.raises(DataError, match="not finite"):
        records.parse(RunRecord, text, "record.json")


@pytest.mark.parametrize("number", [1 << 64, 10**400])
def test_whole_numbers_beyond_any_array_are_refused(number):
    text = damaged("run", "split.train", 7_777_777).replace(b"7777777", str(number).encode())
    with pytest.raises(DataError, match="a whole number beyond 9,223,372,036,854,775,807"):
        records.parse(RunRecord, text, "record.json")


@pytest.mark.parametrize("text", ["models/a\\u0000b", "\\u0000"])
def test_a_text_that_no_file_is_called_by_is_refused(text):
    found = damaged("export", "file", "NAME").replace(b'"NAME"', f'"{text}"'.encode())
    with pytest.raises(DataError, match="a text with the character 0"):
        records.parse(ExportRecord, found, "record.json")


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_be_is_read(kind):
    found = records.parse(
        KINDS[kind][0],
        damaged(kind, "class_names", ["corn", "wheat"])
        if kind != "run"
        else damaged(kind, "seconds", 1.0),
        "x",
    )
    assert found == KINDS[kind][1]


class File:
    """What a runtime knows of its file."""

    def __init__(self, **changes):
        self.input, self.output = EXPORT.input, EXPORT.output
        for name, changed in changes.items():
            setattr(self, name, replace(getattr(self, name), **changed))


def test_a_bundle_is_compared_with_its_file():
    bundle = Bundle(Path("bundle"), EXPORT)
    bundle.check_runtime(File())
    # Names are a matter of the engine.
    bundle.check_runtime(File(input={"name": "serving_default_x:0"}))
    for changed in (
        {"input": {"shape": (1, 9, 9, 7)}},
        {"input": {"dtype": "float32"}},
        {"input": {"scale": 0.5}},
        {"input": {"zero_point": 3}},
        {"output": {"shape": (1, 3)}},
    ):
        with pytest.raises(DataError, match=r"is not the file that its record describes"):
            bundle.check_runtime(File(**changed))


def test_golden_vectors_that_do_not_fit(tmp_path):
    bundle = Bundle(tmp_path, EXPORT)
    good = np.zeros((16, 9, 9, 6), np.int8)
    for inputs in (good[:0], good[:, :5], good.astype(np.int16), good[0, 0, 0, 0]):
        np.savez(tmp_path / "golden.npz", stored_inputs=inputs)
        with (
            pytest.raises(DataError, match="does not hold golden vectors"),
            bundle.golden(["stored_inputs"]),
        ):
            pass
    np.savez(tmp_path / "golden.npz", stored_inputs=good)
    with bundle.golden(["stored_inputs"]) as found:
        assert found["stored_inputs"].shape == good.shape
