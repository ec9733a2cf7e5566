"""Kinds of channels: known by what a network does with them, pruned by ratios of their own."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import zoo
from hsitf.cost import cost
from hsitf.errors import InputError
from hsitf.prune.config import PruningConfig
from hsitf.prune.plans import plan
from hsitf.prune.target import estimate_cost, prune_to_cost
from hsitf.prune.thinning import masked, thin
from hsitf.prune.tracing import dependency_groups, trace

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def transformer() -> keras.Model:
    """spectralformer of 12 bands: a token a band, five encoders, three mixtures of tokens."""
    model = zoo.build("spectralformer", bands=12, classes=3, patch=1)
    for weight in model.weights:
        weight.assign(RNG.normal(size=weight.shape, scale=0.3))
    return model


def kinds(model: keras.Model) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for group in dependency_groups(model):
        if not group.protected:
            found.setdefault(group.kind, set()).update(group.layers)
    return found


def test_names_of_layers_do_not_matter():
    inputs = keras.Input((7, 5))
    x = layers.Conv1D(6, 1, name="heads")(inputs)
    x = layers.Dense(8, name="mlp")(x)
    seen = layers.MultiHeadAttention(2, 3, name="a")(x, x)
    x = layers.Add()([x, seen])
    hidden = layers.Dense(9, activation="gelu", name="filters")(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dense(8, name="b")(hidden)])
    x = layers.Dense(4, activation="relu", name="embedding")(layers.Flatten()(x))
    found = kinds(keras.Model(inputs, layers.Dense(2, name="logits")(x)))
    assert found == {
        "filters": {"heads"},
        "embedding": {"mlp", "a", "b"},
        "heads": {"a/heads"},
        "keys": {"a/keys"},
        "values": {"a/values"},
        "mlp": {"filters"},
        "units": {"embedding"},
    }


def test_widths_that_a_product_sums_over_are_keys():
    found = kinds(zoo.build("dbda", bands=24, classes=3))
    assert found["keys"] == {"position_query", "position_key"}
    assert set(found) == {"keys", "filters"}


def test_a_kind_goes_exactly_and_leaves_the_others(transformer):
    chosen = plan(transformer, "l2", PruningConfig(kinds={"heads": 0.5, "mlp": 0.25}))
    assert not chosen.approximate
    assert {name.partition("_")[2] for name in chosen.kept} == {"attention/heads", "dense1"}
    smaller = thin(transformer, chosen)
    assert estimate_cost(trace(transformer), chosen) == cost(smaller)
    assert smaller.get_layer("encoder2_attention").num_heads == 2
    assert smaller.get_layer("encoder5_dense1").units == 6
    patches = RNG.normal(size=(3, 1, 1, 12)).astype(np.float32)
    expected = np.asarray(masked(transformer, chosen)(patches))
    np.testing.assert_allclose(smaller(patches), expected, atol=1e-5 * np.abs(expected).max())


def test_the_embedding_goes_through_mixed_tokens_approximately(transformer):
    chosen = plan(transformer, "l2", PruningConfig(kinds={"embedding": 0.5}))
    assert chosen.approximate == ("encoder1_norm1 measures each channel by others",)
    smaller = thin(transformer, chosen)
    assert smaller.get_layer("encoder3_fused").output.shape == (None, 32, 13)
    assert smaller.get_layer("encoder3_fusion").kernel.shape == (1, 2, 13, 13)
    assert smaller.get_layer("positions").positions.shape == (13, 32)
    with pytest.raises(InputError, match=r"no embedding that may go.*leave out --exact"):
        plan(transformer, "l2", PruningConfig(kinds={"embedding": 0.5}, exact=True))


def test_normalization_is_all_that_is_approximate():
    """With normalization that counts what is missing, the embedding is as exact as all else."""
    inputs = keras.Input((6, 5))
    tokens = x = layers.Dense(8, name="embedding")(inputs)
    for part in (layers.RMSNormalization, layers.RMSNormalization):
        seen = part()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(2, 3)(seen, seen)])
    # Tokens as the channels of a convolution, back to where they were.
    both = layers.Concatenate(axis=2)(
        [layers.Reshape((8, 1, 6))(layers.Permute((2, 1))(part)) for part in (x, tokens)]
    )
    mixed = layers.Reshape((8, 6))(layers.Conv2D(6, (1, 2), name="mixed")(both))
    x = layers.Permute((2, 1))(mixed)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, x)])
    model = keras.Model(inputs, layers.Dense(3)(x[:, 0]))
    chosen = plan(model, "l2", PruningConfig(kinds={"embedding": 0.4}))
    assert not chosen.approximate
    smaller = thin(model, chosen)
    assert smaller.get_layer("embedding").units == 4
    patches = RNG.normal(size=(3, 6, 5)).astype(np.float32)
    expected = np.asarray(masked(model, chosen)(patches))
    np.testing.assert_allclose(smaller(patches), expected, atol=1e-5 * np.abs(expected).max())


def test_ratios_of_a_layer_come_before_those_of_its_kind(transformer):
    config = PruningConfig(
        0.25, ratios={"encoder1_attention/heads": 0.75}, kinds={"heads": 0.5, "embedding": 0.0}
    )
    smaller = thin(transformer, plan(transformer, "l2", config))
    heads = [smaller.get_layer(f"encoder{n}_attention").num_heads for n in (1, 2, 3)]
    assert heads == [1, 2, 2]
    assert smaller.get_layer("encoder1_dense1").units == 6
    assert smaller.get_layer("embedding").units == 64


@pytest.mark.parametrize("everywhere", [False, True])
def test_the_rest_is_searched_for_a_cost(transformer, everywhere):
    config = PruningConfig(kinds={"heads": 0.5}, global_pruning=everywhere)
    smaller = thin(transformer, prune_to_cost(transformer, "macs", 0.4, "l1", config=config))
    assert 0.35 < cost(smaller).macs / cost(transformer).macs <= 0.4
    assert {smaller.get_layer(f"encoder{n}_attention").num_heads for n in range(1, 6)} == {2}


def test_what_loses_nothing_is_refused_with_its_reason(transformer):
    with pytest.raises(InputError, match=r"'encoder3_fusion' loses no channels.*tokens.*--cluster"):
        plan(transformer, "l2", PruningConfig(ratios={"encoder3_fusion": 0.5}))
    with pytest.raises(InputError, match=r"has no tokens that may go.*softmax.*--sparsity"):
        plan(transformer, "l2", PruningConfig(kinds={"tokens": 0.5}))
    with pytest.raises(
        InputError, match=r"has no filters; received: filters=0.5; allowed: .*heads"
    ):
        plan(transformer, "l2", PruningConfig(kinds={"filters": 0.5}))
    with pytest.raises(InputError, match=r"'logits' loses no channels.*coupled with inputs"):
        plan(transformer, "l2", PruningConfig(ratios={"logits": 0.5}))
    with pytest.raises(InputError, match=r"unknown kind of channels 'head'.*heads"):
        PruningConfig(kinds={"head": 0.5})
    with pytest.raises(InputError, match=r"pruning ratio of heads is out of range"):
        PruningConfig(kinds={"heads": 1.0})
    gaht = zoo.build("gaht", bands=24, classes=3)
    with pytest.raises(InputError, match=r"no heads that may go.*as taylor does; not bn_scale"):
        plan(gaht, "bn_scale", PruningConfig(kinds={"heads": 0.5}))


def test_ratios_of_zero_alone_are_refused_and_kinds_alone_name_the_run():
    from hsitf.prune.request import PruningRequest
    from hsitf.zoo import DEFAULT_RECIPE

    with pytest.raises(InputError, match="nothing would be removed"):
        PruningRequest("ratio", 0.0, DEFAULT_RECIPE, config=PruningConfig(kinds={"heads": 0.0}))
    kinds = PruningConfig(kinds={"heads": 0.5, "mlp": 0.25})
    request = PruningRequest("ratio", 0.0, DEFAULT_RECIPE, config=kinds)
    assert request.target_text == "heads 0.5, mlp 0.25"
    assert request.label == "l2-heads0.5-mlp0.25"
