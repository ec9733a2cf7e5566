"""The ranges of activations that quantization-aware training of Keras 2 learned."""

from __future__ import annotations

from typing import Any

from hsitf.adopt.tfmot.config import QUANTIZATION, QUANTIZE_LAYER

# Their layer's logits are quantized in front of them; at the end of a network they are left out.
_SQUASHING = ("softmax", "sigmoid")


def learned_ranges(wrapped: Any, stripped: Any) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of layers' outputs, as their quantizers have learned them.

    Args:
        wrapped: The model of tf-keras with the wrappers of tensorflow-model-optimization.
        stripped: The same without them.

    Returns:
        By the name of the layer inside its wrapper, or of the input; the output is meant after
        the activation. Where the network ends in a softmax or sigmoid, its range is that of the
        logits.
    """
    found: dict[str, tuple[float, float]] = {}
    ends = {tensor.node.layer.name for tensor in stripped.outputs}
    plain = {layer.name: layer for layer in stripped.layers}
    for layer in wrapped.layers:
        kind = type(layer).__name__
        values = {weight.name.rpartition("/")[2]: weight.numpy() for weight in layer.weights}
        if kind == QUANTIZE_LAYER:
            names = [layer.name]
            target = layer.inbound_nodes[0].inbound_layers.name
        elif kind in QUANTIZATION:
            target = layer.layer.name
            names = ["output", "post_activation"]
            activation = getattr(plain[target], "activation", None)
            if target in ends and getattr(activation, "__name__", "") in _SQUASHING:
                names = ["pre_activation"]
        else:
            continue
        learned = [name for name in names if f"{name}_min:0" in values]
        if learned:
            low, high = (float(values[f"{learned[0]}_{end}:0"]) for end in ("min", "max"))
            if low < high:
                found[target] = (low, high)
    return found
