"""What would explain that a network is wrong on a scene: the usual mistakes, tried one by one.

A network that was adopted with another normalization than it was trained with, with bands or
patches the other way round, or with classes in another order, runs without a complaint and names
wrong classes. The combinations of these are tried on labelled pixels that no accuracy is reported
on.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hsitf.adopt.preprocessing import NORMALIZATIONS
from hsitf.adopt.preprocessing.options import (
    STATISTICS,
    PreprocessingOptions,
    prepare_preprocessing,
)
from hsitf.arrays import Float32Array
from hsitf.errors import InputError
from hsitf.metrics import confusion, scores
from hsitf.progress import Progress
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import Split

if TYPE_CHECKING:
    import keras

# Pixels that trials are made on, and how long all of them together may take.
MAX_PIXELS, MIN_PIXELS, SECONDS = 300, 60, 60.0
BATCH = 64
# Below this kappa, other readings of the network are tried ...
DOUBTFUL_KAPPA = 0.8
# ... at or below this one, it is no better than chance.
CHANCE_KAPPA = 0.1
# A reading explains a low accuracy if it is better by so much overall accuracy, and far from
# chance itself: of many readings of a network that has learned little, one is always better.
EXPLAINING_GAIN = 0.1
EXPLAINING_KAPPA = 0.5
# Marks a reading, among its changes, whose order of classes was estimated.
ESTIMATED = "(estimated)"
# An estimated order has to be better than a natural one by so much.
ESTIMATE_HANDICAP = 0.02


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read a network on a scene.

    Attributes:
        preprocessing: What is computed of the bands.
        network: The network with its inputs laid out one way: patches -> one number an output.
        layout: How its inputs are laid out, in words; empty for as they were named.
        changes: Options that would be given for this reading, empty for the one that was given.
    """

    preprocessing: PreprocessingOptions
    network: keras.Model
    layout: str
    changes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Trial:
    """A reading with its accuracy on labelled pixels.

    Attributes:
        reading: The reading.
        order: Class from 1 of each output, 0 for none; the one that fits best where it differs
            from the one that was given.
        oa: Overall accuracy on the pixels that were tried.
        kappa: Cohen's kappa.
        pixels: Number of pixels that were tried.
        part: Part of the split that they are of, "validation" or "training".
        changes: Options that would be given for it.
    """

    reading: Reading
    order: tuple[int, ...]
    oa: float
    kappa: float
    pixels: int
    part: str
    changes: tuple[str, ...]

    @property
    def advice(self) -> str:
        """The options to give for it, and those to leave out, as an imperative."""
        left_out = [one.removeprefix("without ") for one in self.changes if "without " in one]
        wanted = [one for one in self.changes if "without " not in one and one != ESTIMATED]
        parts = [f"give {' '.join(wanted)}"] if wanted else []
        parts += [f"leave out {' and '.join(left_out)}"] if left_out else []
        doubt = (
            f" (the order is an estimate from {self.basis}, uncertain for rare classes: check it "
            "against the code that trained the network)"
            if ESTIMATED in self.changes
            else ""
        )
        return " and ".join(parts) + doubt

    def __str__(self) -> str:
        """Its accuracy in words."""
        return f"OA {self.oa:.1%}, kappa {self.kappa:.2f}"

    @property
    def basis(self) -> str:
        """The pixels that it was tried on, in words."""
        return f"{self.pixels} {self.part} pixels"


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """The accuracy of a network as it was described, and the best other reading.

    Attributes:
        given: The reading that was given, on all pixels that were drawn.
        best: The most accurate other reading; None where none was tried.
        tried: Number of readings that were tried.
        compared: The reading that was given on the pixels of the other ones, which are fewer
            where a network is slow.
    """

    given: Trial
    best: Trial | None
    tried: int
    compared: Trial

    @property
    def at_chance(self) -> bool:
        """Whether the network, as it was described, is no better than chance."""
        return self.given.kappa <= CHANCE_KAPPA

    @property
    def explanation(self) -> Trial | None:
        """The reading that explains a low accuracy; None where none does."""
        best = self.best
        if best is None or best.kappa < EXPLAINING_KAPPA:
            return None
        return best if best.oa >= self.compared.oa + EXPLAINING_GAIN else None


def diagnose(
    given: Reading,
    other_networks: Sequence[tuple[keras.Model, str, str]],
    order: tuple[int, ...],
    scene: Scene,
    split: Split,
    progress: Progress,
) -> Diagnosis:
    """Evaluates a network on validation pixels, and other readings of it where it is doubtful.

    Args:
        given: The network as it was described.
        other_networks: The same network with inputs laid out otherwise: the network, the layout in
            words, and the option that names it.
        order: Class from 1 of each output, 0 for none.
        scene: The scene.
        split: Its split; the validation pixels are used, or the training pixels where there are
            none. The test pixels judge once, later.
        progress: Receives progress messages.
    """
    part, pixels = ("validation", split.validation)
    if not len(pixels):
        part, pixels = ("training", split.train)
    drawn = np.random.default_rng(0).permutation(pixels)[:MAX_PIXELS]
    side = int(given.network.input_shape[1])
    patches = PatchSource.from_cube(scene.cube, side, scene.images).extract(drawn)
    truth = scene.labels.ravel()[drawn] - 1

    def evaluate(reading: Reading, count: int) -> list[Trial]:
        prepared = prepare_preprocessing(reading.preprocessing, scene, split)
        if prepared.components != int(reading.network.input_shape[-1]):
            # Another normalization alone does not reduce bands as the network needs them.
            return []
        outputs = _outputs(reading.network, prepared.apply(patches[:count]))
        basis = _Basis(truth[:count], part, scene.classes)
        return list(_trials(reading, outputs, basis, order))

    begin = time.monotonic()
    first, *assigned = evaluate(given, len(drawn))
    seconds = time.monotonic() - begin
    if first.kappa >= DOUBTFUL_KAPPA:
        return Diagnosis(first, None, 1, first)
    readings = list(_other_readings(given, other_networks))
    share = SECONDS / max(len(readings), 1) / max(seconds, 1e-3)
    count = min(len(drawn), max(MIN_PIXELS, int(share * len(drawn))))
    progress.start("trying other readings of the network", len(readings))
    compared, *trials = [first, *assigned] if count == len(drawn) else evaluate(given, count)
    for reading in readings:
        try:
            trials += evaluate(reading, count)
        except InputError:
            # A reduction that is impossible over these pixels explains nothing.
            continue
        finally:
            progress.advance(1)
    # Of equally good ones, the one with the fewest changes.
    best = max(trials, key=_merit, default=None)
    return Diagnosis(first, best, 1 + len(readings), compared)


def _merit(trial: Trial) -> tuple[float, int]:
    handicap = ESTIMATE_HANDICAP if ESTIMATED in trial.changes else 0.0
    return round(trial.oa - handicap, 2), -len(trial.changes)


def _outputs(network: keras.Model, patches: Float32Array) -> Float32Array:
    batches = [
        np.asarray(network(patches[start : start + BATCH], training=False))
        for start in range(0, len(patches), BATCH)
    ]
    return np.concatenate(batches)


@dataclass(frozen=True, eq=False)
class _Basis:
    """What readings are tried on: (n,) classes from 0 of the pixels, their part, all classes."""

    truth: NDArray[np.integer]
    part: str
    classes: int


def _trials(
    reading: Reading, outputs: Float32Array, basis: _Basis, order: tuple[int, ...]
) -> Iterator[Trial]:
    """The trial of a reading with classes in the order that was given, and in the best one."""
    yield _trial(reading, outputs, basis, order, reading.changes)
    # Orders that people have come before an estimate from few pixels of rare classes.
    natural = _natural_orders(outputs.shape[1], basis.classes)
    for other, options in natural.items():
        if other != order:
            # An order that no code has by itself was given by its option.
            given = () if order in natural else ("without --class-order",)
            changes = (*reading.changes, *dict.fromkeys((*given, *options)))
            yield _trial(reading, outputs, basis, other, changes)
    best = _best_order(outputs, basis.truth, order, basis.classes)
    if best != order and best not in natural:
        named = ",".join(str(one) if one else "-" for one in best)
        changes = (*reading.changes, f"--class-order {named}", ESTIMATED)
        yield _trial(reading, outputs, basis, best, changes)


def _trial(
    reading: Reading,
    outputs: Float32Array,
    basis: _Basis,
    order: tuple[int, ...],
    changes: tuple[str, ...],
) -> Trial:
    source = [order.index(one) for one in range(1, basis.classes + 1)]
    predicted = outputs[:, source].argmax(axis=1)
    found = scores(confusion(basis.truth, predicted, basis.classes))
    return Trial(reading, order, found.oa, found.kappa, len(predicted), basis.part, changes)


def _natural_orders(outputs: int, classes: int) -> dict[tuple[int, ...], tuple[str, ...]]:
    """Orders of classes that published code has, each with the options that name it."""
    forward = tuple(range(1, classes + 1))
    if outputs == classes + 1:
        return {(0, *forward): ("--background first",), (*forward, 0): ("--background last",)}
    if outputs != classes:
        return {}
    # The last class counted as 0, the first one counted last, and all of them reversed.
    others = [(classes, *forward[:-1]), (*forward[1:], 1), forward[::-1]]
    named = {order: f"--class-order {','.join(map(str, order))}" for order in others}
    named[forward] = "without --class-order"
    return {order: (option,) for order, option in named.items()}


def _best_order(
    outputs: Float32Array, truth: NDArray[np.integer], order: tuple[int, ...], classes: int
) -> tuple[int, ...]:
    """The class of each output at which most pixels are right; as given where that is as good."""
    from scipy.optimize import linear_sum_assignment

    count = outputs.shape[1]
    hits = np.zeros((classes, count))
    np.add.at(hits, (truth, outputs.argmax(axis=1)), 1.0)
    # A grain of preference for the order that was given, so that ties stay as they are.
    for output, one in enumerate(order):
        if one:
            hits[one - 1, output] += 0.5
    rows, columns = linear_sum_assignment(-hits)
    found = [0] * count
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        found[column] = row + 1
    return tuple(found)


def _other_readings(
    given: Reading, other_networks: Sequence[tuple[keras.Model, str, str]]
) -> Iterator[Reading]:
    """Every combination of the usual mistakes but the one that was given."""
    preprocessings = list(_other_preprocessing(given.preprocessing))
    networks = [(given.network, "", ""), *other_networks]
    for options, changed in preprocessings:
        for network, layout, option in networks:
            changes = (*changed, *([option] if option else []))
            if changes:
                yield Reading(options, network, layout, changes)


def _other_preprocessing(
    given: PreprocessingOptions,
) -> Iterator[tuple[PreprocessingOptions, tuple[str, ...]]]:
    """Preprocessing options, and what a user would have to give to have them."""
    named = isinstance(given.normalize, str) and given.normalize in NORMALIZATIONS
    kinds = [
        (name, statistics)
        for name in NORMALIZATIONS
        for statistics in STATISTICS
        if name != "none" or given.bands or statistics == given.statistics
    ]
    if not named:
        kinds.insert(0, (given.normalize, given.statistics))
    for (name, statistics), reverse in itertools.product(
        kinds, (False,) if given.bands else (False, True)
    ):
        options = replace(given, normalize=name, statistics=statistics, reverse_bands=reverse)
        changes = []
        if options.normalize != given.normalize:
            changes.append(f"--normalize {name}")
        if options.statistics != given.statistics:
            changes.append(f"--statistics {statistics}")
        if reverse != given.reverse_bands:
            changes.append("--reverse-bands" if reverse else "without --reverse-bands")
        yield options, tuple(changes)
