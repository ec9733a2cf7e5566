"""A table of things that users choose by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from hsitf.errors import InputError, unknown

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Values by name; a name that does not exist is answered with the nearest spellings.

    Args:
        kind: What the names stand for, such as "criterion"; used in the error message.
        values: By name, in the order in which they are listed to users.
    """

    def __init__(self, kind: str, values: Mapping[str, T]) -> None:
        self.kind = kind
        self._values = dict(values)

    def __getitem__(self, name: str) -> T:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def known(self, name: str) -> T:
        """The value of a name that a user typed.

        Raises:
            InputError: There is no such name.
        """
        if name not in self._values:
            raise unknown(self.kind, name, self)
        return self._values[name]

    def register(self, name: str, value: T) -> None:
        """Adds a value of your own; users can then choose it by its name.

        Raises:
            InputError: The name is taken.
        """
        if name in self._values:
            raise InputError(
                f"there is a {self.kind} {name!r} already", remedy="choose another name"
            )
        self._values[name] = value
