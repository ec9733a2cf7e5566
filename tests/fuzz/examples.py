"""An instance of any record, made from the types of its fields."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from annotated_types import Ge, Gt

T = TypeVar("T")

_PLAIN: dict[Any, Any] = {int: 1, float: 0.5, str: "a", bool: True, type(None): None}


def example(kind: type[T], known: Mapping[Any, Any], /, **given: Any) -> T:
    """A record whose numbers and texts are all alike, with one item in each of its lists.

    Args:
        kind: A dataclass.
        known: Values by type, where fields of a record depend on each other.
        given: Fields of this record that are to have another value.
    """
    hints = typing.get_type_hints(kind, include_extras=True)
    values = {
        one.name: given[one.name] if one.name in given else _value(hints[one.name], known)
        for one in dataclasses.fields(typing.cast(Any, kind))
    }
    return kind(**values)


def _value(hint: Any, known: Mapping[Any, Any]) -> Any:
    if isinstance(hint, type) and hint in known:
        return known[hint]
    if typing.get_origin(hint) is typing.Annotated:
        inner, *limits = typing.get_args(hint)
        least = [one for one in limits if isinstance(one, Ge | Gt)]
        return _value(inner, known) if least or inner is not float else 0.5
    if hint in _PLAIN:
        return _PLAIN[hint]
    if dataclasses.is_dataclass(hint):
        return example(typing.cast(Any, hint), known)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(inner[0], known)
    if origin is tuple:
        return tuple(_value(one, known) for one in inner if one is not Ellipsis)
    if origin is list:
        return [_value(inner[0], known)]
    if origin is typing.Literal:
        return inner[0]
    if origin is not None and issubclass(origin, Mapping):
        return {_value(inner[0], known): _value(inner[1], known)}
    if hint is Any or hint is object:
        return "a"
    raise TypeError(f"no example of {hint}")
