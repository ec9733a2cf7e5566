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


def shell_lines() -> list[str]:
    """Commands of the docs' shell blocks, without comments and continuation."""
    lines = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(), re.S):
            joined = block.replace("\\\n", " ")
            lines += re.findall(r"^(?:python -m hsitf\.|hsitf )(.+)$", joined, re.M)
    return sorted(set(lines))


@pytest.mark.parametrize("line", sorted({*COMMANDS, *shell_lines()}))
def test_commands_can_be_typed(line):
    words = shlex.split(line, comments=True)
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
