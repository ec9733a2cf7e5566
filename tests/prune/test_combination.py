from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from test_criteria import maps, network, samples

from hsitf.data import prepare
from hsitf.errors import InputError
from hsitf.prune import rank
from hsitf.prune.combination import (
    EvidenceBatches,
    combined,
    criterion_terms,
    file_label,
)
from hsitf.prune.criteria import CRITERIA, high_frequency, lfp, lfp_scaled, low_frequency
from hsitf.prune.iterations import calibration_samples
from hsitf.prune.request import PruningRequest
from hsitf.scenes.splits import SplitOptions
from hsitf.zoo import DEFAULT_RECIPE

CHESS = [[1, -1], [-1, 1]]


def test_the_share_of_low_frequencies():
    flat, empty = np.full((2, 2), 3.0), np.zeros((2, 2))
    # A flat map has its mean alone, a checkerboard the highest frequency alone.
    np.testing.assert_allclose(low_frequency(maps(flat, CHESS, empty)), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(high_frequency(maps(flat, CHESS, empty)), [0, 1, 0], atol=1e-12)
    # The mean 1 and the checkerboard 2: powers of 16 and 64 of 80.
    mixed = np.add(1.0, np.multiply(2, CHESS))
    assert low_frequency(maps(mixed)) == pytest.approx([0.2])
    # The share is that of all samples' power, not the mean of their shares: 16 + 0 of 16 + 64.
    several = maps(np.ones((2, 2)))
    both = np.concatenate([several.feature_maps, 2 * np.array([[CHESS]], np.float64)])
    assert low_frequency(type(several)(feature_maps=both)) == pytest.approx([0.2])


def test_a_quarter_of_a_cycle_a_pixel_is_low():
    # Eight columns: one or two cycles in eight pixels are low, three are not.
    at = np.arange(8)
    waves = [np.cos(2 * np.pi * cycles * at / 8)[None] for cycles in (1, 2, 3)]
    np.testing.assert_allclose(low_frequency(maps(*waves)), [1, 1, 0], atol=1e-12)


def test_scaled_lfp_is_free_of_units():
    rng = np.random.default_rng(0)
    pictures = np.abs(rng.normal(size=(4, 5, 6, 6)))
    one, small = (maps().__class__(feature_maps=factor * pictures) for factor in (1.0, 1e-3))
    np.testing.assert_allclose(lfp_scaled(one), lfp_scaled(small))
    assert not np.allclose(lfp(one), lfp(small))
    deviation = pictures.std()
    np.testing.assert_allclose(
        lfp_scaled(one), lfp(maps().__class__(feature_maps=pictures / deviation))
    )


def test_a_sum_of_criteria_by_hand():
    # 1, 3, 2 becomes 0, 1, 0.5; 30, 10, 10 becomes 1, 0, 0.
    scores = [np.array([1.0, 3.0, 2.0]), np.array([30.0, 10.0, 10.0])]
    np.testing.assert_allclose(combined(scores, [0.75, 0.25]), [0.25, 0.75, 0.375])
    # What selects nothing adds nothing.
    np.testing.assert_allclose(combined([scores[0], np.ones(3)], [0.5, 0.5]), [0, 0.5, 0.25])


def test_names_of_sums():
    assert [(t.name, t.weight) for t in criterion_terms("lfp+l1")] == [("lfp", 0.5), ("l1", 0.5)]
    weights = [term.weight for term in criterion_terms("3*lfp+1*l1")]
    assert weights == pytest.approx([0.75, 0.25])
    assert [term.weight for term in criterion_terms("l2")] == [1.0]
    assert file_label("0.7*lfp+0.3*l1") == "0.7lfp+0.3l1"
    for text in ("0*lfp+l1", "a*lfp", "-1*lfp+l1", "inf*lfp"):
        with pytest.raises(InputError, match="weight of a criterion is out of range"):
            criterion_terms(text)
    with pytest.raises(InputError, match="l1 is named twice"):
        criterion_terms("l1+0.5*l1")
    with pytest.raises(InputError, match=r"unknown criterion 'lpf'.*lfp"):
        criterion_terms("l1+lpf")


def test_a_sum_ranks_as_its_parts_do():
    model, given = network(), samples(32)
    (alone,) = rank(model, "l1").importance
    (same,) = rank(model, "2*l1+1e-9*lfp", given).importance
    np.testing.assert_array_equal(np.argsort(alone), np.argsort(same))
    (l1,), (lfp_only,) = rank(model, "l1").importance, rank(model, "lfp", given).importance
    total = combined([l1, lfp_only], [0.5, 0.5])
    (found,) = rank(model, "lfp+l1", given).importance
    np.testing.assert_allclose(found, total / total.mean(), rtol=1e-6)
    assert rank(model, "lfp+l1", given).criterion == "lfp+l1"


def test_scores_that_are_all_equal_are_named():
    model = network()
    conv, norm = model.get_layer("conv"), model.get_layer("norm")
    conv.set_weights([np.ones_like(conv.get_weights()[0])])
    # Maps that are far below zero are nothing behind the activation.
    norm.set_weights([np.ones(3), np.full(3, -100.0), np.zeros(3), np.ones(3)])
    ranking = rank(model, "lfp+l1", samples())
    assert ranking.tied == {"lfp": ("conv",), "l1": ("conv",)}
    assert "lfp gives all channels of conv the same score" in ranking.tie_messages[0]
    assert rank(network(), "l1").tied == {}


def test_batches_are_as_many_and_as_large_as_is_said(monkeypatch):
    seen = []
    lfp_row = CRITERIA["lfp"]

    def score(evidence):
        seen.append(len(evidence.feature_maps))
        return lfp_row.score(evidence)

    monkeypatch.setitem(CRITERIA._values, "lfp", lfp_row._replace(score=score))
    rank(network(), "lfp", samples(32), batches=EvidenceBatches(2, 16))
    # The convolution and the bands have 16 patches; the logits have their samples in a row.
    assert seen == [16, 1, 16, 16, 1, 16]
    with pytest.raises(InputError, match=r"batches of 64 samples.*1 to 32"):
        rank(network(), "lfp", samples(32), batches=EvidenceBatches(size=64))
    with pytest.raises(InputError, match="criterion l1 looks at no data"):
        rank(network(), "l1", samples(32), batches=EvidenceBatches(2))
    with pytest.raises(InputError, match="number of batches is out of range"):
        EvidenceBatches(0)


def test_more_patches_are_drawn_where_batches_are_larger(tiny):
    data = prepare(tiny, SplitOptions())
    usual = calibration_samples(data)
    larger = calibration_samples(data, EvidenceBatches(4, 200))
    assert len(usual.classes) < len(larger.classes) <= 800
    np.testing.assert_array_equal(
        usual.classes, calibration_samples(data, EvidenceBatches(9)).classes
    )


def test_frequencies_of_a_network_without_normalization():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 2))
    x = layers.Conv2D(3, 1, name="conv")(inputs)
    x = layers.Flatten()(x)
    model = keras.Model(inputs, layers.Dense(2, name="logits")(x))
    (low,) = rank(model, "low_frequency", samples(16)).importance
    (high,) = rank(model, "high_frequency", samples(16)).importance
    np.testing.assert_array_equal(np.argsort(low), np.argsort(-high))


def test_numbers_of_samples_need_a_criterion_that_looks_at_them():
    for criterion in ("l1", "bn_scale", "0.5*l1+fpgm"):
        with pytest.raises(InputError, match="from the weights alone and looks at no samples"):
            PruningRequest("macs", 0.5, DEFAULT_RECIPE, criterion, batches=2)
    with pytest.raises(InputError, match="single weights are chosen by their size"):
        PruningRequest("alpha", 0.5, DEFAULT_RECIPE, "lfp", batch_samples=8)
    for criterion in ("lfp", "l1+taylor"):
        assert PruningRequest("macs", 0.5, DEFAULT_RECIPE, criterion, batches=2).batches == 2
    assert PruningRequest("macs", 0.5, DEFAULT_RECIPE, "l1").batches is None
