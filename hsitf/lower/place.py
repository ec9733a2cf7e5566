"""What a rule is told, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hsitf.errors import LoweringError
from hsitf.graph import Call
from hsitf.lower.value import Value
from hsitf.targets import Target


@dataclass(frozen=True, eq=False)
class Place:
    """An operation at one place of the network being lowered.

    Attributes:
        call: The operation and its arguments.
        name: For what is made of it; an operation used at two places has two.
        target: What it is lowered for.
    """

    call: Call
    name: str
    target: Target

    @property
    def layer(self) -> Any:
        """The layer, or the operation of `keras.ops`."""
        return self.call.operation

    def named(self, part: str) -> Place:
        """The place of a part of what is made here."""
        return replace(self, name=f"{self.name}_{part}")

    def with_layer(self, layer: Any) -> Place:
        """The place of a layer that belongs to the one here."""
        return replace(self, call=Call(layer, self.call.node))

    def error(
        self, what: str, *, received: object, allowed: object = None, remedy: str | None = None
    ) -> LoweringError:
        """The error for an operation that cannot be lowered.

        Args:
            what: It does or is, after its name.
            received: In its arguments.
            allowed: Instead.
            remedy: What to do.
        """
        return LoweringError(
            f"layer {self.layer.name!r} {what}", received=received, allowed=allowed, remedy=remedy
        )


Rule = Callable[[Place, list[Value]], Value | list[Value]]
