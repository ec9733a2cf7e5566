"""A random forest, written down as a network.

Every tree is three steps: one comparison of a band with a threshold a split; one leaf that is 1
where all splits on its path go its way, else 0; and the shares of the classes in that leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from hsitf.arrays import Float32Array
from hsitf.zoo._baselines.blocks import dense, spectrum_input, step
from hsitf.zoo._baselines.data import BaselineData

# Which bounds the network: the leaves of a tree are compared with all of its splits.
TREES, MAX_LEAVES = 100, 256


@dataclass(frozen=True, eq=False)
class _Tree:
    """A tree as matrices.

    Attributes:
        bands: (bands, splits) float32: 1 where a split reads a band.
        thresholds: (splits,) float32: a spectrum goes right where its band is above.
        paths: (splits, leaves) float32: 1 where a leaf lies to the right, -1 to the left.
        turns: (leaves,) float32: number of splits at which a leaf lies to the right.
        shares: (leaves, classes) float32 shares of the classes.
    """

    bands: Float32Array
    thresholds: Float32Array
    paths: Float32Array
    turns: Float32Array
    shares: Float32Array


def fit_random_forest(data: BaselineData) -> keras.Model:
    """Trees of samples with replacement, each split the best of `sqrt(bands)` bands drawn anew.

    A logit is the mean share of a class in the leaves. As scikit-learn does it, but that a tree
    has at most `MAX_LEAVES` leaves, the most useful splits first.
    """
    from sklearn.ensemble import RandomForestClassifier

    found = RandomForestClassifier(
        TREES,
        max_leaf_nodes=MAX_LEAVES,
        class_weight=data.sklearn_class_weight,
        random_state=data.seed,
    )
    found.fit(data.spectra, data.classes)
    classes = found.classes_.astype(np.int64)
    trees = [_matrices(one.tree_, classes, data) for one in found.estimators_]
    inputs, spectrum = spectrum_input(data)
    above = step(
        dense(
            spectrum,
            np.concatenate([tree.bands for tree in trees], axis=1),
            -np.concatenate([tree.thresholds for tree in trees]),
            "splits",
        )
    )
    leaves, start = [], 0
    for number, tree in enumerate(trees):
        end = start + len(tree.thresholds)
        # Each split that goes the other way takes 1 away.
        path = dense(above[:, start:end], tree.paths, 1.0 - tree.turns, f"tree{number}")
        leaves.append(ops.relu(path))
        start = end
    shares = (np.concatenate([tree.shares for tree in trees]) / len(trees)).astype(np.float32)
    whole = layers.Concatenate(name="leaves")(leaves)
    nothing = np.zeros(data.num_classes, np.float32)
    return keras.Model(inputs, dense(whole, shares, nothing, "logits"))


def _matrices(tree: Any, classes: Any, data: BaselineData) -> _Tree:
    """The matrices of one of scikit-learn's trees.

    Args:
        tree: Arrays by node: children, the band and threshold of a split, the shares of classes.
        classes: Class of the scene, from 0, of each class that the tree knows.
        data: What it was fitted to.
    """
    left, right = tree.children_left, tree.children_right
    splits, ends = np.flatnonzero(left >= 0), np.flatnonzero(left < 0)
    # A tree of one leaf asks nothing; one split that nothing depends on keeps the shapes.
    count = max(1, len(splits))
    bands = np.zeros((data.spectra.shape[1], count), np.float32)
    thresholds = np.zeros(count, np.float32)
    paths = np.zeros((count, len(ends)), np.float32)
    if len(splits):
        bands[tree.feature[splits], np.arange(count)] = 1.0
        thresholds = _rounded_down(tree.threshold[splits])
    position = {node: column for column, node in enumerate(splits.tolist())}
    leaf = {node: column for column, node in enumerate(ends.tolist())}
    waiting: list[tuple[int, list[tuple[int, float]]]] = [(0, [])]
    while waiting:
        node, path = waiting.pop()
        if node in leaf:
            for column, side in path:
                paths[column, leaf[node]] = side
            continue
        here = position[node]
        waiting.append((int(left[node]), [*path, (here, -1.0)]))
        waiting.append((int(right[node]), [*path, (here, 1.0)]))
    shares = np.zeros((len(ends), data.num_classes), np.float32)
    values = tree.value[ends, 0]
    shares[:, classes] = values / values.sum(axis=1, keepdims=True)
    turns = (paths > 0).sum(axis=0).astype(np.float32)
    return _Tree(bands, thresholds, paths, turns, shares)


def _rounded_down(thresholds: Any) -> Float32Array:
    """Thresholds as float32: a float32 number is above one where it is above the original."""
    rounded = thresholds.astype(np.float32)
    below = np.nextafter(rounded, np.float32(-np.inf))
    return np.asarray(np.where(rounded > thresholds, below, rounded), np.float32)
