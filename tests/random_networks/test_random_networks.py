"""Random networks, thinned, lowered, tiled and as int8 files, against checks of their own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from masked_reference import masked_outputs
from network_campaign import run

from hsitf.lower.rules import OPERATIONS as LOWERED_OPERATIONS
from hsitf.lower.rules import RULES as LOWERED
from hsitf.prune import PruningConfig, plan, thin
from hsitf.prune.rules import OPERATIONS, RULES

# In front of a network, of whole spectra; `tests/lower` and `tests/prune` have them.
SPECTRA = {"PixelNormalization", "WavelengthFilters"}


@pytest.fixture(scope="module")
def found():
    return run(200, seed=1)


def test_nothing_is_wrong(found):
    assert not found.faults, str(found)


def test_refusals_are_few(found):
    for check in ("thinned", "lowered"):
        assert sum(found.refused[check].values()) < 0.1 * found.tries[check], str(found)
    assert found.tries["int8"] >= 10


def test_every_rule_is_used(found):
    rules = {kind.__name__ for kind in (*RULES, *LOWERED)} | {*OPERATIONS, *LOWERED_OPERATIONS}
    assert rules - SPECTRA <= found.used


def test_the_reference_notices_a_wrong_plan():
    inputs = keras.Input((5, 5, 3))
    x = layers.Conv2D(6, 3, activation="sigmoid", name="conv")(inputs)
    model = keras.Model(inputs, layers.Dense(3, name="out")(layers.Flatten()(x)))
    chosen = plan(model, "l1", PruningConfig(0.5))
    given = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype(np.float32)
    (right,) = masked_outputs(model, chosen.kept, chosen.widths, [given])
    np.testing.assert_allclose(thin(model, chosen)(given), right, atol=1e-5)
    other = {"conv": tuple(at for at in range(6) if at not in chosen.kept["conv"])}
    (wrong,) = masked_outputs(model, other, chosen.widths, [given])
    assert np.abs(wrong - right).max() > 1e-2
    with pytest.raises(AssertionError, match="removed channels reach output"):
        masked_outputs(model, {"out": (0, 1)}, {**chosen.widths}, [given])


def test_the_reference_by_hand():
    inputs = keras.Input((2,))
    hidden = layers.Dense(2, name="hidden", bias_initializer="ones")(inputs)
    model = keras.Model(
        inputs, layers.Dense(1, name="out")(layers.Activation("exponential")(hidden))
    )
    model.get_layer("hidden").set_weights([np.eye(2), np.zeros(2)])
    model.get_layer("out").set_weights([np.array([[2.0], [5.0]]), np.array([1.0])])
    # Without the second hidden channel: 2 exp(0) + 1, with it 5 exp(0) more.
    given = [np.zeros((1, 2), np.float32)]
    assert masked_outputs(model, {}, {}, given)[0].item() == pytest.approx(8)
    assert masked_outputs(model, {"hidden": (0,)}, {"hidden": 2}, given)[0].item() == pytest.approx(
        3
    )
