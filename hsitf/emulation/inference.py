"""Counts instructions of .tflite files in the AArch64 build of LiteRT under QEMU.

The count is exact to a few instructions, while milliseconds on a shared machine are noisy. It is
not a time: cores differ in instructions per cycle, and caches are not modeled.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np

from hsitf.arrays import StoredArray
from hsitf.emulation.core import ArmCore
from hsitf.emulation.system import EmulatedSystem, check_programs, emulated_system
from hsitf.errors import HsitfError
from hsitf.progress import Progress

_SOURCE = Path(__file__).with_name("count.c")
_GUEST = Path(__file__).with_name("guest.py")
# Time limit of one file on one core, in seconds; 10 to 30 are usual.
TIMEOUT_S = 1800


@dataclass(frozen=True, eq=False)
class EmulatedInference:
    """Inferences of a file on an emulated core.

    Attributes:
        outputs: Outputs of all inputs, in the type of the file.
        instructions: Instructions of one inference, the call from Python included; the median.
        spread: Difference between the largest and the smallest count.
    """

    outputs: StoredArray
    instructions: int
    spread: int


@dataclass(frozen=True)
class Emulator:
    """Everything that emulation needs, in a folder that has to outlive it.

    Attributes:
        system: The AArch64 system.
        plugin: The emulator's plugin that counts instructions, compiled.
    """

    system: EmulatedSystem
    plugin: Path

    @classmethod
    def prepare(cls, folder: Path, progress: Progress) -> Emulator:
        """Gets the system, downloaded on first use, and compiles the plugin into a folder.

        Raises:
            InputError: A program needed for emulation is not installed.
            HsitfError: A dependency cannot be fetched or compiled.
        """
        check_programs()
        return cls(emulated_system(progress), _compiled(folder))

    def run(self, file: Path, inputs: StoredArray, core: ArmCore) -> EmulatedInference:
        """Runs a .tflite file on a core.

        Args:
            file: The file.
            inputs: (inferences * batch, ...) in the type of the file.
            core: The core.

        Raises:
            HsitfError: The emulated LiteRT cannot run the file.
        """
        with tempfile.TemporaryDirectory() as name:
            outputs, marks = _run(self, file, inputs, core, Path(name))
        return EmulatedInference(outputs, *count_instructions(marks))


def count_instructions(marks: Sequence[int]) -> tuple[int, int]:
    """Median instructions of one inference, and the spread of the counts.

    Args:
        marks: Total counts before and after each inference; the last two have nothing between
            them and measure the cost of marking.
    """
    *counts, empty = (after - before for before, after in zip(marks[::2], marks[1::2], strict=True))
    return int(median(counts)) - empty, max(counts) - min(counts)


def _run(
    emulator: Emulator, file: Path, inputs: StoredArray, core: ArmCore, folder: Path
) -> tuple[StoredArray, list[int]]:
    """Outputs of all inputs, and the total instruction count at each mark."""
    seen = folder / "root"
    (seen / "proc").mkdir(parents=True)
    # Hides the host's processor from LiteRT.
    (seen / "proc/cpuinfo").write_text(core.cpuinfo)
    for part in emulator.system.system.iterdir():
        if part.name != "proc":
            (seen / part.name).symlink_to(part.resolve())
    np.save(folder / "inputs.npy", inputs)
    totals, outputs = folder / "totals", folder / "outputs.npy"
    words = [
        "qemu-aarch64",
        "-L",
        str(seen),
        "-cpu",
        core.name,
        "-plugin",
        f"{emulator.plugin},out={totals}",
        str(emulator.system.python),
        str(_GUEST),
        str(file.resolve()),
        str(folder / "inputs.npy"),
        str(outputs),
    ]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(emulator.system.packages),
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


@cache
def emulator_version() -> str:
    """Name and version of the emulator."""
    done = subprocess.run(["qemu-aarch64", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def _failed(file: Path, core: ArmCore, reason: str) -> HsitfError:
    return HsitfError(f"the emulated {core.name} cannot run {file.name}", received=reason)
