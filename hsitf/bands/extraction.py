"""Components that are affine in the bands. scikit-learn does the mathematics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hsitf.bands.reducer import BLOCK, AffineProjection, BandTransform
from hsitf.bands.technique import ReductionTechnique, TrainingSpectra

# Iterations after which factorizations that converge slowly are taken as they are.
_ROUNDS = 1000


def _affine(matrix: Any, mean: Any) -> AffineProjection:
    """`(spectra - mean) @ matrix`."""
    matrix = np.asarray(matrix, np.float64)
    offset = -np.asarray(mean, np.float64) @ matrix
    return AffineProjection(np.asarray(matrix, np.float32), np.asarray(offset, np.float32))


def _pca(sample: TrainingSpectra, components: int) -> BandTransform:
    """Eigenvectors of the covariance, which is added up block by block.

    scikit-learn's PCA copies all spectra: of a whole scene, two and a half times its size.
    """
    from scipy.linalg import eigh

    spectra, bands = sample.spectra, sample.bands
    mean = spectra.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((bands, bands))
    for start in range(0, len(spectra), BLOCK):
        block = spectra[start : start + BLOCK] - mean
        covariance += block.T @ block
    _, vectors = eigh(covariance, subset_by_index=(bands - components, bands - 1))
    found = vectors[:, ::-1]
    # The sign of an eigenvector is free; the same everywhere is easier to compare.
    strongest = np.abs(found).argmax(axis=0)
    return _affine(found * np.sign(found[strongest, np.arange(components)]), mean)


def _incremental_pca(sample: TrainingSpectra, components: int) -> BandTransform:
    from sklearn.decomposition import IncrementalPCA

    batch = max(5 * sample.bands, components)
    fitted = IncrementalPCA(components, batch_size=batch).fit(sample.spectra)
    return _affine(fitted.components_.T, fitted.mean_)


def _sparse_pca(sample: TrainingSpectra, components: int) -> BandTransform:
    from sklearn.decomposition import MiniBatchSparsePCA

    fitted = MiniBatchSparsePCA(components, alpha=0.1, random_state=sample.seed).fit(sample.spectra)
    # What it transforms with is a ridge regression on its components: linear.
    found = fitted.components_
    gram = found @ found.T + fitted.ridge_alpha * np.eye(components)
    return _affine(np.linalg.solve(gram, found).T, fitted.mean_)


def _svd(sample: TrainingSpectra, components: int) -> BandTransform:
    from sklearn.decomposition import TruncatedSVD

    fitted = TruncatedSVD(components, algorithm="arpack", random_state=sample.seed)
    fitted.fit(sample.spectra.astype(np.float64))
    return _affine(fitted.components_.T, np.zeros(sample.bands))


def _lda(sample: TrainingSpectra, components: int) -> BandTransform:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    fitted = LinearDiscriminantAnalysis(n_components=components)
    fitted.fit(sample.spectra, sample.classes)
    return _affine(fitted.scalings_[:, :components], fitted.xbar_)


def _ica(sample: TrainingSpectra, components: int) -> BandTransform:
    from sklearn.decomposition import FastICA

    fitted = FastICA(
        components, whiten="unit-variance", max_iter=_ROUNDS, tol=1e-3, random_state=sample.seed
    ).fit(sample.spectra.astype(np.float64))
    return _affine(fitted.components_.T, fitted.mean_)


def _factor_analysis(sample: TrainingSpectra, components: int) -> BandTransform:
    from sklearn.decomposition import FactorAnalysis

    fitted = FactorAnalysis(components, max_iter=_ROUNDS, random_state=sample.seed)
    fitted.fit(sample.spectra.astype(np.float64))
    # The mean of the factors given a spectrum (Bishop, eq. 12.66): linear in it.
    loads = fitted.components_ / fitted.noise_variance_
    inside = np.linalg.inv(np.eye(components) + loads @ fitted.components_.T)
    return _affine(loads.T @ inside, fitted.mean_)


def _nmf(sample: TrainingSpectra, components: int) -> BandTransform:
    from sklearn.decomposition import NMF

    # Shifted until nothing of the training pixels is negative.
    lowest = sample.spectra.min(axis=0)
    fitted = NMF(components, init="nndsvda", max_iter=300, random_state=sample.seed)
    fitted.fit(np.maximum(sample.spectra - lowest, 0))
    # By its linear projection: the least squares coefficients of a spectrum in the parts found.
    return _affine(np.linalg.pinv(fitted.components_), lowest)


def _projection(kind: str) -> Callable[[TrainingSpectra, int], BandTransform]:
    def fit(sample: TrainingSpectra, components: int) -> BandTransform:
        from sklearn import random_projection

        fitted = getattr(random_projection, kind)(components, random_state=sample.seed)
        fitted.fit(sample.spectra)
        matrix = fitted.components_
        dense = matrix.toarray() if hasattr(matrix, "toarray") else matrix
        return _affine(dense.T, np.zeros(sample.bands))

    return fit


def _agglomeration(sample: TrainingSpectra, components: int) -> BandTransform:
    from sklearn.cluster import FeatureAgglomeration

    labels = FeatureAgglomeration(components).fit(sample.spectra).labels_
    members = np.eye(components)[labels]
    return _affine(members / members.sum(axis=0), np.zeros(sample.bands))


def _ranks(sample: TrainingSpectra) -> int:
    return min(sample.bands, len(sample.spectra))


def _below_ranks(sample: TrainingSpectra) -> int:
    return min(sample.bands, len(sample.spectra)) - 1


def _below_classes(sample: TrainingSpectra) -> int:
    return min(sample.bands, len(np.unique(sample.classes)) - 1)


_RANKS = "one a band and a training pixel"
EXTRACTIONS = {
    "pca": ReductionTechnique(_pca, _ranks, _RANKS, meaningful_scale=True),
    "incremental_pca": ReductionTechnique(_incremental_pca, _ranks, _RANKS, meaningful_scale=True),
    "sparse_pca": ReductionTechnique(_sparse_pca, _ranks, _RANKS, meaningful_scale=True),
    "svd": ReductionTechnique(
        _svd,
        _below_ranks,
        "below the number of bands and of training pixels",
        meaningful_scale=True,
    ),
    "lda": ReductionTechnique(_lda, _below_classes, "one less than there are classes"),
    "ica": ReductionTechnique(_ica, _ranks, _RANKS),
    "factor_analysis": ReductionTechnique(_factor_analysis, _ranks, _RANKS),
    "nmf": ReductionTechnique(
        _nmf,
        _ranks,
        _RANKS,
        remark="spectra are shifted until none is negative; transformed by linear projection",
    ),
    "grp": ReductionTechnique(_projection("GaussianRandomProjection")),
    "srp": ReductionTechnique(_projection("SparseRandomProjection")),
    "feature_agglomeration": ReductionTechnique(_agglomeration),
}
