"""A network as explanation methods use it: from patches to logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hsitf.arrays import Float32Array
from hsitf.bands.reducer import AffineProjection
from hsitf.scenes.patches import PatchSource

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class ProjectedView:
    """A view through an affine reduction of bands.

    Attributes:
        projection: Map from normalized bands to the inputs of the inner view.
        inner: The network without the reduction.
    """

    projection: AffineProjection
    inner: NetworkView


@dataclass(frozen=True, eq=False)
class NetworkView:
    """A network with one kind of inputs: bands or components.

    The numbers of a pixel have zero mean and unit deviation over the training pixels, be they
    bands or components; an input of zeros is the mean spectrum.

    Attributes:
        patches: Patches of the scene.
        logits: (n, patch, patch, bands) float32 -> (n, classes) float32 logits.
        network: The same as a Keras network, to be differentiated; None of a file.
        difference_step: Half the distance between two inputs of a finite difference, in standard
            deviations.
        projection: Projection to an inner view; None for a view without one.
    """

    patches: PatchSource
    logits: Callable[[Float32Array], Float32Array]
    network: keras.Model | None = None
    difference_step: float = 0.0
    projection: ProjectedView | None = None

    def require_network(self) -> keras.Model:
        """The network to be differentiated.

        Raises:
            ValueError: The view belongs to a file; see `methods.check`.
        """
        if self.network is None:
            raise ValueError("a file has no gradients")
        return self.network
