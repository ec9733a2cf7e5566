"""Locks: who waits is told for whom, and what killed processes left is taken over."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from hsitf import locks
from hsitf.errors import InputError
from hsitf.files import replacing
from hsitf.locks import current_writer, locked, one_writer, sole_writer

pytestmark = pytest.mark.skipif(os.name != "posix", reason="locks and signals of POSIX")


@pytest.fixture
def forked():
    """Runs functions in processes of their own, which are killed when the test ends."""
    children = []

    def start(work):
        ready, written = os.pipe()
        child = os.fork()
        if not child:
            try:
                work(lambda: os.write(written, b"x"))
            finally:
                os._exit(1)
        os.close(written)
        children.append(child)
        os.read(ready, 1)
        os.close(ready)
        return child

    yield start
    for child in children:
        end(child)


def end(child):
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def holds(path, seconds=60.0):
    def work(ready):
        with locked(path):
            ready()
            time.sleep(seconds)

    return work


def test_who_waits_is_told_for_whom_and_goes_on(tmp_path, forked, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/hsitf/train.py", "-m", "hu"])
    monkeypatch.setattr(locks, "_PATIENCE_S", 0.0)
    path, said = tmp_path / "models" / "a", []
    child = forked(holds(path))

    def say(text):
        said.append(text)
        os.kill(child, signal.SIGKILL)

    with one_writer(say, path):
        assert (tmp_path / "models" / ".a.lock").is_file()
    (text,) = said
    assert text.startswith(f"waiting for another command that writes {path} (process {child} on ")
    assert ": train.py -m hu); interrupt this one" in text
    assert not list((tmp_path / "models").iterdir())


def test_several_at_once_and_one_named_twice(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with one_writer(pytest.fail, Path("b"), Path("a"), tmp_path / "b"):
        assert sorted(path.name for path in tmp_path.iterdir()) == [".a.lock", ".b.lock"]
    assert not list(tmp_path.iterdir())


def test_who_does_not_wait_is_told_as_well(tmp_path, forked):
    child = forked(holds(tmp_path / "study"))
    with (
        pytest.raises(InputError, match=f"being written; received: process {child} on .*; wait"),
        sole_writer(tmp_path / "study", "it is being written", "wait"),
    ):
        pass


def test_a_lock_of_a_killed_process_is_taken_over(tmp_path, forked):
    end(forked(holds(tmp_path / "a")))
    assert [path.name for path in tmp_path.iterdir()] == [".a.lock"]
    said = []
    with one_writer(said.append, tmp_path / "a"):
        assert not said
    assert not list(tmp_path.iterdir())


def test_who_writes_can_be_asked(tmp_path, forked):
    assert current_writer(tmp_path / "a") is None
    child = forked(holds(tmp_path / "a"))
    assert str(current_writer(tmp_path / "a")).startswith(f"process {child} on ")
    end(child)
    assert current_writer(tmp_path / "a") is None
    assert not list(tmp_path.iterdir())


def test_folders_that_were_made_for_a_lock_alone_are_removed(tmp_path):
    with pytest.raises(ValueError, match="refused"), locked(tmp_path / "a" / "b" / "c"):
        raise ValueError("refused")
    assert not list(tmp_path.iterdir())
    with locked(tmp_path / "a" / "b"), replacing(tmp_path / "a" / "b") as temporary:
        temporary.write_text("kept")
    assert (tmp_path / "a" / "b").read_text() == "kept"


def test_one_at_a_time(tmp_path, forked):
    log = tmp_path / "log"
    (tmp_path / "folder").mkdir()

    def work(ready):
        ready()
        for _ in range(20):
            with locked(tmp_path / "folder" / "a"), log.open("a") as stream:
                stream.write("(")
                stream.flush()
                stream.write(")")
        os._exit(0)

    for child in [forked(work) for _ in range(4)]:
        assert os.waitpid(child, 0)[1] == 0
    assert log.read_text() == "()" * 80
    assert not list((tmp_path / "folder").iterdir())


def test_where_there_are_no_locks_it_is_said(tmp_path, monkeypatch):
    def refuse(handle, how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    said = []
    with one_writer(said.append, tmp_path / "a"):
        pass
    assert said == [
        f"{tmp_path / 'a'} cannot be locked here: run no other command that writes it meanwhile"
    ]
