"""Augmentations by name: how training patches are changed, each with a strength.

Every augmentation is one function in `AUGMENTATIONS`, `(patches, strength, draws, axis)` ->
patches, of normalized patches `(batch, patch, patch, bands)` float32, or `(strength, draws, axis)`
-> `BandAffine`. They run inside the compiled
step of every backend, in the order of the table, with random numbers of one generator whose state
is saved with the run, so that an interrupted run resumes with the very next number.
`NormalizedBands` says how they are expressed in normalized units. A gain of light supposes that 0
in the sensor's units is no light.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import keras

from hsitf.errors import InputError
from hsitf.registry import Registry
from hsitf.train.normalized_bands import NormalizedBands
from hsitf.train.random_draws import BandAffine, RandomDraws
from hsitf.train.spatial_augmentations import border, center
from hsitf.train.spectral_augmentations import (
    brightness,
    curvature,
    missing_bands,
    missing_block,
    neighbor,
    noise,
    shift,
    slope,
)
from hsitf.zoo._facts import check_range

# What a user writes in place of a name to begin without any.
NONE = "none"
# The augmentation that needs the patch of another pixel beside each.
NEIGHBOR = "neighbor"


Change = Callable[[keras.KerasTensor, float, RandomDraws, NormalizedBands], keras.KerasTensor]
BandChange = Callable[[float, RandomDraws, NormalizedBands], BandAffine]


@dataclass(frozen=True)
class Augmentation:
    """One way to change training patches.

    Attributes:
        change: The function.
        strength: The strength of a name without a number.
        limit: The largest strength; the least is 0, which leaves patches as they are.
        spatial: Whether it changes what is around a pixel, and so needs patches of several pixels;
            else it changes spectra, and needs bands that are not reduced.
        band_change: The function in place of `change`, where it changes each band alike.
        robust: Whether the robust recipe has it, with that strength.
    """

    change: Change | None
    strength: float
    limit: float
    spatial: bool = False
    band_change: BandChange | None = None
    robust: bool = False


# Those of the robust recipe are what raised the validation accuracy on separate regions of real
# scenes. Changes of light, shifts and missing bands lowered it there, where all light is the same:
# they are for networks that meet another day, flight or sensor.
AUGMENTATIONS: Registry[Augmentation] = Registry(
    "augmentation",
    {
        NEIGHBOR: Augmentation(neighbor, 0.2, 0.5, robust=True),
        "brightness": Augmentation(None, 0.02, 0.9, band_change=brightness),
        "slope": Augmentation(None, 0.02, 0.9, band_change=slope),
        "curvature": Augmentation(None, 0.01, 0.9, band_change=curvature),
        "shift": Augmentation(shift, 0.5, 1.0),
        "noise": Augmentation(noise, 1.0, 100.0, robust=True),
        "missing-bands": Augmentation(None, 0.05, 0.9, band_change=missing_bands),
        "missing-block": Augmentation(None, 0.1, 0.9, band_change=missing_block),
        "border": Augmentation(border, 0.5, 1.0, spatial=True, robust=True),
        "center": Augmentation(center, 0.1, 1.0, spatial=True, robust=True),
    },
)


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
        if one.robust and (spatial if one.spatial else spectral)
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
