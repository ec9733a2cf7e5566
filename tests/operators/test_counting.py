"""Multiply-accumulates by hand, of what is not a plain convolution or dense layer."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from hsitf.cost import Cost, cost
from hsitf.draw.plan import diagram
from hsitf.errors import InputError


def of(shape, *stack):
    inputs = x = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return cost(keras.Model(inputs, x)).macs


def tiny_vit():
    """A vision transformer of one block on 5 x 5 pixels of 20 bands, a token a pixel."""
    inputs = keras.Input((5, 5, 20))
    x = layers.Dense(16)(layers.Reshape((25, 20))(inputs))
    y = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 8)(y, y)])
    y = layers.LayerNormalization()(x)
    y = layers.Dense(16)(layers.Dense(32, activation="gelu")(y))
    x = layers.GlobalAveragePooling1D()(layers.Add()([x, y]))
    return keras.Model(inputs, layers.Dense(4)(x))


def test_a_vision_transformer():
    embedding, mlp, head = 25 * 20 * 16, 2 * 25 * 16 * 32, 16 * 4
    assert embedding + mlp + head == 33_664
    # Four projections of 25 tokens, scores of 25 x 25 pairs in 2 heads of 8, their sums.
    attention = 4 * 25 * 16 * 16 + 2 * (2 * 25 * 25 * 8)
    assert attention == 45_600
    assert cost(tiny_vit()) == Cost(2_628, 79_264)
    assert diagram(tiny_vit()).macs == 79_264


def test_attention_with_other_sizes_and_arguments_by_name():
    query, value, key = keras.Input((6, 3)), keras.Input((4, 5)), keras.Input((4, 7))
    layer = layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=9, use_bias=False)
    model = keras.Model([query, value, key], layer(query, key=key, value=value))
    projections = 6 * 3 * 6 + 4 * 7 * 6 + 4 * 5 * 10
    assert cost(model).macs == projections + 2 * 24 * (3 + 5) + 6 * 10 * 9


def test_attention_along_one_axis_has_the_others_as_samples():
    inputs = keras.Input((3, 5, 4))
    layer = layers.MultiHeadAttention(1, 4, attention_axes=(2,))
    macs = cost(keras.Model(inputs, layer(inputs, inputs))).macs
    assert macs == 4 * 15 * 16 + 2 * (3 * 25 * 4)


def test_grouped_query_attention():
    inputs = keras.Input((5, 8))
    layer = layers.GroupQueryAttention(head_dim=2, num_query_heads=4, num_key_value_heads=2)
    macs = cost(keras.Model(inputs, layer(inputs, inputs))).macs
    assert macs == 5 * 8 * 8 + 2 * (5 * 8 * 4) + 2 * (4 * 25 * 2) + 5 * 8 * 8


def test_attention_without_projections():
    query, value = keras.Input((6, 3)), keras.Input((4, 3))
    for layer, macs in (
        (layers.Attention(), 2 * 24 * 3),
        (layers.Attention(score_mode="concat"), 24 * 3),
        (layers.AdditiveAttention(), 2 * 24 * 3),
        (layers.AdditiveAttention(use_scale=False), 24 * 3),
    ):
        assert cost(keras.Model([query, value], layer([query, value]))).macs == macs
    heads = keras.Input((5, 2, 4))
    model = keras.Model(heads, ops.dot_product_attention(heads, heads, heads))
    assert cost(model).macs == 2 * (2 * 25 * 4)


def test_products():
    assert of((5, 6), layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3))) == 5 * 36
    assert of((5, 6), layers.EinsumDense("...x,xy->...y", output_shape=4)) == 5 * 24
    assert of((5, 6), lambda x: ops.matmul(x, np.ones((6, 7)))) == 5 * 6 * 7
    assert of((5, 6), lambda x: ops.matmul(np.ones((3, 5)), x)) == 3 * 5 * 6
    assert of((5, 6), lambda x: ops.einsum("bij,bkj->bik", x, x)) == 25 * 6
    assert of((5, 6), lambda x: ops.tensordot(x, np.ones((6, 2)), axes=1)) == 5 * 6 * 2
    assert of((5, 6), lambda x: layers.Dot(axes=2)([x, x])) == 25 * 6
    kernel = np.ones((3, 3, 2, 4), np.float32)
    assert of((5, 5, 2), lambda x: ops.conv(x, kernel, padding="same")) == 25 * 9 * 8
    assert of((5, 5, 2), lambda x: ops.conv_transpose(x, np.ones((3, 3, 4, 2)), 2)) == 25 * 72


def test_recurrences_and_wrappers():
    both = 2 * 7 * (2 * 12 + 3 * 12)
    assert of((7, 2), layers.Bidirectional(layers.LSTM(3))) == both
    assert of((7, 2), layers.TimeDistributed(layers.Dense(3))) == 7 * 6
    # Kernels of 2 x 2 at 3 x 3 positions, two steps: 5 channels and 3 units into 4 gates of 3.
    assert of((2, 4, 4, 5), layers.ConvLSTM2D(3, 2)) == 2 * 9 * 4 * (5 * 12 + 3 * 12)
    assert of((2, 4, 4, 5), layers.ConvLSTM2D(3, 2, return_sequences=True)) == 2 * 9 * 4 * 96


def test_what_cannot_be_counted_is_not_counted_as_nothing():
    with pytest.raises(InputError, match="cannot be counted, because a cell is one step"):
        of((7, 2), layers.RNN(layers.LSTMCell(3)))
    with pytest.raises(InputError, match="a cell is one step"):
        of((7, 2), layers.Bidirectional(layers.RNN(layers.LSTMCell(3))))
    with pytest.raises(InputError, match="channels come first"):
        of((2, 5, 5), layers.Conv2D(3, 1, data_format="channels_first"))
