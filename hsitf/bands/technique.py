"""What a technique of band reduction is: a row of the tables in this folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.bands.reducer import BandTransform
from hsitf.errors import InputError


@dataclass(frozen=True, eq=False)
class TrainingSpectra:
    """What a reduction is fitted to.

    Attributes:
        spectra: (n, bands) float32, normalized spectra of the training pixels. For transductive
            techniques, of all pixels of the scene.
        classes: (n,) int32 from 0; empty for transductive techniques.
        seed: Seed of all random numbers.
    """

    spectra: Float32Array
    classes: NDArray[np.int32]
    seed: int

    @property
    def bands(self) -> int:
        """Bands of a spectrum."""
        return int(self.spectra.shape[1])


def all_bands(sample: TrainingSpectra) -> int:
    """As many components as there are bands."""
    return sample.bands


@dataclass(frozen=True, eq=False)
class ReductionTechnique:
    """One way to reduce bands.

    Attributes:
        fit: From a sample and a number of components to a transformation.
        max_components: The largest number of components.
        limit: Reason of this limit, for the message.
        foldable: Whether the reduction is affine, or consists of dense layers, and so can be folded
            into an exported file.
        transductive: Whether it cannot transform unseen pixels, so that it is fitted to the whole
            scene, test pixels included.
        remark: A caveat that every reader of its results needs to know.
        meaningful_scale: Whether the deviations of its components say how much of the spectra each
            holds, as those of principal components do. The weaker ones then stay weaker, unless
            they are whitened; all others have unit deviation.
        refit: For techniques without arrays of their own, see `reducer.RefittedTransform`.
        required_package: Package that it needs, of hsitf's extra of the same name; empty where
            none.
    """

    fit: Callable[[TrainingSpectra, int], BandTransform]
    max_components: Callable[[TrainingSpectra], int] = all_bands
    limit: str = "one a band"
    foldable: bool = True
    transductive: bool = False
    remark: str = ""
    meaningful_scale: bool = False
    refit: Callable[[Float32Array, int, int], Callable[[Float32Array], Float32Array]] | None = None
    required_package: str = ""

    def check_package(self, name: str) -> None:
        """Refuses a technique whose package is not installed.

        Args:
            name: Name of the technique.

        Raises:
            InputError: It is not.
        """
        if self.required_package and find_spec(self.required_package) is None:
            raise package_missing(name, self.required_package)


def package_missing(technique: str, package: str) -> InputError:
    """The refusal of a technique whose package is not installed."""
    return InputError(
        f"{technique} needs a package that is not installed",
        remedy=f"install it: pip install 'hsitf[{package}]'",
    )
