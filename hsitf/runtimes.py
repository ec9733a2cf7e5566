"""Inference engines behind one protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hsitf import trust
from hsitf.arrays import Float32Array, StoredArray
from hsitf.errors import DataError
from hsitf.flatbuffer import check_tflite
from hsitf.litert_trial import check_structure
from hsitf.log_silencing import suppressed_output
from hsitf.onnx_files import read_onnx
from hsitf.records import TensorSpec
from hsitf.scenes.patches import PatchSource
from hsitf.tile_networks import at_side, is_tile_network, run_side

if TYPE_CHECKING:
    import keras


# Patches extracted at a time: 256 patches of 27 x 27 x 200 take 150 MB.
PATCHES_PER_CHUNK = 256


class Runtime(Protocol):
    """A network loaded into an inference engine.

    Attributes:
        engine: Name of the engine and of the delegate it uses.
        batch: Patches per inference.
        threads: Threads it may use; 0 where the engine decides.
        input: Input tensor of the file.
        output: Output tensor of the file.
    """

    engine: str
    batch: int
    threads: int
    input: TensorSpec
    output: TensorSpec

    def infer(self, stored: StoredArray) -> StoredArray:
        """Runs one inference: (batch, patch, patch, bands) in the input's type -> (batch, classes).

        A tile form maps (1, tile + patch - 1, tile + patch - 1, bands) -> (1, tile, tile, classes),
        a network of tiles (1, tile, tile, bands) -> (1, tile, tile, classes).
        """

    def action(self, stored: StoredArray) -> Callable[[], object]:
        """Returns the inference on `stored` without copies of input and output, for timing."""


def predict(runtime: Runtime, patches: Float32Array) -> Float32Array:
    """Logits of any number of patches, (n, patch, patch, bands) float32 -> (n, classes) float32.

    Tiles give the logits of all their pixels instead. Inputs are quantized and outputs dequantized
    where the file stores integers. The last batch is padded and the surplus dropped.
    """
    logits = []
    for start in range(0, len(patches), runtime.batch):
        chunk = patches[start : start + runtime.batch]
        missing = runtime.batch - len(chunk)
        if missing:
            chunk = np.concatenate([chunk, np.repeat(chunk[-1:], missing, axis=0)])
        result = dequantize(runtime.infer(quantize(chunk, runtime.input)), runtime.output)
        logits.append(result[: len(result) - missing])
    return np.concatenate(logits)


def tile_side(runtime: Runtime) -> int:
    """Side in pixels of the tile that an inference takes; 0 where it takes patches."""
    shape = runtime.output.shape
    return shape[1] if len(shape) == 4 else 0


def tile_overlap(runtime: Runtime, patch: int) -> int:
    """Pixels at each side of a tile whose logits are not used, as they do not see their window.

    A network of tiles has logits for them, too; a tile form for none of them.

    Args:
        runtime: Runtime of a file.
        patch: Side of the patch or window of a pixel.

    Raises:
        DataError: The tile is no larger than what overlaps.
    """
    side = tile_side(runtime)
    if not side or runtime.input.shape[1] != side:
        return 0
    overlap = patch // 2
    if side <= 2 * overlap:
        raise DataError(
            "no pixel of this tile sees its whole window",
            received=f"a tile of {side} x {side}",
            allowed=f"more than {2 * overlap}",
            remedy="export it with a larger --tile",
        )
    return overlap


def tile_core(runtime: Runtime, patch: int) -> int:
    """Side in pixels of what a tile classifies; 0 where the runtime takes patches."""
    return tile_side(runtime) - 2 * tile_overlap(runtime, patch)


def scan(
    runtime: Runtime, source: PatchSource, pixels: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], Float32Array]]:
    """Logits at pixels of a scene, by patches or tiles as the runtime requires.

    Args:
        runtime: Runtime of the network.
        source: Patches of the preprocessed scene.
        pixels: (n,) flat indices.

    Yields:
        (k,) indices into `pixels` and their logits, (k, classes) float32; every index once.
    """
    side, overlap = tile_core(runtime, source.patch), tile_overlap(runtime, source.patch)
    if side:
        tiles = source.grid_tiles(pixels, side) if overlap else source.tiles(pixels, side)
        core = slice(overlap, overlap + side)
        for window, members, inside in tiles:
            logits = predict(runtime, window[None])[0, core, core]
            yield members, logits.reshape(side * side, -1)[inside]
    else:
        for start in range(0, len(pixels), PATCHES_PER_CHUNK):
            chunk = pixels[start : start + PATCHES_PER_CHUNK]
            yield np.arange(start, start + len(chunk)), predict(runtime, source.extract(chunk))


def quantize(real: Float32Array, tensor: TensorSpec) -> StoredArray:
    """Quantizes real numbers: q = round(x / scale) + zero point, saturated to the tensor's type.

    Ties are rounded to even, as `Math.rint` does in Java and `nearbyint` in C.
    """
    if tensor.scale is None or tensor.zero_point is None:
        return np.ascontiguousarray(real, dtype=tensor.dtype)
    limits = np.iinfo(tensor.dtype)
    # In float32 throughout, so that other languages reproduce it to the bit.
    steps = np.rint(real / np.float32(tensor.scale)) + np.float32(tensor.zero_point)
    return np.asarray(np.clip(steps, limits.min, limits.max).astype(tensor.dtype))


def dequantize(stored: StoredArray, tensor: TensorSpec) -> Float32Array:
    """Dequantizes stored numbers: x = scale * (q - zero point)."""
    if tensor.scale is None or tensor.zero_point is None:
        return stored.astype(np.float32)
    steps = stored.astype(np.float32) - np.float32(tensor.zero_point)
    return np.asarray(steps * np.float32(tensor.scale))


def trained(network: keras.Model) -> Keras:
    """A trained network as it is run: on batches of patches, or on one large tile at a time."""
    if not is_tile_network(network):
        return Keras(network)
    return Keras(at_side(network, run_side(network)), batch=1)


class Keras:
    """A Keras network on the current backend.

    Args:
        model: The network.
        batch: Patches per inference where the network does not fix them.
    """

    BATCH = 256

    def __init__(self, model: keras.Model, batch: int = BATCH) -> None:
        import keras

        self._model = model
        self.engine = f"keras ({keras.backend.backend()})"
        self.batch = int(model.inputs[0].shape[0] or batch)
        self.threads = 0
        self.input = _plain("patch", (self.batch, *model.inputs[0].shape[1:]))
        self.output = _plain("logits", (self.batch, *model.outputs[0].shape[1:]))

    def infer(self, stored: StoredArray) -> StoredArray:
        """See `Runtime`."""
        return np.asarray(self._model.predict_on_batch(stored))

    def action(self, stored: StoredArray) -> Callable[[], object]:
        """See `Runtime`."""
        return lambda: self._model.predict_on_batch(stored)


class LiteRT:
    """A .tflite file in the LiteRT interpreter, by default with its delegate, XNNPACK.

    Args:
        path: The file.
        threads: Threads it may use.
        delegate: Whether the delegate is used.

    Attributes:
        delegates: Number of subgraphs that the delegate runs.
        delegated_share: Share of the operators that the delegate runs.

    Raises:
        DataError: The file is not one that LiteRT can run.
    """

    def __init__(self, path: Path, threads: int = 1, delegate: bool = True) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        check_structure(path)
        resolver = (
            OpResolverType.AUTO if delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        try:
            with suppressed_output():
                self._interpreter = Interpreter(
                    model_path=str(path),
                    num_threads=threads,
                    experimental_op_resolver_type=resolver,
                )
                self._interpreter.allocate_tensors()
            # Names of tensors that are no text are seen only when they are asked for.
            details = self._interpreter.get_input_details(), self._interpreter.get_output_details()
            nodes = self._interpreter._get_ops_details()
        except (ValueError, RuntimeError) as error:
            raise DataError(
                f"LiteRT cannot run {path}",
                received=str(error).splitlines()[0],
                remedy="export it again",
            ) from error
        source, sink = _single(path, *details)
        self._source, self._sink = source["index"], sink["index"]
        self.delegates = sum(node["op_name"] == "DELEGATE" for node in nodes)
        self.delegated_share = _delegated_share(nodes)
        self.engine = "LiteRT (XNNPACK)" if delegate else "LiteRT"
        self.threads = threads
        self.input, self.output = litert_tensor(source), litert_tensor(sink)
        self.batch = _batch(path, self.input, self.output)

    def infer(self, stored: StoredArray) -> StoredArray:
        """See `Runtime`."""
        self._interpreter.set_tensor(self._source, stored)
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._sink))

    def action(self, stored: StoredArray) -> Callable[[], object]:
        """See `Runtime`."""
        self._interpreter.set_tensor(self._source, stored)
        invoke: Callable[[], object] = self._interpreter.invoke
        return invoke


class OnnxRuntime:
    """An .onnx file in ONNX Runtime on the CPU.

    Args:
        path: The file.
        threads: Threads it may use.

    Raises:
        DataError: The file is not one that ONNX Runtime can run.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        import onnxruntime as ort

        # The engine itself would open other files that the file names.
        read_onnx(path)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        # ONNX Runtime's errors have no common base below Exception.
        except Exception as error:
            raise DataError(
                f"ONNX Runtime cannot run {path}",
                received=str(error).splitlines()[0],
                remedy="export it again",
            ) from error
        source, sink = _single(path, self._session.get_inputs(), self._session.get_outputs())
        self.engine = "ONNX Runtime (CPU)"
        self.threads = threads
        self.input = _onnx_tensor(path, source.name, source.shape)
        self.output = _onnx_tensor(path, sink.name, sink.shape)
        self.batch = _batch(path, self.input, self.output)

    def infer(self, stored: StoredArray) -> StoredArray:
        """See `Runtime`."""
        return np.asarray(self._session.run(None, {self.input.name: stored})[0])

    def action(self, stored: StoredArray) -> Callable[[], object]:
        """See `Runtime`."""
        binding = self._session.io_binding()
        binding.bind_cpu_input(self.input.name, stored)
        binding.bind_output(self.output.name)
        return lambda: self._session.run_with_iobinding(binding)


class OpenVino:
    """An .onnx or .tflite file in OpenVINO on the CPU, configured for latency.

    Args:
        path: The file.
        threads: Threads it may use.

    Raises:
        DataError: The file is not one that OpenVINO can run.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        import openvino as ov

        (read_onnx if path.suffix == ".onnx" else check_tflite)(path)
        try:
            model = ov.Core().read_model(path)
            _fix_batch(path, model)
            compiled = ov.Core().compile_model(
                model,
                "CPU",
                {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"},
            )
        except DataError:
            raise
        # OpenVINO's errors have no common base below Exception.
        except Exception as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = lines[-1] if lines else type(error).__name__
            raise DataError(
                f"OpenVINO cannot run {path}", received=reason, remedy="choose another engine"
            ) from error
        self._request = compiled.create_infer_request()
        source, sink = _single(path, model.inputs, model.outputs)
        self.engine = "OpenVINO (CPU)"
        self.threads = threads
        self.input, self.output = _openvino_tensor(source), _openvino_tensor(sink)
        self.batch = _batch(path, self.input, self.output)

    def infer(self, stored: StoredArray) -> StoredArray:
        """See `Runtime`."""
        self.action(stored)()
        return np.array(self._request.get_output_tensor().data)

    def action(self, stored: StoredArray) -> Callable[[], object]:
        """See `Runtime`."""
        import openvino as ov

        self._request.set_input_tensor(ov.Tensor(np.ascontiguousarray(stored)))
        infer: Callable[[], object] = self._request.infer
        return infer


class SavedModel:
    """A TensorFlow SavedModel folder, its `serve` endpoint.

    Args:
        path: The folder.
        threads: Ignored; TensorFlow decides itself.

    Raises:
        DataError: The folder is not one that TensorFlow can load, or was made elsewhere and is not
            trusted.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        # Loading it already runs its initializers.
        trust.require(path)
        import tensorflow as tf

        try:
            # The variables are freed with the loaded object.
            self._loaded = tf.saved_model.load(str(path))
            serve = self._loaded.signatures["serving_default"]
        # What TensorFlow raises on a damaged folder has no common base below Exception.
        except Exception as error:
            raise DataError(
                f"TensorFlow cannot load {path}",
                received=str(error).splitlines()[0],
                remedy="export it again",
            ) from error
        ((self._name, source),) = serve.structured_input_signature[1].items()
        ((self._result, sink),) = serve.structured_outputs.items()
        self._serve = serve
        self.engine = "TensorFlow (CPU)"
        self.threads = threads
        self.input = _plain(self._name, tuple(source.shape))
        self.output = _plain(self._result, tuple(sink.shape))
        self.batch = _batch(path, self.input, self.output)

    def infer(self, stored: StoredArray) -> StoredArray:
        """See `Runtime`."""
        return np.asarray(self.action(stored)())

    def action(self, stored: StoredArray) -> Callable[[], Any]:
        """See `Runtime`."""
        import tensorflow as tf

        feed = {self._name: tf.constant(stored)}
        return lambda: self._serve(**feed)[self._result]


def _single(path: Path, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Any, Any]:
    """The only input and the only output of a file.

    Raises:
        DataError: There are several.
    """
    if len(inputs) != 1 or len(outputs) != 1:
        raise DataError(
            f"{path} has several inputs or outputs",
            received=f"{len(inputs)} inputs, {len(outputs)} outputs",
            allowed="one of each: patches and logits",
            remedy="export the network with the output that names classes alone",
        )
    return inputs[0], outputs[0]


def _batch(path: Path, *tensors: TensorSpec) -> int:
    """Patches per inference: the first size of the input and of the output.

    Raises:
        DataError: One of them is a number alone, or has no size.
    """
    for tensor in tensors:
        if not tensor.shape or min(tensor.shape) < 1:
            raise DataError(
                f"{path} does not take patches, or does not give logits",
                received=f"{tensor.name!r} of shape {tensor.shape}",
                allowed="a fixed size of every axis, the batch first",
                remedy="export it again",
            )
    return tensors[0].shape[0]


def _plain(name: str, shape: tuple[int, ...]) -> TensorSpec:
    return TensorSpec(name, tuple(int(size) for size in shape), "float32")


def _onnx_tensor(path: Path, name: str, shape: Sequence[int | str | None]) -> TensorSpec:
    """A float32 tensor; an open batch is one patch.

    Raises:
        DataError: Another axis than the first has no fixed size.
    """
    if any(not isinstance(size, int) for size in shape[1:]):
        raise DataError(
            f"the tensor {name!r} of {path} has no fixed size",
            received=", ".join(map(str, shape)),
            allowed="a fixed size of every axis but the first, the batch",
            remedy="export it with fixed shapes",
        )
    sizes = [size if isinstance(size, int) else 1 for size in shape]
    return TensorSpec(name, tuple(sizes), "float32")


def _fix_batch(path: Path, model: Any) -> None:
    """Gives an OpenVINO model with an open batch a batch of one patch.

    Raises:
        DataError: Another axis of its input has no fixed size.
    """
    for port in model.inputs:
        if port.partial_shape.is_dynamic:
            sizes = [size.get_length() if size.is_static else "?" for size in port.partial_shape]
            model.reshape({port: _onnx_tensor(path, port.any_name, sizes).shape})


def _openvino_tensor(port: Any) -> TensorSpec:
    return TensorSpec(
        port.any_name, tuple(int(size) for size in port.shape), port.element_type.to_dtype().name
    )


def _delegated_share(nodes: Sequence[Mapping[str, Any]]) -> float:
    """Share of a graph's operators that delegates run.

    LiteRT lists them beside the `DELEGATE` operators that replace them. They are found by following
    the graph from the outputs of a delegate back to its inputs.
    """
    own = [node for node in nodes if node["op_name"] != "DELEGATE"]
    producers = {int(tensor): at for at, node in enumerate(own) for tensor in node["outputs"]}
    delegated: set[int] = set()
    for delegate in nodes:
        if delegate["op_name"] != "DELEGATE":
            continue
        given = {int(tensor) for tensor in delegate["inputs"]}
        wanted = [int(tensor) for tensor in delegate["outputs"]]
        while wanted:
            tensor = wanted.pop()
            node_number = producers.get(tensor)
            if tensor in given or node_number is None or node_number in delegated:
                continue
            delegated.add(node_number)
            wanted += [int(one) for one in own[node_number]["inputs"]]
    return len(delegated) / len(own) if own else 0.0


def litert_tensor(details: dict[str, Any]) -> TensorSpec:
    """Tensor specification from the LiteRT interpreter's details, without per-channel scales."""
    scale, zero_point = details["quantization"]
    shape = tuple(int(size) for size in details["shape"])
    dtype = np.dtype(details["dtype"]).name
    if not scale:
        return TensorSpec(details["name"], shape, dtype)
    return TensorSpec(details["name"], shape, dtype, float(scale), int(zero_point))
