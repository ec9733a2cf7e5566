from __future__ import annotations

import numpy as np
import pytest

from hsitf import zoo
from hsitf.errors import InputError

# Trainable and non-trainable weights at 200 bands, for 16 and 17 classes, as the papers and
# their authors' code have them.
COUNTS = {"cao": (1_142_416, 1_142_517), "he": (269_024, 284_897), "hu": (72_196, 72_297)}


@pytest.mark.parametrize("name", sorted(COUNTS))
@pytest.mark.parametrize("place", [0, 1])
def test_parameter_counts(name, place):
    model = zoo.build(name, bands=200, classes=16 + place)
    assert model.count_params() == COUNTS[name][place]


def test_every_network_is_counted():
    assert set(zoo.names()) == set(COUNTS)


@pytest.mark.parametrize("name", zoo.names())
def test_smallest_geometry_runs_and_less_is_refused(name):
    facts = zoo.network(name)
    side, bands = facts.smallest_patch, facts.smallest_bands
    model = zoo.build(name, bands=bands, classes=2, patch=side)
    logits = model(np.zeros((3, side, side, bands), np.float32))
    assert logits.shape == (3, 2)
    if bands > 1:
        with pytest.raises(InputError, match=rf"received: {bands - 1} bands; allowed: {bands}"):
            zoo.build(name, bands=bands - 1, classes=2, patch=side)
    with pytest.raises(InputError, match="cannot run with this patch"):
        zoo.build(name, bands=bands, classes=2, patch=side - 1)


def impossible(name: str, bands: int, side: int) -> bool:
    module = __import__(f"hsitf.zoo.{name}", fromlist=["build"])
    try:
        model = module.build(bands, 2, side)
    except ValueError:
        return True
    # Older releases of Keras build what has no room.
    return any(size is not None and size <= 0 for la in model.layers for size in la.output.shape)


@pytest.mark.parametrize("name", zoo.names())
def test_smallest_geometry_is_the_smallest(name):
    # The stated limits are those of the layers themselves.
    facts = zoo.network(name)
    side, bands = facts.smallest_patch, facts.smallest_bands
    assert not impossible(name, bands, side)
    assert impossible(name, bands, side - 1)
    if bands > 1:
        assert impossible(name, bands - 1, side)


@pytest.mark.parametrize("name", zoo.names())
def test_saves_and_loads_bit_equal(name, tmp_path):
    import keras

    facts = zoo.network(name)
    shape = (facts.smallest_patch, facts.smallest_patch, max(24, facts.smallest_bands))
    model = zoo.build(name, bands=shape[2], classes=3, patch=shape[0])
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    model.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(again(x)))


def test_unknown_network_offers_the_nearest():
    with pytest.raises(InputError, match=r"unknown network 'coa'.*did you mean cao"):
        zoo.build("coa", bands=200, classes=16)


def test_one_class_is_refused():
    with pytest.raises(InputError, match="2 or more"):
        zoo.build("hu", bands=20, classes=1)


def test_a_recipe_checks_itself():
    with pytest.raises(InputError, match="batch has to be positive"):
        zoo.Recipe("sgd", 0.1, batch=0)
