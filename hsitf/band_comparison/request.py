"""What a user wants compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hsitf.bands import parse
from hsitf.bands.request import SELECT, WAVELENGTHS
from hsitf.errors import InputError
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.records import SceneChoice, TrainingPlan
from hsitf.scenes.splits import SplitOptions
from hsitf.zoo import BASELINES


@dataclass(frozen=True)
class ComparisonRequest:
    """What to compare, and on what.

    Attributes:
        specs: Reductions such as "pca:30".
        models: Networks or baselines to train on them; none to measure the fit only.
        runs: Number of trainings of each, with consecutive seeds.
        scene: The scene.
        split: How the labelled pixels are split.
        schedule: full or short.
        recipe_options: Changes of the recipes.
    """

    specs: tuple[str, ...]
    models: tuple[str, ...]
    runs: int
    scene: SceneChoice
    split: SplitChoice
    schedule: str
    recipe_options: RecipeOptions

    def __post_init__(self) -> None:
        if not 1 <= self.runs <= 1000:
            raise InputError(
                "the number of runs is out of range", received=self.runs, allowed="1 to 1000"
            )
        if not self.specs:
            raise InputError(
                "no reduction of bands to compare",
                remedy="name one or more, such as --bands pca:30",
            )

    def plan(self, model: str, spec: str, number: int) -> TrainingPlan:
        """The training of a network on reduced bands (all of them where `spec` is empty)."""
        split = self.split
        seeded = SplitChoice(split.kind, split.train, split.guard, split.patch, split.seed + number)
        changes = RecipeOptions() if model in BASELINES else self.recipe_options
        return training_plan(model, self.scene, seeded, self.schedule, changes, bands=spec or None)

    @property
    def timing_split(self) -> SplitOptions:
        """The split whose training pixels reductions are timed on: that of the first model."""
        return self.plan((*self.models, BASELINES[0])[0], "", 0).split


def expand_techniques(techniques: Sequence[str], components: str | None) -> tuple[str, ...]:
    """Every technique with every number of components.

    Args:
        techniques: Techniques such as "pca", or "pca:30" with a number of its own.
        components: Numbers such as "10,20,30" or "10:190:10" (from, to, step); None where the
            techniques have their own.

    Returns:
        Such as "pca:10", each once.

    Raises:
        InputError: A number cannot be parsed, or a technique has none or two.
    """
    counts = _numbers(components) if components else []
    found = []
    for text in techniques:
        own = ":" in text
        if not own and not counts:
            raise InputError(
                "a technique without a number of components",
                received=text,
                remedy=f"write {text}:30, or give --components 10:190:10",
            )
        if own and counts and text.partition(":")[0] not in (SELECT, WAVELENGTHS):
            raise InputError(
                "two numbers of components",
                received=f"{text} and --components {components}",
                remedy="give one of them",
            )
        found += [text] if own else [f"{text}:{count}" for count in counts]
    return tuple(dict.fromkeys(parse(text).spec for text in found))


def _numbers(spec: str) -> list[int]:
    try:
        if ":" in spec:
            low, high, step = (int(part) for part in spec.split(":"))
            if low < 1 or step < 1 or high < low:
                raise ValueError
            return list(range(low, high + 1, step))
        return [int(part) for part in spec.split(",")]
    except ValueError:
        raise InputError(
            "the numbers of components cannot be parsed",
            received=spec,
            allowed="a list such as 10,20,30 or from:to:step such as 10:190:10",
        ) from None
