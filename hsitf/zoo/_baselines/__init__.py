"""Baselines: support vector machines, linear machines, nearest neighbors, a random forest.

scikit-learn fits them to the spectra of the training pixels; what it finds is written down as a
Keras network of standard layers, so that a baseline is saved, loaded, verified and exported like
any network, and no pickle is needed.
"""

from __future__ import annotations

from collections.abc import Callable

import keras

from hsitf.graph import name_operations
from hsitf.zoo import Network, Recipe
from hsitf.zoo._baselines.data import BaselineData
from hsitf.zoo._baselines.forest import fit_random_forest
from hsitf.zoo._baselines.machines import fit_sgd, fit_svm, fit_svm_grid
from hsitf.zoo._baselines.neighbors import fit_knn, fit_nearest

__all__ = ["FITS", "NETWORKS", "BaselineData", "fit"]

_RECIPE = Recipe(optimizer="scikit-learn", learning_rate=1.0, epochs=1)
_NEIGHBORS = (
    "T. Cover, P. Hart, Nearest neighbor pattern classification, IEEE Trans. Information "
    "Theory 13, 1967"
)
_VAPNIK = "C. Cortes, V. Vapnik, Support-vector networks, Machine Learning 20, 1995"
FITS: dict[str, tuple[str, Callable[[BaselineData], keras.Model]]] = {
    "knn": (_NEIGHBORS, fit_knn),
    "nearest": (_NEIGHBORS, fit_nearest),
    "random_forest": (
        "L. Breiman, Random forests, Machine Learning 45, 2001",
        fit_random_forest,
    ),
    "sgd": (
        "T. Zhang, Solving large scale linear prediction problems using stochastic gradient "
        "descent algorithms, ICML 2004",
        fit_sgd,
    ),
    "svm": (_VAPNIK, fit_svm),
    "svm_grid": (_VAPNIK, fit_svm_grid),
}
NETWORKS = {
    name: Network(paper=paper, patch=1, recipe=_RECIPE, short_epochs=1, max_patch=1)
    for name, (paper, _) in FITS.items()
}


def fit(name: str, data: BaselineData) -> keras.Model:
    """A baseline fitted to a scene: `(batch, 1, 1, bands)` -> logits, named after it."""
    network = FITS[name][1](data)
    model = keras.Model(network.input, network.output, name=name)
    name_operations(model)
    return model
