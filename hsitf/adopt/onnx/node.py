"""One node of an ONNX graph as its conversion sees it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers
from numpy.typing import NDArray

from hsitf.adopt.onnx.axes import (
    AxisTensor,
    blocks,
    order_behind,
    order_for_blocks,
    sliding_order,
)
from hsitf.arrays import Float32Array
from hsitf.errors import InputError

Constant = NDArray[Any]
# What enters or leaves a node.
Operand = AxisTensor | Constant
# 256 MB of 32-bit numbers a sample, far above any patch network.
MAX_ELEMENTS = 2**26
# Longer names are of no use in tables, and files of weights bound them.
_MAX_NAME = 80
SAMPLES_FIRST = (
    "write the network so that every tensor has samples as its first axis: flatten(1), "
    "x.view(x.size(0), -1), squeeze() with the axis"
)


@dataclass(eq=False)
class LayerNames:
    """Gives every layer and operation of a network a name of its own."""

    _taken: set[str] = field(default_factory=set)

    def unique(self, name: str) -> str:
        """A name as near to a wanted one as Keras and its files allow, used by no other layer."""
        plain = re.sub(r"[^0-9A-Za-z]+", "_", name).strip("_")[:_MAX_NAME] or "layer"
        wanted, count = plain, 1
        while wanted.lower() in self._taken:
            count += 1
            wanted = f"{plain}_{count}"
        self._taken.add(wanted.lower())
        return wanted


@dataclass(frozen=True, eq=False)
class OnnxNode:
    """A node with its inputs, already converted.

    Attributes:
        kind: Type of the node, such as "Conv".
        title: What messages call it.
        name: What its layers are called.
        opset: Version of the operators.
        samples: Size of the axis of samples in the graph's own shapes.
        attributes: Its attributes.
        inputs: Tensors of the network, or constants; None where one is left out.
        outputs: Names of its outputs; empty for those that are left out.
        unshared: Whether no other node reads its first tensor.
        names: Names of the network's layers.
    """

    kind: str
    title: str
    name: str
    opset: int
    samples: int
    attributes: Mapping[str, Any]
    inputs: Sequence[Operand | None]
    outputs: Sequence[str]
    unshared: bool
    names: LayerNames

    # --- what it is given -------------------------------------------------------------------

    def has(self, index: int) -> bool:
        """Whether an input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def any_tensor(self, index: int = 0) -> AxisTensor:
        """An input that depends on the network's, with an axis of samples or without.

        Raises:
            InputError: It is a constant.
        """
        value = self.inputs[index] if self.has(index) else None
        if not isinstance(value, AxisTensor):
            raise self.error("reads a constant where a tensor of the network is expected")
        return value

    def tensor(self, index: int = 0) -> AxisTensor:
        """An input that depends on the network's, with samples as its first axis.

        Raises:
            InputError: It is a constant, or has another first axis.
        """
        value = self.any_tensor(index)
        if not value.sampleless:
            return value
        if value.sizes[0] != 1 or value.rank < 3:
            raise self.error(
                "takes other axes for samples", received=value.sizes, remedy=SAMPLES_FIRST
            )
        return self.reshaped(value, value.sizes[1:])

    def without_samples(self, value: AxisTensor) -> AxisTensor:
        """A tensor of a file for one sample, whose axis of samples is one like the others."""
        if value.sampleless:
            return value
        return self.reshaped(value, (1, *value.sizes), sampleless=True)

    def constant(self, index: int, default: Any = None) -> Constant:
        """An input that depends on nothing.

        Raises:
            InputError: It depends on the network's input, or is left out without a default.
        """
        value = self.inputs[index] if self.has(index) else default
        if value is None or isinstance(value, AxisTensor):
            raise self.error(
                f"computes its input {index + 1} from the data, or lacks it",
                allowed="a constant",
                remedy="write the network with weights and shapes that are fixed, and export it "
                "with constant folding",
            )
        return np.asarray(value)

    def weights(self, index: int) -> Float32Array:
        """A constant as 32-bit numbers."""
        return np.asarray(self.constant(index), np.float32)

    def setting(self, name: str, index: int, default: Any = None) -> Any:
        """A setting that is an attribute in older opsets and an input in newer ones."""
        if name in self.attributes:
            return self.attributes[name]
        return self.constant(index).tolist() if self.has(index) else default

    def error(self, what: str, **parts: Any) -> InputError:
        """The error for a node that cannot be adopted."""
        parts.setdefault("received", self.kind)
        return InputError(f"node {self.title!r} ({self.kind}) {what}", **parts)

    # --- what is made of it -----------------------------------------------------------------

    def layer(
        self,
        kind: Callable[..., Any],
        tensor: Any,
        weights: Sequence[Any] = (),
        part: str = "",
        **options: Any,
    ) -> KerasTensor:
        """Applies a layer.

        Args:
            kind: Its class.
            tensor: What it is applied to.
            weights: Its weights.
            part: What it does, where the node needs several layers.
            options: Its options.
        """
        layer = kind(
            name=self.names.unique(f"{self.name}_{part}" if part else self.name), **options
        )
        result = layer(tensor)
        if len(weights):
            layer.set_weights([np.asarray(weight, np.float32) for weight in weights])
        return result

    def operation(self, function: Callable[..., Any], *given: Any, **options: Any) -> Any:
        """Applies an operation of `keras.ops`, under the name of the node."""
        result = function(*given, **options)
        first = result[0] if isinstance(result, list | tuple) else result
        if isinstance(first, keras.KerasTensor):
            first._keras_history.operation.name = self.names.unique(self.name)
        return result

    def permuted(self, value: AxisTensor, order: tuple[int, ...]) -> AxisTensor:
        """The tensor with its axes in another order."""
        if value.order == order:
            return value
        dims = [value.order.index(axis) for axis in order[1:]]
        moved = self.layer(layers.Permute, value.tensor, part="permute", dims=dims)
        return value.reordered(moved, order)

    def channels_last(self, index: int = 0) -> AxisTensor:
        """An input with its channels last, as Keras' convolutions and pools take it."""
        value = self.tensor(index)
        return self.permuted(value, sliding_order(value))

    def reshaped(
        self, value: AxisTensor, sizes: tuple[int, ...], *, sampleless: bool = False
    ) -> AxisTensor:
        """Reshapes a tensor as the graph does, in the order of its axes.

        Args:
            value: The tensor.
            sizes: New sizes without samples.
            sampleless: Whether the graph has no axis of samples behind it.

        Raises:
            InputError: The sizes hold another number of elements.
        """
        if prod(sizes) != prod(value.sizes):
            raise self.error(
                "reshapes to another number of elements",
                received=f"{value.sizes} to {sizes}",
                remedy=SAMPLES_FIRST,
            )
        rank = len(sizes) + 1
        found = blocks(value.sizes, sizes)
        value = self.permuted(value, order_for_blocks(value, found, rank))
        order = order_behind(value.order, found, rank)
        target = tuple(sizes[axis - 1] for axis in order[1:])
        if target == tuple(value.tensor.shape[1:]):
            return AxisTensor(value.tensor, order, value.nonnegative, sampleless)
        if len(target) == 1:
            tensor = self.layer(layers.Flatten, value.tensor)
        else:
            tensor = self.layer(layers.Reshape, value.tensor, target_shape=target)
        return AxisTensor(tensor, order, value.nonnegative, sampleless)


def in_tensor_order(constant: Constant, value: AxisTensor) -> Float32Array | None:
    """A constant that is combined with a tensor, with its axes in the tensor's order.

    Returns:
        The constant without samples and without axes of 1 in front; None where it has more axes
        than the tensor, or one number for each sample.
    """
    array = np.asarray(constant, np.float32)
    missing = value.rank - array.ndim
    if any(size != 1 for size in array.shape[: max(-missing, 0)]):
        return None
    shape = [*[1] * missing, *array.shape[max(-missing, 0) :]]
    if shape[0] != 1:
        return None
    moved = array.reshape(shape).transpose(value.order)
    sizes = [shape[axis] for axis in value.order]
    long = next((axis for axis, size in enumerate(sizes) if size != 1), len(sizes))
    return np.asarray(moved.reshape(sizes[long:]))
