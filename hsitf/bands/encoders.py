"""Codes of autoencoders: dense layers, and the convolutions of `boulch`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.bands.reducer import Arrays, BandTransform, DenseEncoder
from hsitf.bands.technique import ReductionTechnique, TrainingSpectra

_EPOCHS = 100
# Its convolutions take ten times as long.
_EPOCHS_OF_BOULCH = 20
_BATCH = 128
_RATE = 1e-3
# Numbers in the code of the zoo's boulch.
_CODE = 3


def _autoencoder(sample: TrainingSpectra, components: int) -> BandTransform:
    """One hidden layer of the geometric mean of both widths, on the way in and on the way out."""
    import keras
    from keras import layers

    from hsitf.seeding import seeded

    hidden = max(components, round((sample.bands * components) ** 0.5))
    inputs = keras.Input((sample.bands,))
    with seeded(sample.seed):
        first, second = layers.Dense(hidden, activation="relu"), layers.Dense(components)
        code = second(first(inputs))
        decoded = layers.Dense(sample.bands)(layers.Dense(hidden, activation="relu")(code))
        _train(keras.Model(inputs, decoded), sample.spectra, sample.spectra, _EPOCHS)
    kernels = tuple(np.asarray(layer.get_weights()[0]) for layer in (first, second))
    biases = tuple(np.asarray(layer.get_weights()[1]) for layer in (first, second))
    return DenseEncoder(kernels, biases)


@dataclass(frozen=True, eq=False)
class BoulchEncoder:
    """The encoder of the zoo's boulch.

    Attributes:
        bands: Number of input bands.
        weights: Weights of the encoder, in Keras' order.
    """

    bands: int
    weights: tuple[Float32Array, ...]

    @cached_property
    def _encoder(self) -> Any:
        encoder = _encoder(self.bands)
        encoder.set_weights(list(self.weights))
        return encoder

    def apply(self, spectra: Float32Array) -> Float32Array:
        """The three numbers of each spectrum."""
        return np.asarray(self._encoder.predict(spectra[:, None, None], 4096, verbose=0))

    def arrays(self) -> Arrays:
        """Bands and weights."""
        named: Arrays = {"bands": np.array(self.bands)}
        return named | {f"weight{n}": weight for n, weight in enumerate(self.weights)}


def _encoder(bands: int) -> Any:
    import keras

    from hsitf import zoo

    whole = zoo.build("boulch", bands=bands, classes=2, patch=1)
    return keras.Model(whole.input, whole.get_layer("code").output)


def _boulch(sample: TrainingSpectra, components: int) -> BandTransform:
    import keras
    from keras import layers

    from hsitf.seeding import seeded

    patches = sample.spectra[:, None, None]
    with seeded(sample.seed):
        encoder = _encoder(sample.bands)
        spectrum = layers.Dense(sample.bands)(encoder.output)
        _train(keras.Model(encoder.input, spectrum), patches, sample.spectra, _EPOCHS_OF_BOULCH)
    return BoulchEncoder(
        sample.bands, tuple(np.asarray(weight) for weight in encoder.get_weights())
    )


def _train(network: Any, spectra: Float32Array, target: Float32Array, epochs: int) -> None:
    import keras

    network.compile(keras.optimizers.Adam(_RATE), "mse", jit_compile=False)
    network.fit(spectra, target, _BATCH, epochs, verbose=0)


ENCODERS = {
    "autoencoder": ReductionTechnique(_autoencoder),
    "boulch": ReductionTechnique(
        _boulch,
        lambda sample: _CODE,
        "three, by its paper",
        remark="the code of the zoo's boulch, trained to reconstruct the training spectra",
    ),
}
