"""Gradients of a function of arrays, on any Keras backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hsitf.arrays import Float32Array

if TYPE_CHECKING:
    import keras

# Of tensors of the backend, to a tensor (n,): a number for each sample.
Function = Callable[..., Any]


def gradients(
    function: Function, values: Sequence[Float32Array]
) -> tuple[Float32Array, list[Float32Array]]:
    """The values of a function, and the gradient of their sum.

    Where no sample's number depends on another sample, the gradient in a batch is that of each
    sample's own number.

    Args:
        function: Function of as many tensors as there are values, written in `keras.ops`.
        values: Points at which to take the gradient, float32.

    Returns:
        (n,) float32; and for each value an array of its shape, zeros where the function does not
        depend on it.
    """
    import keras

    result, found = _BACKENDS[keras.config.backend()](function, values)
    return _numpy(result), [_numpy(one) for one in found]


def logit(network: keras.Model, output: int) -> Function:
    """The logit `output` of each sample of a batch, in inference."""
    return lambda patches: network(patches, training=False)[:, output]


def _numpy(tensor: Any) -> Float32Array:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(tensor), np.float32)


def _tensorflow(function: Function, values: Sequence[Float32Array]) -> tuple[Any, Sequence[Any]]:
    import tensorflow as tf

    tensors = [tf.convert_to_tensor(value, tf.float32) for value in values]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        for tensor in tensors:
            tape.watch(tensor)
        result = function(*tensors)
    return result, tape.gradient(result, tensors, unconnected_gradients="zero")


def _jax(function: Function, values: Sequence[Float32Array]) -> tuple[Any, Sequence[Any]]:
    import jax

    def total(*tensors: Any) -> tuple[Any, Any]:
        result = function(*tensors)
        return result.sum(), result

    argnums = tuple(range(len(values)))
    (_, result), found = jax.value_and_grad(total, argnums=argnums, has_aux=True)(*values)
    return result, found


def _torch(function: Function, values: Sequence[Float32Array]) -> tuple[Any, Sequence[Any]]:
    import keras
    import torch

    tensors = [keras.ops.convert_to_tensor(value).requires_grad_(True) for value in values]
    with torch.enable_grad():
        result = function(*tensors)
        found = torch.autograd.grad(result.sum(), tensors, allow_unused=True)
    pairs = zip(found, tensors, strict=True)
    whole = [torch.zeros_like(of) if one is None else one for one, of in pairs]
    return result.detach(), whole


_BACKENDS: dict[str, Callable[[Function, Sequence[Float32Array]], tuple[Any, Sequence[Any]]]] = {
    "tensorflow": _tensorflow,
    "jax": _jax,
    "torch": _torch,
}
