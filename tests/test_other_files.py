"""Files that name other files, or bring operators of their own: refused by name, nothing opened."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest
from conftest import ROOT
from onnx import TensorProto, helper

from hsitf import flatbuffer, litert_trial, runtimes
from hsitf.adopt import keras_file
from hsitf.adopt.source import ReadingContext
from hsitf.bench.subject import find_subjects
from hsitf.draw.onnx_file import onnx_graph
from hsitf.errors import DataError, InputError
from hsitf.hdf5_files import check_hdf5
from hsitf.inspection import onnx as inspect_onnx
from hsitf.runs import load_network
from hsitf.scenes import load


@pytest.fixture
def secret(tmp_path):
    """A file outside of the folder that is read."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["cube"] = np.arange(24.0).reshape(2, 3, 4)
    (tmp_path / "secret.raw").write_bytes(bytes(96))
    (tmp_path / "own").mkdir()
    return path


def linked(file, secret):
    file["cube"] = h5py.ExternalLink(str(secret), "/cube")


def stored_elsewhere(file, secret):
    raw = str(secret.with_suffix(".raw"))
    file.create_dataset("cube", (2, 3, 4), "f4", external=[(raw, 0, 96)])


def virtual(file, secret):
    layout = h5py.VirtualLayout((2, 3, 4), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "cube", (2, 3, 4))
    file.create_virtual_dataset("cube", layout)


def deep(file, secret):
    linked(file.create_group("a/b/c"), secret)
    file["cube"] = np.ones((2, 3, 4))


@pytest.mark.parametrize("refer", [linked, stored_elsewhere, virtual, deep])
@pytest.mark.parametrize("suffix", ["h5", "mat", "nc"])
def test_hdf5(secret, refer, suffix):
    path = secret.parent / "own" / f"cube.{suffix}"
    with h5py.File(path, "w") as file:
        refer(file, secret)
    with pytest.raises(DataError, match=r"takes content from other files.*secret"):
        load(path)


def test_hdf5_of_its_own(secret):
    """Links within a file, and datasets put together of its own, are content of its own."""
    path = secret.parent / "own" / "cube.h5"
    with h5py.File(path, "w") as file:
        file["a/part"] = np.ones((2, 3, 4))
        file["a/again"] = file["a"]
        file["a/soft"] = h5py.SoftLink("/a/part")
        layout = h5py.VirtualLayout((2, 3, 4), "f8")
        layout[:] = h5py.VirtualSource(".", "a/part", (2, 3, 4))
        file.create_virtual_dataset("cube", layout)
    assert load(path, variable="cube").cube.shape == (2, 3, 4)


def test_hdf5_groups_within_groups(tmp_path):
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        group = file
        for _ in range(200):
            group = group.create_group("a")
    with pytest.raises(DataError, match=r"nested too deeply.*101 within each other"):
        check_hdf5(tmp_path / "cube.h5")


def heaps(count: int, size: int) -> bytes:
    """Heaps within each other: each says to hold all that follows, object by object."""
    one = b"GCOL\x01\0\0\0" + size.to_bytes(8, "little")
    # An object of 16 bytes: its number, and that its content is of no length.
    one += b"\x01\0" + bytes(14)
    return one * count


def test_hdf5_with_heaps_within_each_other(tmp_path):
    """A small file whose heaps would be gone through again and again, for hours."""
    path = tmp_path / "many.h5"
    with h5py.File(path, "w", userblock_size=1 << 20) as file:
        file["cube"] = np.zeros(3)
    content = bytearray(path.read_bytes())
    content[: 1 << 20] = heaps(1 << 15, 1 << 19)
    path.write_bytes(content)
    with pytest.raises(DataError, match="a heap of texts that has no end"):
        check_hdf5(path)


# Kilobytes by which the peak memory of a process grows; `getrusage` would count that of its parent.
GROWTH = """
import re, sys
from pathlib import Path
import h5py
from hsitf.hdf5_files import check_hdf5

def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])

path = Path(sys.argv[1])
h5py.File(path, "r").close()
before = peak()
check_hdf5(path)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_large_hdf5_files_are_not_held_in_memory(tmp_path):
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        file["cube"] = np.ones((192, 1024, 1024), np.uint8)
    command = [sys.executable, "-c", GROWTH, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 64 << 10


def test_hdf5_with_a_heap_that_has_no_end(tmp_path):
    """Its free space says to be of no length, and the library would go through it for ever."""
    path = tmp_path / "cube.h5"
    with h5py.File(path, "w") as file:
        file["cube"] = np.ones((2, 3, 4))
        file.attrs["units"] = "nm"
    content = bytearray(path.read_bytes())
    at = content.index(b"GCOL") + 16
    # The text, then what is free.
    at += 16 + -(-int.from_bytes(content[at + 8 : at + 16], "little") // 8) * 8
    assert content[at : at + 2] == b"\0\0"
    content[at + 8 : at + 16] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(DataError, match="a heap of texts that has no end"):
        load(path)


def claim(content: bytes) -> int:
    """Where a file says how long the first of its texts is, of ten letters."""
    # Its length, where the texts are, and that it is the first of them.
    place = content.index(b"GCOL").to_bytes(8, "little") + (1).to_bytes(4, "little")
    return content.index((10).to_bytes(4, "little") + place)


@pytest.mark.parametrize("kind", ["text", "list"])
def test_hdf5_with_an_attribute_that_claims_to_be_long(tmp_path, kind):
    """The library would take 4 GB for it, and say only then that it is damaged."""
    path = tmp_path / "cube.h5"
    with h5py.File(path, "w") as file:
        file["cube"] = np.ones((2, 3, 4))
        file["other/near"] = np.ones(3)
        if kind == "text":
            file["other"].attrs["units"] = "nanometers"
        else:
            units = np.empty(1, object)
            units[0] = np.frombuffer(b"nanometers", "u1")
            file["other/near"].attrs.create("units", units, dtype=h5py.vlen_dtype("u1"))
    assert load(path, variable="cube").cube.shape == (2, 3, 4)
    content = bytearray(path.read_bytes())
    at = claim(content)
    content[at : at + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"an attribute of .* that is longer than the file"):
        load(path, variable="cube")


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("text", "x" * (80 << 20)),
        ("many texts", ["y" * 1000] * 40_000),
        ("many short texts", ["z" * 10] * 200_000),
        ("number", np.zeros(8 << 20)),
    ],
)
def test_hdf5_with_long_attributes(tmp_path, attribute, value):
    """What is as long as it says is read, in one piece of the file or in many."""
    path = tmp_path / "cube.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["cube"] = np.ones((2, 3, 4))
        file["cube"].attrs[attribute] = value
        file["cube"].attrs["units"] = "nm"
    assert load(path).cube.shape == (2, 3, 4)


def test_a_long_attribute_behind_a_damaged_one(tmp_path):
    """Attributes that cannot be read at all hide none of the others."""
    path = tmp_path / "cube.h5"
    with h5py.File(path, "w") as file:
        file["cube"] = np.ones((2, 3, 4))
        file["aaa"] = np.ones(3)
        file["aaa"].attrs["number"] = 1
        file["other"] = np.ones(3)
        file["other"].attrs["units"] = "nanometers"
    content = bytearray(path.read_bytes())
    at = claim(content)
    content[at : at + 4] = b"\xff\xff\xff\x7f"
    # The version of the message, which the name is eight bytes behind.
    content[content.index(b"number\0") - 8] = 77
    path.write_bytes(content)
    with pytest.raises(DataError, match="an attribute of 'other' that is longer"):
        check_hdf5(path)


@pytest.mark.parametrize("module", ["h5py", "numpy", "resource"])
def test_modules_of_the_current_folder_are_not_run(tmp_path, monkeypatch, module):
    """A file is tried by another process, which starts where the user is: among anybody's files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{module}.py").write_text("open('was-run', 'w').close()")
    with h5py.File("cube.h5", "w") as file:
        file["cube"] = np.ones((2, 3, 4))
        file.attrs["units"] = "nm"
    check_hdf5(Path("cube.h5"))
    (tmp_path / "a.tflite").write_bytes(b"")
    words = [sys.executable, "-c", litert_trial.PROGRAM, "a.tflite"]
    subprocess.run(words, capture_output=True, check=False)
    assert not (tmp_path / "was-run").exists()


# --- networks ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    import keras

    path = tmp_path_factory.mktemp("network") / "small.keras"
    given = keras.Input((3,))
    keras.Model(given, keras.layers.Dense(2)(given)).save(path)
    return path


def changed(network, tmp_path, change):
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(network) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            target.writestr(info.filename, change(info.filename, source.read(info), target))
    return path


def refused(path, words):
    for read in (load_network, partial(keras_file.read, context=ReadingContext(3, 2))):
        with pytest.raises(DataError, match=words):
            read(path)


def test_weights_of_keras_that_are_elsewhere(network, secret, tmp_path):
    def change(name, content, target):
        if not name.endswith(".h5"):
            return content
        place = tmp_path / "weights.h5"
        place.write_bytes(content)
        with h5py.File(place, "r+") as file:
            file["more"] = h5py.ExternalLink(str(secret), "/cube")
        return place.read_bytes()

    refused(changed(network, tmp_path, change), r"takes content from other files.*/more")


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil", "..\\evil", "C:evil"])
def test_archives_of_keras_that_lead_elsewhere(network, tmp_path, name):
    def change(own, content, target):
        if own == "config.json":
            target.writestr(name, b"evil")
        return content

    refused(changed(network, tmp_path, change), "which leads out of the archive")


def test_archives_of_keras_with_links(network, tmp_path):
    def change(own, content, target):
        if own == "config.json":
            info = zipfile.ZipInfo("assets/link")
            info.external_attr = 0o120777 << 16
            target.writestr(info, b"/etc/passwd")
        return content

    refused(changed(network, tmp_path, change), "'assets/link', which is a link")


def onnx_file(path, domain="", **external):
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], [0.0] * 6)
    if external:
        weights.ClearField("float_data")
        weights.data_location = TensorProto.EXTERNAL
        for key, value in external.items():
            weights.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], domain=domain)],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [weights],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("evil", 1)]
    path.write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    )
    return path


@pytest.mark.parametrize("location", ["../secret.raw", "/etc/passwd", "beside.raw"])
def test_weights_of_onnx_that_are_elsewhere(secret, location):
    path = onnx_file(secret.parent / "own" / "a.onnx", location=location, length="24")
    (path.parent / "beside.raw").write_bytes(bytes(24))
    for read in (inspect_onnx, onnx_graph, runtimes.OnnxRuntime, lambda one: find_subjects([one])):
        with pytest.raises(InputError, match="keeps weights in another file; received: w"):
            read(path)


def test_onnx_whose_shapes_cannot_be_inferred(tmp_path):
    node = helper.make_node("Reshape", ["x", "shape"], [], name="nowhere")
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [3, 2])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (2, 3)) for name in ("x", "y")]
    path = tmp_path / "a.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:], [shape])), path)
    with pytest.raises(DataError, match="does not hold an ONNX model"):
        inspect_onnx(path)


def test_operators_of_ones_own_in_onnx(tmp_path):
    assert runtimes.OnnxRuntime(onnx_file(tmp_path / "plain.onnx")).output.shape == (1, 2)
    path = onnx_file(tmp_path / "a.onnx", "evil")
    with pytest.raises(DataError, match=r"ONNX Runtime cannot run.*evil"):
        runtimes.OnnxRuntime(path)


def test_operators_of_ones_own_in_tflite(tmp_path):
    from ai_edge_litert import schema_py_generated as schema

    tensors = []
    for name in (b"x", b"y"):
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name, tensor.buffer = [1, 4], 0, name, 0
        tensors.append(tensor)
    code = schema.OperatorCodeT()
    code.builtinCode = schema.BuiltinOperator.CUSTOM
    code.deprecatedBuiltinCode, code.customCode = schema.BuiltinOperator.CUSTOM, b"Evil"
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = tensors, [0], [1], [operator]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT()]
    path = tmp_path / "a.tflite"
    path.write_bytes(flatbuffer.to_bytes(model))
    with pytest.raises(DataError, match=r"LiteRT cannot run.*custom op.*Evil"):
        runtimes.LiteRT(path)
    for damage, words in (
        (lambda: setattr(operator, "outputs", [7]), "tensor 7 of 2"),
        (lambda: setattr(tensors[0], "buffer", 9), "buffer 9 of 1"),
        (lambda: setattr(graph, "inputs", [-1]), "input -1 of 2"),
        (lambda: setattr(operator, "opcodeIndex", 3), "operator 3 of 1"),
        (lambda: setattr(tensors[1], "shape", [1 << 20, 1 << 20]), "a tensor of shape"),
    ):
        before = [(one, dict(vars(one))) for one in (operator, *tensors, graph)]
        damage()
        path.write_bytes(flatbuffer.to_bytes(model))
        with pytest.raises(DataError, match=words):
            runtimes.LiteRT(path)
        for one, values in before:
            vars(one).update(values)


# --- rasters ----------------------------------------------------------------------------------

VRT = """<VRTDataset rasterXSize="3" rasterYSize="2"><VRTRasterBand dataType="Float32" band="1">
<SimpleSource><SourceFilename relativeToVRT="0">{}</SourceFilename><SourceBand>1</SourceBand>
</SimpleSource></VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize("name", ["cube.tif", "cube.img", "cube.nc", "cube.mat", "cube.npy"])
def test_virtual_rasters_under_another_suffix(secret, name):
    path = secret.parent / "own" / name
    path.write_text(VRT.format(secret.with_suffix(".raw")))
    with pytest.raises((DataError, InputError)):
        load(path)


def test_virtual_rasters_by_their_own_suffix(secret):
    path = secret.parent / "own" / "cube.vrt"
    path.write_text(VRT.format(secret.with_suffix(".raw")))
    with pytest.raises(InputError, match="a suffix that no reader is known for"):
        load(path)
