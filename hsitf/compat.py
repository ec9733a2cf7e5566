"""Former names: what keys of records were called in an older schema.

This module imports nothing of hsitf, so that every module that defines a record can use it.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

# By record class, the current name of a key by the name that it had in schema 1.
FORMER_NAMES: dict[type, dict[str, str]] = {}


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
        fields = {field.name for field in dataclasses.fields(typing.cast(Any, kind))}
        if odd := set(names) - fields:
            raise TypeError(f"{kind.__name__} has no field {', '.join(sorted(odd))}")
        FORMER_NAMES[kind] = {old: new for new, old in names.items()}
        return kind

    return decorate
