"""Whether a file is what its variant promises, and as accurate as its network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hsitf import runtimes, verify
from hsitf.errors import VerificationError
from hsitf.export.bundle import GOLDEN_PATCHES, GoldenVectors
from hsitf.export.job import Job
from hsitf.export.preparation import PreparedModel
from hsitf.export.target_cost import target_record
from hsitf.export.tflm import run_tflm
from hsitf.export.tiles import golden_tile
from hsitf.export.variants import Variant
from hsitf.inspection import Contents
from hsitf.progress import Progress
from hsitf.records import TargetRecord, TflmReport
from hsitf.runtimes import LiteRT, Runtime
from hsitf.tile_networks import is_tile_network
from hsitf.verify import Verification

_RECOVERY_HINT = (
    "add --calibration kl, which suits attention, or --equalize and --correct-bias, or "
    "--max-drop 0.5, which tries what helps"
)


@dataclass(frozen=True, eq=False)
class VerifiedFile:
    """A file that has passed verification, not yet published.

    Attributes:
        job: What it was made by.
        model: The network that it was converted from.
        file: Its path for now.
        runtime: The engine that has it open.
        contents: Its operators and tensors.
        verification: How it compares with the trained network on the test pixels.
        golden: Inputs with the outputs that any other runtime has to repeat.
        techniques: What was applied in conversion, as records say it.
        tflm: How it runs in TensorFlow Lite Micro; None where that was not asked for.
        target: Its cost on the target that it was made for; None where it was made for none.
    """

    job: Job
    model: PreparedModel
    file: Path
    runtime: Runtime
    contents: Contents
    verification: Verification
    golden: GoldenVectors
    techniques: tuple[str, ...]
    tflm: TflmReport | None
    target: TargetRecord | None


def verify_file(
    job: Job, model: PreparedModel, file: Path, techniques: tuple[str, ...], progress: Progress
) -> VerifiedFile:
    """Checks that a file is what its variant promises, and compares it with its network.

    Raises:
        VerificationError: An operator of an integer file computes in floats, or a bound is
            broken, or the target cannot take it.
    """
    contents = job.variant.inspect(file)
    check_integer(job.variant, contents, job.label)
    runtime = job.variant.runtime(file, job.threads)
    verification = verify.verify(
        runtime, model.reference.test_logits, model.data, progress=progress
    )
    helps = job.variant.supports_recovery and job.max_drop is None
    verification.check(job.bounds, job.label, _RECOVERY_HINT if helps else "")
    golden = _golden(model, runtime)
    if isinstance(runtime, LiteRT):
        # Its delegate rounds some products elsewhere than the engine's own kernels.
        golden = golden.beside(LiteRT(file, job.threads, delegate=False))
    tflm = run_tflm(file, golden) if job.tflm else None
    return VerifiedFile(
        job,
        model,
        file,
        runtime,
        contents,
        verification,
        golden,
        techniques,
        tflm,
        target_record(job, model, file, progress),
    )


def check_integer(variant: Variant, contents: Contents, label: str) -> None:
    """Refuses a file of a variant that promises integers if it computes in floats.

    Args:
        variant: The kind of file.
        contents: Its operators.
        label: What messages call it.

    Raises:
        VerificationError: An arithmetic operator computes in floats.
    """
    if variant.integer and contents.integer_share < 1:
        floats = [f"{o.count} {o.op} in {o.dtype}" for o in contents.floating]
        raise VerificationError(
            f"{label} is not integer throughout, so it was not published",
            received=", ".join(floats),
            allowed="arithmetic in int8 only",
            remedy="choose another variant",
        )


def _golden(model: PreparedModel, runtime: Runtime) -> GoldenVectors:
    """Golden vectors at test pixels spread evenly over the scene; one tile of a tile's file."""
    test = model.data.split.test
    if is_tile_network(model.network):
        return golden_tile(model.network, runtime, model.data)
    if side := runtimes.tile_side(runtime):
        return _golden_tile(model, runtime, side)
    count = -(-GOLDEN_PATCHES // runtime.batch) * runtime.batch
    chosen = np.linspace(0, len(test) - 1, count).astype(np.int64)
    pixels = test[chosen]
    return GoldenVectors.of(
        runtime, pixels, model.data.patches.extract(pixels), model.reference.test_logits[chosen]
    )


def _golden_tile(model: PreparedModel, runtime: Runtime, side: int) -> GoldenVectors:
    """The tile around a test pixel in the middle, with the network's logits at all its pixels."""
    test, patches = model.data.split.test, model.data.patches
    pixel = test[len(test) // 2 : len(test) // 2 + 1]
    ((window, _, (inside,)),) = patches.tiles(pixel, side)
    first = pixel - inside // side * patches.cols - inside % side
    cut = replace(patches, padded=window, rows=side, cols=side)
    network = runtimes.Keras(model.network)
    scanned = [logits for _, logits in runtimes.scan(network, cut, np.arange(side * side))]
    expected = np.concatenate(scanned).reshape(1, side, side, -1)
    return GoldenVectors.of(runtime, first, window[None], expected)
