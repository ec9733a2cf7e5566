"""Commands that are killed leave the old or the new, and nothing behind once they are repeated.

`python tests/kill/kills.py --kills 500` kills all of them, and prints a table.
"""

from __future__ import annotations

import os
import random

import pytest
from command_pairs import PAIRS, PairSuite
from kill_suite import PRELOADED, CommandForker, KillSuite, all_moves
from killed_commands import COMMANDS

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and locks of POSIX")

BY_TITLE = {one.title: one for one in COMMANDS}


def made(factory, forker, **how):
    suite = KillSuite(factory.mktemp("kills"), forker)
    suite.prepare(**how)
    return suite


@pytest.fixture(scope="module")
def bare(tmp_path_factory, forker):
    """A folder with a scene alone, for commands that need nothing else."""
    return made(tmp_path_factory, forker, commands=())


@pytest.fixture(scope="module")
def second():
    found = CommandForker()
    yield found
    found.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    forker = CommandForker(PRELOADED)
    suite = made(tmp_path_factory, forker)
    yield suite
    suite.close()


def test_a_training_killed_around_its_last_moves(bare):
    command = BY_TITLE["train of a baseline"]
    last = bare.undisturbed(command).moves
    found = bare.at_moves(command, [(last, False), (last, True)])
    assert found.kills == 2
    assert not found.faults


def test_a_picture_killed_before_it_is_there(bare):
    found = bare.at_moves(BY_TITLE["scenes show"], [(1, False)])
    assert found.kills == 1
    assert not found.faults


def test_two_trainings_of_one_run(bare, second):
    pair = next(one for one in PAIRS if one.title == "baseline, baseline")
    assert not PairSuite(bare, second).faults(pair, 2, random.Random(0))


@pytest.mark.slow
@pytest.mark.parametrize("title", BY_TITLE)
def test_every_verb_killed_at_every_move_and_at_random(whole, title):
    command = BY_TITLE[title]
    moves = all_moves(whole.undisturbed(command).moves)
    found = whole.at_moves(command, moves)
    assert found.kills == len(moves)
    assert not found.faults
    assert not whole.at_random(command, 20, random.Random(0)).faults


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.title)
def test_two_commands_at_once(whole, second, pair):
    assert not PairSuite(whole, second).faults(pair, 20, random.Random(0))
