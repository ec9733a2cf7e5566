"""What a network of one's own has to be, so that every verb takes it."""

from __future__ import annotations

from typing import Any

import keras

from hsitf.errors import InputError

_PROBABILITIES = {"softmax", "logsoftmax", "sigmoid", "logsigmoid"}


def checked_network(
    model: Any, origin: str, inputs: tuple[int, int, int], outputs: tuple[int, ...]
) -> keras.Model:
    """A network as it was built, if it is a functional model of these shapes that returns logits.

    Args:
        model: What was built.
        origin: What built it, for messages.
        inputs: Expected (rows, cols, bands).
        outputs: Expected shape of the logits: (classes,), of tiles (rows, cols, classes).

    Raises:
        InputError: It is none, or holds what cannot be saved or is no logit.
    """
    if isinstance(model, keras.Sequential) and model.built:
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    if not isinstance(model, keras.Model) or not hasattr(model, "_nodes_by_depth"):
        raise InputError(
            f"{origin} returns no functional model",
            received=f"{type(model).__name__}",
            allowed="a keras.Model whose layers can be walked",
            remedy="write: inputs = keras.Input((patch, patch, bands)), call the layers one after "
            "the other, and return keras.Model(inputs, outputs)",
        )
    shapes = [tuple(tensor.shape) for tensor in model.inputs + model.outputs]
    expected = [(None, *inputs), (None, *outputs)]
    if shapes != expected:
        raise InputError(
            f"{origin} returns a network of other shapes",
            received=" to ".join(map(str, shapes)),
            allowed=" to ".join(map(str, expected)),
            remedy="take patches (patch, patch, bands), return one logit a class",
        )
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Lambda):
            raise InputError(
                f"{origin} has a layer that cannot be loaded safely once it is saved",
                received=f"the Lambda layer {layer.name!r}",
                remedy="write keras.ops in its place, or a registered layer of your own",
            )
    _check_logits(model, origin)
    return model


def _check_logits(model: keras.Model, origin: str) -> None:
    """Refuses probabilities, which training would take for logits."""
    last = model.outputs[0]._keras_history.operation
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    named = {name.lower().replace("_", "") for name in (type(last).__name__, activation)}
    if found := named & _PROBABILITIES:
        raise InputError(
            f"{origin} returns probabilities",
            received=f"{found.pop()} in the last layer {last.name!r}",
            allowed="logits",
            remedy="leave that activation out; the loss has it",
        )
