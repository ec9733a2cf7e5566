"""Networks from outside the package: files of one's own and installed packages."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from hsitf import records, zoo
from hsitf.errors import InputError, MissingInputError
from hsitf.options import SplitChoice, named_network, training_plan
from hsitf.records import RunRecord, SceneChoice
from hsitf.sweep.cells import expand_cells, training_plan_of
from hsitf.sweep.study import parse
from hsitf.zoo import _files

NET = """
from keras import Input, Model, layers

from hsitf.zoo import Network

NETWORK = Network(paper="", patch=3)


def build(bands, classes, patch):
    inputs = x = Input((patch, patch, bands))
    x = layers.Conv2D(8, 3, activation="relu")(x)
    x = layers.Flatten()(x)
    return Model(inputs, layers.Dense(classes)(x))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, and no files known from before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_files, "FILES", {})
    return tmp_path


def write(folder, text, name="net.py"):
    (folder / name).write_text(text)
    return name


def test_a_scene_that_a_file_does_not_find_is_shown_as_itself(folder):
    path = write(folder, f"{NET}\nimport hsitf\nhsitf.load_scene('gone.npy')\n")
    zoo.known(path)
    with pytest.raises(MissingInputError) as caught:
        zoo.network("net")
    line = len(f"{NET}\nimport hsitf\n".splitlines()) + 1
    assert str(caught.value).startswith(f"net.py, line {line}: there is no file gone.npy; ")
    assert "Error" not in str(caught.value)
    assert "correct the file" not in str(caught.value)


def test_a_file_is_a_network(folder):
    path = write(folder, NET)
    assert zoo.known(path) == "net"
    assert "net" in zoo.names()
    assert zoo.network("net").patch == 3
    model = zoo.build(path, bands=7, classes=4)
    assert (model.input_shape, model.output_shape) == ((None, 3, 3, 7), (None, 4))
    # 8 kernels of 3 x 3 x 7, and a position of 8 channels to 4 logits.
    assert model.count_params() == 8 * 63 + 8 + 8 * 4 + 4


def test_without_a_recipe_it_is_trained_by_the_default_one(folder):
    zoo.known(write(folder, NET))
    facts = zoo.network("net")
    assert facts.recipe == zoo.DEFAULT_RECIPE == zoo.Recipe("adam", 1e-3, 100, 100)
    assert facts.short_epochs == 20
    assert zoo.Network("", 3, zoo.Recipe("sgd", 0.1, epochs=3)).short_epochs == 1


def test_a_plan_holds_the_digest_of_the_file(folder):
    path = write(folder, NET)
    plan = training_plan(path, SceneChoice("fields"), SplitChoice(), "short")
    assert plan.network == "net"
    assert plan.network_sha256 == hashlib.sha256(NET.encode()).hexdigest()
    assert training_plan("hu", SceneChoice("fields"), SplitChoice(), "short").network_sha256 == ""


def test_a_changed_file_is_read_again(folder):
    path = write(folder, NET)
    zoo.build(path, bands=7, classes=4)
    write(folder, NET.replace("Conv2D(8", "Conv2D(16"))
    assert zoo.build(path, bands=7, classes=4).layers[1].filters == 16


def test_a_file_is_not_run_before_its_network_is_asked_for(folder):
    path = write(folder, 'raise RuntimeError("was run")')
    assert zoo.known(path) == "net"
    with pytest.raises(InputError, match=r"net\.py, line 1: .*RuntimeError: was run"):
        zoo.network("net")


def test_two_files_of_one_name_are_refused(folder):
    (folder / "other").mkdir()
    zoo.known(write(folder, NET))
    other = write(folder, NET, "other/net.py")
    assert zoo.known(other) == "net"
    write(folder, NET + "\n# of another kind\n", other)
    with pytest.raises(InputError, match=r"other/net\.py and net\.py; rename one"):
        zoo.known(other)


def test_unknown_networks_have_no_facts():
    assert zoo.facts("nothing-of-the-kind") is None
    assert zoo.facts("hu") == zoo.network("hu")


HEAD = NET.split("def build")[0]
BODY = "def build" + NET.split("def build")[1]
NOT_BUILT = (
    "\n\ndef build(bands, classes, patch):\n"
    "    inputs = Input((patch, patch, bands))\n    x = layers.Flatten()(inputs)\n    "
)
BROKEN = {
    "syntax": (NET.replace("def build(", "def build"), r"net\.py, line 9 is not Python.*Syntax"),
    "import": (
        "import nothing_here\n" + NET,
        r"line 1: there is no module 'nothing_here'.*install",
    ),
    "no facts": (BODY, r"net\.py does not say what network it is.*NETWORK = Network"),
    "other facts": ("NETWORK = 5\n" + BODY, "a NETWORK of type int"),
    "facts refused": (NET.replace("patch=3", "patch=0"), r"line 6: .*patch is out of range"),
    "a recipe of another kind": (
        NET.replace("patch=3", "patch=3, recipe={'lr': 1}"),
        r"line 6: .*the recipe of a network is none",
    ),
    "no build": (HEAD, "does not build its network.*def build"),
    "a name": (NET.replace("layers.Flatten", "layer.Flatten"), "line 12: build.*NameError: name"),
    "layers that do not fit": (
        NET.replace("Conv2D(8, 3", "Conv2D(8, 5"),
        r"line 11: build\(bands=7, classes=4, patch=3\) failed.*ValueError.*another --patch",
    ),
    "nothing": (HEAD + NOT_BUILT + "x = None", "returns no functional model; received: NoneType"),
    "a subclass": (
        HEAD + "class Net(Model):\n    pass\n" + NOT_BUILT + "return Net()",
        "returns no functional model; received: Net; .*keras.Input",
    ),
    "other shapes": (
        NET.replace("Dense(classes)", "Dense(9)"),
        r"other shapes; received: \(None, 3, 3, 7\) to \(None, 9\); allowed: .* to \(None, 4\)",
    ),
    "two outputs": (HEAD + NOT_BUILT + "return Model(inputs, [x, x])", "of other shapes"),
    "a lambda": (
        HEAD
        + NOT_BUILT
        + "return Model(inputs, layers.Dense(classes)(layers.Lambda(lambda x: x, name='l')(x)))",
        "the Lambda layer 'l'; write keras.ops",
    ),
    "probabilities": (
        NET.replace("Dense(classes)", "Dense(classes, activation='softmax')"),
        "returns probabilities; received: softmax in the last layer 'dense.*; allowed: logits",
    ),
    "a layer of probabilities": (
        HEAD + NOT_BUILT + "return Model(inputs, layers.Softmax()(layers.Dense(classes)(x)))",
        "received: softmax in",
    ),
    "a decoder that is missing": (
        NET.replace("patch=3", "patch=3, reconstruction_weight=1.0"),
        "has no decoder.*def semi_supervised",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_refused_in_one_message(kind, folder):
    text, message = BROKEN[kind]
    path = write(folder, text)
    with pytest.raises(InputError, match=f"(?s){message}") as caught:
        zoo.build(path, bands=7, classes=4)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.py", r"there is no such file of a network; received: .*missing\.py"),
        ("hu.py", "there is a network 'hu' already"),
        ("svm.py", "there is a network 'svm' already"),
        ("my net.py", "a network cannot have this name"),
    ],
)
def test_files_that_cannot_be_named_are_refused(name, message, folder):
    if name != "missing.py":
        write(folder, NET, name)
    with pytest.raises(InputError, match=message):
        zoo.known(name)


def test_a_large_file_is_refused(folder):
    path = write(folder, "#" * (1 << 20) + "\n")
    with pytest.raises(InputError, match="received: 1,048,577 bytes"):
        zoo.known(path)


def test_old_plans_are_read_without_a_digest():
    assert records.TrainingPlan.__dataclass_fields__["network_sha256"].default == ""


def test_a_sequential_model_is_taken(folder):
    body = (
        "def build(bands, classes, patch):\n    import keras\n"
        "    return keras.Sequential([Input((patch, patch, bands)), layers.Flatten(), "
        "layers.Dense(classes)])\n"
    )
    model = zoo.build(write(folder, HEAD + body), bands=7, classes=4)
    assert hasattr(model, "_nodes_by_depth")
    assert model.output_shape == (None, 4)


PACKAGE = {
    "nets/__init__.py": "",
    "nets/mean.py": NET.replace('paper=""', 'paper="Someone, 2020"'),
    "nets/broken.py": "raise ValueError('of another version')",
    "nets-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: nets\nVersion: 1.0\n",
    "nets-1.0.dist-info/entry_points.txt": "[hsitf.networks]\nmean = nets.mean\n"
    "broken = nets.broken\nhu = nets.mean\ntwice = nets.mean\na.b = nets.mean\n",
    "more-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: more\nVersion: 1.0\n",
    "more-1.0.dist-info/entry_points.txt": "[hsitf.networks]\ntwice = nets.mean\n",
}
ASKED = """
import json, sys, warnings
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    from hsitf import zoo
    from hsitf.errors import InputError
    names = zoo.names()
    zoo.names()
loaded = [name for name in sys.modules if name.startswith(("nets", "keras"))]
def refused(call):
    try:
        call()
    except InputError as error:
        return str(error)
print(json.dumps({
    "names": names,
    "said": [str(one.message) for one in said],
    "loaded": loaded,
    "paper": zoo.network("mean").paper,
    "shape": zoo.build("mean", bands=7, classes=4).output_shape,
    "digest": zoo.file_sha256("mean"),
    "hu": zoo.network("hu").patch,
    "broken": refused(lambda: zoo.network("broken")),
    "twice": refused(lambda: zoo.network("twice")),
    "taken": refused(lambda: zoo.register("mean", zoo.network("hu"), lambda *given: None)),
}))
"""


@pytest.fixture(scope="module")
def plugged(tmp_path_factory):
    """What a process says in which a package adds networks, right and wrong ones."""
    folder = tmp_path_factory.mktemp("site")
    for path, text in PACKAGE.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", ASKED],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_packages_add_networks(plugged):
    assert {"mean", "broken", "hu"} <= set(plugged["names"])
    assert plugged["paper"] == "Someone, 2020"
    assert plugged["shape"] == [None, 4]
    text = PACKAGE["nets/mean.py"]
    assert plugged["digest"] == hashlib.sha256(text.encode()).hexdigest()


def test_packages_are_listed_without_being_loaded(plugged):
    assert plugged["loaded"] == []


def test_names_that_packages_cannot_have_are_said_once(plugged):
    assert not {"twice", "a.b"} & set(plugged["names"])
    assert sorted(plugged["said"]) == [
        "'a.b' of the package nets is left out: a network cannot have this name",
        "'hu' of the package nets is left out: hsitf has a network of this name itself",
        "'twice' of the package more is left out: several packages have a network of this name",
        "'twice' of the package nets is left out: several packages have a network of this name",
    ]
    assert plugged["hu"] == 1
    assert "unknown network 'twice'" in plugged["twice"]


def test_a_broken_package_is_refused_alone(plugged):
    assert plugged["broken"].startswith(
        "the network 'broken' of the package nets cannot be loaded; "
        "received: ValueError: of another version; correct, update or uninstall"
    )
    assert "there is a network 'mean' already" in plugged["taken"]


RUN = "models/tiny/net/v1"


@pytest.fixture(scope="module")
def trained(shell):
    """A folder in which a network of a file was trained, and the file taken away."""
    (shell.folder / "net.py").write_text(NET.replace('paper=""', 'paper="Someone, 2020"'))
    words = ("--model", "net.py", "--epochs", "3", "--run", "v1", *shell.SCENE)
    done = shell("train", *words)
    assert done.returncode == 0, done.stderr
    (shell.folder / "net.py").rename(shell.folder / "net.txt")
    return shell


def test_export_needs_a_run_and_not_its_file(trained):
    done = trained("export", "--from", RUN, "--float32")
    assert done.returncode == 0, done.stderr
    assert (trained.folder / "export/tiny/net/float32/net.tflite").is_file()


def test_pruning_needs_a_run_and_not_its_file(trained):
    done = trained("prune", "--from", RUN, "--ratio", "0.5", "--epochs", "1", "--run", "small")
    assert done.returncode == 0, done.stderr
    whole, small = (
        records.read(RunRecord, trained.folder / f"models/tiny/net/{name}/record.json")
        for name in ("v1", "small")
    )
    assert small.paper == whole.paper == "Someone, 2020"
    assert small.plan.network_sha256 == whole.plan.network_sha256 != ""
    assert small.parameters < whole.parameters


def test_a_name_without_its_file_is_found_by_its_runs(trained):
    done = trained("export", "--model", "net", "--float32")
    assert done.returncode == 0, done.stderr
    assert "using models/tiny/net/v1" in done.stderr
    done = trained("train", "--model", "net", *trained.SCENE)
    assert done.returncode == 2
    assert "unknown network 'net'" in done.stderr
    done = trained("export", "--model", "net", "--from", RUN, "--float32")
    assert done.returncode == 0, done.stderr


def test_a_changed_file_is_not_taken_for_the_trained_one(trained):
    path = trained.folder / "net.py"
    path.write_text((trained.folder / "net.txt").read_text())
    words = ("--model", "net.py", "--epochs", "3", "--run", "v1", *trained.SCENE)
    assert "is trained already" in trained("train", *words).stderr
    assert (
        "using models/tiny/net/v1"
        in trained("export", *words[:2], "--float32", *trained.SCENE).stderr
    )
    path.write_text(path.read_text() + "\n# another network\n")
    done = trained("train", *words)
    assert done.returncode == 2
    assert "was trained with another version of the file that defines net" in done.stderr
    assert "--from" in done.stderr


def test_networks_that_hsitf_does_not_know_are_named(folder):
    zoo.known(write(folder, NET))
    assert named_network("net.py", None) == "net"
    with pytest.raises(InputError, match="a file of your own"):
        named_network(None, None)


def test_a_batch_passes_a_network_of_ones_own(folder):
    model = zoo.build(write(folder, NET), bands=7, classes=4)
    assert model(np.zeros((2, 3, 3, 7), np.float32)).shape == (2, 4)


STUDY = """
title = "A network of one's own"
[[grid]]
name = "both"
network = ["net.py", "hu"]
epochs = 3
"""


def test_studies_take_files(folder):
    path = write(folder, NET)
    study = parse("own", STUDY)
    found = expand_cells(study, {"fields": SceneChoice("fields")})
    assert [cell.settings.network for cell in found.cells] == ["net", "hu"]
    assert found.network_files == (path,)
    assert found.network_sha256 == {"net": hashlib.sha256(NET.encode()).hexdigest()}
    # A worker is told the paths, and knows the network by its name.
    _files.FILES.clear()
    assert zoo.facts("net") is None
    zoo.known(found.network_files[0])
    plan = training_plan_of(found.cells[0].settings, SceneChoice("fields"))
    assert plan.network_sha256 == found.network_sha256["net"]


def test_patches_that_a_network_cannot_have_are_refused(folder):
    path = write(folder, NET.replace("patch=3", "patch=5, min_patch=3"))
    with pytest.raises(InputError, match="a side of 3 or more; its author's is 5"):
        zoo.build(path, bands=7, classes=4, patch=2)
