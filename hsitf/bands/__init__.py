"""Band reduction, fitted to training pixels only.

A technique is a row in one of the tables (`extraction`, `manifold`, `encoders`, `selection`); its
result is a `Reducer`, made of arrays, that maps normalized spectra to components of zero mean.
Where their deviations mean something, weaker components stay weaker (`_scales`); else, or where
they are whitened, all have unit deviation. To add a technique, write `(sample, components) ->
BandTransform` and give it a row.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.bands.encoders import ENCODERS
from hsitf.bands.extraction import EXTRACTIONS
from hsitf.bands.manifold import MANIFOLDS
from hsitf.bands.reducer import BLOCK, BandSelection, BandTransform, Reducer, TrainingEmbedding
from hsitf.bands.request import (
    SELECT,
    WAVELENGTHS,
    WHITEN,
    ReductionRequest,
    selected_bands,
)
from hsitf.bands.request import parse as _parse
from hsitf.bands.selection import SELECTIONS
from hsitf.bands.stored import SCHEMA, save
from hsitf.bands.stored import read as _read
from hsitf.bands.technique import ReductionTechnique, TrainingSpectra
from hsitf.errors import InputError

__all__ = [
    "TECHNIQUES",
    "Reducer",
    "TrainingSpectra",
    "check",
    "count_components",
    "fit",
    "former_spec",
    "learns_from_labels",
    "parse",
    "read",
    "save",
    "selects_bands",
    "whitened",
]

TECHNIQUES: dict[str, ReductionTechnique] = {**EXTRACTIONS, **MANIFOLDS, **ENCODERS, **SELECTIONS}


def parse(spec: str) -> ReductionRequest:
    """Reads what a user wrote, such as "pca:30".

    Raises:
        InputError: It cannot be parsed, or there is no such technique.
    """
    return _parse(spec, {name: one.meaningful_scale for name, one in TECHNIQUES.items()})


def selects_bands(spec: str) -> bool:
    """Whether a reduction leaves some of the bands as they are.

    Raises:
        InputError: It cannot be parsed, or there is no such technique.
    """
    return parse(spec).technique in (SELECT, WAVELENGTHS, *SELECTIONS)


def whitened(spec: str) -> str:
    """The same reduction with components of unit deviation.

    Selected bands have none to give up, and stay as they are.

    Raises:
        InputError: It cannot be parsed, or there is no such technique.
    """
    request = parse(spec)
    known = TECHNIQUES.get(request.technique)
    if known is None or not known.meaningful_scale:
        return request.spec
    return replace(request, whiten=True).spec


def former_spec(spec: Any) -> Any:
    """What today a specification means that was written when all components had unit deviation.

    Args:
        spec: Of a record or file of then: a specification, a technique alone, or a name that is
            neither, such as that of a file of preprocessing, which stays as it is.
    """
    name, colon, rest = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    known = TECHNIQUES.get(name)
    return spec if known is None or not known.meaningful_scale else f"{name}{WHITEN}{colon}{rest}"


def fit(
    spec: str,
    sample: TrainingSpectra,
    all_spectra: Callable[[], Float32Array],
    wavelengths: NDArray[np.float64] | None = None,
) -> Reducer:
    """Fits a reduction of bands.

    Args:
        spec: Specification such as "pca:30".
        sample: The training pixels.
        all_spectra: Returns the spectra of all pixels, (rows * cols, bands), for transductive
            techniques; called for no other.
        wavelengths: (bands,) in nanometers, where known.

    Raises:
        InputError: The reduction is not possible for these bands and pixels.
    """
    request = parse(spec)
    if request.technique in (SELECT, WAVELENGTHS):
        chosen = selected_bands(request, sample.bands, wavelengths)
        return _standardized(request, sample, BandSelection(chosen), "")
    technique = TECHNIQUES[request.technique]
    if technique.transductive:
        sample = TrainingSpectra(all_spectra(), np.empty(0, np.int32), sample.seed)
    _check(request, technique, sample)
    fitted, remark = _fit_reporting_convergence(technique, sample, request.components)
    return _standardized(request, sample, fitted, remark)


def _fit_reporting_convergence(
    technique: ReductionTechnique, sample: TrainingSpectra, components: int
) -> tuple[BandTransform, str]:
    """What a technique finds, and what its readers have to know."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ConvergenceWarning)
        fitted = technique.fit(sample, components)
    stopped = "stopped before it had converged" if warned else ""
    return fitted, "; ".join(filter(None, (technique.remark, stopped)))


def read(path: Path) -> Reducer:
    """Reads a reducer that `save` wrote, of this version or an older one.

    Raises:
        DataError: It is not a reducer's file.
    """
    reducer, schema = _read(path)
    if schema == SCHEMA:
        return reducer
    return replace(reducer, spec=former_spec(reducer.spec))


def check(
    spec: str, sample: TrainingSpectra, wavelengths: NDArray[np.float64] | None = None
) -> int:
    """Refuses, before any work, a reduction that `fit` would refuse.

    Args:
        spec: Specification such as "pca:30".
        sample: The training pixels.
        wavelengths: (bands,) in nanometers, where known.

    Returns:
        How many components it leaves.

    Raises:
        InputError: The reduction is not possible for these bands and pixels.
    """
    request = parse(spec)
    if request.technique in (SELECT, WAVELENGTHS):
        return len(selected_bands(request, sample.bands, wavelengths))
    _check(request, TECHNIQUES[request.technique], sample)
    return request.components


def count_components(spec: str, bands: int, wavelengths: NDArray[np.float64] | None = None) -> int:
    """Number of components that a reduction leaves, without fitting it.

    Args:
        spec: Specification such as "pca:30".
        bands: Number of bands.
        wavelengths: (bands,) in nanometers, where known.

    Raises:
        InputError: It cannot be parsed, or selects bands that are not there.
    """
    request = parse(spec)
    if request.technique in (SELECT, WAVELENGTHS):
        return len(selected_bands(request, bands, wavelengths))
    return request.components


def learns_from_labels(technique: str) -> bool:
    """Whether a technique needs the classes of the pixels that it is fitted to."""
    return technique in SELECTIONS or technique == "lda"


def _check(
    request: ReductionRequest, technique: ReductionTechnique, sample: TrainingSpectra
) -> None:
    """Refuses impossible reductions before the work starts."""
    most = technique.max_components(sample)
    if not 1 <= request.components <= most:
        raise InputError(
            f"{request.name} cannot make so many components",
            received=request.components,
            allowed=f"1 to {most}: {technique.limit}" if most > 0 else f"none: {technique.limit}",
            remedy="ask for fewer",
        )
    technique.check_package(request.technique)
    if learns_from_labels(request.technique) and len(np.unique(sample.classes)) < 2:
        raise InputError(
            f"{request.technique} tells classes apart",
            received="training pixels of one class",
            allowed="two classes or more",
        )


def _standardized(
    request: ReductionRequest, sample: TrainingSpectra, fitted: BandTransform, remark: str
) -> Reducer:
    """The reducer with components of zero mean, scaled; selected bands are unchanged."""
    mean, deviation = _moments(fitted, sample.spectra)
    if not np.isfinite([mean, deviation]).all():
        raise InputError(
            f"{request.technique} did not converge on these pixels",
            received="components that are no numbers",
            remedy="ask for fewer components, or reduce the bands otherwise",
        )
    components = len(mean)
    shift, scale = np.zeros(components, np.float32), np.ones(components, np.float32)
    if not isinstance(fitted, BandSelection):
        shift = mean.astype(np.float32)
        scale = _scales(request, deviation).astype(np.float32)
    return Reducer(request.spec, sample.bands, components, fitted, scale, shift, remark)


def _scales(request: ReductionRequest, deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """(components,) What components are divided by, from their deviations `d`.

    `sqrt(d * max(d))`, after which the strongest has unit deviation, and the others the square root
    of their share in it: as much weaker that noise does not count as much as signal, and not so
    weak that a network does not see them, nor an integer file round them away. Where they are
    whitened, or of another technique, `d`, after which all have unit deviation.
    """
    weighted = TECHNIQUES[request.technique].meaningful_scale and not request.whiten
    scale = np.sqrt(deviation * deviation.max()) if weighted else deviation
    return np.where(scale > 0, scale, 1.0)


def _moments(
    fitted: BandTransform, spectra: Float32Array
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of each component, without all components in memory at once."""
    whole = isinstance(fitted, TrainingEmbedding)
    step = max(1, len(spectra) if whole else BLOCK)
    pivot = total = squares = np.float64(0)
    for start in range(0, len(spectra), step):
        block = fitted.apply(spectra[start : start + step]).astype(np.float64)
        if not start:
            # Close to the mean, so that squares lose no digits.
            pivot = block.mean(axis=0)
        block -= pivot
        total = total + block.sum(axis=0)
        squares = squares + (block**2).sum(axis=0)
    mean = total / len(spectra)
    # Rounding may take a constant component below 0.
    return pivot + mean, np.sqrt(np.maximum(squares / len(spectra) - mean**2, 0))
