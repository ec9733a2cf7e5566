"""Baselines: support vector machines, a linear classifier, nearest neighbors.

scikit-learn fits them to the spectra of the training pixels; what it finds is written down as a
Keras network of dense layers, so that a baseline is saved, loaded, verified and exported like
any network, and no pickle is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.zoo import Network, Recipe

# As the field's toolbox searches radial basis functions.
_PENALTIES = (1.0, 10.0, 100.0, 1000.0)
_GAMMAS = (1e-1, 1e-2, 1e-3)
_RECIPE = Recipe(optimizer="scikit-learn", learning_rate=1.0, epochs=1)


@dataclass(frozen=True, eq=False)
class BaselineData:
    """What a baseline learns from.

    Attributes:
        spectra: (n, bands) float32, normalized training pixels.
        classes: (n,) int32 class indices from 0.
        validation_spectra: (m, bands) float32 spectra of the validation pixels, which select the
            hyperparameters; of the training pixels where there are none.
        validation_classes: (m,) int32 classes of the validation pixels.
        num_classes: Number of classes.
        class_weights: Whether classes are weighted by their inverse frequency.
        seed: Seed of all random numbers.
    """

    spectra: Float32Array
    classes: NDArray[np.int32]
    validation_spectra: Float32Array
    validation_classes: NDArray[np.int32]
    num_classes: int
    class_weights: bool
    seed: int

    @property
    def sklearn_class_weight(self) -> str | None:
        """As scikit-learn calls it."""
        return "balanced" if self.class_weights else None


def _svm(data: BaselineData) -> keras.Model:
    """Radial basis functions with scikit-learn's penalty of 1 and a width of 1 / bands."""
    return _one_vs_rest(data, 1.0, 1 / data.spectra.shape[1])[0]


def _svm_grid(data: BaselineData) -> keras.Model:
    """The setting that is best on the validation pixels."""
    found = [_one_vs_rest(data, penalty, gamma) for penalty, gamma in product(_PENALTIES, _GAMMAS)]
    return max(found, key=lambda item: item[1])[0]


def _one_vs_rest(data: BaselineData, penalty: float, gamma: float) -> tuple[keras.Model, float]:
    """One machine a class against all others, and their accuracy on the judging pixels.

    `logits = exp(-gamma * |x - s|^2) @ duals + biases` over the support vectors s of all.
    """
    from sklearn.svm import SVC

    duals = np.zeros((len(data.spectra), data.num_classes), np.float32)
    biases = np.full(data.num_classes, -1.0, np.float32)
    for label in np.unique(data.classes):
        machine = SVC(
            C=penalty, gamma=gamma, class_weight=data.sklearn_class_weight, cache_size=500
        )
        machine.fit(data.spectra, data.classes == label)
        duals[machine.support_, label] = machine.dual_coef_[0]
        biases[label] = machine.intercept_[0]
    support = np.flatnonzero(duals.any(axis=1))
    inputs, spectrum = _spectrum(data)
    kernel = layers.Activation("exponential", name="kernel")(
        -gamma * _distances(spectrum, data.spectra[support], "support")
    )
    logits = _dense(kernel, duals[support], biases, "logits")
    network = keras.Model(inputs, logits)
    predicted = network.predict(data.validation_spectra[:, None, None], 1024, verbose=0).argmax(1)
    return network, float((predicted == data.validation_classes).mean())


def _sgd(data: BaselineData) -> keras.Model:
    """A linear machine a class, fitted by stochastic gradient descent."""
    from sklearn.linear_model import SGDClassifier

    found = SGDClassifier(class_weight=data.sklearn_class_weight, random_state=data.seed)
    found.fit(data.spectra, data.classes)
    kernel = np.zeros((data.spectra.shape[1], data.num_classes), np.float32)
    biases = np.full(data.num_classes, -1e6, np.float32)
    weights, offsets = found.coef_, found.intercept_
    if len(found.classes_) == 2:
        weights, offsets = np.concatenate([-weights, weights]), np.append(-offsets, offsets)
    kernel[:, found.classes_] = weights.T
    biases[found.classes_] = offsets
    inputs, spectrum = _spectrum(data)
    return keras.Model(inputs, _dense(spectrum, kernel, biases, "logits"))


def _nearest(data: BaselineData) -> keras.Model:
    """The class of the nearest training pixel: a logit is less the nearest of the class is far."""
    inputs, spectrum = _spectrum(data)
    logits = []
    for label in range(data.num_classes):
        members = data.spectra[data.classes == label]
        # A class without training pixels is far away.
        members = members if len(members) else np.full((1, members.shape[1]), 1e3, np.float32)
        distances = _distances(spectrum, members, f"class{label}")
        logits.append(ops.max(-1.0 * distances, axis=1, keepdims=True))
    return keras.Model(inputs, layers.Concatenate(name="logits")(logits))


def _spectrum(data: BaselineData) -> tuple[KerasTensor, KerasTensor]:
    bands = data.spectra.shape[1]
    inputs = keras.Input((1, 1, bands), name="patch")
    return inputs, layers.Reshape((bands,), name="spectrum")(inputs)


def _distances(spectrum: KerasTensor, points: Float32Array, name: str) -> KerasTensor:
    """Squared distances to points: `|x|^2 - 2 x.s + |s|^2`, (batch, points).

    One dense layer of the spectrum and its squares.
    """
    both = layers.Concatenate(name=f"{name}_squares")([spectrum, ops.square(spectrum)])
    kernel = np.concatenate([-2 * points.T, np.ones_like(points.T)])
    squares = (points.astype(np.float64) ** 2).sum(axis=1).astype(np.float32)
    # Rounding may leave a distance of nothing a little below it.
    return ops.relu(_dense(both, kernel, squares, f"{name}_distances"))


def _dense(x: KerasTensor, kernel: Float32Array, bias: Any, name: str) -> KerasTensor:
    layer = layers.Dense(kernel.shape[1], name=name)
    result = layer(x)
    layer.set_weights([kernel, bias])
    return result


_VAPNIK = "C. Cortes, V. Vapnik, Support-vector networks, Machine Learning 20, 1995"
FITS: dict[str, tuple[str, Callable[[BaselineData], keras.Model]]] = {
    "nearest": (
        "T. Cover, P. Hart, Nearest neighbor pattern classification, IEEE Trans. Information "
        "Theory 13, 1967",
        _nearest,
    ),
    "sgd": (
        "T. Zhang, Solving large scale linear prediction problems using stochastic gradient "
        "descent algorithms, ICML 2004",
        _sgd,
    ),
    "svm": (_VAPNIK, _svm),
    "svm_grid": (_VAPNIK, _svm_grid),
}
NETWORKS = {
    name: Network(paper=paper, patch=1, recipe=_RECIPE, short_epochs=1, max_patch=1)
    for name, (paper, _) in FITS.items()
}


def fit(name: str, data: BaselineData) -> keras.Model:
    """A baseline fitted to a lesson: `(batch, 1, 1, bands)` -> logits, named after it."""
    network = FITS[name][1](data)
    return keras.Model(network.input, network.output, name=name)
