"""Equations of Einstein sums, read into the axes that they sum over, keep and make."""

from __future__ import annotations

import re
from string import ascii_letters
from typing import Any, NamedTuple


class EinsumEquation(NamedTuple):
    """The equation of an EinsumDense layer, one letter an axis, batch included.

    Attributes:
        entering: Axes of the tensor that enters.
        kernel: Axes of the kernel.
        leaving: Axes of the tensor that leaves.
    """

    entering: str
    kernel: str
    leaving: str

    @classmethod
    def of(cls, layer: Any, rank: int | None = None) -> EinsumEquation:
        """Reads the equation of a layer.

        Args:
            layer: An EinsumDense layer.
            rank: Axes of the tensor that enters, batch included; an ellipsis in the equation
                stands for as many of them as are not named, for one where this is None.
        """
        equation = re.sub(r"\s", "", layer.equation)
        entering, kernel, leaving = re.split(",|->", equation)
        if "..." in entering:
            named = len(entering) - 3
            count = 1 if rank is None else rank - named
            unused = [letter for letter in ascii_letters if letter not in equation]
            between = "".join(unused[:count])
            entering, leaving = (term.replace("...", between) for term in (entering, leaving))
        return cls(entering, kernel, leaving)

    @property
    def summed(self) -> str:
        """Axes that are summed over."""
        return "".join(letter for letter in self.entering if letter not in self.leaving)

    @property
    def made(self) -> str:
        """Axes that the kernel adds, in the order of the tensor that leaves."""
        return "".join(letter for letter in self.leaving if letter not in self.entering)

    @property
    def kept(self) -> str:
        """Axes along which the same kernel is applied, in the order of the tensor that leaves."""
        return "".join(letter for letter in self.leaving if letter in self.entering)

    @property
    def is_product(self) -> bool:
        """Whether it is one product with a matrix: no axis of the kernel has weights of its own.

        The batch comes first.
        """
        return (
            sorted(self.kernel) == sorted(self.summed + self.made)
            and self.entering[0] == self.leaving[0]
            and self.entering[0] not in self.kernel
        )

    @property
    def is_dense(self) -> bool:
        """Whether it does what Dense does: the last axis is summed over, and made anew."""
        return (
            self.is_product
            and len(self.kernel) == 2
            and self.entering[:-1] == self.leaving[:-1]
            and self.summed == self.entering[-1]
            and self.made == self.leaving[-1]
        )

    @property
    def reads_first(self) -> bool:
        """Whether the first axis of the kernel is one that is summed over."""
        return self.kernel[0] in self.summed
