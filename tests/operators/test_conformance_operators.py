"""Every layer class and every operation is ruled or refused in writing, for every stage."""

from __future__ import annotations

import importlib.util

import keras
import pytest
from conftest import ROOT
from keras import layers

from hsitf.cost import cost
from hsitf.draw.plan import diagram
from hsitf.errors import HsitfError
from hsitf.lower.rewrite import lower
from hsitf.lower.rules import TABLE as LOWERING
from hsitf.lower.tile_rules import TABLE as TILES
from hsitf.operators import Capability, find_type
from hsitf.prune.rules import TABLE as PRUNING
from hsitf.prune.tracing import trace

_spec = importlib.util.spec_from_file_location("layer_matrix", ROOT / "benchmarks/layer_matrix.py")
layer_matrix = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(layer_matrix)

LAYERS = [kind for kind in layer_matrix.layer_types() if kind.__name__ != "InputLayer"]
OPERATIONS = layer_matrix.operation_types()


def test_the_walk_finds_what_keras_has():
    assert {layers.Conv2D, layers.MultiHeadAttention, layers.RandomFlip} <= set(LAYERS)
    names = {kind.__name__ for kind in OPERATIONS}
    assert {"GetItem", "Relu", "Matmul", "Resize", "Cholesky", "Mish"} <= names
    assert len(LAYERS) > 130
    assert len(OPERATIONS) > 300


@pytest.mark.parametrize("kind", [*LAYERS, *OPERATIONS], ids=lambda kind: kind.__name__)
def test_ruled_or_refused(kind):
    row = find_type(kind)
    assert row is not None, "give it a row in hsitf/operators"
    for capability in Capability:
        refusal = layer_matrix.answer(kind, capability)
        if refusal is not None:
            assert len(refusal.reason) > 20
            assert len(refusal.remedy) > 10
            assert not refusal.reason.endswith(".")
            assert not refusal.remedy.endswith(".")


@pytest.mark.parametrize("table", [PRUNING, LOWERING, TILES], ids=lambda t: t.capability.name)
def test_no_rule_is_refused(table):
    for kind in [*LAYERS, *OPERATIONS]:
        if table.find_type(kind) is not None:
            assert find_type(kind).refusal(table.capability) is None, kind.__name__


def test_what_can_be_computed_on_a_tile_can_be_lowered():
    for kind in [*LAYERS, *OPERATIONS]:
        if TILES.find_type(kind) is not None:
            assert LOWERING.find_type(kind) is not None, kind.__name__


def test_the_page_is_current():
    assert layer_matrix.PAGE.read_text() == layer_matrix.page(), (
        "run python benchmarks/layer_matrix.py"
    )


# --- layers that no stage knows -------------------------------------------------------------


class Unknown(layers.Layer):
    def call(self, inputs):
        return inputs


def network(layer):
    inputs = keras.Input((3, 3, 4))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layer(inputs))))


@pytest.mark.parametrize("stage", [cost, trace, lower, diagram], ids=lambda s: s.__name__)
@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (Unknown(name="odd"), "hsitf.operators.register"),
        (layers.Lambda(lambda x: x, output_shape=(3, 3, 4), name="odd"), "cannot be read off"),
    ],
    ids=["unknown", "refused"],
)
def test_the_message_names_layer_class_stage_and_remedy(stage, layer, why):
    with pytest.raises(HsitfError) as caught:
        stage(network(layer))
    message = str(caught.value)
    for word in ("'odd'", type(layer).__name__, "cannot be", why):
        assert word in message
    assert caught.value.remedy
