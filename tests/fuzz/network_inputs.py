"""Trained networks, exported files, records and studies: honest ones, and what reads them."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mutators import BYTES, JSON, LINES, ZIP, packed, unpacked
from tries import InputKind

from hsitf import bands, records, runs, trust
from hsitf.files import sha256
from hsitf.records import RunRecord, RunStart, SceneChoice

STUDIO = Path("studio")
"""Folder of what the program itself has made, once for all kinds; see `begin`."""

_RUN = "models/tiny/hu/a"
_INT8, _FLOAT, _ONNX = (f"export/tiny/hu/{name}" for name in ("int8", "float32", "onnx"))
_TFLITE, _ONNX_FILE = f"{_INT8}/hu.tflite", f"{_ONNX}/hu.onnx"
_PROGRAM = "export/tiny/hu/saved-model"
_STATE = "models/tiny/hu/begun/state.npz"
_PLAN = "models/tiny/hu/begun/plan.json"
_SCENE = ("--scene", "tiny.npy", "--labels", "labels.npy")


def begin(place: Path) -> None:
    """Sets the folder that everything is made in when it is first needed."""
    global STUDIO
    STUDIO = place / "studio"


def studio(folder: Path) -> None:
    """Fills a folder with a scene, trained networks, and files exported from one."""
    if not STUDIO.exists():
        _build(STUDIO)
    shutil.copytree(STUDIO, folder, dirs_exist_ok=True)


def _build(place: Path) -> None:
    from hsitf.scenes.synthetic import synthesize

    place.mkdir()
    os.chdir(place)
    os.environ["XDG_CONFIG_HOME"] = str(place / "configuration")
    scene = synthesize("tiny", 40, 40, 24, 4, seed=0)
    np.save("tiny.npy", scene.cube)
    np.save("labels.npy", scene.labels)
    train = ("train", "-m", "hu", *_SCENE, "--epochs", "1", "--run")
    command(*train, "a")
    command(*train, "reduced", "--bands", "pca:12")
    kinds = ("--int8", "--onnx", "--saved-model", "--float32")
    command("export", "--from", _RUN, *_SCENE, *kinds, "--android")
    _interrupt(place / _RUN, place / "models/tiny/hu/begun")


def command(verb: str, *words: str) -> None:
    """Types a command; its message is an error where it has one.

    Raises:
        RuntimeError: It ended with a status that is not zero.
    """
    from importlib import import_module

    module = import_module(f"hsitf.commands.{verb}")
    import sys

    sys.argv = [f"hsitf {verb}", *words]
    from hsitf.commands.application import run

    try:
        run(module.app, list(words))
    except SystemExit as end:
        if end.code:
            raise CommandRefusedError(f"{verb} ended with status {end.code}") from end


class CommandRefusedError(RuntimeError):
    """A command that ended with a message and a status."""


def _interrupt(finished: Path, begun: Path) -> None:
    """A run as it is after the first of two epochs."""
    from hsitf.train.checkpoint import Checkpoint, model_variables, write_checkpoint
    from hsitf.train.schedule import optimizer

    record = records.read(RunRecord, finished / runs.RECORD)
    plan = replace(record.plan, recipe=replace(record.plan.recipe, epochs=2))
    begun.mkdir()
    records.write(RunStart(records.SCHEMA, plan, record.scene, record.split), begun / runs.PLAN)
    shutil.copy(finished / runs.SPLIT, begun)
    network = runs.Run(finished, record).network()
    network.compile(optimizer(plan.recipe))
    network.optimizer.build(network.trainable_variables)
    values = [np.asarray(one) for one in model_variables(network)]
    state = Checkpoint(list(record.history), values, network.get_weights(), 1.0)
    write_checkpoint(state, begun / runs.CHECKPOINT)


# --- runs -------------------------------------------------------------------------------------


def read_run(folder: Path) -> None:
    """Opens a run with everything in its folder."""
    run = runs.Run.open(folder / _RUN)
    run.split()
    run.predictions()
    run.reducer()
    run.network()
    run.data(SceneChoice(str(folder / "tiny.npy"), labels=str(folder / "labels.npy")))
    _ = run.label


def read_network(folder: Path) -> None:
    """Loads a network, whatever its digest."""
    runs.load_network(folder / _RUN / runs.NETWORK)


def read_bands(folder: Path) -> None:
    """Reads a band reduction, whatever its digest, and applies it."""
    reducer = bands.read(folder / "models/tiny/hu/reduced" / runs.BANDS)
    reducer.apply(np.ones((2, reducer.bands), np.float32))


def resume(folder: Path) -> None:
    """Goes on with an interrupted training in the current folder."""
    command("train", "-m", "hu", *_SCENE, "--epochs", "2", "--run", "begun")


def read_checkpoint(folder: Path) -> None:
    """Reads the state of an interrupted training into its network."""
    from hsitf.train.checkpoint import read_checkpoint as read

    read(folder / "models/tiny/hu/begun" / runs.CHECKPOINT)


# --- bundles ----------------------------------------------------------------------------------


def read_bundle(bundle: str, folder: Path) -> None:
    """Opens a bundle, with the digest that its record says."""
    from hsitf.classify.source import classifier_of_bundle
    from hsitf.export.bundle import Bundle

    opened = Bundle.open(folder / bundle)
    with opened.golden(["stored_inputs", "stored_outputs"]):
        pass
    classifier_of_bundle(folder / bundle, 1)


def run_bundle(bundle: str, folder: Path) -> None:
    """Opens a bundle whose file and record were both changed, and runs its golden vectors."""
    from hsitf.classify.source import classifier_of_bundle
    from hsitf.export.bundle import Bundle
    from hsitf.export.variants import variant

    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "bundle"
        shutil.copytree(folder / bundle, copy)
        record = json.loads((copy / "record.json").read_bytes())
        record["sha256"] = sha256(copy / record["file"])
        (copy / "record.json").write_text(json.dumps(record))
        classifier_of_bundle(copy, 1)
        opened = Bundle.open(copy)
        runtime = variant(opened.record.variant).runtime(opened.file, 1)
        with opened.golden(["stored_inputs"]) as golden:
            runtime.infer(golden["stored_inputs"][: runtime.batch])


def inspect(path: str, folder: Path) -> None:
    """Looks into a file: its operators, its drawing, and what the benchmark finds."""
    from hsitf.bench.subject import find_subjects
    from hsitf.draw.source import DrawingOptions, open_boxes
    from hsitf.export.variants import format_of

    file = folder / path
    for look in (
        lambda: format_of(file).inspect(file),
        lambda: open_boxes(DrawingOptions(None, file, None, None, None, None)),
        lambda: find_subjects([file]),
    ):
        _or_message(look)


def _or_message(read: Callable[[], object]) -> None:
    """Reads; a message of the program's own is as good, so that what follows is read, too."""
    from hsitf.errors import HsitfError

    with suppress(HsitfError):
        read()


def read_program(folder: Path) -> None:
    """Opens a SavedModel, which has to be the signed one to the last byte."""
    os.environ["XDG_CONFIG_HOME"] = str(folder / "configuration")
    (program,) = (one for one in (folder / _PROGRAM).iterdir() if one.is_dir())
    if not trust.is_signed(program):
        trust.require(program)


def read_archive(folder: Path) -> None:
    """Reads the records in an archive for the Android demo."""
    from hsitf.bench.android import _records, archives

    for path in archives([folder / "export/tiny/hu/android-int8.zip"]):
        _records(path)


# --- networks from elsewhere ------------------------------------------------------------------


def _network() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    given = keras.Input((24,))
    hidden = keras.layers.Dense(8, "relu", name="hidden")(given)
    return keras.Model(given, keras.layers.Dense(4, name="logits")(hidden), name="mine")


def adopted_keras(folder: Path) -> None:
    path = folder / "mine.keras"
    _network().save(path)
    # Without the date of its making.
    path.write_bytes(packed(unpacked(path.read_bytes())))


def adopted_hdf5(folder: Path) -> None:
    _network().save(folder / "mine.h5")


def adopted_onnx(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = [random.random(shape, np.float32) for shape in ((24, 8), (8,), (8, 4))]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w0"], ["a"]),
            helper.make_node("Add", ["a", "w1"], ["b"]),
            helper.make_node("Relu", ["b"], ["c"]),
            helper.make_node("MatMul", ["c", "w2"], ["y"]),
        ],
        "mine",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 24])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(one, f"w{at}") for at, one in enumerate(weights)],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save(model, folder / "mine.onnx")


def _weights() -> dict[str, np.ndarray]:
    """Weights of hu of 24 bands and 4 classes, as PyTorch names and shapes them."""
    from hsitf import zoo

    found = {}
    for layer in zoo.build("hu", bands=24, classes=4, patch=1).layers:
        for variable in layer.weights:
            value = np.asarray(variable)
            if variable.name == "kernel":
                value = np.moveaxis(value, (-1, -2), (0, 1)) if value.ndim > 2 else value.T
            kind = "weight" if variable.name == "kernel" else "bias"
            found[f"{layer.name}.{kind}"] = np.ascontiguousarray(value)
    return found


def adopted_safetensors(folder: Path) -> None:
    head: dict[str, Any] = {}
    content = b""
    for name, value in _weights().items():
        ends = [len(content), len(content) + value.nbytes]
        head[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": ends}
        content += value.tobytes()
    text = json.dumps(head).encode()
    (folder / "mine.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + content)


def adopted_pickle(folder: Path) -> None:
    inside = pickle.dumps({"state_dict": {"a": [1.0] * 8, "b": "text"}}, protocol=2)
    (folder / "mine.pth").write_bytes(
        packed([("mine/data.pkl", inside), ("mine/data/0", bytes(64)), ("mine/version", b"3\n")])
    )


def adopt(name: str, folder: Path) -> None:
    """Reads a network that was trained elsewhere."""
    from hsitf.adopt.formats import format_of_file
    from hsitf.adopt.source import ReadingContext

    path = folder / name
    format_of_file(path).read(path, ReadingContext(24, 4))


def read_pickle(folder: Path) -> None:
    """Looks at what a pickle asks for; nothing of it is built."""
    from hsitf.adopt.pytorch.pickled import requested_names

    requested_names(folder / "mine.pth")


def preprocessing_json(folder: Path) -> None:
    content = {"bands": [0, 2, 1], "mean": [0.1, 0.2, 0.3], "scale": 2.0}
    content["components"] = [[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]
    content["component_scale"] = [1.0, 2.0]
    (folder / "given.json").write_text(json.dumps(content))


def preprocessing_npz(folder: Path) -> None:
    np.savez(folder / "given.npz", mean=np.zeros(4), scale=np.ones(4), components=np.eye(4)[:2])


def read_preprocessing(name: str, folder: Path) -> None:
    """Reads what is computed of bands before they enter a network."""
    from hsitf.adopt.preprocessing.file import from_file

    from_file(folder / name, np.random.default_rng(0).random((20, 4), np.float32))


KINDS = [
    InputKind("run record", f"{_RUN}/record.json", studio, read_run, JSON, 2),
    InputKind("run split", f"{_RUN}/split.npz", studio, read_run, ZIP),
    InputKind("run predictions", f"{_RUN}/predicted.npz", studio, read_run, ZIP),
    InputKind("run network, digest unknown", f"{_RUN}/network.keras", studio, read_run, ZIP, 0.3),
    InputKind("run network", f"{_RUN}/network.keras", studio, read_network, ZIP, 0.5),
    InputKind("reduction of bands", "models/tiny/hu/reduced/bands.npz", studio, read_bands, ZIP),
    InputKind("training state", _STATE, studio, read_checkpoint, ZIP),
    InputKind("train: state", _STATE, studio, resume, ZIP, 0.05, (CommandRefusedError,), here=True),
    InputKind("train: plan", _PLAN, studio, resume, JSON, 0.05, (CommandRefusedError,), here=True),
    *(
        InputKind(f"bundle {name} {what}", f"{place}/{file}", studio, partial(read, place), damage)
        for name, place, read in (("int8", _INT8, read_bundle), ("onnx", _ONNX, read_bundle))
        for what, file, damage in (
            ("record", "record.json", JSON),
            ("golden vectors", "golden.npz", ZIP),
        )
    ),
    *(
        InputKind(
            f"bundle {name} file", f"{place}/{file}", studio, partial(run_bundle, place), BYTES
        )
        for name, place, file in (
            ("int8", _INT8, "hu.tflite"),
            ("float32", _FLOAT, "hu.tflite"),
            ("onnx", _ONNX, "hu.onnx"),
        )
    ),
    InputKind("file .tflite", _TFLITE, studio, partial(inspect, _TFLITE), BYTES),
    InputKind("file .onnx", _ONNX_FILE, studio, partial(inspect, _ONNX_FILE), BYTES),
    InputKind("SavedModel", f"{_PROGRAM}/hu/saved_model.pb", studio, read_program, BYTES),
    InputKind("signature", f"{_PROGRAM}/hu.signature", studio, read_program, LINES),
    InputKind("signing key", "configuration/hsitf/signing-key", studio, read_program, BYTES),
    InputKind("Android archive", "export/tiny/hu/android-int8.zip", studio, read_archive, ZIP, 0.5),
    InputKind("adopt .keras", "mine.keras", adopted_keras, partial(adopt, "mine.keras"), ZIP, 0.5),
    InputKind("adopt .h5", "mine.h5", adopted_hdf5, partial(adopt, "mine.h5"), BYTES, 0.5),
    InputKind("adopt .onnx", "mine.onnx", adopted_onnx, partial(adopt, "mine.onnx"), BYTES),
    InputKind(
        "adopt .safetensors",
        "mine.safetensors",
        adopted_safetensors,
        partial(adopt, "mine.safetensors"),
        BYTES,
        0.2,
    ),
    InputKind("adopt .pth", "mine.pth", adopted_pickle, read_pickle, ZIP),
    InputKind(
        "preprocessing .json",
        "given.json",
        preprocessing_json,
        partial(read_preprocessing, "given.json"),
        JSON,
    ),
    InputKind(
        "preprocessing .npz",
        "given.npz",
        preprocessing_npz,
        partial(read_preprocessing, "given.npz"),
        ZIP,
    ),
]
