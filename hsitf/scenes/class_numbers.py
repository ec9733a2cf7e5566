"""What classes are called whose labels bring numbers and no names."""

from __future__ import annotations

import re

_NUMBERED = re.compile(r"class (\d{1,9})$")


def numbered_name(number: int) -> str:
    """The name of a class that has a number alone."""
    return f"class {number}"


def number_in(name: str) -> int | None:
    """The number of a class that is called by it; None for a name that people gave."""
    match = _NUMBERED.match(name)
    return int(match[1]) if match else None
