"""Former names and shapes: what records looked like in an older schema.

This module imports nothing of hsitf, so that every module that defines a record can use it.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

# The JSON of one record: its keys and their values.
Content = dict[str, Any]

# By record class, the current name of a key by the name that it had in schema 1.
FORMER_NAMES: dict[type, dict[str, str]] = {}
# By record class, what brings the content that it had in schema 1 into its shape of today.
FORMER_SHAPES: dict[type, Callable[[Content], Content]] = {}
# By record class, what brings the value of a key, by its name today, from how schemas 1 and 2 wrote
# it to how it is written today.
FORMER_VALUES: dict[type, dict[str, Callable[[Any], Any]]] = {}


def formerly(**names: str) -> Callable[[type[T]], type[T]]:
    """States what keys of a record class were called in schema 1, as `new="old"`.

    Args:
        **names: The former name of each renamed field, by the field's name today.

    Returns:
        The class decorator; it goes above `@dataclass`.

    Raises:
        TypeError: The class has no such field, so the key would never be found.
    """

    def decorate(kind: type[T]) -> type[T]:
        FORMER_NAMES[kind] = {old: new for new, old in _fields_of(kind, names).items()}
        return kind

    return decorate


def formerly_shaped(upgrade: Callable[[Content], Content]) -> Callable[[type[T]], type[T]]:
    """States how the content of a record class differs from that in schema 1.

    It is for what `formerly` cannot say: keys that were merged, split or nested. The function gets
    the content with its former keys, before those of `formerly` are renamed.

    Args:
        upgrade: Returns a record's content with the keys of today, given that of schema 1. Files
            may be damaged: it copies what it finds and leaves out what is missing, which the
            reader then reports by its key.

    Returns:
        The class decorator; it goes above `@dataclass`.
    """

    def decorate(kind: type[T]) -> type[T]:
        FORMER_SHAPES[kind] = upgrade
        return kind

    return decorate


def formerly_written(**upgrades: Callable[[Any], Any]) -> Callable[[type[T]], type[T]]:
    """States how values of a record class were written in schemas 1 and 2.

    Args:
        **upgrades: For each such field, what returns the value of today, given that of then. Files
            may be damaged: it returns what it does not understand as it is.

    Returns:
        The class decorator; it goes above `@dataclass`.

    Raises:
        TypeError: The class has no such field, so the key would never be found.
    """

    def decorate(kind: type[T]) -> type[T]:
        FORMER_VALUES[kind] = _fields_of(kind, upgrades)
        return kind

    return decorate


def _fields_of(kind: type, named: dict[str, T]) -> dict[str, T]:
    """What is named by the fields of a record class.

    Raises:
        TypeError: A name is that of no field.
    """
    fields = {field.name for field in dataclasses.fields(typing.cast(Any, kind))}
    if odd := set(named) - fields:
        raise TypeError(f"{kind.__name__} has no field {', '.join(sorted(odd))}")
    return named
