"""What turns the bands of a pixel into fewer numbers, once it is fitted.

A reducer maps normalized spectra to components of zero mean over the training pixels, and of a
deviation that `scale` decides on. It consists of arrays only, so that it is saved without pickle
and can be read safely from others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.errors import DataError, InputError

Arrays = dict[str, NDArray[np.generic]]

# Spectra that are reduced at a time: 100 MB of 200 bands in float64.
BLOCK = 65_536


class BandTransform(Protocol):
    """How spectra are reduced."""

    def apply(self, spectra: Float32Array) -> Float32Array:
        """(n, bands) float32 to (n, components) float32."""

    def arrays(self) -> Arrays:
        """The arrays it consists of, as they are saved (`stored`)."""


@dataclass(frozen=True, eq=False)
class AffineProjection:
    """`spectra @ matrix + offset`.

    Attributes:
        matrix: (bands, components) float32.
        offset: (components,) float32.
    """

    matrix: Float32Array
    offset: Float32Array

    def apply(self, spectra: Float32Array) -> Float32Array:
        """The components of spectra."""
        return np.asarray(spectra @ self.matrix + self.offset, np.float32)

    def arrays(self) -> Arrays:
        """Matrix and offset."""
        return {"matrix": self.matrix, "offset": self.offset}


@dataclass(frozen=True, eq=False)
class BandSelection:
    """Some of the bands as they are.

    Attributes:
        bands: Their numbers from 0, ascending.
    """

    bands: NDArray[np.int64]

    def apply(self, spectra: Float32Array) -> Float32Array:
        """Those bands of spectra."""
        return np.ascontiguousarray(spectra[:, self.bands])

    def arrays(self) -> Arrays:
        """Their numbers."""
        return {"bands": self.bands}


@dataclass(frozen=True, eq=False)
class DenseEncoder:
    """Dense layers, one after another: an encoder.

    Attributes:
        kernels: (in, out) float32 each.
        biases: (out,) float32 each.
        activation: Activation of all layers but the last: relu.
    """

    kernels: tuple[Float32Array, ...]
    biases: tuple[Float32Array, ...]

    def apply(self, spectra: Float32Array) -> Float32Array:
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
class RefittedTransform:
    """A technique without arrays of its own: fitted again to the spectra it was fitted to.

    Attributes:
        technique: Name of the technique.
        components: Number of components.
        seed: Seed of the fit.
        spectra: (n, bands) float32, the spectra it was fitted to.
        expected: (m, components) float32, the components of the first of them, to detect another
            version or machine that fits differently.
        refit: Fits the technique, and returns the transformation.
    """

    technique: str
    components: int
    seed: int
    spectra: Float32Array
    expected: Float32Array
    refit: Callable[[Float32Array, int, int], Callable[[Float32Array], Float32Array]] = field(
        repr=False
    )

    @cached_property
    def _transform(self) -> Callable[[Float32Array], Float32Array]:
        transform = self.refit(self.spectra, self.components, self.seed)
        received = transform(self.spectra[: len(self.expected)])
        if not np.allclose(received, self.expected, rtol=1e-2, atol=1e-2 * np.abs(received).max()):
            raise DataError(
                f"{self.technique} does not fit again as it was fitted",
                received=f"components that differ by {np.abs(received - self.expected).max():.1e}",
                allowed="the same but for rounding",
                remedy="use the versions in the run's record, or train again",
            )
        return transform

    def apply(self, spectra: Float32Array) -> Float32Array:
        """The components of spectra."""
        return np.asarray(self._transform(spectra), np.float32)

    def arrays(self) -> Arrays:
        """All but the function."""
        return {
            "technique": np.array(self.technique),
            "components": np.array(self.components),
            "seed": np.array(self.seed),
            "spectra": self.spectra,
            "answers": self.expected,
        }


@dataclass(frozen=True, eq=False)
class TrainingEmbedding:
    """Components of exactly the spectra that were fitted to.

    Attributes:
        components: (n, components) float32, in the order of the spectra.
    """

    components: Float32Array

    def apply(self, spectra: Float32Array) -> Float32Array:
        """The components of exactly the spectra it was fitted to: other spectra have none."""
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
        spec: Specification as given by the user, such as "pca:30".
        bands: Number of input bands.
        components: Number of components.
        transform: The fitted transformation.
        scale: (components,) What components are divided by: their standard deviation over the
            training pixels where they are whitened; 1 for selected bands.
        shift: (components,) What is subtracted from components before: their mean over the training
            pixels; 0 for selected bands.
        remark: A caveat that every reader of the results needs to know; empty for none.
    """

    spec: str
    bands: int
    components: int
    transform: BandTransform
    scale: Float32Array
    shift: Float32Array
    remark: str = ""

    def apply(self, spectra: Float32Array) -> Float32Array:
        """Reduces spectra.

        Args:
            spectra: (n, bands) float32, normalized.

        Returns:
            (n, components) float32.
        """
        if not self.is_pixelwise:
            return (self.transform.apply(spectra) - self.shift) / self.scale
        blocks = [
            (self.transform.apply(spectra[start : start + BLOCK]) - self.shift) / self.scale
            for start in range(0, len(spectra), BLOCK)
        ]
        return np.concatenate(blocks) if blocks else np.empty((0, self.components), np.float32)

    @property
    def is_pixelwise(self) -> bool:
        """Whether a pixel's components follow from its bands alone."""
        return not isinstance(self.transform, TrainingEmbedding)

    @property
    def foldable(self) -> bool:
        """Whether it can be written as layers in front of a network."""
        return isinstance(self.transform, AffineProjection | BandSelection | DenseEncoder)

    @property
    def selected(self) -> tuple[int, ...]:
        """Indices of the selected bands; empty where bands are combined."""
        return (
            tuple(self.transform.bands.tolist())
            if isinstance(self.transform, BandSelection)
            else ()
        )

    @property
    def affine(self) -> AffineProjection | None:
        """The whole reduction as one affine projection; None where it is not affine."""
        if isinstance(self.transform, AffineProjection):
            return AffineProjection(
                np.asarray(self.transform.matrix / self.scale, np.float32),
                np.asarray((self.transform.offset - self.shift) / self.scale, np.float32),
            )
        if isinstance(self.transform, BandSelection):
            matrix = np.zeros((self.bands, self.components), np.float32)
            matrix[self.transform.bands, np.arange(self.components)] = 1 / self.scale
            return AffineProjection(matrix, np.asarray(-self.shift / self.scale, np.float32))
        return None
