"""Drawings of networks."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import keras
import pytest
from keras import layers
from typer.testing import CliRunner

from hsitf import zoo
from hsitf.commands.draw import app
from hsitf.cost import cost
from hsitf.draw.plan import diagram, with_original_widths
from hsitf.errors import InputError


def branched(width: int = 4) -> keras.Model:
    inputs = keras.Input((6, 6, 3), name="patch")
    x = layers.Conv2D(width, 3, name="first")(inputs)
    x = layers.ReLU(name="open")(layers.BatchNormalization(name="norm")(x))
    y = layers.Conv2D(width, 1, name="side")(x)
    x = layers.Flatten(name="flat")(layers.Add(name="sum")([x, y]))
    return keras.Model(inputs, layers.Dense(2, name="logits")(x))


def test_boxes_by_hand():
    found = {box.name: box for box in diagram(branched()).boxes}
    assert list(found) == ["patch", "first", "side", "sum", "flat", "logits"]
    first = found["first"]
    assert first.shape == (4, 4, 4)
    # 3 x 3 x 3 x 4 weights and 4 biases; four numbers a channel of the normalization.
    assert first.parameters == 112 + 16
    assert first.macs == 108 * 16
    assert first.followers == ("batch normalization", "ReLU")
    assert first.kind == "Conv2D 4, 3 x 3"
    assert [found[name].row for name in ("first", "side", "sum", "flat", "logits")] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert found["sum"].inputs == (1, 2)


@pytest.mark.parametrize("name", ["cao", "he", "hu", "mou", "santara", "resnet20"])
def test_a_drawing_adds_up_to_the_network(name):
    bands, classes = (3, 10) if name == "resnet20" else (60, 5)
    network = zoo.build(name, bands=bands, classes=classes)
    found = diagram(network)
    assert (found.parameters, found.macs) == cost(network)


def test_widths_are_compared_by_name():
    found = with_original_widths(diagram(branched(1)), diagram(branched(4)))
    widths = {box.name: (box.width, box.original_width) for box in found.boxes if box.width}
    assert widths == {"first": (1, 4), "side": (1, 4), "logits": (2, 2)}


def test_a_network_is_drawn_as_a_user_types_it(tmp_path):
    path = tmp_path / "cao.svg"
    done = CliRunner().invoke(app, ["--model", "cao", "--inputs", "30", "--out", str(path)])
    assert done.exit_code == 0, done.output
    assert "multiply-accumulates" in done.stdout
    assert ElementTree.parse(path).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "neither --model nor --from"),
        (("--model", "caoo"), "did you mean cao"),
        (("--model", "cao", "--inputs", "0"), "--inputs is out of range"),
        (("--model", "cao", "--against", "x"), "between runs"),
        (("--from", "nowhere"), "no such run"),
        (("--model", "cao", "--inputs", "30", "--out", "cao.txt"), "written in this format"),
    ],
)
def test_what_cannot_be_drawn_is_said(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, list(words))
    assert message.partition("did you mean ")[2] in str(done.exception)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
    assert not list(Path().iterdir())
