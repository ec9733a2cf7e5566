"""Unstructured (fine-grained) pruning: selection of single weights.

Connections with small weights are removed (Han, Pool, Tran, Dally, Learning both weights and
connections for efficient neural networks, NeurIPS 2015). A pruned weight is a zero; `sparse` holds
it at zero while the others are retrained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from hsitf.errors import InputError, unknown
from hsitf.graph import Call, walk
from hsitf.operators import find
from hsitf.prune.thresholds import KINDS, Kind, Thresholds

# By the path of a weight tensor, which of its elements stay.
Masks = Mapping[str, NDArray[np.bool_]]

# What Keras calls the weights that connect, and their biases. Scales, offsets and statistics of
# normalizations have other names.
PRUNABLE = ("kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel", "bias")


class PrunableWeight(NamedTuple):
    """A weight tensor that can lose single elements, and its layer.

    Attributes:
        variable: The tensor.
        kind: Kind of its layer.
        layer: Name of its layer.
    """

    variable: Any
    kind: Kind
    layer: str

    @property
    def magnitudes(self) -> NDArray[np.float32]:
        """Absolute values, in the tensor's shape."""
        return np.asarray(np.abs(np.asarray(self.variable)))


def prunable_weights(model: keras.Model) -> dict[str, PrunableWeight]:
    """The weight tensors that can be pruned, by path, in the order of the forward pass.

    Raises:
        InputError: There are none, or two have the same path.
    """
    used = _layers(model)
    first = next((layer for layer in used if _is_convolution(layer)), None)
    last = next((layer for layer in reversed(used) if isinstance(layer, layers.Dense)), None)
    found: dict[str, PrunableWeight] = {}
    for layer in used:
        for variable in layer.weights:
            if variable.name not in PRUNABLE:
                continue
            if variable.path in found:
                raise InputError(
                    f"two weights of the network are called {variable.path!r}",
                    remedy="give its layers different names",
                )
            kind = _kind(layer, first, last)
            found[variable.path] = PrunableWeight(variable, kind, layer.name)
    if not found:
        raise InputError(
            "the network has no weights that can be pruned", allowed=", ".join(PRUNABLE)
        )
    return found


def _layers(model: keras.Model) -> list[Any]:
    """The layers of a network in the order of the forward pass, each once."""
    found: dict[int, Any] = {}

    def visit(call: Call, entering: list[None]) -> list[None]:
        if isinstance(call.operation, keras.Layer):
            found.setdefault(id(call.operation), call.operation)
        return [None] * len(call.shapes)

    walk(model, [None] * len(model.inputs), visit)
    return list(found.values())


def _is_convolution(layer: Any) -> bool:
    row = find(layer)
    return row is not None and row.is_convolution


def _kind(layer: Any, first: Any, last: Any) -> Kind:
    if _is_convolution(layer):
        return "first_convolution" if layer is first else "other_convolutions"
    return "last_dense" if layer is last else "other_dense"


def magnitude_limits(model: keras.Model, thresholds: Thresholds) -> dict[str, float]:
    """Magnitude under which each weight tensor loses its elements: alpha * sigma, by path.

    sigma = sqrt(mean((w - mean(w))^2)) is computed over all elements of the one tensor, zeros
    included: kernels and biases have separate deviations. The program that the study of
    hyperspectral networks extended to biases does so for kernels; the study does not state the
    deviation used for biases.

    Raises:
        InputError: The network has no layer of a kind or name that has a threshold of its own.
    """
    found = prunable_weights(model)
    _check_named_layers(found, thresholds)
    return {
        path: thresholds.of(kind, layer) * float(np.std(np.asarray(variable), dtype=np.float64))
        for path, (variable, kind, layer) in found.items()
    }


def _check_named_layers(weights: Mapping[str, PrunableWeight], thresholds: Thresholds) -> None:
    """Refuses thresholds of kinds and layers that a network lacks."""
    by_kind: dict[Kind, list[str]] = {}
    for weight in weights.values():
        if weight.layer not in by_kind.setdefault(weight.kind, []):
            by_kind[weight.kind].append(weight.layer)
    listed = [f"{kind} ({', '.join(by_kind[kind])})" for kind in KINDS if kind in by_kind]
    for kind in thresholds.kinds:
        if kind not in by_kind:
            raise InputError(
                f"the network has no layer of the kind {kind}",
                received=f"an alpha of {kind}",
                allowed="; ".join(listed),
                remedy="leave it out, or name a kind or a layer that the network has",
            )
    layers = [layer for named in by_kind.values() for layer in named]
    for layer in dict(thresholds.layers):
        if layer not in layers:
            raise unknown("layer or kind of layers", layer, [*by_kind, *layers])
    if ambiguous := [kind for kind in thresholds.kinds if kind in layers]:
        raise InputError(
            f"{ambiguous[0]} is the name of a layer and a kind of layers",
            received=f"an alpha of {ambiguous[0]}",
            remedy="give the layer another name",
        )


def masks_by_threshold(model: keras.Model, thresholds: Thresholds) -> Masks:
    """Keeps the weights whose magnitude is alpha standard deviations of their tensor or more."""
    return masks_by_magnitude(model, magnitude_limits(model, thresholds))


def masks_by_magnitude(model: keras.Model, limits: Mapping[str, float]) -> Masks:
    """Keeps the weights whose magnitude reaches the limit of their tensor, |w| >= limit."""
    return {
        path: weight.magnitudes >= limits[path] for path, weight in prunable_weights(model).items()
    }


def nonzero_masks(model: keras.Model) -> Masks:
    """Keeps what is not zero: the masks of a network that was pruned before."""
    return {path: weight.magnitudes > 0 for path, weight in prunable_weights(model).items()}


def masks_by_sparsity(model: keras.Model, share: float) -> Masks:
    """Makes a share of all prunable weights zeros, the smallest of the whole network.

    Args:
        model: The network.
        share: Sparsity from 0 to 1, rounded to whole weights.

    Raises:
        InputError: The share is out of range.
    """
    found = prunable_weights(model)
    magnitudes = [weight.magnitudes for weight in found.values()]
    kept = _mask_of_largest(np.concatenate([values.ravel() for values in magnitudes]), share)
    pieces = np.split(kept, np.cumsum([values.size for values in magnitudes])[:-1])
    return {
        path: piece.reshape(values.shape)
        for path, piece, values in zip(found, pieces, magnitudes, strict=True)
    }


def masks_by_layer_sparsity(model: keras.Model, share: float) -> Masks:
    """Makes the same share of each weight tensor zeros, its smallest elements.

    Args:
        model: The network.
        share: Sparsity from 0 to 1, rounded to whole weights of each tensor.

    Raises:
        InputError: The share is out of range.
    """
    return masks_by_tensor_sparsity(model, dict.fromkeys(prunable_weights(model), share))


def masks_by_tensor_sparsity(model: keras.Model, shares: Mapping[str, float]) -> Masks:
    """Makes a share of each weight tensor zeros, its smallest elements.

    Args:
        model: The network.
        shares: Sparsity from 0 to 1 by path, rounded to whole weights.

    Raises:
        InputError: A share is out of range.
    """
    return {
        path: _mask_of_largest(weight.magnitudes.ravel(), shares[path]).reshape(
            weight.variable.shape
        )
        for path, weight in prunable_weights(model).items()
    }


def _mask_of_largest(magnitudes: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    """All but the smallest share of a vector."""
    if not 0 <= share <= 1:
        raise InputError("the sparsity is out of range", received=share, allowed="0 to 1")
    count = round(share * magnitudes.size)
    kept = np.ones(magnitudes.size, bool)
    if count:
        kept[np.argpartition(magnitudes, count - 1)[:count]] = False
    return kept


def masked_share(masks: Iterable[NDArray[np.bool_]]) -> float:
    """Share of the elements that masks set to zero."""
    counts = [(mask.size - int(np.count_nonzero(mask)), mask.size) for mask in masks]
    return sum(removed for removed, _ in counts) / sum(size for _, size in counts)


def apply_masks(model: keras.Model, masks: Masks) -> None:
    """Sets the weights that masks do not keep to zero, in place.

    Raises:
        InputError: The masks are another network's.
    """
    found = prunable_weights(model)
    shapes = {path: tuple(weight.variable.shape) for path, weight in found.items()}
    if (given := {path: mask.shape for path, mask in masks.items()}) != shapes:
        odd = [f"{path} {shape}" for path, shape in set(given.items()) ^ set(shapes.items())]
        raise InputError(
            "the masks belong to another network",
            received=f"other weights, such as {', '.join(sorted(odd)[:3])}",
            remedy="make masks for this network",
        )
    for path, mask in masks.items():
        variable = found[path].variable
        variable.assign(ops.where(mask, ops.convert_to_tensor(variable), 0))
