"""Simulates a quantized network in floats, on any Keras backend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np

from hsitf.arrays import Float32Array
from hsitf.errors import InputError, unknown
from hsitf.quantize import range_estimation, schemes
from hsitf.quantize.fake_quantize import FakeQuantize
from hsitf.quantize.fake_quantized_network import FakeQuantizedNetwork, QuantizedLayer
from hsitf.quantize.inner_weights import inner_kernels, is_shift
from hsitf.quantize.range_estimation import Histogram, histogram
from hsitf.quantize.schemes import Bits, QuantizationParams, Scheme

BATCH = 256


class QuantizationSimulator:
    """A network whose bit widths can be changed without compiling it again.

    Inputs and activations are quantized with ranges from calibration patches, weights with ranges
    of their own, biases with the scale of the sums they are added to; sums saturate. As inference
    engines do, batch normalization is folded into the kernel before it, and a rectifier acts
    before its result is quantized.

    Args:
        network: A functional model with one input and one output.
        patches: Calibration patches, (n, ...) float32.
        scheme: How weights and activations are quantized.

    Raises:
        InputError: Calibration patches are missing, or not finite.
    """

    def __init__(
        self, network: keras.Model, patches: Float32Array, scheme: Scheme | None = None
    ) -> None:
        self.scheme = scheme or Scheme()
        range_estimation.known_estimator(self.scheme.range_estimator)
        if not len(patches):
            raise InputError(
                "ranges cannot be measured",
                received="no calibration patches",
                remedy="give training patches",
            )
        self._rebuilt = FakeQuantizedNetwork(network)
        self.quantized_layers: tuple[QuantizedLayer, ...] = tuple(self._rebuilt.quantized_layers)
        self.quantizers: tuple[FakeQuantize, ...] = tuple(self._rebuilt.quantizers)
        self.network = self._rebuilt.network
        self.histograms = self._calibrate(patches)
        self.bits: Bits | None = None

    def set_bits(self, bits: Bits | None, only: Iterable[str] | None = None) -> None:
        """Sets the bit widths from now on.

        Args:
            bits: The bit widths; None to compute in floats.
            only: Names of the layers to quantize, with their inputs and outputs; None for all.
                The others compute in floats.

        Raises:
            InputError: There is no such layer.
        """
        names = [layer.name for layer in self.quantized_layers]
        chosen = set(names if only is None else only)
        for name in chosen - set(names):
            raise unknown("layer", name, names)
        active = {
            id(quantizer)
            for layer in self.quantized_layers
            if layer.name in chosen
            for quantizer in (layer.input_quantizer, layer.output_quantizer)
        }
        params = [None] * len(self.quantizers) if bits is None else self.activation_params(bits)
        for quantizer, own in zip(self.quantizers, params, strict=True):
            quantizer.set_params(own if only is None or id(quantizer) in active else None)
        for layer in self.quantized_layers:
            self._set_weights(layer, bits if layer.name in chosen else None)
        self.bits = bits

    def predict(self, patches: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Logits (n, classes) and shares of saturated sums (n, layers), both float32."""
        logits, shares = [], []
        for batch, count in _batches(patches):
            outputs = self.network.predict_on_batch(batch)
            logits.append(np.asarray(outputs[0])[:count])
            shares.append(np.asarray(outputs[1])[:count])
        return np.concatenate(logits), np.concatenate(shares)

    def saturation_by_layer(self, shares: Float32Array) -> dict[str, float]:
        """Mean share of saturated sums by layer, from what `predict` returned."""
        names = [layer.name for layer in self.quantized_layers if layer.matmul is not None]
        return dict(zip(names, shares.mean(axis=0).tolist(), strict=True))

    def quantizer_inputs(self, patches: Float32Array) -> Iterator[list[Float32Array]]:
        """Yields the input of every quantizer, batch by batch, at the current bit widths."""
        for batch, count in _batches(patches):
            outputs = self._rebuilt.probe.predict_on_batch(batch)
            yield [np.asarray(values)[:count] for values in _listed(outputs)]

    def required_accumulator_bits(self, bits: Bits) -> dict[str, int]:
        """Accumulator bits with which no sum saturates, by layer."""
        return {
            layer.name: schemes.required_accumulator_bits(bits, layer.products_per_sum)
            for layer in self.quantized_layers
            if layer.matmul
        }

    def weight_bytes(self, bits: Bits) -> int:
        """Bytes of the weights: kernels at weight bits, biases at accumulator bits."""
        own = [layer for layer in self.quantized_layers if not layer.shared]
        kernels = sum(layer.weight_count for layer in own) * bits.weights
        biases = sum(layer.bias_count for layer in own) * bits.accumulators
        return -(-(kernels + biases) // 8)

    def float_bytes(self) -> int:
        """Bytes of the same weights in float32."""
        own = [layer for layer in self.quantized_layers if not layer.shared]
        return 4 * sum(layer.weight_count + layer.bias_count for layer in own)

    def activation_params(self, bits: Bits) -> list[QuantizationParams]:
        """Parameters of all quantizers, in the order of the forward pass."""
        estimator, scheme = self.scheme.range_estimator, self.scheme.activations
        return [
            range_estimation.estimate_params(values, bits.activations, estimator, scheme)
            for values in self.histograms
        ]

    def _set_weights(self, layer: QuantizedLayer, bits: Bits | None) -> None:
        matmul = layer.matmul
        if matmul is None:
            _set_inner_weights(layer, bits, self.scheme)
            return
        if bits is None:
            matmul.set_quantized_weights(matmul.weight_matrix, matmul.bias, None, None)
            return
        weights, steps = schemes.quantize_weights(
            matmul.weight_matrix, bits.weights, self.scheme.weights
        )
        scales = np.asarray(steps * layer.input_quantizer.accumulator_scale, np.float32)
        bias = np.asarray(np.rint(matmul.bias / scales.astype(np.float64)) * scales, np.float32)
        low, high = schemes.accumulator_range(bits.accumulators)
        matmul.set_quantized_weights(weights, bias, low * scales, high * scales)

    def _calibrate(self, patches: Float32Array) -> tuple[Histogram, ...]:
        lows, highs = None, None
        for outputs in self.quantizer_inputs(patches):
            least = np.array([values.min() for values in outputs])
            greatest = np.array([values.max() for values in outputs])
            lows = least if lows is None else np.minimum(lows, least)
            highs = greatest if highs is None else np.maximum(highs, greatest)
        if lows is None or highs is None or not np.isfinite([lows, highs]).all():
            raise InputError(
                "ranges cannot be measured",
                received="activations that are not finite",
                remedy="train the network again, or look at the scene's values",
            )
        total: list[Histogram] | None = None
        for outputs in self.quantizer_inputs(patches):
            part = [
                histogram(values, float(low), float(high))
                for values, low, high in zip(outputs, lows, highs, strict=True)
            ]
            total = part if total is None else [_sum(*two) for two in zip(total, part, strict=True)]
        return tuple(total or ())


def _sum(one: Histogram, other: Histogram) -> Histogram:
    return Histogram(one.low, one.high, one.counts + other.counts)


def _batches(patches: Float32Array) -> Iterator[tuple[Float32Array, int]]:
    """Yields batches of one size, the last filled up: another size would compile again."""
    for start in range(0, len(patches), BATCH):
        part = patches[start : start + BATCH]
        size = min(BATCH, len(patches))
        yield np.resize(part, (size, *part.shape[1:])) if len(part) < size else part, len(part)


def _listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _set_inner_weights(layer: QuantizedLayer, bits: Bits | None, scheme: Scheme) -> None:
    """Quantizes the kernels of a layer whose sums and states stay floats.

    Learned tokens and positions are added to their input as biases are, with a weight of 1.
    """
    values = list(layer.trained_weights)
    step = layer.input_quantizer.accumulator_scale
    if bits is not None and is_shift(layer.layer) and step:
        step /= max(1, 2 ** (bits.weights - 1) - 1)
        low, high = schemes.accumulator_range(bits.accumulators)
        values = [np.clip(np.rint(one / step), low, high) * step for one in values]
    elif bits is not None:
        for one in inner_kernels(layer.layer):
            trained = values[one.number]
            rows, _ = schemes.quantize_weights(one.to_rows(trained), bits.weights, scheme.weights)
            values[one.number] = one.from_rows(rows, trained.shape)
    layer.recurrent.set_weights(values)
