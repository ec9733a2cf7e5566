"""What a user wants pruned, and in which steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hsitf.errors import InputError
from hsitf.prune.plans import Cutting
from hsitf.zoo import Recipe

# What can be asked for, and what kind of pruning reaches it.
MEASURES = {
    "ratio": "channels",
    "parameters": "channels",
    "macs": "channels",
    "bytes": "channels",
    "alpha": "weights",
    "zeros": "weights",
}
# How often something is cut, unless the user says so.
STEPS = {"one-shot": 1, "iterative": 4, "gradual": 8}


@dataclass(frozen=True)
class Order:
    """What to remove from a trained network, and how to train what is left.

    Attributes:
        measure: What is asked for: a ratio of the channels to remove; the share that is left of
            the parameters, macs or bytes (above 1: how many); alpha, the threshold of single
            weights over their standard deviation; or the share of zeros among them.
        target: Its value.
        recipe: Of the fine-tuning; its epochs are divided among the steps.
        criterion: What chooses the channels.
        cutting: Where not to cut.
        schedule: one-shot, iterative (equal steps) or gradual (large steps first).
        steps: How often something is cut and the rest fine-tuned.
        max_drop: Points of overall accuracy on the validation pixels that may be lost; the
            steps end before a larger loss. None for no bound.

    Raises:
        InputError: A value is out of range or has no meaning here.
    """

    measure: str
    target: float
    recipe: Recipe
    criterion: str = "l2"
    cutting: Cutting = field(default_factory=Cutting)
    schedule: str = "one-shot"
    steps: int = 1
    max_drop: float | None = None

    def __post_init__(self) -> None:
        if self.schedule not in STEPS:
            raise InputError(
                "unknown schedule of cuts", received=self.schedule, allowed=", ".join(STEPS)
            )
        if not 1 <= self.steps <= self.recipe.epochs or (
            self.schedule == "one-shot" and self.steps != 1
        ):
            raise InputError(
                f"so many steps cannot be taken {self.schedule}",
                received=f"{self.steps} steps in {self.recipe.epochs} epochs",
                allowed="one step at once, or up to one an epoch",
                remedy="give other --steps, more --epochs or --cuts iterative",
            )
        if self.max_drop is not None and not 0 <= self.max_drop <= 100:
            raise InputError(
                "the accuracy drop is out of range",
                received=self.max_drop,
                allowed="0 to 100 percentage points",
            )
        if self.kind == "weights" and self.cutting != Cutting():
            raise InputError(
                "single weights are not chosen by layer or channel",
                received=f"--{self.measure} with options of channels",
                remedy="leave out --layer, --global, --round-to, --least, --ignore and --exact",
            )
        self._check_target()

    def _check_target(self) -> None:
        below_one = self.measure in ("ratio", "zeros")
        # Ratios of single layers do without one for all.
        least = self.target >= 0 if self.cutting.ratios else self.target > 0
        if not least or (below_one and self.target >= 1) or not math.isfinite(self.target):
            allowed = {
                "ratio": "above 0 to below 1, the share of channels to remove",
                "zeros": "above 0 to below 1, the share of zeros",
                "alpha": "above 0, in standard deviations",
            }.get(self.measure, "above 0 to 1, the share that is left, or a count above 1")
            raise InputError(
                f"the {self.measure} to prune to is out of range",
                received=self.target,
                allowed=allowed,
            )

    @property
    def chosen_by(self) -> str:
        """What chooses what goes."""
        return self.criterion if self.kind == "channels" else "magnitude"

    @property
    def kind(self) -> str:
        """Whether channels or single weights go."""
        return MEASURES[self.measure]

    @property
    def asked(self) -> str:
        """What was asked for, such as "macs 0.5"."""
        layers = [f"{name} {ratio:g}" for name, ratio in self.cutting.ratios.items()]
        return ", ".join([f"{self.measure} {self.target:g}", *layers])

    @property
    def label(self) -> str:
        """What tells the runs of one network apart, such as "lfp-macs0.5"."""
        how = "" if self.schedule == "one-shot" else f"-{self.schedule}{self.steps}"
        layers = "-layers" if self.cutting.ratios else ""
        return f"{self.chosen_by}-{self.measure}{self.target:g}{layers}{how}"

    def progress(self, step: int) -> float:
        """Share of all that is to go that is gone after a step, counted from 1.

        Equal steps, or for gradual pruning 1 - (1 - i / n)^3 (Zhu, Gupta, 2018).
        """
        share = step / self.steps
        return 1 - (1 - share) ** 3 if self.schedule == "gradual" else share

    def epochs(self, step: int) -> int:
        """Of fine-tuning after a step, counted from 1.

        Steps share the epochs equally; in gradual pruning the last has half of them.
        """
        whole = self.recipe.epochs
        last = whole - whole // 2 if self.schedule == "gradual" and self.steps > 1 else 0
        others = self.steps - 1 if last else self.steps
        if last and step == self.steps:
            return last
        each, over = divmod(whole - last, others)
        return max(1, each + (1 if step <= over else 0))
