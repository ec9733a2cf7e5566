"""What a compression is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hsitf.compress.bounds import CompressionBounds
from hsitf.errors import InputError
from hsitf.export.variants import TFLITE
from hsitf.export.variants import variant as known_variant
from hsitf.targets import find_target
from hsitf.targets.tflm import check_tflm

# A step leaves this share of the cost of the step before.
STEP = 0.65
# Steps of the path at most: 0.65^10 is 1.3 % of the original.
MAX_STEPS = 10
# Shares of the recipe's learning rate that the first cut of a path tries
# (docs/how-to/compress.md).
RATE_SHARES = (1.0, 0.2)


@dataclass(frozen=True)
class SearchOptions:
    """What decides on the candidates, whatever the bounds: searches that share it share them.

    Attributes:
        variant: Kind of the published file, such as int8.
        epochs: Epochs of fine-tuning after a step; None for as many as fit into `minutes`.
        learning_rate: Learning rate of fine-tuning, above 0; None for the default.
        distill: Whether the original network teaches in fine-tuning, on unlabelled pixels, too.
        round_to: Channels of a layer are kept in multiples of this.
        seed: Seed of fine-tuning.

    Raises:
        InputError: A number is out of range, or there is no such kind of file.
    """

    variant: str = "int8"
    epochs: int | None = None
    learning_rate: float | None = None
    distill: bool = True
    round_to: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        known_variant(self.variant)
        rate = self.learning_rate
        if rate is not None and not 0 < rate < math.inf:
            raise InputError(
                "the learning rate is out of range", received=rate, allowed="finite numbers above 0"
            )
        for name in ("epochs", "round_to"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(
                    f"{name.replace('_', ' ')} is out of range", received=value, allowed="1 or more"
                )

    @property
    def rate_shares(self) -> tuple[float, ...]:
        """Shares of the learning rate that the first cut tries: one where it is known."""
        return RATE_SHARES if self.distill and self.learning_rate is None else (1.0,)


@dataclass(frozen=True)
class CompressionRequest:
    """Bounds of a file, and how it is searched.

    Attributes:
        bounds: What the file may lose and cost.
        options: What decides on the candidates.
        minutes: Time of the search, about: no step is begun that would end later.
        controls: Whether simpler ways to the same size are tried, too; they take their time beyond
            `minutes`.

    Raises:
        InputError: The time is out of range, or an arena is bounded that cannot be measured.
    """

    bounds: CompressionBounds
    options: SearchOptions = field(default_factory=SearchOptions)
    minutes: float = 30.0
    controls: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.minutes < float("inf"):
            raise InputError(
                "the time of the search is out of range",
                received=self.minutes,
                allowed="above 0 minutes",
            )
        if self.bounds.max_arena is not None:
            if known_variant(self.options.variant).format is not TFLITE:
                raise InputError(
                    "TensorFlow Lite Micro runs .tflite files alone",
                    received=f"--max-arena with --variant {self.options.variant}",
                    remedy="name another --variant, such as int8, or leave --max-arena out",
                )
            check_tflm()
        if self.bounds.target is not None:
            self._check_target(self.bounds.target)

    def _check_target(self, name: str) -> None:
        """Checks that a target takes such files, and has a cost where that is bounded."""
        target = find_target(name)
        if self.options.variant not in target.variants:
            raise InputError(
                f"{name} takes no {self.options.variant} files",
                received=f"--target {name} with --variant {self.options.variant}",
                allowed=", ".join(target.variants),
            )
        if self.bounds.max_target_cost is not None and target.cost is None:
            raise InputError(
                f"what an inference costs on {name} is not known",
                received=f"--max-target-cost with --target {name}",
                remedy="name another target (hsitf targets), or leave --max-target-cost out",
            )
        for tool in target.toolchain:
            tool.check(name)
