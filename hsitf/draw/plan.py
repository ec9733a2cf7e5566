"""The content of a network diagram: boxes in rows, with shapes and costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import keras
from keras import layers

from hsitf.cost import macs
from hsitf.graph import Call, walk
from hsitf.operators import CallShapes, find, follows

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerBox:
    """A layer with those that follow it alone and leave its shape.

    Attributes:
        name: Name of the layer.
        kind: Type and size of the layer, such as "Conv2D 64, 3 x 3".
        shape: Output shape, without batch.
        parameters: Number of weights, those of the followers included.
        macs: Multiply-accumulates of one patch.
        inputs: Indices of the boxes whose outputs it reads.
        row: Row from the top: one more than the lowest row of its inputs.
        followers: Names of the following layers drawn in this box.
        width: Number of channels that it produces; None without a kernel.
        original_width: The same before thinning; None where nothing is compared.
    """

    name: str
    kind: str
    shape: Shape
    parameters: int
    macs: int
    inputs: tuple[int, ...]
    row: int
    followers: tuple[str, ...] = ()
    width: int | None = None
    original_width: int | None = None


@dataclass(frozen=True)
class NetworkDiagram:
    """Boxes in the order of the forward pass; the first are the network's inputs."""

    boxes: tuple[LayerBox, ...]

    @property
    def parameters(self) -> int:
        """Weights of the whole network."""
        return sum(box.parameters for box in self.boxes)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one patch."""
        return sum(box.macs for box in self.boxes)

    @property
    def rows(self) -> int:
        """How many rows of boxes there are."""
        return 1 + max(box.row for box in self.boxes)


def diagram(network: keras.Model) -> NetworkDiagram:
    """The drawing's plan of a functional network of fixed shape.

    A layer that is called several times has a box for each call, its weights counted at the first.
    """
    drawing = _BoxCollector(_uses(network))
    inputs = [
        drawing.add(LayerBox(tensor.name, "input", _sizes(tensor.shape), 0, 0, (), 0))
        for tensor in network.inputs
    ]
    walk(network, inputs, drawing.visit)
    return NetworkDiagram(tuple(drawing.boxes))


def with_original_widths(thinned: NetworkDiagram, whole: NetworkDiagram) -> NetworkDiagram:
    """A pruned network's diagram with the original widths of its layers, matched by name."""
    widths = {box.name: box.width for box in whole.boxes}
    return NetworkDiagram(
        tuple(replace(box, original_width=widths.get(box.name)) for box in thinned.boxes)
    )


@dataclass
class _BoxCollector:
    """Collects boxes in a forward pass.

    Attributes:
        uses: Number of consumers of each tensor, by its identity.
    """

    uses: Counter[int]
    boxes: list[LayerBox] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def add(self, box: LayerBox) -> int:
        self.boxes.append(box)
        return len(self.boxes) - 1

    def visit(self, call: Call, takes: list[int]) -> list[int]:
        """Adds a box, or adds the layer to the box before; returns the index of the box."""
        layer = call.operation
        weights = [] if id(layer) in self.seen else list(getattr(layer, "weights", []))
        self.seen.add(id(layer))
        count = sum(prod(weight.shape) for weight in weights)
        shape = _sizes(call.shapes[0])
        before = self.boxes[takes[0]]
        (entering, *_) = call.node.arguments.keras_tensors
        if _is_written_before(layer) and before.kind != "input" and (self.uses[id(entering)] == 1):
            self.boxes[takes[0]] = replace(
                before,
                followers=(*before.followers, _follower(layer)),
                parameters=before.parameters + count,
            )
            return takes[:1] * len(call.shapes)
        work = macs(layer, CallShapes.of(call))
        row = 1 + max(self.boxes[number].row for number in takes)
        width = getattr(layer, "filters", getattr(layer, "units", None))
        number = self.add(
            LayerBox(
                str(getattr(layer, "name", type(layer).__name__)),
                _kind(layer),
                shape,
                count,
                work,
                tuple(takes),
                row,
                width=width,
            )
        )
        return [number] * len(call.shapes)


def _is_written_before(layer: Any) -> bool:
    """Whether a layer leaves the shape alone and is written into the box before it."""
    row = find(layer)
    softmax = row is not None and row.activation
    return isinstance(layer, keras.Layer) and (follows(layer) or softmax)


def _uses(network: keras.Model) -> Counter[int]:
    uses: Counter[int] = Counter()

    def visit(call: Call, _: list[None]) -> list[None]:
        uses.update(id(tensor) for tensor in call.node.arguments.keras_tensors)
        return [None] * len(call.shapes)

    walk(network, [None] * len(network.inputs), visit)
    return uses


def _sizes(shape: Sequence[int | None]) -> Shape:
    """Sizes of a tensor without its batch; of a weight, which has no batch, all sizes."""
    sizes = shape[1:] if len(shape) and shape[0] is None else shape
    return tuple(int(size or 0) for size in sizes)


def _follower(layer: Any) -> str:
    if isinstance(layer, layers.Activation):
        return str(getattr(layer.activation, "__name__", "activation"))
    if isinstance(layer, layers.BatchNormalization):
        return "batch normalization"
    if isinstance(layer, layers.Dropout):
        return f"dropout {layer.rate:g}"
    return type(layer).__name__


def _kind(layer: Any) -> str:
    """What a layer is and does, in a few words."""
    words = [type(layer).__name__]
    if width := getattr(layer, "filters", getattr(layer, "units", None)):
        words.append(str(width))
    sizes = (getattr(layer, attribute, None) for attribute in ("kernel_size", "pool_size"))
    words += [_times(size) for size in sizes if size]
    if (strides := getattr(layer, "strides", None)) and set(_tuple(strides)) != {1}:
        words.append(f"strides {_times(strides)}")
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    if activation != "linear":
        words.append(activation)
    return ", ".join([" ".join(words[:2]), *words[2:]]) if len(words) > 1 else words[0]


def _times(sizes: Any) -> str:
    return " x ".join(map(str, _tuple(sizes)))


def _tuple(sizes: Any) -> tuple[int, ...]:
    return (sizes,) if isinstance(sizes, int) else tuple(sizes)
