"""Activation maximization: the patch that a filter answers to most."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from hsitf.explain.cutting import cut, last
from hsitf.explain.gradients import Function, gradients
from hsitf.explain.methods.method import Attribution, Method
from hsitf.explain.settings import Settings
from hsitf.explain.view import Floats, View

# Patches that the ascent starts from, the best of which is shown: a rectified filter that answers
# nothing gives no direction.
STARTS = 8
# Numbers stay within so many deviations of the training pixels' mean, and move so many a step.
FARTHEST, RATE = 3.0, 0.1


def activation(view: View, patches: Floats, output: int, settings: Settings) -> Attribution:
    """Ascends the mean of what leaves a filter, over its positions, from patches of noise.

    Each step goes along the gradient divided by its root mean square. The figure `activation` is
    what the filter answers in the end; 0 of a rectified filter that no start awoke.

    Source: D. Erhan, Y. Bengio, A. Courville, P. Vincent, Visualizing higher-layer features of a
    deep network, Universite de Montreal, 2009.
    """
    network = view.differentiable()
    part = cut(network, settings.layer or last(network))
    part.check_filter(output)

    def answer(x: Any) -> Any:
        leaving = part.network(x, training=False)[..., output]
        return ops.mean(ops.reshape(leaving, (len(x), -1)), axis=1)

    side, bands = view.patches.patch, view.patches.bands
    generator = np.random.default_rng(settings.seed)
    starts = generator.standard_normal((STARTS, side, side, bands), np.float32)
    found, reached = _ascended(answer, starts, settings.iterations)
    best = int(reached.argmax())
    return Attribution(found[best : best + 1], {"activation": float(reached[best])})


def _ascended(answer: Function, x: Floats, iterations: int) -> tuple[Floats, Floats]:
    for _ in range(iterations):
        _, (slopes,) = gradients(answer, [x])
        length = np.sqrt(np.mean(slopes**2, axis=(1, 2, 3), keepdims=True))
        x = np.clip(x + RATE * slopes / np.where(length > 0, length, 1), -FARTHEST, FARTHEST)
    reached, _ = gradients(answer, [x])
    return x, reached


METHOD = Method(
    "activation", "the patch that a layer's filter answers to most", activation, sees="filters"
)
