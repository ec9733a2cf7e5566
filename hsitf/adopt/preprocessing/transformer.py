"""Preprocessing as a fitted object of scikit-learn, turned into numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsitf.adopt.preprocessing import NORMALIZATIONS, Preprocessing, standardized_projection
from hsitf.arrays import Float32Array
from hsitf.errors import InputError
from hsitf.scenes.normalize import Normalizer

# Largest error, as a share of the largest result, at which a transformation counts as affine.
AFFINE_TOLERANCE = 1e-6


def from_transformer(transformer: Any, sample: Float32Array) -> Preprocessing:
    """Turns a fitted transformer of scikit-learn, or a pipeline of them, into data.

    Its matrix is found by transforming unit vectors, and then compared with the transformer itself
    on the sample, so that whatever is affine can be handed over: scalers, PCA, LDA, factor
    analysis, random projections, and pipelines of these.

    Args:
        transformer: Has `transform`, (n, bands) to (n, components).
        sample: (n, bands) float32, pixels of the scene that it is for.

    Raises:
        InputError: It has no `transform`, takes other bands, or is not affine.
    """
    name = type(transformer).__name__
    if not callable(getattr(transformer, "transform", None)):
        raise InputError(
            "this is no preprocessing",
            received=name,
            allowed=f"{', '.join(NORMALIZATIONS)}, a file, or a fitted transformer of scikit-learn",
        )
    spectra = sample.astype(np.float64)
    center, bands = spectra.mean(axis=0), sample.shape[1]
    # Steps as large as the data's own, around its mean: no digits are lost to a distant origin.
    step = np.where(spectra.std(axis=0) > 0, spectra.std(axis=0), 1.0)
    try:
        origin = np.asarray(transformer.transform(center[None]), np.float64)
        moved = np.asarray(transformer.transform(center + np.diag(step)), np.float64)
    # A transformer is anybody's code, and may raise anything.
    except Exception as error:
        raise InputError(
            f"{name} cannot transform spectra of this scene",
            received=f"{bands} bands: {error}",
            remedy="fit it to spectra of this scene's bands first",
        ) from error
    matrix = (moved - origin) / step[:, None]
    offset = origin[0] - center @ matrix
    some = spectra[:: max(1, len(spectra) // 1000)]
    expected = np.asarray(transformer.transform(some), np.float64)
    difference = np.abs(some @ matrix + offset - expected).max()
    if not difference <= AFFINE_TOLERANCE * max(np.abs(expected).max(), 1e-30):
        raise InputError(
            f"{name} is not affine: it cannot be written as one matrix",
            received=f"a difference of {difference:.1e} on this scene",
            allowed="scalers, PCA, LDA, factor analysis, and pipelines of them",
            remedy="leave out what is not affine, such as clipping",
        )
    diagonal = np.diagonal(matrix) if matrix.shape[0] == matrix.shape[1] else np.zeros(1)
    rest = matrix - np.diag(diagonal) if len(diagonal) == len(matrix) else matrix
    if (diagonal > 0).all() and np.abs(rest).max() <= 1e-9 * diagonal.min():
        normalizer = Normalizer(
            tuple((-offset / diagonal).tolist()), tuple((1 / diagonal).tolist())
        )
        return Preprocessing(normalizer, None, name)
    return standardized_projection(matrix, offset, sample, name, name)
