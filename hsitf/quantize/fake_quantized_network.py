"""A copy of a network with a quantizer after every operation that computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from hsitf.arrays import Float32Array
from hsitf.graph import Call, unwrap_single, walk
from hsitf.quantize.fake_quantize import FakeQuantize, QuantizedMatmul, activation
from hsitf.quantize.inner_weights import has_inner_weights, inner_kernels
from hsitf.quantize.roles import ConsumerGraph, is_recurrent, only_moves_data


@dataclass(frozen=True, eq=False)
class QuantizedLayer:
    """A layer with weights at one call in a simulated network.

    Attributes:
        name: Name of the trained layer; from its second call on with a number appended.
        layer: The trained layer.
        matmul: Layer that replaces it; None where its sums are not simulated, and its weights alone
            are quantized (see `inner_weights`).
        input_quantizer: Quantizes its operands.
        output_quantizer: Quantizes its results.
        shared: Whether its weights are counted at an earlier call already.
        recurrent: Copy that replaces a layer whose sums are not simulated.
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
        """Products in one sum; 0 where its sums are not simulated."""
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
        elif has_inner_weights(operation):
            result, open_layers = self._with_inner_weights(call, values)
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

    def _with_inner_weights(
        self, call: Call, values: Sequence[_TracedTensor]
    ) -> tuple[Any, list[int]]:
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
