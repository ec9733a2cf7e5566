"""What a technique of band reduction is: a row of the tables in this folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.bands.reducer import Floats, Map


@dataclass(frozen=True, eq=False)
class Sample:
    """What a reduction is fitted to.

    Attributes:
        spectra: (n, bands) float32, normalized: the training pixels. For techniques of study
            only, all pixels of the scene.
        classes: (n,) int32 from 0; empty where the technique is for study only.
        seed: Of whatever is drawn.
    """

    spectra: Floats
    classes: NDArray[np.int32]
    seed: int

    @property
    def bands(self) -> int:
        """Bands of a spectrum."""
        return int(self.spectra.shape[1])


def all_bands(sample: Sample) -> int:
    """As many components as there are bands."""
    return sample.bands


@dataclass(frozen=True, eq=False)
class Technique:
    """One way to reduce bands.

    Attributes:
        fit: From a sample and a number of components to a map.
        most: The most components it can give.
        limit: Why not more, for the message.
        fusable: Whether the reduction is affine, or of dense layers, and so can go into an
            exported file.
        study: Whether it cannot transform pixels that it has not seen, so that it is fitted to
            the whole scene, test pixels included.
        remark: What everyone who reads its results has to know.
        refit: For those without arrays of their own, see `reducer.Refitted`.
    """

    fit: Callable[[Sample, int], Map]
    most: Callable[[Sample], int] = all_bands
    limit: str = "one a band"
    fusable: bool = True
    study: bool = False
    remark: str = ""
    refit: Callable[[Floats, int, int], Callable[[Floats], Floats]] | None = None
