"""What is done with a candidate once it is cut: fine-tuning, its file, what that is like."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from hsitf.compress.candidates import CandidateFiles
from hsitf.compress.fidelity import Examiner
from hsitf.compress.record import CompressionCandidate, Step
from hsitf.cost import cost
from hsitf.data import SceneData
from hsitf.export.calibration import Calibration
from hsitf.export.convert import calibration_patches, lower_and_check
from hsitf.export.variants import Variant
from hsitf.files import size
from hsitf.log_silencing import suppressed_output
from hsitf.measure import MeasurementSchedule, interleaved
from hsitf.progress import Progress
from hsitf.prune.plans import PruningPlan
from hsitf.records import Epoch, TrainingPlan
from hsitf.runtimes import Runtime, quantize
from hsitf.train.guidance import Guidance
from hsitf.train.loop import fit

# Enough to tell candidates apart; the final table measures all files in turns, and longer.
_QUICK = MeasurementSchedule(warm_up=3, rounds=3, runs=10)


@dataclass(frozen=True, eq=False)
class Laboratory:
    """What every candidate is made and examined with.

    Attributes:
        data: The scene as the network takes it.
        plan: How a network is fine-tuned.
        guidance: What it learns from beside labels; None for labels alone.
        examiner: Compares files with the original network.
        files: Where candidates are kept.
        arena: Whether the arena of TensorFlow Lite Micro is measured.
        progress: Receives progress and messages.
    """

    data: SceneData
    plan: TrainingPlan
    guidance: Guidance | None
    examiner: Examiner
    files: CandidateFiles
    arena: bool
    progress: Progress

    def finish(
        self,
        step: Step,
        network: keras.Model,
        plan: PruningPlan | None,
        *,
        train: bool = True,
    ) -> CompressionCandidate:
        """Fine-tunes a network, writes its file, examines that and keeps all of it.

        Args:
            step: How it came about.
            network: Its network, which is trained in place.
            plan: The channels of the original that it keeps; None where nothing was cut.
            train: Whether it is fine-tuned.
        """
        begin = time.monotonic()
        history: tuple[Epoch, ...] = ()
        best, trained = 0, 0.0
        if train:
            history, best, trained = self._fine_tuned(step.key, network)
        counted = cost(network)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.files.file(step.key).name
            runtime = write_file(network, self.data, self.files.variant, path)
            fidelity = self.examiner.fidelity(runtime, self.progress)
            costs = {"bytes": float(size(path)), "macs": float(counted.macs)}
            costs |= measured_costs(runtime, path, self.data, arena=self.arena)
            done = CompressionCandidate(
                step,
                counted.parameters,
                counted.macs,
                history,
                best,
                max(trained, time.monotonic() - begin),
                fidelity,
                costs,
            )
            return self.files.save(done, network, plan, path)

    def _fine_tuned(self, key: str, network: keras.Model) -> tuple[tuple[Epoch, ...], int, float]:
        """Fine-tunes in place, and returns its epochs, the best of them and the time they took."""
        fitted = fit(
            self.plan,
            self.data,
            self.files.state(key),
            self.progress,
            network,
            guidance=self.guidance,
        )
        return fitted.history, fitted.best_epoch, fitted.seconds


def write_file(network: keras.Model, data: SceneData, variant: Variant, path: Path) -> Runtime:
    """Writes the plain file of a network, and opens it.

    Raises:
        LoweringError: The network cannot be rewritten for inference.
    """
    with suppressed_output():
        lowered = lower_and_check(network, data, 1, variant.target).model
        variant.convert(lowered, Calibration(calibration_patches(data, 1)), path)
        return variant.runtime(path, 1)


def measured_costs(
    runtime: Runtime, path: Path, data: SceneData, *, arena: bool
) -> dict[str, float]:
    """Latency of a file and, where that is asked for, its arena.

    Raises:
        InputError: TensorFlow Lite Micro is not installed.
    """
    patches = data.patches.extract(data.split.train[:1])
    timing = interleaved({"file": runtime.action(quantize(patches, runtime.input))}, _QUICK)
    found = {"latency_ms": 1e3 * timing["file"].percentile(50)}
    if arena:
        from hsitf.export.bundle import GoldenVectors
        from hsitf.export.tflm import run_tflm

        logits = np.zeros((1, data.scene.classes), np.float32)
        golden = GoldenVectors.of(runtime, data.split.train[:1], patches, logits)
        report = run_tflm(path, golden)
        # One that does not run there has no arena, and meets no bound of it.
        if not report.failure:
            found["arena"] = float(report.arena_bytes)
    return found
