from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import zoo
from hsitf.errors import LoweringError
from hsitf.lower import difference, lower
from hsitf.lower.convolution import Axis, Convolution, folded_kernel, grouped, merged, same
from hsitf.targets import Target

RNG = np.random.default_rng(0)


def randomized(model: keras.Model) -> keras.Model:
    for variable in model.weights:
        fan = max(1, int(np.prod(variable.shape[:-1])))
        variable.assign(RNG.normal(size=variable.shape, scale=(2 / fan) ** 0.5))
    return model


def assert_exact(model: keras.Model, batch: int = 1, width: int = 1) -> keras.Model:
    lowered = lower(model, batch, Target(width))
    patches = RNG.normal(size=(5, *model.inputs[0].shape[1:])).astype(np.float32)
    error, largest = difference(model, lowered, patches)
    assert error <= 1e-4 * max(1.0, largest)
    assert largest > 0
    return lowered


def model_of(shape: tuple[int, ...], *stack: layers.Layer) -> keras.Model:
    inputs = x = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return randomized(keras.Model(inputs, x))


@pytest.mark.parametrize("name", zoo.names())
@pytest.mark.parametrize(("batch", "width"), [(1, 1), (3, 1), (1, 32), (2, 100)])
def test_networks_lower_exactly(name, batch, width):
    model = randomized(zoo.build(name, bands=62, classes=5))
    lowered = assert_exact(model, batch, width)
    kinds = {type(layer).__name__ for layer in lowered.layers}
    assert not kinds & {"Conv1D", "Conv3D", "MaxPooling1D", "MaxPooling3D"}
    for layer in lowered.layers:
        assert len(layer.output.shape) <= 4
        assert None not in layer.output.shape


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
    model = model_of((4, 4, 8), layers.Flatten(), layers.Reshape((128, 1)), layers.GRU(3))
    with pytest.raises(LoweringError, match=r"'gru.*GRU.*rules\.py"):
        lower(model)


def test_grouped_convolutions_are_refused():
    model = model_of((4, 4, 8), layers.Conv2D(8, 2, groups=2), layers.Flatten())
    with pytest.raises(LoweringError, match="grouped"):
        lower(model)


def test_folded_kernel_by_hand():
    # Three rows, kernel (a, b) along them: outputs a x0 + b x1 and a x1 + b x2.
    kernel = np.array([2.0, 3.0], np.float32).reshape(2, 1, 1, 1, 1)
    conv = Convolution(kernel, np.zeros(1, np.float32), (Axis(), Axis(), Axis()))
    expected = [[2, 0], [3, 2], [0, 3]]
    np.testing.assert_array_equal(folded_kernel(conv, 3)[0, 0], expected)


def test_folded_kernel_with_zeros_around():
    kernel = np.array([2.0, 3.0, 5.0], np.float32).reshape(3, 1, 1, 1, 1)
    conv = Convolution(kernel, np.zeros(1, np.float32), (Axis(2, 1, 1, 0), Axis(), Axis()))
    # Outputs at -1 and 1: 3 x0 + 5 x1, 2 x1 + 3 x2 + 5 x3.
    np.testing.assert_array_equal(folded_kernel(conv, 4)[0, 0], [[3, 0], [5, 2], [0, 3], [0, 5]])


def test_grouped_kernel_by_hand():
    # Taps (a, b, c), zeros around, two and two together: the first two outputs of four inputs
    # are b x0 + c x1 and a x0 + b x1 + c x2.
    kernel = np.array([2.0, 3.0, 5.0], np.float32).reshape(1, 1, 3, 1, 1)
    conv = Convolution(kernel, np.ones(1, np.float32), (Axis(), Axis(), Axis(1, 1, 1, 1)))
    whole = grouped(conv, 4, 2, 2)
    assert whole.axes[2] == Axis(1, 1, 1, 1)
    # By group before, same, after; rows are the two inputs of it, columns the two outputs.
    expected = [[[0, 0], [2, 0]], [[3, 2], [5, 3]], [[0, 5], [0, 0]]]
    np.testing.assert_array_equal(whole.kernel[0, 0], expected)
    np.testing.assert_array_equal(whole.bias, [1, 1])


def test_groups_that_do_not_fit_are_refused():
    conv = Convolution(np.ones((1, 1, 3, 1, 1), np.float32), np.zeros(1, np.float32),
                       (Axis(), Axis(), Axis(3)))  # fmt: skip
    assert grouped(conv, 9, 2, 1) is None  # nine is odd
    assert grouped(conv, 12, 2, 1) is None  # a step of three is no whole number of pairs
    assert grouped(conv, 9, 3, 2) is None  # three outputs do not pair
    assert grouped(conv, 12, 6, 2).axes[2].stride == 1


def test_wide_targets_get_wide_channels():
    model = zoo.build("he", bands=200, classes=3)
    for width in (1, 32):
        lowered = lower(model, target=Target(width))
        convs = [layer for layer in lowered.layers if isinstance(layer, layers.Conv2D)]
        assert all(conv.filters >= width for conv in convs)
        assert min(conv.filters for conv in convs) == max(16, width)


def test_same_is_tensorflows():
    assert same(7, 3, 1) == Axis(1, 1, 1, 1)
    assert same(7, 2, 2) == Axis(2, 1, 0, 1)
    assert same(8, 3, 2) == Axis(2, 1, 0, 1)


def test_merged_kernels_by_hand():
    def spectral(values: list[float], before: int) -> Convolution:
        kernel = np.array(values, np.float32).reshape(1, 1, -1, 1, 1)
        after = len(values) - 1 - before
        return Convolution(
            kernel, np.ones(1, np.float32), (Axis(), Axis(), Axis(1, 1, before, after))
        )

    whole = merged([spectral([1, 2, 3], 1), spectral([10], 0)])
    np.testing.assert_array_equal(whole.kernel.ravel(), [1, 12, 3])
    assert whole.bias == [2]
    assert whole.axes[2] == Axis(1, 1, 1, 1)


def test_kernels_that_would_grow_are_not_merged():
    long = Convolution(np.ones((1, 1, 9, 1, 1), np.float32), np.zeros(1, np.float32),
                       (Axis(), Axis(), Axis(1, 1, 4, 4)))  # fmt: skip
    wide = Convolution(np.ones((1, 9, 1, 1, 1), np.float32), np.zeros(1, np.float32),
                       (Axis(), Axis(1, 1, 4, 4), Axis()))  # fmt: skip
    assert merged([long, wide]) is None
