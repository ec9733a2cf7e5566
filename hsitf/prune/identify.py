"""Finding channels that hardly ever fire, by the average percentage of zeros (APoZ).

Hu, Peng, Tai, Tang, Network trimming: a data-driven neuron pruning approach towards efficient deep
architectures, arXiv:1607.03250, 2016. The criterion `apoz` ranks the channels of a whole network by
the same measure; this module measures one layer, exactly and on all given data.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import ArrayLike, NDArray

from hsitf.errors import InputError, unknown
from hsitf.graph import Call, walk
from hsitf.operators import find, follows
from hsitf.prune.surgeon import functional, layers_by_name, resolve_layer

METHODS = ("std", "absolute", "both")


def get_apoz(
    model: keras.Model,
    layer: str | keras.Layer,
    x: ArrayLike | Sequence[ArrayLike],
    *,
    batch_size: int = 256,
) -> NDArray[np.float64]:
    """The average percentage of zeros of each channel of a layer, as a share.

        APoZ_c = (number of zeros in channel c) / (samples * positions)

    Zeros are counted after the layer's own activation; where that is linear, after the activation
    that follows, with at most batch normalization and dropout in between, if nothing else reads the
    tensors before it; else at the layer's output. For a layer that is called several times, the
    mean is over all calls.

    Args:
        model: A functional or sequential model.
        layer: A layer of the model, or its name; channels last.
        x: (samples, ...) float arrays, one for each input.
        batch_size: Samples per batch.

    Returns:
        (channels,) from 0 to 1. A bidirectional layer has as many channels as each direction.

    Raises:
        InputError: There is no such layer, it has several outputs or its channels first, or the
            arrays do not fit the inputs of the network.
    """
    network = functional(model)
    known = layers_by_name(network)
    name = resolve_layer(known, layer)
    _check(name, known[name])
    watched = _counted_calls(network, known[name])
    zeros: Any = 0
    total = 0
    for batch in _batches(network, x, batch_size):
        for values in _maps(network, watched, batch):
            zeros = zeros + (values == 0).sum(axis=tuple(range(values.ndim - 1)))
            total += values.size // values.shape[-1]
    return _by_channel(known[name], zeros / total)


def high_apoz(
    apoz: ArrayLike, method: str = "std", cutoff_std: float = 1, cutoff_absolute: float = 0.99
) -> NDArray[np.intp]:
    """The channels whose average percentage of zeros reaches a limit.

    Args:
        apoz: (channels,) shares, as returned by `get_apoz`.
        method: The limit. std: mean + cutoff_std * standard deviation over the channels, which no
            channel reaches where all are equal; absolute: cutoff_absolute; both: the lower of the
            two.
        cutoff_std: Number of standard deviations.
        cutoff_absolute: A share.

    Returns:
        Indices of the channels, in order.

    Raises:
        InputError: Unknown method.
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    shares = np.asarray(apoz, np.float64)
    spread = shares.mean() + cutoff_std * shares.std() if np.ptp(shares) else math.inf
    limit = {"std": spread, "absolute": cutoff_absolute, "both": min(spread, cutoff_absolute)}
    return np.flatnonzero(shares >= limit[method])


def _check(name: str, layer: Any) -> None:
    if isinstance(layer, layers.InputLayer):
        raise InputError(f"{name!r} is an input of the network", allowed="layers behind it")
    if getattr(layer, "data_format", None) == "channels_first":
        raise InputError(
            f"layer {name!r} has its channels first",
            allowed="channels_last",
            remedy="build the network with channels last",
        )


# --- where to look -------------------------------------------------------------------------


def _counted_calls(model: keras.Model, layer: Any) -> set[int]:
    """The indices of the calls at whose output zeros are counted, in forward order."""
    calls: list[Call] = []
    readers: dict[int, list[int]] = defaultdict(list)

    def visit(call: Call, entering: list[int]) -> list[int]:
        for value in entering:
            readers[value].append(len(calls))
        calls.append(call)
        return [len(calls) - 1] * len(call.shapes)

    # The network's outputs are read too, by nobody who could be an activation.
    for value in walk(model, [-1] * len(model.inputs), visit):
        readers[value].append(-1)
    return {
        _activation_call(calls, readers, at)
        for at, call in enumerate(calls)
        if call.operation is layer
    }


def _activation_call(calls: Sequence[Call], readers: dict[int, list[int]], start: int) -> int:
    """The call whose output is the activation of the call `start`; `start` itself without one."""
    if len(calls[start].shapes) != 1:
        raise InputError(
            f"layer {calls[start].operation.name!r} has several outputs",
            received=len(calls[start].shapes),
            allowed="layers with one",
        )
    at = start
    while not _activates(calls[at].operation):
        behind = readers[at]
        if len(behind) != 1 or behind[0] < 0 or not follows(calls[behind[0]].operation):
            return start
        at = behind[0]
    return at


def _activates(operation: Any) -> bool:
    """Whether an operation is an activation, or a layer with one of its own."""
    own = getattr(operation, "activation", keras.activations.linear)
    if own is not keras.activations.linear:
        return True
    row = find(operation)
    # Activation("linear") has an activation, which is the identity.
    is_activation = row is not None and row.activation and follows(operation)
    return is_activation and not hasattr(operation, "activation")


# --- looking -------------------------------------------------------------------------------


def _batches(
    model: keras.Model, x: ArrayLike | Sequence[ArrayLike], size: int
) -> Iterator[list[Any]]:
    """Tensors for each input, batch after batch."""
    several = x if len(model.inputs) > 1 and isinstance(x, list | tuple) else [x]
    arrays = [np.asarray(values) for values in several]
    expected = [tuple(tensor.shape) for tensor in model.inputs]
    counts = {len(values) if values.ndim else 0 for values in arrays}
    fits = len(arrays) == len(expected) and all(map(_fits, arrays, expected))
    if not fits or len(counts) != 1 or counts == {0} or size < 1:
        raise InputError(
            "the samples are not what the network takes",
            received=f"{' and '.join(str(v.shape) for v in arrays)}, {size} at once",
            allowed=f"{' and '.join(map(str, expected))}, 1 sample or more",
        )
    for start in range(0, counts.pop(), size):
        yield [
            ops.convert_to_tensor(values[start : start + size], dtype=tensor.dtype)
            for values, tensor in zip(arrays, model.inputs, strict=True)
        ]


def _fits(values: NDArray[Any], expected: tuple[int | None, ...]) -> bool:
    return values.ndim == len(expected) and all(
        length is None or length == own
        for length, own in zip(expected[1:], values.shape[1:], strict=True)
    )


def _maps(model: keras.Model, watched: set[int], batch: list[Any]) -> list[NDArray[Any]]:
    """What leaves the watched calls, `(samples, ..., channels)`."""
    numbers = count()
    outputs = []

    def visit(call: Call, values: list[Any]) -> list[Any]:
        leaving = call.call_with(call.operation, values)
        several = list(leaving) if isinstance(leaving, list | tuple) else [leaving]
        if next(numbers) in watched:
            outputs.append(ops.convert_to_numpy(several[0]))
        return several

    walk(model, batch, visit)
    return outputs


def _by_channel(layer: Any, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    if isinstance(layer, layers.Bidirectional) and layer.merge_mode == "concat":
        # Both directions are concatenated; they lose the same units.
        return np.asarray(shares.reshape(2, -1).mean(axis=0))
    return shares
