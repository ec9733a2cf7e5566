"""Sensitivity analysis: the ranges of each layer, and the effect of quantizing it alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf import records
from hsitf.arrays import Float32Array
from hsitf.data import SceneData
from hsitf.log_silencing import suppressed_output
from hsitf.metrics import confusion, scores
from hsitf.progress import Progress
from hsitf.quantize import schemes
from hsitf.quantize.bit_study import build_simulator, evaluation_pixels, predict_at
from hsitf.quantize.fake_quantized_network import QuantizedLayer
from hsitf.quantize.inner_weights import inner_kernels
from hsitf.quantize.record import NOISELESS_DB, LayerSensitivity, SensitivityReport
from hsitf.quantize.request import BitStudyRequest
from hsitf.quantize.roles import is_recurrent
from hsitf.quantize.schemes import Bits
from hsitf.quantize.simulator import QuantizationSimulator
from hsitf.records import SceneChoice
from hsitf.runs import Run


def measure_sensitivity(
    run: Run,
    bits: Bits,
    request: BitStudyRequest,
    progress: Progress,
    choice: SceneChoice | None = None,
) -> SensitivityReport:
    """Measures the sensitivity of each layer of a trained network to quantization.

    Ranges and noise are measured on calibration patches, accuracy on test pixels.

    Args:
        run: The trained network.
        bits: Bit widths of activations, weights and accumulators.
        request: Scheme and sample sizes.
        progress: Receives progress messages of each layer.
        choice: Location of the scene, if it differs from the run's record.

    Raises:
        InputError: As `bit_study.run_bit_study`.
    """
    data = run.data(choice)
    with suppressed_output():
        simulator = build_simulator(run, data, request)
        pixels = evaluation_pixels(data.split.test, request.max_samples)
        patches = data.patches.extract(data.calibration_pixels(request.calibration_patches))
        evaluator = _Evaluator(simulator, data, pixels, patches)
        simulator.set_bits(bits)
        complete = evaluator.evaluate()
        noise = _noise(simulator, patches, bits)
        saturated = simulator.saturation_by_layer(simulator.predict(patches)[1])
    quantized_layers = simulator.quantized_layers
    progress.start("quantizing layer by layer", len(quantized_layers))
    results = []
    for layer in quantized_layers:
        with suppressed_output():
            simulator.set_bits(bits, only=[layer.name])
            alone = evaluator.evaluate()
        results.append(_layer(simulator, layer, bits, noise, alone, saturated))
        progress.advance(1, f"{layer.name} {alone.snr:.1f} dB")
    record = run.record
    return SensitivityReport(
        records.SCHEMA,
        record.plan.network,
        record.scene.name,
        record.scene.synthetic,
        str(run.folder),
        record.sha256,
        request,
        bits,
        evaluator.oa,
        complete.oa,
        complete.snr,
        len(pixels),
        tuple(results),
    )


def decibels(signal: float, noise: float) -> float:
    """Ratio of two energies in decibels; `NOISELESS_DB` where there is no noise."""
    if noise <= 0:
        return NOISELESS_DB
    return 10 * math.log10(max(signal, np.finfo(np.float64).tiny) / noise)


@dataclass(frozen=True)
class _Evaluation:
    """Accuracy of a simulated network at its current bit widths."""

    snr: float
    agreement: float
    oa: float


class _Evaluator:
    """Compares a simulated network with the same network in floats."""

    def __init__(
        self,
        simulator: QuantizationSimulator,
        data: SceneData,
        pixels: NDArray[np.int64],
        patches: Float32Array,
    ) -> None:
        self._simulator, self._data, self._pixels = simulator, data, pixels
        self._patches = patches
        simulator.set_bits(None)
        self._logits, _ = simulator.predict(patches)
        self._classes = predict_at(simulator, data, pixels)[0].argmax(1)
        self.oa = self._oa(self._classes)

    def evaluate(self) -> _Evaluation:
        """Evaluates the current bit widths."""
        logits, _ = self._simulator.predict(self._patches)
        signal = float((self._logits.astype(np.float64) ** 2).sum())
        noise = float(((logits - self._logits).astype(np.float64) ** 2).sum())
        classes = predict_at(self._simulator, self._data, self._pixels)[0].argmax(1)
        agreement = float((classes == self._classes).mean())
        return _Evaluation(decibels(signal, noise), agreement, self._oa(classes))

    def _oa(self, classes: NDArray[np.int64]) -> float:
        truth = self._data.targets(self._pixels)
        return scores(confusion(truth, classes, self._data.scene.classes)).oa


def _noise(
    simulator: QuantizationSimulator, patches: Float32Array, bits: Bits
) -> dict[int, tuple[float, float]]:
    """Signal-to-noise ratio and clipped share of each quantizer's input, by its identity."""
    params = simulator.activation_params(bits)
    count = len(simulator.quantizers)
    signal, noise = np.zeros(count), np.zeros(count)
    clipped, total = np.zeros(count), np.zeros(count)
    for start in range(0, len(patches), 256):
        part = patches[start : start + 256]
        simulator.set_bits(None)
        plain = [np.concatenate(v) for v in zip(*simulator.quantizer_inputs(part), strict=True)]
        simulator.set_bits(bits)
        quantized = [np.concatenate(v) for v in zip(*simulator.quantizer_inputs(part), strict=True)]
        for number, (one, two, quantization) in enumerate(
            zip(plain, quantized, params, strict=True)
        ):
            signal[number] += float((one.astype(np.float64) ** 2).sum())
            noise[number] += float(((two - one).astype(np.float64) ** 2).sum())
            low, high = quantization.real_range
            half = quantization.scale / 2
            clipped[number] += float(((two < low - half) | (two > high + half)).sum())
            total[number] += two.size
    return {
        id(quantizer): (decibels(signal[number], noise[number]), clipped[number] / total[number])
        for number, quantizer in enumerate(simulator.quantizers)
    }


def _layer(
    simulator: QuantizationSimulator,
    layer: QuantizedLayer,
    bits: Bits,
    noise: dict[int, tuple[float, float]],
    alone: _Evaluation,
    saturated: dict[str, float],
) -> LayerSensitivity:
    at = simulator.quantizers.index(layer.output_quantizer)
    histogram = simulator.histograms[at]
    snr, clipped = noise[id(layer.output_quantizer)]
    weights = _weights(layer)
    _, units = schemes.quantize_weights(weights, bits.weights, simulator.scheme.weights)
    return LayerSensitivity(
        layer.name,
        layer.weight_count,
        (float(weights.min()), float(weights.max())),
        (float(units.min()), float(units.max())),
        (histogram.low, histogram.high),
        simulator.activation_params(bits)[at].scale,
        snr,
        alone.snr,
        alone.agreement,
        alone.oa,
        clipped,
        saturated.get(layer.name, 0.0),
        schemes.required_accumulator_bits(bits, layer.products_per_sum)
        if layer.products_per_sum
        else 0,
    )


def _weights(layer: QuantizedLayer) -> Float32Array:
    """(channels, products) weights; of a recurrent layer, its kernels side by side.

    Of attention and others the rows of all kernels, short ones filled up with zeros; of learned
    tokens and positions, which have none, all numbers.
    """
    if layer.matmul is not None:
        return layer.matmul.weight_matrix
    rows = [one.to_rows(layer.trained_weights[one.number]) for one in inner_kernels(layer.layer)]
    if not rows:
        return np.concatenate([values.ravel() for values in layer.trained_weights])[None]
    if is_recurrent(layer.layer):
        return np.concatenate(rows, axis=1)
    longest = max(one.shape[1] for one in rows)
    return np.concatenate([np.pad(one, ((0, 0), (0, longest - one.shape[1]))) for one in rows])
