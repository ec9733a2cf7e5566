"""A network as methods see it: from patches of numbers to logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hsitf.bands.reducer import Affine
from hsitf.scenes.patches import PatchSource

if TYPE_CHECKING:
    import keras

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Projected:
    """A view through an affine reduction of bands.

    Attributes:
        affine: From normalized bands to what the inner view takes.
        inner: The network without the reduction.
    """

    affine: Affine
    inner: View


@dataclass(frozen=True, eq=False)
class View:
    """A network seen from one space of inputs.

    The numbers of a pixel have zero mean and unit deviation over the training pixels, be they
    bands or components; an input of zeros is the mean spectrum.

    Attributes:
        patches: Of the scene.
        answers: (n, patch, patch, bands) float32 -> (n, classes) float32 logits.
        network: The same as a Keras network, to be differentiated; None of a file.
        step: Half the distance between two inputs of a finite difference, in deviations.
        through: How it is made of an inner view; None where it is not.
    """

    patches: PatchSource
    answers: Callable[[Floats], Floats]
    network: keras.Model | None = None
    step: float = 0.0
    through: Projected | None = None

    def differentiable(self) -> keras.Model:
        """The network to be differentiated.

        Raises:
            ValueError: The view is of a file; see `methods.check`.
        """
        if self.network is None:
            raise ValueError("a file has no gradients")
        return self.network
