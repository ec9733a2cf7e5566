"""Augmentations by name: how training patches are changed, each with a strength.

Every augmentation is one function in `AUGMENTATIONS`, `(patches, strength, draws, axis)` ->
patches, of normalized patches `(batch, patch, patch, bands)` float32. They run inside the compiled
step of every backend, in the order of the table, with random numbers of one generator whose state
is saved with the run, so that an interrupted run resumes with the very next number.
`NormalizedBands` says how they are expressed in normalized units. A gain of light supposes that 0
in the sensor's units is no light.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.registry import Registry
from hsitf.train.normalized_bands import NormalizedBands
from hsitf.train.sampling import WEIGHT_PARTS
from hsitf.zoo._facts import check_range

# What a user writes in place of a name to begin without any.
NONE = "none"
# The augmentation that needs the patch of another pixel beside each.
NEIGHBOR = "neighbor"


class RandomDraws:
    """Random numbers for a batch of patches, from a generator whose state can be saved.

    Args:
        seeds: The generator.
        patches: The patches to draw for.
        neighbors: For each patch that of a neighboring pixel; None where none is asked for.
    """

    def __init__(
        self,
        seeds: keras.random.SeedGenerator,
        patches: keras.KerasTensor,
        neighbors: keras.KerasTensor | None = None,
    ) -> None:
        self.neighbors = neighbors
        self._seeds = seeds
        self._batch = ops.shape(patches)[0]

    def uniform(self, low: float, high: float, bands: int = 1) -> keras.KerasTensor:
        """(batch, 1, 1, bands) float32, uniform from `low` to `high`."""
        shape = (self._batch, 1, 1, bands)
        return keras.random.uniform(shape, low, high, "float32", self._seeds)

    def normal_like(self, patches: keras.KerasTensor) -> keras.KerasTensor:
        """Standard normal numbers of the shape of patches, float32."""
        return keras.random.normal(ops.shape(patches), 0.0, 1.0, "float32", self._seeds)


Change = Callable[[keras.KerasTensor, float, RandomDraws, NormalizedBands], keras.KerasTensor]


@dataclass(frozen=True)
class Augmentation:
    """One way to change training patches.

    Attributes:
        change: The function.
        strength: The strength that the robust recipe gives it, and a name without a number.
        limit: The largest strength; the least is 0, which leaves patches as they are.
        spatial: Whether it changes what is around a pixel, and so needs patches of several pixels;
            else it changes spectra, and needs bands that are not reduced.
    """

    change: Change
    strength: float
    limit: float
    spatial: bool = False


def neighbor(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Light of a neighboring training pixel, up to a share of `strength`, over the whole patch.

    The normalization is affine, so that mixtures are the same in its units and in the sensor's.
    """
    del axis
    share = draws.uniform(0.0, strength)
    return (1 - share) * patches + share * draws.neighbors


def brightness(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """More or less light on a patch: all bands times one factor, 1 - strength to 1 + strength."""
    return _lit(patches, 1 + draws.uniform(-strength, strength), axis)


def slope(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Light that is linear over wavelength: a gain of `1 + a * position`, |a| up to strength."""
    return _lit(patches, 1 + draws.uniform(-strength, strength) * axis.position, axis)


def curvature(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Light that bends over wavelength: a gain of `1 + a * (2 position^2 - 1)`."""
    bent = 2 * axis.position**2 - 1
    return _lit(patches, 1 + draws.uniform(-strength, strength) * bent, axis)


def noise(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Noise of up to `strength` times each band's own level, drawn for every pixel and band."""
    level = draws.uniform(0.0, strength) * axis.noise
    return patches + level * draws.normal_like(patches)


def shift(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Bands moved by up to `strength` of their distance: linear interpolation, sensor's units.

    Where `x` moves towards the next band by `d`, it becomes `(1 - d) x + d next`, and `z` likewise
    with the next band's `z` times the ratio of the scales, plus the difference of the origins. The
    first and the last band do not move beyond themselves.
    """
    if axis.bands < 2:
        return patches
    distance = draws.uniform(-strength, strength)
    up, down = ops.maximum(distance, 0.0), ops.maximum(-distance, 0.0)
    here, there = axis.scale[:-1], axis.scale[1:]
    origins = axis.origin * axis.scale
    step = origins[1:] - origins[:-1]
    lower, upper = patches[..., :-1], patches[..., 1:]
    rise = up * axis.reach * (upper * (there / here) + step / here - lower)
    fall = down * axis.reach * (lower * (here / there) - step / there - upper)
    still = ops.zeros_like(patches[..., :1])
    return (
        patches + ops.concatenate([rise, still], axis=-1) + ops.concatenate([still, fall], axis=-1)
    )


def missing_bands(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Each band of a patch is missing with probability `strength`: its mean, which is 0."""
    return patches * _as_factor(draws.uniform(0.0, 1.0, axis.bands) >= strength)


def missing_block(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Neighboring bands are missing: in half of the patches a block of up to that share of them."""
    width = draws.uniform(-strength, strength) * axis.bands
    start = draws.uniform(0.0, 1.0) * (axis.bands - ops.maximum(width, 0.0))
    numbers = ops.arange(axis.bands, dtype="float32") + 0.5
    inside = ops.logical_and(numbers >= start, numbers < start + width)
    return patches * _as_factor(ops.logical_not(inside))


def border(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """The border of a patch cut out, with probability `strength`: rings of pixels become the mean.

    How many rings are left around the middle is drawn from 1 to all but one.
    """
    del axis
    rings = _rings(patches.shape[1])
    outermost = int(rings.max())
    if outermost == 0:
        return patches
    kept = ops.ceil(draws.uniform(0.0, 1.0) * outermost)
    left = ops.logical_or(
        draws.uniform(0.0, 1.0) >= strength, ops.convert_to_tensor(rings) < ops.maximum(kept, 1.0)
    )
    return patches * _as_factor(left)


def center(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Center-only patches, with probability `strength`: all pixels have the spectrum of the middle.

    The middle of an even patch is the mean of four pixels, since its center moves as it is turned.
    """
    del axis
    side = patches.shape[1]
    first, last = (side - 1) // 2, side // 2 + 1
    middle = ops.mean(patches[:, first:last, first:last], axis=(1, 2), keepdims=True)
    return ops.where(draws.uniform(0.0, 1.0) < strength, middle, patches)


AUGMENTATIONS: Registry[Augmentation] = Registry(
    "augmentation",
    {
        NEIGHBOR: Augmentation(neighbor, 0.2, 0.5),
        "brightness": Augmentation(brightness, 0.02, 0.9),
        "slope": Augmentation(slope, 0.02, 0.9),
        "curvature": Augmentation(curvature, 0.01, 0.9),
        "shift": Augmentation(shift, 0.5, 1.0),
        "noise": Augmentation(noise, 1.0, 100.0),
        "missing-bands": Augmentation(missing_bands, 0.05, 0.9),
        "missing-block": Augmentation(missing_block, 0.1, 0.9),
        "border": Augmentation(border, 0.5, 1.0, spatial=True),
        "center": Augmentation(center, 0.1, 1.0, spatial=True),
    },
)


def _lit(
    patches: keras.KerasTensor, gain: keras.KerasTensor, axis: NormalizedBands
) -> keras.KerasTensor:
    return gain * patches + (gain - 1) * axis.origin


def _as_factor(kept: keras.KerasTensor) -> keras.KerasTensor:
    return ops.cast(kept, "float32")


def _rings(side: int) -> NDArray[np.float32]:
    """(side, side, 1) float32: the ring around the middle that a pixel belongs to, from 0."""
    steps = np.floor(np.abs(np.arange(side) - (side - 1) / 2))
    return np.asarray(np.maximum.outer(steps, steps)[..., None], np.float32)


class PatchAugmentation(keras.layers.Layer):  # type: ignore[misc]
    """Changes patches in training, and none in inference.

    Args:
        strengths: Strengths by name.
        axis: The bands.
    """

    def __init__(self, strengths: Mapping[str, float], axis: NormalizedBands) -> None:
        # In full precision: half of it would add noise of its own to bands with a large origin.
        super().__init__(name="augmentation", trainable=False, dtype="float32")
        self._seeds = keras.random.SeedGenerator()
        self._axis = axis
        self._changes = [
            (one.change, strengths[name])
            for name, one in AUGMENTATIONS.items()
            if name in strengths
        ]

    def call(
        self,
        patches: keras.KerasTensor,
        neighbors: keras.KerasTensor | None = None,
        training: bool = False,
    ) -> keras.KerasTensor:
        """`(batch, patch, patch, bands)` -> the same; patches of neighbors alike."""
        if not training:
            return patches
        draws = RandomDraws(self._seeds, patches, neighbors)
        for change, strength in self._changes:
            patches = change(patches, strength, draws, self._axis)
        return patches


class Mixup(keras.layers.Layer):  # type: ignore[misc]
    """Mixes patches with others in training, by weights that were drawn before."""

    def __init__(self) -> None:
        super().__init__(name="mixup", trainable=False, dtype="float32")

    def call(
        self,
        patches: keras.KerasTensor,
        partners: keras.KerasTensor,
        parts: keras.KerasTensor,
        training: bool = False,
    ) -> keras.KerasTensor:
        """Patches and partners `(batch, patch, patch, bands)`, weights `(batch,)` int32."""
        if not training:
            return patches
        weight = ops.reshape(ops.cast(parts, "float32") / WEIGHT_PARTS, (-1, 1, 1, 1))
        return weight * patches + (1 - weight) * partners


Strengths = tuple[tuple[str, float], ...]


def parse_augmentations(given: Sequence[str] | Mapping[str, float]) -> dict[str, float]:
    """Strengths by name from what a user wrote, such as "noise" or "noise=0.5".

    Args:
        given: Texts `NAME` or `NAME=STRENGTH`, or strengths by name. "none" stands for strength 0
            of all names that are not given.

    Raises:
        InputError: A name or a strength is none.
    """
    pairs = (
        [(name, value) for name, value in given.items()]
        if isinstance(given, Mapping)
        else [_name_and_value(text) for text in given]
    )
    found = dict.fromkeys(AUGMENTATIONS, 0.0) if any(name == NONE for name, _ in pairs) else {}
    for name, value in pairs:
        if name == NONE:
            continue
        known = AUGMENTATIONS.known(name)
        strength = known.strength if value is None else value
        check_range(f"the strength of {name}", strength, known.limit)
        found[name] = float(strength)
    return found


def _name_and_value(text: str) -> tuple[str, float | None]:
    name, equals, value = text.partition("=")
    try:
        return name, float(value) if equals else None
    except ValueError:
        raise InputError(
            f"the strength of {name} is not a number",
            received=value or "nothing",
            allowed=f"{name}=STRENGTH, such as {name}=0.1",
        ) from None


def robust_strengths(spectral: bool, spatial: bool) -> dict[str, float]:
    """The strengths of the robust recipe.

    Args:
        spectral: Whether spectra can be changed.
        spatial: Whether there is something around a pixel.
    """
    return {
        name: one.strength
        for name, one in AUGMENTATIONS.items()
        if one.strength and (spatial if one.spatial else spectral)
    }


def in_order(strengths: Mapping[str, float]) -> Strengths:
    """Names and strengths above 0 in the order of the table, as plans keep them."""
    return tuple((name, strengths[name]) for name in AUGMENTATIONS if strengths.get(name))


def check_input(names: Iterable[str], bands: str, patch: int) -> None:
    """Refuses augmentations that this input does not have.

    Args:
        names: The augmentations that a user asks for.
        bands: Specification of the band reduction; empty for all bands.
        patch: Side of the patch in pixels.

    Raises:
        InputError: One needs bands, or pixels around, that are not there.
    """
    for name in names:
        if AUGMENTATIONS.known(name).spatial and patch == 1:
            raise InputError(
                f"{name} changes what is around a pixel",
                received=f"--augment {name} with patches of one pixel",
                remedy="leave it out, or give a larger --patch",
            )
        if not AUGMENTATIONS.known(name).spatial and bands:
            raise InputError(
                f"{name} changes the bands of a spectrum",
                received=f"--augment {name} with --bands {bands}, whose components are no bands",
                remedy="leave one of them out",
            )
