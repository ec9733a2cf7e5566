"""Gradients of logits with respect to patches, on every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hsitf.runtimes import Floats

if TYPE_CHECKING:
    import keras


def gradients(network: keras.Model, patches: Floats, targets: NDArray[np.int64]) -> Floats:
    """How each value of each patch moves the logit of the patch's class.

    Args:
        network: (n, patch, patch, bands) -> logits.
        patches: As the network takes them, float32.
        targets: (n,) class of each patch, from 0.

    Returns:
        (n, patch, patch, bands) float32, logits over units of the input.
    """
    import keras

    return np.asarray(_BACKENDS[keras.backend.backend()](network, patches, targets), np.float32)


def _tensorflow(network: keras.Model, patches: Floats, targets: NDArray[np.int64]) -> Any:
    import tensorflow as tf

    inputs = tf.constant(patches)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        chosen = tf.gather(network(inputs, training=False), targets, batch_dims=1)
    return tape.gradient(chosen, inputs)


def _jax(network: keras.Model, patches: Floats, targets: NDArray[np.int64]) -> Any:
    import jax

    trained = [variable.value for variable in network.trainable_variables]
    others = [variable.value for variable in network.non_trainable_variables]

    def chosen(inputs: Any) -> Any:
        logits, _ = network.stateless_call(trained, others, inputs, training=False)
        return logits[np.arange(len(targets)), targets].sum()

    return jax.grad(chosen)(jax.numpy.asarray(patches))


def _torch(network: keras.Model, patches: Floats, targets: NDArray[np.int64]) -> Any:
    import torch
    from keras import ops

    inputs = ops.convert_to_tensor(patches).clone().detach().requires_grad_(True)
    logits = network(inputs, training=False)
    places = torch.as_tensor(targets, device=logits.device)
    logits.gather(1, places[:, None]).sum().backward()
    return inputs.grad.detach().cpu().numpy()


_BACKENDS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
