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


# The largest values of a recipe's shares and factors; the least is 0.
_LIMITS = {
    "decoupled_weight_decay": 10.0,
    "warmup": 0.5,
    "label_smoothing": 0.5,
    "ema_epochs": 100.0,
}


def check_range(what: str, value: object, limit: float) -> None:
    """Refuses what is no number from 0 to a limit.

    Args:
        what: What the number is, for the message.
        value: The value as given.
        limit: The largest value.

    Raises:
        InputError: It is none.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= limit:  # type: ignore[operator]
        raise InputError(
            f"{what} is out of range", received=repr(value), allowed=f"numbers from 0 to {limit:g}"
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
        decoupled_weight_decay: Weight decay of AdamW (Loshchilov, Hutter, Decoupled weight decay
            regularization, ICLR 2019), with any optimizer: every step subtracts `learning rate *
            decoupled_weight_decay * w` from every kernel `w`; biases and the scales and shifts of
            normalizations do not decay.
        warmup: Share of the epochs in which the learning rate rises linearly to its value.
        cosine_decay: Whether the learning rate falls along half a cosine to nearly 0, in place of
            milestones or the wait for a better validation accuracy.
        label_smoothing: Share of a target that is spread over all classes alike.
        ema_epochs: Time constant, in epochs, of an exponential moving average of the weights, which
            is what is evaluated and saved; 0 for the weights as they are.
    """

    optimizer: str
    learning_rate: float
    batch_size: int = 100
    epochs: int = 100
    momentum: float = 0.0
    weight_decay: float = 0.0
    milestones: tuple[float, ...] = ()
    learning_rate_decay: float = 0.0
    decoupled_weight_decay: float = 0.0
    warmup: float = 0.0
    cosine_decay: bool = False
    label_smoothing: float = 0.0
    ema_epochs: float = 0.0

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs"):
            _check_whole(name, getattr(self, name))
        for name in ("learning_rate", "batch_size", "epochs"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(
                    f"{name.replace('_', ' ')} has to be positive", received=getattr(self, name)
                )
        for name, limit in _LIMITS.items():
            check_range(name.replace("_", " "), getattr(self, name), limit)
        self._check_contradictions()

    def _check_contradictions(self) -> None:
        """Refuses values of which one would undo or repeat the other."""
        if self.weight_decay and self.decoupled_weight_decay:
            raise InputError(
                "weights cannot decay in two ways",
                received=f"weight decay {self.weight_decay:g} as an L2 penalty and "
                f"{self.decoupled_weight_decay:g} decoupled",
                remedy="set one of them to 0 with --weight-decay 0 or --decoupled-weight-decay 0",
            )
        if self.cosine_decay and (self.milestones or self.learning_rate_decay):
            raise InputError(
                "the learning rate cannot fall along a cosine and in another way",
                received="a cosine decay with milestones or an inverse time decay",
                remedy="give --no-cosine-decay, or a recipe without milestones and decay",
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
        by_wavelength: Whether its first layer is a function of wavelength: `build` is then given
            `wavelengths`, the band centers in nanometers, and trained networks take other bands.
        reconstruction_weight: Weight of the mean squared reconstruction error relative to the
            cross-entropy, where the network is trained with a decoder; None where it is not.
        tile: Side in pixels of the square tiles that the network is trained on, where it takes
            tiles `(tile, tile, bands)` and returns logits of each pixel `(tile, tile, classes)`; 0
            where it names the center of a patch. Of a network of tiles, `patch` is the side of the
            window around a pixel that its logits depend on: its receptive field, rounded up so that
            half of it, `patch // 2`, is a multiple of `tile_stride`.
        tile_stride: The product of its pooling strides. Sides of tiles are multiples of it, and
            tiles of a scene begin at multiples of it, so that all have the same pooling grid.
    """

    paper: str
    patch: int
    recipe: Recipe = DEFAULT_RECIPE
    short_epochs: int = 0
    min_patch: int = 1
    max_patch: int | None = None
    min_bands: int = 1
    reconstruction_weight: float | None = None
    tile: int = 0
    tile_stride: int = 1
    by_wavelength: bool = False

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
        self._check_tile()

    def _check_tile(self) -> None:
        """Refuses tiles that cannot be laid so that every pixel sees its whole window.

        Raises:
            InputError: They cannot.
        """
        for name in ("tile", "tile_stride"):
            _check_whole(name, getattr(self, name))
        if not self.tile:
            return
        fits = self.patch % 2 == 1 and self.tile_stride >= 1
        if not fits or self.tile % self.tile_stride or self.patch // 2 % self.tile_stride:
            raise InputError(
                "the tiles of a network do not fit its window",
                received=f"tile={self.tile}, patch={self.patch}, tile_stride={self.tile_stride}",
                allowed="an odd patch, tile and patch // 2 multiples of tile_stride",
            )
