"""What a user can get wrong, typed as a user types it: one message, a status, nothing left over."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from conftest import ROOT, Shell

from hsitf.errors import InputError
from hsitf.scenes import load

# Loading Keras takes seconds. The commands below that are refused before they compute anything
# run in children of one process that has loaded it once.
NURSERY = """
import json, os, runpy, sys, traceback
import keras, scipy.io, scipy.ndimage
import hsitf.export.pipeline, hsitf.options, hsitf.prune.curve, hsitf.records, hsitf.train.loop
for line in sys.stdin:
    verb, words, folder = json.loads(line)
    if not os.fork():
        os.chdir(folder)
        for number, name in ((1, "../stdout"), (2, "../stderr")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.argv = [verb, *words]
        status = 0
        try:
            runpy.run_module(f"hsitf.{verb}", run_name="__main__")
        except SystemExit as end:
            status = end.code
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        # Without taking all of Keras down in order, which takes a second.
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


@pytest.fixture(scope="module")
def nursery():
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    ) as process:
        yield process
        process.stdin.close()


@pytest.fixture(scope="module")
def trained(shell):
    done = shell("train", "-m", "hu", *Shell.SCENE, "--epochs", "1", "--run", "a")
    assert done.returncode == 0, done.stderr
    return shell.folder / "models"


@pytest.fixture
def folder(shell, tmp_path):
    place = tmp_path / "user"
    place.mkdir()
    for name in ("tiny.npy", "labels.npy"):
        (place / name).symlink_to(shell.folder / name)
    return place


@pytest.fixture
def typed(nursery, folder):
    def run(verb, *words):
        nursery.stdin.write(json.dumps([verb, words, str(folder)]) + "\n")
        nursery.stdin.flush()
        status = int(nursery.stdout.readline())
        out, err = ((folder.parent / name).read_text() for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess(words, status, out, err)

    return run


def files(place):
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


def assert_message(done, status, *words):
    complaints = [line for line in done.stderr.splitlines() if line.startswith("hsitf: ")]
    assert "Traceback" not in done.stderr
    assert len(complaints) == 1, done.stderr
    for word in words:
        assert word in complaints[0]
    assert complaints[0].endswith(".")
    assert done.returncode == status
    assert not done.stdout


@pytest.fixture
def refused(typed, folder):
    """Types a command and asserts that it ends in one message and leaves no file behind."""

    def check(command, status, *words):
        before = files(folder)
        done = typed(*command)
        assert_message(done, status, *words)
        assert files(folder) == before
        return done

    return check


# --- names and options -----------------------------------------------------------------------


HU = ("train", "-m", "hu", *Shell.SCENE)
INT8 = ("export", "-m", "hu", *Shell.SCENE, "--int8")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("train", "-m", "coa"), ["unknown network 'coa'", "allowed: a2s2k,", "did you mean cao"]),
        (("export", "-m", "Hu", "--int8"), ["unknown network 'Hu'", "did you mean he or hu"]),
        (("train", "-m", "hu", "-s", "indian_pine"), ["unknown scene", "did you mean"]),
        (("scenes", "show", "field"), ["unknown scene 'field'", "did you mean fields"]),
        ((*HU, "--split", "disjunct"), ["unknown split 'disjunct'", "did you mean disjoint"]),
        ((*HU, "--schedule", "long"), ["unknown schedule", "received: long", "full, short"]),
        ((*HU, "--optimizer", "adma"), ["optimizer as 'adma'", "allowed:", "--optimizer"]),
        ((*HU, "--drop-class", "class 9"), ["unknown class 'class 9'", "did you mean"]),
        ((*INT8, "--variant", "int4"), ["unknown variant 'int4'", "did you mean"]),
        (INT8[:-1], ["no variant to export", "--int8, or --all"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_names(refused, command, words):
    refused(command, 2, *words)


PRUNE = ("prune", "-m", "hu", *Shell.SCENE)
HALF = (*PRUNE, "--ratio", "0.5")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (PRUNE, ["one target of the pruning is needed", "received: none", "--macs 0.5"]),
        ((*HALF, "--macs", "0.5"), ["one target", "received: --ratio and --macs"]),
        ((*PRUNE, "--ratio", "1"), ["ratio to prune to is out of range", "received: 1", "below 1"]),
        ((*PRUNE, "--macs", "0"), ["macs to prune to is out of range", "received: 0"]),
        (
            (*PRUNE, "--sparsity", "1"),
            ["sparsity to prune to is out of range", "share of zero weights"],
        ),
        ((*PRUNE, "--alpha", "-1"), ["alpha is out of range", "standard deviations"]),
        ((*HALF, "--criterion", "lpf"), ["unknown criterion 'lpf'", "did you mean lfp"]),
        ((*PRUNE, "--layer", "conv"), ["needs a layer and a ratio", "such as conv1=0.3"]),
        ((*PRUNE, "--layer", "conv=2"), ["pruning ratio of conv is out of range"]),
        ((*HALF, "--round-to", "0"), ["at least one channel", "round_to 0"]),
        (
            (*HALF, "--iterations", "3"),
            ["this number of iterations", "received: 3 iterations", "--schedule iterative"],
        ),
        (
            (*HALF, "--schedule", "slow"),
            ["unknown pruning schedule", "one-shot, iterative, gradual"],
        ),
        ((*HALF, "--curve", "a,b"), ["--curve is no list of numbers", "received: a,b"]),
        ((*HALF, "--curve", "0.5"), ["two points or more", "received: 0.5"]),
        ((*HALF, "--max-drop", "200"), ["accuracy drop", "received: 200"]),
        ((*HALF, "--run", "../a"), ["cannot have this name", "'../a'"]),
        (("prune", "-m", "hu", "--ratio", "0.5", "--from", "nowhere"), ["no such run"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_orders_of_pruning(refused, command, words):
    refused(command, 2, *words)


def test_the_name_of_a_file_without_its_suffix(shell):
    for name in ("field.tif", "field.hdr", "field.txt"):
        (shell.folder / name).touch()
    words = "field.hdr, field.tif in this folder; or ", "give the file: --scene field.hdr."
    try:
        for command in (("scenes", "show", "field"), ("train", "--model", "hu", "-s", "field")):
            assert_message(shell(*command), 2, "unknown scene 'field'", *words)
        done = shell("classify", "--model", "hu", "--scene", "field", "--out", "field.png")
    finally:
        for name in ("field.tif", "field.hdr", "field.txt"):
            (shell.folder / name).unlink()
    assert_message(done, 2, "unknown scene 'field'", *words)
    # Nothing is announced that cannot be done.
    assert "training one" not in done.stderr


def test_the_name_of_a_scene_that_networks_were_trained_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = Path("models/potsdam_2020/hu/one/record.json")
    record.parent.mkdir(parents=True)
    record.touch()
    for name in ("potsdam_2021", "potsdam"):
        with pytest.raises(InputError, match=f"unknown scene '{name}'.*did you mean potsdam_2020"):
            load(name)
    Path("potsdam.bil").touch()
    with pytest.raises(InputError, match=r"give the file: --scene potsdam\.bil"):
        load("potsdam")


def test_in_a_process_of_its_own(shell):
    done = shell("scenes", "show", "field")
    assert_message(done, 2, "unknown scene 'field'", "did you mean fields")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ((*INT8, "--max-drop", "-1"), ["accuracy drop", "received: -1", "allowed: 0 to 100"]),
        ((*INT8, "--max-drop", "101"), ["accuracy drop", "received: 101", "allowed: 0 to 100"]),
        ((*INT8, "--max-drop", "nan"), ["accuracy drop", "received: nan", "allowed: 0 to 100"]),
        ((*INT8, "--batch", "0"), ["batch is out of range", "received: 0", "allowed: 1 or more"]),
        ((*INT8, "--threads", "0"), ["threads is out of range", "received: 0"]),
        ((*HU, "--train", "half"), ["--train is not a number", "received: half", "0.65"]),
        ((*HU, "--train", "1.5"), ["training side is out of range", "received: 1.5"]),
        ((*HU, "--train", "20"), ["number of pixels a class", "received: train=20", "random"]),
        ((*HU, "--guard", "-1"), ["guard is out of range", "received: -1"]),
        ((*HU, "--split", "random", "--guard", "3"), ["no guard band", "received: guard=3"]),
        ((*HU, "--split", "fixed"), ["label map of its training pixels", "--split disjoint"]),
        ((*HU, "--epochs", "0"), ["epochs has to be positive", "received: 0"]),
        ((*HU, "--lr", "nan"), ["learning rate is out of range", "received: nan"]),
        (
            (*HU, "--weight-decay", "-1"),
            ["weight decay is out of range", "received: -1", "allowed:"],
        ),
        ((*HU, "--momentum", "2"), ["optimizer as 'sgd'", "momentum 2", "momentum of 0 to 1"]),
        ((*HU, "--optimizer", "adam", "--momentum", "0.9"), ["'adam'", "momentum 0.9"]),
        ((*HU, "--seed", "-1"), ["seed is out of range", "received: -1", "allowed: 0 to"]),
        ((*INT8, "--seed", "4294967296"), ["seed is out of range", "allowed: 0 to 4294967295"]),
        ((*HU, "--run", "../../a"), ["cannot have this name", "'../../a'", "another --run"]),
        ((*HU, "--run", ""), ["cannot have this name", "received: ''"]),
        ((*HU, "--run", "a" * 300), ["cannot have this name", "at most 255 bytes"]),
    ],
    ids=lambda value: " ".join(value)[-30:] if isinstance(value, tuple) else "",
)
def test_values(refused, command, words):
    refused(command, 2, *words)


# --- files -----------------------------------------------------------------------------------


def test_missing_files(refused):
    refused(("scenes", "show", "nope.npy"), 2, "there is no file nope.npy", "correct the path")
    refused((*HU[:-1], "nope.npy"), 2, "there is no file nope.npy", "correct the path")
    refused((*HU, "--split", "fixed", "--train-map", "nope.npy"), 2, "there is no file nope.npy")
    refused((*HU[:4], "PaviaU", "--data-dir", "nope"), 2, "there is no folder nope", "PaviaU.mat")
    refused(
        ("scenes", "show", "PaviaU", "--data-dir", "."),
        2,
        "files of PaviaU are missing",
        "--data-dir",
    )


def test_name_that_no_file_can_have(refused):
    refused(("scenes", "show", "a" * 300 + ".npy"), 4, "File name too long", "correct the path")


@pytest.mark.parametrize("name", ["cube.mat", "cube.npy", "cube.npz"])
@pytest.mark.parametrize("share", [0, 0.05, 0.9])
def test_truncated(refused, folder, name, share):
    cube = np.random.default_rng(0).normal(size=(5, 6, 7))
    path = folder / name
    save = {
        ".mat": lambda: scipy.io.savemat(path, {"cube": cube}),
        ".npy": lambda: np.save(path, cube),
        ".npz": lambda: np.savez(path, cube=cube),
    }
    save[path.suffix]()
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(("scenes", "show", name), 3, name, "received: ", "truncated")


def test_wrong_type(refused, folder):
    (folder / "cube.txt").write_text("1 2 3")
    refused(("scenes", "show", "cube.txt"), 2, "no reader is known", ".txt", ".mat", "convert it")
    (folder / "picture.npy").write_bytes(b"\x89PNG\r\n" + bytes(200))
    refused(("scenes", "show", "picture.npy"), 3, "cannot be read as a .npy file", "format")
    np.save(folder / "words.npy", np.array(["corn", "wheat"]))
    refused(("scenes", "show", "words.npy"), 3, "does not hold real numbers", "convert it before")
    np.save(folder / "pickle.npy", np.array([{}]), allow_pickle=True)
    refused(("scenes", "show", "pickle.npy"), 3, "pickled objects", "never loaded")
    refused(("scenes", "show", "./"), 2, "received: a folder")


def saved(folder, name, array):
    np.save(folder / name, array)
    return name


@pytest.mark.parametrize("shape", [(40,), (40, 40), (2, 40, 40, 3)])
def test_cube_of_the_wrong_rank(refused, folder, shape):
    name = saved(folder, "cube.npy", np.ones(shape, np.float32))
    done = refused(("scenes", "show", name), 3, "holds no cube", "allowed: (rows, cols, bands)")
    assert f"received: shape {shape}" in done.stderr


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_numbers_are_no_data(folder, tiny, value):
    """What is valid is trained on; the pixel is counted."""
    cube = tiny.cube.copy()
    cube[3, 4, 5] = value
    name = saved(folder, "cube.npy", cube)
    scene = load(folder / name, labels=folder / "labels.npy")
    assert scene.notes[0].startswith("1 of 1,600 pixels (0.1%) have no data")
    assert np.count_nonzero(scene.valid) == 1599


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.ones((40, 39)), ["another size than the cube", "labels (40, 39), cube (40, 40)"]),
        (np.full((40, 40), 0.5), ["not hold a label map", "not whole numbers"]),
        (np.full((40, 40), -1), ["cannot be labels", "from -1 to -1", "renumber"]),
        (np.full((40, 40), 99999), ["cannot be labels", "from 99999"]),
        (np.full((40, 40), np.nan), ["holds no label", "NaN or no-data"]),
        (np.zeros((40, 40)), ["no labelled pixels", "--labels"]),
        (np.ones((40, 40, 3)), ["several classes at once", "(rows, cols) map"]),
    ],
)
def test_labels(refused, folder, labels, words):
    name = saved(folder, "bad.npy", labels)
    refused(("train", "-m", "hu", "-s", "tiny.npy", "--labels", name), 3, *words)


def test_no_labels(refused):
    refused(("train", "-m", "hu", "-s", "tiny.npy"), 3, "no labelled pixels", "--labels")


# --- what a network and a split can take -----------------------------------------------------


@pytest.mark.parametrize("kind", ["disjoint", "random"])
def test_class_with_too_few_pixels(refused, folder, tiny, kind):
    labels = np.array(tiny.labels)
    labels[20, 20] = 5
    name = saved(folder, "few.npy", labels)
    command = ("train", "-m", "hu", "-s", "tiny.npy", "--labels", name, "--split", kind)
    # A disjoint split leaves such a class out, unless all are to be kept.
    command = (*command, "--keep-all")
    refused(command, 3, "class 5 (1 pixels", "allowed: ", "--drop-class 'class 5'")


def test_single_class(refused, folder):
    name = saved(folder, "one.npy", np.ones((40, 40), np.uint8))
    command = ("train", "-m", "hu", "-s", "tiny.npy", "--labels", name)
    refused(command, 2, "needs two classes or more", "received: 1 classes", "2 or more")


def test_too_few_bands(refused, folder, tiny):
    name = saved(folder, "narrow.npy", tiny.cube[:, :, :10])
    command = ("train", "-m", "he", "-s", name, "--labels", "labels.npy")
    refused(command, 2, "he cannot run", "received: 10 bands", "allowed: 17 or more")


def test_patch_out_of_range(refused):
    cao = ("train", "-m", "cao", *Shell.SCENE)
    words = ["does not fit into the scene", "41 x 41 in 40 x 40", "a side of 1 to 40", "--patch"]
    refused((*cao, "--patch", "41"), 2, *words)
    refused((*cao, "--patch", "3"), 2, "received: 3 x 3 pixels", "7 or more; the paper's is 9")
    refused((*HU, "--patch", "5"), 2, "hu cannot run with this patch", "allowed: a side of 1 to 1")
    refused((*cao, "--patch", "0"), 2, "received: 0")


# --- runs ------------------------------------------------------------------------------------


@pytest.fixture
def runs(trained, folder):
    """The folder with a trained network in it."""
    shutil.copytree(trained, folder / "models")
    return folder / "models" / "tiny" / "hu" / "a"


def test_from_no_run(refused, folder):
    refused((*INT8, "--from", "models/nope"), 2, "no such run", "received: models/nope")
    refused((*INT8, "--from", "."), 3, "no record", "received: record.json")
    (folder / "record.json").write_text("{}")
    refused((*INT8, "--from", "."), 3, "record.json is not a RunRecord", "make it again")


def test_from_a_run_that_was_interrupted(refused, folder):
    (folder / "plan.json").write_text("{}")
    refused((*INT8, "--from", "."), 2, "was interrupted", "repeat its train command")


def test_from_a_run_of_another_network(refused, runs):
    command = ("export", "-m", "cao", "--int8", "--from", str(runs))
    refused(command, 2, "holds another network", "received: --model cao", "allowed: hu")


def test_run_on_another_scene(refused, runs, folder, tiny):
    name = saved(folder, "other.npy", tiny.cube + 1)
    command = (
        "export",
        "-m",
        "hu",
        "--int8",
        "--from",
        str(runs),
        "-s",
        name,
        "--labels",
        "labels.npy",
    )
    refused(command, 3, "not the scene that the network was trained on", "train again")


def test_name_of_another_run(refused, runs):
    command = (*HU, "--epochs", "2", "--run", "a")
    refused(
        command,
        2,
        "differs in recipe.epochs",
        "received: recipe.epochs 2",
        "allowed: recipe.epochs 1",
        "--run",
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("network.keras", ["is not the network that its record describes", "train the network"]),
        ("record.json", ["is not a RunRecord", "received: "]),
        ("split.npz", ["does not hold the pixels of a split", "train the network again"]),
    ],
)
def test_damaged_run(refused, runs, name, words):
    (runs / name).write_bytes((runs / name).read_bytes()[:-100])
    refused([*INT8, "--from", "models/tiny/hu/a"], 3, name, *words)


def test_network_that_is_gone(refused, runs):
    (runs / "network.keras").unlink()
    refused(INT8, 3, "network.keras is not the network", "received: no such file")


# --- places to write -------------------------------------------------------------------------


def test_file_where_a_folder_has_to_be(refused, folder):
    (folder / "models").write_text("the user's own")
    refused(HU, 4, "models", "there is a file where a folder is needed", "move that file away")
    assert (folder / "models").read_text() == "the user's own"


def disk_of(bytes_left):
    """What makes every file of the child end there, as on a full disk."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, bytes_left))

    return limit


def on_a_full_disk(folder, bytes_left, verb, *words):
    return subprocess.run(
        [sys.executable, "-m", f"hsitf.{verb}", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        preexec_fn=disk_of(bytes_left),
    )


def test_full_disk_while_training(folder):
    # Room for the plan, not for the network.
    done = on_a_full_disk(folder, 30_000, *HU, "--epochs", "1", "--run", "a")
    assert_message(done, 4, "no room left on the disk", "network.keras", "free some space")
    assert files(folder / "models" / "tiny" / "hu" / "a") == ["plan.json"]


def test_full_disk_while_exporting(runs, folder):
    done = on_a_full_disk(folder, 30_000, *INT8, "--from", str(runs))
    assert_message(done, 4, "no room left on the disk", "free some space")
    assert not [path for path in (folder / "export").rglob("*") if path.is_file()]
    assert not list(Path(folder).rglob("*.part"))
