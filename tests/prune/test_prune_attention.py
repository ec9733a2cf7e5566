"""Pruning of attention: heads, widths of heads, and what flows around them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from hsitf.cost import cost
from hsitf.errors import InputError
from hsitf.layers import LearnedTokens, PositionEmbedding, ScaledAttention
from hsitf.prune.config import PruningConfig
from hsitf.prune.dead import dead_channels
from hsitf.prune.plans import PruningPlan, plan
from hsitf.prune.rules.attention import _projections
from hsitf.prune.target import estimate_cost
from hsitf.prune.thinning import masked, thin
from hsitf.prune.tracing import dependency_groups, trace

RNG = np.random.default_rng(0)
TOKENS, BANDS, WIDTH = 9, 6, 12


def randomized(model: keras.Model) -> keras.Model:
    for weight in model.weights:
        if weight.dtype.startswith("float"):
            weight.assign(RNG.normal(size=weight.shape, scale=0.4))
    return model


def network(attend) -> keras.Model:
    """A network around attention on an embedding of `WIDTH` channels, with a residual stream."""
    inputs = keras.Input((TOKENS, BANDS))
    x = layers.Dense(WIDTH, activation="relu", name="embedding")(inputs)
    x = layers.Add()([x, attend(x, inputs)])
    hidden = layers.Dense(10, activation="gelu", name="hidden")(x)
    x = layers.Add()([x, layers.Dense(WIDTH, name="again")(hidden)])
    return randomized(keras.Model(inputs, layers.Dense(3, name="logits")(x[:, 0])))


NETWORKS = {
    "self": lambda x, _: layers.MultiHeadAttention(4, 5, value_dim=3, name="seen")(x, x),
    "cross": lambda x, bands: layers.MultiHeadAttention(4, 5, output_shape=WIDTH, name="seen")(
        x,
        value=layers.Dense(7, name="values")(bands),
        key=layers.Dense(8, name="keys")(bands[:, :]),
    ),
    "without_biases": lambda x, _: layers.MultiHeadAttention(2, 6, use_bias=False, name="seen")(
        x, x
    ),
    "groups": lambda x, _: layers.GroupQueryAttention(5, 6, 3, name="seen")(x, x),
    "scaled": lambda x, _: ScaledAttention(
        4, 3, scale=0.1, use_bias=False, output_bias=True, name="seen"
    )(x, x),
}


def assert_exact(model: keras.Model, chosen: PruningPlan) -> keras.Model:
    smaller = thin(model, chosen)
    patches = RNG.normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    expected, received = np.asarray(masked(model, chosen)(patches)), np.asarray(smaller(patches))
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert estimate_cost(trace(model), chosen) == cost(smaller)
    return smaller


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("criterion", ["l2", "fpgm", "random"])
def test_attention_thins_exactly(name, criterion):
    model = network(NETWORKS[name])
    for ratio in (0.2, 0.5, 0.8):
        chosen = plan(model, criterion, PruningConfig(ratio))
        assert not chosen.approximate
        smaller = assert_exact(model, chosen)
        assert smaller.count_params() < model.count_params()


def test_heads_and_widths_are_groups_of_their_own():
    found = {group.layers: len(group) for group in dependency_groups(network(NETWORKS["self"]))}
    assert found["seen/heads",] == 4
    assert found["seen/keys",] == 5
    assert found["seen/values",] == 3
    assert found["embedding", "seen", "again"] == WIDTH
    groups = {group.layers: len(group) for group in dependency_groups(network(NETWORKS["groups"]))}
    assert groups["seen/heads",] == 3
    assert "seen/values" not in str(groups)


def test_a_head_alone_can_go():
    model = network(NETWORKS["self"])
    smaller = assert_exact(model, plan(model, "l2", PruningConfig(ratios={"seen/heads": 0.5})))
    layer = smaller.get_layer("seen")
    assert (layer.num_heads, layer.key_dim, layer.value_dim) == (2, 5, 3)
    # Two heads of 3 x 12 x 5 weights or 12 x 3 each have gone, with their biases.
    head = 2 * (WIDTH * 5 + 5) + (WIDTH * 3 + 3) + 3 * WIDTH
    assert model.count_params() - smaller.count_params() == 2 * head


def test_the_scale_of_the_scores_stays():
    model = network(NETWORKS["self"])
    whole = model.get_layer("seen")
    smaller = assert_exact(model, plan(model, "l2", PruningConfig(ratios={"seen/keys": 0.6})))
    layer = smaller.get_layer("seen")
    assert layer.key_dim == 2
    kept = np.asarray(whole._query_dense.kernel)
    # Keras scales by 2 to the -1/2 in place of 5 to the -1/2.
    now = np.asarray(layer._query_dense.kernel) / np.sqrt(2 / 5)
    for column in range(2):
        differences = np.abs(kept - now[..., column : column + 1]).max(axis=(0, 1))
        assert differences.min() < 1e-6


def test_gradients_rank_heads():
    from hsitf.prune.ranking import Samples, rank

    model = network(NETWORKS["self"])
    # What a head makes does not leave it.
    output = model.get_layer("seen")._output_dense.kernel
    values = np.array(output)
    values[2] = 0
    output.assign(values)
    patches = RNG.normal(size=(40, TOKENS, BANDS)).astype(np.float32)
    ranking = rank(model, "taylor", Samples((patches,), RNG.integers(0, 3, 40)))
    (heads,) = [
        scores
        for group, scores in zip(ranking.groups, ranking.importance, strict=True)
        if group.layers == ("seen/heads",)
    ]
    assert heads.argmin() == 2
    assert heads[2] == 0


def test_tokens_and_positions_follow_the_embedding():
    def attend(x, _):
        tokens = PositionEmbedding(name="positions")(LearnedTokens(2, name="learned")(x))
        return layers.MultiHeadAttention(2, 4, name="seen")(x, tokens)

    model = network(attend)
    smaller = assert_exact(model, plan(model, "l2", PruningConfig(0.5)))
    assert smaller.get_layer("learned").tokens.shape == (2, 6)
    assert smaller.get_layer("positions").positions.shape == (TOKENS + 2, 6)


PRODUCTS = {
    # Weighted means of pixels: the weights' channels are positions then, the values' are channels.
    "tokens": lambda x: layers.Dot(axes=(1, 1))(
        [layers.Softmax(axis=1)(layers.Dense(4, name="weights")(x)), layers.Dense(8)(x)]
    ),
    "scores": lambda x: ops.matmul(x, ops.swapaxes(layers.Dense(WIDTH)(x), 1, 2)),
    "shared": lambda x: ops.einsum("btc,bsc->bcts", x, layers.Dense(WIDTH)(x)),
    "outer": lambda x: ops.einsum("bc,bd->bcd", x[:, 0], layers.Dense(5)(x[:, 1])),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_thin_exactly(name):
    inputs = keras.Input((TOKENS, BANDS))
    x = layers.Dense(WIDTH, activation="relu", name="embedding")(inputs)
    x = layers.Flatten()(layers.Activation("tanh")(PRODUCTS[name](x)))
    model = randomized(keras.Model(inputs, layers.Dense(3, name="logits")(x)))
    smaller = assert_exact(model, plan(model, "l2", PruningConfig(0.5)))
    assert smaller.count_params() < model.count_params()


def test_softmax_along_positions_keeps_no_channel():
    inputs = keras.Input((TOKENS, BANDS))
    x = layers.Softmax(axis=1)(layers.Dense(8, name="scores")(inputs))
    model = randomized(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))
    assert assert_exact(model, plan(model, "l2", PruningConfig(0.5))).get_layer("scores").units == 4


def test_attention_that_returns_its_scores_is_refused():
    inputs = keras.Input((TOKENS, BANDS))
    seen, scores = layers.MultiHeadAttention(2, 3, name="seen")(
        inputs, inputs, return_attention_scores=True
    )
    model = keras.Model(inputs, [layers.Dense(2)(layers.Flatten()(seen)), scores])
    with pytest.raises(InputError, match="'seen' returns its scores"):
        plan(model, "l2", PruningConfig(0.5))


def test_attention_that_makes_several_axes_is_refused():
    inputs = keras.Input((TOKENS, BANDS))
    seen = layers.MultiHeadAttention(2, 3, output_shape=(4, 5), name="seen")(inputs, inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(seen)))
    with pytest.raises(InputError, match=r"'seen' makes several axes.*received: output_shape"):
        plan(model, "l2", PruningConfig(0.5))


def test_scaled_attention_saves_and_scales(tmp_path):
    model = network(NETWORKS["scaled"])
    model.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    patches = RNG.normal(size=(2, TOKENS, BANDS)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(model(patches)), np.asarray(again(patches)))
    layer, tokens = again.get_layer("seen"), RNG.normal(size=(1, TOKENS, WIDTH)).astype(np.float32)
    query, key, value = (
        np.einsum("btd,dhk->bthk", tokens, np.asarray(getattr(layer, f"_{part}_dense").kernel))
        for part in ("query", "key", "value")
    )
    scores = np.exp(0.1 * np.einsum("bthk,bshk->bhts", query, key))
    weights = scores / scores.sum(axis=-1, keepdims=True)
    sums = np.einsum("bhts,bshv->bthv", weights, value)
    output = layer._output_dense
    expected = np.einsum("bthv,hvd->btd", sums, np.asarray(output.kernel)) + np.asarray(output.bias)
    np.testing.assert_allclose(np.asarray(layer(tokens, tokens)), expected, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_works_inside_attention_is_not_dead(name):
    assert dead_channels(network(NETWORKS[name])).kept == {}


@pytest.mark.parametrize("name", NETWORKS)
def test_dead_heads_and_widths_go_without_a_trace(name):
    model = network(NETWORKS[name])
    layer, grouped = model.get_layer("seen"), name == "groups"
    spoken = {one.part: [] for one in _projections(layer)}
    for weight, one in zip(layer.weights, _projections(layer), strict=True):
        spoken[one.part].append((weight, one.axes))
    # The first group of heads writes nothing, and no head has a first query.
    for weight, axes in spoken["output"]:
        if axes != ("out",):
            values = np.array(weight)
            values[: 2 if grouped else 1] = 0
            weight.assign(values)
    for weight, _ in spoken["query"]:
        values = np.array(weight)
        values[..., 0] = 0
        weight.assign(values)
    chosen = dead_channels(model)
    inside = {"seen/heads": layer.num_key_value_heads if grouped else layer.num_heads}
    if not grouped:
        inside["seen/keys"] = layer.key_dim
    assert chosen.kept == {made: tuple(range(1, count)) for made, count in inside.items()}
    assert_exact(model, chosen)
    patches = RNG.normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_allclose(thin(model, chosen)(patches), model(patches), rtol=0, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"use_scale": True}, {"score_mode": "concat"}])
def test_attention_without_projections_goes_with_what_feeds_it(options):
    inputs = keras.Input((TOKENS, BANDS))
    query, value, key = (layers.Dense(8, name=name)(inputs) for name in ("query", "value", "key"))
    seen = layers.Attention(name="seen", **options)([query, value, key])
    model = randomized(keras.Model(inputs, layers.Dense(3, name="logits")(seen[:, 0])))
    groups = {group.layers for group in dependency_groups(model)}
    assert {("query", "key"), ("value",)} <= groups
    smaller = assert_exact(model, plan(model, "l2", PruningConfig(0.5)))
    assert smaller.get_layer("value").units == smaller.get_layer("key").units == 4
