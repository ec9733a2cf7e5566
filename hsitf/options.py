"""The options of the command line, turned into plans."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hsitf import zoo
from hsitf.errors import InputError
from hsitf.records import SceneChoice, TrainingPlan
from hsitf.scenes.splits import SplitOptions
from hsitf.train.run import scheduled


@dataclass(frozen=True)
class RecipeOptions:
    """What a user changes of a paper's recipe; None leaves it as it is."""

    optimizer: str | None = None
    learning_rate: float | None = None
    batch: int | None = None
    epochs: int | None = None
    momentum: float | None = None
    l2: float | None = None


_AS_PUBLISHED = RecipeOptions()

# NumPy's older generator, which Keras seeds too, takes 32 bits.
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class SplitChoice:
    """How a user wants the scene split.

    Attributes:
        kind: disjoint, random or fixed.
        train: A share such as "0.65" or a number of pixels a class such as "50".
        guard: Width of the guard band.
        patch: Side of the patch; the network's own where None.
        seed: Of the drawing, and of everything else.
    """

    kind: str = "disjoint"
    train: str | None = None
    guard: int | None = None
    patch: int | None = None
    seed: int = 0


def training_plan(
    network: str,
    scene: SceneChoice,
    split: SplitChoice,
    schedule: str,
    changes: RecipeOptions = _AS_PUBLISHED,
    turn: bool = True,
) -> TrainingPlan:
    """The plan that a user's options make.

    Raises:
        InputError: An option has no meaning or is out of range.
    """
    facts = zoo.network(network)
    recipe = scheduled(facts, schedule)
    changed = {name: value for name, value in vars(changes).items() if value is not None}
    _check_numbers(changed)
    if not 0 <= split.seed <= LARGEST_SEED:
        raise InputError(
            "the seed is out of range", received=split.seed, allowed=f"0 to {LARGEST_SEED}"
        )
    patch = facts.patch if split.patch is None else split.patch
    return TrainingPlan(
        network=network,
        scene=scene,
        split=SplitOptions(
            kind=split.kind, train=_amount(split.train), patch=patch, guard=split.guard,
            seed=split.seed,
        ),
        recipe=replace(recipe, **changed),
        schedule="custom" if "epochs" in changed else schedule,
        seed=split.seed,
        turn=turn,
    )  # fmt: skip


def _check_numbers(changed: Mapping[str, object]) -> None:
    """Refuses numbers that no recipe has; what is particular to one the recipe checks itself."""
    for name, value in changed.items():
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise InputError(
                f"{name.replace('_', ' ')} is out of range",
                received=value,
                allowed="finite numbers from 0",
            )


def _amount(text: str | None) -> float | int | None:
    """A share where it is written with a point, else a number of pixels a class."""
    if text is None:
        return None
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        raise InputError(
            "--train is not a number",
            received=text,
            allowed="a share such as 0.65, or a number of pixels a class such as 50",
        ) from None
