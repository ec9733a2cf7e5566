"""Records as JSON: written, read, checked, and brought up from an older schema."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hsitf.array_files import DAMAGE
from hsitf.compat import FORMER_NAMES, FORMER_SHAPES, FORMER_VALUES
from hsitf.compat import formerly as formerly
from hsitf.compat import formerly_shaped as formerly_shaped
from hsitf.errors import DataError, HsitfError, MissingDataError
from hsitf.files import os_errors_reported, replacing

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# Raised when the meaning of a record's keys changes. Schema 2 has the field's words as keys;
# records of schema 1 are read through the former names and shapes of each class (`compat`). Schema
# 3 calls reductions to components of unit deviation whitened, which all were before.
SCHEMA = 3
_READABLE = (1, 2, SCHEMA)
# Of the whole numbers that arrays hold.
_LARGEST = (1 << 63) - 1

T = TypeVar("T")

_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def write(record: object, path: Path) -> None:
    """Writes a record as indented JSON, moved into place when complete.

    Raises:
        OutputError: The file cannot be written.
        ValueError: The record holds NaN or infinity, which JSON cannot represent.
    """
    content = _adapter(type(record)).dump_python(record, mode="json")
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    if reason := _impossible(content):
        # Nobody could read it again.
        raise ValueError(f"a {type(record).__name__} with {reason}")
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read(kind: type[T], path: Path) -> T:
    """Reads a record of type `kind` from JSON.

    Raises:
        DataError: The file is missing, is not such a record, or is of another schema.
    """
    if not path.is_file():
        raise MissingDataError(
            "no record", received=str(path), remedy="name a folder that hsitf wrote, or make it"
        )
    with os_errors_reported(path):
        text = path.read_bytes()
    return parse(kind, text, str(path))


def parse(kind: type[T], text: bytes, name: str) -> T:
    """Reads a record of type `kind` from the text of a file, called `name` in messages.

    Raises:
        DataError: The text is not such a record, or is of a schema that is not known.
    """
    from pydantic import ValidationError

    content = _content(text)
    schema = content.get("schema", SCHEMA) if isinstance(content, dict) else SCHEMA
    if schema not in _READABLE:
        raise DataError(
            f"{name} is of another version of hsitf",
            received=f"schema {schema}",
            allowed=f"schema {_READABLE[0]} to {SCHEMA}",
            remedy="read it with the version that wrote it, or make it again with this one",
        )
    if reason := _impossible(content):
        raise _damaged(name, kind, reason)
    if schema != SCHEMA:
        content = _upgraded(kind, content, schema) | {"schema": SCHEMA}
        text = json.dumps(content).encode()
    try:
        # Strictly: a text is no number, and "1e999" not one without end.
        found: T = _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        # What a class refuses of its own values is a damaged record here, not a wrong option.
        if isinstance(refused := first.get("ctx", {}).get("error"), HsitfError):
            raise _damaged(name, kind, refused.what) from error
        location = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise _damaged(name, kind, f"{location}: {first['msg']}") from error
    except HsitfError as error:
        raise _damaged(name, kind, error.what) from error
    # Other errors of a class that looks at its own values.
    except DAMAGE as error:
        raise _damaged(name, kind, f"{type(error).__name__}: {str(error)[:200]}") from error
    return found


def _content(text: bytes) -> Any:
    """The text's JSON; None where it is none, which validation then says in its own words."""
    try:
        return json.loads(text)
    # Brackets within brackets without end exhaust the parser.
    except (ValueError, RecursionError):
        return None


def _impossible(content: Any) -> str:
    """What no record holds, whatever its kind; empty where there is nothing of that.

    1e999 is infinity, and NaN is in no order to any bound; no name and no path has the character 0,
    at which compiled libraries end a text. NumPy computes with whole numbers of 64 bits alone.
    """
    waiting = [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, float) and not math.isfinite(one):
            return "a number that is not finite"
        if isinstance(one, int) and not -_LARGEST <= one <= _LARGEST:
            return f"a whole number beyond {_LARGEST:,}"
        if isinstance(one, str) and "\0" in one:
            return "a text with the character 0"
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
    return ""


def _upgraded(kind: Any, content: Any, schema: int) -> Any:
    """Content of an older schema with the keys, shape and values of today, at every depth."""
    if dataclasses.is_dataclass(kind) and isinstance(content, dict):
        record = typing.cast("type", kind)
        hints = typing.get_type_hints(kind)
        named = _renamed(record, content) if schema == 1 else content
        values = FORMER_VALUES.get(record, {})
        return {
            key: values.get(key, _unchanged)(_upgraded(hints.get(key), value, schema))
            for key, value in named.items()
        }
    inner = typing.get_args(kind)
    if isinstance(content, list) and inner:
        kinds = [inner[0]] * len(content) if inner[-1] is Ellipsis or len(inner) == 1 else inner
        return [_upgraded(one, value, schema) for one, value in zip(kinds, content, strict=False)]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        classes = [one for one in inner if dataclasses.is_dataclass(one)]
        # Of several classes validation picks one by its keys, today's ones.
        for one in classes:
            content = _upgraded(one, content, schema)
        return content
    if isinstance(content, dict) and len(inner) == 2:
        return {key: _upgraded(inner[1], value, schema) for key, value in content.items()}
    return content


def _renamed(record: type, content: dict[str, Any]) -> dict[str, Any]:
    """Content of schema 1 with the keys and shape that its class has today."""
    former = FORMER_NAMES.get(record, {})
    if upgrade := FORMER_SHAPES.get(record):
        content = upgrade(content)
    return {former.get(str(key), str(key)): value for key, value in content.items()}


def _unchanged(value: Any) -> Any:
    return value


def _adapter(kind: type) -> TypeAdapter[Any]:
    """What checks records of a kind; made once, since a study reads thousands."""
    from pydantic import TypeAdapter

    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _damaged(name: str, kind: type, reason: str) -> DataError:
    return DataError(
        f"{name} is not a {kind.__name__}",
        received=reason,
        remedy="make it again with this version of hsitf",
    )
