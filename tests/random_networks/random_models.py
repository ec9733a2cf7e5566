"""Random functional networks: branches, joins, splits, reshapes, and a block that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers
from random_blocks import ALL, ANYWHERE, BLOCKS, Rng, block, few, one_of

# Elements of a tensor above which it is made smaller.
MAX_ELEMENTS = 320
CLASSES = 3


@dataclass(frozen=True, eq=False)
class RandomNetwork:
    """A network with where it comes from.

    Attributes:
        seed: Seed of the campaign.
        number: Number of the network in it.
        model: The network, with random weights.
        blocks: What it is made of.
    """

    seed: int
    number: int
    model: keras.Model
    blocks: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"network {self.number} of seed {self.seed} ({', '.join(self.blocks)})"


def random_network(seed: int, number: int) -> RandomNetwork:
    """Network `number` of a seed; consecutive numbers go through all blocks."""
    rng = np.random.default_rng([seed, number])
    order = np.random.default_rng(seed).permutation(len(ALL))
    asked = ALL[order[number % len(ALL)]]
    found = RandomNetwork(seed, number, None, [])  # type: ignore[arg-type]
    keras.utils.set_random_seed(seed + number)
    patch = few(rng, 1, 5)
    inputs = [keras.Input((patch, patch, few(rng, 3, 8)), name="patch")]
    x: Any = inputs[0]
    if rng.random() < 0.08:
        other = keras.Input((few(rng, 3, 6),), name="beside")
        inputs.append(other)
        x = layers.Multiply()([layers.Conv2D(4, 1)(x), layers.Dense(4, activation="tanh")(other)])
    length = few(rng, 2, 4)
    place = int(rng.integers(length))
    for step in range(length):
        x = _branched(rng, x, found.blocks) if rng.random() < 0.2 else x
        x = _stepped(rng, x, *(asked if step == place else _any_block(rng, x)), found.blocks)
    flat = _vector(rng, x)
    outputs: Any = layers.Dense(CLASSES, name="classes")(flat)
    if rng.random() < 0.06:
        outputs = {"z": outputs, "aux": layers.Dense(2, name="size")(_vector(rng, x))}
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name=f"n{number}")
    _randomize(rng, model)
    return RandomNetwork(seed, number, model, found.blocks)


def _any_block(rng: Rng, x: Any) -> tuple[int, str]:
    axes = len(x.shape) - 1
    if rng.random() < 0.3:
        axes = int(one_of(rng, (2, 3, 3, 4)))
    own = BLOCKS.get(axes, {})
    return axes, str(one_of(rng, list(own) if rng.random() < 0.7 and own else list(ANYWHERE)))


def _stepped(rng: Rng, x: Any, axes: int, name: str, blocks: list[str]) -> Any:
    """One block, on a tensor of as many axes as it takes."""
    x = _smaller(rng, _with_axes(rng, x, axes))
    blocks.append(f"{name} of {axes}")
    return _smaller(rng, block(axes, name)(rng, x))


def _branched(rng: Rng, x: Any, blocks: list[str]) -> Any:
    """The tensor, joined with what another way makes of it."""
    blocks.append("branch")
    width = x.shape[-1]
    side = layers.Dense(few(rng), activation="relu")(x)
    name = str(one_of(rng, list(ANYWHERE)))
    blocks.append(name)
    side = ANYWHERE[name](rng, side)
    if rng.random() < 0.5:
        return layers.Concatenate()([x, side])
    return layers.Add()([x, layers.Dense(width)(side)])


def _with_axes(rng: Rng, x: Any, axes: int) -> Any:
    shape = tuple(x.shape[1:])
    if len(shape) == axes:
        return x
    if axes == 1:
        return _vector(rng, x)
    size = int(np.prod(shape))
    if axes < len(shape):
        # The last axes become one, or the first.
        kept = axes - 1
        new = (*shape[:kept], -1) if rng.random() < 0.5 else (-1, *shape[len(shape) - kept :])
        return layers.Reshape(new)(x)
    divisors = [n for n in range(1, shape[-1] + 1) if shape[-1] % n == 0]
    while len(shape) < axes:
        part = int(one_of(rng, divisors))
        around, last = shape[:-1], shape[-1]
        if last % part:
            part = 1
        shape = (*around, part, last // part) if rng.random() < 0.6 else (*around, 1, last)
    assert int(np.prod(shape)) == size
    return layers.Reshape(shape)(x)


def _smaller(rng: Rng, x: Any) -> Any:
    """The tensor, or less of it where it is large."""
    shape = tuple(x.shape[1:])
    if int(np.prod(shape)) <= MAX_ELEMENTS:
        return x
    if len(shape) > 1 and shape[-1] > 8:
        x = layers.Dense(4)(x)
    while int(np.prod(x.shape[1:])) > MAX_ELEMENTS:
        axis = int(np.argmax(x.shape[1:-1])) + 1 if len(x.shape) > 2 else 1
        x = x[(slice(None),) * axis + (slice(None, None, 2),)]
    return x


def _vector(rng: Rng, x: Any) -> Any:
    pools = {
        2: layers.GlobalAveragePooling1D,
        3: layers.GlobalAveragePooling2D,
        4: layers.GlobalAveragePooling3D,
    }
    axes = len(x.shape) - 1
    if axes in pools and rng.random() < 0.4:
        return pools[axes]()(x)
    return x if axes == 1 else layers.Flatten()(x)


def _randomize(rng: Rng, model: keras.Model) -> None:
    """Weights of about unit gain, and statistics of batch normalization that are not 0 and 1."""
    for variable in model.weights:
        if not variable.dtype.startswith("float"):
            continue
        fan = max(1, int(np.prod(variable.shape[:-1])))
        values = rng.normal(size=variable.shape, scale=(1.5 / fan) ** 0.5)
        if "variance" in variable.path:
            values = 0.5 + np.abs(values)
        elif len(variable.shape) <= 1:
            # Scales, biases and slopes.
            base = 1.0 if variable.name in ("gamma", "scale", "factor") else 0.0
            values = base + 0.2 * rng.normal(size=variable.shape)
        variable.assign(values)
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
