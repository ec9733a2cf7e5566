"""Links, commands, code and sizes of the pages, without the packages that build the site."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from conftest import ROOT

from hsitf.commands.application import all_verbs

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "site"))
from generated_pages import pages  # noqa: E402

PAGES = sorted(DOCS.rglob("*.md"))
NOTEBOOKS = sorted(DOCS.rglob("*.ipynb"))
OTHERS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
# Pages that a command writes, from tables of its own.
GENERATED = {"reference/layers.md", "results/literature.md", *pages()}
NOT_RUN = "<!-- not run:"
# Their blocks are run, and what they print compared, by tests of what they are about.
RUN_ELSEWHERE = {
    "README.md": "tests/test_api.py",
    "docs/how-to/migrate-from-keras-surgeon.md": "tests/prune/test_surgeon.py",
    "docs/how-to/prune.md": "tests/prune/test_prune.py",
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def page_text(path: Path) -> str:
    """The markdown of a page, or of a notebook."""
    if path.suffix != ".ipynb":
        return path.read_text()
    cells = json.loads(path.read_text())["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as both GitHub and mkdocs make them."""
    found = re.findall(r"^#{1,6} (.+)$", without_code(text), flags=re.M)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\- ]", "", head.strip().lower())) for head in found}


def blocks(kind: str) -> list[tuple[Path, int, str]]:
    """Blocks of code of one language: page, position and text."""
    return [
        (path, match.start(), match.group(1))
        for path in [*PAGES, OTHERS[0]]
        for match in re.finditer(rf"^```{kind}\n(.*?)^```$", path.read_text(), flags=re.S | re.M)
    ]


@pytest.mark.parametrize("path", [*PAGES, *NOTEBOOKS, *OTHERS], ids=name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page_text(path))):
        if re.match(r"https?:|mailto:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(page_text(there)), f"{target}: no such heading"


def test_the_site_has_every_page_once():
    listed = re.findall(r"([\w/-]+\.(?:md|ipynb))$", (ROOT / "mkdocs.yml").read_text(), re.M)
    there = [str(path.relative_to(DOCS)) for path in [*PAGES, *NOTEBOOKS]]
    documents = ["changelog.md", "contributing.md", "security.md"]
    assert sorted(listed) == sorted([*there, *documents])


@pytest.mark.parametrize("page", pages())
def test_generated_pages_are_current(page):
    assert (DOCS / page).read_text() == pages()[page].rstrip() + "\n", (
        "run python docs/site/generated_pages.py"
    )


def shell_lines() -> list[str]:
    """Commands of the shell blocks, without comments and continuation."""
    found = set()
    for _, _, text in blocks("sh"):
        joined = text.replace("\\\n", " ")
        found |= set(re.findall(r"^(?:python -m hsitf\.|hsitf )(.+)$", joined, re.M))
    return sorted(found)


@pytest.mark.parametrize("line", shell_lines())
def test_commands_can_be_typed(line):
    words = shlex.split(line, comments=True)
    if words == ["--version"]:
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


def test_blocks_of_toml_are_toml():
    found = blocks("toml")
    assert found
    for _, _, text in found:
        tomllib.loads(text)


def is_there(module: str, member: str) -> bool:
    if hasattr(importlib.import_module(module), member):
        return True
    return importlib.util.find_spec(f"{module}.{member}") is not None


def test_other_blocks_of_python_are_run_by_their_tests():
    for page, test in RUN_ELSEWHERE.items():
        assert Path(page).name in (ROOT / test).read_text()


@pytest.mark.parametrize(
    "path",
    sorted({path for path, _, _ in blocks("python") if name(path) not in RUN_ELSEWHERE}),
    ids=name,
)
def test_blocks_of_python_run(path, tmp_path, monkeypatch):
    """Blocks share a page's namespace; those that need a scene of the reader's say so before."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    text = path.read_text()
    for start, code in [(start, code) for page, start, code in blocks("python") if page == path]:
        tree = ast.parse(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hsitf"):
                for one in node.names:
                    assert is_there(str(node.module), one.name), f"{node.module}.{one.name}"
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "hsitf":
                assert hasattr(importlib.import_module("hsitf"), node.attr), node.attr
        before = text[:start].rstrip().splitlines()[-1]
        if not before.startswith(NOT_RUN):
            exec(compile(tree, name(path), "exec"), names)


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_pages_are_short_and_narrow(path):
    if str(path.relative_to(DOCS)) in GENERATED:
        return
    lines = without_code(path.read_text()).splitlines()
    prose = [line for line in lines if line.strip() and not line.startswith(("|", "!["))]
    assert len(prose) <= 250
    wide = [line for line in prose if len(line) > 100 and "](" not in line[100:]]
    assert not wide


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path, tmp_path):
    runner = Path(__file__).with_name("run_notebook.py")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(runner), str(path)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout
