"""Nearest neighbors: one, and as many as are best on the validation pixels."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.zoo._baselines.blocks import dense, distances, spectrum_input, step
from hsitf.zoo._baselines.data import BaselineData

# Numbers of neighbors that the field's toolbox searches.
_COUNTS = (1, 3, 5, 10, 20)
# Further than any squared distance of normalized spectra.
_FAR = 1e12
_BLOCK = 512


def fit_nearest(data: BaselineData) -> keras.Model:
    """The class of the nearest training pixel: a logit is less the nearest of the class is far."""
    inputs, spectrum = spectrum_input(data)
    logits = []
    for label in range(data.num_classes):
        members = data.spectra[data.classes == label]
        # A class without training pixels is far away.
        members = members if len(members) else np.full((1, members.shape[1]), 1e3, np.float32)
        near = distances(spectrum, members, f"class{label}")
        logits.append(ops.max(-1.0 * near, axis=1, keepdims=True))
    return keras.Model(inputs, layers.Concatenate(name="logits")(logits))


def fit_knn(data: BaselineData) -> keras.Model:
    """The class that most of the k nearest training pixels have; a logit is its number of votes.

    k is the best on the validation pixels, the smallest of several. Training pixels at exactly the
    same distance are neighbors together, and count as one of the k.
    """
    return knn_network(data, _best_count(data))


def knn_network(data: BaselineData, count: int) -> keras.Model:
    """The network of `count` neighbors.

    The distance of each next neighbor is the least of those that are further than the last one's.
    """
    inputs, spectrum = spectrum_input(data)
    near = -1.0 * distances(spectrum, data.spectra, "neighbor")
    limit = ops.max(near, axis=1, keepdims=True)
    for _ in range(count - 1):
        taken = 1.0 - step(limit - near)
        limit = ops.max(near - _FAR * taken, axis=1, keepdims=True)
    # 1 where a pixel is further away than the last neighbor: votes are all less theirs.
    votes = _votes(data)
    logits = dense(step(limit - near), -votes, votes.sum(axis=0), "logits")
    return keras.Model(inputs, logits)


def _votes(data: BaselineData) -> Float32Array:
    """(n, classes) float32: the vote of each training pixel for its class."""
    votes = np.zeros((len(data.classes), data.num_classes), np.float32)
    votes[np.arange(len(data.classes)), data.classes] = 1.0
    if not data.class_weights:
        return votes
    counts = votes.sum(axis=0)
    present = np.count_nonzero(counts)
    return np.asarray(votes * (len(votes) / (present * np.maximum(counts, 1.0))), np.float32)


def _best_count(data: BaselineData) -> int:
    counts = [count for count in _COUNTS if count <= len(data.spectra)]
    votes = _votes(data)
    spectra = data.spectra.astype(np.float64)
    squares = (spectra**2).sum(axis=1)
    predicted: dict[int, list[NDArray[np.int64]]] = {count: [] for count in counts}
    for start in range(0, len(data.validation_spectra), _BLOCK):
        block = data.validation_spectra[start : start + _BLOCK].astype(np.float64)
        order = np.argsort(squares - 2 * block @ spectra.T, axis=1, kind="stable")
        for count, found in predicted.items():
            found.append(votes[order[:, :count]].sum(axis=1).argmax(axis=1))
    return max(counts, key=lambda count: data.accuracy(np.concatenate(predicted[count])))
