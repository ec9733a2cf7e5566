"""The literature's networks, one file each; the folder is the registry.

A file `NAME.py` here holds `NETWORK`, what the paper says about geometry and training, and
`build(bands, classes, patch)`, which returns a functional `keras.Model` made of Keras' own
layers, or of those in `hsitf.layers` where Keras has none. Every network takes patches
`(batch, patch, patch, bands)` float32, normalized, and returns logits `(batch, classes)`; how it
regards them (as a spectrum, an image or a volume) is its own affair. Adding a file adds a
network; nothing else has to know of it.

A network whose paper trains it with a decoder states the weight of the decoder's loss in
`NETWORK.reconstruction`, and its file holds `semi_supervised(network)` beside `build`.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hsitf.errors import InputError, unknown

if TYPE_CHECKING:
    import keras

    from hsitf.zoo._baselines import Lesson

# Fitted by scikit-learn and written down as networks: see `_baselines`.
BASELINES = ("nearest", "sgd", "svm", "svm_grid")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, by its paper unless overridden.

    Attributes:
        optimizer: Name of a Keras optimizer.
        learning_rate: At the start; divided by 10 at the milestones, and where there are none,
            when the validation accuracy has not improved for a quarter of the epochs.
        batch: Patches a step.
        epochs: Passes over the training pixels.
        momentum: Of SGD.
        l2: Weight decay in the sense of the papers: `l2 * w` is added to the gradient of every
            trainable weight `w`.
        milestones: Shares of the epochs, ascending from 0 to 1, after which the rate falls.
        decay: The rate is divided by `1 + decay * steps` besides, at the start of each epoch.
    """

    optimizer: str
    learning_rate: float
    batch: int = 100
    epochs: int = 100
    momentum: float = 0.0
    l2: float = 0.0
    milestones: tuple[float, ...] = ()
    decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "batch", "epochs"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(
                    f"{name.replace('_', ' ')} has to be positive", received=getattr(self, name)
                )


@dataclass(frozen=True)
class Network:
    """What a paper says about its network.

    Attributes:
        paper: Citation.
        patch: Side of the square patch in pixels.
        recipe: How it was trained.
        short: Epochs of the short schedule, enough for about 95 % of the accuracy that the full
            one reaches on the built-in scene.
        smallest_patch: Least side its layers can take; 1 and equal to `patch` for networks on
            single spectra.
        largest_patch: Greatest side, where there is one.
        smallest_bands: Least number of bands its layers can take, whatever the patch.
        reconstruction: Weight of the mean squared error of reconstructed spectra beside the
            cross-entropy, where the network is trained with a decoder; None where it is not.
    """

    paper: str
    patch: int
    recipe: Recipe
    short: int
    smallest_patch: int = 1
    largest_patch: int | None = None
    smallest_bands: int = 1
    reconstruction: float | None = None


def names() -> list[str]:
    """Names of all networks, sorted, without importing any."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def known(name: str) -> str:
    """The name, if there is such a network; found out without importing any.

    Raises:
        InputError: There is no such network; the nearest names are offered.
    """
    every = [*names(), *BASELINES]
    if name not in every:
        raise unknown("network", name, every)
    return name


def trained_by_gradients(name: str, verb: str) -> None:
    """Refuses a baseline where only a network will do.

    Raises:
        InputError: It is a baseline.
    """
    if name in BASELINES:
        raise InputError(
            f"{name} is no network: it cannot be {verb}",
            allowed=", ".join(names()),
            remedy="a baseline can be trained, and exported with --onnx",
        )


def network(name: str) -> Network:
    """What the paper says about the network `name`.

    Raises:
        InputError: There is no such network; the nearest names are offered.
    """
    if known(name) in BASELINES:
        found: Network = importlib.import_module(f"{__name__}._baselines").NETWORKS[name]
    else:
        found = importlib.import_module(f"{__name__}.{name}").NETWORK
    return found


def fit(name: str, lesson: Lesson) -> keras.Model:
    """Fits the baseline `name`: `(batch, 1, 1, bands)` -> `(batch, classes)`."""
    model: keras.Model = importlib.import_module(f"{__name__}._baselines").fit(name, lesson)
    return model


def check(name: str, *, bands: int, classes: int, patch: int) -> None:
    """Refuses a geometry that the layers of the network `name` cannot take.

    Raises:
        InputError: There is no such network, too few bands or classes, a patch out of range.
    """
    facts = network(name)
    if bands < facts.smallest_bands:
        raise InputError(
            f"{name} cannot run with so few bands",
            received=f"{bands} bands",
            allowed=f"{facts.smallest_bands} or more",
            remedy="keep more bands or choose another network",
        )
    if patch < facts.smallest_patch or (facts.largest_patch or patch) < patch:
        high = f" to {facts.largest_patch}" if facts.largest_patch else " or more"
        raise InputError(
            f"{name} cannot run with this patch",
            received=f"{patch} x {patch} pixels",
            allowed=f"a side of {facts.smallest_patch}{high}; the paper's is {facts.patch}",
            remedy="give another --patch or leave it out",
        )
    if classes < 2:
        raise InputError(
            "a classifier needs classes to tell apart",
            received=f"{classes} classes",
            allowed="2 or more",
            remedy="label more classes or drop fewer",
        )


def build(name: str, *, bands: int, classes: int, patch: int | None = None) -> keras.Model:
    """Builds the network `name` with fresh weights.

    Args:
        name: One of `names()`.
        bands: Bands of the input.
        classes: Logits of the output.
        patch: Side of the patch in pixels; the paper's where None.

    Returns:
        A functional model `(batch, patch, patch, bands)` -> `(batch, classes)` named `name`.

    Raises:
        InputError: Unknown name, or a geometry that the network's layers cannot take.
    """
    trained_by_gradients(name, "built before it is fitted")
    side = network(name).patch if patch is None else patch
    check(name, bands=bands, classes=classes, patch=side)
    model: keras.Model = importlib.import_module(f"{__name__}.{name}").build(bands, classes, side)
    return model


def semi_supervised(name: str, model: keras.Model) -> keras.Model:
    """Adds the decoder of the network `name`, which serves training alone, with fresh weights.

    Args:
        name: One with a `Network.reconstruction`.
        model: What `build` made of it, trained or pruned since; its layers are shared.

    Returns:
        A functional model `(batch, patch, patch, bands)` -> `(batch, classes)` and
        `(batch, bands)`, the spectrum of the patch's center.
    """
    whole: keras.Model = importlib.import_module(f"{__name__}.{name}").semi_supervised(model)
    return whole
