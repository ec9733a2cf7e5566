from __future__ import annotations

import keras
import numpy as np
import pytest

from hsitf.lower.data_movement import as_slices, take_slice
from hsitf.lower.layout_tensor import LayoutTensor, compact, dense_layout, logical_order, rearrange
from hsitf.lower.strided_layout import MemoryBlock, Stride, StridedAxis, memory_block, strided_axes


def memory(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape)


def test_a_block_of_memory_by_hand():
    # Every second row from the second on, columns 1 to 3, of 6 x 5 pixels with 4 channels.
    start, (rows, cols, channels) = strided_axes(memory(6, 5, 4)[1::2, 1:4])
    assert start == 20 + 4
    assert rows == StridedAxis((Stride(3, 40),))
    assert cols == StridedAxis((Stride(3, 4),))
    assert channels == StridedAxis((Stride(4, 1),))


def test_axes_that_were_split_and_swapped_count_in_digits():
    # Six rows in memory as (row % 2, row // 2): row 3 lies at 1 + 3.
    index = memory(2, 3).T.reshape(6)
    assert index.tolist() == [0, 3, 1, 4, 2, 5]
    assert strided_axes(index) == (0, [StridedAxis((Stride(3, 1), Stride(2, 3)))])


def test_zeros_around_by_hand():
    index = np.pad(memory(2, 3), ((1, 0), (2, 1)), constant_values=-1)
    rows, cols = (
        StridedAxis((Stride(2, 3),), None, (1, 0)),
        StridedAxis((Stride(3, 1),), None, (2, 1)),
    )
    assert strided_axes(index) == (0, [rows, cols])


def test_irregular_axes_are_gathered():
    # Of columns 2, 4, 6 the last, a zero, the first and the first again.
    index = np.array([6, -1, 2, 2])
    assert strided_axes(index) == (2, [StridedAxis((Stride(2, 4),), (1, 2, 0, 0))])


def test_backwards_is_chosen_too():
    assert strided_axes(np.array([7, 6, 5])) == (5, [StridedAxis((Stride(3, 1),), (2, 1, 0))])


def test_axes_that_depend_on_another_have_no_strides():
    assert strided_axes(np.array([[0, 1], [3, 2]])) is None
    assert strided_axes(np.array([[0, 1], [2, -1]])) is None
    assert strided_axes(np.full((2, 2), -1)) is None


def test_windows_by_hand():
    # Rows 1, 3, 5 and columns 1 to 3 of the memory above, all channels.
    found = memory_block((6, 5, 4), 24, [Stride(3, 40), Stride(3, 4), Stride(4, 1)])
    assert found == MemoryBlock((6, 5, 4), (slice(1, 6, 2), slice(1, 4, 1), slice(0, 4, 1)))


def test_windows_cut_axes_that_lie_together():
    # Channels of three columns lie together: columns 0 and 2 are wanted.
    found = memory_block((2, 12), 0, [Stride(2, 12), Stride(2, 8), Stride(4, 1)])
    assert found == MemoryBlock((2, 3, 4), (slice(0, 2, 1), slice(0, 3, 2), slice(0, 4, 1)))


def test_windows_join_axes_that_are_run_through():
    # Eight elements from the third on, whatever the rows are.
    found = memory_block((4, 3), 2, [Stride(8, 1)])
    assert found == MemoryBlock((12,), (slice(2, 10, 1),))


def test_no_window_where_elements_are_met_twice():
    assert memory_block((12,), 0, [Stride(2, 3), Stride(3, 2)]) is None


def moved(index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One move at random: what slices, permutations, paddings and reshapes do to an index."""
    axis = int(rng.integers(index.ndim))
    size = index.shape[axis]
    kind = rng.integers(6)
    if kind == 0:
        return index.transpose(rng.permutation(index.ndim))
    if kind == 1:
        first = int(rng.integers(size))
        return np.take(index, range(first, size, int(rng.integers(1, 3))), axis)
    if kind == 2:
        around = [(0, 0)] * index.ndim
        around[axis] = (int(rng.integers(2)), int(rng.integers(3)))
        return np.pad(index, around, constant_values=-1)
    if kind == 3:
        return np.take(index, rng.integers(size, size=rng.integers(1, 5)), axis)
    if kind == 4 and index.ndim > 1:
        axis = max(axis, 1)
        return index.reshape(*index.shape[: axis - 1], -1, *index.shape[axis + 1 :])
    if size % 2 == 0 and index.ndim < 5:
        return index.reshape(*index.shape[:axis], 2, -1, *index.shape[axis + 1 :])
    return index


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_moved_arrives(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 7, size=3).tolist())
    batch = int(rng.integers(1, 3))
    data = rng.normal(size=(batch, *shape)).astype(np.float32)
    index = memory(*shape)
    for _ in range(rng.integers(1, 7)):
        index = moved(index, rng)
    expected = np.where(index < 0, 0, data.reshape(batch, -1)[:, index])
    value = LayoutTensor(keras.ops.convert_to_tensor(data), index)
    for order in (logical_order(value), tuple(rng.permutation(index.ndim).tolist())):
        there = rearrange(value, order)
        assert there.has_layout(dense_layout(index.shape, order))
        received = np.asarray(there.tensor).reshape(batch, -1)[:, there.layout]
        np.testing.assert_array_equal(received, expected)
    once = compact(value)
    assert sorted(once.layout.ravel()) == list(range(once.memory_size))
    received = np.asarray(once.tensor).reshape(batch, -1)[:, once.layout]
    np.testing.assert_array_equal(received, expected)


def ring(index: np.ndarray) -> np.ndarray:
    """Each row with the one before and the one behind it, of a ring."""
    around = (np.arange(6)[:, None] + [-1, 0, 1]) % 6
    return index.reshape(6, 32).T[:, around.ravel()].T.reshape(6, 96)


@pytest.mark.parametrize(
    ("change", "operators", "slices"),
    [
        (lambda index: index[1::, 1:], {"GetItem"}, 1),
        # One for each axis with a step.
        (lambda index: index[::2, 1:], {"GetItem"}, 2),
        (
            lambda index: np.pad(index[::2, ::2], ((0, 0), (0, 0), (2, 2)), constant_values=-1),
            {"GetItem", "Pad"},
            2,
        ),
        (lambda index: index.transpose(2, 0, 1), {"Transpose"}, 0),
        (lambda index: np.repeat(index, 2, 0), {"Take"}, 0),
        (lambda index: index.reshape(6, 4, 4, 2), set(), 0),
        (lambda index: index[..., [5, 1, 2, 1, 5, 2]], {"GetItem", "Take"}, 1),
        # The range between the first and the last, and two pieces of it.
        (lambda index: index[..., [5, 1, 2]], {"GetItem", "Concatenate"}, 3),
        # Two pieces for each neighbor.
        (ring, {"GetItem", "Concatenate"}, 4),
    ],
    ids=[
        "sliced",
        "stepped",
        "shortcut",
        "permuted",
        "repeated",
        "reshaped",
        "chosen",
        "pieces",
        "ring",
    ],
)
def test_data_moves_by_few_operators(change, operators, slices):
    inputs = keras.Input(batch_shape=(2, 6, 4, 8))
    value = LayoutTensor(inputs, change(memory(6, 4, 8)))
    model = keras.Model(inputs, rearrange(value, logical_order(value)).tensor)
    made = [type(operation).__name__ for operation in model.operations]
    assert set(made) - {"InputLayer", "Reshape"} == operators
    assert made.count("GetItem") == slices


def test_slices_by_hand():
    assert as_slices([5, 0, 1, 2, 4]) == [slice(5, 6), slice(0, 3), slice(4, 5)]
    assert as_slices([4, 3, 2, 1]) == [slice(one, one + 1) for one in (4, 3, 2, 1)]
    assert as_slices([4, 3, 2, 1, 0]) is None


def steps_of(model: keras.Model) -> set[int]:
    """Steps of all slices of a network."""
    found = set()
    for operation in model.operations:
        for node in operation._inbound_nodes:
            for one in keras.tree.flatten((node.arguments.args, node.arguments.kwargs)):
                if isinstance(one, slice):
                    found.add(one.step or 1)
    return found


@pytest.mark.parametrize("size", [1, 2, 5, 8, 9])
def test_a_slice_with_a_step_is_written_without(size):
    """Everywhere an element may lie: with room behind the last one, before the first, or none."""
    values = np.arange(2 * size * 3, dtype=np.float32).reshape(2, size, 3)
    inputs = keras.Input(batch_shape=(2, size, 3))
    cases = [
        slice(start, stop, step)
        for start in range(size)
        for stop in range(start + 1, size + 1)
        for step in (1, 2, 3, 4)
    ]
    model = keras.Model(inputs, [take_slice(inputs, 1, where) for where in cases])
    for where, found in zip(cases, keras.tree.flatten(model(values)), strict=True):
        np.testing.assert_array_equal(found, values[:, where])
    assert steps_of(model) <= {1}


def test_rearranging_takes_no_steps():
    """Delegates leave such slices to the interpreter, and the network falls into pieces."""
    index = memory(6, 5, 4)[1::2, ::2, :3]
    inputs = keras.Input(batch_shape=(1, 6, 5, 4))
    moved = rearrange(LayoutTensor(inputs, index), (2, 0, 1))
    model = keras.Model(inputs, moved.tensor)
    values = np.arange(120, dtype=np.float32)
    found = np.asarray(model(values.reshape(1, 6, 5, 4))).ravel()[moved.layout]
    np.testing.assert_array_equal(found, values[index])
    assert steps_of(model) <= {1}
