"""ONNX files, checked before anything is built of them.

A file is untrusted: it is parsed and never run before it has passed. Paths that it names are not
opened, and what cannot be adopted is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsitf.errors import DataError, InputError
from hsitf.onnx_files import read_onnx

if TYPE_CHECKING:
    import onnx

# ResNet-152 has about 500 nodes.
MAX_NODES = 20_000
# Older files lack what the rows of nodes read, such as BatchNormalization without `spatial`.
MIN_OPSET = 7
_DOMAINS = ("", "ai.onnx")
_CONTROL_FLOW = ("If", "Loop", "Scan", "SequenceMap")


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """A file that has passed all checks.

    Attributes:
        path: Where it lies.
        model: Its content.
        opset: Version of the operators.
        output: Name of the output that is adopted.
        other_outputs: Names of the outputs that are left out.
    """

    path: Path
    model: onnx.ModelProto
    opset: int
    output: str
    other_outputs: tuple[str, ...]


def load(path: Path, classes: int) -> OnnxFile:
    """Reads and checks a file.

    Args:
        path: A .onnx file.
        classes: Classes of the scene, by which one of several outputs is chosen.

    Raises:
        InputError: It holds what cannot be adopted.
        DataError: It is damaged, too large or no ONNX file.
    """
    model = read_onnx(path)
    opset = _opset(path, model)
    for check in _CHECKS:
        check(path, model)
    _check_valid(path, model)
    output, others = _choose_output(path, model.graph, classes)
    return OnnxFile(path, model, opset, output, others)


def graph_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Inputs of a graph that no initializer gives, as older files list both."""
    given = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in given]


def sizes_of(value: onnx.ValueInfoProto) -> list[int | None]:
    """Sizes of an input or output; None where the file leaves one open."""
    shape = value.type.tensor_type.shape
    return [dim.dim_value if dim.dim_value > 0 else None for dim in shape.dim]


def _opset(path: Path, model: onnx.ModelProto) -> int:
    import onnx

    found = [one.version for one in model.opset_import if one.domain in _DOMAINS]
    newest = onnx.defs.onnx_opset_version()
    if len(found) != 1 or not MIN_OPSET <= found[0] <= newest:
        raise InputError(
            f"{path} is of a version of ONNX's operators that cannot be read",
            received=", ".join(f"opset {one}" for one in found) or "no opset",
            allowed=f"opset {MIN_OPSET} to {newest}",
            remedy="export it with opset_version=17, or convert it with "
            "onnx.version_converter.convert_version(model, 17)",
        )
    if model.ir_version > onnx.IR_VERSION:
        raise InputError(
            f"{path} is of a newer version of the format",
            received=f"IR version {model.ir_version}",
            allowed=f"at most {onnx.IR_VERSION}",
            remedy="install a newer onnx, or export it with an older opset",
        )
    return int(found[0])


# --- what is refused by name ----------------------------------------------------------------


def _check_domains(path: Path, model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.domain not in _DOMAINS:
            raise InputError(
                f"{path} has a node of its maker's own: {title(node)}",
                received=f"{node.op_type} of the domain {node.domain}",
                allowed="the operators of ONNX",
                remedy="export the network without custom operators, and before a runtime "
                "optimizes it",
            )
    if model.functions:
        raise InputError(
            f"{path} has functions of its own",
            received=", ".join(sorted(one.name for one in model.functions)),
            remedy="replace their calls with onnx.inliner.inline_local_functions(model) and save "
            "it again",
        )


def _check_weights(path: Path, model: onnx.ModelProto) -> None:
    from onnx import TensorProto

    if model.graph.sparse_initializer:
        raise InputError(
            f"{path} has sparse weights",
            received=model.graph.sparse_initializer[0].values.name,
            remedy="export it with dense weights",
        )
    for name, tensor in _tensors(model.graph):
        if tensor.data_type == TensorProto.STRING:
            raise InputError(f"{path} has texts among its weights", received=name)
        if tensor.data_type in (TensorProto.FLOAT16, TensorProto.BFLOAT16):
            raise InputError(
                f"{path} has weights of 16 bits",
                received=name,
                remedy="export the network in 32 bits; hsitf export rounds weights itself",
            )


def _tensors(graph: onnx.GraphProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield title(node), attribute.t
            for tensor in attribute.tensors:
                yield title(node), tensor


def _check_nodes(path: Path, model: onnx.ModelProto) -> None:
    if len(model.graph.node) > MAX_NODES:
        raise DataError(
            f"{path} has too many nodes",
            received=len(model.graph.node),
            allowed=f"at most {MAX_NODES}",
        )
    for node in model.graph.node:
        if node.op_type in _CONTROL_FLOW or any(
            attribute.HasField("g") or attribute.graphs for attribute in node.attribute
        ):
            raise InputError(
                f"{path} decides while it runs what it computes: {title(node)}",
                received=node.op_type,
                remedy="export the network without branches and loops that depend on data; "
                "squeeze() without an axis makes such a branch, squeeze(1) does not",
            )
        if any(one.HasField("sparse_tensor") or one.sparse_tensors for one in node.attribute):
            raise InputError(f"{path} has sparse weights", received=title(node))
        if "Quantize" in node.op_type or "Integer" in node.op_type or "QLinear" in node.op_type:
            raise InputError(
                f"{path} is quantized: {title(node)}",
                received=node.op_type,
                remedy="adopt the network as it was before; hsitf export --int8 quantizes it",
            )


def _check_inputs(path: Path, model: onnx.ModelProto) -> None:
    from onnx import TensorProto

    for value in graph_inputs(model.graph):
        kind = value.type.tensor_type.elem_type
        if kind not in (TensorProto.FLOAT, TensorProto.DOUBLE):
            known = f"type {kind}" if kind else "no tensor"
            if kind in TensorProto.DataType.values()[1:]:
                known = TensorProto.DataType.Name(kind)
            raise InputError(
                f"{path} takes other inputs than numbers of 32 bits",
                received=f"{value.name}: {known}",
                allowed="FLOAT",
                remedy="export the network without what converts its input",
            )
        _check_sizes(path, value)


def _check_sizes(path: Path, value: onnx.ValueInfoProto) -> None:
    sizes = sizes_of(value)
    if len(sizes) < 2:
        raise InputError(
            f"{path} has an input without an axis of samples",
            received=f"{value.name}: {sizes}",
            allowed="(samples, bands), (samples, bands, rows, cols) and similar",
            remedy="export it with an example that has one, such as one patch of shape "
            "(1, bands, rows, cols)",
        )
    if None in sizes[1:]:
        shape = ",".join(["1", *(str(size or "?") for size in sizes[1:])])
        raise InputError(
            f"{path} leaves the size of an input open",
            received=f"{value.name}: ({shape})",
            allowed="an open number of samples, the first axis, alone",
            remedy="export it with dynamic_axes for the first axis alone, or run python -m "
            f"onnxruntime.tools.make_dynamic_shape_fixed --input_name {value.name} --input_shape "
            f"{shape} {path} new.onnx with the sizes in place of ?",
        )


_CHECKS: tuple[Callable[[Path, onnx.ModelProto], None], ...] = (
    _check_nodes,
    _check_domains,
    _check_weights,
    _check_inputs,
)


def _check_valid(path: Path, model: onnx.ModelProto) -> None:
    import onnx

    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{path} does not follow the rules of ONNX",
            received=str(error).strip().splitlines()[0],
            remedy="export the network again",
        ) from error


# --- the output -----------------------------------------------------------------------------


def _choose_output(path: Path, graph: onnx.GraphProto, classes: int) -> tuple[str, tuple[str, ...]]:
    names = tuple(value.name for value in graph.output)
    if len(names) == 1:
        return names[0], ()
    fitting = [
        value.name
        for value in graph.output
        if len(sizes_of(value)) == 2 and sizes_of(value)[1] == classes
    ]
    if len(fitting) != 1:
        shapes = ", ".join(f"{value.name} {sizes_of(value)}" for value in graph.output)
        raise InputError(
            f"{path} has several outputs",
            received=shapes,
            allowed=f"one, or one of the shape (samples, {classes}), the classes of the scene",
            remedy=f"keep one: onnx.utils.extract_model({str(path)!r}, 'new.onnx', "
            f"{[value.name for value in graph_inputs(graph)]}, [NAME])",
        )
    return fitting[0], tuple(name for name in names if name != fitting[0])


def title(node: onnx.NodeProto) -> str:
    """What a message calls a node: its name, or that of its first output."""
    return node.name or (node.output[0] if node.output else node.op_type)
