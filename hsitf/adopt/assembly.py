"""A network in its author's shapes as a network of this package: patches in, logits out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras

from hsitf.adopt.inputs import InputLayout, arrange
from hsitf.adopt.outputs import Head, find_head
from hsitf.errors import InputError
from hsitf.graph import Call, copy_weights, functional, walk


def check_walkable(model: Any) -> keras.Model:
    """The functional model inside a Keras model.

    Raises:
        InputError: It is none, or its graph cannot be walked.
    """
    if not isinstance(model, keras.Model):
        raise InputError(
            "this is no Keras model", received=type(model).__name__, allowed="keras.Model"
        )
    inside = functional(model)
    if not hasattr(inside, "_nodes_by_depth"):
        if isinstance(model, keras.Sequential):
            raise InputError(
                f"the sequential model {model.name!r} does not know its input's shape",
                remedy="put keras.Input(shape) first, or call it once on data before saving it",
            )
        raise InputError(
            f"the graph of {model.name!r} cannot be walked: it is a subclassed model "
            f"({type(model).__name__}), whose layers are called in code of its own",
            allowed="functional and sequential models",
            remedy="write its call() as a function of keras.Input: x = keras.Input(shape); model = "
            "keras.Model(x, call(x)); then copy the weights with set_weights(get_weights())",
        )
    return inside


def choose_output(model: keras.Model, classes: int, name: str = "") -> Any:
    """The output tensor that names classes.

    Args:
        model: A functional model.
        classes: Classes of the scene.
        name: Name of the output's layer, where the user gave it.

    Raises:
        InputError: Several outputs could be meant, or none has that name.
    """
    tensors = list(model.outputs)
    names = [str(tensor._keras_history.operation.name) for tensor in tensors]
    if name:
        if name not in names:
            raise InputError(
                "the network has no such output", received=name, allowed=", ".join(names)
            )
        return tensors[names.index(name)]
    if len(tensors) == 1:
        return tensors[0]
    fitting = [
        tensor for tensor in tensors if len(tensor.shape) == 2 and tensor.shape[-1] == classes
    ]
    if len(fitting) != 1:
        raise InputError(
            "the network has several outputs",
            received=", ".join(
                f"{n} {tuple(t.shape)}" for n, t in zip(names, tensors, strict=True)
            ),
            allowed=f"one of {classes} classes",
            remedy="name it with --output",
        )
    return fitting[0]


def assemble(
    model: keras.Model,
    layouts: Sequence[InputLayout],
    components: int,
    output: Any,
    name: str,
) -> tuple[keras.Model, Head]:
    """Builds the same network on patches, with logits as output and layers of its own.

    Args:
        model: A functional model; it is left untouched.
        layouts: The layout of each of its inputs.
        components: Numbers per pixel.
        output: Tensor of the model that names classes.
        name: Name of the network.

    Returns:
        A functional model `(batch, patch, patch, components)` -> `(batch, outputs)`, and what
        stood at the end of the model.

    Raises:
        InputError: A layer is used twice and ends in a softmax, or the output has other axes.
    """
    head = find_head(output)
    trunk = keras.Model(model.inputs, head.tensor)
    if head.layer is not None and len(head.layer._inbound_nodes) > 1:
        raise InputError(
            f"layer {head.layer.name!r} ends in {head.activation} and is used at several places",
            remedy="give the output a layer of its own",
        )
    side = max(layout.patch for layout in layouts)
    patch = keras.Input((side, side, components), name="patch")
    copies: dict[int, Any] = {}
    taken: Counter[str] = Counter(["patch", "logits"])

    def visit(call: Call, values: list[Any]) -> Any:
        operation = call.operation
        if isinstance(operation, keras.Layer):
            if id(operation) not in copies:
                copies[id(operation)] = _copy(operation, taken, operation is head.layer)
            operation = copies[id(operation)]
        return call.call_with(operation, values)

    entering = arranged(patch, layouts, model)
    (logits,) = walk(trunk, entering, visit)
    if len(logits.shape) != 2:
        sizes = [int(size or 0) for size in logits.shape[1:]]
        if sizes.count(1) != len(sizes) - 1:
            raise InputError(
                "the network does not return one number a class",
                received=f"outputs of shape {tuple(logits.shape)}",
                allowed="(batch, classes), axes of one apart",
                remedy="name another output with --output, or end the network in one",
            )
        logits = keras.layers.Flatten(name="logits")(logits)
    network = keras.Model(patch, logits, name=name)
    for call_operation in _layers(trunk):
        if id(call_operation) in copies:
            copy_weights(call_operation, copies[id(call_operation)])
    return network, head


def arranged(patch: Any, layouts: Sequence[InputLayout], model: keras.Model) -> list[Any]:
    """The inputs of a model from a patch, one Keras tensor each.

    Args:
        patch: Keras tensor (batch, side, side, components).
        layouts: Layouts of the inputs.
        model: The model.
    """
    return [
        arrange(patch, layout, [int(size) for size in tensor.shape[1:]], f"input{number}")
        for number, (layout, tensor) in enumerate(zip(layouts, model.inputs, strict=True), 1)
    ]


def _layers(model: keras.Model) -> list[Any]:
    found: dict[int, Any] = {}

    def visit(call: Call, values: list[None]) -> list[None]:
        found[id(call.operation)] = call.operation
        return [None] * len(call.node.outputs)

    walk(model, [None] * len(model.inputs), visit)
    return list(found.values())


def _copy(layer: keras.Layer, taken: Counter[str], is_head: bool) -> keras.Layer:
    """A layer of the same kind, without weights yet, under a name that no other has."""
    config = layer.get_config()
    name = layer.name
    taken[name] += 1
    while taken[name] > 1:
        # Layers of models inside the model may share a name.
        name = f"{layer.name}_{taken[layer.name]}"
        taken[layer.name] += 1
        taken[name] += 1
    config["name"] = name
    if is_head:
        config["activation"] = "linear"
    # Pruning and export work in float32.
    config["dtype"] = "float32"
    return type(layer).from_config(config)
