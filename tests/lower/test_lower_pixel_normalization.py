"""Lowered normalization of spectra: equal in both forms, integer throughout, once a scene pixel."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import inspection
from hsitf.arithmetic import FLOAT, INTEGER
from hsitf.errors import LoweringError
from hsitf.export.calibration import Calibration
from hsitf.export.tflite import CONVERTERS
from hsitf.layers import PixelNormalization
from hsitf.lower import lower
from hsitf.lower.fully_convolutional import to_fully_convolutional
from hsitf.lower.preprocessing import fold_preprocessing
from hsitf.prune import masked, plan_from_channels, thin, trace
from hsitf.runtimes import LiteRT, dequantize, quantize
from hsitf.scenes.normalize import Normalizer

RNG = np.random.default_rng(0)
BANDS = 24
# Two materials in light of all strengths, a band that says nothing, and the counts' own noise.
_SHARE = RNG.uniform(0, 1, (900, 1))
_SPECTRA = (
    1500 + 900 * np.sin(np.arange(BANDS) / 6) + _SHARE * 500 * np.cos(np.arange(BANDS) / 3)
) * RNG.uniform(0.6, 1.4, (900, 1))
_SPECTRA[:, 7] = 1000
COUNTS = (_SPECTRA + 8 * RNG.normal(size=_SPECTRA.shape)).reshape(100, 3, 3, BANDS)
NORMALIZER = Normalizer.fit(COUNTS.reshape(300, 3, BANDS), np.arange(900))
PATCHES = ((COUNTS - NORMALIZER.offset) / NORMALIZER.scale).astype(np.float32)
KINDS = ("snv", "unit", "difference", "continuum")
INTEGER_KINDS = KINDS[:3]


def normalization(kind: str) -> PixelNormalization:
    made = PixelNormalization(kind, NORMALIZER.offset, NORMALIZER.scale, name="pixels")
    return made.standardized(COUNTS.reshape(-1, BANDS))


def network(kind: str, side: int = 3) -> keras.Model:
    inputs = keras.Input((side, side, BANDS))
    x = normalization(kind)(inputs)
    x = layers.Conv2D(8, 3, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def normalized(kind: str, counts: np.ndarray) -> np.ndarray:
    """By the definition, in float64."""
    layer = normalization(kind)
    found = (layer.normalized(counts.reshape(-1, BANDS)) - layer.center) / layer.deviation
    return found.reshape(*counts.shape[:-1], -1)


@pytest.mark.parametrize("arithmetic", [FLOAT, INTEGER], ids=["float", "integer"])
@pytest.mark.parametrize("kind", INTEGER_KINDS)
def test_both_forms_are_the_definition(kind, arithmetic):
    inputs = keras.Input((3, 3, BANDS))
    model = keras.Model(inputs, normalization(kind)(inputs))
    received = np.asarray(lower(model, 100, arithmetic)(PATCHES))
    np.testing.assert_allclose(received, normalized(kind, COUNTS), atol=5e-5)


def test_continuum_removal_is_lowered_for_floats_and_refused_for_integers():
    inputs = keras.Input((3, 3, BANDS))
    model = keras.Model(inputs, normalization("continuum")(inputs))
    received = np.asarray(lower(model, 100)(PATCHES))
    np.testing.assert_allclose(received, normalized("continuum", COUNTS), rtol=1e-3, atol=1e-4)
    with pytest.raises(LoweringError, match=r"continuum removal, has no integer form.*snv"):
        lower(model, 1, INTEGER)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tile_normalizes_each_pixel_once(kind):
    model = network(kind)
    tile = np.concatenate(np.concatenate(PATCHES[:4].reshape(2, 2, 3, 3, BANDS), axis=1), axis=1)
    whole = to_fully_convolutional(model, 4)
    received = np.asarray(whole(tile[None].astype(np.float32)))[0]
    windows = np.stack([tile[r : r + 3, c : c + 3] for r in range(4) for c in range(4)])
    np.testing.assert_allclose(received.reshape(16, 3), np.asarray(model(windows)), atol=2e-4)
    # Nothing is computed at the places of patches instead: no tensor is larger than the tile's.
    sizes = [np.prod(layer.output.shape[1:]) for layer in whole.layers]
    assert max(sizes) <= tile.size


@pytest.mark.parametrize("kind", KINDS)
def test_folded_preprocessing_cancels_what_the_layer_undoes(kind):
    model = network(kind)
    folded = fold_preprocessing(model, NORMALIZER, None, True)
    assert [type(layer).__name__ for layer in folded.layers][1] == "PixelNormalization"
    assert folded.layers[1].sensor_units
    counts = COUNTS.astype(np.float32)
    np.testing.assert_allclose(folded(counts), np.asarray(model(PATCHES)), atol=5e-4)


def test_another_normalizer_is_folded_beside_the_layer():
    model = network("snv")
    other = Normalizer((0.0,) * BANDS, (2.0,) * BANDS)
    folded = fold_preprocessing(model, other, None, True)
    np.testing.assert_allclose(folded(2 * PATCHES), np.asarray(model(PATCHES)), atol=1e-4)


@pytest.mark.parametrize("folded", [False, True], ids=["normalized", "counts"])
@pytest.mark.parametrize("kind", INTEGER_KINDS)
def test_integers_throughout(kind, folded, tmp_path):
    inputs = keras.Input((3, 3, BANDS))
    model = keras.Model(inputs, layers.Identity()(normalization(kind)(inputs)))
    patches = PATCHES
    if folded:
        model = fold_preprocessing(model, NORMALIZER, None, True)
        patches = COUNTS.astype(np.float32)
    path = tmp_path / "network.tflite"
    CONVERTERS["int8"](lower(model, 1, INTEGER), Calibration(patches), path)
    found = inspection.tflite(path)
    assert found.floating == ()
    assert found.integer_share == 1
    runtime = LiteRT(path)
    # Counts keep their 16 bits, and so does what differences are taken of.
    wide = folded or kind == "difference"
    assert runtime.input.dtype == ("int16" if wide else "int8")
    assert runtime.output.dtype == "int8"
    received = dequantize(
        np.concatenate([runtime.infer(one[None]) for one in quantize(patches, runtime.input)]),
        runtime.output,
    )
    error = np.sqrt(np.mean((received - normalized(kind, COUNTS)) ** 2))
    # What bands in 256 steps lose, whatever comes then; differences of counts enter in 16 bits.
    step = np.ptp(PATCHES) / 255
    rounded = np.round(PATCHES / step) * step * NORMALIZER.scale + NORMALIZER.offset
    least = np.sqrt(np.mean((normalized(kind, rounded) - normalized(kind, COUNTS)) ** 2))
    if kind == "difference":
        # Normalized bands have weights of their own, in 8 bits.
        assert error < (0.03 if folded else 0.04) < least / 2
        # Half a step of the 256 would be 0.03, in all differences alike.
        assert abs(np.mean(received - normalized(kind, COUNTS))) < 0.005
    else:
        assert error < 1.7 * least + 0.03


@pytest.mark.parametrize("folded", [False, True], ids=["normalized", "counts"])
@pytest.mark.parametrize("kind", ["snv", "unit"])
def test_float16_weights_keep_spectra(kind, folded, tmp_path):
    """What is left of a spectrum after its brightness is small beside weights of 11 bits."""
    inputs = keras.Input((3, 3, BANDS))
    model = keras.Model(inputs, layers.Identity()(normalization(kind)(inputs)))
    patches = PATCHES
    if folded:
        model = fold_preprocessing(model, NORMALIZER, None, True)
        patches = COUNTS.astype(np.float32)
    path = tmp_path / "network.tflite"
    CONVERTERS["float16"](lower(model, 1, FLOAT), Calibration(patches), path)
    runtime = LiteRT(path)
    received = np.concatenate([runtime.infer(one[None]) for one in patches])
    error = received - normalized(kind, COUNTS)
    # 11 bits of the last factor, one a band, of values of a few deviations.
    assert np.sqrt(np.mean(error**2)) < 2.0**-11


def test_no_band_is_pruned_before_or_behind_it():
    model = network("difference")
    plan = plan_from_channels(trace(model), {model.layers[2].name: [0, 5]})
    smaller = thin(model, plan)
    assert smaller.layers[1].get_config() == model.layers[1].get_config()
    assert smaller.layers[2].filters == 6
    np.testing.assert_allclose(
        np.asarray(smaller(PATCHES)), np.asarray(masked(model, plan)(PATCHES)), atol=1e-5
    )
