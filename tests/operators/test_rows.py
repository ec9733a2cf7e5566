from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import operators
from hsitf.cost import Cost, cost
from hsitf.draw.plan import diagram
from hsitf.errors import InputError, LoweringError
from hsitf.lower.rewrite import lower
from hsitf.lower.rules import TABLE as LOWERING
from hsitf.operators import (
    Capability,
    KernelAxes,
    OperatorType,
    Pooling,
    Refusal,
    Role,
    RuleTable,
    kernel_per_output,
)
from hsitf.prune.rules import RULES
from hsitf.prune.rules import TABLE as PRUNING
from hsitf.prune.tracing import trace

# --- kernels --------------------------------------------------------------------------------


def kernel(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize(
    ("axes", "shape", "first"),
    [
        (KernelAxes("kernel"), (2, 3), [0, 3]),
        (KernelAxes("kernel"), (2, 1, 2, 2), [0, 2, 4, 6]),
        (KernelAxes("kernel", -2, (-2, -1)), (2, 1, 3, 2), [0, 6]),
        (KernelAxes("kernel", -1, (-2,)), (1, 2, 2, 3), [0, 1, 2, 6, 7, 8]),
    ],
)
def test_a_kernel_as_a_matrix_and_back(axes, shape, first):
    values = kernel(*shape)
    matrix = axes.to_matrix(values)
    assert matrix[0].tolist() == first
    np.testing.assert_array_equal(axes.from_matrix(matrix, shape), values)


def test_links_by_hand():
    dense = KernelAxes("kernel")
    assert dense.links(np.array([[0, 1], [2, 0], [0, 0]])).tolist() == [
        [False, True],
        [True, False],
        [False, False],
    ]
    # Two groups: channels 0 and 1 are read by filter 0 alone, 2 and 3 by filter 1.
    grouped = np.ones((3, 3, 2, 2))
    grouped[:, :, 1, 1] = 0
    assert dense.links(grouped, groups=2).astype(int).tolist() == [
        [1, 0],
        [1, 0],
        [0, 1],
        [0, 0],
    ]
    depthwise = KernelAxes("kernel", -2, (-2, -1))
    assert depthwise.links(np.array([[[[1, 0], [1, 1]]]])).astype(int).tolist() == [
        [1, 0, 0, 0],
        [0, 0, 1, 1],
    ]
    transposed = KernelAxes("kernel", -1, (-2,))
    assert transposed.links(np.array([[[[1, 0, 0], [0, 0, 1]]]])).astype(int).tolist() == [
        [1, 0],
        [0, 0],
        [0, 1],
    ]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Dense(3), (4,)),
        (layers.Conv2D(3, 2), (4, 4, 5)),
        (layers.Conv3DTranspose(3, 2), (4, 4, 4, 5)),
        (layers.SeparableConv1D(3, 2), (4, 5)),
        (layers.DepthwiseConv2D(2, depth_multiplier=2), (4, 4, 5)),
        (layers.GRU(3), (4, 5)),
        (layers.ConvLSTM2D(3, 2), (2, 4, 4, 5)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_row_says_where_the_kernels_of_its_layer_are(layer, shape):
    leaving = layer(keras.Input(shape))
    row = operators.find(layer)
    first, last = row.kernels[0], row.kernels[-1]
    holder = layer.cell if row.is_recurrent else layer
    assert first.of(holder).shape[first.reads] == shape[-1]
    made = np.prod([last.of(holder).shape[axis] for axis in last.makes])
    assert made // max(row.gates, 1) == leaving.shape[-1]
    assert row.rank in (None, len(shape) - 1 - (row.is_recurrent and row.rank is not None))


# --- rows that contradict themselves --------------------------------------------------------

KERNEL = (KernelAxes("kernel"),)
REFUSED = {Capability.COST: Refusal("it cannot be seen", "leave it out")}


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        ((Role.PRODUCES, {"kernels": KERNEL}), "kernels without multiply-accumulates"),
        ((Role.PRODUCES, {}), "no multiply-accumulates in Role.PRODUCES"),
        ((Role.PASSES, {"kernels": KERNEL, "macs": kernel_per_output}), "sums over channels"),
        ((Role.MOVES, {"kernels": KERNEL, "macs": kernel_per_output}), "kernels in Role.MOVES"),
        ((Role.MOVES, {"elementwise": True}), "elementwise computation in Role.MOVES"),
        ((Role.MIXES, {"pooling": Pooling.MAX}), "pooling in Role.MIXES"),
        ((Role.PASSES, {"training_only": True}), "training only"),
        ((Role.PRODUCES, {"gates": 3, "macs": kernel_per_output}), "3 gates with 0 kernel(s)"),
        ((Role.PASSES, {"rank": 4}), "4 spatial axes"),
        ((Role.OPAQUE, {}), "without a refusal"),
        ((Role.MIXES, {"macs": kernel_per_output, "refusals": REFUSED}), "a refusal to count"),
    ],
)
def test_contradictions_are_refused(facts, fault):
    role, others = facts
    with pytest.raises(InputError, match="contradicts itself") as caught:
        OperatorType(role, **others)
    assert fault in str(caught.value)
    assert caught.value.remedy


# --- a layer of one's own -------------------------------------------------------------------


@pytest.fixture
def own(monkeypatch):
    """A dense layer of one's own, and tables that forget it afterwards."""

    class Mixture(layers.Dense):
        pass

    monkeypatch.setattr("hsitf.operators.registry._LAYERS", dict(operators.registry._LAYERS))
    monkeypatch.setattr(PRUNING, "_layers", dict(PRUNING._layers))
    monkeypatch.setattr(LOWERING, "_layers", dict(LOWERING._layers))
    return Mixture


def test_a_layer_of_ones_own(own):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(3)(own(4, name="mixture")(inputs)))
    with pytest.raises(InputError, match="nothing is known about its type"):
        cost(model)
    row = operators.row_of_type(layers.Dense)
    operators.register(own, row)
    assert cost(model) == Cost(28 + 15, 24 + 12)
    assert [box.macs for box in diagram(model).boxes] == [0, 24, 12]
    with pytest.raises(InputError, match="no rule for its type"):
        trace(model)
    with pytest.raises(LoweringError, match=r"'mixture' \(Mixture\) cannot be lowered"):
        lower(model)
    PRUNING.register(own, RULES[layers.Dense])
    assert trace(model).widths["mixture"] == 4
    LOWERING.register(own, LOWERING.find_type(layers.Dense))
    assert lower(model).output_shape == (1, 3)


def test_a_row_is_not_replaced_by_chance(own):
    row = OperatorType(Role.PASSES, elementwise=True)
    operators.register(own, row)
    with pytest.raises(InputError, match="has a row"):
        operators.register(own, row)
    operators.register(own, row, replace=True)
    with pytest.raises(InputError, match="only classes of layers"):
        operators.register(own(3), row)


def test_a_rule_needs_a_row(own):
    with pytest.raises(InputError, match="has no row"):
        PRUNING.register(own, RULES[layers.Dense])
    with pytest.raises(InputError, match="without a row: Mixture"):
        RuleTable(Capability.PRUNE, {own: 1}, {})


def test_a_class_that_only_has_the_name_of_one_of_keras_is_not_known():
    class Dense(layers.Layer):
        pass

    assert operators.find_type(Dense) is None
    assert operators.find_type(layers.Dense) is not None
