"""How sparse a network is, and what that is worth on disk."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Sparsity:
    """What is left of a network's weights.

    Both sizes are of .npz files with all weights of the Keras network as float32, statistics of
    normalizations included, nothing else (some 250 bytes of header a tensor). A zero takes four
    bytes of the plain one; only what deflate makes of it is smaller.

    Attributes:
        parameters: Weights of the network.
        nonzero: Those that are not zero.
        bytes: Of the weights in a plain .npz.
        bytes_deflated: Of the weights in a .npz compressed with deflate.
    """

    parameters: int
    nonzero: int
    bytes: int
    bytes_deflated: int

    @property
    def zeros(self) -> float:
        """Share of the weights that are zero."""
        return 1 - self.nonzero / self.parameters

    @classmethod
    def of(cls, model: keras.Model) -> Sparsity:
        """Counts a network's weights and writes them, in memory, to see what they take."""
        weights = [np.asarray(weight, np.float32) for weight in model.get_weights()]
        sizes = []
        for save in (np.savez, np.savez_compressed):
            stream = io.BytesIO()
            save(stream, *weights)
            sizes.append(stream.tell())
        return cls(
            parameters=sum(weight.size for weight in weights),
            nonzero=sum(int(np.count_nonzero(weight)) for weight in weights),
            bytes=sizes[0],
            bytes_deflated=sizes[1],
        )
