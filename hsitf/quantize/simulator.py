"""Simulates a quantized network in floats, on any Keras backend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from hsitf.arrays import Float32Array
from hsitf.errors import InputError, unknown
from hsitf.graph import Call, unwrap_single, walk
from hsitf.quantize import range_estimation, schemes
from hsitf.quantize.fake_quantize import FakeQuantize, QuantizedMatmul, activation
from hsitf.quantize.range_estimation import Histogram, histogram
from hsitf.quantize.roles import (
    ConsumerGraph,
    inner_kernels,
    is_attention,
    is_recurrent,
    only_moves_data,
)
from hsitf.quantize.schemes import Bits, QuantizationParams, Scheme

BATCH = 256


@dataclass(frozen=True, eq=False)
class QuantizedLayer:
    """A layer with weights at one call in a simulated network.

    Attributes:
        name: Name of the trained layer; from its second call on with a number appended.
        layer: The trained layer.
        matmul: Layer that replaces it; None where its sums are inside a recurrent or attention
            layer, whose weights alone are quantized.
        input_quantizer: Quantizes its operands.
        output_quantizer: Quantizes its results.
        shared: Whether its weights are counted at an earlier call already.
        recurrent: Copy that replaces a recurrent or attention layer.
        trained_weights: Weights of such a layer.
    """

    name: str
    layer: Any
    matmul: QuantizedMatmul | None
    input_quantizer: FakeQuantize
    output_quantizer: FakeQuantize
    shared: bool
    recurrent: Any = None
    trained_weights: tuple[Float32Array, ...] = ()

    @property
    def products_per_sum(self) -> int:
        """Products in one sum; 0 for recurrent and attention layers."""
        return self.matmul.weight_matrix.shape[1] if self.matmul else 0

    @property
    def weight_count(self) -> int:
        """Number of kernel weights."""
        if self.matmul is not None:
            return int(self.matmul.weight_matrix.size)
        return sum(self.trained_weights[one.number].size for one in inner_kernels(self.layer))

    @property
    def bias_count(self) -> int:
        """Number of biases."""
        if self.matmul is not None:
            return len(self.matmul.bias)
        return sum(values.size for values in self.trained_weights) - self.weight_count


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
    """Quantizes the kernels of a recurrent or attention layer; its sums and states stay floats."""
    values = list(layer.trained_weights)
    if bits is not None:
        for one in inner_kernels(layer.layer):
            trained = values[one.number]
            rows, _ = schemes.quantize_weights(one.to_rows(trained), bits.weights, scheme.weights)
            values[one.number] = one.from_rows(rows, trained.shape)
    layer.recurrent.set_weights(values)


class FakeQuantizedNetwork:
    """A copy of a network with a quantizer after every operation that computes.

    Args:
        network: A functional model with one input and one output.
        quantizer_class: Layer type that quantizes activations.
        matmul_class: Layer type that multiplies with quantized weights.

    Attributes:
        quantized_layers: Layers with weights, in the order of the forward pass.
        quantizers: Quantizers of activations, in the order of the forward pass.
        logits: Model from patches to logits.
        network: Model from patches to logits and shares of saturated sums.
        probe: Model from patches to the input of every quantizer.
    """

    def __init__(
        self,
        network: keras.Model,
        quantizer_class: type[FakeQuantize] = FakeQuantize,
        matmul_class: type[QuantizedMatmul] = QuantizedMatmul,
    ) -> None:
        self._quantizer_class, self._matmul_class = quantizer_class, matmul_class
        self.quantized_layers: list[QuantizedLayer] = []
        self.quantizers: list[FakeQuantize] = []
        self._quantizer_inputs: list[Any] = []
        self._saturated_shares: list[Any] = []
        self._folded: set[int] = set()
        self._names: dict[str, int] = {}
        # The quantizer of a layer's results is known only further down the network.
        self._open: dict[int, dict[str, Any]] = {}
        self._consumers = ConsumerGraph.of(network)
        inputs = keras.Input(network.inputs[0].shape[1:], name="patch")
        (logits,) = walk(network, [_TracedTensor(*self._quantize(inputs, "patch"))], self._visit)
        nothing = ops.zeros_like(logits.tensor[:, :0])
        shares = ops.stack(self._saturated_shares, axis=1) if self._saturated_shares else nothing
        self.logits = keras.Model(inputs, logits.tensor)
        self.network = keras.Model(inputs, [logits.tensor, shares])
        self.probe = keras.Model(inputs, unwrap_single(self._quantizer_inputs))

    def _quantize(self, tensor: Any, name: str) -> tuple[Any, FakeQuantize]:
        quantizer = self._quantizer_class(f"fake_quantize_{len(self.quantizers)}_{name}")
        self.quantizers.append(quantizer)
        self._quantizer_inputs.append(tensor)
        return quantizer(tensor), quantizer

    def _visit(
        self, call: Call, values: list[_TracedTensor]
    ) -> _TracedTensor | list[_TracedTensor]:
        operation, name = call.operation, call.operation.name
        if isinstance(operation, layers.Dropout):
            dropped = call.call_with(operation, [values[0].tensor])
            return _TracedTensor(dropped, values[0].quantizer, values[0].open_layers)
        if id(operation) in self._folded:
            result, open_layers = values[0].tensor, values[0].open_layers
        elif self._consumers.is_kernel(operation):
            result, open_layers = self._matmul(call, values[0])
        elif is_recurrent(operation):
            result, open_layers = self._recurrent(operation, values[0])
        elif is_attention(operation):
            result, open_layers = self._attention(call, values)
        else:
            result = call.call_with(operation, [value.tensor for value in values])
            open_layers = [number for value in values for number in value.open_layers]
        if only_moves_data(operation):
            several = result if isinstance(result, list | tuple) else [result]
            moved = [
                _TracedTensor(tensor, values[0].quantizer, values[0].open_layers)
                for tensor in several
            ]
            return moved if len(moved) > 1 else moved[0]
        if not self._consumers.is_quantized_output(call):
            return _TracedTensor(result, values[0].quantizer, open_layers)
        tensor, quantizer = self._quantize(result, name)
        self._close(open_layers, quantizer)
        return _TracedTensor(tensor, quantizer)

    def _close(self, numbers: Sequence[int], quantizer: FakeQuantize) -> None:
        for number in numbers:
            if number in self._open:
                self.quantized_layers[number] = QuantizedLayer(
                    output_quantizer=quantizer, **self._open.pop(number)
                )

    def _add_layer(
        self, operation: Any, input_quantizer: FakeQuantize, facts: Mapping[str, Any]
    ) -> int:
        uses = self._names[operation.name] = self._names.get(operation.name, 0) + 1
        name = operation.name if uses == 1 else f"{operation.name}_{uses}"
        known = {
            "name": name,
            "layer": operation,
            "input_quantizer": input_quantizer,
            "shared": uses > 1,
            **facts,
        }
        self.quantized_layers.append(QuantizedLayer(output_quantizer=input_quantizer, **known))
        self._open[len(self.quantized_layers) - 1] = known
        return len(self.quantized_layers) - 1

    def _matmul(self, call: Call, value: _TracedTensor) -> tuple[Any, list[int]]:
        layer = call.operation
        batch_norm = self._consumers.foldable_batch_norm(call)
        if batch_norm is not None:
            self._folded.add(id(batch_norm))
        uses = self._names.get(layer.name, 0)
        matmul = self._matmul_class(layer, batch_norm, f"matmul_{layer.name}_{uses}")
        number = self._add_layer(layer, value.quantizer, {"matmul": matmul})
        sums, share = matmul(value.tensor)
        self._saturated_shares.append(share)
        function = activation(layer)
        if function is None:
            return sums, [number]
        if layer.activation is not keras.activations.relu:
            sums, quantizer = self._quantize(sums, f"{layer.name}_sums")
            self._close([number], quantizer)
        return function(sums), [number]

    def _recurrent(self, layer: Any, value: _TracedTensor) -> tuple[Any, list[int]]:
        copy = type(layer).from_config(layer.get_config())
        result = copy(value.tensor)
        copy.set_weights(layer.get_weights())
        facts = {"matmul": None, "recurrent": copy, "trained_weights": tuple(layer.get_weights())}
        return result, [self._add_layer(layer, value.quantizer, facts)]

    def _attention(self, call: Call, values: Sequence[_TracedTensor]) -> tuple[Any, list[int]]:
        layer = call.operation
        copy = type(layer).from_config(layer.get_config())
        result = call.call_with(copy, [value.tensor for value in values])
        copy.set_weights(layer.get_weights())
        facts = {"matmul": None, "recurrent": copy, "trained_weights": tuple(layer.get_weights())}
        return result, [self._add_layer(layer, values[0].quantizer, facts)]


@dataclass(frozen=True, eq=False)
class _TracedTensor:
    """A tensor of the simulated network while it is traced.

    Attributes:
        tensor: The Keras tensor.
        quantizer: Quantizer that it passed last.
        open_layers: Numbers of layers whose results it holds and that have no output quantizer yet.
    """

    tensor: Any
    quantizer: FakeQuantize
    open_layers: Sequence[int] = ()
