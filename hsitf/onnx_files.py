"""ONNX files, read without any other file that they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsitf.errors import DataError, HsitfError, InputError

if TYPE_CHECKING:
    import onnx

MAX_BYTES = 2 * 2**30
"""The most that protobuf, the format of these files, can hold."""

_REMEDY = "export it again, as .onnx"


def read_onnx(path: Path) -> onnx.ModelProto:
    """Reads an .onnx file; nothing of it is run, and no other file is opened.

    Raises:
        DataError: It is damaged, too large or no ONNX file.
        InputError: It keeps weights in other files.
    """
    import onnx

    size = path.stat().st_size if path.is_file() else 0
    if size > MAX_BYTES:
        raise DataError(
            f"{path} is too large for an ONNX file",
            received=f"{size:,} bytes",
            allowed=f"1 to {MAX_BYTES:,} bytes",
            remedy=_REMEDY,
        )
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        if not model.graph.node or not model.opset_import:
            raise ValueError("no operators")
        _check_texts(model.graph)
    except HsitfError:
        raise
    # What protobuf raises has no common base below Exception.
    except Exception as error:
        raise DataError(
            f"{path} is damaged or no ONNX file",
            received=(str(error).strip().splitlines() or [type(error).__name__])[0][:200],
            remedy=_REMEDY,
        ) from error
    for name, tensor in tensors_of(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise InputError(
                f"{path} keeps weights in another file",
                received=name or "a tensor without a name",
                allowed="a file that holds all of its weights itself",
                remedy="put everything into one file: torch.onnx.export(..., external_data=False), "
                "or onnx.save(onnx.load(path), new_path)",
            )
    return model


def tensors_of(model: onnx.ModelProto) -> Iterator[tuple[str, Any]]:
    """Names and contents of all tensors that a file stores, those within operators included."""
    waiting: list[Any] = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while waiting or nodes:
        if waiting:
            graph = waiting.pop()
            nodes += graph.node
            for tensor in graph.initializer:
                yield tensor.name, tensor
            for sparse in graph.sparse_initializer:
                yield sparse.values.name, sparse.values
                yield sparse.values.name, sparse.indices
            continue
        node = nodes.pop()
        name = node.name or (node.output[0] if node.output else node.op_type)
        for attribute in node.attribute:
            waiting += [attribute.g] if attribute.HasField("g") else []
            waiting += attribute.graphs
            stored = [attribute.t] if attribute.HasField("t") else []
            for tensor in (*stored, *attribute.tensors):
                yield name, tensor
            sparse_parts = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
            for sparse in (*sparse_parts, *attribute.sparse_tensors):
                yield name, sparse.values
                yield name, sparse.indices


def _check_texts(graph: Any) -> None:
    """Refuses names that are no text, which protobuf hands out as bytes.

    Raises:
        ValueError: There is one.
    """
    values = (*graph.input, *graph.output, *graph.value_info)
    names = [graph.name, *(value.name for value in values)]
    names += [tensor.name for tensor in graph.initializer]
    for node in graph.node:
        names += [node.name, node.op_type, node.domain, *node.input, *node.output]
        names += [attribute.name for attribute in node.attribute]
    if not all(isinstance(name, str) for name in names):
        raise ValueError("a name that is no text")
