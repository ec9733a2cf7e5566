"""What killed processes leave: the old or the new is readable, and nothing stays for good."""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial

import pytest

from hsitf import files
from hsitf.files import find_below, replacing, replacing_folder, restore_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="locks and signals of POSIX")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def bundle(folder, text):
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(text)
    return folder


def replace(folder, text):
    with replacing_folder(folder) as temporary:
        for name in ("record.json", "file.bin"):
            (temporary / name).write_text(text)


def killed(work):
    """Does work in a child process that ends without any clean-up."""
    os.waitpid(started(work), 0)


def started(work):
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(1)
    return child


def forever(folder, text):
    while True:
        replace(folder, text)


def leave_a_half_written_folder(folder):
    def work():
        with replacing_folder(folder) as temporary:
            (temporary / "record.json").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

    killed(work)


def test_a_half_written_folder_is_not_found_and_then_removed(tmp_path):
    bundle(tmp_path / "int8", "old")
    leave_a_half_written_folder(tmp_path / "int8")
    assert len(names(tmp_path)) == 2
    assert find_below(tmp_path, "record.json") == [tmp_path / "int8" / "record.json"]
    replace(tmp_path / "int8", "new")
    assert names(tmp_path) == ["int8"]


def test_a_folder_that_somebody_works_in_stays(tmp_path):
    with replacing_folder(tmp_path / "int8") as first:
        (first / "record.json").write_text("first")
        replace(tmp_path / "int8", "second")
        assert first.is_dir()
    assert names(tmp_path) == ["int8"]
    assert (tmp_path / "int8" / "record.json").read_text() == "first"


def test_leftovers_of_other_folders_stay(tmp_path):
    bundle(tmp_path / ".int8-tile64.abcd1234.part", "other")
    bundle(tmp_path / ".int8.notes", "hidden")
    replace(tmp_path / "int8", "new")
    assert names(tmp_path) == [".int8-tile64.abcd1234.part", ".int8.notes", "int8"]


@pytest.mark.parametrize("reader", ["search", "open", "writer"])
def test_a_replacement_that_was_cut_short_is_undone(tmp_path, reader):
    # As two renames leave it, on systems that cannot exchange names.
    bundle(tmp_path / ".int8.abcd1234.old", "old")
    bundle(tmp_path / ".int8.abcd1234.part", "new")
    if reader == "search":
        assert find_below(tmp_path, "record.json") == [tmp_path / "int8" / "record.json"]
    elif reader == "open":
        restore_folder(tmp_path / "int8")
    else:
        with pytest.raises(ValueError, match="refused"), replacing_folder(tmp_path / "int8"):
            raise ValueError("refused")
    assert (tmp_path / "int8" / "record.json").read_text() == "old"
    replace(tmp_path / "int8", "new")
    assert names(tmp_path) == ["int8"]


@pytest.mark.parametrize("exchange", [True, False])
def test_old_or_new_after_every_kill(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(files, "_exchanged", lambda one, other: False)
    target = tmp_path / "int8"
    replace(target, "0")
    generator = random.Random(0)
    for number in range(40):
        child = started(partial(forever, target, str(number)))
        time.sleep(generator.uniform(0, 0.006))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        (found,) = find_below(tmp_path, "record.json")
        texts = {(target / name).read_text() for name in ("record.json", "file.bin")}
        assert len(texts) == 1
        assert found.parent == target
    replace(target, "last")
    assert names(tmp_path) == ["int8"]


def test_a_reader_never_misses_the_folder(tmp_path):
    target = tmp_path / "int8"
    replace(target, "0")
    if not files._exchanged(bundle(tmp_path / "a", "a"), bundle(tmp_path / "b", "b")):
        pytest.skip("a file system that cannot exchange names")
    child = started(partial(forever, target, "1"))
    try:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            assert target.is_dir()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_file_that_a_killed_process_left_is_removed(tmp_path):
    def work():
        with replacing(tmp_path / "map.tif") as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

    killed(work)
    (left,) = names(tmp_path)
    # Of a process that runs, on this machine or on another.
    running = left.replace(left.split(".")[-2], str(os.getppid()))
    elsewhere = left.replace(left.split(".")[-3], "elsewhere")
    for name in (running, elsewhere):
        (tmp_path / name).write_text("at work")
    # Of a file that has the time in its name, and is never written again.
    (tmp_path / left.replace("map.tif", "bench-12.csv")).write_text("half")
    # A user's own, that only looks like it.
    notes = left.replace("map.tif", "notes").replace(".part", ".md")
    (tmp_path / notes).write_text("mine")
    with replacing(tmp_path / "map.tif") as temporary:
        temporary.write_text("whole")
    assert names(tmp_path) == sorted([running, elsewhere, "map.tif", notes])


def test_a_process_that_began_later_is_another_one(tmp_path):
    (tmp_path / "old").write_text("half")
    assert files._is_written_by(os.getpid(), tmp_path / "old")
    begun = files._begun(os.getpid())
    if begun is None:
        pytest.skip("a system that does not say when a process began")
    assert begun <= time.time()
    os.utime(tmp_path / "old", (begun - 3600, begun - 3600))
    assert not files._is_written_by(os.getpid(), tmp_path / "old")
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    assert not files._is_written_by(child, tmp_path / "old")


def test_files_are_on_the_disk_before_they_have_their_name(tmp_path, monkeypatch):
    synced, moved = [], []
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append(os.readlink(f"/proc/self/fd/{handle}"))
    )
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (moved.append(list(synced)), real(a, b)))
    with replacing(tmp_path / "record.json") as temporary:
        temporary.write_text("{}")
    assert moved == [[str(temporary)]]
    assert synced == [str(temporary), str(tmp_path)]


def test_folders_with_links_are_put_in_place(tmp_path):
    """A link is one of its folder's names; where it leads need not be there (roots of Debian)."""
    with replacing_folder(tmp_path / "root") as folder:
        (folder / "file").write_text("there")
        (folder / "dangling").symlink_to("nowhere")
        (folder / "around").symlink_to(".")
        (folder / "out").symlink_to(tmp_path)
    assert sorted(os.listdir(tmp_path / "root")) == ["around", "dangling", "file", "out"]
    assert os.readlink(tmp_path / "root" / "dangling") == "nowhere"
