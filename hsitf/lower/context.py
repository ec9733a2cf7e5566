"""Lowering rules and the context that they are called with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hsitf.arithmetic import Arithmetic
from hsitf.errors import LoweringError
from hsitf.graph import Call
from hsitf.lower.layout_tensor import LayoutTensor


@dataclass(frozen=True, eq=False)
class LoweringContext:
    """A call of an operation in the network being lowered.

    Attributes:
        call: The operation and its arguments.
        name: Name of the lowered layer, unique for each call.
        arithmetic: Arithmetic to lower for.
    """

    call: Call
    name: str
    arithmetic: Arithmetic

    @property
    def layer(self) -> Any:
        """The layer, or the operation of `keras.ops`."""
        return self.call.operation

    def for_part(self, part: str) -> LoweringContext:
        """The context of a part of the lowered operation, with the name extended."""
        return replace(self, name=f"{self.name}_{part}")

    def with_layer(self, layer: Any) -> LoweringContext:
        """The context of a layer that belongs to this one, such as its activation."""
        return replace(self, call=Call(layer, self.call.node))

    def error(
        self, what: str, *, received: object, allowed: object = None, remedy: str | None = None
    ) -> LoweringError:
        """The error for an operation that cannot be lowered.

        Args:
            what: What the layer does or is; follows its name in the message.
            received: The unsupported argument.
            allowed: Supported arguments.
            remedy: What the user can do.
        """
        return LoweringError(
            f"layer {self.layer.name!r} {what}", received=received, allowed=allowed, remedy=remedy
        )


LoweringRule = Callable[[LoweringContext, list[LayoutTensor]], LayoutTensor | list[LayoutTensor]]
