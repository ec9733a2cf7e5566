"""A command in a hostile environment ends well, or with one message and its status.

`python tests/kill/hostile.py` types all commands in all environments, and prints a table.
"""

from __future__ import annotations

import os

import pytest
from environments import ENVIRONMENTS
from hostile import MOUNTED, faults
from kill_suite import PRELOADED, CommandForker, KillSuite
from killed_commands import COMMANDS

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits and signals of POSIX")

BY_TITLE = {one.title: one for one in COMMANDS}


@pytest.fixture(scope="module")
def bare(tmp_path_factory, forker):
    """A folder with a scene alone."""
    suite = KillSuite(tmp_path_factory.mktemp("hostile"), forker)
    suite.prepare(commands=())
    return suite


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    suite = KillSuite(tmp_path_factory.mktemp("hostile"), CommandForker(PRELOADED))
    suite.prepare()
    yield suite
    suite.close()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("full output", "4 hsitf: the output cannot be written; received: No space left on device"),
        ("closed pipe", "4 hsitf: the output cannot be written; received: Broken pipe"),
        ("small files", "4 hsitf: no room left on the disk for scene.png"),
        ("unwritable home", "0"),
    ],
)
def test_a_picture(bare, kind, said):
    message, found = faults(bare, BY_TITLE["scenes show"], kind)
    assert not found
    assert message.startswith(said)


@pytest.mark.slow
@pytest.mark.parametrize("title", BY_TITLE)
@pytest.mark.parametrize("kind", ENVIRONMENTS)
def test_every_verb(whole, title, kind):
    if kind in MOUNTED and os.geteuid() != 0:
        pytest.skip("only root mounts disks")
    _, found = faults(whole, BY_TITLE[title], kind, 1.5)
    assert not found
