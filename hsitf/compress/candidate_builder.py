"""What is done with a candidate once it is cut: fine-tuning, its file, what that is like."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from hsitf.arithmetic import Arithmetic
from hsitf.arrays import Float32Array
from hsitf.compress.candidates import CandidateFiles
from hsitf.compress.fidelity import FidelityEvaluator
from hsitf.compress.record import CompressionCandidate, Step
from hsitf.cost import cost
from hsitf.data import SceneData
from hsitf.errors import InputError, LoweringError, VerificationError
from hsitf.export.calibration import Calibration
from hsitf.export.convert import calibration_patches, lower_and_check, lowered_form
from hsitf.export.repacking import repack
from hsitf.export.tuning import missing_memory, structure
from hsitf.export.variants import TFLITE, Variant
from hsitf.export.verification import check_integer
from hsitf.files import size
from hsitf.log_silencing import suppressed_output
from hsitf.measure import DEFAULT_SCHEDULE, MeasurementSchedule, interleaved
from hsitf.progress import Progress
from hsitf.prune.plans import PruningPlan
from hsitf.records import Epoch, TrainingPlan
from hsitf.runtimes import Runtime, quantize
from hsitf.targets import find_target
from hsitf.train.further_fit import fit_further
from hsitf.train.guidance import Guidance
from hsitf.train.loop import FitResult

# Beside that of the kind of file, which is made for wide vector units: few channels in groups hold
# zeros, up to half of a small file, and gain nothing where a network has become narrow. The fewest
# multiply-accumulates, and what the smallest vectors take.
_TRIED_ALIGNMENTS = (1, 8)
# Latencies that differ by less are the same.
_NOISE = 0.05
# Enough to tell candidates apart; the final table measures all files in turns, and longer.
_QUICK = MeasurementSchedule(warm_up=3, rounds=3, runs=10)


@dataclass(frozen=True, eq=False)
class CandidateBuilder:
    """What every candidate is made and examined with.

    Attributes:
        data: The scene as the network takes it.
        plan: How a network is fine-tuned.
        guidance: What it learns from beside labels; None for labels alone.
        evaluator: Compares files with the original network.
        files: Where candidates are kept.
        arena: Whether the arena of TensorFlow Lite Micro is measured.
        target: Name of the target whose cost is measured; None where none is.
        steered_by: The cost that cuts reduce: "parameters" for small files, "macs" for fast ones.
        progress: Receives progress and messages.
    """

    data: SceneData
    plan: TrainingPlan
    guidance: Guidance | None
    evaluator: FidelityEvaluator
    files: CandidateFiles
    arena: bool
    target: str | None
    steered_by: str
    progress: Progress

    def recall(self, key: str) -> CompressionCandidate | None:
        """A finished candidate with all that this search asks of it; None where there is none.

        An earlier search may have compared another measure of accuracy and had no need of an arena,
        and it measured latency while the machine was busy otherwise: these are measured again.

        Raises:
            DataError: Its files are damaged.
        """
        found = self.files.find(key)
        if found is None:
            return None
        path = self.files.file(key)
        runtime = self.files.variant.runtime(path, 1)
        if found.fidelity.metric != self.evaluator.metric:
            found = replace(found, fidelity=self.evaluator.fidelity(runtime, self.progress))
        measured = self._measured_costs(runtime, path)
        return replace(found, costs=found.costs | measured)

    def finish(
        self,
        step: Step,
        network: keras.Model,
        plan: PruningPlan | None,
        *,
        rates: Sequence[float] = (),
    ) -> CompressionCandidate:
        """Fine-tunes a network, writes its file, examines that and keeps all of it.

        Args:
            step: How it came about.
            network: Its network, which is trained in place.
            plan: The channels of the original that it keeps; None where nothing was cut.
            rates: Learning rates of fine-tuning, each tried from the same weights: the network that
                is then best is kept. It is not fine-tuned where there are none.
        """
        begin = time.monotonic()
        history: tuple[Epoch, ...] = ()
        best, trained = 0, 0.0
        if rates:
            history, best, trained = self._fine_tuned(step.key, network, rates)
        counted = cost(network)
        with tempfile.TemporaryDirectory() as folder:
            file = self._lowered_file(network, Path(folder), step.key)
            fidelity = self.evaluator.fidelity(file.runtime, self.progress)
            costs = {"bytes": float(size(file.path)), "macs": float(counted.macs)}
            costs |= self._measured_costs(file.runtime, file.path)
            done = CompressionCandidate(
                step,
                counted.parameters,
                counted.macs,
                history,
                best,
                max(trained, time.monotonic() - begin),
                fidelity,
                costs,
                channel_alignment=file.channel_alignment,
            )
            return self.files.save(done, network, plan, file.path)

    def _lowered_file(self, network: keras.Model, folder: Path, key: str) -> _LoweredFile:
        """The file of a network, lowered in the way that makes it smallest, or fastest.

        Lowering is exact; quantized files of several ways differ in their rounding.
        """
        usual = self.files.variant.arithmetic
        found: dict[str, _LoweredFile] = {}
        for alignment in dict.fromkeys((usual.channel_alignment, *_TRIED_ALIGNMENTS)):
            arithmetic = replace(usual, channel_alignment=alignment)
            try:
                with suppressed_output():
                    digest = structure(lowered_form(network, 1, arithmetic))
                if digest in found:
                    continue
                path = folder / str(alignment) / self.files.file(key).name
                path.parent.mkdir()
                runtime = write_file(network, self.data, self.files.variant, arithmetic, path)
            except (LoweringError, VerificationError):
                # The usual way is the one that a network is promised.
                if alignment == usual.channel_alignment:
                    raise
                continue
            found[digest] = _LoweredFile(path, runtime, alignment)
        files = sorted(found.values(), key=lambda one: size(one.path))
        if self.steered_by == "parameters" or self.arena or len(files) == 1:
            return files[0]
        patch = self.data.patches.extract(self.data.split.train[:1])
        times = latency_ms({str(one.path): one.runtime for one in files}, patch, _QUICK)
        limit = (1 + _NOISE) * min(times.values())
        # The smallest of those that are as fast.
        return next(one for one in files if times[str(one.path)] <= limit)

    def _fine_tuned(
        self, key: str, network: keras.Model, rates: Sequence[float]
    ) -> tuple[tuple[Epoch, ...], int, float]:
        """Fine-tunes in place, and returns its epochs, the best of them and the time they took."""
        weights, seconds = network.get_weights(), 0.0
        tried: list[tuple[float, FitResult, Any]] = []
        for rate in rates:
            network.set_weights(weights)
            plan = replace(self.plan, recipe=replace(self.plan.recipe, learning_rate=rate))
            state = self.files.state(key, rate)
            fitted, kept = fit_further(
                network, plan, self.data, state, self.progress, self.guidance
            )
            tried.append((kept.score, fitted, network.get_weights()))
            seconds += fitted.seconds
        _, best, weights = max(tried, key=lambda one: one[0])
        network.set_weights(weights)
        return best.history, best.best_epoch, seconds

    def _measured_costs(self, runtime: Runtime, path: Path) -> dict[str, float]:
        """Latency of a file and, where they are asked for, its arena and its cost on a target."""
        patches = self.data.patches.extract(self.data.split.train[:1])
        found = {"latency_ms": latency_ms({"file": runtime}, patches, _QUICK)["file"]}
        if self.arena:
            from hsitf.export.bundle import GoldenVectors
            from hsitf.export.tflm import run_tflm

            logits = np.zeros((1, self.data.scene.classes), np.float32)
            golden = GoldenVectors.of(runtime, self.data.split.train[:1], patches, logits)
            report = run_tflm(path, golden)
            # One that does not run there has no arena, and meets no bound of it.
            if report.failure:
                self.progress.say(f"in TensorFlow Lite Micro, {report.failure}")
            else:
                found["arena"] = float(report.arena_bytes)
        target = None if self.target is None else find_target(self.target)
        if target is not None and target.cost is not None:
            (measured,) = target.cost.costs([path], self.progress)
            if isinstance(measured, InputError):
                self.progress.say(f"{self.target}: {measured.what}, {measured.received}")
            elif measured.cpu_operators:
                # Their time is not among the cost, which would be no bound of anything.
                count = len(measured.cpu_operators)
                self.progress.say(f"{self.target} leaves {count} operators to the CPU: no cost")
            elif missing := missing_memory(measured, target):
                self.progress.say(f"{self.target} lacks {missing:,} bytes of fast memory: no cost")
            else:
                found["target_cost"] = measured.value
        return found


@dataclass(frozen=True, eq=False)
class _LoweredFile:
    """A file of a network.

    Attributes:
        path: The file.
        runtime: The file, opened with one thread.
        channel_alignment: Smallest number of channels that lowering gave its convolutions.
    """

    path: Path
    runtime: Runtime
    channel_alignment: int


def write_file(
    network: keras.Model, data: SceneData, variant: Variant, arithmetic: Arithmetic, path: Path
) -> Runtime:
    """Writes the plain file of a network, and opens it.

    Raises:
        LoweringError: The network cannot be rewritten for inference.
        VerificationError: The file of an integer variant computes in floats.
    """
    with suppressed_output():
        lowered = lower_and_check(network, data, 1, arithmetic).model
        patches = calibration_patches(data, 1)
        variant.convert(lowered, Calibration(patches), path)
        if variant.format is TFLITE:
            # As the published file is.
            repack(path, patches)
        check_integer(variant, variant.inspect(path), variant.name)
        return variant.runtime(path, 1)


def latency_ms(
    files: Mapping[str, Runtime],
    patches: Float32Array,
    schedule: MeasurementSchedule = DEFAULT_SCHEDULE,
) -> dict[str, float]:
    """Median latencies of files, measured in turns, by their names.

    Args:
        files: The files, opened with one thread.
        patches: (1, rows, cols, bands) float32, the patch that each is run on.
        schedule: Number of runs.
    """
    actions = {name: one.action(quantize(patches, one.input)) for name, one in files.items()}
    timings = interleaved(actions, schedule)
    return {name: 1e3 * one.percentile(50) for name, one in timings.items()}
