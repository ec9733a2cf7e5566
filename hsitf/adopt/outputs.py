"""From outputs as people have them to logits, one for each class of the scene in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError

if TYPE_CHECKING:
    import keras

# The output is removed: no class of the scene, such as background.
REMOVED = 0
# Functions that keep the order of outputs, which logits have already.
_SQUASHING = ("softmax", "sigmoid", "log_softmax")


def class_order(
    outputs: int, class_names: Sequence[str], given: Sequence[str] = (), background: str = ""
) -> tuple[int, ...]:
    """The class of the scene, from 1, that each output of a network stands for.

    Args:
        outputs: Number of the network's outputs.
        class_names: Names of the scene's classes, in its order.
        given: Numbers (from 1) or names of classes in the order of the outputs, "0" or "-" for an
            output that is none; empty where they are in the order of the scene.
        background: "first" or "last", where an output for background stands before or after those
            of the classes; empty to accept one before them where there is one output more.

    Raises:
        InputError: The numbers of outputs and classes do not fit, or a class is named twice, not
            at all, or does not exist.
    """
    count = len(class_names)
    if given:
        return _given_order(outputs, class_names, given)
    if background not in ("", "first", "last", "none"):
        raise InputError(
            "unknown place of background", received=background, allowed="first, last or none"
        )
    classes = tuple(range(1, count + 1))
    if outputs == count and background in ("", "none"):
        return classes
    if outputs == count + 1 and background != "none":
        return (*classes, REMOVED) if background == "last" else (REMOVED, *classes)
    raise InputError(
        "the network has other outputs than the scene has classes",
        received=f"{outputs} outputs, {count} classes",
        allowed=f"{count} outputs, or {count + 1} with one for background",
        remedy="drop classes that the network does not know with --drop-class, or name the class "
        "of each output with --class-order",
    )


def _given_order(outputs: int, class_names: Sequence[str], given: Sequence[str]) -> tuple[int, ...]:
    known = {name: at for at, name in enumerate(class_names, 1)}
    order = []
    for one in given:
        text = one.strip()
        if text in ("-", "0"):
            order.append(REMOVED)
        elif text in known:
            order.append(known[text])
        elif text.isdecimal() and 1 <= int(text) <= len(class_names):
            order.append(int(text))
        else:
            raise InputError(
                "the class order names no class of the scene",
                received=text,
                allowed=f"1 to {len(class_names)}, - for none, or {', '.join(class_names)}",
            )
    classes = [one for one in order if one != REMOVED]
    if len(order) != outputs or sorted(classes) != list(range(1, len(class_names) + 1)):
        raise InputError(
            "the class order is not one of this network and scene",
            received=", ".join(given),
            allowed=f"{outputs} entries, each of the {len(class_names)} classes once and - for "
            "the others",
        )
    return tuple(order)


@dataclass(frozen=True, eq=False)
class Head:
    """The end of a network.

    Attributes:
        tensor: Logits, as a tensor of the network.
        activation: What followed them and was left out; empty for nothing.
        layer: The layer whose own activation that was; None where it was a step of its own.
    """

    tensor: Any
    activation: str
    layer: Any = None


def find_head(tensor: Any) -> Head:
    """The logits behind a softmax or sigmoid, which keep their order.

    Steps that only reshape are passed: a softmax may stand before a Flatten.

    Args:
        tensor: Output of a functional model, (batch, outputs) or with axes of one.
    """
    operation = tensor._keras_history.operation
    kind = type(operation).__name__.lower()
    own = getattr(operation, "activation", None)
    own_name = getattr(own, "__name__", "") if own is not None else ""
    if kind in _SQUASHING or (kind == "activation" and own_name in _SQUASHING):
        (before,) = operation._inbound_nodes[tensor._keras_history.node_index].input_tensors
        return Head(before, kind if kind in _SQUASHING else own_name)
    if own_name in _SQUASHING and hasattr(operation, "kernel"):
        return Head(tensor, own_name, operation)
    if kind in ("flatten", "reshape", "dropout", "identity"):
        (before,) = operation._inbound_nodes[tensor._keras_history.node_index].input_tensors
        inner = find_head(before)
        if inner.activation and inner.layer is None:
            # What reshaped the probabilities reshapes the logits.
            return Head(operation(inner.tensor), inner.activation)
        return Head(tensor, inner.activation, inner.layer)
    return Head(tensor, "")


def select_outputs(network: keras.Model, order: Sequence[int]) -> keras.Model:
    """The network with one output a class, in the order of the scene.

    The units of the last layer are moved or removed, which is exact. Where that layer is not a
    dense layer or convolution, a matrix of zeros and ones follows.

    Args:
        network: Functional model with one output, (batch, outputs).
        order: Class from 1 of each output; 0 for an output that is removed.
    """
    import keras
    from keras import layers

    from hsitf.graph import walk

    classes = max(order)
    source = np.array([list(order).index(one) for one in range(1, classes + 1)])
    if source.tolist() == list(range(len(order))):
        return network
    last = network.outputs[0]._keras_history.operation
    inputs = [keras.Input(tensor.shape[1:], name=tensor.name) for tensor in network.inputs]
    movable = isinstance(last, layers.Dense) and len(last._inbound_nodes) == 1
    if not movable:
        (result,) = walk(network, inputs, lambda call, v: call.call_with(call.operation, v))
        select = layers.Dense(classes, use_bias=False, name="class_order")
        chosen = keras.Model(inputs, select(result), name=network.name)
        select.set_weights([_selection(source, len(order))])
        return chosen
    fewer = layers.Dense.from_config({**last.get_config(), "units": classes})
    (result,) = walk(
        network,
        inputs,
        lambda call, v: call.call_with(fewer if call.operation is last else call.operation, v),
    )
    fewer.set_weights([weight[..., source] for weight in last.get_weights()])
    return keras.Model(inputs, result, name=network.name)


def _selection(source: NDArray[np.int64], outputs: int) -> NDArray[np.float32]:
    matrix = np.zeros((outputs, len(source)), np.float32)
    matrix[source, np.arange(len(source))] = 1
    return matrix
