"""From what a user names to the plan of a drawing and its title."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsitf import zoo
from hsitf.errors import DataError, InputError
from hsitf.quiet import quietly
from hsitf.runs import Run
from hsitf.zoo import BASELINES, known

if TYPE_CHECKING:
    from hsitf.draw.plan import Plan


@dataclass(frozen=True)
class Asked:
    """What to draw.

    Attributes:
        model: Name in the zoo; None where a run is named.
        origin: Folder of a run.
        against: Folder of the run whose widths are compared with; None: the one that `origin` was
            pruned from, if it was and that is at hand.
        inputs: Bands or components of `model`; `classes` and `patch` likewise.
    """

    model: str | None
    origin: Path | None
    against: Path | None
    inputs: int
    classes: int
    patch: int | None


def check(asked: Asked) -> None:
    """Refuses what has no meaning, before anything heavy is loaded.

    Raises:
        InputError: Neither or both of a network and a run are named, or numbers are out of range.
    """
    if (asked.model is None) == (asked.origin is None):
        raise InputError(
            "one network is drawn",
            received="neither --model nor --from" if asked.model is None else "both",
            remedy="give --model cao, or --from with the folder of a run",
        )
    if asked.model is not None:
        known(asked.model)
        if asked.model in BASELINES:
            raise InputError(
                f"{asked.model} is a baseline, whose layers depend on what it is fitted to",
                received=f"--model {asked.model}",
                remedy="train it and name its run with --from",
            )
        if asked.against is not None:
            raise InputError(
                "widths are compared between runs",
                received="--model with --against",
                remedy="give --from in place of --model",
            )
    for option, value in (("--inputs", asked.inputs), ("--classes", asked.classes)):
        if not 1 <= value <= 100_000:
            raise InputError(f"{option} is out of range", received=value, allowed="1 to 100,000")


def plans(asked: Asked) -> tuple[Plan, str]:
    """The plan, and a title that says what it costs.

    Raises:
        InputError: A run cannot be found, or the geometry does not fit the network.
        DataError: A run is damaged.
    """
    from hsitf.draw.plan import compared, plan

    with quietly():
        if asked.model is not None:
            found = plan(
                zoo.build(asked.model, bands=asked.inputs, classes=asked.classes, patch=asked.patch)
            )
            return found, _title(asked.model, found, None)
        run = Run.open(asked.origin or Path())
        found = plan(run.network())
        before = _before(run, asked.against)
        if before is None:
            return found, _title(run.label, found, None)
        whole = plan(before.network())
    return compared(found, whole), _title(run.label, found, whole)


def _before(run: Run, named: Path | None) -> Run | None:
    """The run whose widths are compared with."""
    if named is not None:
        return Run.open(named)
    if run.record.pruning is None:
        return None
    try:
        whole = Run.open(Path(run.record.pruning.origin))
    except (DataError, InputError):
        return None
    return whole if whole.record.sha256 == run.record.pruning.origin_sha256 else None


def _title(name: str, found: Plan, whole: Plan | None) -> str:
    if whole is None:
        cost = f"{found.parameters:,} parameters, {found.macs:,} multiply-accumulates"
    else:
        cost = (
            f"{found.parameters:,} of {whole.parameters:,} parameters,\n"
            f"{found.macs:,} of {whole.macs:,} multiply-accumulates"
        )
    return f"{name}: {cost}"
