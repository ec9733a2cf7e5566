"""Each row of the table of lowering: exact, at most four axes, integer where that is possible."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.src.applications.convnext import LayerScale, StochasticDepth

from hsitf import inspection
from hsitf.arithmetic import FLOAT, INTEGER, Arithmetic
from hsitf.errors import LoweringError
from hsitf.export.calibration import Calibration
from hsitf.export.tflite import CONVERTERS
from hsitf.graph import walk
from hsitf.layers import (
    LearnedScale,
    LearnedTokens,
    LocalResponseNormalization,
    PixelNormalization,
    PositionEmbedding,
    ScaledAttention,
    WavelengthFilters,
)
from hsitf.lower import difference, lower
from hsitf.lower.depthwise import as_channel_image
from hsitf.lower.layers_moving import concatenated
from hsitf.lower.layout_tensor import LayoutTensor, dense_layout
from hsitf.lower.rules import OPERATIONS, RULES
from hsitf.runtimes import LiteRT, dequantize, quantize

RNG = np.random.default_rng(0)
IMAGE, SPECTRUM, VOLUME = (8, 6, 4), (24, 6), (5, 4, 7, 2)


def randomized(model: keras.Model) -> keras.Model:
    for variable in model.weights:
        if not variable.dtype.startswith("float"):
            continue
        fan = max(1, int(np.prod(variable.shape[:-1])))
        value = RNG.normal(size=variable.shape, scale=fan**-0.5)
        variable.assign(0.2 + np.abs(value) if "variance" in variable.name else value)
    return model


def built(shape, build) -> keras.Model:
    """A network on patches of three axes, whatever the layer in question wants to see."""
    patch = (shape[0], 1, shape[1]) if len(shape) == 2 else (*shape[:2], int(np.prod(shape[2:])))
    inputs = keras.Input(patch)
    leaving = build(layers.Reshape(shape)(inputs))
    several = leaving if isinstance(leaving, list | tuple) else [leaving]
    return randomized(keras.Model(inputs, [layers.Flatten()(x) for x in several]))


def answers(model: keras.Model, patches: np.ndarray) -> np.ndarray:
    given = model(patches)
    several = given if isinstance(given, list) else [given]
    return np.concatenate([np.asarray(x) for x in several], axis=1)


def ranks(model: keras.Model) -> set[int]:
    """How many axes the tensors of a model have, all of which have to be of fixed size."""
    found = set()

    def visit(call, entering):
        assert all(None not in shape for shape in call.shapes)
        found.update(len(shape) for shape in call.shapes)
        return [None] * len(call.shapes)

    walk(model, [None] * len(model.inputs), visit)
    return found


def assert_exact(model: keras.Model, batch: int = 1, arithmetic: Arithmetic = FLOAT) -> keras.Model:
    lowered = lower(model, batch, arithmetic)
    assert max(ranks(lowered)) <= 4
    patches = RNG.normal(size=(batch, *model.inputs[0].shape[1:])).astype(np.float32)
    expected, received = answers(model, patches), answers(lowered, patches)
    assert np.ptp(expected) > 0
    bound = 1e-5 * max(1, np.abs(expected).max())
    np.testing.assert_allclose(received, expected, rtol=0, atol=bound)
    return lowered


def kinds(model: keras.Model) -> list[str]:
    return [type(operation).__name__ for operation in model.operations]


def chain(*stack):
    def build(x):
        for layer in stack:
            x = layer(x)
        return x

    return build


# For each type of layer some uses of it, by what they see.
SPECTRUM_USES = {
    "conv_dilated": chain(layers.Conv1D(5, 3, dilation_rate=2, padding="causal")),
    "depthwise": chain(layers.DepthwiseConv1D(3, 2, padding="same", depth_multiplier=2)),
    "separable": chain(layers.SeparableConv1D(5, 3, padding="same", activation="relu")),
    "transposed": chain(layers.Conv1DTranspose(3, 5, strides=2, activation="relu")),
    "layer_norm": chain(layers.LayerNormalization(), layers.Conv1D(3, 2)),
    "distributed_dense": chain(layers.TimeDistributed(layers.Dense(3, activation="relu"))),
    "repeated": chain(layers.Flatten(), layers.RepeatVector(4), layers.LSTM(2)),
    "einsum": chain(layers.EinsumDense("abc,cd->adb", (3, 24), bias_axes="d")),
    "einsum_of_positions": chain(
        layers.EinsumDense("abc,bde->aedc", (3, 4, 6), bias_axes="e", activation="tanh")
    ),
    "self_attention": lambda x: layers.MultiHeadAttention(2, 3)(x, x),
    "cross_attention": lambda x: layers.MultiHeadAttention(3, 2, value_dim=4, output_shape=5)(
        x[:, :7], value=x, key=layers.Dense(2)(x)
    ),
    "attention_without_bias": lambda x: layers.MultiHeadAttention(1, 4, use_bias=False)(
        x, x[:, 3:]
    ),
    "scaled_attention": lambda x: ScaledAttention(2, 3, scale=0.3, output_bias=False)(x, x),
    "query_groups": lambda x: layers.GroupQueryAttention(3, 4, 2)(x, x[:, :9]),
    "plain_attention": lambda x: layers.Attention(use_scale=True)([x[:, :5], x, x + 1]),
    "dot": lambda x: layers.Dot(axes=(1, 1))([layers.Softmax(axis=1)(layers.Dense(4)(x)), x]),
    "dot_of_vectors": lambda x: [layers.Dot(axes=1)([x[:, 0], x[:, 1]]), x[:, 0]],
    "learned_tokens": chain(LearnedTokens(2), PositionEmbedding(), layers.Dense(3)),
    "encoder": lambda x: layers.Add()(
        [
            x,
            layers.MultiHeadAttention(2, 3)(
                *[layers.LayerNormalization()(x)] * 2,
            ),
        ]
    ),
    "simple_rnn": chain(layers.SimpleRNN(4, return_sequences=True, go_backwards=True)),
    "gru": chain(
        layers.GRU(4, return_sequences=True), layers.Flatten(), layers.BatchNormalization()
    ),
    "gru_reset_before": chain(layers.GRU(4, reset_after=False)),
    "gru_states": layers.GRU(4, return_sequences=True, return_state=True),
    "lstm": chain(layers.LSTM(4, dropout=0.3)),
    "bidirectional": chain(layers.Bidirectional(layers.GRU(3, return_sequences=True))),
    "max": chain(layers.MaxPooling1D(3)),
    "average": chain(layers.AveragePooling1D(3, strides=2, padding="same")),
    "global_average": chain(layers.GlobalAveragePooling1D()),
    "global_max": chain(layers.GlobalMaxPooling1D(keepdims=True)),
    "add_vectors": lambda x: layers.Add()([x, layers.GlobalAveragePooling1D()(x)]),
    "concatenate": lambda x: layers.Concatenate(axis=1)([x[:, 20:], layers.Conv1D(6, 2)(x)]),
    "nothing": chain(layers.SpatialDropout1D(0.5), layers.Dropout(0.5), layers.ReLU()),
    "cropping": chain(layers.Conv1D(5, 3), layers.Cropping1D((2, 3))),
    "padding": chain(layers.ZeroPadding1D((2, 1)), layers.Conv1D(3, 4)),
    "upsampling": chain(layers.UpSampling1D(3), layers.Conv1D(2, 2)),
}
IMAGE_USES = {
    "conv_dilated": chain(layers.Conv2D(5, (3, 2), dilation_rate=(1, 2), padding="same")),
    "conv_groups": chain(layers.Conv2D(6, 3, groups=2, padding="same")),
    "conv_groups_of_one": chain(layers.Conv2D(8, 3, strides=2, groups=4, padding="same")),
    "transposed": chain(layers.Conv2DTranspose(5, 3, strides=2, padding="same")),
    "transposed_uneven": chain(
        layers.Conv2DTranspose(3, (2, 5), (3, 2), "same"), layers.BatchNormalization()
    ),
    "transposed_padded": chain(
        layers.ZeroPadding2D(1), layers.Conv2DTranspose(3, 4, 2, output_padding=1)
    ),
    "transposed_dilated": chain(layers.Conv2DTranspose(3, 3, dilation_rate=2, use_bias=False)),
    "layer_norm": chain(layers.Conv2D(5, 2), layers.LayerNormalization(), layers.Conv2D(3, 2)),
    "layer_norm_of_rows": chain(layers.LayerNormalization(axis=[1, 3], center=False)),
    "layer_norm_of_all": chain(layers.LayerNormalization(axis=[1, 2, 3], scale=False)),
    "layer_norm_of_a_vector": chain(layers.Flatten(), layers.LayerNormalization()),
    "rms_norm": chain(layers.Permute((2, 3, 1)), layers.RMSNormalization(axis=[-1])),
    "group_norm": chain(layers.Conv2D(6, 2), layers.GroupNormalization(3), layers.ReLU()),
    "group_norm_of_rows": chain(layers.GroupNormalization(2, axis=1, scale=False)),
    "instance_norm": chain(layers.GroupNormalization(-1)),
    "distributed_conv": chain(
        layers.TimeDistributed(layers.Conv1D(5, 3, padding="same")),
        layers.TimeDistributed(layers.BatchNormalization()),
        layers.TimeDistributed(layers.GlobalMaxPooling1D()),
    ),
    "distributed_moves": chain(
        layers.Permute((2, 1, 3)),
        layers.TimeDistributed(layers.ZeroPadding1D(2)),
        layers.TimeDistributed(layers.Permute((2, 1))),
        layers.TimeDistributed(layers.GRU(2)),
    ),
    "attention_of_rows": lambda x: layers.MultiHeadAttention(2, 3, attention_axes=1)(x, x),
    "attention_of_pixels": lambda x: layers.MultiHeadAttention(2, 3)(x, x[:, ::2]),
    "rescaling": chain(layers.Rescaling(1 / 3, [0.5, 0, -1, 2]), layers.Rescaling(2.0)),
    "standardized": chain(
        layers.Normalization(mean=[1.0, 2, 3, 4], variance=[0.5, 1, 2, 3]),
        layers.Normalization(axis=(1, 3)),
        layers.Normalization(axis=None, mean=2.0, variance=3.0, invert=True),
    ),
    "layer_scale": chain(LayerScale(0.5, 4), StochasticDepth(0.3), layers.Conv2D(2, 2)),
    "einsum_of_heads": chain(layers.EinsumDense("...c,cde->...de", (2, 3), bias_axes="de")),
    "depthwise": chain(layers.DepthwiseConv2D((3, 2), padding="same", activation="relu")),
    "depthwise_dilated": chain(layers.DepthwiseConv2D(2, dilation_rate=2, use_bias=False)),
    "separable": chain(layers.SeparableConv2D(5, 3, strides=2, depth_multiplier=2)),
    "dense_of_five_axes": chain(layers.Reshape((2, 4, 3, 2, 4)), layers.Dense(3)),
    "dense_of_slices": lambda x: layers.Dense(3)(layers.Flatten()(x[:, ::2, 1:4])),
    "dense_of_zeros": chain(layers.ZeroPadding2D(2), layers.Flatten(), layers.Dense(3)),
    "dense_of_repeats": chain(layers.UpSampling2D(2), layers.Flatten(), layers.Dense(3)),
    "norm_of_rows": chain(layers.BatchNormalization(axis=1), layers.ReLU()),
    "norm_without_scale": chain(layers.BatchNormalization(scale=False)),
    "snv": chain(PixelNormalization("snv", [10, 12, 14, 20], [1, 2, 1, 1.5])),
    "unit_length": chain(PixelNormalization("unit", [10, 12, 14, 20], [1, 2, 1, 1.5])),
    "first_difference": chain(PixelNormalization("difference", [10, 12, 14, 20], [1, 2, 1, 1.5])),
    "response": chain(LocalResponseNormalization(3, alpha=0.5, bias=2.0)),
    "response_of_a_quarter": chain(LocalResponseNormalization(3, alpha=0.5, beta=0.25)),
    "response_of_all": chain(LocalResponseNormalization(3, alpha=0.5, beta=1.0)),
    "response_of_two_thirds": chain(LocalResponseNormalization(3, alpha=0.5, beta=2 / 3)),
    "response_of_a_vector": chain(layers.Flatten(), LocalResponseNormalization(4, alpha=1.0)),
    "max_of_zeros": chain(layers.ZeroPadding2D(1), layers.MaxPooling2D(3, 2)),
    "average": chain(layers.AveragePooling2D(2, padding="same")),
    "global_average": chain(
        layers.Permute((3, 1, 2)), layers.GlobalAveragePooling2D(keepdims=True)
    ),
    "global_max": chain(layers.Conv2D(5, 2), layers.GlobalMaxPooling2D()),
    "average_of": lambda x: layers.Average()([x, layers.Conv2D(4, 1)(x), x[..., ::-1]]),
    "subtract": lambda x: layers.Subtract()([layers.Conv2D(1, 1)(x), x]),
    "multiply": lambda x: layers.Multiply()([x, layers.GlobalMaxPooling2D(keepdims=True)(x)]),
    "maximum": lambda x: layers.Maximum()([x, layers.Conv2D(4, 1)(x), -x]),
    "minimum": lambda x: layers.Minimum()([x[:, :6], layers.Permute((2, 1, 3))(x)[:, :, :6]]),
    "elu": chain(layers.ELU(0.7)),
    "leaky": chain(layers.LeakyReLU(0.2)),
    "relu": chain(layers.ReLU(1.0, 0.1, 0.2)),
    "activation": chain(layers.Activation("silu")),
    "mish": chain(layers.Activation("mish")),
    "learned_scale": chain(LearnedScale("ones"), layers.Conv2D(3, 2)),
    "wavelength_filters": chain(WavelengthFilters(3, [400, 410, 420, 430]), layers.Conv2D(3, 2)),
    "selu_as_activation": chain(layers.Conv2D(3, 2, activation="selu")),
    "layer_as_activation": chain(layers.Conv2D(4, 2, activation=layers.LeakyReLU(0.3))),
    "operation_as_activation": chain(layers.Dense(4, activation=ops.sigmoid)),
    "prelu_by_column": chain(layers.PReLU(shared_axes=[1, 3])),
    "softmax_of_rows": chain(layers.Softmax(axis=1)),
    "softmax_of_pixels": chain(layers.Softmax(axis=[1, 2])),
    "nothing": chain(
        layers.SpatialDropout2D(0.5),
        layers.GaussianDropout(0.5),
        layers.GaussianNoise(1.0),
        layers.AlphaDropout(0.5),
        layers.ActivityRegularization(0.1),
        layers.Identity(),
        layers.ReLU(),
    ),
    "reshape": chain(layers.Permute((3, 1, 2)), layers.Reshape((2, -1)), layers.Conv1D(3, 1)),
    "repeat_vector": chain(layers.Flatten(), layers.RepeatVector(3), layers.Conv1D(2, 2)),
    "cropping": chain(layers.Conv2D(5, 2), layers.Cropping2D(((3, 2), (2, 2)))),
    "padding": chain(
        layers.ZeroPadding2D(((1, 2), (0, 1))), layers.Conv2D(3, 3, 2, padding="same")
    ),
    "padding_twice": chain(
        layers.ZeroPadding2D(1), layers.Activation("sigmoid"), layers.ZeroPadding2D(1)
    ),
    "upsampling": chain(layers.UpSampling2D((2, 3)), layers.ReLU(), layers.Conv2D(2, 2)),
    "bilinear": chain(layers.UpSampling2D((2, 3), interpolation="bilinear"), layers.Conv2D(2, 2)),
    "bicubic": chain(layers.UpSampling2D(2, interpolation="bicubic")),
    "resized": chain(layers.Resizing(5, 9), layers.Conv2D(2, 2)),
    "resized_smoothly": chain(layers.Resizing(3, 4, antialias=True)),
    "resized_by_lanczos": chain(layers.Permute((2, 1, 3)), layers.Resizing(4, 11, "lanczos3")),
    "resized_to_neighbors": chain(layers.Resizing(5, 9, "nearest"), layers.ReLU()),
}
VOLUME_USES = {
    "conv_groups": chain(layers.Conv3D(4, (2, 3, 3), groups=2, activation="tanh")),
    "dense": chain(layers.Dense(3, activation="relu")),
    "transposed": chain(layers.Conv3DTranspose(3, (3, 2, 5), strides=(2, 2, 1), padding="same")),
    "transposed_valid": chain(layers.Conv3DTranspose(2, 3, strides=2), layers.Conv3D(2, 2)),
    "layer_norm": chain(layers.Conv3D(4, 2), layers.LayerNormalization(), layers.Conv3D(2, 1)),
    "group_norm": chain(layers.GroupNormalization(2), layers.Conv3D(2, 2)),
    "distributed_images": chain(
        layers.TimeDistributed(layers.Conv2D(3, (2, 3), activation="relu")),
        layers.TimeDistributed(layers.Flatten()),
        layers.TimeDistributed(layers.Dense(2)),
    ),
    "norm": chain(layers.ReLU(), layers.BatchNormalization(center=False), layers.Conv3D(2, 2)),
    "response": chain(layers.Conv3D(6, 2), LocalResponseNormalization(6, alpha=1.0, beta=0.5)),
    "max": chain(layers.MaxPooling3D(2, padding="same")),
    "average": chain(layers.AveragePooling3D(2, padding="same")),
    "global_average": chain(layers.Conv3D(4, (1, 1, 2)), layers.GlobalAveragePooling3D()),
    "global_max": chain(layers.GlobalMaxPooling3D()),
    "add_crossing_axes": lambda x: layers.Add()([x[:, :, :1, :, :1], x[:, :1, :, :1]]),
    "concatenate_channels": lambda x: layers.Concatenate()([layers.Conv3D(3, 1)(x), x]),
    "concatenate_rows": lambda x: layers.Concatenate(-4)([x, layers.Conv3D(2, (3, 1, 1))(x)]),
    "prelu": chain(layers.Conv3D(5, 2), layers.PReLU(shared_axes=[1, 2, 3])),
    "softmax": chain(layers.Conv3D(3, (1, 1, 2), activation="softmax")),
    "nothing": chain(layers.SpatialDropout3D(0.5), layers.ReLU()),
    "cropping": chain(layers.Cropping3D(1), layers.Conv3D(3, 2)),
    "padding": chain(layers.ZeroPadding3D((0, 1, 2)), layers.Conv3D(3, 3, (1, 1, 2))),
    "upsampling": chain(layers.UpSampling3D(2), layers.MaxPooling3D(3)),
}
USES = {
    f"{what}_{use}": (shape, build)
    for what, shape, uses in (
        ("spectrum", SPECTRUM, SPECTRUM_USES),
        ("image", IMAGE, IMAGE_USES),
        ("volume", VOLUME, VOLUME_USES),
    )
    for use, build in uses.items()
}

# Zeros around an image and before its channels.
AROUND = [[0, 0], [1, 2], [0, 0], [3, 0]]

# For each operation of keras.ops a use of it.
OPERATION_USES = {
    "Absolute": ops.abs,
    "Add": lambda x: x + np.arange(4.0) + x,
    "Clip": lambda x: ops.clip(x, -0.5, 0.7),
    "Concatenate": lambda x: ops.concatenate([x, x[:, :2]], axis=1),
    "Divide": lambda x: ops.divide(x, 2 + ops.abs(x)),
    "Elu": lambda x: ops.elu(x, 0.5),
    "Einsum": lambda x: ops.einsum("bhwc,bhvc->bvhw", x, layers.Dense(4)(x)),
    "Exp": ops.exp,
    "ExpandDims": lambda x: ops.expand_dims(x, 2),
    "Flip": lambda x: ops.flip(x, axis=(1, 3)),
    "Gelu": ops.gelu,
    "GetItem": lambda x: x[:, 1:-1, ..., None, 2][:, ::-2],
    "HardSigmoid": ops.hard_sigmoid,
    "HardSilu": ops.hard_silu,
    "HardTanh": ops.hard_tanh,
    "LeakyRelu": lambda x: ops.leaky_relu(x, 0.3),
    "Log": lambda x: ops.log(ops.abs(x) + 1),
    "LogSoftmax": lambda x: ops.log_softmax(x, axis=2),
    "Matmul": lambda x: (
        ops.matmul(x, np.ones((4, 3)) - np.eye(4, 3)) @ ops.swapaxes(x, 2, 3)[:, :, :3]
    ),
    "Max": lambda x: ops.max(x, axis=(1, 3)),
    "Maximum": lambda x: ops.maximum(ops.maximum(x, 0.3), np.array([0.1, 0.2, 0.3, 0.4])),
    "Mean": lambda x: ops.mean(x, axis=-1, keepdims=True),
    "Min": lambda x: ops.min(x, axis=2),
    "Sum": lambda x: ops.sum(x, axis=(1, 2), keepdims=True),
    "Minimum": lambda x: ops.minimum(ops.minimum(0.3, x), x[:, :, :1]),
    "Moveaxis": lambda x: ops.moveaxis(x, 3, 1),
    "Multiply": lambda x: x * np.arange(6.0)[:, None] * x,
    "Negative": lambda x: -ops.relu(x),
    "Pad": lambda x: ops.pad(ops.pad(x, AROUND), [[0, 0], [0, 0], [2, 2], [0, 0]], "reflect"),
    "Power": lambda x: x**3 + (1 + ops.abs(x)) ** 1.5 + ops.abs(x) ** 0.5 + (1 + x * x) ** -0.5,
    "Relu": ops.relu,
    "Relu6": lambda x: ops.relu6(4 * x),
    "Repeat": lambda x: ops.repeat(x, 2, axis=2),
    "Reshape": lambda x: ops.reshape(x, (-1, 12, 16)),
    "Roll": lambda x: ops.roll(x, 2, axis=1),
    "Rsqrt": lambda x: ops.rsqrt(ops.abs(x) + 1),
    "Selu": ops.selu,
    "Sigmoid": ops.sigmoid,
    "Silu": ops.silu,
    "Softmax": lambda x: ops.softmax(x, axis=1),
    "Softplus": ops.softplus,
    "Softsign": ops.softsign,
    "Split": lambda x: ops.split(x, [2, 3], axis=2),
    "Sqrt": lambda x: ops.sqrt(ops.abs(x)),
    "Square": ops.square,
    "Squeeze": lambda x: ops.squeeze(x[:, :, :1], axis=2),
    "Stack": lambda x: ops.stack([x, 2 - x], axis=2),
    "Subtract": lambda x: 1 - (x - ops.mean(x, axis=1, keepdims=True)),
    "Swapaxes": lambda x: ops.swapaxes(x, 1, 2),
    "Take": lambda x: ops.take(x, [3, 0, 0], axis=3),
    "Tanh": ops.tanh,
    "Tile": lambda x: ops.tile(x, (1, 2, 1, 3)),
    "Transpose": lambda x: ops.transpose(x, (0, 3, 1, 2)),
    "TrueDivide": lambda x: x / 3 + 2 / (1 + ops.abs(x)) + x / (1 + ops.abs(x)),
    "Unstack": lambda x: ops.unstack(x, axis=2)[1:4],
}


@pytest.mark.parametrize("use", USES)
def test_layers(use):
    model = built(*USES[use])
    assert_exact(model, 1, FLOAT)
    assert_exact(model, 3, INTEGER)


@pytest.mark.parametrize("use", OPERATION_USES)
def test_operations(use):
    model = built(IMAGE, OPERATION_USES[use])
    assert use in kinds(model)
    assert_exact(model, 1, FLOAT)
    assert_exact(model, 3, INTEGER)


def test_every_row_is_used():
    models = [built(*use) for use in USES.values()]
    used = {type(operation) for model in models for operation in model.operations}
    assert set(RULES) <= used
    assert set(OPERATIONS) == set(OPERATION_USES)


def test_normalization_goes_into_the_weights():
    stack = chain(
        layers.Conv2D(5, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.DepthwiseConv2D(2),
        layers.BatchNormalization(),
        layers.SeparableConv2D(6, 2),
        layers.BatchNormalization(),
        layers.BatchNormalization(),
        layers.Conv2D(6, 1, groups=3),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(7),
        layers.BatchNormalization(),
    )
    made = kinds(assert_exact(built(IMAGE, stack), 2))
    # The two depthwise convolutions of the network and none besides.
    assert made.count("DepthwiseConv2D") == 2
    assert "BatchNormalization" not in made


def test_normalization_goes_through_sums_concatenations_and_moves():
    def build(x):
        parallel = [layers.Conv2D(4, taps, padding="same")(x) for taps in (1, 3)]
        total = layers.BatchNormalization()(layers.Add()(parallel))
        both = layers.Concatenate()([total, layers.Conv2D(2, (2, 3), padding="same")(x)])
        return layers.BatchNormalization(axis=1)(layers.Permute((3, 2, 1))(both))

    made = kinds(assert_exact(built(IMAGE, build)))
    assert made.count("Conv2D") == 2
    assert "DepthwiseConv2D" not in made


def test_normalization_of_other_axes_than_the_filters_is_depthwise():
    def build(x):
        return layers.BatchNormalization()(layers.Reshape((12, 16))(layers.Conv2D(4, 1)(x)))

    assert kinds(assert_exact(built(IMAGE, build))).count("DepthwiseConv2D") == 1


def test_normalization_of_a_residual_sum_is_depthwise():
    def build(x):
        x = layers.Add()([x, layers.Conv2D(4, 3, padding="same")(x)])
        return layers.ReLU()(layers.BatchNormalization()(x))

    assert kinds(assert_exact(built(IMAGE, build))).count("DepthwiseConv2D") == 1


def test_normalization_of_more_channels_than_kernels_take_is_in_pieces(tmp_path):
    # LiteRT's own kernels, which measure the ranges of an integer file, do not come back from more.
    inputs = keras.Input((1, 1, 5000))
    model = randomized(keras.Model(inputs, layers.BatchNormalization()(ops.tanh(inputs))))
    lowered = assert_exact(model)
    made = [layer for layer in lowered.layers if isinstance(layer, layers.DepthwiseConv2D)]
    assert [layer.output.shape[-1] for layer in made] == [2048, 2048, 904]
    file = tmp_path / "wide.tflite"
    patches = RNG.normal(size=(8, 1, 1, 5000)).astype(np.float32)
    CONVERTERS["int8"](lowered, Calibration(patches), file)
    assert inspection.tflite(file).integer_share == 1
    plain = LiteRT(file, delegate=False)
    received = dequantize(plain.infer(quantize(patches[:1], plain.input)), plain.output)
    expected = answers(model, patches[:1])
    assert np.sqrt(np.mean((received - expected) ** 2)) < 0.05 * np.std(expected)


def test_normalization_leaves_other_users_alone():
    def build(x):
        x = layers.Conv2D(4, 3)(x)
        return layers.Concatenate()([layers.BatchNormalization()(x), x])

    assert_exact(built(IMAGE, build))


def test_only_convolutions_of_one_view_become_one():
    def build(x):
        square = x[:, :6]
        turned = layers.Permute((2, 1, 3))(square)
        first, second = layers.Conv2D(5, 3)(square), layers.Conv2D(5, 3)(turned)
        back = layers.Permute((2, 1, 3))(layers.Conv2D(5, 3)(square))
        return [layers.Add()([first, second]), layers.Add()([first, back])]

    assert_exact(built(IMAGE, build))


def test_zeros_around_go_into_the_convolution():
    stack = chain(layers.ZeroPadding3D((1, 1, 2)), layers.Conv3D(3, (3, 3, 5), activation="relu"))
    made = kinds(assert_exact(built((5, 4, 7, 1), stack)))
    assert not {"Pad", "ZeroPadding2D"} & set(made)


def test_each_slice_moves_once():
    # As the branches of santara where they do not share their weights.
    def build(x):
        parts = [layers.Conv1D(3, 4)(x[:, first : first + 6]) for first in range(0, 24, 6)]
        return layers.Concatenate(axis=1)(parts)

    made = kinds(assert_exact(built(SPECTRUM, build)))
    assert made.count("GetItem") == 4
    assert "Take" not in made


def test_one_layer_called_several_times():
    def build(x):
        shared, norm = layers.Conv2D(4, 3, padding="same"), layers.BatchNormalization()
        return layers.Add()([norm(shared(x)), layers.ReLU()(norm(shared(shared(x))))])

    assert_exact(built(IMAGE, build), 2)


def test_a_model_in_a_model_with_the_same_names():
    inner = keras.Input(IMAGE)
    inner = keras.Model(inner, layers.Conv2D(3, 2, name="same")(inner))

    def build(x):
        return layers.Conv2D(2, 3, name="same")(inner(x))

    assert_exact(built(IMAGE, build))


def test_names_that_keras_makes_up_again():
    # A network from a file may have the very names that Keras will give next.
    def build(x):
        for number in range(40):
            x = layers.Concatenate(name=f"concatenate_{number}" if number else None)([x, x])
            x = layers.Conv3D(2, (3, 3, 3), padding="same")(x)
        return x

    keras.backend.clear_session()
    model = built((3, 3, 40, 1), build)
    keras.backend.clear_session()
    assert_exact(model)


def test_several_inputs_and_outputs():
    one, other = keras.Input((4, 4, 3), name="one"), keras.Input((5,), name="other")
    x = layers.Concatenate()([layers.Flatten()(one), layers.Dense(4)(other)])
    model = randomized(keras.Model([one, other], [layers.Dense(2)(x), layers.Reshape((4, 13))(x)]))
    lowered = lower(model)
    patches = [RNG.normal(size=(1, 4, 4, 3)), RNG.normal(size=(1, 5))]
    for expected, received in zip(model(patches), lowered(patches), strict=True):
        np.testing.assert_allclose(np.asarray(received), np.asarray(expected), atol=1e-5)


PADDED_WITH_ONES = [[0, 0], [1, 1], [0, 0], [0, 0]]
REFUSED = {
    "rows_as_samples": (lambda x: ops.reshape(x, (-1, 6, 4)), "does more than move"),
    "other_samples": (
        lambda x: ops.flip(x, axis=0),
        "more than move the elements of each sample",
    ),
    "ones_around": (
        lambda x: ops.pad(x, PADDED_WITH_ONES, constant_values=1.0),
        "pads with other numbers than zeros; received: 1.0",
    ),
    "aspect_ratio": (
        chain(layers.Resizing(4, 4, crop_to_aspect_ratio=True)),
        "keeps the aspect ratio.*Cropping2D",
    ),
    "einsum": (
        chain(layers.Reshape((8, 24)), layers.EinsumDense("abc,bcd->abd", (8, 3))),
        "no product with one matrix; received: abc,bcd->abd",
    ),
    "glu": (chain(layers.Dense(4, activation="glu")), "received: glu.*each element by itself"),
    "lambda": (chain(layers.Dense(4, activation=lambda x: x)), "received: <lambda>"),
    "dropout": (chain(layers.Dense(4, activation=layers.Dropout(0.1))), "received: <Dropout"),
    "powers": (lambda x: x ** ops.abs(x), "other powers than one number"),
    "exponents": (lambda x: 2.0**x, "other powers than one number"),
    "own_samples": (lambda x: x + np.ones((2, *IMAGE)), "samples with an array of their own"),
    "mean": (lambda x: ops.mean(x, axis=0, keepdims=True) + x, "takes samples together"),
    "softmax": (lambda x: ops.softmax(x, axis=0), "takes samples together"),
    "concatenate": (lambda x: ops.concatenate([x, x], axis=0), "takes samples together"),
    "stack": (lambda x: ops.stack([x, x]), "takes samples together"),
    "cumsum": (
        lambda x: ops.cumsum(x, axis=1),
        r"Cumsum\) cannot be lowered, because .*; use Mean",
    ),
    "channels_first": (
        chain(layers.GlobalMaxPooling2D(data_format="channels_first")),
        "has its channels first; allowed: channels_last",
    ),
}


@pytest.mark.parametrize("use", REFUSED)
def test_unsupported_operations_are_rejected_with_a_reason(use):
    build, message = REFUSED[use]
    inputs = keras.Input(IMAGE)
    model = keras.Model(inputs, build(inputs))
    with pytest.raises(LoweringError, match=message):
        lower(model)


class Unfoldable:
    """A linear operation whose weights cannot express a factor."""

    def scaled(self, scale, shift, name):
        return None


def test_a_factor_behind_a_concatenation_keeps_its_order():
    # One element of the first part's memory belongs to nobody. With a factor, the part is packed,
    # and has the order of its axes; the concatenation has that of the second part.
    first = LayoutTensor(keras.Input(batch_shape=(1, 7)), np.arange(6).reshape(2, 3))
    second = LayoutTensor(
        keras.Input(batch_shape=(1, 6)), dense_layout((2, 3), (1, 0)), Unfoldable()
    )
    joined = concatenated([first, second], 0, "joined")
    factors = np.arange(1.0, 13, dtype=np.float32)
    scaled = joined.producer.scaled(factors, np.zeros(12, np.float32), "scaled")
    np.testing.assert_array_equal(scaled.layout, joined.layout)
    model = keras.Model([first.tensor, second.tensor], [joined.tensor, scaled.tensor])
    before, after = model([np.arange(7.0)[None], np.arange(7.0, 13)[None]])
    np.testing.assert_allclose(np.ravel(after), factors * np.ravel(before))


def test_biases_that_keras_adds_along_the_tokens_are_refused():
    inputs = keras.Input((2, 1, 3))
    x = layers.Reshape((2, 3))(inputs)
    # As many tokens as heads, of one number each.
    model = keras.Model(inputs, layers.MultiHeadAttention(2, 1, name="odd")(x, x))
    with pytest.raises(LoweringError, match="layer 'odd' adds its biases along another axis"):
        lower(model)
    plain = layers.MultiHeadAttention(2, 1, use_bias=False)(x, x)
    assert_exact(randomized(keras.Model(inputs, layers.Flatten()(plain))))


def test_a_stateful_layer_is_rejected():
    inputs = keras.Input(batch_shape=(1, 6, 2))
    model = keras.Model(inputs, layers.GRU(3, stateful=True, name="memory")(inputs))
    with pytest.raises(LoweringError, match="'memory' keeps its state between inferences"):
        lower(model)


def residual(x):
    """What residual networks have, with a shortcut padded with channels of zeros."""
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(x)))
    y = layers.Conv2D(12, 3, 2, use_bias=False)(layers.ZeroPadding2D(1)(x))
    shortcut = ops.pad(x[:, ::2, ::2, :], [[0, 0], [0, 0], [0, 0], [2, 2]])
    x = layers.ReLU()(layers.Add()([shortcut, layers.BatchNormalization()(y)]))
    return layers.Dense(3)(layers.GlobalAveragePooling2D()(x))


def responses(x):
    """What lee has, a gate for each channel, and what the converter has no integers for."""
    x = layers.Concatenate()([layers.Conv2D(6, 3, padding="same")(x), layers.Conv2D(6, 1)(x)])
    x = layers.ReLU()(LocalResponseNormalization(12, alpha=0.5)(x))
    gate = layers.Dense(12, activation="sigmoid")(layers.GlobalMaxPooling2D(keepdims=True)(x))
    filtered = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Maximum()([layers.Multiply()([x, gate]), -filtered])
    x = layers.ELU()(layers.PReLU(shared_axes=[1, 2])(x)) ** 2
    return layers.Dense(3)(layers.Flatten()(layers.Cropping2D(((2, 3), (2, 2)))(x)))


def recurrent(x):
    """What mou has."""
    x = layers.Flatten()(layers.GRU(6, return_sequences=True)(x))
    return layers.Dense(3)(layers.Activation("tanh")(layers.BatchNormalization()(x)))


@pytest.mark.parametrize(
    ("shape", "build"), [(IMAGE, residual), (IMAGE, responses), (SPECTRUM, recurrent)]
)
def test_integers_throughout(shape, build, tmp_path):
    model = built(shape, build)
    patches = RNG.normal(size=(64, *model.inputs[0].shape[1:])).astype(np.float32)
    path = tmp_path / "network.tflite"
    CONVERTERS["int8"](lower(model, 1, INTEGER), Calibration(patches), path)
    found = inspection.tflite(path)
    assert found.floating == ()
    assert found.integer_share == 1
    assert found.max_rank <= 4
    assert not found.dynamic
    runtime = LiteRT(path)
    stored = quantize(patches, runtime.input)
    received = np.concatenate([runtime.infer(patch[None]) for patch in stored])
    error = dequantize(received, runtime.output) - answers(model, patches)
    assert np.sqrt(np.mean(error**2)) < 0.15 * np.std(answers(model, patches))


# Those that the converter leaves in floats, or computes wrongly, as Keras writes them.
WRITTEN = ["celu", "log_sigmoid", "soft_shrink", "sparse_plus", "sparse_sigmoid", "squareplus"]


@pytest.mark.parametrize("name", [*WRITTEN, "hard_shrink"])
def test_activations_in_integers(name, tmp_path):
    def build(x):
        return layers.Dense(3)(layers.Flatten()(layers.Conv2D(6, 3, activation=name)(x)))

    model = built(IMAGE, build)
    assert_exact(model, 2, INTEGER)
    test_integers_throughout(IMAGE, build, tmp_path)


# The first step of these has a gate that multiplies zeros alone.
FIRST_STEPS = {
    "gru_reset_before": layers.GRU(8, reset_after=False),
    "gru_without_biases": layers.GRU(4, use_bias=False, return_sequences=True, go_backwards=True),
    "lstm": layers.LSTM(8),
    "lstm_states": layers.LSTM(5, return_sequences=True, return_state=True),
    "two_directions": layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
    "sum_of_directions": layers.Bidirectional(
        layers.GRU(4, reset_after=False, return_state=True), merge_mode="sum"
    ),
    "other_directions": layers.Bidirectional(
        layers.SimpleRNN(3), backward_layer=layers.LSTM(3, go_backwards=True), merge_mode="concat"
    ),
}


@pytest.mark.parametrize("use", FIRST_STEPS)
@pytest.mark.parametrize("steps", [1, 3])
def test_the_first_step_apart_is_exact(use, steps):
    copy = FIRST_STEPS[use].from_config(FIRST_STEPS[use].get_config())

    def build(x):
        leaving = copy(x)
        return list(leaving) if isinstance(leaving, list | tuple) else leaving

    lowered = assert_exact(built((steps, 6), build), 2, INTEGER)
    assert any("_first_" in operation.name for operation in lowered.operations)


@pytest.mark.parametrize("use", ["gru_reset_before", "lstm"])
def test_recurrent_files_are_the_same_each_time_and_hold_no_floats(use, tmp_path):
    copy = FIRST_STEPS[use].from_config(FIRST_STEPS[use].get_config())
    model = built((3, 6), lambda x: layers.Dense(3)(copy(x)))
    patches = RNG.normal(size=(40, *model.inputs[0].shape[1:])).astype(np.float32)
    lowered, found = lower(model, 1, INTEGER), set()
    for number in range(5):
        path = tmp_path / f"{number}.tflite"
        CONVERTERS["int8"](lowered, Calibration(patches), path)
        found.add(path.read_bytes())
        kinds = {o.dtype for node in inspection.nodes(path) for o in (*node.inputs, *node.outputs)}
        assert "float32" not in kinds
    assert len(found) == 1


@pytest.mark.parametrize("beta", [0.25, 0.5, 0.75, 1.0, 2 / 3])
def test_powers_of_roots_are_powers(beta):
    inputs = keras.Input(batch_shape=(1, 4, 4, 6))
    model = keras.Model(inputs, LocalResponseNormalization(3, alpha=0.5, beta=beta)(inputs))
    patches = np.random.default_rng(0).normal(size=(8, 4, 4, 6)).astype(np.float32)
    lowered = lower(model, 1, replace(INTEGER, square_root_powers=True))
    kinds = {type(operation).__name__ for operation in lowered.operations}
    assert ("Rsqrt" in kinds) == (beta != 2 / 3)
    assert difference(model, lowered, patches)[0] <= 1e-5


def test_a_single_number_is_an_image_of_one_channel():
    value = LayoutTensor(keras.Input(batch_shape=(1,)), np.zeros((1, 1), np.int64))
    image, (slopes,) = as_channel_image(value, np.array([0.5], np.float32))
    assert (image.shape, slopes.tolist()) == ((1, 1, 1, 1), [0.5])
