"""Pieces of random networks: for each layer type and operation with a rule, uses of it.

A block takes a tensor and returns a tensor; its table says how many axes the tensor has, without
batch: 1 a vector, 2 a sequence, 3 an image, 4 a volume. All sizes are drawn, and small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import layers, ops
from keras.src.applications.convnext import LayerScale, StochasticDepth

from hsitf.layers import (
    LearnedScale,
    LearnedTokens,
    LocalResponseNormalization,
    PositionEmbedding,
    ScaledAttention,
)

Rng = np.random.Generator
Block = Callable[[Rng, Any], Any]

_ACTIVATIONS = (
    "linear relu relu relu6 leaky_relu elu selu celu softplus softsign sparse_plus silu gelu tanh "
    "tanh_shrink sigmoid sparse_sigmoid hard_sigmoid hard_silu hard_tanh mish log_sigmoid "
    "soft_shrink squareplus"
)
ACTIVATIONS = _ACTIVATIONS.split()


def few(rng: Rng, low: int = 2, high: int = 8) -> int:
    """A small number, both ends included."""
    return int(rng.integers(low, high + 1))


def one_of(rng: Rng, choices: Any) -> Any:
    """One of several things."""
    return choices[int(rng.integers(len(choices)))]


def activation(rng: Rng) -> str:
    """The name of an activation of each element by itself."""
    return str(one_of(rng, ACTIVATIONS))


def padding(rng: Rng) -> str:
    """Padding of a kernel."""
    return str(one_of(rng, ("same", "same", "valid")))


def _chain(*make: Callable[[Rng], Any]) -> Block:
    """Layers one after another."""

    def build(rng: Rng, x: Any) -> Any:
        for each in make:
            x = each(rng)(x)
        return x

    return build


def _op(function: Callable[[Any], Any]) -> Block:
    return lambda rng, x: function(x)


def _kernel(rng: Rng, x: Any, axes: int) -> tuple[int, ...]:
    """A size of a kernel that fits."""
    return tuple(int(rng.integers(1, min(3, size) + 1)) for size in x.shape[1 : axes + 1])


def _convolution(kind: Any, axes: int, **more: Any) -> Block:
    def build(rng: Rng, x: Any) -> Any:
        strides: Any = 1 if rng.random() < 0.7 else 2
        dilation = 2 if strides == 1 and rng.random() < 0.15 else 1
        kernel = _kernel(rng, x, axes)
        fits = all((k - 1) * dilation < s for k, s in zip(kernel, x.shape[1:], strict=False))
        return kind(
            few(rng),
            kernel,
            strides=strides,
            padding=padding(rng),
            dilation_rate=dilation if fits else 1,
            activation=activation(rng),
            use_bias=bool(rng.random() < 0.8),
            **more,
        )(x)

    return build


def _grouped(kind: Any, axes: int) -> Block:
    def build(rng: Rng, x: Any) -> Any:
        channels = x.shape[-1]
        groups = int(one_of(rng, [n for n in range(1, channels + 1) if channels % n == 0]))
        kernel = _kernel(rng, x, axes)
        return kind(groups * few(rng, 1, 3), kernel, padding=padding(rng), groups=groups)(x)

    return build


def _transposed(kind: Any, axes: int) -> Block:
    def build(rng: Rng, x: Any) -> Any:
        return kind(
            few(rng, 2, 4),
            _kernel(rng, x, axes),
            strides=int(rng.integers(1, 3)),
            padding=padding(rng),
            activation=activation(rng),
        )(x)

    return build


def _depthwise(kind: Any, axes: int) -> Block:
    def build(rng: Rng, x: Any) -> Any:
        # Along rows and columns, depthwise kernels have one stride, and TensorFlow no dilation
        # beside it.
        return kind(
            _kernel(rng, x, axes),
            strides=int(rng.integers(1, 3)),
            padding=padding(rng),
            depth_multiplier=int(rng.integers(1, 3)),
            activation=activation(rng),
        )(x)

    return build


def _separable(kind: Any, axes: int) -> Block:
    def build(rng: Rng, x: Any) -> Any:
        return kind(
            few(rng),
            _kernel(rng, x, axes),
            padding=padding(rng),
            depth_multiplier=int(rng.integers(1, 3)),
            activation=activation(rng),
        )(x)

    return build


def _pooled(kind: Any, axes: int) -> Block:
    def build(rng: Rng, x: Any) -> Any:
        return kind(_kernel(rng, x, axes), strides=int(rng.integers(1, 3)), padding=padding(rng))(x)

    return build


def _recurrent(kind: Any, **more: Any) -> Block:
    def build(rng: Rng, x: Any) -> Any:
        return kind(
            few(rng, 2, 5),
            return_sequences=bool(rng.random() < 0.6),
            go_backwards=bool(rng.random() < 0.3),
            use_bias=bool(rng.random() < 0.8),
            **more,
        )(x)

    return build


def _bidirectional(rng: Rng, x: Any) -> Any:
    kind = one_of(rng, (layers.GRU, layers.LSTM, layers.SimpleRNN))
    layer = kind(few(rng, 2, 4), return_sequences=bool(rng.random() < 0.6))
    return layers.Bidirectional(layer, merge_mode=one_of(rng, ("concat", "sum", "ave", "mul")))(x)


def _states(rng: Rng, x: Any) -> Any:
    leaving = layers.LSTM(few(rng, 2, 4), return_state=True)(x)
    return layers.Concatenate()(list(leaving))


def _attention(rng: Rng, x: Any) -> Any:
    layer = layers.MultiHeadAttention(
        few(rng, 1, 3),
        few(rng, 2, 4),
        value_dim=few(rng, 2, 4),
        use_bias=bool(rng.random() < 0.7),
        output_shape=few(rng, 2, 6) if rng.random() < 0.5 else None,
    )
    return layer(x, x)


def _cross_attention(rng: Rng, x: Any) -> Any:
    key = layers.Dense(few(rng, 2, 5), activation=activation(rng))(x)
    return layers.MultiHeadAttention(2, few(rng, 2, 3))(x[:, : max(1, x.shape[1] // 2)], key)


def _encoder(rng: Rng, x: Any) -> Any:
    """A block of a transformer."""
    normal = layers.LayerNormalization()(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 2)(normal, normal)])
    hidden = layers.Dense(few(rng), activation="gelu")(layers.LayerNormalization()(x))
    return layers.Add()([x, layers.Dense(x.shape[-1])(hidden)])


def _scaled_attention(rng: Rng, x: Any) -> Any:
    return ScaledAttention(2, few(rng, 2, 3), scale=float(rng.uniform(0.1, 1)))(x, x)


def _query_groups(rng: Rng, x: Any) -> Any:
    return layers.GroupQueryAttention(few(rng, 2, 3), 4, 2)(x, x)


def _plain_attention(rng: Rng, x: Any) -> Any:
    query, value = (layers.Dense(4)(x) for _ in range(2))
    return layers.Attention(use_scale=bool(rng.random() < 0.5))([query, value])


def _dot(rng: Rng, x: Any) -> Any:
    scores = layers.Activation("sigmoid")(layers.Dense(few(rng, 2, 4))(x))
    return layers.Dot(axes=(1, 1))([scores, x])


def _einsum_dense(rng: Rng, x: Any) -> Any:
    width = few(rng)
    if rng.random() < 0.5:
        return layers.EinsumDense("...x,xy->...y", width, bias_axes="y", activation="relu")(x)
    return layers.EinsumDense("abc,dc->abd", (x.shape[1], width))(x)


def _matmul(rng: Rng, x: Any) -> Any:
    other = layers.Dense(few(rng, 2, 4), activation="tanh")(x)
    return ops.matmul(ops.swapaxes(other, 1, 2), x)


def _einsum(rng: Rng, x: Any) -> Any:
    scores = ops.softmax(ops.einsum("bsc,btc->bst", x, layers.Dense(x.shape[-1])(x)) * 0.3)
    return ops.einsum("bst,btc->bsc", scores, x)


def _distributed(rng: Rng, x: Any) -> Any:
    if len(x.shape) == 3:
        return layers.TimeDistributed(layers.Dense(few(rng), activation=activation(rng)))(x)
    inner = one_of(
        rng,
        (
            lambda: layers.Conv1D(few(rng), 2, padding="same", activation="relu"),
            lambda: layers.BatchNormalization(),
            lambda: layers.GlobalMaxPooling1D(),
            lambda: layers.GRU(few(rng, 2, 4), return_sequences=True),
            lambda: layers.Dense(few(rng)),
        ),
    )
    return layers.TimeDistributed(inner())(x)


def _group_norm(rng: Rng, x: Any) -> Any:
    channels = x.shape[-1]
    groups = one_of(rng, [n for n in range(1, channels + 1) if channels % n == 0] + [-1])
    return layers.GroupNormalization(int(groups))(x)


def _layer_norm(rng: Rng, x: Any) -> Any:
    every = list(range(1, len(x.shape)))
    axes = one_of(rng, ([-1], [1], [1, 2], every))[: len(x.shape) - 1]
    if np.prod([x.shape[axis] for axis in axes]) == 1:
        # Of one number nothing is left, by which the reference could follow it.
        axes = every
    return layers.LayerNormalization(axis=axes)(x)


def _batch_norm(rng: Rng, x: Any) -> Any:
    axis = -1 if rng.random() < 0.8 else 1
    return layers.BatchNormalization(axis, scale=bool(rng.random() < 0.8))(x)


def _standardized(rng: Rng, x: Any) -> Any:
    width = x.shape[-1]
    return layers.Normalization(
        mean=rng.normal(size=width).tolist(), variance=rng.uniform(0.5, 2, width).tolist()
    )(x)


def _rescaling(rng: Rng, x: Any) -> Any:
    if rng.random() < 0.5:
        return layers.Rescaling(0.7, 0.1)(x)
    return layers.Rescaling(0.5, rng.normal(size=x.shape[-1]).tolist())(x)


def _prelu(rng: Rng, x: Any) -> Any:
    axes = list(range(1, len(x.shape) - 1)) if rng.random() < 0.7 else None
    return layers.PReLU(shared_axes=axes)(x)


def _softmax(rng: Rng, x: Any) -> Any:
    # Along an axis of one number it is 1, whatever that is.
    long = [axis for axis in range(1, len(x.shape)) if x.shape[axis] > 1]
    if not long:
        return layers.Softmax()(layers.Dense(3)(x))
    axes = one_of(rng, long)
    return layers.Softmax(axis=[axes, 1] if axes == 2 and rng.random() < 0.3 else int(axes))(x)


def _wide(x: Any) -> Any:
    return x if x.shape[-1] > 1 else layers.Dense(3)(x)


def _padding(kind: Any, axes: int) -> Block:
    def build(rng: Rng, x: Any) -> Any:
        sides = [(few(rng, 0, 2), few(rng, 0, 1)) for _ in range(axes)]
        return kind(sides[0] if axes == 1 else tuple(sides))(x)

    return build


def _cropping(kind: Any, axes: int) -> Block:
    def build(rng: Rng, x: Any) -> Any:
        sides = [(1, 0) if size > 2 else (0, 0) for size in x.shape[1 : axes + 1]]
        return kind(sides[0] if axes == 1 else tuple(sides))(x)

    return build


def _resizing(rng: Rng, x: Any) -> Any:
    how = one_of(rng, ("bilinear", "nearest", "bicubic", "lanczos3"))
    return layers.Resizing(few(rng, 2, 5), few(rng, 2, 5), how)(x)


def _upsampling(rng: Rng, x: Any) -> Any:
    return layers.UpSampling2D(2, interpolation=one_of(rng, ("nearest", "bilinear")))(x)


def _permute(rng: Rng, x: Any) -> Any:
    return layers.Permute(tuple(int(n) + 1 for n in rng.permutation(len(x.shape) - 1)))(x)


def _transpose(rng: Rng, x: Any) -> Any:
    return ops.transpose(x, (0, *(int(n) + 1 for n in rng.permutation(len(x.shape) - 1))))


def _shuffle(rng: Rng, x: Any) -> Any:
    """Channels of each group in turn, as in ShuffleNet, with layers or operations."""
    around, channels = x.shape[1:-1], x.shape[-1]
    groups = int(one_of(rng, [n for n in range(1, channels + 1) if channels % n == 0]))
    axes = len(around)
    if rng.random() < 0.5:
        x = layers.Reshape((*around, groups, channels // groups))(x)
        order = (*range(1, axes + 1), axes + 2, axes + 1)
        return layers.Reshape((*around, channels))(layers.Permute(order)(x))
    x = ops.reshape(x, (-1, *around, groups, channels // groups))
    return ops.reshape(ops.swapaxes(x, -1, -2), (-1, *around, channels))


def _split(rng: Rng, x: Any) -> Any:
    """Pieces of the channels, of which each goes its own way, or is used or not."""
    at = int(rng.integers(1, x.shape[-1])) if x.shape[-1] > 1 else 1
    pieces = ops.split(x, [at], axis=-1) if x.shape[-1] > 1 else [x, x]
    first = layers.Dense(few(rng), activation=activation(rng))(pieces[0])
    if rng.random() < 0.3:
        return first
    return layers.Concatenate()([first, pieces[1]])


def _halves(rng: Rng, x: Any) -> Any:
    """A gate: one half of the channels times the other."""
    x = layers.Dense(2 * few(rng, 1, 4))(x)
    one, other = ops.split(x, 2, axis=-1)
    return one * ops.sigmoid(other)


def _squeeze_excite(rng: Rng, x: Any) -> Any:
    pooled = ops.mean(x, axis=tuple(range(1, len(x.shape) - 1)), keepdims=True)
    hidden = layers.Dense(few(rng, 1, 4), activation="relu")(pooled)
    gate = layers.Dense(x.shape[-1], activation=one_of(rng, ("sigmoid", "hard_sigmoid")))(hidden)
    return layers.Multiply()([x, gate])


def _two(kind: Any) -> Block:
    """A layer that joins the tensor and another one of its shape."""

    def build(rng: Rng, x: Any) -> Any:
        return kind()([x, layers.Dense(x.shape[-1], activation=activation(rng))(x)])

    return build


def _dense_of(x: Any) -> Any:
    return layers.Dense(x.shape[-1])(x)


def _take(rng: Rng, x: Any) -> Any:
    return ops.take(x, rng.integers(0, x.shape[-1], few(rng, 1, 6)).tolist(), axis=-1)


def _item(rng: Rng, x: Any) -> Any:
    whole = (slice(None),) * (len(x.shape) - 1)
    last = one_of(rng, (slice(None, None, -1), slice(None, None, 2), slice(0, x.shape[-1])))
    if x.shape[1] > 1 and rng.random() < 0.5:
        return x[(slice(None), slice(1, None), *whole[2:], last)]
    return x[(*whole, last)]


def _pad(rng: Rng, x: Any) -> Any:
    return ops.pad(x, [[0, 0], *([few(rng, 0, 1), few(rng, 0, 1)] for _ in x.shape[1:-1]), [0, 0]])


def _shortcut(rng: Rng, x: Any) -> Any:
    """A residual sum of more channels than there were, as in ResNet on small pictures."""
    more = few(rng, 1, 3)
    padded = ops.pad(x, [[0, 0]] * (len(x.shape) - 1) + [[0, more]])
    return layers.Add()([padded, layers.Dense(x.shape[-1] + more, activation="relu")(x)])


def _statistic(function: Callable[..., Any]) -> Block:
    def build(rng: Rng, x: Any) -> Any:
        axis: Any = one_of(rng, (-1, 1, tuple(range(1, len(x.shape) - 1))))
        return function(x, axis=axis, keepdims=True)

    return build


def _stack(rng: Rng, x: Any) -> Any:
    stacked = ops.stack([x, _dense_of(x)], axis=int(rng.integers(1, len(x.shape))))
    return ops.reshape(stacked, (-1, x.shape[1], int(np.prod(stacked.shape[1:])) // x.shape[1]))


def _unstack(rng: Rng, x: Any) -> Any:
    parts = ops.unstack(x, axis=1)[:3]
    return layers.Concatenate()(parts) if len(parts) > 1 else parts[0]


def _repeat(rng: Rng, x: Any) -> Any:
    return ops.repeat(x, 2, axis=int(rng.integers(1, len(x.shape))))


def _vector_repeated(rng: Rng, x: Any) -> Any:
    return layers.RepeatVector(few(rng, 1, 4))(layers.Dense(few(rng, 2, 5))(x))


def _nothing(rank: int) -> Block:
    spatial = {2: layers.SpatialDropout1D, 3: layers.SpatialDropout2D, 4: layers.SpatialDropout3D}
    return _chain(
        lambda rng: spatial[rank](0.3) if rank in spatial else layers.Dropout(0.3),
        lambda rng: layers.Dropout(0.4),
        lambda rng: layers.GaussianNoise(0.1),
        lambda rng: layers.GaussianDropout(0.1),
        lambda rng: layers.AlphaDropout(0.1),
        lambda rng: layers.ActivityRegularization(0.1),
        lambda rng: layers.Identity(),
        lambda rng: StochasticDepth(0.2),
    )


# What may see a tensor of any number of axes.
ANYWHERE: dict[str, Block] = {
    "dense": lambda rng, x: layers.Dense(few(rng), activation=activation(rng))(x),
    "activation": lambda rng, x: layers.Activation(activation(rng))(x),
    "relu": lambda rng, x: layers.ReLU(one_of(rng, (None, 6.0)), one_of(rng, (0, 0.1)))(x),
    "leaky": lambda rng, x: layers.LeakyReLU(0.2)(x),
    "elu": lambda rng, x: layers.ELU(float(rng.uniform(0.3, 1)))(x),
    "batch_norm": _batch_norm,
    "standardized": _standardized,
    "rescaling": _rescaling,
    "learned_scale": lambda rng, x: LearnedScale("ones")(x),
    "layer_scale": lambda rng, x: LayerScale(0.5, x.shape[-1])(x),
    "root_mean_square": lambda rng, x: layers.RMSNormalization(epsilon=0.1)(x),
    "add": _two(layers.Add),
    "subtract": _two(layers.Subtract),
    "multiply": _two(layers.Multiply),
    "average": _two(layers.Average),
    "maximum": _two(layers.Maximum),
    "minimum": _two(layers.Minimum),
    "concatenate": _two(layers.Concatenate),
    "split": _split,
    "halves": _halves,
    "take": _take,
    "op_absolute": _op(ops.abs),
    "op_add": lambda rng, x: x + _dense_of(x) + 0.5,
    "op_clip": _op(lambda x: ops.clip(x, -0.5, 0.7)),
    "op_concatenate": _op(lambda x: ops.concatenate([x, 2.0 * x], axis=-1)),
    "op_divide": _op(lambda x: ops.divide(x, 2.0 + ops.abs(x))),
    "op_elu": _op(ops.elu),
    "op_exp": _op(lambda x: ops.exp(-ops.abs(x))),
    "op_flip": _op(lambda x: ops.flip(x, axis=-1)),
    "op_gelu": _op(ops.gelu),
    "op_hard_sigmoid": _op(ops.hard_sigmoid),
    "op_hard_silu": _op(ops.hard_silu),
    "op_hard_tanh": _op(ops.hard_tanh),
    "op_leaky_relu": _op(lambda x: ops.leaky_relu(x, 0.3)),
    "op_log": _op(lambda x: ops.log(1.0 + ops.abs(x))),
    "op_log_softmax": lambda rng, x: ops.log_softmax(_wide(x), axis=-1),
    "op_maximum": lambda rng, x: ops.maximum(ops.maximum(x, 0.1), _dense_of(x)),
    "op_minimum": lambda rng, x: ops.minimum(x, _dense_of(x)),
    "op_multiply": lambda rng, x: x * ops.sigmoid(_dense_of(x)) * 2.0,
    "op_negative": _op(lambda x: -x),
    "op_power": _op(lambda x: (0.5 + ops.abs(x)) ** 1.5),
    "op_relu": _op(lambda x: ops.relu(x + 0.3)),
    "op_relu6": _op(ops.relu6),
    "op_roll": _op(lambda x: ops.roll(x, 1, axis=-1)),
    "op_rsqrt": _op(lambda x: ops.rsqrt(1.0 + ops.abs(x))),
    "op_selu": _op(ops.selu),
    "op_sigmoid": _op(ops.sigmoid),
    "op_silu": _op(ops.silu),
    "op_softmax": lambda rng, x: ops.softmax(_wide(x), axis=-1),
    "op_softplus": _op(ops.softplus),
    "op_softsign": _op(ops.softsign),
    "op_sqrt": _op(lambda x: ops.sqrt(0.1 + ops.abs(x))),
    "op_square": _op(ops.square),
    "op_subtract": lambda rng, x: 1.0 - (x - 0.5 * _dense_of(x)),
    "op_tanh": _op(ops.tanh),
    "op_true_divide": _op(lambda x: x / 3.0 + 1.0 / (1.0 + ops.abs(x))),
}
# What needs axes beside that of the channels.
POSITIONS: dict[str, Block] = {
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "prelu": _prelu,
    "softmax": _softmax,
    "permute": _permute,
    "shuffle": _shuffle,
    "squeeze_excite": _squeeze_excite,
    "item": _item,
    "op_expand": _op(lambda x: ops.squeeze(ops.expand_dims(x, 2), 2)),
    "op_max": _statistic(ops.max),
    "op_mean": _statistic(ops.mean),
    "op_min": _statistic(ops.min),
    "op_sum": _statistic(lambda x, **more: 0.3 * ops.sum(x, **more)),
    "op_moveaxis": _op(lambda x: ops.moveaxis(x, -1, 1)),
    "op_swapaxes": _op(lambda x: ops.swapaxes(x, 1, -1)),
    "op_pad": _pad,
    "shortcut": _shortcut,
    "op_repeat": _repeat,
    "op_stack": _stack,
    "op_tile": _op(lambda x: ops.tile(x, (1, 2) + (1,) * (len(x.shape) - 2))),
    "op_transpose": _transpose,
    "op_unstack": _unstack,
}
SEQUENCES: dict[str, Block] = {
    "convolution": _convolution(layers.Conv1D, 1),
    "causal": lambda rng, x: layers.Conv1D(few(rng), 2, padding="causal", dilation_rate=2)(x),
    "groups": _grouped(layers.Conv1D, 1),
    "transposed": _transposed(layers.Conv1DTranspose, 1),
    "depthwise": _depthwise(layers.DepthwiseConv1D, 1),
    "separable": _separable(layers.SeparableConv1D, 1),
    "max": _pooled(layers.MaxPooling1D, 1),
    "mean": _pooled(layers.AveragePooling1D, 1),
    "global_mean": lambda rng, x: layers.GlobalAveragePooling1D(keepdims=True)(x),
    "global_max": lambda rng, x: layers.GlobalMaxPooling1D()(x),
    "gru": _recurrent(layers.GRU),
    "gru_reset_before": _recurrent(layers.GRU, reset_after=False),
    "lstm": _recurrent(layers.LSTM),
    "rnn": _recurrent(layers.SimpleRNN),
    "bidirectional": _bidirectional,
    "states": _states,
    "attention": _attention,
    "cross_attention": _cross_attention,
    "encoder": _encoder,
    "scaled_attention": _scaled_attention,
    "query_groups": _query_groups,
    "plain_attention": _plain_attention,
    "dot": _dot,
    "einsum_dense": _einsum_dense,
    "op_matmul": _matmul,
    "op_einsum": _einsum,
    "tokens": lambda rng, x: PositionEmbedding("normal")(LearnedTokens(few(rng, 1, 2))(x)),
    "distributed": _distributed,
    "padding": _padding(layers.ZeroPadding1D, 1),
    "cropping": _cropping(layers.Cropping1D, 1),
    "upsampling": lambda rng, x: layers.UpSampling1D(2)(x),
    "op_reshape": _op(lambda x: ops.reshape(x, (-1, x.shape[2], x.shape[1]))),
    "nothing": _nothing(2),
}
IMAGES: dict[str, Block] = {
    "convolution": _convolution(layers.Conv2D, 2),
    "groups": _grouped(layers.Conv2D, 2),
    "transposed": _transposed(layers.Conv2DTranspose, 2),
    "depthwise": _depthwise(layers.DepthwiseConv2D, 2),
    "separable": _separable(layers.SeparableConv2D, 2),
    "max": _pooled(layers.MaxPooling2D, 2),
    "mean": _pooled(layers.AveragePooling2D, 2),
    "global_mean": lambda rng, x: layers.GlobalAveragePooling2D(keepdims=True)(x),
    "global_max": lambda rng, x: layers.GlobalMaxPooling2D()(x),
    "response": lambda rng, x: LocalResponseNormalization(3, alpha=0.5)(x),
    "distributed": _distributed,
    "padding": _padding(layers.ZeroPadding2D, 2),
    "cropping": _cropping(layers.Cropping2D, 2),
    "upsampling": _upsampling,
    "resizing": _resizing,
    "nothing": _nothing(3),
}
VOLUMES: dict[str, Block] = {
    "convolution": _convolution(layers.Conv3D, 3),
    "groups": _grouped(layers.Conv3D, 3),
    "transposed": _transposed(layers.Conv3DTranspose, 3),
    "max": _pooled(layers.MaxPooling3D, 3),
    "mean": _pooled(layers.AveragePooling3D, 3),
    "global_mean": lambda rng, x: layers.GlobalAveragePooling3D()(x),
    "global_max": lambda rng, x: layers.GlobalMaxPooling3D()(x),
    "padding": _padding(layers.ZeroPadding3D, 3),
    "cropping": _cropping(layers.Cropping3D, 3),
    "upsampling": lambda rng, x: layers.UpSampling3D(2)(x),
    "nothing": _nothing(4),
}
VECTORS: dict[str, Block] = {"repeated": _vector_repeated, "nothing": _nothing(1)}

# By the number of axes, without batch.
BLOCKS: dict[int, dict[str, Block]] = {
    1: VECTORS,
    2: POSITIONS | SEQUENCES,
    3: POSITIONS | IMAGES,
    4: POSITIONS | VOLUMES,
}
# Every block with the axes it is tried with, in a fixed order.
ALL = [(axes, name) for axes, own in BLOCKS.items() for name in own]
ALL += [(2 + number % 3, name) for number, name in enumerate(ANYWHERE)]


def block(axes: int, name: str) -> Block:
    """A block by its name."""
    return (BLOCKS[axes] | ANYWHERE)[name]
