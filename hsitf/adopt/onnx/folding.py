"""What an ONNX graph computes of constants alone, such as the shape that it reshapes to.

Exporters write shapes as arithmetic: the number of samples is looked up, and joined with others.
Each such node is computed once, by the reference implementation that comes with ONNX.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.adopt.onnx.file import title
from hsitf.errors import InputError

# 256 MB of 32-bit numbers; a weight that is computed is far smaller.
MAX_ELEMENTS = 2**26
# Inputs of so few numbers may state shapes.
_MAX_SHAPE_NUMBERS = 64

FOLDABLE = frozenset(
    [
        "Abs",
        "Add",
        "And",
        "Cast",
        "CastLike",
        "Ceil",
        "Clip",
        "Concat",
        "Constant",
        "ConstantOfShape",
        "Div",
        "Equal",
        "Expand",
        "Flatten",
        "Floor",
        "Gather",
        "Greater",
        "GreaterOrEqual",
        "Identity",
        "Less",
        "LessOrEqual",
        "Max",
        "Min",
        "Mod",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "Pad",
        "Pow",
        "Range",
        "Reciprocal",
        "ReduceL2",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "Reshape",
        "Round",
        "Shape",
        "Sign",
        "Size",
        "Slice",
        "Split",
        "Sqrt",
        "Squeeze",
        "Sub",
        "Sum",
        "Tile",
        "Transpose",
        "Trilu",
        "Unsqueeze",
        "Where",
    ]
)


def fold(proto: Any, inputs: Sequence[NDArray[Any] | None], opset: int) -> list[NDArray[Any]]:
    """Computes a node of constants.

    Args:
        proto: The node.
        inputs: Its inputs; None for one that is left out.
        opset: Version of the operators.

    Returns:
        Its outputs.

    Raises:
        InputError: Nodes of this type are not computed here, or the result would be too large.
    """
    from onnx.reference import ReferenceEvaluator

    if proto.op_type not in FOLDABLE:
        raise InputError(
            f"node {title(proto)!r} computes a constant in a way that cannot be followed",
            received=proto.op_type,
            allowed=", ".join(sorted(FOLDABLE)),
            remedy="export the network with constant folding (do_constant_folding=True), or "
            "simplify the file with onnxsim",
        )
    given = {
        name: array
        for name, array in zip(proto.input, inputs, strict=True)
        if name and array is not None
    }
    model = _alone(proto, given, opset)
    _check_size(proto, model)
    with np.errstate(all="ignore"):
        results = ReferenceEvaluator(model).run(None, given)
    return [np.asarray(result) for result in results]


def _alone(proto: Any, given: dict[str, NDArray[Any]], opset: int) -> Any:
    """A model of one node."""
    from onnx import helper, numpy_helper

    # Shapes are known to the inference of sizes; large arrays need not be copied for it.
    small = [
        numpy_helper.from_array(array, name)
        for name, array in given.items()
        if array.size <= _MAX_SHAPE_NUMBERS
    ]
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in given.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in proto.output if name]
    graph = helper.make_graph([proto], "constant", inputs, outputs, small)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def _check_size(proto: Any, model: Any) -> None:
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for value in inferred.graph.output:
        shape = value.type.tensor_type.shape
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in shape.dim]
        known = value.type.tensor_type.HasField("shape") and None not in sizes
        if not known or prod(size or 0 for size in sizes) > MAX_ELEMENTS:
            raise InputError(
                f"node {title(proto)!r} computes a constant that is too large",
                received=f"{proto.op_type} of shape {sizes if known else 'unknown'}",
                allowed=f"at most {MAX_ELEMENTS:,} numbers",
                remedy="simplify the file with onnxsim",
            )
