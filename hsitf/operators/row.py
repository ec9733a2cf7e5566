"""What one row of the operator tables says about a layer type or an operation of `keras.ops`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.operators.shapes import CallShapes

Macs = Callable[[Any, CallShapes], int]


class Role(Enum):
    """What an operator does with channels, which are the last axis of a tensor."""

    PRODUCES = "makes channels of its own, each a weighted sum over the channels that enter"
    PASSES = "computes every channel from that channel alone"
    MOVES = "puts numbers in other places, repeats them or leaves them out; computes none"
    JOINS = "takes several tensors together, element by element or one after another"
    NORMALIZES = "scales channels by statistics of the data"
    MIXES = "computes a channel from several others without being a plain weighted sum"
    OPAQUE = "does something that its type alone does not tell"


class Pooling(Enum):
    """How an operator combines the positions of a channel."""

    MAX = "the largest of a window"
    AVERAGE = "the mean of a window"
    GLOBAL_MAX = "the largest of all positions"
    GLOBAL_AVERAGE = "the mean of all positions"

    @property
    def is_global(self) -> bool:
        """Whether one number is left of a channel."""
        return self in (Pooling.GLOBAL_MAX, Pooling.GLOBAL_AVERAGE)

    @property
    def selects(self) -> bool:
        """Whether the result is one of the numbers that entered."""
        return self in (Pooling.MAX, Pooling.GLOBAL_MAX)


class Capability(Enum):
    """The stages that have to know operators, each with what it does to a layer in a message."""

    COST = "counted"
    PRUNE = "pruned through"
    LOWER = "lowered"
    TILE = "computed on a whole tile"
    QUANTIZE = "quantized"
    DRAW = "drawn"


# A stage that works on what another one makes: what the other refuses, it cannot do either.
_BUILDS_ON = {
    Capability.TILE: Capability.LOWER,
    Capability.QUANTIZE: Capability.LOWER,
    Capability.DRAW: Capability.COST,
}


_ELEMENTWISE = (Role.PASSES, Role.JOINS, Role.NORMALIZES)


@dataclass(frozen=True)
class Refusal:
    """Why a stage cannot take an operator.

    Attributes:
        reason: A clause that completes "because".
        remedy: What the user can do instead, an imperative.
    """

    reason: str
    remedy: str


@dataclass(frozen=True)
class KernelAxes:
    """How one weight tensor that multiplies channels is laid out.

    Attributes:
        attribute: Name of the layer's attribute that holds it; of its cell's, where it is
            recurrent.
        reads: The axis that counts channels that are read, from the end.
        makes: The axes that count channels that are made, from the end. Where `reads` is among
            them, each channel is multiplied by itself, as in a depthwise convolution.
    """

    attribute: str
    reads: int = -2
    makes: tuple[int, ...] = (-1,)

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel that is made reads a single channel."""
        return self.reads in self.makes

    def of(self, layer: Any) -> NDArray[np.float32]:
        """The layer's tensor, as an array."""
        return np.asarray(getattr(layer, self.attribute))

    def to_matrix(self, kernel: NDArray[Any]) -> NDArray[Any]:
        """The kernel as `(channels made, products of one sum)`."""
        if self.makes == tuple(range(-len(self.makes), 0)):
            return np.asarray(kernel.reshape(-1, prod(kernel.shape[self.makes[0] :])).T)
        (axis,) = self.makes
        return np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1)

    def from_matrix(self, rows: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
        """The inverse of `to_matrix`.

        Args:
            rows: `(channels made, products of one sum)`.
            shape: Shape of the kernel.
        """
        if self.makes == tuple(range(-len(self.makes), 0)):
            return np.asarray(rows.T.reshape(shape))
        (axis,) = self.makes
        others = [size for at, size in enumerate(shape) if at != axis % len(shape)]
        return np.moveaxis(rows.reshape(shape[axis], *others), 0, axis)

    def links(self, kernel: NDArray[Any], groups: int = 1) -> NDArray[np.bool_]:
        """Which channel that is made reads which channel that enters.

        Args:
            kernel: The weights.
            groups: Groups of a grouped convolution, each of which reads its own channels.

        Returns:
            `(channels read, channels made)`, true where any weight between them is not zero.
        """
        used = np.asarray(kernel) != 0
        axes = sorted({self.reads, *self.makes})
        inner = used.any(axis=tuple(set(range(used.ndim)) - {axis % used.ndim for axis in axes}))
        if self.is_depthwise:
            own = np.eye(len(inner), dtype=bool).repeat(inner.shape[1], axis=1)
            return np.asarray(own & inner.ravel())
        if axes[0] != self.reads:
            inner = inner.T
        if groups == 1:
            return np.asarray(inner)
        group_read = np.arange(groups).repeat(inner.shape[0])
        group_made = np.arange(groups).repeat(inner.shape[1] // groups)
        return np.asarray(np.tile(inner, (groups, 1)) & (group_read[:, None] == group_made))


def no_macs(operation: Any, shapes: CallShapes) -> int:
    """Normalization, activations, pooling and moving of data count nothing, as usual."""
    return 0


def never(operation: Any) -> bool:
    """Of no layer."""
    return False


def always(operation: Any) -> bool:
    """Of every layer."""
    return True


@dataclass(frozen=True, eq=False)
class OperatorType:
    """The facts about a layer type, or an operation, that several stages need.

    Attributes:
        role: What it does with channels.
        rank: Spatial axes of what it takes, 1 to 3; None where it takes any number.
        kernels: Weights that multiply channels, in the order in which they are applied. A
            recurrent layer has its own outputs multiplied by the second one.
        gates: Sums of a recurrent layer for each unit, side by side in its kernels.
        pooling: How it combines positions of a channel.
        elementwise: Whether every number that leaves is computed from the number at that place
            alone (from several of them, where it joins).
        activation: Whether it is a nonlinear function as they follow convolutions.
        training_only: Whether it does nothing in inference.
        homogeneous: Whether f(a x) = a f(x) for each a > 0, for a given layer.
        macs: Multiply-accumulates of one sample, from the layer and the shapes at one place.
        refusals: Stages that cannot take it, and why. What is refused here has no rule there.

    Raises:
        InputError: The facts contradict each other.
    """

    role: Role
    rank: int | None = None
    kernels: tuple[KernelAxes, ...] = ()
    gates: int = 0
    pooling: Pooling | None = None
    elementwise: bool = False
    activation: bool = False
    training_only: bool = False
    homogeneous: Callable[[Any], bool] = never
    macs: Macs = no_macs
    refusals: Mapping[Capability, Refusal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        fault = next(self._contradictions(), None)
        if fault is not None:
            raise InputError(
                "the row of an operator contradicts itself", received=fault[0], remedy=fault[1]
            )
        object.__setattr__(self, "refusals", MappingProxyType(dict(self.refusals)))

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        """What cannot be true together, each with how to resolve it."""
        role, where = self.role, f"in Role.{self.role.name}"
        counts, refused = self.macs is not no_macs, Capability.COST in self.refusals
        if self.rank not in (None, 1, 2, 3):
            yield f"{self.rank} spatial axes", "give 1 to 3, or None for any number"
        if self.kernels and not counts and not refused:
            yield "kernels without multiply-accumulates", "give macs, see operators.counting"
        elif role is Role.PRODUCES and not counts and not refused:
            yield f"no multiply-accumulates {where}", "give macs, see operators.counting"
        if counts and refused:
            yield "macs, and a refusal to count them", "leave one of the two out"
        if self.kernels and role not in (Role.PRODUCES, Role.PASSES):
            yield f"kernels {where}", "choose Role.PRODUCES, or PASSES for a depthwise kernel"
        if role is Role.PASSES and not all(kernel.is_depthwise for kernel in self.kernels):
            yield f"a kernel that sums over channels {where}", "choose Role.PRODUCES"
        if self.gates and (role is not Role.PRODUCES or len(self.kernels) != 2):
            yield (
                f"{self.gates} gates with {len(self.kernels)} kernel(s) {where}",
                "give a recurrent layer its kernel and its recurrent kernel, in Role.PRODUCES",
            )
        if self.pooling and role is not Role.PASSES:
            yield f"pooling {where}", "choose Role.PASSES"
        if self.elementwise and (
            role not in _ELEMENTWISE or self.pooling is not None or self.kernels
        ):
            yield f"elementwise computation {where}", "leave elementwise, kernels or pooling out"
        if self.training_only and (role is not Role.PASSES or not self.elementwise or counts):
            yield (
                f"a layer of training only {where}",
                "choose Role.PASSES with elementwise=True and without macs",
            )
        if role is Role.OPAQUE and not self.refusals:
            yield "Role.OPAQUE without a refusal", "say what it does with channels, or refuse it"

    def refusal(self, capability: Capability) -> Refusal | None:
        """Why a stage cannot take this type; None where it can, or needs a rule of its own."""
        basis = _BUILDS_ON.get(capability, capability)
        return self.refusals.get(capability) or self.refusals.get(basis)

    @property
    def is_convolution(self) -> bool:
        """Whether its kernel slides over positions."""
        return bool(self.kernels) and self.rank is not None and not self.gates

    @property
    def is_recurrent(self) -> bool:
        """Whether it reads its own outputs, step by step."""
        return self.gates > 0

    @property
    def rearranges(self) -> bool:
        """Whether it only puts numbers elsewhere, those of several tensors included."""
        return self.role is Role.MOVES or (self.role is Role.JOINS and not self.elementwise)

    @property
    def keeps_values(self) -> bool:
        """Whether every number that leaves is one that entered its one input, or a zero."""
        selects = self.pooling is not None and self.pooling.selects
        return self.role is Role.MOVES or self.training_only or selects


# By a layer class of Keras by its name, since versions of Keras differ in which they have; a class
# of any other library by itself.
Rows = Mapping[str | type[Any], OperatorType]
