"""Checkpoints of PyTorch: matched by shape and order, refused by name; those of toolboxes."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import sys
import zipfile

import keras
import numpy as np
import pytest
from networks import GEOMETRY, randomized

from hsitf import zoo
from hsitf.adopt import pytorch
from hsitf.adopt.pytorch.axes import feature_order, keras_weights, weighted_layers
from hsitf.adopt.pytorch.layers import CheckpointLayer, layers_of
from hsitf.adopt.pytorch.match import match, without_weights
from hsitf.adopt.pytorch.pickled import requested_names
from hsitf.adopt.pytorch.safetensors_file import read_safetensors
from hsitf.adopt.pytorch.search import find_network
from hsitf.adopt.source import ReadingContext
from hsitf.errors import DataError, InputError

RNG = np.random.default_rng(0)
pytest.importorskip("safetensors", reason="pip install '.[safetensors]'")


def safetensors(path, arrays):
    """Writes a file by its format: length of the header, header of JSON, numbers."""
    header, data = {}, b""
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array, "<f4").tobytes()
        places = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": places}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def torch_kernel(kernel):
    """A kernel of Keras as PyTorch has it, by moving its axes one after the other."""
    kernel = np.moveaxis(kernel, (-1, -2), (0, 1))
    return np.moveaxis(kernel, 4, 2) if kernel.ndim == 5 else kernel


def torch_rows(kernel, shape):
    """Rows of a dense kernel behind a Flatten of `shape` (..., channels), channels first."""
    channels_first = np.moveaxis(kernel.reshape(*shape, -1), len(shape) - 1, 0)
    if len(shape) == 4:
        channels_first = np.moveaxis(channels_first, 3, 1)
    return channels_first.reshape(len(kernel), -1)


def flattened(layer):
    """Shape that is flattened in front of a layer; None where nothing is."""
    before = layer.input._keras_history.operation
    while isinstance(before, keras.layers.Dropout):
        before = before.input._keras_history.operation
    return before.input.shape[1:] if isinstance(before, keras.layers.Flatten) else None


def torch_arrays(model):
    """The weights of a network of the zoo as a toolbox saves them."""
    arrays = {}
    for number, layer in enumerate(weighted_layers(model)):
        weights, path = layer.get_weights(), f"module.part{number}"
        if isinstance(layer, keras.layers.BatchNormalization):
            roles = ("weight", "bias", "running_mean", "running_var")
            arrays |= {f"{path}.{role}": one for role, one in zip(roles, weights, strict=True)}
            arrays[f"{path}.num_batches_tracked"] = np.array(7)
        else:
            kernel = weights[0]
            if kernel.ndim == 2 and flattened(layer):
                kernel = torch_rows(kernel, flattened(layer))
            arrays[f"{path}.weight"] = torch_kernel(kernel)
            if len(weights) == 2:
                arrays[f"{path}.bias"] = weights[1]
    return arrays


# Networks whose layers the shapes of arrays do not tell.
UNTOLD = ("dbda", "deephs", "deephs_hyve", "fdssc", "gaht", "spectralformer", "ssftt")
# Networks of whole tiles.
TILES = ("justounet", "spwunet")
# Networks that toolboxes lay out as the zoo does.
OTHERS = ("luo", "mou", "roy", "santara", *UNTOLD, *TILES)
PLAIN = [name for name in zoo.names() if name not in OTHERS]


def built(name, classes=5):
    bands, patch = GEOMETRY.get(name, (62, zoo.network(name).patch))
    return randomized(zoo.build(name, bands=bands, classes=classes, patch=patch))


def same_logits(model, other):
    patches = RNG.normal(size=(2, *model.input_shape[1:])).astype(np.float32)
    logits = np.asarray(model(patches))
    np.testing.assert_allclose(np.asarray(other(patches)), logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", UNTOLD)
def test_networks_that_shapes_do_not_tell_are_refused(name, tmp_path):
    path = safetensors(tmp_path / "a.safetensors", torch_arrays(built("hu")))
    with pytest.raises(InputError, match=r"received: layers of the types .*export .* to ONNX"):
        pytorch.read(path, ReadingContext(62, 5, name, None))


@pytest.mark.parametrize("name", TILES)
def test_networks_of_tiles_are_refused(name, tmp_path):
    path = safetensors(tmp_path / "a.safetensors", torch_arrays(built("hu")))
    with pytest.raises(InputError, match="labels whole tiles, and cannot be read from a checkp"):
        pytorch.read(path, ReadingContext(62, 5, name, None))


@pytest.mark.parametrize("name", PLAIN)
def test_weights_are_matched_by_shape_and_order(name, tmp_path):
    model = built(name)
    _, patch, _, bands = model.input_shape
    path = safetensors(tmp_path / "a.safetensors", torch_arrays(model))
    source = pytorch.read(path, ReadingContext(bands, 5, name, patch))
    assert (source.network, source.framework) == (name, "PyTorch")
    assert source.model.input_shape == (None, patch, patch, bands)
    same_logits(model, source.model)


def test_the_network_is_recognized_by_its_shapes(tmp_path):
    path = safetensors(tmp_path / "a.safetensors", torch_arrays(built("li")))
    source = pytorch.read(path, ReadingContext(62, 5))
    assert source.network == "li"
    assert source.remarks == ("its patch was taken to be the paper's, 5 pixels wide",)


def test_an_output_for_background_stays(tmp_path):
    model = built("li", classes=6)
    path = safetensors(tmp_path / "a.safetensors", torch_arrays(model))
    source = pytorch.read(path, ReadingContext(62, 5, "li"))
    assert source.model.output_shape == (None, 6)
    same_logits(model, source.model)


def test_axes_by_hand():
    # Two pixels of three channels: PyTorch has the channels of all pixels one after the other.
    inputs = keras.Input((1, 2, 3))
    dense = keras.layers.Dense(1)
    dense(keras.layers.Flatten()(inputs))
    order = feature_order(dense, own_order=False)
    assert order.tolist() == [0, 2, 4, 1, 3, 5]
    rows = np.arange(6, dtype=np.float32)[None]
    kernel, bias = keras_weights(dense, CheckpointLayer("a", {"weight": rows}), order)
    assert kernel[:, 0].tolist() == [0, 2, 4, 1, 3, 5]
    assert bias.tolist() == [0]


def test_volumes_have_their_bands_in_front():
    conv = keras.layers.Conv3D(1, (1, 1, 2))
    conv(keras.Input((3, 3, 4, 1)))
    weight = np.array([5.0, 7.0], np.float32).reshape(1, 1, 2, 1, 1)
    kernel, _ = keras_weights(conv, CheckpointLayer("a", {"weight": weight}), None)
    assert kernel[0, 0, :, 0, 0].tolist() == [5, 7]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_gates_of_a_recurrent_layer_by_its_equations():
    gru = keras.layers.GRU(2, return_sequences=True)
    model = keras.Sequential([keras.Input((3, 1)), gru])
    shapes = {"weight_ih_l0": (6, 1), "weight_hh_l0": (6, 2), "bias_ih_l0": 6, "bias_hh_l0": 6}
    arrays = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    gru.set_weights(keras_weights(gru, CheckpointLayer("a", arrays), None))
    spectrum, state = RNG.normal(size=3).astype(np.float32), np.zeros(2)
    found = np.asarray(model(spectrum[None, :, None]))[0]
    for step in range(3):
        inner = arrays["weight_ih_l0"] @ spectrum[step : step + 1] + arrays["bias_ih_l0"]
        outer = arrays["weight_hh_l0"] @ state + arrays["bias_hh_l0"]
        reset, update = sigmoid(inner[:2] + outer[:2]), sigmoid(inner[2:4] + outer[2:4])
        state = (1 - update) * np.tanh(inner[4:] + reset * outer[4:]) + update * state
        np.testing.assert_allclose(found[step], state, rtol=1e-5, atol=1e-6)


def test_a_layer_without_bias_has_zeros(tmp_path):
    model = built("li")
    arrays = torch_arrays(model)
    bias = next(name for name, array in arrays.items() if array.shape == (16,))
    del arrays[bias]
    path = safetensors(tmp_path / "a.safetensors", arrays)
    source = pytorch.read(path, ReadingContext(62, 5, "li"))
    assert source.model.get_layer("conv1").get_weights()[1].tolist() == [0] * 16


def test_names_order_layers_where_a_file_does_not():
    names = ["fc", "conv3", "pool2", "conv10", "conv2_10", "conv2_2", "conv1", "block.0.b"]
    arrays = {f"{name}.weight": np.zeros((1, 1), np.float32) for name in names}
    ordered = [layer.name for layer in layers_of(arrays, ordered=False)]
    assert ordered == [
        *["conv1", "pool2", "conv2_2", "conv2_10", "conv3", "conv10", "block.0.b", "fc"]
    ]
    assert [layer.name for layer in layers_of(arrays, ordered=True)] == names


def test_nothing_is_given_memory_to_look_at_shapes():
    with without_weights():
        model = zoo.build("nn", bands=62, classes=5)
    assert all(variable._value is None for variable in model.trainable_variables)
    from keras.src.backend.common import global_state

    pending = global_state.get_global_attribute("uninitialized_variables", [])
    assert not [one for one in pending if one in model.variables]


# --- What toolboxes lay out otherwise --------------------------------------------------------


def reading(tmp_path, arrays, name, bands):
    path = safetensors(tmp_path / "a.safetensors", arrays)
    return pytorch.read(path, ReadingContext(bands, 5, name))


def test_luo_is_cut_into_rows_filter_by_filter(tmp_path):
    own = built("luo")
    source = reading(tmp_path, torch_arrays(own), "luo", 42)
    patches = RNG.normal(size=(2, 3, 3, 42)).astype(np.float32)
    image, conv1 = (
        np.asarray(keras.Model(source.model.input, source.model.get_layer(name).output)(patches))
        for name in ("image", "conv1")
    )
    # (rows, cols, positions, filters): all positions of the first filter come first.
    expected = conv1[:, 0, 0].transpose(0, 2, 1).reshape(2, 3, 90)
    np.testing.assert_array_equal(image[..., 0], expected)
    assert "cut into rows of 90" in source.remarks[0]
    assert zoo.build("luo", bands=42, classes=5).get_layer("image").input.shape[1:] == (1, 1, 3, 90)


def test_roy_has_all_bands_of_a_filter_side_by_side(tmp_path):
    own = randomized(zoo.build("roy", bands=15, classes=5))
    arrays = torch_arrays(own)
    # Channel 3 * filter + band in PyTorch, 32 * band + filter here.
    name = next(name for name, array in arrays.items() if array.shape == (64, 96, 3, 3))
    theirs = np.arange(96)
    arrays[name] = arrays[name][:, 32 * (theirs % 3) + theirs // 3]
    same_logits(own, reading(tmp_path, arrays, "roy", 15).model)


def test_mou_has_all_steps_of_a_unit_side_by_side(tmp_path):
    own = randomized(zoo.build("mou", bands=12, classes=5))
    kernel, recurrent, biases = own.get_layer("gru").get_weights()

    def gates(array):
        update, reset, new = np.split(array, 3, axis=-1)
        return np.concatenate([reset, update, new], axis=-1).T

    arrays = dict(
        zip(
            ["g.weight_ih_l0", "g.weight_hh_l0", "g.bias_ih_l0", "g.bias_hh_l0"],
            [gates(kernel), gates(recurrent), gates(biases[0]), gates(biases[1])],
            strict=True,
        )
    )
    # Feature 12 * unit + step in PyTorch, 64 * step + unit here.
    theirs = np.arange(768)
    place = 64 * (theirs % 12) + theirs // 12
    for role, one in zip(
        ["weight", "bias", "running_mean", "running_var"],
        own.get_layer("norm").get_weights(),
        strict=True,
    ):
        arrays[f"n.{role}"] = one[place]
    kernel, bias = own.get_layer("logits").get_weights()
    arrays |= {"f.weight": kernel[place].T, "f.bias": bias}
    same_logits(own, reading(tmp_path, arrays, "mou", 12).model)


def test_convolutions_over_all_bands_may_be_of_volumes(tmp_path):
    model = built("lee")
    arrays = {
        name: array[:, None] if array.shape[1:2] == (62,) else array
        for name, array in torch_arrays(model).items()
    }
    last = next(name for name, array in arrays.items() if array.shape == (5, 128))
    arrays[last] = arrays[last][:, :, None, None]
    same_logits(model, reading(tmp_path, arrays, "lee", 62).model)


def test_a_decoder_is_left_out(tmp_path):
    model = built("boulch")
    arrays = torch_arrays(model)
    arrays |= {"z.weight": np.ones((62, 3), np.float32), "z.bias": np.ones(62, np.float32)}
    source = reading(tmp_path, arrays, "boulch", 62)
    same_logits(model, source.model)
    assert source.remarks[0].startswith("its decoder (1 layers), which serves training alone")


# --- Refusals --------------------------------------------------------------------------------


def refused(arrays, context):
    with pytest.raises(InputError) as caught:
        find_network(layers_of(arrays, ordered=True), context)
    return str(caught.value)


def test_a_checkpoint_of_another_scene_says_which():
    arrays = torch_arrays(randomized(zoo.build("cao", bands=103, classes=9)))
    message = refused(arrays, ReadingContext(60, 5))
    assert message.startswith(
        "the checkpoint is of cao for 103 bands, 9 classes and patches of 9 x 9 pixels; "
        "received: a scene with 60 bands or components and 5 classes, patches of 9 x 9 pixels; "
        "give the scene that it was trained on"
    )
    assert "--bands pca:30" in message
    assert "--drop-class" in message


def test_a_checkpoint_of_another_patch_says_which():
    arrays = torch_arrays(zoo.build("li", bands=40, classes=5, patch=7))
    message = refused(arrays, ReadingContext(40, 5, "li"))
    assert message.endswith("patches of 5 x 5 pixels; give --patch 7.")
    found = find_network(layers_of(arrays, ordered=True), ReadingContext(40, 5, "li", 7))
    assert found.geometry.patch == 7


@pytest.mark.parametrize(
    ("name", "bands", "said"),
    [("he", 103, "101 to 103"), ("hu", 220, "219 to 223"), ("boulch", 40, "40")],
)
def test_strides_leave_several_numbers_of_bands(name, bands, said):
    arrays = torch_arrays(zoo.build(name, bands=bands, classes=9))
    if name == "boulch":
        arrays |= {"z.weight": np.ones((40, 3), np.float32), "z.bias": np.ones(40, np.float32)}
    message = refused(arrays, ReadingContext(60, 5, name))
    assert f"of {name} for {said} bands, 9 classes" in message


def test_another_network_is_named():
    arrays = torch_arrays(zoo.build("hu", bands=60, classes=5))
    message = refused(arrays, ReadingContext(60, 5, "cao"))
    assert message == (
        "the checkpoint does not hold the weights of cao; received: the layers of hu; "
        "give --model hu."
    )


def test_the_nearest_network_is_named_with_its_first_difference():
    arrays = torch_arrays(zoo.build("cao", bands=60, classes=5))
    first = next(iter(arrays))
    arrays[first] = np.zeros((300, 60, 5, 5), np.float32)
    message = refused(arrays, ReadingContext(60, 5))
    assert "the nearest is cao: its layer conv1 needs (300, 60, 3, 3)" in message
    assert "the checkpoint has (300, 60, 5, 5) in module.part0" in message
    assert "ONNX" in message


def test_a_further_layer_is_another_network():
    arrays = torch_arrays(zoo.build("li", bands=60, classes=5))
    arrays["more.weight"] = np.zeros((7, 9), np.float32)
    message = refused(arrays, ReadingContext(60, 5, "li"))
    assert "the checkpoint has another layer, (7, 9) in more" in message


def test_several_networks_of_the_same_shapes_are_refused(monkeypatch):
    def build(bands, classes, patch):
        return zoo.build("li", bands=bands, classes=classes, patch=patch)

    monkeypatch.setattr(zoo, "_REGISTERED", {})
    zoo.register("other-li", zoo.Network("", 5, min_patch=5), build)
    arrays = torch_arrays(zoo.build("li", bands=60, classes=5))
    message = refused(arrays, ReadingContext(60, 5))
    assert "layers of several networks; received: li, other-li; name the right one" in message
    assert find_network(layers_of(arrays, True), ReadingContext(60, 5, "li")).network == "li"


def test_a_baseline_has_no_checkpoint():
    with pytest.raises(InputError, match="svm is no network"):
        find_network((), ReadingContext(60, 5, "svm"))


def test_a_network_that_cannot_be_built_does_not_match():
    from hsitf.adopt.pytorch.match import Geometry

    assert match("chen", Geometry(10, 5, 27), ()) is None


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("conv.weight_g", "remove_weight_norm"),
        ("conv.parametrizations.weight.original0", "remove_parametrizations"),
        ("conv.weight_orig", "prune.remove"),
        ("gru.weight_ih_l1", "ONNX"),
        ("attention.in_proj_weight", "ONNX"),
    ],
)
def test_arrays_of_other_layers_are_refused(name, remedy):
    with pytest.raises(InputError, match=f"received: {name} of shape .*{remedy}"):
        layers_of({name: np.zeros(3, np.float32)}, ordered=True)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    arrays = torch_arrays(built("li"))
    next(iter(arrays.values()))[0, 0] = np.nan
    path = safetensors(tmp_path / "a.safetensors", arrays)
    with pytest.raises(DataError, match="NaN in module"):
        pytorch.read(path, ReadingContext(62, 5, "li"))


def test_an_empty_checkpoint_is_refused(tmp_path):
    path = safetensors(tmp_path / "a.safetensors", {})
    with pytest.raises(InputError, match="holds no weights"):
        pytorch.read(path, ReadingContext(62, 5, "li"))


# --- Files of safetensors --------------------------------------------------------------------


def raw_safetensors(path, header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def described(kind, shape, end):
    return {"a.weight": {"dtype": kind, "shape": shape, "data_offsets": [0, end]}}


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("F64", np.array([1.5, -2], "<f8").tobytes()),
        ("F16", np.array([1.5, -2], "<f2").tobytes()),
        # The upper halves of 1.5 and -2 as float32.
        ("BF16", struct.pack("<2H", 0x3FC0, 0xC000)),
    ],
)
def test_other_precisions_become_float32(kind, data, tmp_path):
    path = raw_safetensors(tmp_path / "a.safetensors", described(kind, [2], len(data)), data)
    found = read_safetensors(path)["a.weight"]
    assert found.dtype == np.float32
    assert found.tolist() == [1.5, -2]


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (described("F32", [2], 8), b"\0" * 4),
        (described("F32", [3], 8), b"\0" * 8),
        (described("F32", [2**40, 2**40], 8), b"\0" * 8),
        (b"{", b""),
        (b"\xff" * 9, b""),
    ],
)
def test_headers_that_lie_are_refused(header, data, tmp_path):
    path = raw_safetensors(tmp_path / "a.safetensors", header, data)
    with pytest.raises(DataError, match="no file of safetensors, or is damaged"):
        read_safetensors(path)


def test_a_header_longer_than_its_file_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    with pytest.raises(DataError, match="damaged"):
        read_safetensors(path)


def test_numbers_of_no_network_are_refused(tmp_path):
    path = raw_safetensors(tmp_path / "a.safetensors", described("U8", [2], 2), b"\0\0")
    with pytest.raises(InputError, match=r"received: U8 in a\.weight"):
        read_safetensors(path)


def test_a_file_of_many_gigabytes_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    with path.open("wb") as stream:
        stream.truncate(5 * 2**30)
    with pytest.raises(InputError, match="too large for the weights"):
        read_safetensors(path)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    path = safetensors(tmp_path / "a.safetensors", {})
    with pytest.raises(InputError, match=r"pip install 'hsitf\[safetensors\]'"):
        read_safetensors(path)


# --- Pickles, of which nothing is loaded -----------------------------------------------------


class Attack:
    """Writes a file where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def archive(path, files):
    with zipfile.ZipFile(path, "w") as stream:
        for name, data in files.items():
            stream.writestr(name, data)
    return path


CONTEXT = ReadingContext(62, 5, "li")


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_runs_code_is_refused_unopened(protocol, zipped, tmp_path):
    written = tmp_path / "attacked"
    data = pickle.dumps({"state_dict": Attack(written)}, protocol)
    path = tmp_path / "a.pth"
    if zipped:
        archive(path, {"a/data.pkl": data, "a/version": "3"})
    else:
        path.write_bytes(data)
    with pytest.raises(InputError, match=r"would run code .*asks for .*io\.open.*state_dict\(\)"):
        pytorch.read(path, CONTEXT)
    assert not written.exists()


def test_a_name_said_twice_is_found(tmp_path):
    # The second time, a pickle refers to the texts of the first.
    data = pickle.dumps([shutil.move, shutil.rmtree], 4)
    path = archive(tmp_path / "a.pth", {"a/data.pkl": data})
    assert requested_names(path) == ["shutil.move", "shutil.rmtree"]


def test_a_whole_pickled_model_is_refused(tmp_path):
    # GLOBAL imports what a module's pickle names first: its class, and those of its layers.
    data = b"\x80\x02c__main__\nHuEtAl\nq\x00ctorch.nn.modules.conv\nConv1d\nq\x01."
    path = archive(tmp_path / "a.pt", {"a/data.pkl": data})
    with pytest.raises(InputError, match=r"whole pickled model.*__main__\.HuEtAl.*state_dict\(\)"):
        pytorch.read(path, CONTEXT)


def test_a_program_of_torchscript_is_refused(tmp_path):
    path = archive(tmp_path / "a.pt", {"a/data.pkl": b".", "a/code/__torch__.py": b"", "a/c": b""})
    with pytest.raises(InputError, match=r"archive of TorchScript.*torch\.jit\.load"):
        pytorch.read(path, CONTEXT)


def test_an_archive_of_something_else_is_refused(tmp_path):
    path = archive(tmp_path / "a.pth", {"picture.png": b""})
    with pytest.raises(InputError, match=r"archive of something else; received: picture\.png"):
        pytorch.read(path, CONTEXT)


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("hsitf.adopt.pytorch.pickled.MAX_BYTES", 1000)
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stream:
        stream.writestr("a/data.pkl", b".")
        stream.writestr("a/data/0", bytes(2000))
    with pytest.raises(InputError, match="2,001 bytes once it is unpacked"):
        pytorch.read(path, CONTEXT)


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_checkpoint_is_refused(content, tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no checkpoint of PyTorch, or is damaged"):
        pytorch.read(path, CONTEXT)


def test_a_checkpoint_needs_pytorch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    path = archive(tmp_path / "a.pth", {"a/data.pkl": pickle.dumps({}, 2), "a/version": "3"})
    with pytest.raises(InputError, match=r"pip install 'hsitf\[torch\]', or save .*safetensors"):
        pytorch.read(path, CONTEXT)
