"""Counts instructions of .tflite files in the AArch64 build of LiteRT under QEMU.

The count is exact to a few instructions, while milliseconds on a shared machine are noisy. It is
not a time: cores differ in instructions per cycle, and caches are not modeled.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from hsitf.arrays import StoredArray
from hsitf.bench.arm.cores import ArmCore
from hsitf.bench.arm.system import EmulatedSystem, check_programs, emulated_system
from hsitf.bench.subject import BenchSubject
from hsitf.compat import formerly
from hsitf.errors import HsitfError
from hsitf.progress import Progress
from hsitf.runtimes import LiteRT

_SOURCE = Path(__file__).with_name("count.c")
_GUEST = Path(__file__).with_name("guest.py")
# Inferences whose outputs are compared; an emulated one takes a second or more.
COMPARED = 8
# Time limit of one file on one core, in seconds; 10 to 30 are usual.
TIMEOUT_S = 1800


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
    instructions: int
    spread: int
    bit_exact: bool
    max_difference: float
    inferences: int
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
    check_programs()
    system = emulated_system(progress)
    found, notes = [], []
    with tempfile.TemporaryDirectory() as folder:
        plugin = _compiled(Path(folder))
        version = _version()
        progress.start("emulating Arm cores", len(wanted) * len(cores))
        for file in wanted:
            for core in cores:
                try:
                    found.append(_emulated(file, core, system, plugin, version))
                except HsitfError as error:
                    notes.append(f"{error.what}: {error.received}.")
                progress.advance(1, f"{file.name} on {core.name}")
    return found, notes


def _emulated(
    file: BenchSubject, core: ArmCore, system: EmulatedSystem, plugin: Path, version: str
) -> EmulatedRun:
    """Raises: HsitfError: The emulated LiteRT cannot run the file."""
    file = replace(file, inputs=file.inputs[: COMPARED * file.batch])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outputs, marks = _run(file, core, system, plugin, folder)
    instructions, spread = count_instructions(marks)
    host = _on_host(file)
    return EmulatedRun(
        file.name,
        str(file.file),
        file.summary.network,
        file.summary.variant,
        file.summary.scene,
        core.name,
        instructions,
        spread,
        outputs.tobytes() == host.tobytes(),
        float(np.abs(outputs.astype(np.float64) - host.astype(np.float64)).max()),
        len(file.inputs) // file.batch,
        version,
    )


def count_instructions(marks: Sequence[int]) -> tuple[int, int]:
    """Median instructions of one inference, and the spread of the counts.

    Args:
        marks: Total counts before and after each inference; the last two have nothing between
            them and measure the cost of marking.
    """
    *counts, empty = (after - before for before, after in zip(marks[::2], marks[1::2], strict=True))
    return int(median(counts)) - empty, max(counts) - min(counts)


def _run(
    file: BenchSubject, core: ArmCore, system: EmulatedSystem, plugin: Path, folder: Path
) -> tuple[StoredArray, list[int]]:
    """Outputs of all inputs, and the total instruction count at each mark."""
    seen = folder / "root"
    (seen / "proc").mkdir(parents=True)
    # Hides the host's processor from LiteRT.
    (seen / "proc/cpuinfo").write_text(core.cpuinfo)
    for part in system.system.iterdir():
        if part.name != "proc":
            (seen / part.name).symlink_to(part.resolve())
    np.save(folder / "inputs.npy", file.inputs)
    totals, outputs = folder / "totals", folder / "outputs.npy"
    words = [
        "qemu-aarch64",
        "-L",
        str(seen),
        "-cpu",
        core.name,
        "-plugin",
        f"{plugin},out={totals}",
        str(system.python),
        str(_GUEST),
        str(file.file.resolve()),
        str(folder / "inputs.npy"),
        str(outputs),
    ]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(system.packages),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        done = subprocess.run(
            words,
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _failed(file, core, f"it took longer than {TIMEOUT_S} s") from None
    if done.returncode or not outputs.is_file():
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise _failed(file, core, f"status {done.returncode}, {lines[-1]}")
    return np.load(outputs, allow_pickle=False), [int(line) for line in totals.open()]


def _on_host(file: BenchSubject) -> StoredArray:
    runtime = LiteRT(file.file)
    return np.concatenate(
        [
            runtime.infer(file.inputs[start : start + file.batch])
            for start in range(0, len(file.inputs), file.batch)
        ]
    )


def _compiled(folder: Path) -> Path:
    """Compiles the emulator plugin that counts instructions."""
    plugin = folder / "count.so"
    words = ["cc", "-O2", "-shared", "-fPIC", "-o", str(plugin), str(_SOURCE)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HsitfError(
            "the plugin that counts instructions cannot be compiled",
            received=(done.stderr.strip().splitlines() or ["no message"])[-1],
            remedy="see that cc compiles C: apt-get install gcc libc6-dev",
        )
    return plugin


def _version() -> str:
    done = subprocess.run(["qemu-aarch64", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def _failed(file: BenchSubject, core: ArmCore, reason: str) -> HsitfError:
    return HsitfError(f"the emulated {core.name} cannot run {file.name}", received=reason)
