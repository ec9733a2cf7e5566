"""Mixed-precision integer .tflite files with activation ranges of our own calibration.

The quantizer is litert-quantizer, an optional extra. Its own calibration is a moving average of
the minimum and maximum of each patch, which clips most rare values (on Samson, hu lost 29 points
of accuracy); it receives ranges from `tensor_statistics.collect_statistics` instead.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hsitf import flatbuffer
from hsitf.arrays import Float32Array
from hsitf.errors import InputError, unknown
from hsitf.files import replacing
from hsitf.inspection import DATA_MOVEMENT
from hsitf.log_silencing import suppressed_output
from hsitf.quantize import range_estimation
from hsitf.quantize.range_estimation import Histogram
from hsitf.quantize.representable_biases import with_representable_biases
from hsitf.runtimes import LiteRT, predict

EXTRA = "pip install '.[mixed]' in hsitf's folder"


@dataclass(frozen=True)
class QuantizableOperator:
    """An arithmetic operator of a .tflite file.

    Attributes:
        operator_type: Name in the schema, such as CONV_2D.
        output: Name of its output tensor, by which a recipe identifies it.
    """

    operator_type: str
    output: str

    @property
    def name(self) -> str:
        """Name of the layer that it was converted from, for messages."""
        if self.output.startswith("StatefulPartitionedCall"):
            return "the last"
        parts = re.split(r"[/;:]", self.output)
        named = [part for part in parts if re.search(r"[a-z]", part)]
        return named[1] if len(named) > 1 else named[0] if named else self.output


@dataclass(frozen=True)
class MixedPrecisionRecipe:
    """Bit widths and range estimator of an integer file.

    Weights have 8 bits and a scale per channel everywhere.

    Attributes:
        range_estimator: Name of the estimator of activation ranges; see
            `range_estimation.ESTIMATORS`.
        int16_outputs: Output tensors of the operators with 16-bit activations; others have 8 bits.
        quantized_outputs: Output tensors of the only operators to quantize; None for all.
    """

    range_estimator: str = "min-max"
    int16_outputs: tuple[str, ...] = ()
    quantized_outputs: tuple[str, ...] | None = None


def quantizable_operators(path: Path) -> list[QuantizableOperator]:
    """The arithmetic operators of a float .tflite file, in the order of the graph."""
    model = flatbuffer.read(path)
    graph = model.subgraphs[0]
    found = []
    for operator in graph.operators:
        kind = flatbuffer.operator_name(model, operator)
        if kind not in DATA_MOVEMENT:
            found.append(
                QuantizableOperator(kind, graph.tensors[operator.outputs[0]].name.decode())
            )
    return found


def quantize_file(
    source: Path, histograms: Mapping[str, Histogram], recipe: MixedPrecisionRecipe, path: Path
) -> None:
    """Quantizes a float .tflite file.

    Args:
        source: The float file.
        histograms: Histograms of its tensors; see `tensor_statistics.collect_statistics`.
        recipe: Bit widths and range estimator.
        path: Where the integer file is written.

    Raises:
        InputError: The extra is not installed, or the recipe names an unknown operator.
    """
    library = _library()
    known = [operator.output for operator in quantizable_operators(source)]
    for name in (*recipe.int16_outputs, *(recipe.quantized_outputs or ())):
        if name not in known:
            raise unknown("operator", name, known)
    range_estimation.known_estimator(recipe.range_estimator)
    with suppressed_output():
        quantizer = _configured(library, source, recipe)
        limits = _calibration_limits(quantizer, source, histograms, recipe)
        widths = {
            name: float(np.max(one["max"]) - np.min(one["min"])) for name, one in limits.items()
        }
        wide = _tensors_of(source, recipe.int16_outputs)
        guarded = with_representable_biases(source, widths, wide)
        if guarded is None:
            result = quantizer.quantize(limits, enable_progress_report=False)
        else:
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / source.name
                copy.write_bytes(guarded)
                quantizer = _configured(library, copy, recipe)
                result = quantizer.quantize(limits, enable_progress_report=False)
    with replacing(path) as temporary:
        temporary.write_bytes(bytes(result.quantized_model))


def _configured(library: Any, source: Path, recipe: MixedPrecisionRecipe) -> Any:
    """A quantizer of a file with the bit widths of a recipe."""
    quantizer = library.quantizer.Quantizer(str(source))
    every = library.qtyping.TFLOperationName.ALL_SUPPORTED
    chosen = [".*"] if recipe.quantized_outputs is None else _escaped(recipe.quantized_outputs)
    _add_static_config(quantizer, every, chosen, 8)
    _add_static_config(quantizer, every, _escaped(recipe.int16_outputs), 16)
    return quantizer


def quantize_weights_only(source: Path, path: Path) -> None:
    """Stores the weights of a float .tflite file in 8 bits with a scale per channel.

    Raises:
        InputError: The extra is not installed.
    """
    library = _library()
    with suppressed_output():
        quantizer = library.quantizer.Quantizer(str(source))
        quantizer.add_weight_only_config(
            regex=".*",
            operation_name=library.qtyping.TFLOperationName.ALL_SUPPORTED,
            num_bits=8,
            granularity=library.qtyping.QuantGranularity.CHANNELWISE,
        )
        result = quantizer.quantize(enable_progress_report=False)
    with replacing(path) as temporary:
        temporary.write_bytes(bytes(result.quantized_model))


def _library() -> Any:
    try:
        with suppressed_output():
            import litert_quantizer
            import litert_quantizer.qtyping
            import litert_quantizer.quantizer
    except ImportError as error:
        raise InputError(
            "mixed-precision quantization needs litert-quantizer",
            received="an environment without it",
            remedy=f"install it: {EXTRA}",
        ) from error
    return litert_quantizer


def _escaped(names: Iterable[str]) -> list[str]:
    return [re.escape(name) for name in names]


def _add_static_config(quantizer: Any, kinds: Any, expressions: Sequence[str], bits: int) -> None:
    for expression in expressions:
        quantizer.add_static_config(
            regex=expression, operation_name=kinds, activation_num_bits=bits, weight_num_bits=8
        )


def _calibration_limits(
    quantizer: Any, source: Path, histograms: Mapping[str, Histogram], recipe: MixedPrecisionRecipe
) -> dict[str, dict[str, Any]]:
    """Our ranges in the quantizer's own data structure, which one run of it provides."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(source))
    ((signature, ends),) = interpreter.get_signature_list().items()
    (name,) = ends["inputs"]
    (entering,) = interpreter.get_input_details()
    blank = np.zeros(entering["shape"], np.float32)
    found: dict[str, dict[str, Any]] = quantizer.calibrate({signature: [{name: blank}]})
    wide = _tensors_of(source, recipe.int16_outputs)
    for tensor, limits in found.items():
        if tensor not in histograms:
            continue
        # 16 bits resolve the full range.
        method = "min-max" if tensor in wide else recipe.range_estimator
        params = range_estimation.estimate_params(histograms[tensor], 8, method, "asymmetric")
        low, high = params.real_range
        limits["min"] = np.full_like(limits["min"], low)
        limits["max"] = np.full_like(limits["max"], high)
    return found


def _tensors_of(source: Path, outputs: Sequence[str]) -> set[str]:
    """Names of the input and output tensors of the operators with these outputs."""
    graph = flatbuffer.read(source).subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    return {
        names[at]
        for operator in graph.operators
        if names[operator.outputs[0]] in outputs
        for at in (*operator.inputs, *operator.outputs)
        if at >= 0
    }


def file_logits(path: Path, patches: Float32Array, threads: int = 1) -> Float32Array:
    """Logits of a file, (n, classes) float32."""
    return predict(LiteRT(path, threads), patches)
