"""The preprocessing that a user describes: by a name, a file, or a fitted object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hsitf import bands as reductions
from hsitf.adopt.preprocessing import (
    NORMALIZATIONS,
    Preprocessing,
    fit_normalizer,
    projection,
    selection,
    standardized_projection,
)
from hsitf.adopt.preprocessing.file import SUFFIXES, from_file
from hsitf.adopt.preprocessing.transformer import from_transformer
from hsitf.arrays import Float32Array
from hsitf.errors import InputError, MissingInputError
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import Split

# Which pixels statistics are taken over.
STATISTICS = ("training", "scene")


@dataclass(frozen=True)
class PreprocessingOptions:
    """What a user says about the preprocessing of a network.

    Attributes:
        normalize: A name in `NORMALIZATIONS`, the path of a file (see `from_file`), or a fitted
            transformer of scikit-learn.
        statistics: Pixels that a normalization given by name, and the band reduction, are fitted
            to: "training" or "scene" (all pixels, as much published code does).
        bands: Specification of a band reduction after it, such as "pca:30"; empty for none. Its
            components are whitened whether it says so or not: a network from elsewhere was not
            trained on deviations of ours, but on unit ones, or on those of a file.
        reverse_bands: Whether the network takes the bands in reverse order.

    Raises:
        InputError: The options contradict each other or are out of range.
    """

    normalize: Any = "band-standard"
    statistics: str = "training"
    bands: str = ""
    reverse_bands: bool = False

    def __post_init__(self) -> None:
        if self.statistics not in STATISTICS:
            raise InputError(
                "unknown statistics", received=self.statistics, allowed=" or ".join(STATISTICS)
            )
        named = isinstance(self.normalize, str) and self.normalize in NORMALIZATIONS
        if self.statistics != "training" and not named:
            raise InputError(
                "a file or transformer of preprocessing is fitted already",
                received=f"statistics over the {self.statistics}, too",
                remedy="leave the statistics out, or give the name of a normalization",
            )
        if self.bands and not named:
            raise InputError(
                "a file or transformer of preprocessing holds its band reduction itself",
                received=f"a band reduction {self.bands}, too",
                remedy="leave the band reduction out, or give the name of a normalization",
            )
        if self.reverse_bands and self.bands:
            raise InputError(
                "a band reduction and reversed bands cannot be given together",
                received=f"{self.bands} and reversed bands",
                remedy="give a file of preprocessing, with bands in the order of the network",
            )
        if isinstance(self.normalize, str | Path) and not named:
            _check_file(Path(self.normalize))
        if self.bands:
            object.__setattr__(self, "bands", reductions.whitened(self.bands))


def _check_file(path: Path) -> None:
    """Refuses what is neither a name of a normalization nor a file.

    Raises:
        InputError: It is neither.
    """
    if path.suffix.lower() not in SUFFIXES:
        NORMALIZATIONS.known(str(path))
    if not path.is_file():
        raise MissingInputError("there is no file of preprocessing", received=path)


def count_components(options: PreprocessingOptions, scene: Scene) -> int:
    """Numbers per pixel that enter a network, before anything is fitted.

    Raises:
        InputError: The options do not fit the scene's bands.
        DataError: The file of preprocessing is damaged.
    """
    given = options.normalize
    if isinstance(given, str) and given in NORMALIZATIONS:
        if not options.bands:
            return scene.bands
        return reductions.count_components(options.bands, scene.bands, scene.wavelengths)
    spectra = scene.valid_spectra
    some = spectra[:: max(1, len(spectra) // 1000)]
    return _given(given, some).components


def _given(given: Any, sample: Float32Array) -> Preprocessing:
    if isinstance(given, str | Path):
        return from_file(Path(given), sample)
    return from_transformer(given, sample)


def prepare_preprocessing(
    options: PreprocessingOptions, scene: Scene, split: Split
) -> Preprocessing:
    """The preprocessing that a user described, fitted to a scene where numbers are not given.

    Raises:
        InputError: It does not fit the scene's bands, or is not affine.
        DataError: Its file is damaged.
    """
    training = options.statistics == "training"
    spectra = scene.cube.reshape(-1, scene.bands)
    sample = spectra[split.train] if training else scene.valid_spectra
    if options.reverse_bands:
        # Numbers that are given, or fitted, are in the order of the network.
        sample = sample[:, ::-1]
    given = options.normalize
    if isinstance(given, str) and given in NORMALIZATIONS:
        found = _by_name(given, options, scene, split, sample)
    else:
        found = _given(given, sample)
    return reversed_bands(found, scene.bands) if options.reverse_bands else found


def _by_name(
    name: str,
    options: PreprocessingOptions,
    scene: Scene,
    split: Split,
    sample: Float32Array,
) -> Preprocessing:
    normalizer = fit_normalizer(name, sample)
    over = "training pixels" if options.statistics == "training" else "all pixels of the scene"
    described = name if name == "none" else f"{name} over {over}"
    if not options.bands:
        return Preprocessing(normalizer, None, described)
    labels = scene.labels.ravel()[split.train].astype(np.int32) - 1
    training = options.statistics == "training"
    technique = reductions.parse(options.bands).technique
    known = reductions.TECHNIQUES.get(technique)
    if not training and reductions.learns_from_labels(technique):
        raise InputError(
            f"{technique} learns from labels, which not every pixel of a scene has",
            received="statistics over the scene",
            remedy="fit it to the training pixels",
        )
    if known is not None and known.transductive:
        raise InputError(
            f"{technique} has no formula for pixels that it was not fitted to",
            remedy="give the components as a file of preprocessing, or another reduction",
        )
    fitted = reductions.fit(
        options.bands,
        reductions.TrainingSpectra(
            normalizer.apply(sample),
            labels if training else np.empty(0, np.int32),
            split.seed,
        ),
        lambda: normalizer.apply(scene.valid_spectra),
        scene.wavelengths,
    )
    described = f"{described}, then {options.bands} over {over}"
    if name == "none" and fitted.affine is not None and not fitted.selected:
        whole = fitted.affine
        return standardized_projection(
            whole.matrix.astype(np.float64), whole.offset, sample, described, options.bands
        )
    return Preprocessing(normalizer, fitted, described)


def reversed_bands(of: Preprocessing, count: int) -> Preprocessing:
    """The preprocessing of a network that takes the bands of a scene in reverse order.

    Args:
        of: Preprocessing of bands in the order of the network.
        count: Number of bands of the scene.
    """
    normalizer = Normalizer(of.normalizer.offset[::-1], of.normalizer.scale[::-1])
    described = f"bands reversed, {of.description}"
    if of.reducer is None:
        order = np.arange(count - 1, -1, -1)
        return Preprocessing(normalizer, selection(order, count, "reversed"), described)
    affine = of.reducer.affine
    if affine is None:
        raise InputError(
            f"{of.reducer.spec} cannot be reversed", remedy="leave the reduction of bands out"
        )
    matrix = np.ascontiguousarray(affine.matrix[::-1])
    return Preprocessing(normalizer, projection(matrix, affine.offset, "reversed"), described)
