"""What a verified file costs on its target, and what its bundle holds for the target."""

from __future__ import annotations

from pathlib import Path

from hsitf.errors import InputError, VerificationError
from hsitf.export.job import Job
from hsitf.export.preparation import PreparedModel
from hsitf.export.tuning import missing_memory
from hsitf.inspection import nodes
from hsitf.progress import Progress
from hsitf.records import TargetRecord
from hsitf.targets import CostModel, Target, TargetCost, find_target


def target_record(
    job: Job, model: PreparedModel, file: Path, progress: Progress
) -> TargetRecord | None:
    """Measures a file's cost on its target and writes what its bundle holds for the target.

    Args:
        job: What it was made by.
        model: The network that it was converted from.
        file: The verified file, inside its bundle's folder.
        progress: Receives progress messages.

    Returns:
        None where the file is made for no target.

    Raises:
        VerificationError: The target's toolchain cannot take the file, or it needs more memory
            than the device has.
    """
    if job.target is None:
        return None
    target = find_target(job.target)
    methods = dict(model.arithmetic(job).methods)
    if target.cost is None:
        return TargetRecord(
            job.target,
            None,
            None,
            "",
            "published rules" if target.rejects else "",
            "",
            methods,
            operators=len(nodes(file)) if target.rejects else None,
            cpu_operators=_rejected(target, file),
            files=_packed(target, job, file),
        )
    progress.start(f"measuring for {job.target}", 1)
    cost = _cost(target.cost, job, file, progress)
    if missing := missing_memory(cost, target):
        raise _too_large(job, target, cost, missing)
    tuned = model.tuned[job.variant.name]
    return TargetRecord(
        job.target,
        # What is measured with noise is comparable only with what took turns with it.
        tuned.cost if target.cost.noise else cost.value,
        tuned.default_cost,
        target.cost.unit,
        target.cost.basis,
        cost.tool,
        methods,
        cost.sram_bytes,
        cost.flash_bytes,
        cost.bytes_moved,
        cost.operators,
        cost.cpu_operators,
        _packed(target, job, file),
    )


def _cost(model: CostModel, job: Job, file: Path, progress: Progress) -> TargetCost:
    (cost,) = model.costs([file], progress)
    if isinstance(cost, InputError):
        raise _refused(job, cost)
    return cost


def _packed(target: Target, job: Job, file: Path) -> tuple[str, ...]:
    if target.pack is None:
        return ()
    try:
        return target.pack(file, file.parent)
    except InputError as error:
        raise _refused(job, error) from error


def _rejected(target: Target, file: Path) -> tuple[str, ...]:
    """Reasons why a delegate does not support operators, one an operator."""
    if target.rejects is None:
        return ()
    reasons = [target.rejects(node) for node in nodes(file)]
    if target.prefix_only and any(reasons):
        first = next(number for number, reason in enumerate(reasons) if reason)
        reasons[first:] = [reason or "behind an unsupported operator" for reason in reasons[first:]]
    return tuple(filter(None, reasons))


def _refused(job: Job, error: InputError) -> VerificationError:
    return VerificationError(
        f"{job.label} was not published for {job.target}: {error.what}",
        received=error.received,
        remedy=error.remedy,
    )


def _too_large(job: Job, target: Target, cost: TargetCost, missing: int) -> VerificationError:
    memory = target.memory
    if memory is None or cost.sram_bytes is None:
        raise ValueError("memory that is not known cannot be too small")
    if job.tile:
        fits = int(job.tile * (memory.sram_bytes / cost.sram_bytes) ** 0.5)
        remedy = f"make the tile smaller: about --tile {max(1, fits)} fits, or --tile auto chooses"
    else:
        remedy = "prune the network (hsitf prune --macs), or reduce its bands"
    return VerificationError(
        f"{job.label} does not fit {job.target}, so it was not published",
        received=f"{cost.sram_bytes:,} bytes of fast memory, {missing:,} too many",
        allowed=f"{memory.sram_bytes:,} bytes ({memory.source})",
        remedy=remedy,
    )
