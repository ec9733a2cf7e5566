"""Products of two tensors of a network, contracted over axes that both have."""

from __future__ import annotations

import re
from math import prod
from string import ascii_letters

import numpy as np
from keras import KerasTensor, ops

from hsitf.arrays import Float32Array
from hsitf.lower.context import LoweringContext
from hsitf.lower.layers_dense import multiplied
from hsitf.lower.layout_tensor import LayoutTensor, dense_layout, rearrange


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


def matmul(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The operation Matmul: of two tensors, or of a tensor and a constant matrix."""
    if len(inputs) == 1:
        return _by_constant(context, inputs[0])
    one, other = inputs
    if len(one.shape) != len(other.shape) or len(one.shape) < 2:
        raise context.error(
            "multiplies tensors of different ranks",
            received=f"{one.shape} and {other.shape}",
            allowed="matrices (rows, columns) of each sample, or more axes alike before them",
            remedy="reshape one of them first",
        )
    if one.shape[:-2] != other.shape[:-2]:
        raise context.error(
            "broadcasts matrices", received=f"{one.shape} and {other.shape}", allowed="equal axes"
        )
    letters = ascii_letters[: len(one.shape) - 2]
    return tensor_product(one, f"{letters}XY", other, f"{letters}YZ", f"{letters}XZ")


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


def einsum(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The operation Einsum of two tensors."""
    equation = re.sub(r"\s", "", context.layer.subscripts)
    terms = re.split(",|->", equation)
    if len(inputs) != 2 or len(terms) != 3 or "." in equation:
        raise context.error(
            "has an equation that is no product of two tensors",
            received=equation,
            allowed="two tensors, with a letter for each axis and an arrow",
        )
    batch = {term[:1] for term in terms}
    repeats = any(len(set(term)) < len(term) for term in terms)
    entering = set(terms[0]) | set(terms[1])
    alone = (set(terms[0]) ^ set(terms[1])) - set(terms[2])
    if len(batch) > 1 or repeats or alone or not set(terms[2]) <= entering:
        raise context.error(
            "has an equation that is no product of matrices",
            received=equation,
            allowed="the batch first in each term, no letter twice in a term, and no sum over "
            "an axis of one tensor alone",
        )
    first, second, leaving = (term[1:] for term in terms)
    return tensor_product(inputs[0], first, inputs[1], second, leaving)


def dot(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The layer Dot: summed over one axis of each tensor."""
    layer, (one, other) = context.layer, inputs
    if layer.normalize:
        raise context.error(
            "divides by the lengths of its vectors",
            received="normalize=True",
            allowed="normalize=False",
            remedy="normalize before, with the layer UnitNormalization",
        )
    axes = (layer.axes, layer.axes) if isinstance(layer.axes, int) else layer.axes
    first, second = (
        axis % (len(value.shape) + 1) - 1 for axis, value in zip(axes, (one, other), strict=True)
    )
    if min(first, second) < 0:
        raise context.error("sums over samples", received=f"axes {layer.axes}")
    letters = iter(ascii_letters)
    own = ["S" if axis == first else next(letters) for axis in range(len(one.shape))]
    beside = ["S" if axis == second else next(letters) for axis in range(len(other.shape))]
    leaving = [letter for letter in (*own, *beside) if letter != "S"]
    result = tensor_product(one, "".join(own), other, "".join(beside), "".join(leaving))
    if leaving:
        return result
    return LayoutTensor(result.tensor, result.layout.reshape(1))


def constant_tensor(values: Float32Array, batch: int) -> LayoutTensor:
    """Learned numbers as a tensor of the network, the same for every sample.

    Args:
        values: Numbers in their logical shape.
        batch: Number of samples.
    """
    repeated = np.broadcast_to(values.reshape(1, -1), (batch, values.size))
    layout = np.arange(values.size).reshape(values.shape)
    return LayoutTensor(ops.convert_to_tensor(np.array(repeated)), layout)
