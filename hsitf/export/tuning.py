"""Chooses how convolutions are computed by what an inference costs on a target.

All ways are exact, so that the choice changes cost and the last bits of rounding alone. They are
tried layer by layer, the layers with the most multiply-accumulates first: each file is converted
and its cost measured, compiled or counted; the cheapest way of a layer is kept while the next layer
is tried. What was found is kept in a file beside the bundles and read back for a network of the
same structure.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hsitf import __version__, records
from hsitf.arithmetic import UNFOLDINGS, Arithmetic, ConvolutionMethod
from hsitf.arrays import Float32Array
from hsitf.errors import DataError, InputError, LoweringError
from hsitf.export.calibration import Calibration
from hsitf.export.variants import Variant
from hsitf.log_silencing import suppressed_output
from hsitf.progress import Progress
from hsitf.records import TuningRecord
from hsitf.targets import Target, TargetCost

if TYPE_CHECKING:
    import keras

Build = Callable[[Arithmetic], "keras.Model"]

ALIGNMENTS = (1, 2, 4, 8, 16, 32, 64)
# Samples that files are calibrated with while costs are compared, which ranges do not change.
_SAMPLES = 4


@dataclass(frozen=True)
class TunedLowering:
    """What lowering takes into account for a target.

    Attributes:
        arithmetic: With the channel alignment and the methods that were chosen.
        cost: Cost of the file that it was chosen by.
        default_cost: Cost of the file without a choice.
        tried: Number of files that were measured.
    """

    arithmetic: Arithmetic
    cost: float
    default_cost: float
    tried: int


@dataclass(frozen=True, eq=False)
class TuningSubject:
    """What is tuned.

    Attributes:
        build: Lowers the network.
        variant: The kind of file.
        samples: (n, ...) float32, inputs to calibrate with.
        name: Name of the target.
        target: The target, which has a cost model.
    """

    build: Build
    variant: Variant
    samples: Float32Array
    name: str
    target: Target


def tune(
    subject: TuningSubject, arithmetic: Arithmetic, cache: Path, progress: Progress
) -> TunedLowering:
    """Chooses the arithmetic whose file costs least on a target; or reads what was chosen before.

    Args:
        subject: What is tuned.
        arithmetic: Where the search starts; it is kept where nothing costs less.
        cache: File that the choice is kept in.
        progress: Receives progress and messages.

    Raises:
        InputError: The toolchain is not installed, or even the file without a choice has no cost.
    """
    if cache.is_dir():
        raise InputError(
            "the choice of lowering cannot be kept",
            received=f"a folder at {cache}",
            remedy="move it away",
        )
    with suppressed_output():
        start = subject.build(arithmetic)
    key = _key(subject, arithmetic, start)
    chosen = _read(cache, key, arithmetic, progress)
    if chosen is not None and not dict(chosen.methods).keys() <= set(_convolutions(start)):
        progress.say(f"choosing the lowering anew: {cache} names layers that are not there")
        chosen = None
    with TemporaryDirectory() as folder:
        search = _Search(subject, Path(folder), progress)
        if chosen is not None:
            progress.say(f"{subject.name}: lowering as chosen before, by {cache}")
            # Costs depend on weights, which the choice was not made for.
            return search.confirmed(arithmetic, chosen)
        found = search.run(arithmetic, start)
    cache.parent.mkdir(parents=True, exist_ok=True)
    records.write(_record(found, key), cache)
    return found


class _Search:
    """A search over the methods of all convolutions, one layer at a time."""

    def __init__(self, subject: TuningSubject, folder: Path, progress: Progress) -> None:
        if subject.target.cost is None:
            raise ValueError("a target without a cost model cannot be tuned for")
        self.subject, self.folder, self.progress = subject, folder, progress
        self.model = subject.target.cost
        self.tried = 0
        self._seen: dict[str, Path | None] = {}

    def run(self, arithmetic: Arithmetic, start: keras.Model) -> TunedLowering:
        best = arithmetic
        alike = [replace(arithmetic, channel_alignment=count) for count in ALIGNMENTS]
        layers = _convolutions(start)
        self.progress.start(f"choosing the lowering for {self.subject.name}", 1 + len(layers))
        best = self._cheapest(best, alike)
        self.progress.advance(1, f"{best.channel_alignment} channels everywhere")
        for layer in layers:
            best = self._cheapest(best, list(_with_methods(best, layer)))
            self.progress.advance(1, layer)
        return self.confirmed(arithmetic, best)

    def confirmed(self, arithmetic: Arithmetic, best: Arithmetic) -> TunedLowering:
        """What was gained step by step, confirmed side by side; the default where it is not."""
        if self._file(best) is None:
            # It was kept by hand: what the search finds can be lowered.
            best = arithmetic
        default, tuned = self._costs([arithmetic, best])
        if isinstance(default, InputError):
            raise default
        if isinstance(tuned, InputError) or not self._is_cheaper(tuned, default):
            best, tuned = arithmetic, default
        return TunedLowering(best, tuned.value, default.value, self.tried)

    def _cheapest(self, incumbent: Arithmetic, others: Sequence[Arithmetic]) -> Arithmetic:
        """The cheapest of several, the incumbent where none is cheaper beyond the noise."""
        new = [incumbent]
        files = {self._file(incumbent)}
        for other in others:
            file = self._file(other)
            if file is not None and file not in files:
                files.add(file)
                new.append(other)
        if len(new) == 1:
            return incumbent
        best, least = incumbent, None
        for arithmetic, cost in zip(new, self._costs(new), strict=True):
            if isinstance(cost, InputError):
                continue
            if least is None or self._is_cheaper(cost, least):
                best, least = arithmetic, cost
        return best

    def _is_cheaper(self, cost: TargetCost, than: TargetCost) -> bool:
        """Fewer operators on the CPU, then room in the memory, then a smaller value."""
        new, old = self._rank(cost), self._rank(than)
        if new[:2] != old[:2]:
            return new[:2] < old[:2]
        return new[2] < old[2] * (1 - self.model.noise)

    def _rank(self, cost: TargetCost) -> tuple[int, int, float]:
        return len(cost.cpu_operators), missing_memory(cost, self.subject.target), cost.value

    def _costs(self, arithmetics: Sequence[Arithmetic]) -> list[TargetCost | InputError]:
        files = [file for one in arithmetics if (file := self._file(one)) is not None]
        if len(files) != len(arithmetics):
            raise ValueError("costs are asked of files that exist alone")
        self.tried += len(files)
        return self.model.costs(files, self.progress)

    def _file(self, arithmetic: Arithmetic) -> Path | None:
        """The file of an arithmetic, the same for networks of the same structure.

        None where the network cannot be lowered or converted in this way.
        """
        try:
            with suppressed_output():
                network = self.subject.build(arithmetic)
        except LoweringError:
            return None
        digest = structure(network)
        if digest not in self._seen:
            file = self.folder / f"{len(self._seen)}{self.subject.variant.suffix}"
            with suppressed_output():
                samples = Calibration(self.subject.samples[:_SAMPLES])
                self.subject.variant.convert(network, samples, file)
            self._seen[digest] = file
        return self._seen[digest]


def missing_memory(cost: TargetCost, target: Target) -> int:
    """Bytes of fast memory that a file needs beyond those of the device; 0 where it fits."""
    if target.memory is None or cost.sram_bytes is None:
        return 0
    return max(0, cost.sram_bytes - target.memory.sram_bytes)


def _convolutions(network: keras.Model) -> list[str]:
    """Names of the convolutions of a lowered network, those with the most arithmetic first."""
    import keras

    work = {}
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            # A part of the way bands are kept in the batch.
            positions = math.prod(layer.output.shape[:-1])
            work[layer.name] = positions * layer.kernel.shape.num_elements()
    return sorted(work, key=lambda name: -work[name])


def _with_methods(arithmetic: Arithmetic, layer: str) -> Iterator[Arithmetic]:
    others = tuple(each for each in arithmetic.methods if each[0] != layer)
    for unfolding in UNFOLDINGS:
        for alignment in ALIGNMENTS:
            chosen = (layer, ConvolutionMethod(alignment, unfolding))
            yield replace(arithmetic, methods=tuple(sorted([*others, chosen])))


def structure(network: keras.Model) -> str:
    """Digest of all operations with their shapes and arguments, without names and weights."""
    import keras

    facts = [
        (
            type(operation).__name__,
            [
                [_described(one) for one in keras.tree.flatten((given.args, given.kwargs))]
                for given in (node.arguments for node in operation._inbound_nodes)
            ],
            [list(tensor.shape) for tensor in keras.tree.flatten(operation.output)],
            [list(weight.shape) for weight in getattr(operation, "weights", ())],
        )
        for operation in network.operations
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _described(argument: object) -> object:
    """Of a tensor or array its shape, of anything else its text."""
    shape = getattr(argument, "shape", None)
    return str(argument) if shape is None else [str(size) for size in shape]


def _key(subject: TuningSubject, arithmetic: Arithmetic, start: keras.Model) -> str:
    """What a choice is valid for: structure, target with its tool, kind of file, and hsitf."""
    cost = subject.target.cost
    facts = (
        structure(start),
        # Methods are kept by the names of layers.
        *_convolutions(start),
        str(arithmetic),
        subject.name,
        cost.version if cost else "",
        subject.variant.name,
        __version__,
    )
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _read(cache: Path, key: str, arithmetic: Arithmetic, progress: Progress) -> Arithmetic | None:
    """A choice made before; None where there is none for this key, or it cannot be read."""
    if not cache.is_file():
        return None
    try:
        kept = records.read(TuningRecord, cache)
    except DataError as error:
        progress.say(f"choosing the lowering anew: {error}")
        return None
    if kept.key != key:
        return None
    methods = tuple(sorted(kept.methods.items()))
    return replace(arithmetic, channel_alignment=kept.channel_alignment, methods=methods)


def _record(found: TunedLowering, key: str) -> TuningRecord:
    return TuningRecord(
        records.SCHEMA,
        key,
        found.arithmetic.channel_alignment,
        dict(found.arithmetic.methods),
        found.cost,
        found.default_cost,
        found.tried,
    )
