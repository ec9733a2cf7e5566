"""16-bit activations in the operators of attention."""

from __future__ import annotations

from collections import Counter

import keras
import numpy as np
import pytest
from keras import layers
from networks import randomized

from hsitf import flatbuffer
from hsitf.arithmetic import INTEGER
from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.lower import lower
from hsitf.quantize.mixed_precision import (
    MixedPrecisionRecipe,
    file_logits,
    quantizable_operators,
    quantize_file,
)
from hsitf.quantize.tensor_statistics import collect_statistics

pytest.importorskip("litert_quantizer")
RNG = np.random.default_rng(0)
# What an encoder is made of besides its projections.
PARTS = ("BATCH_MATMUL", "SOFTMAX", "SUB", "MEAN", "RSQRT", "MUL", "GELU")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """An encoder as a float file, its histograms, patches and logits."""
    inputs = keras.Input((6, 8), name="patch")
    x = layers.LayerNormalization(name="norm")(inputs)
    x = layers.Add()([inputs, layers.MultiHeadAttention(2, 4, name="seen")(x, x)])
    x = layers.Add()([x, layers.Dense(8)(layers.Dense(4, activation="gelu")(x))])
    model = randomized(keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x))))
    patches = RNG.normal(size=(64, 6, 8)).astype(np.float32)
    path = tmp_path_factory.mktemp("mixed") / "float32.tflite"
    VARIANTS["float32"].convert(lower(model, arithmetic=INTEGER), Calibration(patches), path)
    return path, collect_statistics(path, patches), patches, model.predict(patches, verbose=0)


@pytest.mark.parametrize("part", PARTS)
def test_one_kind_of_operators_gets_16_bits(encoder, part, tmp_path):
    source, histograms, patches, expected = encoder
    wide = tuple(one.output for one in quantizable_operators(source) if one.operator_type == part)
    assert wide
    errors = []
    for outputs in ((), wide):
        path = tmp_path / "mixed.tflite"
        quantize_file(source, histograms, MixedPrecisionRecipe(int16_outputs=outputs), path)
        errors.append(float(np.abs(file_logits(path, patches) - expected).mean()))
    model = flatbuffer.read(path)
    graph = model.subgraphs[0]
    types = Counter(
        (flatbuffer.operator_name(model, one), int(graph.tensors[one.outputs[0]].type))
        for one in graph.operators
    )
    # Types 7 and 9 of the schema are int16 and int8; nothing is float but for the ends.
    assert types[part, 7] == len(wide)
    assert {kind for _, kind in types} <= {7, 9}
    assert errors[1] < 1.15 * errors[0]
