"""Configurations of Keras networks, read as plain JSON before anything is built of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any


def configured_objects(config: Any, passed_over: Collection[str]) -> Iterator[dict[str, Any]]:
    """Every object that a configuration names, outermost first.

    Args:
        config: A configuration, or any part of one.
        passed_over: Keys whose values are not looked into.
    """
    stack = [config]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            if isinstance(one.get("class_name"), str):
                yield one
            stack += [item for key, item in one.items() if key not in passed_over]
        elif isinstance(one, list | tuple):
            stack += one
