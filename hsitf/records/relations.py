"""How the values of a record depend on each other, checked when it is made or read."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from hsitf.errors import DataError

MAX_NAME = 255
"""Bytes of a name; file systems allow no more."""


def check_name(kind: str, name: str) -> None:
    """Refuses a name that would lead out of a folder that is called by it.

    Raises:
        DataError: It is empty, a path, or longer than the name of a file can be.
    """
    if name in ("", ".", "..") or os.path.basename(name) != name or "\\" in name or "\0" in name:
        raise DataError(f"{name!r} is no name of a {kind}", allowed="a name that is no path")
    if len(os.fsencode(name)) > MAX_NAME:
        raise DataError(
            f"the name of a {kind} is too long",
            received=f"{len(name):,} characters",
            allowed=f"{MAX_NAME} bytes",
        )


def check_lengths(
    of: str, values: Mapping[str, Sequence[object]], allowed: Collection[int]
) -> None:
    """Refuses sequences that do not have as many items as they describe.

    Args:
        of: What they describe, such as "4 classes".
        values: The sequences by name.
        allowed: Lengths that are accepted; 0 where they may be unknown.

    Raises:
        DataError: One has another length.
    """
    for name, items in values.items():
        if len(items) not in allowed:
            raise DataError(f"{name} has {len(items)} items for {of}")


def check_same_names(of: str, expected: Collection[str], others: Iterable[Collection[str]]) -> None:
    """Refuses stages of one thing that do not have the same parts.

    Args:
        of: What the parts are, such as "measured files".
        expected: Names of the parts of the first stage.
        others: Names of those of the others.

    Raises:
        DataError: One has other parts.
    """
    for names in others:
        if set(names) != set(expected):
            raise DataError(
                f"{of} {sorted(names)} of one stage, and {sorted(expected)} of the first"
            )
