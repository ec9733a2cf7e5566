"""Arm's Ethos-U NPUs, by Arm's own compiler for them (Vela).

Cycles are the estimates of the compiler's model of the chip and of its memories, not measurements
of silicon. They depend on the system configuration: clock, and the bandwidth and latency of the
memories; those of the compiler's own file of configurations are used.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from hsitf.errors import HsitfError, InputError
from hsitf.progress import Progress
from hsitf.targets._target import COMPILED, DeviceMemory, Target, TargetCost, Toolchain

PACKAGE, MODULE = "ethos-u-vela", "ethosu.vela"
CONFIG = "Arm/vela.ini"
# Limits of one compilation. Usual files take 1 to 2 seconds and 0.3 GB.
TIMEOUT_S = 900
MAX_MEMORY = 8 * 2**30
SUMMARY = "vela-summary.csv"
# The compiler's process limits its own memory before it imports anything.
_LIMITED = (
    "import resource, runpy, sys; "
    f"resource.setrlimit(resource.RLIMIT_AS, ({MAX_MEMORY}, {MAX_MEMORY})); "
    f"runpy.run_module({MODULE!r}, run_name='__main__', alter_sys=True)"
)

VELA = Toolchain(
    "Arm's compiler for Ethos-U",
    lambda: find_spec("ethosu") is not None,
    "pip install '.[ethos-u]' in hsitf's folder",
)


@dataclass(frozen=True)
class EthosU:
    """Cost model and compiler of one Ethos-U.

    Attributes:
        accelerator: The compiler's name for the NPU, such as "ethos-u55-256".
        system: System configuration in the compiler's file.
        memory_mode: Memory mode in that file.
    """

    accelerator: str
    system: str
    memory_mode: str
    unit: str = "cycles"
    basis: str = "estimated by Arm's compiler"
    noise: float = 0.0
    per_pixel: bool = True

    @property
    def version(self) -> str:
        """Package and version of the compiler, with the configuration."""
        return f"{PACKAGE} {metadata.version(PACKAGE)}, {self.system}, {self.memory_mode}"

    def costs(self, files: Sequence[Path], progress: Progress) -> list[TargetCost | InputError]:
        """Compiles each file; see `CostModel.costs`."""
        VELA.check(self.accelerator)
        found: list[TargetCost | InputError] = []
        for file in files:
            with TemporaryDirectory() as folder:
                try:
                    found.append(self.compile(file, Path(folder)))
                except InputError as error:
                    found.append(error)
        return found

    def compile(self, file: Path, folder: Path) -> TargetCost:
        """Compiles a .tflite file into a folder.

        Raises:
            InputError: The compiler cannot compile the file.
        """
        words = [*self.command(file), "--output-dir", str(folder)]
        try:
            done = subprocess.run(
                [sys.executable, "-c", _LIMITED, *words[1:]],
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._failed(file, f"it took longer than {TIMEOUT_S} s") from None
        summaries = list(folder.glob("*_summary_*.csv"))
        if done.returncode or len(summaries) != 1:
            raise self._failed(file, _reason(done))
        with summaries[0].open(newline="", encoding="utf-8") as stream:
            row = next(csv.DictReader(stream))
        cpu, operators = _cpu_operators(done.stdout)
        return TargetCost(
            float(row["cycles_total"]),
            sram_bytes=_bytes(row, "sram"),
            flash_bytes=_bytes(row, "dram")
            + _bytes(row, "on_chip_flash")
            + _bytes(row, "off_chip_flash"),
            bytes_moved=sum(int(float(row[key])) for key in row if key.endswith("_total_bytes")),
            cpu_operators=cpu,
            operators=operators,
            tool=self.version,
        )

    def command(self, file: Path) -> list[str]:
        """The command that compiles a file as it is done here."""
        return [
            "vela",
            str(file),
            "--accelerator-config",
            self.accelerator,
            "--config",
            CONFIG,
            "--system-config",
            self.system,
            "--memory-mode",
            self.memory_mode,
            "--show-cpu-operations",
        ]

    def pack(self, file: Path, folder: Path) -> tuple[str, ...]:
        """Writes the compiled file and the compiler's summary into a bundle.

        Returns:
            Their names.

        Raises:
            InputError: The compiler cannot compile the file.
        """
        VELA.check(self.accelerator)
        with TemporaryDirectory() as name:
            self.compile(file, Path(name))
            (compiled,) = Path(name).glob(f"*{COMPILED}")
            (summary,) = Path(name).glob("*_summary_*.csv")
            shutil.copyfile(compiled, folder / f"{file.stem}{COMPILED}")
            shutil.copyfile(summary, folder / SUMMARY)
        return f"{file.stem}{COMPILED}", SUMMARY

    def _failed(self, file: Path, reason: str) -> InputError:
        return InputError(
            f"{self.accelerator}: Arm's compiler cannot compile {file.name}",
            received=reason,
            remedy="try another --channel-alignment, a smaller --tile, or patches",
        )


def ethos_u(
    accelerator: str, system: str, memory_mode: str, memory: DeviceMemory, title: str
) -> Target:
    """The target of an Ethos-U.

    Args:
        accelerator: The compiler's name for the NPU.
        system: System configuration in the compiler's file.
        memory_mode: Memory mode in that file.
        memory: Fast memory of a device with this NPU.
        title: Name in tables.
    """
    compiler = EthosU(accelerator, system, memory_mode)
    return Target(
        title=title,
        description=f"NPU of Arm beside a Cortex-M or Cortex-A; {memory.source}.",
        variants=("int8",),
        cost=compiler,
        memory=memory,
        toolchain=(VELA,),
        pack=compiler.pack,
    )


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """Why a compilation failed, from its last words."""
    if done.returncode < 0 or "MemoryError" in done.stderr or "bad_alloc" in done.stderr:
        return f"it needs more than {MAX_MEMORY // 2**30} GB of memory, or crashed"
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no message"])[-1].strip()[:300]


def _bytes(row: dict[str, str], memory: str) -> int:
    # The summary has kibibytes.
    return round(1024 * float(row[f"{memory}_memory_used"]))


def _cpu_operators(printed: str) -> tuple[tuple[str, ...], int]:
    """Operators that the compiler leaves to the CPU with the reasons, and the number of all."""
    counts = dict(re.findall(r"^(CPU|NPU) operators = (\d+)", printed, re.MULTILINE))
    if set(counts) != {"CPU", "NPU"}:
        raise HsitfError(
            "the compiler's summary cannot be read",
            received=f"{PACKAGE} {metadata.version(PACKAGE)}",
            remedy="install the version of constraints.txt",
        )
    warnings = re.findall(
        r"^Warning \(supported operators\) operator: (\w+), ofm: '([^']*)'\nReason: (.*)$",
        printed,
        re.MULTILINE,
    )
    reasons = {tensor: f"{operator}: {reason}" for operator, tensor, reason in warnings}
    left = re.findall(r"^ +CPU: (\w+) = (\S+)", printed, re.MULTILINE)
    texts = tuple(reasons.get(tensor, f"{operator}: no reason given") for operator, tensor in left)
    return texts, int(counts["CPU"]) + int(counts["NPU"])
