"""Files of strangers: nothing of them is run, and what cannot be adopted is named."""

from __future__ import annotations

import copy
import json
import zipfile

import h5py
import keras
import pytest
from keras import layers

from hsitf.adopt.formats import format_of_file
from hsitf.adopt.keras_file import check_config, read, read_config
from hsitf.adopt.source import ReadingContext
from hsitf.errors import DataError, HsitfError, InputError

CONTEXT = ReadingContext(6, 4)


def small():
    x = keras.Input((6,), name="spectrum")
    return keras.Model(x, layers.Dense(4, activation="relu", name="end")(x), name="small")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "small.keras"
    small().save(path)
    return path


def altered(saved, target, change):
    """The archive with another configuration."""
    with zipfile.ZipFile(saved) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target


def last_layer(config):
    return config["config"]["layers"][-1]


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_files_of_keras(tmp_path, suffix):
    model = small()
    model.save(tmp_path / f"m{suffix}")
    source = read(tmp_path / f"m{suffix}", CONTEXT)
    assert source.framework == "Keras 3"
    for ours, theirs in zip(source.model.get_weights(), model.get_weights(), strict=True):
        assert (ours == theirs).all()


def lambda_layer(config):
    last_layer(config)["class_name"] = "Lambda"


def function_of_the_system(config):
    last_layer(config)["config"]["activation"] = {
        "module": "os",
        "class_name": "function",
        "config": "system",
        "registered_name": "system",
    }


def function_of_keras_that_is_no_activation(config):
    last_layer(config)["config"]["activation"] = {
        "module": "keras.utils",
        "class_name": "function",
        "config": "get_file",
        "registered_name": "get_file",
    }


def layer_of_another_module(config):
    last_layer(config)["module"] = "subprocess"
    last_layer(config)["class_name"] = "Popen"


def known_name_of_another_module(config):
    last_layer(config)["module"] = "evil"


def initializer_of_another_module(config):
    last_layer(config)["config"]["kernel_initializer"]["module"] = "evil.initializers"


def pickled_lambda(config):
    last_layer(config)["config"]["activation"] = {
        "class_name": "__lambda__",
        "config": {"value": "4wEAAAA="},
    }


def saved_model_layer(config):
    last_layer(config)["class_name"] = "TFSMLayer"


def own_layer(config):
    last_layer(config)["module"] = None
    last_layer(config)["class_name"] = "SpectralAttention"
    last_layer(config)["registered_name"] = "Custom>SpectralAttention"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda_layer, "'end' is refused.*code.*Permute"),
        (function_of_the_system, "does not have: system"),
        (function_of_keras_that_is_no_activation, "does not have: get_file"),
        (layer_of_another_module, "'end' is of a type.*Popen"),
        (known_name_of_another_module, "'end' is of a type.*module evil"),
        (initializer_of_another_module, "module evil.initializers"),
        (pickled_lambda, "refused"),
        (saved_model_layer, r"layer 'end' \(TFSMLayer\) cannot be adopted"),
        (own_layer, "SpectralAttention.*register_keras_serializable"),
    ],
)
def test_what_would_run_code_is_refused_before_anything_is_built(
    saved, tmp_path, monkeypatch, change, message
):
    monkeypatch.setattr(keras.saving, "load_model", lambda *a, **k: pytest.fail("it was loaded"))
    path = altered(saved, tmp_path / "bad.keras", change)
    with pytest.raises(InputError, match=message):
        read(path, CONTEXT)


def test_functions_of_tensorflow_as_keras_2_wraps_them(saved, tmp_path):
    path = altered(
        saved, tmp_path / "op.keras", lambda c: last_layer(c).update(class_name="TFOpLambda")
    )
    with pytest.raises(InputError, match="function of TensorFlow, as Keras 2 wraps it"):
        read(path, CONTEXT)


def test_a_configuration_of_anything_known_passes():
    x = keras.Input((4, 4, 3))
    y = keras.ops.relu(x) + 1
    y = layers.Conv2D(4, 3, kernel_regularizer="l2", kernel_constraint="max_norm")(y)
    y = layers.Bidirectional(layers.LSTM(3))(layers.Reshape((4, 4))(y))
    y = layers.Dense(4, activation=keras.activations.gelu, bias_initializer="ones")(y)
    model = keras.Sequential([keras.Model(x, y), layers.Dense(2)])
    config = keras.saving.serialize_keras_object(model)
    check_config(copy.deepcopy(config))


def test_a_layer_of_ones_own_needs_a_row(tmp_path):
    @keras.saving.register_keras_serializable("test_adopt")
    class Twice(keras.Layer):
        def call(self, x):
            return 2 * x

    x = keras.Input((6,))
    keras.Model(x, Twice(name="twice")(x)).save(tmp_path / "m.keras")
    with pytest.raises(InputError, match=r"layer 'twice', of the type Twice.*operators\.register"):
        read(tmp_path / "m.keras", CONTEXT)


def test_weights_alone_are_refused(tmp_path):
    small().save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(InputError, match="weights alone"):
        read(tmp_path / "w.weights.h5", CONTEXT)


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_files_that_keras_did_not_write(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="no file that Keras wrote"):
        read(tmp_path / name, CONTEXT)


def test_an_archive_that_unpacks_to_more_than_it_may(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("hsitf.adopt.keras_file.MAX_CONFIG_BYTES", 100)
    with pytest.raises(DataError, match=r"no file that Keras wrote.*more than 100"):
        read_config(saved)


def test_hdf5_without_a_network(tmp_path):
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        file["cube"] = [1, 2]
    with pytest.raises(DataError, match="without model_config"):
        read(tmp_path / "cube.h5", CONTEXT)


def test_a_damaged_network_is_one_message(saved, tmp_path):
    with zipfile.ZipFile(saved) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content if name.endswith("json") else content[:100])
    with pytest.raises(DataError, match="cannot be loaded"):
        read(tmp_path / "m.keras", CONTEXT)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("m.tflite", "adopt the network that it was converted from"),
        ("m.pkl", "a pickle can run any code"),
        ("m.py", "give it to hsitf train"),
        ("m", "no suffix"),
        ("none.keras", "no such file"),
    ],
)
def test_files_of_other_kinds(tmp_path, name, message):
    if not name.startswith("none"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(HsitfError, match=message):
        format_of_file(tmp_path / name)


def test_a_saved_model_is_named(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(InputError, match=r"a SavedModel.*model\.save"):
        format_of_file(tmp_path / "m")
