"""The literature's networks, one file each; the folder is the registry.

A file `NAME.py` in this folder holds `NETWORK`, the paper's geometry and training recipe, and
`build(bands, classes, patch)`, which returns a functional `keras.Model` of Keras layers, or of
those in `hsitf.layers` that Keras lacks. Every network takes patches `(batch, patch, patch, bands)`
float32, normalized, and returns logits `(batch, classes)`; whether it treats them as a spectrum, an
image or a volume is up to the network. Adding a file adds a network; no other file has to change.

A network whose paper trains it with a decoder states the weight of the decoder's loss in
`NETWORK.reconstruction`, and its file holds `semi_supervised(network)` beside `build`.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hsitf.compat import formerly
from hsitf.errors import InputError, unknown
from hsitf.log_silencing import load_keras

if TYPE_CHECKING:
    import keras

    from hsitf.zoo._baselines import BaselineData

    Build = Callable[[int, int, int], keras.Model]

# Fitted by scikit-learn and written down as networks: see `_baselines`.
BASELINES = ("nearest", "sgd", "svm", "svm_grid")


@formerly(batch_size="batch", weight_decay="l2", learning_rate_decay="decay")
@dataclass(frozen=True)
class Recipe:
    """How a network is trained, by its paper unless overridden.

    Attributes:
        optimizer: Name of a Keras optimizer.
        learning_rate: Initial learning rate; divided by 10 at the milestones or, without
            milestones, when the validation accuracy has not improved for a quarter of the epochs.
        batch_size: Patches per training step.
        epochs: Number of passes over the training pixels.
        momentum: Momentum of SGD.
        weight_decay: Weight decay in the sense of the papers, an L2 penalty: `weight_decay * w` is
            added to the gradient of every trainable weight `w`. It is not the decoupled weight
            decay of AdamW.
        milestones: Shares of the epochs, ascending from 0 to 1, after which the learning rate
            falls.
        learning_rate_decay: Inverse time decay: the learning rate is also divided by `1 +
            learning_rate_decay * steps` at the start of each epoch.
    """

    optimizer: str
    learning_rate: float
    batch_size: int = 100
    epochs: int = 100
    momentum: float = 0.0
    weight_decay: float = 0.0
    milestones: tuple[float, ...] = ()
    learning_rate_decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs"):
            if not isinstance(value := getattr(self, name), int):
                raise InputError(
                    f"{name.replace('_', ' ')} has to be a whole number",
                    received=repr(value),
                    allowed="1 or more",
                )
        for name in ("learning_rate", "batch_size", "epochs"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(
                    f"{name.replace('_', ' ')} has to be positive", received=getattr(self, name)
                )


@dataclass(frozen=True)
class Network:
    """The facts that a paper states about its network.

    Attributes:
        paper: Citation.
        patch: Side of the square patch in pixels.
        recipe: The training recipe of the paper.
        short_epochs: Epochs of the short schedule, enough for about 95 % of the accuracy of the
            full one on the built-in scene.
        min_patch: Smallest patch size that its layers accept; 1 and equal to `patch` for networks
            on single spectra.
        max_patch: Largest patch size, where there is one.
        min_bands: Smallest number of bands that its layers accept, whatever the patch size.
        reconstruction_weight: Weight of the mean squared reconstruction error relative to the
            cross-entropy, where the network is trained with a decoder; None where it is not.
    """

    paper: str
    patch: int
    recipe: Recipe
    short_epochs: int
    min_patch: int = 1
    max_patch: int | None = None
    min_bands: int = 1
    reconstruction_weight: float | None = None


_REGISTERED: dict[str, SimpleNamespace] = {}


def register(name: str, network: Network, build: Build) -> None:
    """Adds a network of your own; every verb then takes it by its name.

    Args:
        name: Name of the network: letters, digits, hyphens and underscores, as folders are named
            by it.
        network: Its patch, recipe and limits; `paper` may be empty.
        build: Function `(bands, classes, patch) -> keras.Model`, a functional model
            `(batch, patch, patch, bands)` -> `(batch, classes)` logits.

    Raises:
        InputError: The name is taken or cannot name a folder.
    """
    if name in names() or name in BASELINES:
        raise InputError(f"there is a network {name!r} already", remedy="choose another name")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise InputError(
            "a network cannot have this name",
            received=repr(name),
            allowed="letters, digits, hyphens and underscores, a letter or digit first",
        )
    _REGISTERED[name] = SimpleNamespace(NETWORK=network, build=build)


def _source(name: str) -> Any:
    """What holds a network's facts and functions: its module, or what was registered."""
    # Networks are made of Keras' layers; its messages at the start are not the user's.
    load_keras()
    return _REGISTERED.get(name) or importlib.import_module(f"{__name__}.{name}")


def names() -> list[str]:
    """Names of all networks, sorted, without importing any."""
    shipped = (m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return sorted([*shipped, *_REGISTERED])


def known(name: str) -> str:
    """Returns the name if there is such a network, without importing any network.

    Raises:
        InputError: There is no such network; the nearest names are offered.
    """
    every = [*names(), *BASELINES]
    if name not in every:
        raise unknown("network", name, every)
    return name


def check_trainable(name: str, verb: str) -> None:
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
    """Returns the facts of the network `name`.

    Raises:
        InputError: There is no such network; the nearest names are offered.
    """
    if known(name) in BASELINES:
        found: Network = importlib.import_module(f"{__name__}._baselines").NETWORKS[name]
    else:
        found = _source(name).NETWORK
    return found


def fit(name: str, data: BaselineData) -> keras.Model:
    """Fits the baseline `name`: `(batch, 1, 1, bands)` -> `(batch, classes)`."""
    model: keras.Model = importlib.import_module(f"{__name__}._baselines").fit(name, data)
    return model


def check(name: str, *, bands: int, classes: int, patch: int) -> None:
    """Refuses a geometry that the layers of the network `name` do not accept.

    Raises:
        InputError: There is no such network, too few bands or classes, a patch out of range.
    """
    facts = network(name)
    if bands < facts.min_bands:
        raise InputError(
            f"{name} cannot run with so few bands",
            received=f"{bands} bands",
            allowed=f"{facts.min_bands} or more",
            remedy="keep more bands or choose another network",
        )
    if patch < facts.min_patch or (facts.max_patch or patch) < patch:
        high = f" to {facts.max_patch}" if facts.max_patch else " or more"
        raise InputError(
            f"{name} cannot run with this patch",
            received=f"{patch} x {patch} pixels",
            allowed=f"a side of {facts.min_patch}{high}; the paper's is {facts.patch}",
            remedy="give another --patch or leave it out",
        )
    if classes < 2:
        raise InputError(
            "a classifier needs two classes or more",
            received=f"{classes} classes",
            allowed="2 or more",
            remedy="label more classes or drop fewer",
        )


def build(name: str, *, bands: int, classes: int, patch: int | None = None) -> keras.Model:
    """Builds the network `name` with fresh weights.

    Args:
        name: One of `names()`.
        bands: Number of input bands.
        classes: Number of output logits.
        patch: Side of the patch in pixels; the paper's where None.

    Returns:
        A functional model `(batch, patch, patch, bands)` -> `(batch, classes)` named `name`.

    Raises:
        InputError: Unknown name, or a geometry that the network's layers do not accept.
    """
    check_trainable(name, "built before it is fitted")
    side = network(name).patch if patch is None else patch
    check(name, bands=bands, classes=classes, patch=side)
    model: keras.Model = _source(name).build(bands, classes, side)
    return model


def semi_supervised(name: str, model: keras.Model) -> keras.Model:
    """Adds the decoder of the network `name`, which serves training alone, with fresh weights.

    Args:
        name: A network with a `Network.reconstruction_weight`.
        model: A network returned by `build`, trained or pruned since; its layers are shared.

    Returns:
        A functional model `(batch, patch, patch, bands)` -> `(batch, classes)` and
        `(batch, bands)`, the spectrum of the patch's center.
    """
    whole: keras.Model = _source(name).semi_supervised(model)
    return whole
