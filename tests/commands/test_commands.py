"""The command line's own machinery: shared options, former names, messages, what it loads."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from conftest import ROOT

from hsitf.commands import application, options
from hsitf.commands.application import VERBS, all_verbs, verb
from hsitf.commands.options import with_options
from hsitf.options import SplitChoice
from hsitf.records import SceneChoice


def typed(*words: str) -> subprocess.CompletedProcess:
    """A command line in a fresh process, which afterwards names the heavy modules it loaded."""
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('LOADED', 'tensorflow' in sys.modules, file=sys.stderr))\n"
        "from hsitf.__main__ import main\n"
        f"sys.argv = ['hsitf', *{list(words)!r}]\n"
        "main()\n"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


def called(function, words):
    """What a verb's function is handed for a command line."""
    app = application.application("A test.")
    handed = {}

    @verb(app, {"--old": "--new"})
    @with_options(scene=options.run_scene, split=options.split_choice)
    def one(
        scene: SceneChoice,
        split: SplitChoice,
        new: Annotated[int, typer.Option("--new")] = 0,
    ) -> None:
        """Does something."""
        handed.update(scene=scene, split=split, new=new)

    app(words, standalone_mode=False)
    return handed


def test_groups_become_values():
    words = ["-s", "PaviaU", "--drop-class", "a", "--drop-class", "b", "--guard", "3", "--new", "7"]
    handed = called(None, words)
    assert handed["scene"] == SceneChoice("PaviaU", drop=("a", "b"))
    assert handed["split"] == SplitChoice("disjoint", None, 3, None, 0)
    assert handed["new"] == 7


def test_a_group_needs_its_parameter():
    with pytest.raises(TypeError, match="no parameter scene"):

        @with_options(scene=options.new_scene)
        def one(model: str) -> None:
            """Does something."""


def test_two_groups_cannot_share_an_option():
    with pytest.raises(ValueError, match="duplicate parameter name"):

        @with_options(scene=options.new_scene, other=options.run_scene)
        def one(scene: SceneChoice, other: SceneChoice) -> None:
            """Does something."""


@pytest.mark.parametrize("words", [["--old", "7"], ["--old=7"]])
def test_former_names_work_and_say_the_new_one(words, capsys):
    assert called(None, words)["new"] == 7
    assert "--old is now --new" in capsys.readouterr().err


@dataclass(frozen=True)
class Former:
    verb: str
    old: str
    new: str


FORMER = [
    Former(name, old, new)
    for name in VERBS
    for old, new in getattr(
        __import__(f"hsitf.commands.{name}", fromlist=["app"]), "RENAMED", {}
    ).items()
]


@pytest.mark.parametrize("one", FORMER, ids=lambda one: f"{one.verb}{one.old}")
def test_every_former_name_has_an_option_today(one):
    command = typer.main.get_command(all_verbs())
    with command.make_context("hsitf", [one.verb, "--help"], resilient_parsing=True) as context:
        parameters = command.get_command(context, one.verb).params
    named = {
        name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)
    }
    assert one.new in named
    assert one.old not in named, "the former name is an option of its own"


def test_options_are_listed_in_panels():
    shown = typed("export", "--help").stdout
    panels = re.findall(r"╭─ (\w+)", shown)
    assert panels[:4] == ["Options", "Network", "Scene", "Split"]
    assert {"Files", "Quantization", "Inference", "Output"} <= set(panels)
    assert "--fuse" not in shown


def test_version():
    from hsitf import __version__

    assert typed("--version").stdout == f"hsitf {__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "--int9"], "No such option: --int9"),
        (["export", "--int8"], "no network is named"),
        (["export", "--int8", "--model", "caoo"], "did you mean cao"),
        (["export", "--model", "cao"], "no variant to export"),
        (["export", "--model", "cao", "--int8", "--from", "nowhere"], "no such run"),
        (["prune", "--model", "cao", "--macs", "0.5", "--criterion", "l3"], "unknown criterion"),
        (["prune", "--model", "cao", "--macs", "0.5", "--round-to", "0"], "at least one channel"),
        (["prune", "--model", "cao", "--macs", "0.5", "--schedule", "often"], "schedule"),
        (["train", "--model", "hu", "--learning-rate", "-1"], "out of range"),
        (["train", "--model", "hu", "--bands", "pcaa:3"], "did you mean pca"),
        (["train", "--model", "hu", "--runs", "0"], "runs is out of range"),
        (["quantize", "--model", "hu", "--bits", "1,2"], "--bits"),
        (["explain", "--model", "hu", "--method", "salience"], "did you mean saliency"),
        (["explain"], "nothing to explain"),
        (["classify", "--out", "map.tif"], "what classifies is named once"),
        (["sweep", "nothing"], "nothing"),
        (["bands", "pcaa:3"], "did you mean pca"),
        (["bench", "--arm", "cortex-a1"], "cortex-a1"),
    ],
    ids=lambda value: "-".join(value)[:40] if isinstance(value, list) else "",
)
def test_mistakes_are_told_before_tensorflow_is_loaded(words, message):
    done = typed(*words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "LOADED False" in done.stderr


@pytest.mark.parametrize("name", VERBS)
def test_verbs_stand_in_one_file_each(name):
    module = __import__(f"hsitf.commands.{name}", fromlist=["app"])
    forwarder = (ROOT / "hsitf" / name / "__main__.py").read_text()
    assert f'run_verb("{name}")' in forwarder
    assert inspect.getdoc(module)


def test_a_backend_is_chosen_before_a_network_loads_keras():
    """A network's facts load Keras: with another backend it would be too late then."""
    code = (
        "import sys; from hsitf.train import devices\n"
        "def use(backend, device): print('KERAS', 'keras' in sys.modules); raise SystemExit\n"
        "devices.use_backend = use\n"
        "from hsitf.__main__ import main\n"
        "sys.argv = ['hsitf', 'train', '--model', 'hu']\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "KERAS False\n"


def test_training_says_nothing_but_its_own(shell):
    done = shell("train", "--model", "hu", "--epochs", "1", *shell.SCENE, "--run", "quiet")
    assert done.returncode == 0
    assert "oneDNN" not in done.stderr
    assert "absl" not in done.stderr
