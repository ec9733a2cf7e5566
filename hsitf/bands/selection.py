"""Some of the bands as they are: by importance to a classifier, by number, by wavelength."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.bands.reducer import Chosen, Map
from hsitf.bands.technique import Sample, Technique

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


_JUDGES: dict[str, Callable[[int], Any]] = {
    "linear": _linear,
    "logistic": _logistic,
    "forest": _forest,
}


def _importances(judge: Any) -> NDArray[np.float64]:
    """(bands,) of a fitted classifier: the sum of absolute weights over classes, or its own."""
    if hasattr(judge, "feature_importances_"):
        return np.asarray(judge.feature_importances_, np.float64)
    return np.asarray(np.abs(np.atleast_2d(judge.coef_)).sum(axis=0), np.float64)


def _threshold(sample: Sample, make: Callable[[int], Any], components: int) -> NDArray[np.int64]:
    """Bands of more than mean importance, at most so many, the most important."""
    worth = _importances(make(sample.seed).fit(sample.spectra, sample.classes))
    order = np.argsort(-worth, kind="stable")[:components]
    return np.asarray(order[worth[order] >= worth.mean()], np.int64)


def _forward(sample: Sample, make: Callable[[int], Any], components: int) -> NDArray[np.int64]:
    """One band after another, each the one with which the classifier does best.

    Judged by the training accuracy of a nearest-mean classifier on the bands so far, the first
    of them the most important to the judge: fitting the judge for every candidate would take
    bands times components fits.
    """
    worth = _importances(make(sample.seed).fit(sample.spectra, sample.classes))
    chosen = [int(np.argmax(worth))]
    means = np.stack([sample.spectra[sample.classes == c].mean(0) for c in _present(sample)])
    truth = np.searchsorted(_present(sample), sample.classes)
    distance = ((sample.spectra[:, None, chosen] - means[None, :, chosen]) ** 2).sum(2)
    while len(chosen) < components:
        left = np.setdiff1d(np.arange(sample.bands), chosen)
        best, score = -1, (-1.0, -1.0)
        for band in left.tolist():
            with_it = distance + (sample.spectra[:, None, band] - means[None, :, band]) ** 2
            reached = float((with_it.argmin(1) == truth).mean()), float(worth[band])
            if reached > score:
                best, score = band, reached
        chosen.append(best)
        distance = distance + (sample.spectra[:, None, best] - means[None, :, best]) ** 2
    return np.array(chosen, np.int64)


def _present(sample: Sample) -> NDArray[np.int32]:
    return np.unique(sample.classes)


def _rfe(
    sample: Sample,
    make: Callable[[int], Any],
    components: int,
    kept: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Recursive elimination: a tenth of the bands goes at a time, the least important.

    Args:
        sample: To fit to.
        make: The judge.
        components: How many stay.
        kept: Bands that stay whatever happens.
    """
    fixed = np.empty(0, np.int64) if kept is None else kept
    left = np.arange(sample.bands)
    while len(left) > components:
        worth = _importances(make(sample.seed).fit(sample.spectra[:, left], sample.classes))
        worth[np.isin(left, fixed)] = np.inf
        going = min(max(1, len(left) // 10), len(left) - components)
        left = np.delete(left, np.argsort(worth, kind="stable")[:going])
    return left


def _mixed(sample: Sample, make: Callable[[int], Any], components: int) -> NDArray[np.int64]:
    """Threshold, then filled up to exactly so many by recursive elimination."""
    return _rfe(sample, make, components, _threshold(sample, make, components))


_MODES = {"threshold": _threshold, "forward": _forward, "rfe": _rfe, "mixed": _mixed}


def _technique(judge: str, mode: str) -> Technique:
    def fit(sample: Sample, components: int) -> Map:
        return Chosen(np.sort(_MODES[mode](sample, _JUDGES[judge], components)))

    remark = "may choose fewer bands than asked for" if mode == "threshold" else ""
    return Technique(fit, remark=remark)


SELECTIONS = {f"{judge}-{mode}": _technique(judge, mode) for judge in _JUDGES for mode in _MODES}
