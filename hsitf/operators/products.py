"""Products of two tensors, as operations and layers write them, read into axes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_letters
from typing import Any, NamedTuple

from hsitf.errors import HsitfError
from hsitf.operators.shapes import Shape

# Letter of an axis that is summed over, where the operation names none.
_SUM, _ROWS, _COLUMNS = "Y", "X", "Z"


class ProductEquation(NamedTuple):
    """A product of two tensors, a letter for each axis but the batch.

    Attributes:
        one: Axes of the first tensor.
        other: Axes of the second tensor.
        leaving: Axes of the product, each of them of one or both tensors.
    """

    one: str
    other: str
    leaving: str

    @property
    def summed(self) -> str:
        """Axes of both tensors that are summed over."""
        return "".join(axis for axis in self.one if axis not in self.leaving)

    @classmethod
    def of(
        cls, operation: Any, shapes: Sequence[Shape], error: type[HsitfError]
    ) -> ProductEquation:
        """Reads a Dot layer, or the operations Matmul and Einsum, of two tensors.

        Args:
            operation: The layer or operation.
            shapes: Shapes of the two tensors, without batch.
            error: Raised where it is no product of matrices.
        """
        kind = type(operation).__name__
        return {"Dot": cls._of_dot, "Matmul": cls._of_matmul}.get(kind, cls._of_einsum)(
            operation, shapes, error
        )

    @classmethod
    def _of_matmul(
        cls, operation: Any, shapes: Sequence[Shape], error: type[HsitfError]
    ) -> ProductEquation:
        one, other = shapes
        if len(one) != len(other) or len(one) < 2 or one[:-2] != other[:-2]:
            raise error(
                f"operation {operation.name!r} multiplies tensors of different axes",
                received=f"{one} and {other}",
                allowed="matrices (rows, columns) of each sample, or more axes alike before them",
                remedy="reshape one of them first",
            )
        batch = ascii_letters[: len(one) - 2]
        return cls(batch + _ROWS + _SUM, batch + _SUM + _COLUMNS, batch + _ROWS + _COLUMNS)

    @classmethod
    def _of_einsum(
        cls, operation: Any, shapes: Sequence[Shape], error: type[HsitfError]
    ) -> ProductEquation:
        equation = re.sub(r"\s", "", operation.subscripts)
        terms = re.split(",|->", equation)
        entering = "".join(terms[:-1])
        fits = (
            len(terms) == 3
            and "." not in equation
            and len({term[:1] for term in terms}) == 1
            and all(len(set(term)) == len(term) for term in terms)
            and set(terms[2]) <= set(entering)
            and set(terms[0]) ^ set(terms[1]) <= set(terms[2])
        )
        if not fits:
            raise error(
                f"operation {operation.name!r} has an equation that is no product of two matrices",
                received=equation,
                allowed="two tensors, a letter for each axis, the batch first in each term, no "
                "letter twice in a term, and no sum over an axis of one tensor alone",
            )
        one, other, leaving = (term[1:] for term in terms)
        return cls(one, other, leaving)

    @classmethod
    def _of_dot(
        cls, layer: Any, shapes: Sequence[Shape], error: type[HsitfError]
    ) -> ProductEquation:
        if layer.normalize:
            raise error(
                f"layer {layer.name!r} divides by the lengths of its vectors",
                received="normalize=True",
                allowed="normalize=False",
                remedy="normalize before",
            )
        axes = (layer.axes, layer.axes) if isinstance(layer.axes, int) else layer.axes
        letters = iter(ascii_letters.replace(_SUM, ""))
        terms = []
        for axis, shape in zip(axes, shapes, strict=True):
            position = axis % (len(shape) + 1) - 1
            if position < 0:
                raise error(
                    f"layer {layer.name!r} sums over samples", received=f"axes {layer.axes}"
                )
            terms.append(
                "".join(_SUM if at == position else next(letters) for at in range(len(shape)))
            )
        one, other = terms
        return cls(one, other, (one + other).replace(_SUM, ""))
