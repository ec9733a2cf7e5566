"""Weight clustering: all weights of a kernel share a few values, its codebook.

Han, Mao, Dally (Deep compression: compressing deep neural networks with pruning, trained
quantization and Huffman coding, ICLR 2016): k-means over the weights of each layer, centers spread
evenly at the start, then the shared values are trained. Zeros of a pruned kernel are a value of
their own and stay zero. A file that deflates weights needs fewer bytes for few values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.prune.sparse import MaskConstraint
from hsitf.prune.weights import prunable_weights

# Lloyd's iterations in one dimension converge within tens.
_MOST_ITERATIONS = 300


@dataclass(frozen=True, eq=False)
class Codebook:
    """The values that the weights of a kernel share.

    Attributes:
        values: (k,) float32, ascending; the value 0 stays 0.
        indices: For each weight, in the tensor's shape, the index of its value, int32.
    """

    values: NDArray[np.float32]
    indices: NDArray[np.int32]

    @property
    def weights(self) -> NDArray[np.float32]:
        """The kernel whose weights have the shared values."""
        return self.values[self.indices]


def make_codebooks(model: keras.Model, count: int) -> tuple[dict[str, Codebook], list[str]]:
    """The codebook of each kernel of a network; biases have none.

    Args:
        model: The network.
        count: Values of a codebook, zero among them where a kernel has zeros; 2 or more.

    Returns:
        The codebooks by path of the kernel, and the paths of those kernels that have no more than
        `count` distinct values: their codebook is these values, as they are.

    Raises:
        InputError: No kernel of the network has more distinct values.
    """
    found, few = {}, []
    most = 0
    for path, weight in prunable_weights(model).items():
        if weight.variable.name == "bias":
            continue
        weights = np.asarray(weight.variable)
        found[path] = codebook_of(weights, count)
        distinct = len(np.unique(weights))
        most = max(most, distinct)
        if distinct <= count:
            few.append(path)
    if len(few) == len(found):
        raise InputError(
            "the codebook is larger than the distinct values of every kernel",
            received=f"--cluster {count}",
            allowed=f"2 to {most - 1}" if most > 2 else "nothing: the kernels have two values each",
            remedy="give fewer values" if most > 2 else "leave --cluster out",
        )
    return found, few


def codebook_of(weights: NDArray[np.float32], count: int) -> Codebook:
    """The codebook of one kernel by k-means.

    Args:
        weights: The kernel, of any shape.
        count: Values of the codebook at most, zero among them where there are zeros.
    """
    flat = weights.ravel()
    distinct = np.unique(flat)
    if len(distinct) > count:
        has_zeros = bool((flat == 0).any())
        centers = _cluster_centers(np.sort(flat[flat != 0]), count - has_zeros)
        distinct = np.unique(np.append(centers, 0.0) if has_zeros else centers).astype(np.float32)
    between = (distinct[:-1].astype(np.float64) + distinct[1:]) / 2
    indices = np.searchsorted(between, flat, side="right").astype(np.int32)
    if (zero := np.flatnonzero(distinct == 0)).size:
        # What was not removed stays apart from what was, however close to zero it is.
        near = (indices == zero[0]) & (flat != 0)
        others = np.delete(np.arange(len(distinct)), zero[0])
        nearest = np.abs(flat[near, None] - distinct[None, others]).argmin(axis=1)
        indices[near] = others[nearest]
    return Codebook(distinct, indices.reshape(weights.shape))


def _cluster_centers(ordered: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """Centers of the clusters of ascending values; fewer than `count` where some stay empty.

    Lloyd's iterations from centers that are spread evenly over the range, which Deep Compression
    found best: large weights are few and matter.
    """
    values = ordered.astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    centers = np.linspace(values[0], values[-1], count) if count > 1 else values[:1]
    before = np.zeros(0, np.int64)
    for _ in range(_MOST_ITERATIONS):
        edges = np.searchsorted(values, (centers[:-1] + centers[1:]) / 2, side="right")
        edges = np.concatenate([[0], edges, [len(values)]])
        if np.array_equal(edges, before):
            break
        before, sizes = edges, np.diff(edges)
        # An empty cluster keeps its center.
        centers = np.where(sizes > 0, np.diff(sums[edges]) / np.maximum(sizes, 1), centers)
    return np.asarray(centers[np.diff(before) > 0])


@contextmanager
def shared_weights(model: keras.Model, codebooks: Mapping[str, Codebook]) -> Iterator[None]:
    """Gives kernels their shared values, and lets training change only these inside the block.

    After every update of the optimizer, the weights of a cluster take their mean: the step of each
    codebook value is the mean step of its weights, the projection of the update on what shares
    values. Zeros stay zero, those of biases, too. The network's own constraints are applied first;
    they alone remain after the block.
    """
    variables = {path: weight.variable for path, weight in prunable_weights(model).items()}
    own = {path: variable.constraint for path, variable in variables.items()}
    try:
        for path, variable in variables.items():
            if path in codebooks:
                variable.assign(codebooks[path].weights)
                variable.constraint = _SharedValues(codebooks[path], own[path])
            else:
                variable.constraint = MaskConstraint(np.asarray(variable) != 0, own[path])
        yield
    finally:
        for path, variable in variables.items():
            variable.constraint = own[path]


class _SharedValues:
    """The constraint of a kernel whose weights share values."""

    def __init__(self, codebook: Codebook, own: Callable[[Any], Any] | None) -> None:
        counts = np.bincount(codebook.indices.ravel(), minlength=len(codebook.values))
        shares = np.where(codebook.values == 0, 0.0, 1 / np.maximum(counts, 1))
        self._shape = codebook.indices.shape
        self._indices = ops.convert_to_tensor(codebook.indices.ravel())
        self._shares = ops.convert_to_tensor(shares.astype(np.float32))
        self._count, self._own = len(codebook.values), own

    def __call__(self, value: Any) -> Any:
        free = ops.convert_to_tensor(self._own(value) if self._own else value)
        sums = ops.segment_sum(ops.reshape(free, (-1,)), self._indices, self._count)
        return ops.reshape(ops.take(sums * self._shares, self._indices), self._shape)
