"""Targets: what files are made for, one file each; the folder is the registry.

A file `some_name.py` in this folder holds `TARGET`, a `Target`: the kinds of file that the device
takes, what an inference costs there and how that is known, its memory, the rules of its delegate,
the toolchain and what a bundle for it holds besides. Its name on the command line is `some-name`.
Adding a file adds a target; no other file has to change. Packages and scripts add theirs by
`register`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from hsitf.errors import InputError, unknown
from hsitf.targets._target import (
    COMPILED,
    CostModel,
    DeviceMemory,
    Target,
    TargetCost,
    Toolchain,
    format_cost,
)

__all__ = [
    "COMPILED",
    "CostModel",
    "DeviceMemory",
    "Target",
    "TargetCost",
    "Toolchain",
    "all_targets",
    "find_target",
    "format_cost",
    "names",
    "register",
]

_REGISTERED: dict[str, Target] = {}


def register(name: str, target: Target) -> None:
    """Adds a target of your own; every verb then takes it by its name.

    Raises:
        InputError: The name is taken.
    """
    if name in names():
        raise InputError(f"there is a target {name!r} already", remedy="choose another name")
    _REGISTERED[name] = target


def names() -> list[str]:
    """The names of all targets, in alphabetical order."""
    shipped = (
        module.name.replace("_", "-")
        for module in pkgutil.iter_modules(__path__)
        if not module.name.startswith("_")
    )
    return sorted([*shipped, *_REGISTERED])


def find_target(name: str) -> Target:
    """The target of a name that a user typed.

    Raises:
        InputError: There is none; the nearest names are offered.
    """
    if name in _REGISTERED:
        return _REGISTERED[name]
    if name not in names():
        raise unknown("target", name, names())
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    found: Target = module.TARGET
    return found


def all_targets() -> Iterator[tuple[str, Target]]:
    """All targets with their names, in alphabetical order."""
    for name in names():
        yield name, find_target(name)
