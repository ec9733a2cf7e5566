from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import records, zoo
from hsitf.errors import InputError
from hsitf.prune.parsing import parse_layer_alphas, parse_targets
from hsitf.prune.request import PruningRequest
from hsitf.prune.thresholds import Thresholds
from hsitf.prune.unstructured import final_masks, sparsity_schedule
from hsitf.prune.weights import magnitude_limits, masked_share
from hsitf.zoo import Recipe

RECIPE = Recipe("sgd", 0.1, epochs=9)


def two_layers() -> keras.Model:
    """A convolution and two dense layers; every kernel is 1, -1, 3, -3: a deviation of sqrt(5)."""
    inputs = keras.Input((1, 1, 2))
    x = layers.Conv2D(2, 1, use_bias=False, name="conv")(inputs)
    x = layers.Flatten()(x)
    x = layers.Dense(2, use_bias=False, name="hidden")(x)
    model = keras.Model(inputs, layers.Dense(2, use_bias=False, name="logits")(x))
    model.set_weights(
        [np.array([1, -1, 3, -3], np.float32).reshape(w.shape) for w in model.weights]
    )
    return model


def request(alpha: float, others: dict[str, float], **options) -> PruningRequest:
    return PruningRequest("alpha", alpha, RECIPE, layer_alphas=others, **options)


def test_each_kind_and_each_layer_has_its_alpha():
    model = two_layers()
    deviation = 5**0.5
    found = magnitude_limits(model, request(0.2, {"last_dense": 1.0, "hidden": 2.0}).thresholds)
    assert found == {
        "conv/kernel": pytest.approx(0.2 * deviation),
        "hidden/kernel": pytest.approx(2 * deviation),
        "logits/kernel": pytest.approx(deviation),
    }
    masks = final_masks(model, request(0.2, {"last_dense": 1.0, "hidden": 2.0}))
    # Below 0.45 nothing goes; below 4.5 everything; below 2.2 the ones.
    assert [int(mask.sum()) for mask in masks.values()] == [4, 0, 2]
    # A layer's own alpha comes before that of its kind; an alpha of 0 leaves the others alone.
    masks = final_masks(model, request(0.0, {"other_dense": 2.0, "hidden": 1.0}))
    assert [int(mask.sum()) for mask in masks.values()] == [4, 2, 4]


def test_what_a_network_lacks_is_refused_by_name():
    model = zoo.build("he", bands=20, classes=3)
    allowed = r"first_convolution \(conv1\); other_convolutions \(.*conv2\); last_dense \(logits\)"
    with pytest.raises(InputError, match=f"no layer of the kind other_dense.*{allowed}"):
        final_masks(model, request(0.5, {"other_dense": 1.0}))
    with pytest.raises(
        InputError, match=r"unknown layer or kind of layers 'lastdense'.*last_dense"
    ):
        final_masks(model, request(0.5, {"lastdense": 1.0}))
    inputs = keras.Input((2,))
    odd = keras.Model(inputs, layers.Dense(2, name="last_dense")(inputs))
    with pytest.raises(InputError, match="last_dense is the name of a layer and a kind"):
        final_masks(odd, request(0.5, {"last_dense": 1.0}))


def test_alphas_of_layers_go_with_alpha_alone():
    with pytest.raises(InputError, match=r"--layer-alpha with --sparsity"):
        PruningRequest("sparsity", 0.5, RECIPE, layer_alphas={"last_dense": 1.0})
    with pytest.raises(InputError, match="alpha is out of range"):
        request(0.5, {"last_dense": -1.0})
    with pytest.raises(InputError, match="alpha to prune to is out of range"):
        request(0.0, {})


def test_steps_end_where_one_shot_does():
    model = two_layers()
    others = {"last_dense": 1.0, "first_convolution": 0.0}
    for schedule in ("iterative", "gradual"):
        order = request(0.1, others, schedule=schedule, iterations=3)
        steps = list(sparsity_schedule(model, order).steps.values())
        ends = steps[-1](model)
        for path, mask in final_masks(model, order).items():
            np.testing.assert_array_equal(mask, ends[path])
        assert masked_share(steps[0](model).values()) <= masked_share(ends.values())
    # Of the logits alone, which lose two of four weights: 19/27 of a half is one of four.
    gradual = request(0.1, others, schedule="gradual", iterations=3)
    (first, *_) = sparsity_schedule(model, gradual).steps.values()
    assert [int((~mask).sum()) for mask in first(model).values()] == [0, 0, 1]


def test_words_of_the_command_line():
    assert parse_layer_alphas(["last_dense=1.2", "conv1=0"]) == {"last_dense": 1.2, "conv1": 0.0}
    for word in ("last_dense", "=1", "conv1=a"):
        with pytest.raises(InputError, match=r"--layer-alpha needs a layer.*last_dense"):
            parse_layer_alphas([word])
    with pytest.raises(InputError, match="conv1 is named twice"):
        parse_layer_alphas(["conv1=1", "conv1=2"])
    given = dict.fromkeys(("ratio", "macs", "alpha", "sparsity"))
    assert parse_targets(given, None, False, True) == ("alpha", (0.0,))
    assert parse_targets(given, None, False, False, True) == ("sparsity", (0.0,))


def test_a_request_is_written_and_read(tmp_path):
    order = request(0.1, {"conv1": 0.3, "last_dense": 1.2}, batches=None)
    assert order.target_text == "alpha 0.1, conv1 0.3, last_dense 1.2"
    assert order.label == "magnitude-alpha0.1-layers"
    records.write(order, tmp_path / "order.json")
    assert records.read(PruningRequest, tmp_path / "order.json") == order
    # A request of an earlier version had none of this.
    content = json.loads((tmp_path / "order.json").read_text())
    for name in ("layer_alphas", "clusters", "batches", "batch_samples", "untrained"):
        del content[name]
    (tmp_path / "order.json").write_text(json.dumps(content))
    read = records.read(PruningRequest, tmp_path / "order.json")
    assert read == PruningRequest("alpha", 0.1, RECIPE)


def test_thresholds_by_layer():
    found = Thresholds.by_layer(0.5, {"last_dense": 1.0, "conv": 0.2})
    assert found == Thresholds(0.5, last_dense=1.0, layers=(("conv", 0.2),))
    assert found.others == {"last_dense": 1.0, "conv": 0.2}
    assert found.scaled(2) == Thresholds(1.0, last_dense=2.0, layers=(("conv", 0.4),))
