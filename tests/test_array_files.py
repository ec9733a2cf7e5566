"""Archives of arrays: what is damaged, hostile or too large is refused before it takes memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from hsitf.array_files import read_arrays
from hsitf.errors import DataError, InputError


def npy(values):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(values))
    return stream.getvalue()


def header(text):
    """A .npy file of version 1 with any header."""
    padded = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode()


def archive(path, content, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in content.items():
            file.writestr(name, data)
    return path


def read(path, **options):
    with read_arrays(path, "a test", "make it again", **options) as found:
        return found


def test_arrays_of_all_kinds(tmp_path):
    arrays = {
        "cube": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "number": np.array(3),
        "text": np.array("pca:30"),
        "none": np.zeros((0, 4), np.int8),
        "truth": np.array([True, False]),
    }
    np.savez(tmp_path / "plain.npz", **arrays)
    np.savez_compressed(tmp_path / "packed.npz", **arrays)
    for name in ("plain", "packed"):
        found = read(tmp_path / f"{name}.npz")
        assert list(found) == list(arrays)
        for key, values in arrays.items():
            np.testing.assert_array_equal(found[key], values)
            assert found[key].dtype == values.dtype
            assert found[key].flags.writeable


def test_only_what_is_asked_for(tmp_path):
    np.savez(tmp_path / "a.npz", one=np.zeros(2), two=np.zeros(2))
    assert list(read(tmp_path / "a.npz", names=["two", "three"])) == ["two"]


def flagged(path, offset, value):
    """An archive whose first member has another flag or method, here and in the directory."""
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"PK\x01\x02")
    struct.pack_into("<H", whole, at + offset, value)
    struct.pack_into("<H", whole, offset - 2, value)
    path.write_bytes(whole)


NONSENSE = {
    "tokens": header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, (((((}"),
    "brackets": header("(" * 100),
    "no_dictionary": header("[1, 2]"),
    "huge": header("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999, 99999999)}"),
    "negative": header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4)}"),
    "objects": header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"),
    "records": header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}"),
    "no_items": header("{'descr': '<U0', 'fortran_order': False, 'shape': (99999999999,)}"),
    "short": npy(np.zeros(9))[:-8],
    "long": npy(np.zeros(9)) + b"more",
    "empty": b"",
    "version": b"\x93NUMPY\x09\x00" + bytes(64),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_in_a_member(tmp_path, name):
    with pytest.raises(DataError, match=r"a\.npz does not hold a test.*make it again"):
        read(archive(tmp_path / "a.npz", {"x.npy": NONSENSE[name]}))


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [(8, 1, "encrypted"), (10, 99, "method 99"), (10, 12, "method 12")],
)
def test_members_that_cannot_be_unpacked(tmp_path, offset, value, words):
    path = archive(tmp_path / "a.npz", {"x.npy": npy(np.zeros(9))})
    flagged(path, offset, value)
    with pytest.raises(DataError, match=words):
        read(path)


def test_files_that_are_no_archives(tmp_path):
    (tmp_path / "text.npz").write_text("nothing")
    # A single array under the name of an archive, which numpy.load returns without an error.
    np.save(tmp_path / "single.npy", np.zeros(3))
    (tmp_path / "single.npy").rename(tmp_path / "single.npz")
    archive(tmp_path / "other.npz", {"run.py": b"print()"})
    for name in ("text", "single", "other", "missing"):
        with pytest.raises(DataError, match="does not hold a test"):
            read(tmp_path / f"{name}.npz")


def test_a_damaged_archive_at_any_byte(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(50))
    whole = (tmp_path / "a.npz").read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x41
        (tmp_path / "b.npz").write_bytes(damaged)
        try:
            found = read(tmp_path / "b.npz")
        except DataError:
            continue
        assert all(np.array_equal(values, np.arange(50)) for values in found.values())


def test_a_gigabyte_of_zeros_takes_no_memory(tmp_path):
    path = tmp_path / "a.npz"
    archive(path, {"x.npy": npy(np.zeros(1 << 25))})
    assert path.stat().st_size < 1 << 19
    tracemalloc.start()
    with pytest.raises(DataError, match="268,435,584 bytes unpacked"):
        read(path, limit=1 << 26)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 22


def test_what_the_reader_of_the_arrays_refuses(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    with pytest.raises(DataError, match="KeyError"), read_arrays(tmp_path / "a.npz", "a", "b") as a:
        a["y"]
    with (
        pytest.raises(DataError, match="RecursionError"),
        read_arrays(tmp_path / "a.npz", "a", "b"),
    ):
        raise RecursionError
    with pytest.raises(InputError), read_arrays(tmp_path / "a.npz", "a", "b"):
        raise InputError("a message of its own")
