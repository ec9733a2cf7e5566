from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf.errors import InputError
from hsitf.prune import Samples, rank
from hsitf.prune.criteria import (
    CRITERIA,
    ChannelEvidence,
    activation,
    apoz,
    bn_scale,
    chip,
    fpgm,
    hessian,
    hrank,
    l1,
    l2,
    lfp,
    taylor,
)
from hsitf.prune.evidence import gather_evidence
from hsitf.prune.tracing import trace

KERNELS = ChannelEvidence(np.array([[3.0, -4.0], [0.0, 0.0], [6.0, 8.0]]))


def maps(*channels: object) -> ChannelEvidence:
    """One sample whose channels are these pictures."""
    return ChannelEvidence(feature_maps=np.array([channels], np.float64))


def test_criteria_of_kernels():
    np.testing.assert_allclose(l1(KERNELS), [3.5, 0, 7])
    np.testing.assert_allclose(l2(KERNELS), [5 / 2**0.5, 0, 10 / 2**0.5])
    far = (3**2 + 12**2) ** 0.5
    np.testing.assert_allclose(fpgm(KERNELS), [5 + far, 15, 10 + far])


def test_criteria_of_gradients():
    evidence = ChannelEvidence(KERNELS.kernels, np.array([[1.0, 2.0], [5.0, 5.0], [0.5, 0.0]]))
    # (3 - 8)^2, 0, 3^2; (9 + 64) / 2, 0, 9 / 2.
    np.testing.assert_allclose(taylor(evidence), [25, 0, 9])
    np.testing.assert_allclose(hessian(evidence), [36.5, 0, 4.5])


def test_criteria_of_maps():
    evidence = maps([[0, 2], [0, -4]], [[0, 0], [0, 0]], [[1, 1], [1, 1]])
    np.testing.assert_allclose(apoz(evidence), [0.5, 0, 1])
    np.testing.assert_allclose(activation(evidence), [1.5, 0, 1])
    np.testing.assert_allclose(hrank(maps([[1, 0], [0, 1]], [[1, 1], [1, 1]])), [2, 1])
    np.testing.assert_allclose(bn_scale(ChannelEvidence(scale=np.array([0.5, -2.0]))), [0.5, 2])


def test_channel_independence():
    # Rows of length 5, 5 and 1; the first two are one, the third stands upright on them.
    # With all: singular values sqrt(50) and 1.
    evidence = maps([[3, 4, 0]], [[3, 4, 0]], [[0, 0, 1]])
    np.testing.assert_allclose(chip(evidence), [50**0.5 - 5, 50**0.5 - 5, 1], atol=1e-6)
    # More channels than positions: the same numbers from the other side.
    rows = [[3, 4], [3, 4], [0, 0], [8, -6]]
    expected = [50**0.5 - 5, 50**0.5 - 5, 0, 10]
    np.testing.assert_allclose(chip(maps(*([row] for row in rows))), expected, atol=1e-6)


def test_low_frequency_preference():
    e = np.e
    # A flat map of 2 x 2 has its mean alone: |FFT| = 4 v at zero frequency, 0 elsewhere, and zero
    # counts as black. With v = e / 4 and e^2 / 4 the spectra hold 1 + log(e^n) = 2 and 3.
    flat = [[1, 1], [1, 1]]
    evidence = maps(np.multiply(flat, e / 4), np.multiply(flat, e**2 / 4), np.zeros((2, 2)))
    whole = (4 + 9) ** 0.5
    np.testing.assert_allclose(lfp(evidence), [whole - 3, whole - 2, 0], atol=1e-9)
    # What changes from pixel to pixel is as bright elsewhere: frequency moves, energy does not.
    chess = np.multiply([[1, -1], [-1, 1]], e / 4)
    low, high = lfp(maps(np.multiply(flat, e / 4), chess))
    assert low == pytest.approx(high)


def network() -> keras.Model:
    """A convolution, batch normalization and ReLU, then the logits."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((4, 4, 2), name="patch")
    x = layers.Conv2D(3, 1, use_bias=False, name="conv")(inputs)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(2, name="logits")(x))


def samples(count: int = 8) -> Samples:
    rng = np.random.default_rng(0)
    patches = rng.normal(size=(count, 4, 4, 2)).astype(np.float32)
    return Samples((patches,), rng.integers(0, 2, count))


def test_maps_are_what_the_next_layers_see():
    model = network()
    given = samples()
    (batch, *_) = gather_evidence(model, trace(model), CRITERIA["apoz"], given)
    seen = batch["conv"].feature_maps
    assert seen.shape == (8, 3, 4, 4)
    assert (seen >= 0).all()
    relu = keras.Model(model.inputs, model.get_layer("relu").output)
    expected = np.sort(np.asarray(relu(given.inputs[0])).ravel())
    np.testing.assert_allclose(np.sort(seen.ravel()), expected, atol=1e-6)
    # A dense layer has no positions: its samples stand in a row.
    assert batch["logits"].feature_maps.shape == (1, 2, 1, 8)


def test_gradients_are_those_of_the_loss():
    model = network()
    given = samples(4)
    before = [np.array(weight) for weight in model.get_weights()]
    (batch, *_) = gather_evidence(model, trace(model), CRITERIA["hessian"], given)
    evidence = batch["conv"]
    step = 1e-3

    def loss() -> float:
        logits = model(given.inputs[0], training=False)
        losses = keras.losses.sparse_categorical_crossentropy(
            given.classes, logits, from_logits=True
        )
        return float(np.mean(losses))

    kernel = model.get_layer("conv").get_weights()[0]
    for band, channel in np.ndindex(2, 3):
        either = []
        for sign in (1, -1):
            moved = kernel.copy()
            moved[0, 0, band, channel] += sign * step
            model.get_layer("conv").set_weights([moved])
            either.append(loss())
        model.get_layer("conv").set_weights([kernel])
        expected = (either[0] - either[1]) / (2 * step)
        assert evidence.gradients[channel, band] == pytest.approx(expected, abs=2e-3)
    for then, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(then, now)


def test_the_scale_of_the_normalization_behind_a_layer_decides():
    model = network()
    norm = model.get_layer("norm")
    norm.set_weights([np.array([0.1, -3.0, 2.0]), *norm.get_weights()[1:]])
    ranking = rank(model, "bn_scale")
    # The logits have none, and cannot go anyway.
    assert [group.layers for group in ranking.groups] == [("conv",)]
    np.testing.assert_array_equal(np.argsort(ranking.importance[0]), [0, 2, 1])


@pytest.mark.parametrize("name", [name for name, c in CRITERIA.items() if c.num_batches])
def test_criteria_that_look_at_data_ask_for_it(name):
    with pytest.raises(InputError, match="looks at data; received: no calibration patches"):
        rank(network(), name)


def test_the_same_samples_give_the_same_ranking():
    model = network()
    for name in ("lfp", "taylor"):
        first, second = (rank(model, name, samples(32)).importance for _ in range(2))
        np.testing.assert_allclose(first[0], second[0], rtol=1e-5)


def test_an_unknown_criterion_offers_the_nearest():
    with pytest.raises(InputError, match=r"unknown criterion 'hesian'.*hessian"):
        rank(network(), "hesian")


def test_close_kernels_of_large_weights_are_told_apart():
    rng = np.random.default_rng(0)
    kernels = (1000 + 0.01 * rng.normal(size=(6, 50))).astype(np.float32)
    exact = kernels.astype(np.float64)
    expected = [sum(np.linalg.norm(a - b) for b in exact) for a in exact]
    np.testing.assert_allclose(fpgm(ChannelEvidence(kernels)), expected, rtol=1e-3)


def test_penalties_constraints_and_frozen_layers_do_not_matter_to_gradients():
    plain = network()
    bound = network()
    conv = bound.get_layer("conv")
    conv.kernel.regularizer = keras.regularizers.L2(10.0)
    conv.kernel.constraint = keras.constraints.MaxNorm(0.01)
    conv.trainable = False
    bound.set_weights(plain.get_weights())
    before = [np.array(weight) for weight in bound.get_weights()]
    found = [
        next(iter(gather_evidence(model, trace(model), CRITERIA["taylor"], samples())))[
            "conv"
        ].gradients
        for model in (plain, bound)
    ]
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-6)
    assert np.abs(found[1]).max() > 0
    for then, now in zip(before, bound.get_weights(), strict=True):
        np.testing.assert_array_equal(then, now)
    assert conv.kernel.constraint is not None
