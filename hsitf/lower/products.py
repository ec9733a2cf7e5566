"""Products of two tensors of a network, contracted over axes that both have."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
from keras import KerasTensor, ops

from hsitf.errors import LoweringError
from hsitf.lower.context import LoweringContext
from hsitf.lower.layers_dense import multiplied
from hsitf.lower.layout_tensor import LayoutTensor, dense_layout, rearrange
from hsitf.operators.products import ProductEquation


def tensor_product(
    one: LayoutTensor, axes: str, other: LayoutTensor, other_axes: str, leaving: str
) -> LayoutTensor:
    """An Einstein sum of two tensors, as one batched product of matrices.

    Axes that both have and that leave are samples of the product, axes that both have and that do
    not leave are summed over; the others are its rows and columns.

    Args:
        one: First tensor.
        axes: A letter for each of its axes, without batch.
        other: Second tensor.
        other_axes: Its letters.
        leaving: Letters of the axes that leave, each of them of one or both tensors.
    """
    sizes = dict(zip(axes, one.shape, strict=True)) | dict(
        zip(other_axes, other.shape, strict=True)
    )
    shared = [letter for letter in axes if letter in other_axes]
    samples = [letter for letter in shared if letter in leaving]
    summed = [letter for letter in shared if letter not in leaving]
    rows = [letter for letter in axes if letter not in other_axes]
    columns = [letter for letter in other_axes if letter not in axes]

    def matrices(value: LayoutTensor, own: str, *groups: list[str]) -> KerasTensor:
        order = tuple(own.index(letter) for group in groups for letter in group)
        counts = [prod(sizes[letter] for letter in group) for group in groups]
        return rearrange(value, order).reshaped(*(counts[1:] if counts[0] == 1 else counts))

    tensor = ops.matmul(
        matrices(one, axes, samples, rows, summed),
        matrices(other, other_axes, samples, summed, columns),
    )
    made = [*samples, *rows, *columns]
    layout = dense_layout(tuple(sizes[letter] for letter in made), tuple(range(len(made))))
    return LayoutTensor(tensor, layout.transpose([made.index(letter) for letter in leaving]))


# --- operations and the layer Dot ------------------------------------------------------------


def product(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The layer Dot, and the operations Matmul and Einsum."""
    if len(inputs) != 2:
        return _by_constant(context, inputs[0])
    shapes = [value.shape for value in inputs]
    equation = ProductEquation.of(context.layer, shapes, LoweringError)
    one, other = inputs
    result = tensor_product(one, equation.one, other, equation.other, equation.leaving)
    shape = tuple(int(size or 0) for size in context.call.shapes[0][1:])
    return replace(result, layout=result.layout.reshape(shape))


def _by_constant(context: LoweringContext, value: LayoutTensor) -> LayoutTensor:
    arguments = context.call.node.arguments
    given = [*arguments.args, *arguments.kwargs.values()][:2]
    matrix = given[1]
    if not hasattr(matrix, "shape") or len(matrix.shape) != 2 or given[0] is not _tensor(context):
        raise context.error(
            "multiplies by a constant that is no matrix on its right",
            received=f"shapes {[tuple(getattr(each, 'shape', ())) for each in given]}",
            allowed="a tensor times a constant matrix",
            remedy="use the layer Dense or EinsumDense",
        )
    return multiplied(value, np.asarray(matrix, np.float32), context)


def _tensor(context: LoweringContext) -> KerasTensor:
    return context.call.node.arguments.keras_tensors[0]
