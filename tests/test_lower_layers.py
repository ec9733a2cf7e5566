"""Each row of the table of lowering: exact, at most four axes, integer where that is possible."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from hsitf import contents
from hsitf.errors import LoweringError
from hsitf.export.tflite import CONVERTERS
from hsitf.graph import walk
from hsitf.layers import LocalResponseNormalization
from hsitf.lower import lower
from hsitf.lower.rules import OPERATIONS, RULES
from hsitf.targets import FLOAT, INTEGER, Target

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
    inputs = keras.Input(
        (shape[0], 1, shape[1]) if len(shape) == 2 else (*shape[:2], -(-np.prod(shape[2:]) // 1))
    )
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


def assert_exact(model: keras.Model, batch: int = 1, target: Target = FLOAT) -> keras.Model:
    lowered = lower(model, batch, target)
    assert max(ranks(lowered)) <= 4
    patches = RNG.normal(size=(batch, *model.inputs[0].shape[1:])).astype(np.float32)
    expected, received = answers(model, patches), answers(lowered, patches)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(
        received, expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max())
    )
    return lowered


def kinds(model: keras.Model) -> list[str]:
    return [type(operation).__name__ for operation in model.operations]


def chain(*stack):
    def build(x):
        for layer in stack:
            x = layer(x)
        return x

    return build


# For each type of layer some uses of it, as (what it sees, what is built), at least one a type.
USES = {
    "conv1d_dilated": (SPECTRUM, chain(layers.Conv1D(5, 3, dilation_rate=2, padding="causal"))),
    "conv2d_dilated": (IMAGE, chain(layers.Conv2D(5, (3, 2), dilation_rate=(1, 2), padding="same"))),
    "conv2d_groups": (IMAGE, chain(layers.Conv2D(6, 3, groups=2, padding="same"))),
    "conv2d_alone": (IMAGE, chain(layers.Conv2D(8, 3, strides=2, groups=4, padding="same"))),
    "conv3d_groups": (VOLUME, chain(layers.Conv3D(4, (2, 3, 3), groups=2, activation="tanh"))),
    "depthwise1d": (SPECTRUM, chain(layers.DepthwiseConv1D(3, strides=2, padding="same", depth_multiplier=2))),
    "depthwise2d": (IMAGE, chain(layers.DepthwiseConv2D((3, 2), padding="same", activation="relu"))),
    "depthwise2d_dilated": (IMAGE, chain(layers.DepthwiseConv2D(2, dilation_rate=2, use_bias=False))),
    "separable1d": (SPECTRUM, chain(layers.SeparableConv1D(5, 3, padding="same", activation="relu"))),
    "separable2d": (IMAGE, chain(layers.SeparableConv2D(5, 3, strides=2, depth_multiplier=2))),
    "dense_of_a_volume": (VOLUME, chain(layers.Dense(3, activation="relu"))),
    "dense_of_five_axes": ((4, 3, 8), chain(layers.Reshape((2, 2, 3, 2, 4)), layers.Dense(3))),
    "dense_of_slices": (IMAGE, lambda x: layers.Dense(3)(layers.Flatten()(x[:, ::2, 1:4]))),
    "dense_of_padding": (IMAGE, chain(layers.ZeroPadding2D(2), layers.Flatten(), layers.Dense(3))),
    "dense_of_repeats": (IMAGE, chain(layers.UpSampling2D(2), layers.Flatten(), layers.Dense(3))),
    "simple_rnn": (SPECTRUM, chain(layers.SimpleRNN(4, return_sequences=True, go_backwards=True))),
    "gru": (SPECTRUM, chain(layers.GRU(4, return_sequences=True), layers.Flatten(), layers.BatchNormalization())),
    "gru_reset_before": (SPECTRUM, chain(layers.GRU(4, reset_after=False))),
    "gru_states": (SPECTRUM, lambda x: layers.GRU(4, return_sequences=True, return_state=True)(x)),
    "lstm": (SPECTRUM, chain(layers.LSTM(4, dropout=0.3))),
    "bidirectional": (SPECTRUM, chain(layers.Bidirectional(layers.GRU(3, return_sequences=True)))),
    "batch_norm_of_rows": (IMAGE, chain(layers.BatchNormalization(axis=1), layers.ReLU())),
    "batch_norm_of_nothing_else": (IMAGE, chain(layers.BatchNormalization(scale=False))),
    "batch_norm_of_a_volume": (VOLUME, chain(layers.ReLU(), layers.BatchNormalization(center=False), layers.Conv3D(2, 2))),
    "response": (IMAGE, chain(LocalResponseNormalization(3, alpha=0.5, bias=2.0))),
    "response_of_a_volume": (VOLUME, chain(layers.Conv3D(6, 2), LocalResponseNormalization(6, alpha=1.0, beta=0.5))),
    "response_of_a_vector": (IMAGE, chain(layers.Flatten(), LocalResponseNormalization(4, alpha=1.0))),
    "max1d": (SPECTRUM, chain(layers.MaxPooling1D(3))),
    "max2d_of_padding": (IMAGE, chain(layers.ZeroPadding2D(1), layers.MaxPooling2D(3, 2))),
    "max3d": (VOLUME, chain(layers.MaxPooling3D(2, padding="same"))),
    "average1d": (SPECTRUM, chain(layers.AveragePooling1D(3, strides=2, padding="same"))),
    "average2d": (IMAGE, chain(layers.AveragePooling2D(2, padding="same"))),
    "average3d": (VOLUME, chain(layers.AveragePooling3D(2, padding="same"))),
    "global_average1d": (SPECTRUM, chain(layers.GlobalAveragePooling1D())),
    "global_average2d": (IMAGE, chain(layers.Permute((3, 1, 2)), layers.GlobalAveragePooling2D(keepdims=True))),
    "global_average3d": (VOLUME, chain(layers.Conv3D(4, (1, 1, 2)), layers.GlobalAveragePooling3D())),
    "global_max1d": (SPECTRUM, chain(layers.GlobalMaxPooling1D(keepdims=True))),
    "global_max2d": (IMAGE, chain(layers.Conv2D(5, 2), layers.GlobalMaxPooling2D())),
    "global_max3d": (VOLUME, chain(layers.GlobalMaxPooling3D())),
    "average_of_layers": (IMAGE, lambda x: layers.Average()([x, layers.Conv2D(4, 1)(x), x[..., ::-1]])),
    "subtract_of_layers": (IMAGE, lambda x: layers.Subtract()([layers.Conv2D(1, 1)(x), x])),
    "multiply_of_layers": (IMAGE, lambda x: layers.Multiply()([x, layers.GlobalMaxPooling2D(keepdims=True)(x)])),
    "maximum_of_layers": (IMAGE, lambda x: layers.Maximum()([x, layers.Conv2D(4, 1)(x), -x])),
    "minimum_of_layers": (IMAGE, lambda x: layers.Minimum()([x, layers.Permute((2, 1, 3))(layers.Reshape((6, 8, 4))(x))])),
    "add_of_vectors": (SPECTRUM, lambda x: layers.Add()([x, layers.GlobalAveragePooling1D()(x)])),
    "add_of_crossing_axes": (VOLUME, lambda x: layers.Add()([x[:, :, :1, :, :1], x[:, :1, :, :1]])),
    "concatenate_positions": (SPECTRUM, lambda x: layers.Concatenate(axis=1)([x[:, 20:], layers.Conv1D(6, 2)(x)])),
    "concatenate_channels": (VOLUME, lambda x: layers.Concatenate()([layers.Conv3D(3, 1)(x), x])),
    "concatenate_rows": (VOLUME, lambda x: layers.Concatenate(axis=-4)([x, layers.Conv3D(2, (3, 1, 1))(x)])),
    "elu": (IMAGE, chain(layers.ELU(0.7))),
    "leaky": (IMAGE, chain(layers.LeakyReLU(0.2))),
    "relu": (IMAGE, chain(layers.ReLU(1.0, 0.1, 0.2))),
    "activation": (IMAGE, chain(layers.Activation("silu"))),
    "prelu_by_channel": (VOLUME, chain(layers.Conv3D(5, 2), layers.PReLU(shared_axes=[1, 2, 3]))),
    "prelu_by_column": (IMAGE, chain(layers.PReLU(shared_axes=[1, 3]))),
    "softmax_of_channels": (VOLUME, chain(layers.Conv3D(3, (1, 1, 2), activation="softmax"))),
    "softmax_of_rows": (IMAGE, chain(layers.Softmax(axis=1))),
    "softmax_of_pixels": (IMAGE, chain(layers.Softmax(axis=[1, 2]))),
    "layer_as_activation": (IMAGE, chain(layers.Conv2D(4, 2, activation=layers.LeakyReLU(0.3)))),
    "nothing": (IMAGE, chain(layers.SpatialDropout2D(0.5), layers.GaussianDropout(0.5), layers.GaussianNoise(1.0), layers.ReLU())),
    "nothing1d": (SPECTRUM, chain(layers.SpatialDropout1D(0.5), layers.Dropout(0.5), layers.ReLU())),
    "nothing3d": (VOLUME, chain(layers.SpatialDropout3D(0.5), layers.ReLU())),
    "reshape": (IMAGE, chain(layers.Permute((3, 1, 2)), layers.Reshape((2, -1)), layers.Conv1D(3, 1))),
    "repeat_vector": (IMAGE, chain(layers.Flatten(), layers.RepeatVector(3), layers.Conv1D(2, 2))),
    "cropping1d": (SPECTRUM, chain(layers.Conv1D(5, 3), layers.Cropping1D((2, 3)))),
    "cropping2d": (IMAGE, chain(layers.Conv2D(5, 2), layers.Cropping2D(((3, 2), (2, 2))))),
    "cropping3d": (VOLUME, chain(layers.Cropping3D(1), layers.Conv3D(3, 2))),
    "padding1d": (SPECTRUM, chain(layers.ZeroPadding1D((2, 1)), layers.Conv1D(3, 4))),
    "padding2d": (IMAGE, chain(layers.ZeroPadding2D(((1, 2), (0, 1))), layers.Conv2D(3, 3, 2, padding="same"))),
    "padding3d": (VOLUME, chain(layers.ZeroPadding3D((0, 1, 2)), layers.Conv3D(3, 3, (1, 1, 2)))),
    "padding_of_a_padding": (IMAGE, chain(layers.ZeroPadding2D(1), layers.Activation("sigmoid"), layers.ZeroPadding2D(1))),
    "upsampling1d": (SPECTRUM, chain(layers.UpSampling1D(3), layers.Conv1D(2, 2))),
    "upsampling2d": (IMAGE, chain(layers.UpSampling2D((2, 3)), layers.ReLU(), layers.Conv2D(2, 2))),
    "upsampling3d": (VOLUME, chain(layers.UpSampling3D(2), layers.MaxPooling3D(3))),
}  # fmt: skip

# For each operation of keras.ops a use of it.
OPERATION_USES = {
    "Absolute": ops.abs,
    "Add": lambda x: x + np.arange(4.0) + x,
    "Clip": lambda x: ops.clip(x, -0.5, 0.7),
    "Concatenate": lambda x: ops.concatenate([x, x[:, :2]], axis=1),
    "Divide": lambda x: ops.divide(x, 2 + ops.abs(x)),
    "Elu": lambda x: ops.elu(x, 0.5),
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
    "Max": lambda x: ops.max(x, axis=(1, 3)),
    "Maximum": lambda x: ops.maximum(ops.maximum(x, 0.3), np.array([0.1, 0.2, 0.3, 0.4])),
    "Mean": lambda x: ops.mean(x, axis=-1, keepdims=True),
    "Minimum": lambda x: ops.minimum(ops.minimum(0.3, x), x[:, :, :1]),
    "Moveaxis": lambda x: ops.moveaxis(x, 3, 1),
    "Multiply": lambda x: np.arange(6.0)[:, None] * x * x,
    "Negative": lambda x: -ops.relu(x),
    "Pad": lambda x: ops.pad(ops.pad(x, [[0, 0], [1, 2], [0, 0], [3, 0]]), [[0, 0], [0, 0], [2, 2], [0, 0]], "reflect"),
    "Power": lambda x: x**3 + ops.abs(x) ** 0.5 + (ops.abs(x) + 1) ** -0.5 + (ops.abs(x) + 1) ** 1.5,
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
}  # fmt: skip


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
    assert set(RULES) - used == {layers.Conv2D} - used
    assert set(OPERATIONS) == set(OPERATION_USES)
