"""Integer .tflite files whose ranges are ours, and whose operators need not all have 8 bits.

The quantizer is ai-edge-quantizer, an extra. Its own calibration follows a moving average of
each patch's least and greatest value, which cuts off most of what is rare (on Samson, hu lost 29
points of accuracy by it); it is given the ranges of `observed.observe` instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hsitf import flat
from hsitf.contents import MOVING
from hsitf.errors import InputError, unknown
from hsitf.files import replacing
from hsitf.quantize import ranges
from hsitf.quantize.ranges import Histogram
from hsitf.quantize.schemes import Floats
from hsitf.quiet import quietly
from hsitf.runtimes import LiteRT, predict

EXTRA = "pip install '.[mixed]' in hsitf's folder"


@dataclass(frozen=True)
class Operator:
    """An operator of a file that computes.

    Attributes:
        kind: Its name in the format.
        output: Name of the tensor that it makes, by which a recipe finds it.
    """

    kind: str
    output: str

    @property
    def name(self) -> str:
        """As a user reads it: the layer that it came from."""
        if self.output.startswith("StatefulPartitionedCall"):
            return "the last"
        parts = re.split(r"[/;:]", self.output)
        named = [part for part in parts if re.search(r"[a-z]", part)]
        return named[1] if len(named) > 1 else named[0] if named else self.output


@dataclass(frozen=True)
class Recipe:
    """How a file is quantized.

    Attributes:
        method: What chooses ranges; see `ranges.METHODS`.
        wide: Outputs of the operators whose activations have 16 bits; 8 elsewhere. Weights have
            8 bits everywhere, on one grid a channel.
        only: Outputs of the only operators to quantize; None: all.
    """

    method: str = "min-max"
    wide: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None


def operators(path: Path) -> list[Operator]:
    """The operators of a float .tflite file that compute, in their order."""
    model = flat.read(path)
    graph = model.subgraphs[0]
    found = []
    for operator in graph.operators:
        kind = flat.kind(model, operator)
        if kind not in MOVING:
            found.append(Operator(kind, graph.tensors[operator.outputs[0]].name.decode()))
    return found


def write(source: Path, seen: Mapping[str, Histogram], recipe: Recipe, path: Path) -> None:
    """Quantizes a float .tflite file.

    Args:
        source: The float file.
        seen: Its tensors' values; see `observed.observe`.
        recipe: How.
        path: Of the file to write.

    Raises:
        InputError: The extra is not installed, or the recipe names an operator that is not there.
    """
    library = _library()
    known = [operator.output for operator in operators(source)]
    for name in (*recipe.wide, *(recipe.only or ())):
        if name not in known:
            raise unknown("operator", name, known)
    ranges.known(recipe.method)
    with quietly():
        quantizer = library.quantizer.Quantizer(str(source))
        every = library.qtyping.TFLOperationName.ALL_SUPPORTED
        _static(quantizer, every, [".*"] if recipe.only is None else _exact(recipe.only), 8)
        _static(quantizer, every, _exact(recipe.wide), 16)
        limits = _limits(quantizer, source, seen, recipe)
        result = quantizer.quantize(limits, enable_progress_report=False)
    with replacing(path) as temporary:
        temporary.write_bytes(bytes(result.quantized_model))


def weights_only(source: Path, path: Path) -> None:
    """Stores the weights of a float .tflite file in 8 bits, one grid a channel.

    Raises:
        InputError: The extra is not installed.
    """
    library = _library()
    with quietly():
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
        with quietly():
            import ai_edge_quantizer
            import ai_edge_quantizer.qtyping
            import ai_edge_quantizer.quantizer
    except ImportError as error:
        raise InputError(
            "quantizing by recipe needs ai-edge-quantizer",
            received="an environment without it",
            remedy=f"install it: {EXTRA}",
        ) from error
    return ai_edge_quantizer


def _exact(names: Iterable[str]) -> list[str]:
    return [re.escape(name) for name in names]


def _static(quantizer: Any, kinds: Any, expressions: Sequence[str], bits: int) -> None:
    for expression in expressions:
        quantizer.add_static_config(
            regex=expression, operation_name=kinds, activation_num_bits=bits, weight_num_bits=8
        )


def _limits(
    quantizer: Any, source: Path, seen: Mapping[str, Histogram], recipe: Recipe
) -> dict[str, dict[str, Any]]:
    """Ranges in the quantizer's own form, taken from a single run of it, with our numbers."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(source))
    ((signature, ends),) = interpreter.get_signature_list().items()
    (name,) = ends["inputs"]
    (entering,) = interpreter.get_input_details()
    blank = np.zeros(entering["shape"], np.float32)
    found: dict[str, dict[str, Any]] = quantizer.calibrate({signature: [{name: blank}]})
    wide = _touching(source, recipe.wide)
    for tensor, limits in found.items():
        if tensor not in seen:
            continue
        # Wide words have steps enough for everything that was seen.
        method = "min-max" if tensor in wide else recipe.method
        grid = ranges.grid(seen[tensor], 8, method, "affine")
        low = (grid.low - grid.zero) * grid.scale
        high = (grid.high - grid.zero) * grid.scale
        limits["min"] = np.full_like(limits["min"], low)
        limits["max"] = np.full_like(limits["max"], high)
    return found


def _touching(source: Path, outputs: Sequence[str]) -> set[str]:
    """Names of the tensors that these operators read and make."""
    graph = flat.read(source).subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    return {
        names[at]
        for operator in graph.operators
        if names[operator.outputs[0]] in outputs
        for at in (*operator.inputs, *operator.outputs)
        if at >= 0
    }


def logits(path: Path, patches: Floats, threads: int = 1) -> Floats:
    """What a file says of patches: (n, classes) float32."""
    return predict(LiteRT(path, threads), patches)
