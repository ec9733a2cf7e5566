"""Networks as ONNX files: exported from PyTorch, from TensorFlow by tf2onnx, and by others.

The graph is rebuilt of Keras' own layers, node by node (`nodes`), with channels last inside
(`axes`); inputs and outputs keep the axes that the file has. Before it is returned, the
network is compared with ONNX Runtime on random inputs: a wrong conversion never goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hsitf.adopt.onnx import file as onnx_file
from hsitf.adopt.onnx.file import OnnxFile, graph_inputs, sizes_of
from hsitf.adopt.source import ReadingContext, ReferenceOutputs, SourceNetwork
from hsitf.arrays import Float32Array
from hsitf.errors import DataError
from hsitf.log_silencing import load_keras

if TYPE_CHECKING:
    import keras

# Largest difference from ONNX Runtime, over the largest output.
TOLERANCE = 1e-4
_SAMPLES = 4
_SEED = 0


def read(path: Path, context: ReadingContext) -> SourceNetwork:
    """Reads a network from an ONNX file.

    Raises:
        InputError: It holds what cannot be adopted.
        DataError: It is damaged, cannot be run by ONNX Runtime, or the Keras network computes
            something else than it.
    """
    file = onnx_file.load(path, context.classes)
    load_keras()
    from hsitf.adopt.onnx.network import build

    model = build(file)
    reference = _reference(file)
    error = _largest_error(path, model, reference)
    maker = file.model.producer_name or "an unknown exporter"
    remarks = [
        f"the graph was rebuilt of Keras' layers; outputs differ by {error:.0e} of the largest "
        "from ONNX Runtime's"
    ]
    if file.other_outputs:
        remarks.append(f"outputs {', '.join(file.other_outputs)} were left out")
    return SourceNetwork(model, f"ONNX ({maker})", remarks=tuple(remarks), reference=reference)


def _reference(file: OnnxFile) -> ReferenceOutputs:
    """Computes the chosen output with ONNX Runtime.

    Raises:
        DataError: ONNX Runtime does not load the file.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # From memory, so that no other file can be opened.
    content = file.model.SerializeToString()
    with _runtime_errors(file.path):
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    graph = file.model.graph
    values = graph_inputs(graph)
    names = [value.name for value in values]
    types = {value.name: _dtype(value) for value in values}
    batch = sizes_of(values[0])[0]

    def outputs(inputs: Sequence[Float32Array]) -> Float32Array:
        count = len(inputs[0])
        step = batch or max(count, 1)
        results = []
        for start in range(0, count, step):
            parts = [_filled(part[start : start + step], step) for part in inputs]
            given = {
                name: part.astype(types[name]) for name, part in zip(names, parts, strict=True)
            }
            with _runtime_errors(file.path):
                (result,) = session.run([file.output], given)
            found = np.asarray(result, np.float32)
            # A file for one sample may give it without an axis of samples.
            found = found[None] if step == 1 and len(found) != 1 else found
            results.append(found[: count - start])
        return np.concatenate(results)

    return outputs


def _dtype(value: Any) -> Any:
    from onnx import helper

    return helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)


def _filled(part: Float32Array, count: int) -> Float32Array:
    """Samples repeated to the number that a file fixes."""
    missing = count - len(part)
    return np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part


@contextmanager
def _runtime_errors(path: Path) -> Iterator[None]:
    """Reports what ONNX Runtime raises, which has no common base below Exception."""
    try:
        yield
    # Its errors have no base of their own.
    except Exception as error:
        raise DataError(
            f"{path} cannot be run by ONNX Runtime",
            received=str(error).strip().splitlines()[0],
            remedy="export the network again, and try it with onnxruntime",
        ) from error


def _largest_error(path: Path, model: keras.Model, reference: ReferenceOutputs) -> float:
    """Largest difference of the network from the file, over the file's largest output.

    Inputs are normal deviates, as of standardized bands, and numbers from 0 to 1, as reflectances;
    small ones keep a softmax from hiding differences.

    Raises:
        DataError: It is above the tolerance, or no output is finite.
    """
    rng = np.random.default_rng(_SEED)
    shapes = [(_SAMPLES, *tensor.shape[1:]) for tensor in model.inputs]
    trials = (
        [rng.normal(size=shape) for shape in shapes],
        [rng.random(size=shape) for shape in shapes],
        [rng.normal(size=shape, scale=0.1) for shape in shapes],
    )
    errors = []
    for trial in trials:
        inputs = [np.asarray(one, np.float32) for one in trial]
        expected = reference(inputs)
        given = inputs[0] if len(inputs) == 1 else inputs
        received = np.asarray(model(given, training=False))
        if expected.shape != received.shape:
            raise DataError(
                f"{path} gives outputs of another shape than its Keras network",
                received=f"{expected.shape}, {received.shape}",
            )
        scale = np.abs(expected).max(initial=0)
        if np.isfinite(scale):
            errors.append(float(np.abs(received - expected).max() / max(scale, 1e-30)))
    # NaN is no number below the tolerance.
    if not errors or not max(errors) <= TOLERANCE:
        raise DataError(
            f"{path} was rebuilt in Keras, but computes something else than ONNX Runtime",
            received=f"a difference of {max(errors):.1e} of the largest output"
            if errors
            else "outputs that are not finite",
            allowed=f"at most {TOLERANCE:.0e}",
            remedy="adopt the network from another format; please report the file",
        )
    return max(errors)
