"""Runs .tflite files in the AArch64 build of LiteRT under QEMU, and counts instructions.

The count is exact to a few instructions where the milliseconds of a shared machine are not. It is
not a time: cores differ in how many instructions they finish in a cycle, and caches do not count.
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

from hsitf.bench.arm.cores import Core
from hsitf.bench.arm.root import Root, check_programs, root
from hsitf.bench.subject import Subject
from hsitf.errors import HsitfError
from hsitf.progress import Progress
from hsitf.runtimes import LiteRT, Stored

_SOURCE = Path(__file__).with_name("count.c")
_GUEST = Path(__file__).with_name("guest.py")
# Inferences whose outputs are compared; an emulated one takes a second and more.
COMPARED = 8
# Longest that one file may take on one core, in seconds; usual are 10 to 30.
TIMEOUT_S = 1800


@dataclass(frozen=True)
class Emulated:
    """A .tflite file on an emulated core.

    Attributes:
        name: Of the file; `path` where it lies.
        network: Its label; `variant` its kind; empty of a bare file.
        scene: Name of the scene.
        core: Name of the core.
        instructions: Of one inference, the call from Python included; the median of several.
        spread: Between the fewest and the most of these.
        equal: Whether all outputs have the bits that the host's LiteRT gives.
        difference: Largest difference of a stored output to the host's.
        inferences: That were compared.
        version: Of the emulator.
    """

    name: str
    path: str
    network: str
    variant: str
    scene: str
    core: str
    instructions: int
    spread: int
    equal: bool
    difference: float
    inferences: int
    version: str


def emulate(
    files: Sequence[Subject], cores: Sequence[Core], progress: Progress
) -> tuple[list[Emulated], list[str]]:
    """Runs the .tflite files among `files` on each core.

    Args:
        files: What.
        cores: On which.
        progress: Told what happens.

    Returns:
        What was found, and a line for each file that a core could not run.

    Raises:
        InputError: A program that emulation takes is not installed.
        HsitfError: What it takes cannot be fetched or compiled.
    """
    wanted = [file for file in files if file.file.suffix == ".tflite"]
    if not wanted or not cores:
        return [], []
    check_programs()
    system = root(progress)
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


def _emulated(file: Subject, core: Core, system: Root, plugin: Path, version: str) -> Emulated:
    """Raises: HsitfError: The emulated LiteRT cannot run the file."""
    file = replace(file, inputs=file.inputs[: COMPARED * file.batch])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        outputs, marks = _run(file, core, system, plugin, folder)
    instructions, spread = counted(marks)
    host = _on_host(file)
    return Emulated(
        file.name,
        str(file.file),
        file.worth.network,
        file.worth.variant,
        file.worth.scene,
        core.name,
        instructions,
        spread,
        outputs.tobytes() == host.tobytes(),
        float(np.abs(outputs.astype(np.float64) - host.astype(np.float64)).max()),
        len(file.inputs) // file.batch,
        version,
    )


def counted(marks: Sequence[int]) -> tuple[int, int]:
    """Instructions of one inference, and how far the counted ones lie apart.

    Args:
        marks: Totals before and after each inference, and two in the end with nothing between:
            what marking itself takes.
    """
    *counts, empty = (after - before for before, after in zip(marks[::2], marks[1::2], strict=True))
    return int(median(counts)) - empty, max(counts) - min(counts)


def _run(
    file: Subject, core: Core, system: Root, plugin: Path, folder: Path
) -> tuple[Stored, list[int]]:
    """Outputs of all inputs, and the instructions counted at each mark."""
    seen = folder / "root"
    (seen / "proc").mkdir(parents=True)
    # What LiteRT would read of the host's own processor.
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


def _on_host(file: Subject) -> Stored:
    runtime = LiteRT(file.file)
    return np.concatenate(
        [
            runtime.infer(file.inputs[start : start + file.batch])
            for start in range(0, len(file.inputs), file.batch)
        ]
    )


def _compiled(folder: Path) -> Path:
    """The plugin of the emulator that counts."""
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


def _failed(file: Subject, core: Core, reason: str) -> HsitfError:
    return HsitfError(f"the emulated {core.name} cannot run {file.name}", received=reason)
