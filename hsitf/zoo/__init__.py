"""The literature's networks, one file each; the folder is the registry.

A file `NAME.py` in this folder holds `NETWORK`, the paper's geometry and training recipe, and
`build(bands, classes, patch)`, which returns a functional `keras.Model` of Keras layers, or of
those in `hsitf.layers` that Keras lacks. Every network takes patches `(batch, patch, patch, bands)`
float32, normalized, and returns logits `(batch, classes)`; whether it treats them as a spectrum, an
image or a volume is up to the network. Adding a file adds a network; no other file has to change.

Networks from outside the package come in beside: by `register`, by the path of a file that is
written alike, or by the entry points of installed packages (group `hsitf.networks`).

A network that labels every pixel of a tile at once states `NETWORK.tile`: it takes tiles `(batch,
tile, tile, bands)` and returns `(batch, tile, tile, classes)`, and `build` is given the side of the
tile in the place of the patch.

A network whose first layer is a function of wavelength states `NETWORK.by_wavelength`, and `build`
takes `wavelengths`, the band centers in nanometers: trained, it takes the bands of other sensors.

A network whose paper trains it with a decoder states the weight of the decoder's loss in
`NETWORK.reconstruction_weight`, and its file holds `semi_supervised(network)` beside `build`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hsitf.errors import InputError, unknown
from hsitf.log_silencing import load_keras
from hsitf.zoo import _files, _plugins
from hsitf.zoo._facts import DEFAULT_RECIPE, Network, Recipe
from hsitf.zoo._own import OwnNetwork, check_name, check_source

if TYPE_CHECKING:
    import keras

    from hsitf.zoo._baselines import BaselineData
    from hsitf.zoo._own import Build

__all__ = [
    "BASELINES",
    "DEFAULT_RECIPE",
    "Network",
    "Recipe",
    "build",
    "check",
    "check_patches",
    "check_trainable",
    "facts",
    "file_sha256",
    "fit",
    "is_file",
    "known",
    "names",
    "network",
    "register",
    "register_layers",
    "semi_supervised",
    "tiles_refused",
]

# Fitted by scikit-learn and written down as networks: see `_baselines`.
BASELINES = ("knn", "nearest", "random_forest", "sgd", "svm", "svm_grid")


_REGISTERED: dict[str, OwnNetwork] = {}


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
    origin, source = f"the network {name!r}", SimpleNamespace(NETWORK=network, build=build)
    check_name(name, origin, [*names(), *BASELINES])
    check_source(source, origin)
    _REGISTERED[name] = OwnNetwork(name, origin, lambda: source)


def _shipped() -> tuple[str, ...]:
    """Names of the networks of this folder, without importing any."""
    return tuple(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def _find_own(name: str) -> OwnNetwork | None:
    """The network from outside the package with this name, if there is one."""
    plugins = _plugins.plugins((*_shipped(), *BASELINES))
    return _REGISTERED.get(name) or _files.FILES.get(name) or plugins.get(name)


def _source(name: str) -> Any:
    """What holds a network's facts and functions: its module, or what is from outside."""
    # Networks are made of Keras' layers; its messages at the start are not the user's.
    load_keras()
    own = _find_own(name)
    return own.source if own else importlib.import_module(f"{__name__}.{name}")


def _baseline_module() -> Any:
    """The package of the baselines, which are networks of Keras, too."""
    load_keras()
    return importlib.import_module(f"{__name__}._baselines")


def names() -> list[str]:
    """Names of all networks, sorted, without importing any."""
    plugins = _plugins.plugins((*_shipped(), *BASELINES))
    return sorted({*_shipped(), *_REGISTERED, *_files.FILES, *plugins})


def known(name: str) -> str:
    """Returns the name of a network that a user named, without importing any network.

    Args:
        name: A name, or the path of a Python file with a network of the user's own.

    Returns:
        The name; of a file, its name without the suffix.

    Raises:
        InputError: There is no such network, and the nearest names are offered; or the file cannot
            be one of a network.
    """
    every = [*names(), *BASELINES]
    if is_file(name):
        return _files.add_file(name, every)
    if name not in every:
        raise unknown("network", name, every)
    return name


def register_layers(name: str) -> None:
    """Loads a network from outside, so that layers of its own are known when a file holds them.

    One that cannot be loaded here is passed over: its trained networks need it only for such
    layers, and what loads them then names the one that is missing.
    """
    own = _find_own(name)
    if own:
        with suppress(InputError):
            _ = own.source


def is_file(name: str) -> bool:
    """Whether a user named a network by the path of a Python file, whether or not it exists."""
    return name.endswith(_files.SUFFIX)


def file_sha256(name: str) -> str:
    """SHA-256 of the file that defines a network from outside; "" where hsitf has it itself."""
    own = _find_own(name)
    return own.sha256 if own else ""


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


def check_patches(name: str, verb: str) -> None:
    """Refuses a network of whole tiles where only one of patches will do.

    Args:
        name: Name of a network; one that is not known here is let through.
        verb: What is to be done, such as "explained".

    Raises:
        InputError: It labels tiles.
    """
    known_facts = facts(name)
    if known_facts is not None and known_facts.tile:
        raise tiles_refused(name, verb)


def tiles_refused(name: str, verb: str) -> InputError:
    """The error for a network of whole tiles where only one of patches will do."""
    return InputError(
        f"{name} labels whole tiles, and cannot be {verb}",
        received=name,
        allowed="networks that classify patches",
        remedy="tiles can be trained on, pruned, exported, measured, drawn and used for maps",
    )


def network(name: str) -> Network:
    """Returns the facts of the network `name`.

    Raises:
        InputError: There is no such network; the nearest names are offered.
    """
    name = known(name)
    if name in BASELINES:
        found: Network = _baseline_module().NETWORKS[name]
    else:
        found = _source(name).NETWORK
    return found


def facts(name: str) -> Network | None:
    """Returns the facts of the network `name`; None where there is no such network here.

    A finished run can be of a network that this process does not know: one whose file or package
    is elsewhere, or one that was trained elsewhere. Its own record and file then say all there is.
    """
    return network(name) if name in [*names(), *BASELINES] else None


def fit(name: str, data: BaselineData) -> keras.Model:
    """Fits the baseline `name`: `(batch, 1, 1, bands)` -> `(batch, classes)`."""
    model: keras.Model = _baseline_module().fit(name, data)
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
    if facts.tile and patch != facts.patch:
        raise InputError(
            f"{name} labels whole tiles: its layers decide how far a pixel sees",
            received=f"{patch} x {patch} pixels",
            allowed=f"{facts.patch}",
            remedy="leave --patch out",
        )
    if patch < facts.min_patch or (facts.max_patch or patch) < patch:
        high = f" to {facts.max_patch}" if facts.max_patch else " or more"
        raise InputError(
            f"{name} cannot run with this patch",
            received=f"{patch} x {patch} pixels",
            allowed=f"a side of {facts.min_patch}{high}; "
            f"{'the paper' if facts.paper else 'its author'}'s is {facts.patch}",
            remedy="give another --patch or leave it out",
        )
    if classes < 2:
        raise InputError(
            "a classifier needs two classes or more",
            received=f"{classes} classes",
            allowed="2 or more",
            remedy="label more classes or drop fewer",
        )


def build(
    name: str,
    *,
    bands: int,
    classes: int,
    patch: int | None = None,
    wavelengths: Sequence[float] | None = None,
) -> keras.Model:
    """Builds the network `name` with fresh weights.

    Args:
        name: One of `names()`, or the path of a Python file with a network of one's own.
        bands: Number of input bands.
        classes: Number of output logits.
        patch: Side of the patch in pixels; the paper's where None.
        wavelengths: Center of each band in nanometers, for a network by wavelength, which can be
            counted and drawn without; others do without.

    Returns:
        A functional model `(batch, patch, patch, bands)` -> `(batch, classes)`; of a network of
        tiles, `(batch, tile, tile, bands)` -> `(batch, tile, tile, classes)`.

    Raises:
        InputError: Unknown name, a geometry that the network's layers do not accept, or a network
            of one's own that returns no such model.
    """
    name = known(name)
    check_trainable(name, "built before it is fitted")
    facts = network(name)
    side = facts.patch if patch is None else patch
    check(name, bands=bands, classes=classes, patch=side)
    side = facts.tile or side
    more = {"wavelengths": wavelengths} if facts.by_wavelength and wavelengths else {}
    own = _find_own(name)
    if own:
        load_keras()
        return own.build(bands, classes, side, **more)
    model: keras.Model = _source(name).build(bands, classes, side, **more)
    from hsitf.graph import name_operations

    name_operations(model)
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
