"""Components that are not affine in the bands: kernels, neighbors, sparse codes.

They have no arrays that a device could use. They are stored as the spectra they were fitted to and
fitted again when needed (`reducer.RefittedTransform`), or, where unseen pixels cannot be
transformed at all, are transductive: for studies only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.bands.landmarks import MAX_EXACT_PIXELS, MAX_LANDMARKS, metric_mds
from hsitf.bands.reducer import BandTransform, RefittedTransform, TrainingEmbedding
from hsitf.bands.technique import ReductionTechnique, TrainingSpectra, package_missing
from hsitf.errors import InputError

# Spectra that are fitted to: the cost grows with their square.
MAX_SPECTRA = 2000
# Pixels of the largest scene that tsne is fitted to.
MAX_TSNE_PIXELS = 60_000
_ANSWERS = 32

Transform = Callable[[Float32Array], Float32Array]


def _refitted(
    name: str,
    make: Callable[[int, int, Float32Array], Any],
    required_package: str = "",
) -> ReductionTechnique:
    """A technique with scikit-learn's interface that transforms unseen spectra.

    Args:
        name: Name of the technique.
        make: From components, seed and spectra to an estimator.
        required_package: Package of an extra that it needs; empty where none.
    """

    def refit(spectra: Float32Array, components: int, seed: int) -> Transform:
        fitted = make(components, seed, spectra).fit(spectra.astype(np.float64))
        return lambda new: np.asarray(fitted.transform(new.astype(np.float64)), np.float32)

    def fit(sample: TrainingSpectra, components: int) -> BandTransform:
        drawn = np.random.default_rng(sample.seed).permutation(len(sample.spectra))
        spectra = sample.spectra[drawn[:MAX_SPECTRA]]
        transform = refit(spectra, components, sample.seed)
        answers = transform(spectra[:_ANSWERS])
        return RefittedTransform(name, components, sample.seed, spectra, answers, refit)

    return ReductionTechnique(
        fit,
        _max_components,
        f"below the number of training spectra, of which {MAX_SPECTRA} are taken",
        foldable=False,
        remark=f"fitted to at most {MAX_SPECTRA} training spectra",
        refit=refit,
        required_package=required_package,
    )


def _max_components(sample: TrainingSpectra) -> int:
    return min(len(sample.spectra), MAX_SPECTRA) - 1


def _kernel_pca(components: int, seed: int, spectra: Float32Array) -> Any:
    from sklearn.decomposition import KernelPCA

    return KernelPCA(components, kernel="rbf", random_state=seed)


def _lle(components: int, seed: int, spectra: Float32Array) -> Any:
    from sklearn.manifold import LocallyLinearEmbedding

    near = min(len(spectra) - 1, max(12, components + 2))
    return LocallyLinearEmbedding(
        n_neighbors=near, n_components=components, random_state=seed, eigen_solver="dense"
    )


def _isomap(components: int, seed: int, spectra: Float32Array) -> Any:
    from sklearn.manifold import Isomap

    return Isomap(
        n_neighbors=min(len(spectra) - 1, 12), n_components=components, eigen_solver="dense"
    )


def _dictionary(components: int, seed: int, spectra: Float32Array) -> Any:
    from sklearn.decomposition import MiniBatchDictionaryLearning

    return MiniBatchDictionaryLearning(
        components,
        alpha=1.0,
        transform_algorithm="omp",
        random_state=seed,
        max_iter=200,
        transform_n_nonzero_coefs=max(1, components // 3),
    )


def _umap(components: int, seed: int, spectra: Float32Array) -> Any:
    try:
        from umap import UMAP
    except ImportError:
        raise package_missing("umap", "umap") from None
    return UMAP(n_components=components, random_state=seed)


def _mds(sample: TrainingSpectra, components: int) -> BandTransform:
    return TrainingEmbedding(metric_mds(sample.spectra, components, sample.seed))


def _tsne(sample: TrainingSpectra, components: int) -> BandTransform:
    from sklearn.manifold import TSNE

    if len(sample.spectra) > MAX_TSNE_PIXELS:
        raise InputError(
            "the scene is too large for tsne, which compares all pixels with each other",
            received=f"{len(sample.spectra)} pixels",
            allowed=f"{MAX_TSNE_PIXELS} at most",
            remedy="reduce the bands otherwise, with isomap for example",
        )
    embedding = TSNE(components, init="pca", random_state=sample.seed)
    found = embedding.fit_transform(sample.spectra.astype(np.float64))
    return TrainingEmbedding(np.asarray(found, np.float32))


_TRANSDUCTIVE = "for study only: fitted to the whole scene, test pixels included"

MANIFOLDS = {
    "kernel_pca": _refitted("kernel_pca", _kernel_pca),
    "dictionary": _refitted("dictionary", _dictionary),
    "lle": _refitted("lle", _lle),
    "isomap": _refitted("isomap", _isomap),
    "umap": _refitted("umap", _umap, required_package="umap"),
    "mds": ReductionTechnique(
        _mds,
        _max_components,
        "below the number of pixels",
        foldable=False,
        transductive=True,
        remark=f"{_TRANSDUCTIVE}; above {MAX_EXACT_PIXELS:,} pixels by {MAX_LANDMARKS:,} landmarks",
    ),
    "tsne": ReductionTechnique(
        _tsne,
        lambda sample: 3,
        "three",
        foldable=False,
        transductive=True,
        remark=_TRANSDUCTIVE,
    ),
}
