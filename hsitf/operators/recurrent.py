"""Layers that read sequences step by step, and wrappers that apply a layer several times."""

from __future__ import annotations

from functools import partial
from typing import Any

from hsitf.operators import counting
from hsitf.operators.convolution import KERNEL
from hsitf.operators.refusals import everywhere, in_rewriting
from hsitf.operators.registry import count
from hsitf.operators.row import KernelAxes, OperatorType, Role, Rows
from hsitf.operators.shapes import CallShapes

_RECURRENT_KERNELS = (KERNEL, KernelAxes("recurrent_kernel"))
_recurrent = partial(
    OperatorType, Role.PRODUCES, kernels=_RECURRENT_KERNELS, macs=counting.recurrent
)
_convolutional = partial(
    OperatorType,
    Role.PRODUCES,
    kernels=_RECURRENT_KERNELS,
    gates=4,
    macs=counting.convolutional_recurrent,
    refusals=in_rewriting(
        "convolutions inside a recurrence have no rule",
        "use convolutions over all bands, or a recurrent layer on vectors",
    ),
)
_CELL = OperatorType(
    Role.OPAQUE,
    refusals=everywhere(
        "a cell is one step of a recurrence, whose number of steps it does not tell",
        "use the layer SimpleRNN, GRU or LSTM",
    ),
)


def _bidirectional(layer: Any, shapes: CallShapes) -> int:
    """A recurrent layer for each direction, which have half of the weights each."""
    half = len(shapes.weights) // 2
    return count(layer.forward_layer, shapes._replace(weights=shapes.weights[:half])) + count(
        layer.backward_layer, shapes._replace(weights=shapes.weights[half:])
    )


def _distributed(layer: Any, shapes: CallShapes) -> int:
    """The layer inside, at each step."""
    (entering, *_), leaving = shapes.inputs, shapes.output
    step = shapes._replace(inputs=[(1, *entering[2:])], output=(1, *leaving[2:]))
    return entering[1] * count(layer.layer, step)


LAYERS: Rows = {
    "SimpleRNN": _recurrent(gates=1),
    "GRU": _recurrent(gates=3),
    "LSTM": _recurrent(gates=4),
    "Bidirectional": OperatorType(Role.PRODUCES, macs=_bidirectional),
    "TimeDistributed": OperatorType(
        Role.PRODUCES,
        macs=_distributed,
    ),
    "ConvLSTM1D": _convolutional(rank=1),
    "ConvLSTM2D": _convolutional(rank=2),
    "ConvLSTM3D": _convolutional(rank=3),
    "RNN": _CELL,
    "SimpleRNNCell": _CELL,
    "GRUCell": _CELL,
    "LSTMCell": _CELL,
    "StackedRNNCells": _CELL,
}
