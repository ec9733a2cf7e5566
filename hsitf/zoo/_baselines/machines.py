"""Support vector machines, and linear machines fitted by stochastic gradient descent."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.zoo._baselines.blocks import dense, distances, spectrum_input
from hsitf.zoo._baselines.data import BaselineData

# What the field's toolbox searches; of the cubic kernel a second penalty beside its only one.
_PENALTIES = (1.0, 10.0, 100.0, 1000.0)
_GAMMAS = (1e-1, 1e-2, 1e-3)
_LINEAR_PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
_CUBIC_PENALTIES = (1.0, 100.0)
_DEGREE = 3
# Linear and cubic machines of classes that no penalty separates go on for millions of steps.
_MAX_STEPS = 30_000
# Up to so many training pixels, products of all pairs are kept: 800 MB of float64.
_MAX_CACHED = 10_000
# Rows of a matrix of kernels that is not kept.
_BLOCK = 1024
# Largest error of a network's logit, over the largest: half of what a lowered network may differ
# by, since both round.
_FLOAT32_ERROR = 5e-5
# Support vectors whose kernels are looked at for their mean.
_SAMPLE = 1000


@dataclass(frozen=True)
class Kernel:
    """What compares two spectra.

    Attributes:
        name: "rbf", `exp(-gamma |x - s|^2)`, "linear", `x.s`, or "poly", `(gamma x.s)^3`.
        gamma: Factor in it; not used by "linear".
    """

    name: str
    gamma: float

    def __str__(self) -> str:
        return self.name if self.name == "linear" else f"{self.name} of gamma {self.gamma:g}"

    def of(self, products: NDArray[np.float64], x: Any, s: Any) -> NDArray[np.float64]:
        """Kernels of two sets of spectra, (m, n) float64.

        Args:
            products: (m, n) products of the spectra of the two sets.
            x: (m,) squares of the spectra of the first set.
            s: (n,) squares of those of the second.
        """
        if self.name == "linear":
            return products
        if self.name == "poly":
            return np.asarray((self.gamma * products) ** _DEGREE)
        squared = np.maximum(x[:, None] - 2 * products + s[None], 0.0)
        return np.asarray(np.exp(-self.gamma * squared))


@dataclass(frozen=True, eq=False)
class _Machines:
    """One machine a class against all others.

    Attributes:
        kernel: Their kernel.
        penalty: Penalty of errors, C.
        duals: (n, classes) float64, 0 where a training pixel is no support vector.
        biases: (classes,) float64.
        present: (classes,) bool, whether a class has training pixels.
    """

    kernel: Kernel
    penalty: float
    duals: NDArray[np.float64]
    biases: NDArray[np.float64]
    present: NDArray[np.bool_]

    def __str__(self) -> str:
        return f"{self.kernel}, penalty {self.penalty:g}"


def fit_svm(data: BaselineData) -> keras.Model:
    """Radial basis functions with scikit-learn's penalty of 1 and a width of 1 / bands."""
    return _network(data, _fit(data, Kernel("rbf", 1 / data.spectra.shape[1]), 1.0, None))


def fit_svm_grid(data: BaselineData) -> keras.Model:
    """The kernel, its width and the penalty that are best on the validation pixels.

    Of settings that are equally good there, the first: radial before linear before cubic. Settings
    whose network is not exact in float32 are left out: many large terms of both signs cancel in
    them, so that what is left depends on the order in which a runtime adds.

    Raises:
        DataError: No setting is exact in float32.
    """
    x, v = (s.astype(np.float64) for s in (data.spectra, data.validation_spectra))
    products = x @ x.T if len(x) <= _MAX_CACHED else None
    found: list[tuple[float, _Machines]] = []
    for kernel, penalties in _settings():
        gram = None if products is None else kernel.of(products, _squares(x), _squares(x))
        machines = [_fit(data, kernel, penalty, gram) for penalty in penalties]
        found += zip(_accuracies(data, machines, x, v), machines, strict=True)
    found.sort(key=lambda each: -each[0])
    left_out: list[str] = []
    for accuracy, best in found:
        network = _network(data, best)
        error = _float32_error(network, best, x)
        if error <= _FLOAT32_ERROR:
            if left_out:
                data.progress.say(
                    f"svm_grid: left out for their rounding in float32: {'; '.join(left_out)}; "
                    f"taken: {best} ({accuracy:.2%} in validation)."
                )
            return network
        left_out.append(f"{best} ({accuracy:.2%} in validation, error {error:.0e})")
    raise DataError(
        "no setting of svm_grid is exact in float32",
        received="; ".join(left_out),
        allowed=f"errors of {_FLOAT32_ERROR:g} of the largest logit",
        remedy="train another baseline, such as random_forest",
    )


def _settings() -> list[tuple[Kernel, tuple[float, ...]]]:
    """Kernels, and the penalties that are tried with each."""
    return [
        *((Kernel("rbf", gamma), _PENALTIES) for gamma in _GAMMAS),
        (Kernel("linear", 1.0), _LINEAR_PENALTIES),
        *((Kernel("poly", gamma), _CUBIC_PENALTIES) for gamma in _GAMMAS),
    ]


def _squares(spectra: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((spectra**2).sum(axis=1))


def _fit(
    data: BaselineData, kernel: Kernel, penalty: float, gram: NDArray[np.float64] | None
) -> _Machines:
    """Machines with one setting.

    Args:
        data: What they learn from.
        kernel: Their kernel.
        penalty: Penalty of errors, C.
        gram: (n, n) kernels of the training pixels; None to compute them as they are needed.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import SVC

    duals = np.zeros((len(data.spectra), data.num_classes))
    biases = np.full(data.num_classes, np.nan)
    for label in np.unique(data.classes):
        machine = SVC(
            C=penalty,
            kernel=kernel.name if gram is None else "precomputed",
            gamma=kernel.gamma,
            degree=_DEGREE,
            class_weight=data.sklearn_class_weight,
            cache_size=500,
            max_iter=-1 if kernel.name == "rbf" else _MAX_STEPS,
        )
        with warnings.catch_warnings():
            # A machine that was stopped is judged on the validation pixels like any other.
            warnings.simplefilter("ignore", ConvergenceWarning)
            machine.fit(data.spectra if gram is None else gram, data.classes == label)
        duals[machine.support_, label] = machine.dual_coef_[0]
        biases[label] = machine.intercept_[0]
    # A class without training pixels is never named: what others say of a far spectrum is their
    # bias where the kernel vanishes, and has no bound where it does not.
    nothing = -1.0 if kernel.name == "rbf" else -1e6
    present = ~np.isnan(biases)
    return _Machines(kernel, penalty, duals, np.where(present, biases, nothing), present)


def _accuracies(
    data: BaselineData,
    machines: list[_Machines],
    x: NDArray[np.float64],
    v: NDArray[np.float64],
) -> list[float]:
    """Accuracy on the validation pixels of machines with one kernel."""
    support = np.flatnonzero(np.any([one.duals.any(axis=1) for one in machines], axis=0))
    near = x[support]
    predicted: list[list[NDArray[np.int64]]] = [[] for _ in machines]
    for start in range(0, len(v), _BLOCK):
        block = v[start : start + _BLOCK]
        kernels = machines[0].kernel.of(block @ near.T, _squares(block), _squares(near))
        for one, found in zip(machines, predicted, strict=True):
            found.append((kernels @ one.duals[support] + one.biases).argmax(axis=1))
    return [data.accuracy(np.concatenate(found)) for found in predicted]


def _mean_kernel(kernel: Kernel, x: NDArray[np.float64]) -> float:
    """Mean of the kernels of all pairs of spectra (n, bands)."""
    return float(kernel.of(x @ x.T, _squares(x), _squares(x)).mean())


def _float32_error(network: keras.Model, machines: _Machines, x: NDArray[np.float64]) -> float:
    """Largest error of a logit of a network on training pixels, over the largest logit.

    Args:
        network: The machines as a network, which computes in float32.
        machines: The machines, whose values in float64 are compared with.
        x: (n, bands) training pixels.
    """
    support = np.flatnonzero(machines.duals.any(axis=1))
    near, duals = x[support], machines.duals[support]
    error = largest = 0.0
    for start in range(0, len(x), _BLOCK):
        block = x[start : start + _BLOCK]
        kernels = machines.kernel.of(block @ near.T, _squares(block), _squares(near))
        expected = (kernels @ duals + machines.biases)[:, machines.present]
        # Called as it is: `predict` would compile each candidate.
        received = keras.ops.convert_to_numpy(network(block[:, None, None].astype(np.float32)))
        error = max(error, float(np.abs(received[:, machines.present] - expected).max()))
        largest = max(largest, float(np.abs(expected).max()))
    return error / largest


def _network(data: BaselineData, machines: _Machines) -> keras.Model:
    """`logits = kernel(x, s) @ duals + biases` over the support vectors s of all classes."""
    kernel = machines.kernel
    # In random order: pixels of a class lie together, and their duals, of one sign, would add up to
    # sums whose rounding is large beside a logit.
    support = np.random.default_rng(0).permutation(np.flatnonzero(machines.duals.any(axis=1)))
    near, duals = data.spectra[support], machines.duals[support].astype(np.float32)
    biases = machines.biases.astype(np.float32)
    inputs, spectrum = spectrum_input(data)
    if kernel.name == "linear":
        # Of a linear kernel, all support vectors are one vector a class.
        exact = near.T.astype(np.float64) @ machines.duals[support]
        found = dense(spectrum, exact.astype(np.float32), biases, "logits")
        return keras.Model(inputs, found)
    if kernel.name == "rbf":
        compared = layers.Activation("exponential", name="kernel")(
            -kernel.gamma * distances(spectrum, near, "support")
        )
        # Kernels without their mean, which goes into the biases: smaller terms cancel.
        mean = np.float32(_mean_kernel(kernel, near[:_SAMPLE].astype(np.float64)))
        compared = compared - float(mean)
        means = float(mean) * duals.astype(np.float64).sum(axis=0)
        biases = (machines.biases + means).astype(np.float32)
    else:
        scaled = (kernel.gamma * near.T).astype(np.float32)
        one = dense(spectrum, scaled, np.zeros(len(near), np.float32), "support_products")
        compared = layers.Multiply(name="kernel")([one] * _DEGREE)
    return keras.Model(inputs, dense(compared, duals, biases, "logits"))


def fit_sgd(data: BaselineData) -> keras.Model:
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
    inputs, spectrum = spectrum_input(data)
    return keras.Model(inputs, dense(spectrum, kernel, biases, "logits"))
