from __future__ import annotations

import keras
import numpy as np
import pytest

from hsitf.adopt.inputs import (
    arrange,
    input_layouts,
    other_layouts,
    parse_layout,
    recognize_layout,
)
from hsitf.errors import InputError

PATCH, BANDS = 5, 7
# A patch whose every number says where it lies: 100 * row + 10 * col + band / 10.
ROWS, COLS, SPECTRA = np.meshgrid(range(PATCH), range(PATCH), range(BANDS), indexing="ij")
NUMBERED = (100 * ROWS + 10 * COLS + SPECTRA / 10).astype(np.float32)
CENTER = NUMBERED[2, 2]


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((5, 5, 7), "rows, cols, bands", NUMBERED),
        ((5, 5, 7, 1), "rows, cols, bands, 1", NUMBERED[..., None]),
        ((5, 5, 1, 7), "rows, cols, 1, bands", NUMBERED[:, :, None]),
        ((7, 5, 5), "bands, rows, cols", NUMBERED.transpose(2, 0, 1)),
        ((1, 7, 5, 5), "1, bands, rows, cols", NUMBERED.transpose(2, 0, 1)[None]),
        ((7, 5, 5, 1), "bands, rows, cols, 1", NUMBERED.transpose(2, 0, 1)[..., None]),
        ((5, 7, 5), "rows, bands, cols", NUMBERED.transpose(0, 2, 1)),
        ((175,), "flat", NUMBERED.ravel()),
        ((7,), "bands", CENTER),
        ((7, 1), "bands, 1", CENTER[:, None]),
        ((1, 7), "1, bands", CENTER[None]),
        ((1, 1, 7), "1, 1, bands", CENTER[None, None]),
    ],
)
def test_inputs_as_people_shape_them(shape, axes, expected):
    layout = recognize_layout(shape, BANDS, "x")
    assert str(layout) == axes
    x = keras.Input((PATCH, PATCH, BANDS))
    received = keras.Model(x, arrange(x, layout, shape, "input"))(NUMBERED[None])
    np.testing.assert_array_equal(np.asarray(received)[0], expected)


def test_a_smaller_patch_is_the_middle_of_a_larger_one():
    layout = recognize_layout((3, 3, 7), BANDS, "x")
    x = keras.Input((PATCH, PATCH, BANDS))
    received = keras.Model(x, arrange(x, layout, (3, 3, 7), "input"))(NUMBERED[None])
    np.testing.assert_array_equal(np.asarray(received)[0], NUMBERED[1:4, 1:4])


def test_the_other_orders_of_the_same_shapes():
    (transposed,) = other_layouts([recognize_layout((7, 5, 5), BANDS, "x")])
    assert str(transposed[0]) == "bands, cols, rows"
    x = keras.Input((PATCH, PATCH, BANDS))
    received = keras.Model(x, arrange(x, transposed[0], (7, 5, 5), "input"))(NUMBERED[None])
    np.testing.assert_array_equal(np.asarray(received)[0], NUMBERED.transpose(2, 1, 0))
    (swapped,) = other_layouts([recognize_layout((175,), BANDS, "x")])
    received = keras.Model(x, arrange(x, swapped[0], (175,), "input"))(NUMBERED[None])
    np.testing.assert_array_equal(np.asarray(received)[0], NUMBERED.transpose(2, 0, 1).ravel())
    assert other_layouts([recognize_layout((7,), BANDS, "x")]) == []


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((7, 7, 7), "several ways"),
        ((None, None, 7), "no fixed size"),
        ((5, 4, 7), "not square"),
        ((5, 5, 30), "of 30 bands"),
        ((176,), "takes other numbers"),
        ((), "no fixed size"),
    ],
)
def test_inputs_that_cannot_be_read_are_refused(shape, message):
    with pytest.raises(InputError, match=message):
        recognize_layout(shape, BANDS, "x")


def test_axes_that_the_user_names():
    x = keras.Input((7, 7, 7))
    model = keras.Model(x, keras.layers.Flatten()(x))
    (layout,) = input_layouts(model, 7, [parse_layout("bands,rows,cols")])
    assert (str(layout), layout.patch) == ("bands, rows, cols", 7)
    with pytest.raises(InputError, match="another number of inputs"):
        input_layouts(model, 7, [parse_layout("bands,rows,cols")] * 2)
    with pytest.raises(InputError, match="not those that were named"):
        input_layouts(model, 7, [parse_layout("rows,cols,bands,1")])


@pytest.mark.parametrize("text", ["rows,bands", "rows,cols", "x,y,bands", "", "bands,bands"])
def test_axes_that_name_no_input(text):
    with pytest.raises(InputError, match="name no input"):
        parse_layout(text)
