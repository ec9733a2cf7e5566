"""Accuracy recovery: applies techniques to an integer file until its drop is within a bound.

The converter's own file comes first; then techniques that cost nothing at inference (bias
correction, channel equalization, other range estimators); then 16-bit activations in the operators
that are most sensitive to quantization. Candidates are selected on validation pixels; the test
pixels evaluate the selected file like any other.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsitf import inspection
from hsitf.arrays import Float32Array
from hsitf.errors import VerificationError
from hsitf.metrics import format_drop
from hsitf.progress import Progress
from hsitf.quantize import mixed_precision
from hsitf.quantize.bias_correction import correct_biases
from hsitf.quantize.mixed_precision import MixedPrecisionRecipe, QuantizableOperator
from hsitf.quantize.range_estimation import Histogram
from hsitf.quantize.sensitivity import decibels
from hsitf.quantize.tensor_statistics import collect_statistics

# Patches on which operators are ranked; noise needs fewer than ranges.
_SENSITIVITY_PATCHES = 64
# A file is written for each operator, which takes seconds in large graphs: `mou` has 2,000.
MAX_INT16_CANDIDATES = 256
# Operators with 16-bit kernels in every interpreter.
_INT16_OPERATORS = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "LOGISTIC"}
    | {"MEAN", "MUL", "SUB", "TANH"}
)

# Wording in records.
EQUALIZED = "channels equalized"
CORRECTED = "biases corrected"
LEARNED = "ranges learned in quantization-aware training"

AccuracyDrop = Callable[[Path], float]
# Writes a file and returns what was applied to it, in words.
Convert = Callable[[Path], tuple[str, ...]]


@dataclass(frozen=True)
class Candidate:
    """An integer file that may be published.

    Attributes:
        techniques: Applied recovery techniques, in words; empty for the converter's own file.
        drop: Overall accuracy lost on validation pixels, percentage points.
        file: Path of the file.
    """

    techniques: tuple[str, ...]
    drop: float
    file: Path


@dataclass(frozen=True, eq=False)
class FloatModel:
    """A float network from which integer files are converted.

    Attributes:
        techniques: Techniques applied to the network, in words.
        file: Path of its float file.
        convert: Writes the converter's own integer file; None where it is not a candidate.
    """

    techniques: tuple[str, ...]
    file: Path
    convert: Convert | None


@dataclass(frozen=True, eq=False)
class RecoveryContext:
    """Inputs of a search for an integer file within the bound.

    Attributes:
        folder: Folder of the candidates.
        float_models: The network, then equivalent ones; built when they are needed.
        calibration: Calibration inputs, (n, ...) float32.
        range_estimators: Names of the range estimators to try.
        bias_corrections: Whether biases are corrected: settings to try, in order.
        accuracy_drop: Measures the overall accuracy that a file loses on validation pixels,
            percentage points.
        max_drop: Largest drop allowed.
        progress: Receives progress messages of every candidate.
    """

    folder: Path
    float_models: Iterable[FloatModel]
    calibration: Float32Array
    range_estimators: Sequence[str]
    bias_corrections: Sequence[bool]
    accuracy_drop: AccuracyDrop
    max_drop: float
    progress: Progress


def format_techniques(techniques: Sequence[str]) -> str:
    """The techniques of a candidate in words."""
    return ", ".join(techniques) or "the converter's own ranges"


def candidates(context: RecoveryContext) -> Iterator[Candidate]:
    """Yields integer files within the bound on validation pixels, the simplest first.

    Where there are none, yields the best one, which verification then rejects with its reason.

    Raises:
        VerificationError: No file has integer arithmetic throughout.
    """
    made: list[Candidate] = []
    for candidate in _all_candidates(context):
        made.append(candidate)
        context.progress.say(
            f"int8 with {format_techniques(candidate.techniques)}: "
            f"{format_drop(candidate.drop)} in validation"
        )
        if candidate.drop <= context.max_drop:
            yield candidate
    if not made:
        raise VerificationError(
            "no integer file of this network can be written with a range estimator",
            received="operators that litert-quantizer leaves in float",
            remedy="leave --calibration out",
        )
    if not any(candidate.drop <= context.max_drop for candidate in made):
        yield min(made, key=lambda candidate: candidate.drop)


def _all_candidates(context: RecoveryContext) -> Iterator[Candidate]:
    models = []
    for number, model in enumerate(context.float_models):
        models.append(model)
        if model.convert is None:
            continue
        plain = context.folder / f"plain{number}.tflite"
        techniques = model.convert(plain)
        for correction in context.bias_corrections:
            yield _evaluated(context, model, plain, techniques, correction)
    ranking = []
    for model in models:
        histograms = collect_statistics(model.file, context.calibration)
        first = context.bias_corrections[0]
        known = {
            name: _recipe_candidate(context, model, histograms, MixedPrecisionRecipe(name), first)
            for name in context.range_estimators
        }
        found = {name: candidate for name, candidate in known.items() if candidate is not None}
        if not found:
            context.progress.say("the network has operators that no recipe can quantize")
            return
        best, *others = sorted(found, key=lambda name: found[name].drop)
        ranking.append((model, histograms, best, found[best].drop))
        yield found[best]
        yield from (found[name] for name in others)
        for correction in context.bias_corrections[1:]:
            corrected = _recipe_candidate(
                context, model, histograms, MixedPrecisionRecipe(best), correction
            )
            if corrected is not None:
                yield corrected
    model, histograms, best, _ = min(ranking, key=lambda order: order[-1])
    yield from _mixed_precision_candidates(context, model, histograms, best)


def _mixed_precision_candidates(
    context: RecoveryContext,
    model: FloatModel,
    histograms: Mapping[str, Histogram],
    range_estimator: str,
) -> Iterator[Candidate]:
    """Doubles the number of 16-bit operators until the bound is met, then bisects to the fewest."""
    candidates = [
        one
        for one in mixed_precision.quantizable_operators(model.file)
        if one.operator_type in _INT16_OPERATORS
    ]
    if len(candidates) > MAX_INT16_CANDIDATES:
        context.progress.say(
            f"16-bit activations are not tried: {len(candidates)} operators are too many to try "
            "each by itself"
        )
        return
    ranking = _most_sensitive(context, model, histograms, candidates)
    found: dict[int, Candidate] = {}

    def suffices(count: int) -> bool:
        if count not in found:
            wide = tuple(operator.output for operator in ranking[:count])
            candidate = _recipe_candidate(
                context,
                model,
                histograms,
                MixedPrecisionRecipe(range_estimator, wide),
                context.bias_corrections[0],
                ranking[:count],
            )
            # The recipe left an operator in float.
            if candidate is None:
                return False
            found[count] = candidate
        return found[count].drop <= context.max_drop

    count = 1
    while count < len(ranking) and not suffices(count):
        count *= 2
    few, enough = count // 2, min(count, len(ranking))
    if suffices(enough):
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (few, middle) if suffices(middle) else (middle, enough)
    # The fewest that meet the bound first; where they fail verification, more of them.
    yield from (found[count] for count in sorted(found) if count >= enough)


def _recipe_candidate(
    context: RecoveryContext,
    model: FloatModel,
    histograms: Mapping[str, Histogram],
    recipe: MixedPrecisionRecipe,
    correction: bool,
    int16_operators: Sequence[QuantizableOperator] = (),
) -> Candidate | None:
    """Writes and evaluates the file of a recipe; None where it is not integer throughout."""
    path = context.folder / f"{recipe.range_estimator}-{len(recipe.int16_outputs)}.tflite"
    mixed_precision.quantize_file(model.file, histograms, recipe, path)
    if inspection.tflite(path).integer_share < 1:
        return None
    techniques = [f"ranges by {recipe.range_estimator}"]
    if int16_operators:
        names = ", ".join(operator.name for operator in int16_operators)
        count = len(int16_operators)
        operators = f"{count} operator{'s' if count > 1 else ''}"
        techniques.append(f"16-bit activations in {operators}: {names}")
    return _evaluated(context, model, path, techniques, correction)


def _evaluated(
    context: RecoveryContext,
    model: FloatModel,
    written: Path,
    techniques: Sequence[str],
    correction: bool,
) -> Candidate:
    """Evaluates an integer file under its own name, with or without bias correction."""
    number = len(list(context.folder.iterdir()))
    path = context.folder / f"{written.stem}-{number}.tflite"
    applied = [*model.techniques, *techniques]
    if not correction:
        shutil.copyfile(written, path)
    elif correct_biases(model.file, written, context.calibration, path, context.progress):
        applied.append(CORRECTED)
    return Candidate(tuple(applied), context.accuracy_drop(path), path)


def _most_sensitive(
    context: RecoveryContext,
    model: FloatModel,
    histograms: Mapping[str, Histogram],
    operators: Sequence[QuantizableOperator],
) -> list[QuantizableOperator]:
    """Operators by the signal-to-noise ratio of the logits when quantized alone, lowest first."""
    patches = context.calibration[:_SENSITIVITY_PATCHES]
    expected = mixed_precision.file_logits(model.file, patches)
    signal = float((expected.astype(np.float64) ** 2).sum())
    context.progress.start("ranking operators by quantization noise", len(operators))
    path = context.folder / "alone.tflite"
    costs = {}
    for operator in operators:
        mixed_precision.quantize_file(
            model.file, histograms, MixedPrecisionRecipe(quantized_outputs=(operator.output,)), path
        )
        noise = (mixed_precision.file_logits(path, patches) - expected).astype(np.float64)
        costs[operator] = decibels(signal, float((noise**2).sum()))
        context.progress.advance(1, f"{operator.name} {costs[operator]:.1f} dB")
    return sorted(operators, key=lambda operator: costs[operator])
