"""MATLAB files of version 5: read as SciPy writes them, refused where they are damaged."""

from __future__ import annotations

import struct
from random import Random

import numpy as np
import pytest
import scipy.io

from hsitf.errors import DataError, HsitfError
from hsitf.scenes import load
from hsitf.scenes.readers import matlab5, open_array

VALUES = {
    "double": np.random.default_rng(0).random((3, 4, 5)),
    "single": np.arange(12, dtype=np.float32).reshape(3, 4),
    "whole": np.arange(24).reshape(2, 3, 4),
    "bytes": np.array([[1, 2], [3, 255]], np.uint8),
    "truth": np.array([[True, False], [False, True]]),
    "empty": np.zeros((0, 3)),
    "a_name_that_is_longer_than_four_bytes": np.ones((2, 2), np.int16),
}


@pytest.mark.parametrize("packed", [False, True])
def test_numeric_arrays(tmp_path, packed):
    path = tmp_path / "a.mat"
    others = {"text": "abc", "struct": {"a": 1}, "cell": np.array([1, "a"], object)}
    scipy.io.savemat(path, {**VALUES, **others}, do_compression=packed)
    found = {one.name: one for one in matlab5.variables(path)}
    assert list(found) == [*VALUES, *others]
    for name, values in VALUES.items():
        read = matlab5.read_variable(path, found[name])
        np.testing.assert_array_equal(read, values)
        assert found[name].shape == values.shape
        assert read.dtype == scipy.io.loadmat(path)[name].dtype
    kinds = [found[name].kind for name in ("double", "truth", *others)]
    assert kinds == ["double", "logical", "char", "struct", "cell"]


def test_complex_numbers_are_refused_by_name(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"a": np.array([[1 + 2j, 3], [4, 5]])})
    with pytest.raises(DataError, match="does not hold real numbers; received: type complex"):
        open_array(tmp_path / "a.mat")


def test_a_file_of_another_byte_order(tmp_path):
    """Written by hand: MATLAB on machines whose numbers begin with their highest byte."""
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">H", 0x0100) + b"MI"
    flags = struct.pack(">IIII", 6, 8, 6, 0)
    axes = struct.pack(">IIii", 5, 8, 2, 2)
    name = struct.pack(">HHI", 1, 1, ord("a") << 24)
    numbers = struct.pack(">II4h", 3, 8, 1, 2, 3, 4)
    content = flags + axes + name + numbers
    path = tmp_path / "a.mat"
    path.write_bytes(head + struct.pack(">II", 14, len(content)) + content)
    np.testing.assert_array_equal(open_array(path).read(0, 2), [[1, 3], [2, 4]])


def test_numbers_of_a_type_that_does_not_exist(tmp_path):
    """A compiled reader of this format ended the process here."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"a": np.ones((3, 4, 5), np.float32)})
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack("<II", 7, 240))
    content[at : at + 4] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(DataError, match="numbers of type 0"):
        load(path)


def test_axes_that_say_more_than_there_is(tmp_path):
    path = tmp_path / "a.mat"
    for packed in (False, True):
        scipy.io.savemat(path, {"a": np.zeros((30, 40, 50), np.float32)}, do_compression=packed)
        (one,) = matlab5.variables(path)
        larger = matlab5.MatlabVariable(one.name, (300, 40, 50), one.kind, one.offset)
        with pytest.raises(DataError, match="bytes of values where 2400000 are due"):
            matlab5.read_variable(path, larger)


@pytest.mark.parametrize("packed", [False, True])
def test_damage_at_any_place(tmp_path, packed):
    path, random, refused = tmp_path / "a.mat", Random(0), 0
    scipy.io.savemat(path, {"a": VALUES["double"], "b": 1}, do_compression=packed)
    whole = path.read_bytes()
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(random.randint(1, 3)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        path.write_bytes(damaged[: random.choice([len(damaged), random.randrange(len(damaged))])])
        try:
            load(path)
        except HsitfError:
            refused += 1
    assert refused > 200
