"""Normalization per pixel in training: fitted to the training pixels, put in front of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hsitf.data import SceneData
from hsitf.errors import DataError, InputError
from hsitf.train.normalized_bands import band_positions

if TYPE_CHECKING:
    import keras

    from hsitf.graph import Call
    from hsitf.layers import PixelNormalization

# As `hsitf.layers.pixel_normalization.KINDS`, which cannot be read without Keras.
PIXEL_NORMALIZATIONS = ("snv", "unit", "difference", "continuum")
# What a spectrum is to which each is not defined.
_UNDEFINED = {
    "snv": "the same value in all bands",
    "unit": "zero in all bands",
    "continuum": "a continuum that is not above zero in all bands",
}
# Numbers of labelled spectra that are looked at at once.
_BLOCK = 2**22


def fit_pixel_normalization(kind: str, data: SceneData) -> PixelNormalization:
    """The normalization of a plan, its statistics those of the training pixels.

    Args:
        kind: One of `PIXEL_NORMALIZATIONS`.
        data: The scene, its bands all there or selected.

    Raises:
        InputError: Bands are combined, or there is a single one.
        DataError: Labelled spectra have no such normalization.
    """
    chosen = _chosen_bands(kind, data)
    return check_pixel_normalization(kind, data).standardized(
        _spectra(data, data.split.train, chosen)
    )


def check_pixel_normalization(kind: str, data: SceneData) -> PixelNormalization:
    """The same before it has statistics, where the scene has such a normalization.

    Args:
        kind: One of `PIXEL_NORMALIZATIONS`.
        data: The scene, its bands all there or selected.

    Raises:
        InputError: Bands are combined, or there is a single one.
        DataError: Labelled spectra have no such normalization.
    """
    from hsitf.layers import PixelNormalization

    chosen = _chosen_bands(kind, data)
    offset, scale = (
        np.asarray(part, np.float64)[chosen]
        for part in (data.normalizer.offset, data.normalizer.scale)
    )
    _check_wavelengths(kind, data, chosen)
    layer = PixelNormalization(
        kind,
        offset.tolist(),
        scale.tolist(),
        positions=band_positions(data)[chosen].tolist(),
        # Sums of squares do not fit into 16 bits.
        dtype="float32",
        name="pixel_normalization",
    )
    _check_spectra(layer, data, chosen)
    return layer


def in_front(layer: keras.Layer, network: keras.Model) -> keras.Model:
    """A network behind a layer that its patches pass first: one flat model, the weights copied.

    Args:
        layer: Takes and makes patches.
        network: A functional model of one input, not used any more.
    """
    import keras

    from hsitf.graph import copy_weights, unwrap_single, walk

    (given,) = network.inputs
    bands = getattr(layer, "input_bands", given.shape[-1])
    inputs = keras.Input((*given.shape[1:-1], bands), name=given.name)
    copies: dict[int, Any] = {}

    def visit(call: Call, values: list[Any]) -> Any:
        operation = call.operation
        if id(operation) not in copies:
            copies[id(operation)] = type(operation).from_config(operation.get_config())
        result = call.call_with(copies[id(operation)], values)
        if isinstance(operation, keras.Layer):
            copy_weights(operation, copies[id(operation)])
        return list(result) if isinstance(result, list | tuple) else result

    outputs = walk(network, [layer(inputs)], visit)
    return keras.Model(inputs, unwrap_single(outputs), name=network.name)


def _chosen_bands(kind: str, data: SceneData) -> NDArray[np.intp]:
    """Indices of the bands that a network takes."""
    reducer = data.reducer
    if reducer is not None and not reducer.selected:
        raise InputError(
            "only spectra can be normalized pixel by pixel, and the components of a reduction are "
            "none",
            received=f"--pixel-normalization {kind} with --bands {reducer.spec}",
            allowed="all bands, or selected ones such as select: and nm:",
            remedy="leave one of the two out, or select bands",
        )
    chosen = np.arange(data.scene.bands) if reducer is None else np.asarray(reducer.selected)
    if len(chosen) < 2:
        raise InputError(
            "a spectrum of one band cannot be normalized by itself",
            received=f"--pixel-normalization {kind} of {len(chosen)} band(s)",
            allowed="two bands or more",
            remedy="leave it out",
        )
    return chosen


def _check_wavelengths(kind: str, data: SceneData, chosen: NDArray[np.intp]) -> None:
    positions = band_positions(data)[chosen]
    if kind == "continuum" and len(np.unique(positions)) < len(positions):
        raise DataError(
            "continuum removal needs bands of different wavelengths",
            received=f"{len(positions)} bands at {len(np.unique(positions))} wavelengths",
            remedy="select bands with --bands select:..., or choose another "
            "--pixel-normalization, such as snv",
        )


def _spectra(
    data: SceneData, pixels: NDArray[np.int64], chosen: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(n, chosen bands) float64 in the sensor's units; without data, the mean spectrum."""
    cube = data.scene.cube
    raw = data.normalizer.fill(cube.reshape(-1, cube.shape[2])[pixels])
    return np.asarray(raw[:, chosen], np.float64)


def _check_spectra(layer: PixelNormalization, data: SceneData, chosen: NDArray[np.intp]) -> None:
    """Refuses labelled spectra that have no such normalization.

    Raises:
        DataError: There are any.
    """
    parts = data.split
    pixels = np.concatenate([parts.train, parts.validation, parts.test])
    step = max(1, _BLOCK // len(chosen))
    count = sum(
        layer.count_undefined(_spectra(data, pixels[start : start + step], chosen))
        for start in range(0, len(pixels), step)
    )
    if count:
        raise DataError(
            f"{count} of {len(pixels)} labelled pixels have no {layer.kind} normalization",
            received=f"spectra with {_UNDEFINED[layer.kind]}",
            remedy="set their labels to 0, mark them as without data, or choose another "
            "--pixel-normalization",
        )
