"""A trained network computing in few bits, on any backend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from hsitf.errors import InputError, unknown
from hsitf.graph import Call, alone, walk
from hsitf.quantize import ranges, schemes
from hsitf.quantize.ranges import Histogram, histogram
from hsitf.quantize.rounding import Rounding, Summing, activation
from hsitf.quantize.schemes import Bits, Floats, Grid, Scheme
from hsitf.quantize.stages import RECURRENT, Reading, moves

BATCH = 256


@dataclass(frozen=True, eq=False)
class Place:
    """A layer that multiplies.

    Attributes:
        name: Of the trained layer; with a number behind it from its second place on.
        layer: The trained layer.
        summing: What takes its place; None where its sums are inside a recurrent layer, whose
            weights alone are rounded.
        entering: What rounds its operands.
        leaving: What rounds its results.
        shared: Whether its weights are counted at another place already.
        recurrent: What takes the place of a recurrent layer.
        trained: Weights of a recurrent layer.
    """

    name: str
    layer: Any
    summing: Summing | None
    entering: Rounding
    leaving: Rounding
    shared: bool
    recurrent: Any = None
    trained: tuple[Floats, ...] = ()

    @property
    def products(self) -> int:
        """Of one sum."""
        return self.summing.rows.shape[1] if self.summing else 0

    @property
    def weights(self) -> int:
        """Numbers of its kernels."""
        if self.summing is not None:
            return int(self.summing.rows.size)
        return sum(values.size for values in self.trained if values.ndim > 1)

    @property
    def biases(self) -> int:
        """Numbers that are added to sums."""
        if self.summing is not None:
            return len(self.summing.bias)
        return sum(values.size for values in self.trained if values.ndim == 1)


class Simulation:
    """A network whose numbers can be given fewer bits, again and again without compiling.

    Inputs and whatever is computed between layers are rounded to grids whose ranges were seen on
    calibration patches, kernels to grids of their own, biases to the units of the sums they are
    added to; sums saturate. Batch normalization behind a kernel is multiplied into it, and a
    rectifier acts before the rounding, as engines do both.

    Args:
        network: A functional model with one input and one output.
        patches: Calibration, (n, ...) float32.
        scheme: How numbers are put on grids.

    Raises:
        InputError: Calibration patches are missing, or not finite.
    """

    def __init__(self, network: keras.Model, patches: Floats, scheme: Scheme | None = None) -> None:
        self.scheme = scheme or Scheme()
        ranges.known(self.scheme.method)
        if not len(patches):
            raise InputError(
                "ranges cannot be measured",
                received="no calibration patches",
                remedy="give training patches",
            )
        self._made = Rebuilt(network)
        self.places: tuple[Place, ...] = tuple(self._made.places)
        self.roundings: tuple[Rounding, ...] = tuple(self._made.roundings)
        self.network = self._made.network
        self.seen = self._calibrated(patches)
        self.bits: Bits | None = None

    def put(self, bits: Bits | None, only: Iterable[str] | None = None) -> None:
        """Gives numbers so many bits from now on.

        Args:
            bits: None: floats everywhere.
            only: Layers that get them, with what enters and leaves them; all where None. Others
                compute in floats.

        Raises:
            InputError: A layer that is not there.
        """
        names = [place.name for place in self.places]
        chosen = set(names if only is None else only)
        for name in chosen - set(names):
            raise unknown("layer", name, names)
        everything = only is None
        rounded = {
            id(rounding)
            for place in self.places
            if place.name in chosen
            for rounding in (place.entering, place.leaving)
        }
        grids = [None] * len(self.roundings) if bits is None else self.grids(bits)
        for rounding, grid in zip(self.roundings, grids, strict=True):
            rounding.put(grid if everything or id(rounding) in rounded else None)
        for place in self.places:
            self._put_weights(place, bits if place.name in chosen else None)
        self.bits = bits

    def predict(self, patches: Floats) -> tuple[Floats, Floats]:
        """Logits (n, classes), and the shares of sums that saturated: (n, sums), by place."""
        logits, shares = [], []
        for batch, count in _batches(patches):
            found = self.network.predict_on_batch(batch)
            logits.append(np.asarray(found[0])[:count])
            shares.append(np.asarray(found[1])[:count])
        return np.concatenate(logits), np.concatenate(shares)

    def saturated(self, shares: Floats) -> dict[str, float]:
        """By place, the share of sums that saturated, out of what `predict` returned."""
        summing = [place.name for place in self.places if place.summing is not None]
        return dict(zip(summing, shares.mean(axis=0).tolist(), strict=True))

    def values(self, patches: Floats) -> Iterator[list[Floats]]:
        """What enters each rounding, batch by batch, with the bits as they are now."""
        for batch, count in _batches(patches):
            found = self._made.watching.predict_on_batch(batch)
            yield [np.asarray(values)[:count] for values in _listed(found)]

    def needed(self, bits: Bits) -> dict[str, int]:
        """By place, the accumulator bits with which no sum saturates."""
        return {p.name: schemes.needed(bits, p.products) for p in self.places if p.summing}

    def weight_bytes(self, bits: Bits) -> int:
        """What the weights take, kernels in their bits and biases in the accumulators'."""
        own = [place for place in self.places if not place.shared]
        kernels = sum(place.weights for place in own) * bits.weights
        return -(-(kernels + sum(place.biases for place in own) * bits.accumulators) // 8)

    def float_bytes(self) -> int:
        """What the same weights take in float32."""
        return 4 * sum(p.weights + p.biases for p in self.places if not p.shared)

    def grids(self, bits: Bits) -> list[Grid]:
        """The grids of all roundings, in their order."""
        method, kind = self.scheme.method, self.scheme.activations
        return [ranges.grid(seen, bits.activations, method, kind) for seen in self.seen]

    def _put_weights(self, place: Place, bits: Bits | None) -> None:
        summing = place.summing
        if summing is None:
            _put_recurrent(place, bits, self.scheme)
            return
        if bits is None:
            summing.put(summing.rows, summing.bias, None, None)
            return
        rows, steps = schemes.rounded(summing.rows, bits.weights, self.scheme.weights)
        units = np.asarray(steps * place.entering.unit, np.float32)
        bias = np.rint(summing.bias / units.astype(np.float64)) * units
        low, high = schemes.accumulator(bits.accumulators)
        summing.put(rows, np.asarray(bias, np.float32), low * units, high * units)

    def _calibrated(self, patches: Floats) -> tuple[Histogram, ...]:
        lows, highs = None, None
        for found in self.values(patches):
            least = np.array([values.min() for values in found])
            greatest = np.array([values.max() for values in found])
            lows = least if lows is None else np.minimum(lows, least)
            highs = greatest if highs is None else np.maximum(highs, greatest)
        if lows is None or highs is None or not np.isfinite([lows, highs]).all():
            raise InputError(
                "ranges cannot be measured",
                received="activations that are not finite",
                remedy="train the network again, or look at the scene's values",
            )
        total: list[Histogram] | None = None
        for found in self.values(patches):
            part = [
                histogram(values, float(low), float(high))
                for values, low, high in zip(found, lows, highs, strict=True)
            ]
            total = part if total is None else [_sum(*two) for two in zip(total, part, strict=True)]
        return tuple(total or ())


def _sum(one: Histogram, other: Histogram) -> Histogram:
    return Histogram(one.low, one.high, one.counts + other.counts)


def _batches(patches: Floats) -> Iterator[tuple[Floats, int]]:
    """Batches of one size, the last filled up: another size would compile again."""
    for start in range(0, len(patches), BATCH):
        part = patches[start : start + BATCH]
        size = min(BATCH, len(patches))
        yield np.resize(part, (size, *part.shape[1:])) if len(part) < size else part, len(part)


def _listed(found: Any) -> list[Any]:
    return list(found) if isinstance(found, list | tuple) else [found]


def _put_recurrent(place: Place, bits: Bits | None, scheme: Scheme) -> None:
    """Rounds the kernels of a recurrent layer; its sums and states stay floats."""
    values = []
    for weights in place.trained:
        if bits is None or weights.ndim < 2:
            values.append(weights)
        else:
            rows, _ = schemes.rounded(weights.T, bits.weights, scheme.weights)
            values.append(rows.T)
    place.recurrent.set_weights(values)


class Rebuilt:
    """A network once more, with rounding after everything that makes numbers.

    Args:
        network: A functional model with one input and one output.
        rounding: The layer that rounds.
        summing: The layer that sums.

    Attributes:
        places: The layers that multiply, in the order of the forward pass.
        roundings: What rounds, in the order of the forward pass.
        logits: The network, from patches to logits.
        network: The same with the shares of sums that saturated.
        watching: From patches to what enters each rounding.
    """

    def __init__(
        self,
        network: keras.Model,
        rounding: type[Rounding] = Rounding,
        summing: type[Summing] = Summing,
    ) -> None:
        self._rounding, self._summing = rounding, summing
        self.places: list[Place] = []
        self.roundings: list[Rounding] = []
        self._entering: list[Any] = []
        self._shares: list[Any] = []
        self._folded: set[int] = set()
        self._names: dict[str, int] = {}
        # What a place's results are rounded by is known only further down the network.
        self._open: dict[int, dict[str, Any]] = {}
        self._reading = Reading.of(network)
        inputs = keras.Input(network.inputs[0].shape[1:], name="patch")
        (logits,) = walk(network, [_Value(*self._round(inputs, "patch"))], self._visit)
        nothing = ops.zeros_like(logits.tensor[:, :0])
        shares = ops.stack(self._shares, axis=1) if self._shares else nothing
        self.logits = keras.Model(inputs, logits.tensor)
        self.network = keras.Model(inputs, [logits.tensor, shares])
        self.watching = keras.Model(inputs, alone(self._entering))

    def _round(self, tensor: Any, name: str) -> tuple[Any, Rounding]:
        rounding = self._rounding(f"rounding_{len(self.roundings)}_{name}")
        self.roundings.append(rounding)
        self._entering.append(tensor)
        return rounding(tensor), rounding

    def _visit(self, call: Call, values: list[_Value]) -> _Value | list[_Value]:
        operation, name = call.operation, call.operation.name
        if isinstance(operation, layers.Dropout):
            dropped = call.repeated(operation, [values[0].tensor])
            return _Value(dropped, values[0].rounding, values[0].open)
        if id(operation) in self._folded:
            result, open_places = values[0].tensor, values[0].open
        elif self._reading.is_kernel(operation):
            result, open_places = self._summed(call, values[0])
        elif isinstance(operation, RECURRENT):
            result, open_places = self._recurrent(operation, values[0])
        else:
            result = call.repeated(operation, [value.tensor for value in values])
            open_places = [number for value in values for number in value.open]
        if moves(operation):
            several = result if isinstance(result, list | tuple) else [result]
            moved = [_Value(tensor, values[0].rounding, values[0].open) for tensor in several]
            return moved if len(moved) > 1 else moved[0]
        if not self._reading.rounds(call):
            return _Value(result, values[0].rounding, open_places)
        tensor, rounding = self._round(result, name)
        self._close(open_places, rounding)
        return _Value(tensor, rounding)

    def _close(self, numbers: Sequence[int], rounding: Rounding) -> None:
        for number in numbers:
            if number in self._open:
                self.places[number] = Place(leaving=rounding, **self._open.pop(number))

    def _place(self, operation: Any, entering: Rounding, facts: Mapping[str, Any]) -> int:
        uses = self._names[operation.name] = self._names.get(operation.name, 0) + 1
        name = operation.name if uses == 1 else f"{operation.name}_{uses}"
        known = {
            "name": name,
            "layer": operation,
            "entering": entering,
            "shared": uses > 1,
            **facts,
        }
        self.places.append(Place(leaving=entering, **known))
        self._open[len(self.places) - 1] = known
        return len(self.places) - 1

    def _summed(self, call: Call, value: _Value) -> tuple[Any, list[int]]:
        layer = call.operation
        behind = self._reading.folds(call)
        if behind is not None:
            self._folded.add(id(behind))
        uses = self._names.get(layer.name, 0)
        summing = self._summing(layer, behind, f"summing_{layer.name}_{uses}")
        number = self._place(layer, value.rounding, {"summing": summing})
        sums, share = summing(value.tensor)
        self._shares.append(share)
        function = activation(layer)
        if function is None:
            return sums, [number]
        if layer.activation is not keras.activations.relu:
            sums, rounding = self._round(sums, f"{layer.name}_sums")
            self._close([number], rounding)
        return function(sums), [number]

    def _recurrent(self, layer: Any, value: _Value) -> tuple[Any, list[int]]:
        twin = type(layer).from_config(layer.get_config())
        result = twin(value.tensor)
        twin.set_weights(layer.get_weights())
        facts = {"summing": None, "recurrent": twin, "trained": tuple(layer.get_weights())}
        return result, [self._place(layer, value.rounding, facts)]


@dataclass(frozen=True, eq=False)
class _Value:
    """A tensor of the simulation on its way.

    Attributes:
        tensor: Itself.
        rounding: What put its numbers on a grid last.
        open: Places whose results it holds and that no rounding has closed yet.
    """

    tensor: Any
    rounding: Rounding
    open: Sequence[int] = ()
