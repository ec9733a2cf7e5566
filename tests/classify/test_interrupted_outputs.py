"""A command that ends while it writes the files of a map can be repeated, and loses nothing."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest

from hsitf.classify import outputs
from hsitf.classify.mapping import STATE, MapArrays, parts_folder, remove_state
from hsitf.classify.output_journal import OutputJournal
from hsitf.classify.request import MapRequest
from hsitf.errors import InputError
from hsitf.scenes import RasterSource


class Killed(BaseException):
    """Ends a command at any place."""


@pytest.fixture
def request_(tmp_path):
    return MapRequest(
        tuple(tmp_path / name for name in ("map.tif", "map.hdr", "map.png")),
        probabilities=tmp_path / "p.tif",
        confidence=tmp_path / "c.tif",
    )


def command(request, tiny, kill_at=None):
    """Checks, writes and removes the state, as `classify` does; ends at the n-th move."""
    outputs.check(request.files, request.overwrite)
    labels = tiny.labels.astype(np.uint8)
    values = np.random.default_rng(0).random((40, 40, 4)).astype(np.float16)
    classifier = SimpleNamespace(class_names=tiny.class_names, class_colors=())
    with parts_folder(request.out) as folder:
        folder.mkdir(exist_ok=True)
        moves, real = [], os.replace

        def replace(source, target):
            if ".parts" not in str(target):
                moves.append(target)
            if kill_at is not None and len(moves) > kill_at:
                raise Killed
            real(source, target)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "replace", replace)
            patch.setattr("pathlib.Path.replace", lambda self, target: replace(self, target))
            outputs.write_requested(
                MapArrays(labels, values, 1.0),
                classifier,
                RasterSource.from_scene(tiny),
                request,
                OutputJournal(folder),
            )
        remove_state(folder)
    return len(moves)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_repeated_after_an_end_at_every_move(tmp_path, request_, tiny):
    moves = command(request_, tiny)
    whole = contents(tmp_path)
    assert moves == 7 == len(whole)
    with pytest.raises(InputError, match="exists already"):
        command(request_, tiny)
    for kill_at in range(moves):
        for path in whole:
            (tmp_path / path).unlink()
        with pytest.raises(Killed):
            command(request_, tiny, kill_at)
        command(request_, tiny)
        assert contents(tmp_path) == whole
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_file_of_the_users_stays(tmp_path, request_, tiny):
    with pytest.raises(Killed):
        command(request_, tiny, kill_at=4)
    (tmp_path / "map.hdr").write_text("put there in between")
    with pytest.raises(InputError, match=r"map\.hdr exists already"):
        command(request_, tiny)
    (tmp_path / "map.hdr").unlink()
    (tmp_path / ".map.tif.parts" / "outputs.json").write_text('{"a": 3}')
    with pytest.raises(InputError, match=r"map\.tif exists already"):
        command(request_, tiny)


@pytest.mark.parametrize(("name", "stays"), [("labels.npy", False), (STATE, True)])
def test_what_nothing_can_be_resumed_from_is_removed(tmp_path, name, stays):
    def fail():
        with parts_folder([tmp_path / "map.tif"]) as folder:
            folder.mkdir()
            (folder / name).write_text("{}")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert bool(list(tmp_path.iterdir())) == stays
