"""What the files of a benchmark cost on targets, by each target's own cost model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hsitf.bench.subject import BenchSubject
from hsitf.emulation.core import ArmCore
from hsitf.errors import InputError
from hsitf.progress import Progress
from hsitf.ranges import Amount, Count, Positive
from hsitf.targets import CostModel, TargetCost, find_target
from hsitf.targets._arm import EmulatedInstructions


@dataclass(frozen=True)
class TargetMeasurement:
    """A .tflite file on a target.

    Attributes:
        name: Name of the file in tables.
        path: Path of the file.
        network: Label of the network; empty for a bare file.
        variant: Kind of exported file; empty for a bare file.
        scene: Name of the scene.
        target: Name of the target.
        cost: Cost of one inference.
        unit: Its unit.
        basis: How it is known.
        tool: What it was determined with.
        pixels: Pixels classified per inference.
        sram_bytes: Fast memory in use at once; None where unknown.
        flash_bytes: Bytes in flash or DRAM: weights and program, and activations where the device
            keeps them there; None where unknown.
        bytes_moved: Bytes read and written in all memories; None where unknown.
        operators: Number of operators that the tool counts; None where it counts none.
        cpu_operators: Those left to the CPU beside an accelerator, with the reasons.
    """

    name: str
    path: str
    network: str
    variant: str
    scene: str
    target: str
    cost: Amount
    unit: str
    basis: str
    tool: str
    pixels: Positive
    sram_bytes: Count | None = None
    flash_bytes: Count | None = None
    bytes_moved: Count | None = None
    operators: Count | None = None
    cpu_operators: tuple[str, ...] = ()


def split_targets(
    names: Sequence[str],
) -> tuple[list[ArmCore], list[tuple[str, CostModel]]]:
    """The targets that a user named: cores to emulate, and others with a cost model.

    Raises:
        InputError: There is no such target, it has no cost model, or its toolchain is not
            installed.
    """
    cores, others = [], []
    for name in dict.fromkeys(names):
        target = find_target(name)
        if target.cost is None:
            raise InputError(
                f"what an inference costs on {name} is not known",
                received=f"--target {name}",
                allowed="targets with a cost: hsitf targets",
                remedy="its rules, if any, are among the delegates that bench checks in any case",
            )
        for tool in target.toolchain:
            tool.check(name)
        if isinstance(target.cost, EmulatedInstructions):
            cores.append(target.cost.core)
        else:
            others.append((name, target.cost))
    return cores, others


def measure_on_targets(
    files: Sequence[BenchSubject], models: Sequence[tuple[str, CostModel]], progress: Progress
) -> tuple[list[TargetMeasurement], list[str]]:
    """Measures the .tflite files among `files` by the cost model of each target.

    Args:
        files: Files; formats other than .tflite are skipped.
        models: Names of targets and their cost models.
        progress: Receives progress messages.

    Returns:
        The results, and a note for each file that has no cost on a target.

    Raises:
        InputError: A toolchain is not installed.
    """
    wanted = [file for file in files if file.file.suffix == ".tflite"]
    found, notes = [], []
    for name, model in models if wanted else ():
        progress.start(f"measuring for {name}", 1)
        costs = model.costs([file.file for file in wanted], progress)
        for file, cost in zip(wanted, costs, strict=True):
            if isinstance(cost, InputError):
                notes.append(f"{file.name} on {name}: {cost.what}: {cost.received}.")
            else:
                found.append(_measurement(file, name, model, cost))
    return found, notes


def _measurement(
    file: BenchSubject, target: str, model: CostModel, cost: TargetCost
) -> TargetMeasurement:
    return TargetMeasurement(
        file.name,
        str(file.file),
        file.summary.network,
        file.summary.variant,
        file.summary.scene,
        target,
        cost.value,
        model.unit,
        model.basis,
        cost.tool,
        file.pixels,
        cost.sram_bytes,
        cost.flash_bytes,
        cost.bytes_moved,
        cost.operators,
        cost.cpu_operators,
    )
