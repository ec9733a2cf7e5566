"""What is known of a network before it is built: its recipe and its geometry."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hsitf.compat import formerly
from hsitf.errors import InputError

# The short schedule of a network that states none has one epoch of so many of the full one.
_SHORT_SHARE = 5


def _check_whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(
            f"{name.replace('_', ' ')} has to be a whole number",
            received=repr(value),
            allowed="1 or more",
        )


@formerly(batch_size="batch", weight_decay="l2", learning_rate_decay="decay")
@dataclass(frozen=True)
class Recipe:
    """How a network is trained, by its paper unless overridden.

    Attributes:
        optimizer: Name of a Keras optimizer.
        learning_rate: Initial learning rate; divided by 10 at the milestones or, without
            milestones, when the validation accuracy has not improved for a quarter of the epochs.
        batch_size: Patches per training step.
        epochs: Number of passes over the training pixels.
        momentum: Momentum of SGD.
        weight_decay: Weight decay in the sense of the papers, an L2 penalty: `weight_decay * w` is
            added to the gradient of every trainable weight `w`. It is not the decoupled weight
            decay of AdamW.
        milestones: Shares of the epochs, ascending from 0 to 1, after which the learning rate
            falls.
        learning_rate_decay: Inverse time decay: the learning rate is also divided by `1 +
            learning_rate_decay * steps` at the start of each epoch.
    """

    optimizer: str
    learning_rate: float
    batch_size: int = 100
    epochs: int = 100
    momentum: float = 0.0
    weight_decay: float = 0.0
    milestones: tuple[float, ...] = ()
    learning_rate_decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs"):
            _check_whole(name, getattr(self, name))
        for name in ("learning_rate", "batch_size", "epochs"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(
                    f"{name.replace('_', ' ')} has to be positive", received=getattr(self, name)
                )


# For networks whose paper states none, and those without a paper.
DEFAULT_RECIPE = Recipe("adam", learning_rate=1e-3)


@dataclass(frozen=True)
class Network:
    """The facts that a paper states about its network.

    Attributes:
        paper: Citation; empty for a network that is not published.
        patch: Side of the square patch in pixels.
        recipe: The training recipe of the paper.
        short_epochs: Epochs of the short schedule, enough for about 95 % of the accuracy of the
            full one on the built-in scene; a fifth of the recipe's where 0.
        min_patch: Smallest patch size that its layers accept; 1 and equal to `patch` for networks
            on single spectra.
        max_patch: Largest patch size, where there is one.
        min_bands: Smallest number of bands that its layers accept, whatever the patch size.
        reconstruction_weight: Weight of the mean squared reconstruction error relative to the
            cross-entropy, where the network is trained with a decoder; None where it is not.
    """

    paper: str
    patch: int
    recipe: Recipe = DEFAULT_RECIPE
    short_epochs: int = 0
    min_patch: int = 1
    max_patch: int | None = None
    min_bands: int = 1
    reconstruction_weight: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.recipe, Recipe):
            raise InputError(
                "the recipe of a network is none",
                received=repr(self.recipe),
                allowed="hsitf.zoo.Recipe(...)",
            )
        if self.short_epochs == 0:
            shorter = max(1, self.recipe.epochs // _SHORT_SHARE)
            object.__setattr__(self, "short_epochs", shorter)
        for name in ("patch", "short_epochs", "min_patch", "min_bands"):
            _check_whole(name, value := getattr(self, name))
            if value < 1:
                raise InputError(
                    f"{name.replace('_', ' ')} is out of range", received=value, allowed="1 or more"
                )
