"""What is known of a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hsitf.errors import InputError
from hsitf.inspection import Node
from hsitf.progress import Progress

# Suffix of a file that is compiled for a device, as Arm's compiler gives it.
COMPILED = "_vela.tflite"


@dataclass(frozen=True)
class TargetCost:
    """What one inference of a file costs on a target.

    Attributes:
        value: In the unit of the target's cost model; smaller is better.
        sram_bytes: Fast memory in use at once; None where the cost model does not know it.
        flash_bytes: Bytes in flash or DRAM: weights and program, and activations where the device
            keeps them there; None where the cost model does not know them.
        bytes_moved: Bytes read and written in all memories; None where it does not know them.
        cpu_operators: Operators left to the CPU beside the accelerator, each with the reason.
        operators: Number of all operators that the cost model counts; None where it counts none.
        tool: Name and version of what the value comes from.
    """

    value: float
    sram_bytes: int | None = None
    flash_bytes: int | None = None
    bytes_moved: int | None = None
    cpu_operators: tuple[str, ...] = ()
    operators: int | None = None
    tool: str = ""


def format_cost(value: float) -> str:
    """A cost as tables show it: whole numbers, or three digits of a small one."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


class CostModel(Protocol):
    """How the cost of an inference on a target is known."""

    @property
    def unit(self) -> str:
        """Unit of the values, such as "cycles"."""

    @property
    def basis(self) -> str:
        """How the values come about, such as "estimated by the compiler"."""

    @property
    def noise(self) -> float:
        """Relative difference between two values below which it means nothing; 0 where repeatable.

        A repeatable value is the same each time that the same file is measured.
        """

    @property
    def per_pixel(self) -> bool:
        """Whether a cost is spent for each inference, so that a pixel has a share of it."""

    @property
    def version(self) -> str:
        """What values may depend on beside the file: tool and version, or the processor."""

    def costs(self, files: Sequence[Path], progress: Progress) -> list[TargetCost | InputError]:
        """Costs of .tflite files, measured side by side.

        Returns:
            One a file: its cost, or why it has none.

        Raises:
            InputError: The toolchain is not installed.
        """


@dataclass(frozen=True)
class DeviceMemory:
    """Memory of a device.

    Attributes:
        sram_bytes: Fast memory for activations.
        source: What device or document the number is of.
    """

    sram_bytes: int
    source: str


@dataclass(frozen=True)
class Toolchain:
    """A program or package that a target needs on this machine.

    Attributes:
        name: What it is called.
        installed: Whether it is at hand.
        remedy: The command that installs it.
    """

    name: str
    installed: Callable[[], bool]
    remedy: str

    def check(self, target: str) -> None:
        """Checks that it is at hand.

        Raises:
            InputError: It is not installed; the message has the command that installs it.
        """
        if not self.installed():
            raise InputError(
                f"{target} needs {self.name}, which is not installed",
                remedy=f"install it: {self.remedy}",
            )


@dataclass(frozen=True)
class Target:
    """A device or engine that files are made for.

    Attributes:
        title: Name in tables, such as "Ethos-U55, 256 MACs".
        description: What it is and where it is found, a line.
        variants: Kinds of file that it takes, the best first.
        cost: How the cost of an inference is known; None where only rules are.
        memory: Memory of the device; None where it is not the limit.
        rejects: Reason why its delegate does not support an operator, empty where it does; None
            where all operators of the runtime are supported.
        prefix_only: Whether the delegate runs only operators before the first unsupported one.
        toolchain: What cost and packing need on this machine.
        pack: Writes what a bundle holds besides, from the verified file into the bundle's folder,
            and returns the names of what it wrote; None where the file is all.
    """

    title: str
    description: str
    variants: tuple[str, ...]
    cost: CostModel | None = None
    memory: DeviceMemory | None = None
    rejects: Callable[[Node], str] | None = None
    prefix_only: bool = False
    toolchain: tuple[Toolchain, ...] = ()
    pack: Callable[[Path, Path], tuple[str, ...]] | None = None
