from __future__ import annotations

import numpy as np
import pytest

from hsitf.errors import InputError
from hsitf.scenes.patches import PatchSource

# 0 1 2
# 3 4 5
# 6 7 8
SQUARE = np.arange(9, dtype=np.float32).reshape(3, 3, 1)


def cut(cube, patch, *pixels):
    return PatchSource.from_cube(cube, patch).extract(np.array(pixels))


def mirrored(index, size):
    index = abs(index)
    return 2 * (size - 1) - index if index >= size else index


def naive(cube, patch, pixel):
    rows, cols, bands = cube.shape
    window = np.empty((patch, patch, bands), np.float32)
    for i in range(patch):
        for j in range(patch):
            row = mirrored(pixel // cols - patch // 2 + i, rows)
            col = mirrored(pixel % cols - patch // 2 + j, cols)
            window[i, j] = cube[row, col]
    return window


def test_middle_is_the_scene_itself():
    np.testing.assert_array_equal(cut(SQUARE, 3, 4)[0], SQUARE)


def test_border_is_mirrored_without_repeating_it():
    np.testing.assert_array_equal(cut(SQUARE, 3, 0)[0, :, :, 0], [[4, 3, 4], [1, 0, 1], [4, 3, 4]])
    np.testing.assert_array_equal(cut(SQUARE, 3, 8)[0, :, :, 0], [[4, 5, 4], [7, 8, 7], [4, 5, 4]])


def test_even_patch_has_its_pixel_right_below_the_middle():
    np.testing.assert_array_equal(cut(SQUARE, 2, 4)[0, :, :, 0], [[0, 1], [3, 4]])
    np.testing.assert_array_equal(cut(SQUARE, 2, 0)[0, :, :, 0], [[4, 3], [1, 0]])


def test_patch_of_one_is_the_spectrum():
    cube = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_array_equal(cut(cube, 1, 5)[0, 0, 0], [20, 21, 22, 23])


@pytest.mark.parametrize("patch", [1, 2, 3, 4, 5, 6])
def test_same_as_a_loop_over_every_pixel(patch):
    cube = np.random.default_rng(0).normal(size=(6, 8, 3)).astype(np.float32)
    expected = [naive(cube, patch, pixel) for pixel in range(48)]
    found = cut(cube, patch, *range(48))
    np.testing.assert_array_equal(found, expected)
    assert found.flags.c_contiguous
    assert found.dtype == np.float32


def test_corners_and_windows_name_the_same_pixels():
    cube = np.random.default_rng(0).normal(size=(4, 5, 2)).astype(np.float32)
    source = PatchSource.from_cube(cube, 3)
    flat = source.padded.reshape(-1, 2)[source.corners[:, None] + source.windows[0]]
    np.testing.assert_array_equal(flat.reshape(20, 3, 3, 2), source.extract(np.arange(20)))


def test_windows_see_a_patch_from_eight_sides():
    source = PatchSource.from_cube(SQUARE, 3)
    seen = source.padded.ravel()[source.corners[4] + source.windows].astype(int).tolist()
    assert seen[0] == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert [2, 5, 8, 1, 4, 7, 0, 3, 6] in seen  # a quarter turn
    assert [6, 7, 8, 3, 4, 5, 0, 1, 2] in seen  # a mirror image
    assert len({tuple(side) for side in seen}) == 8
    assert all(side[4] == 4 for side in seen)


def test_batches_come_in_order():
    source = PatchSource.from_cube(SQUARE, 1)
    pixels = np.array([8, 0, 3, 3, 1])
    batches = list(source.batches(pixels, 2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(batches).ravel(), pixels)


@pytest.mark.parametrize("patch", [0, -1, 3, 4])
def test_patch_that_does_not_fit_is_refused(patch):
    cube = np.zeros((2, 5, 1), np.float32)
    words = rf"received: a patch of {patch} x {patch} in 2 x 5 pixels; allowed: a side of 1 to 2"
    with pytest.raises(InputError, match=words):
        PatchSource.from_cube(cube, patch)


def test_patch_as_large_as_the_scene_fits():
    assert cut(SQUARE, 3, *range(9)).shape == (9, 3, 3, 1)
