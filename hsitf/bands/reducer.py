"""What turns the bands of a pixel into fewer numbers, once it is fitted.

A reducer takes normalized spectra and gives components of zero mean and unit deviation over the
training pixels. It is made of arrays alone, so that it is saved without pickle and read from
strangers without harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError

Floats = NDArray[np.float32]
Arrays = dict[str, NDArray[np.generic]]

# Spectra that are reduced at a time: 100 MB of 200 bands in float64.
BLOCK = 65_536


class Map(Protocol):
    """How spectra are reduced."""

    def apply(self, spectra: Floats) -> Floats:
        """(n, bands) float32 to (n, components) float32."""

    def arrays(self) -> Arrays:
        """What it is made of, and is saved as (`stored`)."""


@dataclass(frozen=True, eq=False)
class Affine:
    """`spectra @ matrix + offset`.

    Attributes:
        matrix: (bands, components) float32.
        offset: (components,) float32.
    """

    matrix: Floats
    offset: Floats

    def apply(self, spectra: Floats) -> Floats:
        """The components of spectra."""
        return np.asarray(spectra @ self.matrix + self.offset, np.float32)

    def arrays(self) -> Arrays:
        """Matrix and offset."""
        return {"matrix": self.matrix, "offset": self.offset}


@dataclass(frozen=True, eq=False)
class Chosen:
    """Some of the bands as they are.

    Attributes:
        bands: Their numbers from 0, ascending.
    """

    bands: NDArray[np.int64]

    def apply(self, spectra: Floats) -> Floats:
        """Those bands of spectra."""
        return np.ascontiguousarray(spectra[:, self.bands])

    def arrays(self) -> Arrays:
        """Their numbers."""
        return {"bands": self.bands}


@dataclass(frozen=True, eq=False)
class Stack:
    """Dense layers, one after another: an encoder.

    Attributes:
        kernels: (in, out) float32 each.
        biases: (out,) float32 each.
        activation: Of all but the last: relu.
    """

    kernels: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    def apply(self, spectra: Floats) -> Floats:
        """What leaves the last layer, which is linear."""
        x = spectra
        for number, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True), 1):
            x = x @ kernel + bias
            if number < len(self.kernels):
                x = np.maximum(x, 0)
        return np.asarray(x, np.float32)

    def arrays(self) -> Arrays:
        """Kernels and biases by number."""
        named: Arrays = {f"kernel{n}": kernel for n, kernel in enumerate(self.kernels)}
        return named | {f"bias{n}": bias for n, bias in enumerate(self.biases)}


@dataclass(frozen=True, eq=False)
class Refitted:
    """A technique without arrays of its own: fitted again to the spectra it was fitted to.

    Attributes:
        technique: Its name.
        components: How many.
        seed: That it was fitted with.
        spectra: (n, bands) float32, what it was fitted to.
        answers: (m, components) float32, what it made of the first of them, so that another
            version or machine that fits otherwise is found out.
        refit: Fits it, and returns what transforms.
    """

    technique: str
    components: int
    seed: int
    spectra: Floats
    answers: Floats
    refit: Callable[[Floats, int, int], Callable[[Floats], Floats]] = field(repr=False)

    @cached_property
    def _transform(self) -> Callable[[Floats], Floats]:
        transform = self.refit(self.spectra, self.components, self.seed)
        received = transform(self.spectra[: len(self.answers)])
        if not np.allclose(received, self.answers, rtol=1e-2, atol=1e-2 * np.abs(received).max()):
            raise DataError(
                f"{self.technique} does not fit again as it was fitted",
                received=f"components that differ by {np.abs(received - self.answers).max():.1e}",
                allowed="the same but for rounding",
                remedy="use the versions in the run's record, or train again",
            )
        return transform

    def apply(self, spectra: Floats) -> Floats:
        """The components of spectra."""
        return np.asarray(self._transform(spectra), np.float32)

    def arrays(self) -> Arrays:
        """All but the function."""
        return {
            "technique": np.array(self.technique),
            "components": np.array(self.components),
            "seed": np.array(self.seed),
            "spectra": self.spectra,
            "answers": self.answers,
        }


@dataclass(frozen=True, eq=False)
class Embedded:
    """Components of exactly the spectra that were fitted to.

    Attributes:
        components: (n, components) float32, in their order.
    """

    components: Floats

    def apply(self, spectra: Floats) -> Floats:
        """The components, for as many spectra as were fitted to: others have none."""
        if len(spectra) != len(self.components):
            raise InputError(
                "this reduction of bands knows only the pixels it was fitted to",
                received=f"{len(spectra)} pixels",
                allowed=f"the {len(self.components)} of its scene",
                remedy="reduce the bands otherwise, with pca:30 for example",
            )
        return self.components

    def arrays(self) -> Arrays:
        """The components."""
        return {"components": self.components}


@dataclass(frozen=True, eq=False)
class Reducer:
    """A fitted reduction of bands.

    Attributes:
        text: As a user writes it, such as "pca:30".
        bands: How many enter.
        components: How many leave.
        map: How.
        scale: (components,) and `shift`: the deviation and the mean over the training pixels
            of what the map gives, which are divided by and taken away; 1 and 0 for bands.
        remark: What everyone who reads its results has to know; empty where nothing.
    """

    text: str
    bands: int
    components: int
    map: Map
    scale: Floats
    shift: Floats
    remark: str = ""

    def apply(self, spectra: Floats) -> Floats:
        """Reduces spectra.

        Args:
            spectra: (n, bands) float32, normalized.

        Returns:
            (n, components) float32.
        """
        if not self.by_pixel:
            return (self.map.apply(spectra) - self.shift) / self.scale
        blocks = [
            (self.map.apply(spectra[start : start + BLOCK]) - self.shift) / self.scale
            for start in range(0, len(spectra), BLOCK)
        ]
        return np.concatenate(blocks) if blocks else np.empty((0, self.components), np.float32)

    @property
    def by_pixel(self) -> bool:
        """Whether a pixel's components follow from its bands alone."""
        return not isinstance(self.map, Embedded)

    @property
    def fusable(self) -> bool:
        """Whether it can be written as layers in front of a network."""
        return isinstance(self.map, Affine | Chosen | Stack)

    @property
    def chosen(self) -> tuple[int, ...]:
        """Numbers of the bands that are taken as they are; empty where they are combined."""
        return tuple(self.map.bands.tolist()) if isinstance(self.map, Chosen) else ()

    @property
    def affine(self) -> Affine | None:
        """The whole as one affine map; None where it is none."""
        if isinstance(self.map, Affine):
            return Affine(
                np.asarray(self.map.matrix / self.scale, np.float32),
                np.asarray((self.map.offset - self.shift) / self.scale, np.float32),
            )
        if isinstance(self.map, Chosen):
            matrix = np.zeros((self.bands, self.components), np.float32)
            matrix[self.map.bands, np.arange(self.components)] = 1 / self.scale
            return Affine(matrix, np.asarray(-self.shift / self.scale, np.float32))
        return None
