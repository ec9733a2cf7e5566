"""Evidence of the channels inside attention: gates and maps, computed by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from hsitf.prune.config import PruningConfig
from hsitf.prune.criteria import CRITERIA, get_criterion
from hsitf.prune.evidence import gather_evidence
from hsitf.prune.plans import plan
from hsitf.prune.ranking import Samples
from hsitf.prune.tracing import trace

RNG = np.random.default_rng(0)
TOKENS, BANDS, HEADS, KEYS, VALUES = 5, 6, 4, 3, 2


def weighted(attention, *, causal: bool = False, again: bool = False) -> keras.Model:
    inputs = keras.Input((TOKENS, BANDS))
    x = attention(inputs, layers.Dense(BANDS)(inputs[:, :4]), use_causal_mask=causal)
    if again:
        x = layers.MultiHeadAttention(2, 3)(x, x)
    model = keras.Model(inputs, layers.Dense(3)(x[:, 0]))
    for weight in model.weights:
        weight.assign(RNG.normal(size=weight.shape))
    return model


def multi_head(**options) -> keras.Model:
    layer = layers.MultiHeadAttention(HEADS, KEYS, value_dim=VALUES, name="seen")
    return weighted(layer, **options)


def samples(count: int = 16) -> Samples:
    patches = RNG.normal(size=(count, TOKENS, BANDS)).astype(np.float32)
    return Samples((patches,), RNG.integers(0, 3, count))


def evidence(model: keras.Model, criterion: str, given: Samples) -> dict:
    return next(iter(gather_evidence(model, trace(model), get_criterion(criterion), given)))


def projected(model: keras.Model, part: str, tokens: np.ndarray) -> np.ndarray:
    dense = getattr(model.get_layer("seen"), f"_{part}_dense")
    sums = np.einsum("bti,ihd->bthd", tokens, np.asarray(dense.kernel))
    return np.asarray(sums + np.asarray(dense.bias))


@pytest.mark.parametrize("causal", [False, True])
def test_maps_by_hand(causal):
    model, given = multi_head(causal=causal), samples()
    # All samples make the one batch, in another order.
    found = evidence(model, "lfp", given)
    order = np.random.default_rng(0).choice(16, 16, replace=False)
    tokens = given.inputs[0][order]
    dense = model.layers[2] if isinstance(model.layers[2], layers.Dense) else model.layers[1]
    others = np.asarray(dense(tokens[:, :4]))
    query, key, value = (
        projected(model, part, given)
        for part, given in (("query", tokens), ("key", others), ("value", others))
    )
    scores = np.einsum("bthk,bshk->bhts", query, key) / np.sqrt(KEYS)
    if causal:
        scores[..., np.arange(TOKENS)[:, None] < np.arange(4)] = -1e9
    sums = np.einsum("bhts,bshv->bthv", np.asarray(ops.softmax(scores)), value)
    heads = found["seen/heads"].feature_maps
    np.testing.assert_allclose(heads, sums.transpose(0, 2, 1, 3), atol=1e-4)
    values = found["seen/values"].feature_maps
    np.testing.assert_allclose(values, sums.transpose(0, 3, 1, 2), atol=1e-4)
    # Queries and keys have different tokens: they are in one row.
    keys = found["seen/keys"].feature_maps
    assert keys.shape == (16, KEYS, 1, (TOKENS + 4) * HEADS)
    both = [each.reshape(16, -1, KEYS) for each in (query, key)]
    expected = np.concatenate(both, axis=1).transpose(0, 2, 1)[:, :, None]
    np.testing.assert_allclose(keys, expected, atol=1e-4)


def test_taylor_is_the_derivative_of_a_gate():
    """First-order importance of a head: (dL / dm)^2 of a factor m = 1 on what it makes."""
    model, given = multi_head(), samples()
    found = evidence(model, "taylor", given)
    layer = model.get_layer("seen")
    gates = {
        "heads": (layer._output_dense.kernel, (HEADS, 1, 1)),
        "values": (layer._output_dense.kernel, (1, VALUES, 1)),
        "keys": (layer._query_dense.kernel, (1, 1, KEYS)),
    }
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for kind, (kernel, shape) in gates.items():
        kept, step, derivatives = np.array(kernel), 1e-2, []
        bias = np.array(layer._query_dense.bias)
        for channel in range(max(shape)):
            losses = []
            for sign in (1, -1):
                gate = np.ones(max(shape), np.float32)
                gate[channel] += sign * step
                kernel.assign(kept * gate.reshape(shape))
                if kind == "keys":
                    layer._query_dense.bias.assign(bias * gate)
                losses.append(float(loss(given.classes, model(given.inputs[0]))))
            derivatives.append((losses[0] - losses[1]) / (2 * step))
        kernel.assign(kept)
        layer._query_dense.bias.assign(bias)
        scores = get_criterion("taylor").score(found[f"seen/{kind}"])
        np.testing.assert_allclose(np.sqrt(scores), np.abs(derivatives), rtol=0.02, atol=2e-3)


@pytest.mark.parametrize("criterion", sorted(set(CRITERIA) - {"bn_scale"}))
def test_every_criterion_ranks_what_is_inside_attention(criterion):
    tf.random.set_seed(0)
    for model in (
        multi_head(again=True),
        weighted(layers.GroupQueryAttention(3, 4, 2, name="seen")),
    ):
        kinds = {"heads": 0.5, "keys": 0.5}
        chosen = plan(model, criterion, PruningConfig(kinds=kinds), samples(70))
        assert {"seen/heads", "seen/keys"} <= set(chosen.kept)
