"""Where accuracy is lost: each layer's ranges, and what rounding it alone costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf import records
from hsitf.data import Data
from hsitf.metrics import confusion, scores
from hsitf.progress import Progress
from hsitf.quantize import schemes
from hsitf.quantize.record import NOISELESS, Layer, Sensitivity
from hsitf.quantize.request import Order
from hsitf.quantize.schemes import Bits, Floats
from hsitf.quantize.simulate import Place, Simulation
from hsitf.quantize.study import judged, predicted, simulated
from hsitf.quiet import quietly
from hsitf.records import SceneChoice
from hsitf.runs import Run


def sensitivity(
    run: Run, bits: Bits, order: Order, progress: Progress, choice: SceneChoice | None = None
) -> Sensitivity:
    """Measures each layer of a trained network in few bits.

    Ranges and noise are those of the calibration patches, accuracy is that of test pixels.

    Args:
        run: The trained network.
        bits: Of its numbers.
        order: How to round, and how many pixels to judge on.
        progress: Told of each layer.
        choice: Where the scene is now, if not where the run found it.

    Raises:
        InputError: As `study.study`.
    """
    data = run.data(choice or run.record.plan.scene)
    with quietly():
        simulation = simulated(run, data, order)
        pixels = judged(data.split.test, order.most)
        patches = data.patches.cut(data.balanced(order.calibration))
        judge = _Judge(simulation, data, pixels, patches)
        simulation.put(bits)
        whole = judge.now()
        noise = _noise(simulation, patches, bits)
        saturated = simulation.saturated(simulation.predict(patches)[1])
    places = simulation.places
    progress.start("rounding layer by layer", len(places))
    found = []
    for place in places:
        with quietly():
            simulation.put(bits, only=[place.name])
            alone = judge.now()
        found.append(_layer(simulation, place, bits, noise, alone, saturated))
        progress.advance(1, f"{place.name} {alone.snr:.1f} dB")
    record = run.record
    return Sensitivity(
        records.SCHEMA,
        record.plan.network,
        record.scene.name,
        record.scene.synthetic,
        str(run.folder),
        record.sha256,
        order,
        bits,
        judge.oa,
        whole.oa,
        whole.snr,
        len(pixels),
        tuple(found),
    )


def decibels(signal: float, noise: float) -> float:
    """Ratio of two energies; `NOISELESS` where there is no noise."""
    if noise <= 0:
        return NOISELESS
    return 10 * math.log10(max(signal, np.finfo(np.float64).tiny) / noise)


@dataclass(frozen=True)
class _Worth:
    """What a simulation is worth with its bits as they are."""

    snr: float
    agreement: float
    oa: float


class _Judge:
    """Compares a simulation with what it said in floats."""

    def __init__(
        self, simulation: Simulation, data: Data, pixels: NDArray[np.int64], patches: Floats
    ) -> None:
        self._simulation, self._data, self._pixels = simulation, data, pixels
        self._patches = patches
        simulation.put(None)
        self._logits, _ = simulation.predict(patches)
        self._classes = predicted(simulation, data, pixels)[0].argmax(1)
        self.oa = self._oa(self._classes)

    def now(self) -> _Worth:
        """With the bits as they are."""
        logits, _ = self._simulation.predict(self._patches)
        signal = float((self._logits.astype(np.float64) ** 2).sum())
        noise = float(((logits - self._logits).astype(np.float64) ** 2).sum())
        classes = predicted(self._simulation, self._data, self._pixels)[0].argmax(1)
        agreement = float((classes == self._classes).mean())
        return _Worth(decibels(signal, noise), agreement, self._oa(classes))

    def _oa(self, classes: NDArray[np.int64]) -> float:
        truth = self._data.targets(self._pixels)
        return scores(confusion(truth, classes, self._data.scene.classes)).oa


def _noise(simulation: Simulation, patches: Floats, bits: Bits) -> dict[int, tuple[float, float]]:
    """By identity of a rounding: signal to noise of what enters it, and the share it clips."""
    grids = simulation.grids(bits)
    count = len(simulation.roundings)
    signal, noise = np.zeros(count), np.zeros(count)
    clipped, total = np.zeros(count), np.zeros(count)
    for start in range(0, len(patches), 256):
        part = patches[start : start + 256]
        simulation.put(None)
        plain = [np.concatenate(v) for v in zip(*simulation.values(part), strict=True)]
        simulation.put(bits)
        rough = [np.concatenate(v) for v in zip(*simulation.values(part), strict=True)]
        for place, (one, two, grid) in enumerate(zip(plain, rough, grids, strict=True)):
            signal[place] += float((one.astype(np.float64) ** 2).sum())
            noise[place] += float(((two - one).astype(np.float64) ** 2).sum())
            low, high = (grid.low - grid.zero) * grid.scale, (grid.high - grid.zero) * grid.scale
            half = grid.scale / 2
            clipped[place] += float(((two < low - half) | (two > high + half)).sum())
            total[place] += two.size
    return {
        id(rounding): (decibels(signal[place], noise[place]), clipped[place] / total[place])
        for place, rounding in enumerate(simulation.roundings)
    }


def _layer(
    simulation: Simulation,
    place: Place,
    bits: Bits,
    noise: dict[int, tuple[float, float]],
    alone: _Worth,
    saturated: dict[str, float],
) -> Layer:
    at = simulation.roundings.index(place.leaving)
    seen = simulation.seen[at]
    snr, clipped = noise[id(place.leaving)]
    weights = _weights(place)
    _, units = schemes.rounded(weights, bits.weights, simulation.scheme.weights)
    return Layer(
        place.name,
        place.weights,
        (float(weights.min()), float(weights.max())),
        (float(units.min()), float(units.max())),
        (seen.low, seen.high),
        simulation.grids(bits)[at].scale,
        snr,
        alone.snr,
        alone.agreement,
        alone.oa,
        clipped,
        saturated.get(place.name, 0.0),
        schemes.needed(bits, place.products) if place.products else 0,
    )


def _weights(place: Place) -> Floats:
    """(channels, products): of a recurrent layer, its kernels one above the other."""
    if place.summing is not None:
        return place.summing.rows
    return np.concatenate([values.T for values in place.trained if values.ndim > 1], axis=1)


def order_of(layers: Sequence[Layer]) -> list[str]:
    """Names of layers, those first whose rounding costs the logits most."""
    return [layer.name for layer in sorted(layers, key=lambda layer: layer.snr_alone)]
