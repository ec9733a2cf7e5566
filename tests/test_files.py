from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from hsitf.errors import OutputError
from hsitf.files import (
    disk_space_required,
    is_unused,
    os_errors_reported,
    replacing,
    replacing_folder,
    sha256,
    size,
)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_new_file_comes_with_its_folders(tmp_path):
    with replacing(tmp_path / "a" / "b" / "c.txt") as temporary:
        temporary.write_text("new")
        assert names(tmp_path / "a" / "b") == [temporary.name]
    assert names(tmp_path) == ["a", "a/b", "a/b/c.txt"]


def test_an_old_file_is_replaced(tmp_path):
    (tmp_path / "c.txt").write_text("old")
    with replacing(tmp_path / "c.txt") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "c.txt").read_text() == "old"
    assert (tmp_path / "c.txt").read_text() == "new"
    assert names(tmp_path) == ["c.txt"]


def write_and_fail(path):
    with replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError


def test_an_old_file_survives_a_failure(tmp_path):
    (tmp_path / "c.txt").write_text("old")
    with pytest.raises(RuntimeError):
        write_and_fail(tmp_path / "c.txt")
    assert (tmp_path / "c.txt").read_text() == "old"
    assert names(tmp_path) == ["c.txt"]


def test_an_old_folder_is_replaced_whole(tmp_path):
    old = tmp_path / "bundle"
    old.mkdir()
    (old / "stale.txt").write_text("old")
    with replacing_folder(old) as temporary:
        (temporary / "fresh.txt").write_text("new")
        assert names(old) == ["stale.txt"]
    assert names(tmp_path) == ["bundle", "bundle/fresh.txt"]
    assert old.stat().st_mode & 0o777 == 0o755


def fill_and_fail(path):
    with replacing_folder(path) as temporary:
        (temporary / "half.txt").write_text("half")
        raise RuntimeError


def test_an_old_folder_survives_a_failure(tmp_path):
    old = tmp_path / "bundle"
    old.mkdir()
    (old / "kept.txt").write_text("old")
    with pytest.raises(RuntimeError):
        fill_and_fail(old)
    assert names(tmp_path) == ["bundle", "bundle/kept.txt"]


def test_an_old_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    real, moved = os.replace, []

    def replace(source, target):
        moved.append(target)
        if len(moved) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "kept.txt").write_text("old")
    monkeypatch.setattr(os, "replace", replace)
    # As on systems that cannot exchange two names at once.
    monkeypatch.setattr("hsitf.files._exchanged", lambda one, other: False)
    with pytest.raises(OutputError), replacing_folder(tmp_path / "bundle"):
        pass
    assert names(tmp_path) == ["bundle", "bundle/kept.txt"]


def test_a_file_is_not_taken_for_an_old_folder(tmp_path):
    (tmp_path / "bundle").write_text("the user's own")
    with (
        pytest.raises(OutputError, match="there is a file where a folder is needed"),
        replacing_folder(tmp_path / "bundle"),
    ):
        pass
    assert names(tmp_path) == ["bundle"]


@pytest.mark.parametrize("context", [replacing, replacing_folder])
def test_a_file_in_the_way(tmp_path, context):
    (tmp_path / "models").write_text("not a folder")
    with (
        pytest.raises(OutputError, match="there is a file where a folder is needed"),
        context(tmp_path / "models" / "tiny" / "x"),
    ):
        pass
    assert names(tmp_path) == ["models"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours(tmp_path):
    tmp_path.chmod(0o500)
    with (
        pytest.raises(OutputError, match="change its permissions or write elsewhere"),
        replacing(tmp_path / "c.txt") as temporary,
    ):
        temporary.write_text("new")
    tmp_path.chmod(0o700)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    real = Path.write_text

    def full(path, text):
        real(path, text[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    (tmp_path / "c.txt").write_text("old")
    monkeypatch.setattr(Path, "write_text", full)
    with (
        pytest.raises(OutputError, match=r"no room left .*c\.txt; received: No space left"),
        replacing(tmp_path / "c.txt") as temporary,
    ):
        temporary.write_text("new")
    assert (tmp_path / "c.txt").read_text() == "old"
    assert names(tmp_path) == ["c.txt"]


def test_a_device_without_room(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with pytest.raises(OutputError, match="no room"), os_errors_reported(tmp_path):
        Path("/dev/full").write_text("anything")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EFBIG, "free some space"),
        (errno.EACCES, "change its permissions"),
        (errno.EROFS, "change its permissions"),
        (errno.ENOTDIR, "move that file away"),
        (errno.EISDIR, "move that folder away"),
        (errno.ENAMETOOLONG, "shorter"),
    ],
)
def test_refusals_are_explained(number, words):
    with pytest.raises(OutputError, match=words) as caught, os_errors_reported(Path("here")):
        raise OSError(number, os.strerror(number))
    assert caught.value.received == os.strerror(number)


def test_a_full_disk_that_a_library_hides(tmp_path, monkeypatch):
    with pytest.raises(TypeError), disk_space_required(10, tmp_path):
        raise TypeError("a fault of its own")

    def full(*, dir):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(OutputError, match="no room left"), disk_space_required(10, tmp_path):
        raise TypeError("what comes of a full disk")
    with disk_space_required(10, tmp_path):
        pass


def test_other_failures_stay_what_they_are():
    with pytest.raises(FileNotFoundError), os_errors_reported(Path("here")):
        raise FileNotFoundError(errno.ENOENT, "gone")


def test_digest_and_size_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "a") == expected
    assert size(tmp_path / "a") == 3


def folder_of(place, files):
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return place


def test_digest_and_size_of_a_folder(tmp_path):
    folder = folder_of(tmp_path / "a", {"x/y": b"12", "b": b"3"})
    assert sha256(folder) == hashlib.sha256(b"b\0003x/y\00012").hexdigest()
    assert size(folder) == 3
    again = folder_of(tmp_path / "b", {"b": b"3", "x/y": b"12"})
    assert sha256(again) == sha256(folder)
    renamed = folder_of(tmp_path / "c", {"b": b"3", "x/z": b"12"})
    assert sha256(renamed) != sha256(folder)


def test_a_folder_of_hidden_files_is_unused(tmp_path):
    folder = tmp_path / "run"
    assert is_unused(folder)
    # Of a process that was killed before it published its first file.
    (folder / "search").mkdir(parents=True)
    (folder / "search" / ".start.json.host.1.part").write_text("half")
    (folder / ".b.abcd1234.part").mkdir()
    (folder / ".b.abcd1234.part" / "record.json").write_text("half")
    assert is_unused(folder)
    (folder / "search" / "start.json").write_text("{}")
    assert not is_unused(folder)
