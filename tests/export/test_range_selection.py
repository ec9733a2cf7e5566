"""Which ranges an int8 file has where its network brings some, and what is said of it."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from hsitf.arithmetic import INTEGER
from hsitf.export import conversion
from hsitf.export.calibration import Calibration
from hsitf.export.recovery import LEARNED
from hsitf.export.variants import VARIANTS
from hsitf.lower import lower
from hsitf.quantize.learned_ranges import Probe, observe_learned_ranges

PATCHES = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)
RANGES = {"patch": (-3.0, 3.5), "hidden": (0.0, 1.25)}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((6,), name="patch")
    x = layers.Dense(8, activation="relu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(3, name="logits")(x))


def written(network, folder, ranges, drops, estimator=None):
    """What was applied to the file and said, and the learned ranges that it has."""
    probes = [Probe(one[None], one[None]) for one in PATCHES[:8]]
    learned = observe_learned_ranges(network, ranges, probes)
    said = []
    one = conversion._Conversion(
        SimpleNamespace(variant=VARIANTS["int8"]),
        Calibration(PATCHES, estimator, learned_ranges=None if estimator else learned),
        folder,
        lambda path: drops["measured" if path.stem.startswith("measured") else "learned"],
        SimpleNamespace(say=said.append),
    )
    (folder / "here").mkdir()
    file = folder / "here/file.tflite"
    return one.write(lower(network, 1, INTEGER), file), said, learned.kept_in(file)


@pytest.mark.parametrize(("learned", "measured"), [(0.2, 0.2), (0.1, 0.2)])
def test_learned_ranges_are_taken_where_they_lose_no_more(network, tmp_path, learned, measured):
    drops = {"learned": learned, "measured": measured}
    applied, said, kept = written(network, tmp_path, RANGES, drops)
    assert applied == (LEARNED,)
    assert kept == tuple(RANGES)
    (message,) = said
    assert f"{learned:.2f} points lost" in message
    assert message.endswith("learned ranges are taken")


def test_measured_ranges_are_taken_where_learned_ones_lose_more(network, tmp_path):
    drops = {"learned": 2.1, "measured": 0.4}
    applied, said, kept = written(network, tmp_path, RANGES, drops)
    assert applied == ()
    assert kept == ()
    assert said[0].startswith(f"int8 with {LEARNED}: 2.10 points lost in validation; with measured")
    assert said[0].endswith("ranges: 0.40 points lost; measured ranges are taken")


def test_ranges_that_no_tensor_has_are_counted(network, tmp_path):
    """A range of a layer that learned none of its values: its rectifier is always 0."""
    dead = keras.models.clone_model(network)
    dead.set_weights(
        [np.zeros_like(one) if at < 2 else one for at, one in enumerate(network.get_weights())]
    )
    drops = {"learned": 0.0, "measured": 0.0}
    applied, _, kept = written(dead, tmp_path, RANGES, drops)
    assert kept == ("patch",)
    assert applied == (f"{LEARNED} (1 of 2)",)


def test_without_a_tensor_of_any_range_nothing_is_said(network, tmp_path):
    applied, said, _ = written(network, tmp_path, {"gone": (0.0, 1.0)}, {})
    assert (applied, said) == ((), [])


def test_a_range_estimator_comes_first(network, tmp_path):
    pytest.importorskip("litert_quantizer")
    applied, said, _ = written(network, tmp_path, RANGES, {}, "mse")
    assert applied == ("ranges by mse",)
    assert not said
