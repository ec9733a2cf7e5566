"""What a reduction of bands takes to fit, and to apply to a scene."""

from __future__ import annotations

import time
from dataclasses import dataclass

from hsitf.bands import Reducer, fit
from hsitf.data import Data, front, sample
from hsitf.measure import forget_peak, peak_memory


@dataclass(frozen=True)
class Fitted:
    """A reduction fitted to the training pixels of a scene and applied to all pixels.

    Attributes:
        text: Such as "pca:30".
        components: What is left of a pixel.
        fit_seconds: Time to fit.
        transform_seconds: Time to reduce every pixel, normalization included.
        memory: Bytes that both took at most beyond what there was before.
        fusable: Whether it can go into an exported file.
        remark: What everyone who reads results made with it has to know.
    """

    text: str
    components: int
    fit_seconds: float
    transform_seconds: float
    memory: int
    fusable: bool
    remark: str


def measured(text: str, data: Data) -> Fitted:
    """Fits a reduction to the training pixels of `data` and applies it to the scene.

    Args:
        text: Such as "pca:30".
        data: With all bands.

    Raises:
        InputError: The reduction cannot be had of these bands and pixels.
    """
    taught = sample(data.scene, data.split, data.normalizer)
    spectra = data.scene.cube.reshape(-1, data.scene.bands)
    forget_peak()
    before = peak_memory()
    start = time.perf_counter()
    reducer: Reducer = fit(
        text, taught, lambda: data.normalizer.apply(spectra), data.scene.wavelengths
    )
    fitted = time.perf_counter()
    front(data.scene.cube, data.normalizer, reducer)
    done = time.perf_counter()
    return Fitted(
        reducer.text,
        reducer.components,
        fitted - start,
        done - fitted,
        max(0, peak_memory() - before),
        reducer.fusable,
        reducer.remark,
    )
