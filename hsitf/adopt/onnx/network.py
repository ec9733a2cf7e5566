"""From an ONNX graph to a functional Keras model of built-in layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import Any

import keras
import numpy as np

from hsitf.adopt.onnx.axes import AxisTensor, graph_order
from hsitf.adopt.onnx.file import OnnxFile, graph_inputs, sizes_of, title
from hsitf.adopt.onnx.folding import fold
from hsitf.adopt.onnx.node import MAX_ELEMENTS, LayerNames, OnnxNode, Operand
from hsitf.adopt.onnx.nodes import NODES, REMEDIES
from hsitf.errors import HsitfError, InputError

# Stands for the number of samples where a file leaves it open: a prime that no other axis has, so
# that an axis into which samples were mixed is noticed.
_OPEN_SAMPLES = 8191
# Endings of the names that frameworks give to kernels.
_KERNELS = (".weight", "/kernel", "/Conv2D/ReadVariableOp", ".kernel")


def build(file: OnnxFile) -> keras.Model:
    """Builds the network of a file.

    Raises:
        InputError: It has nodes that cannot be adopted.
    """
    graph = file.model.graph
    names = LayerNames()
    samples = _samples(file)
    values = _initializers(graph)
    inputs = _inputs(graph, names)
    values |= inputs
    used = Counter(name for node in graph.node for name in node.input)
    used.update(value.name for value in graph.output)
    for proto in _needed(graph, file.output):
        given = [values[name] if name else None for name in proto.input]
        if any(isinstance(one, AxisTensor) for one in given):
            node = _node(proto, given, file.opset, samples, used, names)
            results = _convert(node)
        else:
            results = _folded(proto, given, file.opset)
        # A rule may leave out outputs that are not needed.
        values.update(zip(proto.output, results, strict=False))
    result = values[file.output]
    if not isinstance(result, AxisTensor):
        raise InputError(f"{file.path} gives an output that does not depend on its input")
    last = _plain_node(names, result)
    if result.rank > 2:
        result = last.tensor()
    result = last.permuted(result, graph_order(result.rank))
    tensors = [one.tensor for one in inputs.values()]
    return keras.Model(tensors, result.tensor, name=names.unique(graph.name or "network"))


def _samples(file: OnnxFile) -> int:
    sizes = {sizes_of(value)[0] for value in graph_inputs(file.model.graph)}
    if len(sizes) != 1:
        raise InputError(
            f"{file.path} takes another number of samples at each input",
            received=", ".join(str(size or "open") for size in sizes),
            remedy="export it with the same number for all inputs",
        )
    return sizes.pop() or _OPEN_SAMPLES


def _initializers(graph: Any) -> dict[str, Operand]:
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def _inputs(graph: Any, names: LayerNames) -> dict[str, AxisTensor]:
    found = {}
    for value in graph_inputs(graph):
        _, *sizes = sizes_of(value)
        if prod(size or 1 for size in sizes) > MAX_ELEMENTS:
            raise _too_large(value.name, sizes)
        tensor = keras.Input(sizes, name=names.unique(value.name))
        found[value.name] = AxisTensor(tensor, graph_order(len(sizes) + 1))
    return found


def _needed(graph: Any, output: str) -> list[Any]:
    """The nodes that an output depends on, in the order in which they are computed."""
    wanted, found = {output}, []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            found.append(node)
    return found[::-1]


def _node(
    proto: Any,
    given: list[Operand | None],
    opset: int,
    samples: int,
    used: Counter[str],
    names: LayerNames,
) -> OnnxNode:
    tensors = [
        name for name, one in zip(proto.input, given, strict=True) if isinstance(one, AxisTensor)
    ]
    return OnnxNode(
        proto.op_type,
        title(proto),
        _layer_name(proto),
        opset,
        samples,
        dict(_attributes(proto)),
        given,
        list(proto.output),
        used[tensors[0]] == 1,
        names,
    )


def _layer_name(proto: Any) -> str:
    """What the author calls the layer: the name of its kernel, or of the node."""
    for name in proto.input[1:2]:
        for ending in _KERNELS:
            if name.endswith(ending):
                return str(name.removesuffix(ending))
    return f"{proto.name}_{proto.op_type}" if proto.name else str(proto.op_type)


def _attributes(proto: Any) -> Iterator[tuple[str, Any]]:
    from onnx import helper

    for attribute in proto.attribute:
        value = helper.get_attribute_value(attribute)
        yield attribute.name, value.decode() if isinstance(value, bytes) else value


def _convert(node: OnnxNode) -> list[Operand]:
    if node.kind not in NODES:
        raise node.error(
            "is of a type that cannot be adopted",
            allowed=", ".join(sorted(NODES)),
            remedy=REMEDIES.get(
                node.kind, "write the network without it, or adopt it from a Keras file"
            ),
        )
    try:
        made = NODES[node.kind](node)
    except HsitfError:
        raise
    # What Keras raises at settings that it does not know has no common base below Exception.
    except Exception as error:
        first = str(error).strip().splitlines()
        raise node.error(
            "cannot be built with layers of Keras",
            received=first[0] if first else type(error).__name__,
            remedy="write the network without it",
        ) from error
    results: list[Operand] = [made] if isinstance(made, AxisTensor | np.ndarray) else [*made]
    for one in results:
        if isinstance(one, AxisTensor) and prod(one.sizes) > MAX_ELEMENTS:
            raise _too_large(node.title, one.sizes)
    return results


def _folded(proto: Any, given: list[Any], opset: int) -> list[Operand]:
    try:
        return list(fold(proto, given, opset))
    except HsitfError:
        raise
    # As above, of the reference implementation.
    except Exception as error:
        first = str(error).strip().splitlines()
        raise InputError(
            f"node {title(proto)!r} ({proto.op_type}) cannot be computed",
            received=first[0] if first else type(error).__name__,
            remedy="simplify the file with onnxsim",
        ) from error


def _too_large(name: str, sizes: Any) -> InputError:
    return InputError(
        f"{name!r} is too large for a network on patches",
        received=" x ".join(map(str, sizes)),
        allowed=f"at most {MAX_ELEMENTS:,} numbers a sample",
    )


def _plain_node(names: LayerNames, result: AxisTensor) -> OnnxNode:
    """A node for what is done at the end, which is none of the graph's."""
    return OnnxNode("Identity", "output", "output", 0, 1, {}, [result], [""], False, names)
