"""Files of a benchmark on emulated Arm cores."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsitf.bench.subject import BenchSubject
from hsitf.compat import formerly
from hsitf.emulation.core import ArmCore
from hsitf.emulation.inference import Emulator, emulator_version
from hsitf.errors import HsitfError
from hsitf.progress import Progress
from hsitf.ranges import Amount, Count, Positive
from hsitf.runtimes import LiteRT

# Inferences whose outputs are compared; an emulated one takes a second or more.
COMPARED = 8


@formerly(bit_exact="equal", max_difference="difference")
@dataclass(frozen=True)
class EmulatedRun:
    """A .tflite file on an emulated core.

    Attributes:
        name: Name of the file in tables.
        path: Path of the file.
        network: Label of the network; empty for a bare file.
        variant: Kind of exported file; empty for a bare file.
        scene: Name of the scene.
        core: Name of the core.
        instructions: Instructions of one inference, the call from Python included; the median.
        spread: Difference between the largest and the smallest count.
        bit_exact: Whether all outputs equal those of LiteRT on the host, bit for bit.
        max_difference: Largest difference of a stored output to the host.
        inferences: Number of inferences compared.
        version: Version of the emulator.
    """

    name: str
    path: str
    network: str
    variant: str
    scene: str
    core: str
    instructions: Count
    spread: Count
    bit_exact: bool
    max_difference: Amount
    inferences: Positive
    version: str


def emulate(
    files: Sequence[BenchSubject], cores: Sequence[ArmCore], progress: Progress
) -> tuple[list[EmulatedRun], list[str]]:
    """Runs the .tflite files among `files` on each core.

    Args:
        files: Files; formats other than .tflite are skipped.
        cores: Cores to emulate.
        progress: Receives progress messages.

    Returns:
        The results, and a note for each file that could not be run on a core.

    Raises:
        InputError: A program needed for emulation is not installed.
        HsitfError: A dependency cannot be fetched or compiled.
    """
    wanted = [file for file in files if file.file.suffix == ".tflite"]
    if not wanted or not cores:
        return [], []
    found, notes = [], []
    with tempfile.TemporaryDirectory() as folder:
        emulator = Emulator.prepare(Path(folder), progress)
        progress.start("emulating Arm cores", len(wanted) * len(cores))
        for file in wanted:
            for core in cores:
                try:
                    found.append(_emulated(emulator, file, core))
                except HsitfError as error:
                    notes.append(f"{error.what}: {error.received}.")
                progress.advance(1, f"{file.name} on {core.name}")
    return found, notes


def _emulated(emulator: Emulator, file: BenchSubject, core: ArmCore) -> EmulatedRun:
    """Raises: HsitfError: The emulated LiteRT cannot run the file."""
    inputs = file.inputs[: COMPARED * file.batch]
    ran = emulator.run(file.file, inputs, core)
    runtime = LiteRT(file.file)
    host = np.concatenate(
        [
            runtime.infer(inputs[start : start + file.batch])
            for start in range(0, len(inputs), file.batch)
        ]
    )
    return EmulatedRun(
        file.name,
        str(file.file),
        file.summary.network,
        file.summary.variant,
        file.summary.scene,
        core.name,
        ran.instructions,
        ran.spread,
        ran.outputs.tobytes() == host.tobytes(),
        float(np.abs(ran.outputs.astype(np.float64) - host.astype(np.float64)).max()),
        len(inputs) // file.batch,
        emulator_version(),
    )
