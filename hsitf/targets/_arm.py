"""Arm cores, by the instructions of LiteRT under emulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hsitf.emulation.core import ArmCore
from hsitf.emulation.inference import Emulator, emulator_version
from hsitf.emulation.system import PROGRAMS, absent_programs
from hsitf.errors import HsitfError, InputError
from hsitf.progress import Progress
from hsitf.runtimes import LiteRT
from hsitf.targets._target import Target, TargetCost, Toolchain

EMULATOR = Toolchain(
    "the emulator of Arm cores",
    lambda: not absent_programs(),
    f"apt-get install {' '.join(dict.fromkeys(PROGRAMS.values()))}",
)


@dataclass(frozen=True)
class EmulatedInstructions:
    """Cost model of an Arm core: instructions of one inference.

    Attributes:
        core: The core.
    """

    core: ArmCore
    unit: str = "instructions"
    basis: str = "counted under emulation"
    # Counts repeat to a few instructions in hundreds of thousands.
    noise: float = 0.001
    per_pixel: bool = True

    @property
    def version(self) -> str:
        """Name and version of the emulator."""
        return emulator_version()

    def costs(self, files: Sequence[Path], progress: Progress) -> list[TargetCost | InputError]:
        """Runs each file on zeros; see `CostModel.costs`."""
        EMULATOR.check(self.core.name)
        found: list[TargetCost | InputError] = []
        with TemporaryDirectory() as folder:
            emulator = Emulator.prepare(Path(folder), progress)
            for file in files:
                tensor = LiteRT(file).input
                zeros = np.zeros(tensor.shape, tensor.dtype)
                try:
                    ran = emulator.run(file, zeros, self.core)
                except HsitfError as error:
                    found.append(InputError(error.what, received=error.received))
                else:
                    found.append(TargetCost(float(ran.instructions), tool=self.version))
        return found


def arm_core(core: ArmCore, title: str, found_in: str) -> Target:
    """The target of an Arm core.

    Args:
        core: The core.
        title: Name in tables.
        found_in: Devices that have it.
    """
    return Target(
        title=title,
        description=f"Arm core, found in {found_in}.",
        variants=("int8", "float32", "float16"),
        cost=EmulatedInstructions(core),
        toolchain=(EMULATOR,),
    )
