"""Some of the bands as they are: by importance to a classifier, by number, by wavelength."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.bands.reducer import BandSelection, BandTransform
from hsitf.bands.technique import ReductionTechnique, TrainingSpectra

_TREES = 100


def _linear(seed: int) -> Any:
    """Ridge regression of each class against the others: the least squares of the field."""
    from sklearn.linear_model import RidgeClassifier

    return RidgeClassifier(alpha=1.0, random_state=seed)


def _logistic(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, max_iter=500, random_state=seed)


def _forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(_TREES, random_state=seed, n_jobs=-1)


_ESTIMATORS: dict[str, Callable[[int], Any]] = {
    "linear": _linear,
    "logistic": _logistic,
    "forest": _forest,
}


def _importances(estimator: Any) -> NDArray[np.float64]:
    """(bands,) of a fitted classifier: the sum of absolute weights over classes, or its own."""
    if hasattr(estimator, "feature_importances_"):
        return np.asarray(estimator.feature_importances_, np.float64)
    return np.asarray(np.abs(np.atleast_2d(estimator.coef_)).sum(axis=0), np.float64)


def _threshold(
    sample: TrainingSpectra, make: Callable[[int], Any], components: int
) -> NDArray[np.int64]:
    """Bands of more than mean importance, the most important first, at most `components`."""
    importance = _importances(make(sample.seed).fit(sample.spectra, sample.classes))
    order = np.argsort(-importance, kind="stable")[:components]
    return np.asarray(order[importance[order] >= importance.mean()], np.int64)


def _forward(
    sample: TrainingSpectra, make: Callable[[int], Any], components: int
) -> NDArray[np.int64]:
    """One band after another, each the one with which the classifier does best.

    Candidates are scored by the training accuracy of a nearest-mean classifier on the bands so far;
    the first band is the most important one to the estimator. Fitting the estimator for every
    candidate would take bands times components fits.
    """
    importance = _importances(make(sample.seed).fit(sample.spectra, sample.classes))
    chosen = [int(np.argmax(importance))]
    means = np.stack(
        [sample.spectra[sample.classes == c].mean(0) for c in _present_classes(sample)]
    )
    truth = np.searchsorted(_present_classes(sample), sample.classes)
    distance = ((sample.spectra[:, None, chosen] - means[None, :, chosen]) ** 2).sum(2)
    while len(chosen) < components:
        remaining = np.setdiff1d(np.arange(sample.bands), chosen)
        best, score = -1, (-1.0, -1.0)
        for band in remaining.tolist():
            with_it = distance + (sample.spectra[:, None, band] - means[None, :, band]) ** 2
            reached = float((with_it.argmin(1) == truth).mean()), float(importance[band])
            if reached > score:
                best, score = band, reached
        chosen.append(best)
        distance = distance + (sample.spectra[:, None, best] - means[None, :, best]) ** 2
    return np.array(chosen, np.int64)


def _present_classes(sample: TrainingSpectra) -> NDArray[np.int32]:
    return np.unique(sample.classes)


def _rfe(
    sample: TrainingSpectra,
    make: Callable[[int], Any],
    components: int,
    kept: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Recursive feature elimination: removes the least important tenth of the bands at a time.

    Args:
        sample: The training pixels.
        make: Creates the estimator.
        components: Number of bands to keep.
        kept: Bands that are never removed.
    """
    fixed = np.empty(0, np.int64) if kept is None else kept
    remaining = np.arange(sample.bands)
    while len(remaining) > components:
        importance = _importances(
            make(sample.seed).fit(sample.spectra[:, remaining], sample.classes)
        )
        importance[np.isin(remaining, fixed)] = np.inf
        going = min(max(1, len(remaining) // 10), len(remaining) - components)
        remaining = np.delete(remaining, np.argsort(importance, kind="stable")[:going])
    return remaining


def _threshold_then_rfe(
    sample: TrainingSpectra, make: Callable[[int], Any], components: int
) -> NDArray[np.int64]:
    """Threshold, then recursive feature elimination up to exactly `components` bands."""
    return _rfe(sample, make, components, _threshold(sample, make, components))


_MODES = {"threshold": _threshold, "forward": _forward, "rfe": _rfe, "mixed": _threshold_then_rfe}


def _technique(estimator: str, mode: str) -> ReductionTechnique:
    def fit(sample: TrainingSpectra, components: int) -> BandTransform:
        return BandSelection(np.sort(_MODES[mode](sample, _ESTIMATORS[estimator], components)))

    remark = "may choose fewer bands than asked for" if mode == "threshold" else ""
    return ReductionTechnique(fit, remark=remark)


SELECTIONS = {
    f"{estimator}-{mode}": _technique(estimator, mode)
    for estimator in _ESTIMATORS
    for mode in _MODES
}
