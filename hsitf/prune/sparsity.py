"""Sparsity of a network, and the size of its compressed weights."""

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

    Both sizes are those of .npz files with all weights of the Keras network as float32, statistics
    of normalizations included, and nothing else (about 250 bytes of header per tensor). A zero
    takes four bytes in the plain file; only deflate makes it smaller.

    Attributes:
        parameters: Weights of the network.
        nonzero: Number of weights that are not zero.
        bytes: Bytes of the weights in a plain .npz.
        bytes_deflated: Bytes of the weights in a .npz compressed with deflate.
    """

    parameters: int
    nonzero: int
    bytes: int
    bytes_deflated: int

    @property
    def zero_share(self) -> float:
        """Share of the weights that are zero."""
        return 1 - self.nonzero / self.parameters

    @classmethod
    def of(cls, model: keras.Model) -> Sparsity:
        """Counts a network's weights and measures their files in memory."""
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
