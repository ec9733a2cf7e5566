"""Makes .tflite files smaller without a change of what they compute.

A converter describes each tensor anew: its shape, its scale, and a buffer of its own even where it
holds nothing. A network that is unrolled over hundreds of steps so becomes larger in integers than
in floats. Equal descriptions are written once here, names inside the network are cut to the layer
and the operation, and unused buffers are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hsitf import flatbuffer
from hsitf.arrays import Float32Array
from hsitf.runtimes import LiteRT, quantize

# Inferences whose outputs have to be the same to the bit.
_COMPARED = 4


def repack(file: Path, samples: Float32Array) -> None:
    """Rewrites a .tflite file in place where that makes it smaller.

    Args:
        file: The file.
        samples: (n, ...) float32, inputs on which the outputs of both files are compared.

    Raises:
        ValueError: The outputs differ, which would be a fault of this module.
    """
    content = repacked(file)
    if len(content) >= file.stat().st_size:
        return
    before = _outputs(file, samples)
    smaller = file.with_name(f"{file.name}.repacked")
    smaller.write_bytes(content)
    try:
        if _outputs(smaller, samples) != before:
            raise ValueError(f"repacking changed the outputs of {file.name}")
        smaller.replace(file)
    finally:
        smaller.unlink(missing_ok=True)


def repacked(file: Path) -> bytes:
    """Content of a .tflite file in which equal parts are written once."""
    model = flatbuffer.read(file)
    _merge_buffers(model)
    for graph in model.subgraphs:
        _shorten_names(graph)
        for tensor in graph.tensors:
            if tensor.quantization is not None and not _is_quantized(tensor.quantization):
                tensor.quantization = None
    return flatbuffer.to_shared_bytes(model)


def _shorten_names(graph: Any) -> None:
    """Names tensors by layer and operation, the first of several that were merged into one.

    Names stay different from each other: OpenVINO takes tensors of one name for one tensor.
    """
    borders = {*map(int, graph.inputs), *map(int, graph.outputs)}
    used = {graph.tensors[index].name for index in borders}
    for index, tensor in enumerate(graph.tensors):
        if index in borders:
            continue
        short = b"/".join((tensor.name or b"").split(b";")[0].split(b"/")[-2:])
        name, number = short, 1
        while name in used:
            number += 1
            name = b"%s_%d" % (short, number)
        used.add(name)
        tensor.name = name


def _is_quantized(quantization: Any) -> bool:
    parts = (quantization.scale, quantization.zeroPoint, quantization.min, quantization.max)
    return any(part is not None and len(part) for part in parts) or quantization.details is not None


def _merge_buffers(model: Any) -> None:
    """Keeps one buffer of equal content; buffer 0 is the empty one."""
    kept, numbers, renamed = [model.buffers[0]], {b"": 0}, {}
    for index, buffer in enumerate(model.buffers):
        content = b"" if buffer.data is None else bytes(buffer.data)
        if content not in numbers:
            numbers[content] = len(kept)
            kept.append(buffer)
        renamed[index] = numbers[content]
    model.buffers = kept
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = renamed[tensor.buffer]
    for note in model.metadata or []:
        note.buffer = renamed[note.buffer]
    if model.metadataBuffer is not None:
        model.metadataBuffer = np.array([renamed[int(i)] for i in model.metadataBuffer], np.int32)


def _outputs(file: Path, samples: Float32Array) -> bytes:
    runtime = LiteRT(file)
    batch = int(runtime.input.shape[0])
    count = max(1, min(_COMPARED, len(samples) // batch))
    stored = [
        quantize(samples[at * batch : (at + 1) * batch], runtime.input) for at in range(count)
    ]
    return b"".join(runtime.infer(one).tobytes() for one in stored)
