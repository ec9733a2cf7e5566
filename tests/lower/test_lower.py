from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops
from networks import GEOMETRY, model_of, randomized

from hsitf import zoo
from hsitf.arithmetic import Arithmetic
from hsitf.errors import LoweringError
from hsitf.layers import LocalResponseNormalization
from hsitf.lower import difference, lower
from hsitf.lower.convolution import (
    SlidingAxis,
    VolumeConvolution,
    block_toeplitz_kernel,
    group_bands,
    merge_parallel,
    same_padding,
)

RNG = np.random.default_rng(0)


def assert_exact(model: keras.Model, batch: int = 1, width: int = 1) -> keras.Model:
    lowered = lower(model, batch, Arithmetic(width))
    patches = RNG.normal(size=(5, *model.inputs[0].shape[1:])).astype(np.float32)
    error, largest = difference(model, lowered, patches)
    assert error <= 1e-4 * max(1.0, largest)
    assert largest > 0
    return lowered


SLOW = {
    "a2s2k",
    "dbda",
    "fdssc",
    "gaht",
    "resnet110",
    "resnet50",
    "resnet56",
    "spectralformer",
    "ssrn",
}
SETTINGS = [(1, 1), (3, 1), (1, 32), (2, 100)]


@pytest.fixture(scope="module", params=zoo.names())
def network(request):
    if request.param in SLOW:
        pytest.skip("see test_deep_networks_lower_exactly")
    return built(request.param)


def built(name: str) -> keras.Model:
    bands, patch = GEOMETRY.get(name, (62, None))
    return randomized(zoo.build(name, bands=bands, classes=5, patch=patch))


def assert_lowered(model: keras.Model, batch: int, width: int) -> None:
    lowered = assert_exact(model, batch, width)
    kinds = {type(layer).__name__ for layer in lowered.layers}
    assert not kinds & {"Conv1D", "Conv3D", "MaxPooling1D", "MaxPooling3D"}
    for layer in lowered.layers:
        assert len(layer.output.shape) <= 4
        assert None not in layer.output.shape


@pytest.mark.parametrize(("batch", "width"), SETTINGS)
def test_networks_lower_exactly(network, batch, width):
    assert_lowered(network, batch, width)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SLOW))
def test_deep_networks_lower_exactly(name):
    assert_lowered(built(name), 1, 32)


@pytest.mark.parametrize("kernel", [(1, 1, 3), (3, 3, 7), (2, 1, 1), (1, 2, 2), (3, 3, 1)])
@pytest.mark.parametrize("strides", [(1, 1, 1), (1, 1, 2), (2, 2, 3)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_volume_convolutions(kernel, strides, padding):
    conv = layers.Conv3D(4, kernel, strides=strides, padding=padding, activation="relu")
    stack = [layers.Reshape((5, 6, 11, 1)), layers.Conv3D(3, (2, 2, 2)), conv, layers.Flatten()]
    model = model_of((5, 6, 11), *stack, layers.Dense(3))
    assert_exact(model)
    assert_exact(model, batch=2, width=12)


@pytest.mark.parametrize("kind", [layers.MaxPooling3D, layers.AveragePooling3D])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_volume_pooling(kind, padding):
    stack = [layers.Reshape((5, 6, 9, 1)), layers.Conv3D(3, 2), kind((2, 3, 2), padding=padding)]
    assert_exact(model_of((5, 6, 9), *stack, layers.Flatten(), layers.Dense(3)))


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
def test_spectral_convolutions(padding):
    stack = [
        layers.Reshape((30, 1)),
        layers.Conv1D(4, 5, padding=padding, dilation_rate=2),
        layers.AveragePooling1D(3, strides=2, padding="same"),
        layers.Flatten(),
        layers.Dense(3),
    ]
    assert_exact(model_of((1, 1, 30), *stack))


def test_image_layers_stay_as_they_are():
    stack = [
        layers.Conv2D(4, (3, 2), strides=2, padding="same", use_bias=False),
        layers.LeakyReLU(),
        layers.AveragePooling2D((2, 1)),
        layers.Dense(5, activation="tanh"),
        layers.Dropout(0.5),
        layers.Flatten(),
        layers.Dense(3, use_bias=False),
    ]
    assert_exact(model_of((9, 7, 6), *stack))


def test_permuted_and_reshaped_values():
    stack = [
        layers.Reshape((4, 5, 6, 1)),
        layers.Conv3D(2, 2),
        layers.Permute((3, 1, 4, 2)),
        layers.Reshape((5, 24)),
        layers.Conv1D(3, 2),
        layers.Flatten(),
        layers.Dense(3),
    ]
    assert_exact(model_of((4, 5, 6), *stack), batch=2)


def test_parallel_convolutions_become_one():
    inputs = keras.Input((3, 3, 12))
    x = layers.Reshape((3, 3, 12, 1))(inputs)
    x = layers.Conv3D(4, (1, 1, 3))(x)
    branches = [layers.Conv3D(4, (1, 1, taps), padding="same")(x) for taps in (1, 3, 5)]
    x = layers.Flatten()(layers.Add()(branches))
    lowered = assert_exact(randomized(keras.Model(inputs, layers.Dense(2)(x))))
    assert [type(layer).__name__ for layer in lowered.layers].count("Conv2D") == 2


def test_a_residual_sum_stays_a_sum():
    inputs = keras.Input((3, 3, 12))
    x = layers.Reshape((3, 3, 12, 1))(inputs)
    x = layers.Conv3D(4, (1, 1, 3), activation="relu")(x)
    x = layers.Add()([x, layers.Conv3D(4, (1, 1, 3), padding="same")(x)])
    lowered = assert_exact(randomized(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))))
    assert "Add" in [type(layer).__name__ for layer in lowered.layers]


def test_the_original_is_untouched():
    model = randomized(zoo.build("he", bands=30, classes=3))
    before = [np.array(weight) for weight in model.get_weights()]
    lower(model)
    for then, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(then, now)


def test_an_unknown_layer_names_itself():
    model = model_of((4, 4, 8), layers.UnitNormalization(name="odd"), layers.Flatten())
    with pytest.raises(LoweringError, match=r"'odd' \(UnitNormalization\) cannot be lowered"):
        lower(model)


@pytest.mark.parametrize(
    "stack",
    [
        (layers.Conv2D(8, 2, groups=2), layers.BatchNormalization()),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), layers.PReLU(shared_axes=[1, 2])),
        (layers.SeparableConv2D(6, 3, padding="same"), layers.GlobalAveragePooling2D()),
        (layers.ZeroPadding2D(1), layers.BatchNormalization(), layers.MaxPooling2D(2)),
        (layers.Conv2D(4, 3, dilation_rate=2, padding="same"), layers.Cropping2D(1)),
        (layers.Reshape((36, 8)), layers.GRU(5, return_sequences=True), layers.Flatten()),
        (layers.Reshape((36, 8)), layers.LSTM(3)),
        (LocalResponseNormalization(5), layers.GlobalMaxPooling2D(), layers.Softmax()),
    ],
    ids=lambda stack: "-".join(layer.name.rstrip("_0123456789") for layer in stack),
)
def test_stacks_of_layers(stack):
    model = model_of((6, 6, 8), *stack, layers.Flatten(), layers.Dense(3))
    assert_exact(model)
    assert_exact(model, batch=2, width=16)


def test_branches_slices_and_paddings():
    inputs = keras.Input((8, 8, 6))
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(inputs))
    y = ops.relu(layers.BatchNormalization()(layers.Conv2D(4, 1)(x[..., 2:6])))
    z = ops.pad(x[:, ::2, ::2, :], [[0, 0], [0, 0], [0, 0], [2, 2]])
    z = layers.Add()([z, layers.Conv2D(12, 3, strides=2, padding="same")(x)])
    gate = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(y))
    y = layers.Multiply()([y, gate])
    a, b = ops.split(z, 2, axis=-1)
    z = layers.Maximum()([a, ops.transpose(ops.transpose(b, (0, 3, 1, 2)), (0, 2, 3, 1))])
    y = layers.Concatenate()([layers.MaxPooling2D(2)(y), z])
    model = randomized(keras.Model(inputs, layers.Dense(3)(layers.Flatten()(y))))
    assert_exact(model)
    assert_exact(model, batch=3, width=32)


def test_block_toeplitz_kernel_by_hand():
    # Three rows, kernel (a, b) along them: outputs a x0 + b x1 and a x1 + b x2.
    kernel = np.array([2.0, 3.0], np.float32).reshape(2, 1, 1, 1, 1)
    conv = VolumeConvolution(
        kernel, np.zeros(1, np.float32), (SlidingAxis(), SlidingAxis(), SlidingAxis())
    )
    expected = [[2, 0], [3, 2], [0, 3]]
    np.testing.assert_array_equal(block_toeplitz_kernel(conv, 3)[0, 0], expected)


def test_block_toeplitz_kernel_with_padding():
    kernel = np.array([2.0, 3.0, 5.0], np.float32).reshape(3, 1, 1, 1, 1)
    conv = VolumeConvolution(
        kernel, np.zeros(1, np.float32), (SlidingAxis(2, 1, 1, 0), SlidingAxis(), SlidingAxis())
    )
    # Outputs at -1 and 1: 3 x0 + 5 x1, 2 x1 + 3 x2 + 5 x3.
    np.testing.assert_array_equal(
        block_toeplitz_kernel(conv, 4)[0, 0], [[3, 0], [5, 2], [0, 3], [0, 5]]
    )


def test_grouped_kernel_by_hand():
    # Taps (a, b, c), zeros around, two and two together: the first two outputs of four inputs
    # are b x0 + c x1 and a x0 + b x1 + c x2.
    kernel = np.array([2.0, 3.0, 5.0], np.float32).reshape(1, 1, 3, 1, 1)
    conv = VolumeConvolution(
        kernel, np.ones(1, np.float32), (SlidingAxis(), SlidingAxis(), SlidingAxis(1, 1, 1, 1))
    )
    whole = group_bands(conv, 4, 2, 2)
    assert whole.axes[2] == SlidingAxis(1, 1, 1, 1)
    # By group before, same, after; rows are the two inputs of it, columns the two outputs.
    expected = [[[0, 0], [2, 0]], [[3, 2], [5, 3]], [[0, 5], [0, 0]]]
    np.testing.assert_array_equal(whole.kernel[0, 0], expected)
    np.testing.assert_array_equal(whole.bias, [1, 1])


def test_groups_that_do_not_fit_are_rejected():
    conv = VolumeConvolution(
        np.ones((1, 1, 3, 1, 1), np.float32),
        np.zeros(1, np.float32),
        (SlidingAxis(), SlidingAxis(), SlidingAxis(3)),
    )
    assert group_bands(conv, 9, 2, 1) is None  # nine is odd
    assert group_bands(conv, 12, 2, 1) is None  # a step of three is no whole number of pairs
    assert group_bands(conv, 9, 3, 2) is None  # three outputs do not pair
    assert group_bands(conv, 12, 6, 2).axes[2].stride == 1


def test_channel_alignment_groups_bands():
    model = zoo.build("he", bands=200, classes=3)
    for width in (1, 32):
        lowered = lower(model, arithmetic=Arithmetic(width))
        convs = [layer for layer in lowered.layers if isinstance(layer, layers.Conv2D)]
        assert all(conv.filters >= width for conv in convs)
        assert min(conv.filters for conv in convs) == max(16, width)


def test_same_is_tensorflows():
    assert same_padding(7, 3, 1) == SlidingAxis(1, 1, 1, 1)
    assert same_padding(7, 2, 2) == SlidingAxis(2, 1, 0, 1)
    assert same_padding(8, 3, 2) == SlidingAxis(2, 1, 0, 1)


def test_merged_kernels_by_hand():
    def spectral(values: list[float], before: int) -> VolumeConvolution:
        kernel = np.array(values, np.float32).reshape(1, 1, -1, 1, 1)
        after = len(values) - 1 - before
        return VolumeConvolution(
            kernel,
            np.ones(1, np.float32),
            (SlidingAxis(), SlidingAxis(), SlidingAxis(1, 1, before, after)),
        )

    whole = merge_parallel([spectral([1, 2, 3], 1), spectral([10], 0)])
    np.testing.assert_array_equal(whole.kernel.ravel(), [1, 12, 3])
    assert whole.bias == [2]
    assert whole.axes[2] == SlidingAxis(1, 1, 1, 1)


def test_kernels_that_would_grow_are_not_merged():
    long = VolumeConvolution(
        np.ones((1, 1, 9, 1, 1), np.float32),
        np.zeros(1, np.float32),
        (SlidingAxis(), SlidingAxis(), SlidingAxis(1, 1, 4, 4)),
    )
    wide = VolumeConvolution(
        np.ones((1, 9, 1, 1, 1), np.float32),
        np.zeros(1, np.float32),
        (SlidingAxis(), SlidingAxis(1, 1, 4, 4), SlidingAxis()),
    )
    assert merge_parallel([long, wide]) is None


def test_one_number_of_a_sample_is_combined_with_many():
    # Not five of them: where a batch has as many samples as a layer has units, TensorFlow's
    # compiled graph takes the one number of each sample for a bias.
    inputs = keras.Input((6,))
    x = layers.Dense(4)(inputs) + layers.Dense(1)(inputs)
    x = ops.max(x * layers.Dense(1)(inputs), axis=1, keepdims=True)
    assert_exact(randomized(keras.Model(inputs, x)))
