"""Activation maximization: the patch that a filter answers to most."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.explain.gradients import Function, gradients
from hsitf.explain.methods.method import Attribution, ExplanationMethod
from hsitf.explain.settings import MethodSettings
from hsitf.explain.view import NetworkView

# Patches that the ascent starts from, the best of which is shown: a rectified filter that answers
# nothing has no direction.
NUM_STARTS = 8
# Numbers stay within so many deviations of the training pixels' mean, and move so many a step.
MAX_DEVIATION, LEARNING_RATE = 3.0, 0.1


def activation(
    view: NetworkView, patches: Float32Array, output: int, settings: MethodSettings
) -> Attribution:
    """Ascends the mean of what leaves a filter, over its positions, from patches of noise.

    Each step follows the gradient divided by its root mean square. The metric `activation` is the
    final response of the filter; 0 for a ReLU filter that no start activates.

    Source: D. Erhan, Y. Bengio, A. Courville, P. Vincent, Visualizing higher-layer features of a
    deep network, Universite de Montreal, 2009.
    """
    from keras import ops

    from hsitf.explain.truncation import logits_layer, truncate

    network = view.require_network()
    part = truncate(network, settings.layer or logits_layer(network))
    part.check_filter(output)

    def answer(x: Any) -> Any:
        leaving = part.network(x, training=False)[..., output]
        return ops.mean(ops.reshape(leaving, (len(x), -1)), axis=1)

    side, bands = view.patches.patch, view.patches.bands
    generator = np.random.default_rng(settings.seed)
    starts = generator.standard_normal((NUM_STARTS, side, side, bands), np.float32)
    found, reached = _ascended(answer, starts, settings.iterations)
    best = int(reached.argmax())
    return Attribution(found[best : best + 1], {"activation": float(reached[best])})


def _ascended(
    answer: Function, x: Float32Array, iterations: int
) -> tuple[Float32Array, Float32Array]:
    for _ in range(iterations):
        _, (slopes,) = gradients(answer, [x])
        length = np.sqrt(np.mean(slopes**2, axis=(1, 2, 3), keepdims=True))
        x = np.clip(
            x + LEARNING_RATE * slopes / np.where(length > 0, length, 1),
            -MAX_DEVIATION,
            MAX_DEVIATION,
        )
    reached, _ = gradients(answer, [x])
    return x, reached


METHOD = ExplanationMethod(
    "activation",
    "the patch that a layer's filter answers to most",
    activation,
    explains="filters",
    takes_layer=True,
)
