"""The last line of a verb is a command that can be typed as it stands."""

from __future__ import annotations

import re
import shlex

import typer

from hsitf.commands.application import VERBS, all_verbs


def next_words(printed: str) -> list[str]:
    found = re.findall(r"^Next: hsitf (.+)$", printed, flags=re.M)
    assert len(found) == 1
    assert printed.rstrip().splitlines()[-1].startswith("Next: ")
    words = shlex.split(found[0])
    assert words[0] in VERBS
    return words


def test_whoever_types_the_last_lines_gets_a_map(shell):
    """From looking at a scene to its map, by what each command says comes next."""
    done = shell("scenes", "show", "tiny.npy", "--labels", "labels.npy")
    words = next_words(done.stdout)
    named = ["--model", "hu", "--scene", "tiny.npy", "--labels", "labels.npy"]
    assert words == ["train", *named, "--recipe", "robust"]
    typed = ["scenes"]
    while words[0] != "classify":
        few = ("--epochs", "1") if words[0] == "train" else ()
        bound = ("--max-drop", "100") if words[0] == "export" else ()
        done = shell(words[0], *words[1:], *few, *bound)
        assert done.returncode == 0, done.stderr
        typed.append(words[0])
        words = next_words(done.stdout)
    assert typed == ["scenes", "train", "export"]
    # A map of the network's own: those of other networks are not in its way.
    assert words[-1] == "map-tiny-hu.tif"
    done = shell(words[0], *words[1:])
    assert done.returncode == 0, done.stderr
    assert (shell.folder / words[-1]).is_file()


def test_options_of_the_scene_and_its_split_are_carried_on(shell):
    given = ("--guard", "2", "--labels", "labels.npy", "--patch", "9", "--drop-class", "class 4")
    done = shell("scenes", "show", *given, "tiny.npy", "--out", "tiny.png", "--overwrite")
    assert done.returncode == 0, done.stderr
    named = ["--model", "cao", "--scene", "tiny.npy"]
    assert next_words(done.stdout) == ["train", *named, *given, "--recipe", "robust"]


def test_training_takes_every_option_of_a_scene_that_is_shown():
    verbs = typer.main.get_command(all_verbs()).commands
    shown, trained = (
        {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        for command in (verbs["scenes"].commands["show"], verbs["train"])
    )
    assert shown - trained == {"scene", "--out", "-o", "--overwrite"}


def test_baselines_are_exported_to_onnx(shell):
    done = shell("train", "--model", "nearest", *shell.SCENE)
    assert next_words(done.stdout)[-1] == "--onnx"
