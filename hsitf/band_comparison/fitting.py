"""Time and memory to fit a band reduction and to apply it to a scene."""

from __future__ import annotations

import time
from dataclasses import dataclass

from hsitf.bands import Reducer, fit, former_spec
from hsitf.compat import formerly, formerly_written
from hsitf.data import SceneData, preprocess, training_spectra
from hsitf.measure import peak_memory, reset_peak_memory


@formerly(spec="text", peak_memory="memory", foldable="fusable")
@formerly_written(spec=former_spec)
@dataclass(frozen=True)
class FittedReduction:
    """A reduction fitted to the training pixels of a scene and applied to all pixels.

    Attributes:
        spec: Specification such as "pca:30".
        components: Number of components of a pixel.
        fit_seconds: Time to fit.
        transform_seconds: Time to transform every pixel, normalization included.
        peak_memory: Peak memory of both beyond what was in use before, in bytes.
        foldable: Whether it can be folded into an exported file.
        remark: A caveat that every reader of its results needs to know.
    """

    spec: str
    components: int
    fit_seconds: float
    transform_seconds: float
    peak_memory: int
    foldable: bool
    remark: str


def measure_reduction(spec: str, data: SceneData) -> FittedReduction:
    """Fits a reduction to the training pixels of `data` and applies it to the scene.

    Args:
        spec: Specification such as "pca:30".
        data: The scene with all bands.

    Raises:
        InputError: The reduction is not possible for these bands and pixels.
    """
    sample = training_spectra(data.scene, data.split, data.normalizer)
    spectra = data.scene.cube.reshape(-1, data.scene.bands)
    reset_peak_memory()
    before = peak_memory()
    start = time.perf_counter()
    reducer: Reducer = fit(
        spec, sample, lambda: data.normalizer.apply(spectra), data.scene.wavelengths
    )
    fitted = time.perf_counter()
    preprocess(data.scene.cube, data.normalizer, reducer)
    done = time.perf_counter()
    return FittedReduction(
        reducer.spec,
        reducer.components,
        fitted - start,
        done - fitted,
        max(0, peak_memory() - before),
        reducer.foldable,
        reducer.remark,
    )
