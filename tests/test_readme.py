from __future__ import annotations

import re
import shlex

import pytest
import typer
from conftest import ROOT

from hsitf.commands.application import all_verbs
from hsitf.zoo import names

TEXT = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"python -m hsitf\.([^`\n]+)", TEXT)


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_can_be_typed(line):
    words = shlex.split(line)
    if words == ["VERB"]:
        return
    command = typer.main.get_command(all_verbs())
    # A context parses and checks every option without running anything.
    with command.make_context("hsitf", list(words)) as context:
        verb = command.get_command(context, words[0])
        rest = words[1:]
        while hasattr(verb, "get_command"):
            verb = verb.get_command(context, rest[0])
            rest = rest[1:]
        assert verb.make_context(words[0], rest)


def test_every_network_is_listed():
    listed = set(re.findall(r"^\| `(\w+)` \| .*(?:19|20)\d\d", TEXT, flags=re.M))
    assert set(names()) <= listed


@pytest.mark.parametrize("target", re.findall(r"^make (\w+)", TEXT, flags=re.M))
def test_make_targets_exist(target):
    assert f"\n{target}:" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)]+)\)", TEXT))
def test_links_lead_somewhere(path):
    assert (ROOT / path).is_file()
