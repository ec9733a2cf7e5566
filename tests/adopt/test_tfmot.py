"""Networks of Keras 2 from tensorflow-model-optimization: what they become, and what is refused."""

from __future__ import annotations

import json
import os
import zipfile
from importlib.util import find_spec

import h5py
import keras
import numpy as np
import pytest

import hsitf
from hsitf import flatbuffer
from hsitf.adopt import tfmot
from hsitf.adopt.keras_file import read as read_keras_file
from hsitf.adopt.source import ReadingContext
from hsitf.adopt.tfmot import file as tfmot_file
from hsitf.data import prepare
from hsitf.errors import DataError, HsitfError, InputError
from hsitf.runtimes import LiteRT, predict
from hsitf.scenes.splits import SplitOptions

# Not importorskip, which would import the library without hsitf's care for `tf.keras`.
for package in ("tf_keras", "tensorflow_model_optimization"):
    if find_spec(package) is None:
        pytest.skip(f"needs {package}", allow_module_level=True)

PATCH, BANDS, CLASSES, CLUSTERS, SPARSITY = 5, 24, 4, 6, 0.75
KERNELS = ("conv", "hidden", "end")
CONTEXT = ReadingContext(BANDS, CLASSES)


def network(batch_norm=True):
    """Patches to logits, in Keras 2."""
    k2 = tfmot_file.tf_keras()
    x = inputs = k2.Input((PATCH, PATCH, BANDS), name="pixels")
    x = k2.layers.Conv2D(8, 3, use_bias=not batch_norm, name="conv")(x)
    if batch_norm:
        x = k2.layers.BatchNormalization(name="norm")(x)
    x = k2.layers.ReLU(name="relu")(x)
    x = k2.layers.Flatten(name="flatten")(x)
    x = k2.layers.Dense(12, activation="relu", name="hidden")(x)
    return k2.Model(inputs, k2.layers.Dense(CLASSES, name="end")(x), name="small")


@pytest.fixture(scope="module")
def data(tiny):
    return prepare(tiny, SplitOptions("disjoint", patch=PATCH))


def train(model, data, epochs=6, callbacks=()):
    k2 = tfmot_file.tf_keras()
    loss = k2.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(k2.optimizers.Adam(0.003), loss)
    pixels = data.split.train
    patches, classes = data.patches.extract(pixels), data.targets(pixels)
    model.fit(patches, classes, batch_size=16, epochs=epochs, callbacks=list(callbacks), verbose=0)
    return model


def copied(model):
    copy = tfmot_file.tf_keras().models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


@pytest.fixture(scope="module")
def trained(data):
    tfmot_file.tf_keras().utils.set_random_seed(0)
    return train(network(), data, 12)


@pytest.fixture(scope="module")
def wrapped(trained, data):
    """The network pruned, clustered and quantization-aware, in the wrappers of training."""
    library = tfmot_file.model_optimization()
    pruning, quantization = library.sparsity.keras, library.quantization.keras
    pruned = pruning.prune_low_magnitude(
        copied(trained), pruning.ConstantSparsity(SPARSITY, 0, frequency=2)
    )
    train(pruned, data, callbacks=[pruning.UpdatePruningStep()])
    clustered = library.clustering.keras.cluster_weights(
        copied(trained),
        CLUSTERS,
        library.clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS,
    )
    train(clustered, data)

    def quantized(model, *scheme):
        annotated = quantization.quantize_annotate_model(model)
        return train(quantization.quantize_apply(annotated, *scheme), data)

    combine = library.experimental.combine
    sparse = copied(pruning.strip_pruning(pruned))
    grouped = copied(library.clustering.keras.strip_clustering(clustered))
    return {
        "pruned": pruned,
        "clustered": clustered,
        "quantized": quantized(copied(trained)),
        "pruned, quantized": quantized(sparse, combine.Default8BitPrunePreserveQuantizeScheme()),
        "clustered, quantized": quantized(
            grouped, combine.Default8BitClusterPreserveQuantizeScheme()
        ),
    }


@pytest.fixture(scope="module")
def saved(wrapped, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfmot")
    found = {}
    for number, (name, model) in enumerate(wrapped.items()):
        for suffix in (".h5", ".keras"):
            found[name, suffix] = folder / f"{number}{suffix}"
            model.save(found[name, suffix])
    return found


def kernels(model):
    return {layer.name: layer.get_weights()[0] for layer in model.layers if layer.weights}


def variable(model, name):
    return next(float(one.numpy()) for one in model.variables if one.name == name)


SUFFIXES = pytest.mark.parametrize("suffix", [".h5", ".keras"])


@SUFFIXES
def test_pruned_weights_stay_zero(saved, wrapped, data, suffix):
    source = read_keras_file(saved["pruned", suffix], CONTEXT)
    assert source.framework == "Keras 2 with tensorflow-model-optimization"
    assert source.remarks == ("the wrappers of pruning around 6 layers were stripped",)
    assert not source.activation_ranges
    patches = data.patches.extract(data.split.test[:50])
    expected = wrapped["pruned"].predict(patches, verbose=0)
    np.testing.assert_allclose(np.asarray(source.model(patches)), expected, atol=1e-4)
    np.testing.assert_allclose(source.reference([patches]), expected, atol=1e-4)
    for name in KERNELS:
        kernel = kernels(source.model)[name]
        assert (kernel == 0).sum() == round(SPARSITY * kernel.size)


def test_masks_of_a_checkpoint_are_applied(saved, tmp_path):
    """A checkpoint that is written before an epoch's end has weights under the masks."""
    path = tmp_path / "checkpoint.h5"
    path.write_bytes(saved["pruned", ".h5"].read_bytes())
    with h5py.File(path, "r+") as file:
        group = file["model_weights/prune_low_magnitude_hidden"]
        (kernel,) = (one for one in _datasets(group) if one.name.endswith("kernel:0"))
        kernel[...] = kernel[()] + (kernel[()] == 0) * np.float32(0.01)
    kernel = kernels(tfmot.read(path, CONTEXT).model)["hidden"]
    assert (kernel == 0).sum() == round(SPARSITY * kernel.size)


def _datasets(group):
    found = []
    group.visititems(lambda name, one: found.append(one) if isinstance(one, h5py.Dataset) else None)
    return found


@SUFFIXES
def test_clustered_weights_keep_their_values(saved, wrapped, data, suffix):
    source = read_keras_file(saved["clustered", suffix], CONTEXT)
    assert source.remarks == ("the wrappers of clustering around 6 layers were stripped",)
    patches = data.patches.extract(data.split.test[:50])
    expected = wrapped["clustered"].predict(patches, verbose=0)
    np.testing.assert_allclose(np.asarray(source.model(patches)), expected, atol=1e-4)
    for name in KERNELS:
        assert len(np.unique(kernels(source.model)[name])) <= CLUSTERS


@SUFFIXES
def test_quantized_networks_bring_weights_and_ranges(saved, wrapped, suffix):
    """An archive of a quantized network is one that tf-keras itself does not load."""
    source, model = read_keras_file(saved["quantized", suffix], CONTEXT), wrapped["quantized"]
    remark = "the wrappers of quantization-aware training around 6 layers were stripped"
    assert source.remarks == (remark,)
    learned = {
        "pixels": "quantize_layer/quantize_layer",
        "relu": "quant_relu/output",
        "hidden": "quant_hidden/post_activation",
        "end": "quant_end/post_activation",
    }
    assert source.activation_ranges == {
        name: (variable(model, f"{key}_min:0"), variable(model, f"{key}_max:0"))
        for name, key in learned.items()
    }
    for name in KERNELS:
        (expected,) = (
            one.numpy() for one in _once(model.variables) if one.name.endswith(f"{name}/kernel:0")
        )
        np.testing.assert_array_equal(kernels(source.model)[name], expected)
    assert [layer.name for layer in source.model.layers] == [
        layer.name for layer in network().layers
    ]


def _once(variables):
    return {id(one): one for one in variables}.values()


def test_logits_in_front_of_a_softmax_have_the_range(trained, data):
    library, k2 = tfmot_file.model_optimization(), tfmot_file.tf_keras()
    x = k2.Input((6,), name="spectrum")
    plain = k2.Model(x, k2.layers.Dense(4, activation="softmax", name="probabilities")(x))
    quantized = library.quantization.keras.quantize_model(plain)
    weights = {one.name: one for one in quantized.variables}
    weights["quant_probabilities/pre_activation_min:0"].assign(-3)
    weights["quant_probabilities/pre_activation_max:0"].assign(5)
    ranges = tfmot.from_tf_keras(quantized).activation_ranges
    # The input was never trained, so nothing is known of it.
    assert ranges == {"probabilities": (-3.0, 5.0)}


@pytest.mark.parametrize(
    ("name", "suffix"), [("pruned, quantized", ".h5"), ("pruned, quantized", ".keras")]
)
def test_pruned_and_quantized(saved, name, suffix):
    source = read_keras_file(saved[name, suffix], CONTEXT)
    assert set(source.activation_ranges) == {"pixels", "relu", "hidden", "end"}
    kernel = kernels(source.model)["hidden"]
    assert (kernel == 0).sum() == round(SPARSITY * kernel.size)


def test_clustered_and_quantized(saved):
    """As .h5, where the variables of clustering have names; an archive has none."""
    source = read_keras_file(saved["clustered, quantized", ".h5"], CONTEXT)
    assert set(source.activation_ranges) == {"pixels", "relu", "hidden", "end"}
    assert len(np.unique(kernels(source.model)["hidden"])) <= CLUSTERS
    with pytest.raises(DataError, match=r"strip_clustering_cqat.*\.h5"):
        read_keras_file(saved["clustered, quantized", ".keras"], CONTEXT)


@pytest.mark.parametrize("name", ["pruned", "clustered", "quantized"])
def test_a_model_in_memory_is_left_as_it_is(wrapped, saved, name):
    model = wrapped[name]
    before = [one.numpy() for one in model.variables]
    source = tfmot.from_tf_keras(model)
    from_file = tfmot.read(saved[name, ".h5"], CONTEXT)
    assert source.activation_ranges == from_file.activation_ranges
    for ours, theirs in zip(source.model.get_weights(), from_file.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for now, then in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(now.numpy(), then)


@SUFFIXES
def test_networks_without_wrappers(tmp_path, suffix):
    """What keras-surgeon leaves: an ordinary network of Keras 2 with odd numbers of channels."""
    k2 = tfmot_file.tf_keras()
    x = inputs = k2.Input((7, 7, 13))
    x = k2.layers.Conv2D(29, 3, name="conv")(x)
    x = k2.layers.BatchNormalization(name="norm")(x)
    x = k2.layers.Activation("relu", name="relu")(x)
    x = k2.layers.MaxPooling2D(2, padding="same", name="pool")(x)
    y = k2.layers.Conv2D(11, 3, padding="same", activation="relu", name="side")(x)
    x = k2.layers.Flatten()(k2.layers.Concatenate(name="both")([x, y]))
    model = k2.Model(inputs, k2.layers.Dense(5, activation="softmax", name="end")(x))
    path = tmp_path / f"surgery{suffix}"
    model.save(path)
    source = read_keras_file(path, ReadingContext(13, 5))
    assert source.framework.startswith("Keras 2")
    assert not source.remarks
    patches = np.random.default_rng(0).normal(size=(9, 7, 7, 13)).astype(np.float32)
    np.testing.assert_allclose(
        np.asarray(source.model(patches)), model.predict(patches, verbose=0), atol=1e-6
    )
    assert source.model.get_layer("conv").filters == 29


def test_sequential_networks():
    library, k2 = tfmot_file.model_optimization(), tfmot_file.tf_keras()
    layers = [k2.layers.Dense(8, activation="relu"), k2.layers.Dense(3)]
    model = k2.Sequential([k2.Input((6,)), *layers])
    quantized = library.quantization.keras.quantize_model(model)
    source = tfmot.from_tf_keras(quantized)
    spectra = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    np.testing.assert_allclose(
        np.asarray(source.model(spectra)), model.predict(spectra, verbose=0), atol=1e-6
    )


def test_keras_3_stays_what_tensorflow_calls_keras(saved):
    import tensorflow as tf

    tfmot.read(saved["pruned", ".h5"], CONTEXT)
    assert "TF_USE_LEGACY_KERAS" not in os.environ
    assert tf.keras.Model is keras.Model


# --- journeys -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adopted(saved, tiny, tmp_path_factory):
    """The runs of the pruned, the clustered and the quantized network."""
    folder = tmp_path_factory.mktemp("user")
    np.save(folder / "tiny.npy", tiny.cube)
    np.save(folder / "labels.npy", tiny.labels)
    scene = hsitf.load_scene(folder / "tiny.npy", labels=folder / "labels.npy")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield {
            name: hsitf.adopt_network(saved[name, ".h5"], scene, name=name)
            for name in ("pruned", "clustered", "quantized")
        }


def stored_kernels(file):
    """Constants of a float .tflite file with two axes or more."""
    model = flatbuffer.read(file)
    graph = model.subgraphs[0]
    made = {int(at) for one in graph.operators for at in one.outputs} | set(map(int, graph.inputs))
    return [
        np.asarray(model.buffers[one.buffer].data, np.uint8).view(np.float32)
        for at, one in enumerate(graph.tensors)
        if at not in made and len(one.shape) > 1 and one.type == 0
    ]


@pytest.mark.parametrize("name", ["pruned", "clustered", "quantized"])
def test_the_run_is_the_network(adopted, wrapped, data, name):
    run, model = adopted[name], wrapped[name]
    assert run.record.adopted.output_error < 1e-5
    np.testing.assert_array_equal(run.run.data().split.test, data.split.test)
    if name != "quantized":
        patches = data.patches.extract(data.split.test)
        classes = model.predict(patches, verbose=0).argmax(axis=1)
        assert run.scores.oa == pytest.approx((classes == data.targets(data.split.test)).mean())


def test_pruned_zeros_are_zeros_in_the_file(adopted, wrapped):
    file = adopted["pruned"].export("float32").file
    expected = sum(round(SPARSITY * kernels(network())[name].size) for name in KERNELS)
    assert sum(int((one == 0).sum()) for one in stored_kernels(file)) == expected


def test_clustered_weights_are_few_values_in_the_file(adopted):
    file = adopted["clustered"].export("float32").file
    # Normalization is folded into the convolution: a factor for each of its eight channels.
    counts = sorted(len(np.unique(one)) for one in stored_kernels(file))
    assert counts[:2] <= [CLUSTERS, CLUSTERS]
    assert counts[2] <= 8 * CLUSTERS


def test_integer_files_of_the_library_and_ours(adopted, wrapped, data, tmp_path):
    """Its own converter's file names as many pixels right as ours, or fewer."""
    import tensorflow as tf

    model = wrapped["quantized"]
    signature = [tf.TensorSpec((1, PATCH, PATCH, BANDS), tf.float32)]
    call = tf.function(lambda patch: model(patch, training=False), input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [call.get_concrete_function()], model
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    theirs = tmp_path / "theirs.tflite"
    theirs.write_bytes(converter.convert())
    pixels = data.split.test
    classes = predict(LiteRT(theirs), data.patches.extract(pixels)).argmax(axis=1)
    bundle = adopted["quantized"].export("int8")
    assert bundle.record.integer_share == 1
    assert bundle.record.oa >= (classes == data.targets(pixels)).mean() - 0.003


def test_layers_of_the_run_have_the_ranges(adopted):
    record = adopted["quantized"].record.adopted
    # The input is the package's own.
    assert set(record.activation_ranges) == {"patch", "relu", "hidden", "end"}
    assert set(record.activation_ranges) <= {one.name for one in adopted["quantized"].model.layers}


# --- refused ------------------------------------------------------------------------------------


def altered(path, target, change):
    """The HDF5 file with another configuration."""
    target.write_bytes(path.read_bytes())
    with h5py.File(target, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config["config"]["layers"])
        file.attrs["model_config"] = json.dumps(config)
    return target


def inner(layers):
    return layers[1]["config"]["layer"]


def lambda_inside(layers):
    inner(layers)["class_name"] = "Lambda"


def other_module_inside(layers):
    inner(layers)["module"] = "subprocess"
    inner(layers)["class_name"] = "Popen"


def schedule_of_their_own(layers):
    layers[1]["config"]["pruning_schedule"]["class_name"] = "MySchedule"


def schedule_of_another_module(layers):
    layers[1]["config"]["pruning_schedule"]["module"] = "evil"


def function_among_settings(layers):
    layers[1]["config"]["block_size"] = {
        "class_name": "function",
        "module": "os",
        "config": "system",
    }


def annotation(layers):
    layers[1]["class_name"] = "QuantizeAnnotate"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda_inside, "'conv' is refused"),
        (other_module_inside, "Popen"),
        (schedule_of_their_own, "settings of its author's own; received: MySchedule"),
        (schedule_of_another_module, "settings of its author's own"),
        (function_among_settings, "settings of its author's own; received: function"),
        (annotation, "quantize_apply"),
    ],
)
def test_what_the_library_did_not_write_is_refused_before_it_is_built(
    saved, tmp_path, monkeypatch, change, message
):
    monkeypatch.setattr(tfmot_file, "load", lambda *given: pytest.fail("it was loaded"))
    with pytest.raises(InputError, match=message):
        tfmot.read(altered(saved["pruned", ".h5"], tmp_path / "bad.h5", change), CONTEXT)


def without_layer(layers):
    del layers[1]["config"]["layer"]


def circular(layers):
    layers[1]["inbound_nodes"] = [[["quantize_layer", 0, 0, {}]]]


@pytest.mark.parametrize(("kind", "change"), [("pruned", without_layer), ("quantized", circular)])
def test_damaged_configurations_are_one_message(saved, tmp_path, kind, change):
    path = altered(saved[kind, ".h5"], tmp_path / "bad.h5", change)
    with pytest.raises(HsitfError):
        tfmot.read(path, CONTEXT)


def test_damaged_weights_are_one_message(saved, tmp_path):
    path = tmp_path / "cut.keras"
    with zipfile.ZipFile(saved["pruned", ".keras"]) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content if name.endswith("json") else content[:100])
    with pytest.raises(DataError, match="cannot be loaded"):
        tfmot.read(path, CONTEXT)


def test_subclassed_models_are_refused():
    k2 = tfmot_file.tf_keras()

    class Own(k2.Model):
        def call(self, x):
            return x

    with pytest.raises(InputError, match=r"subclassed.*tf_keras\.Input"):
        tfmot.from_tf_keras(Own())


def test_the_extra_is_named(saved, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(InputError, match=r"pip install 'hsitf\[tfmot\]'"):
        tfmot.read(saved["pruned", ".h5"], CONTEXT)


def test_wrappers_are_seen_in_the_configuration_alone():
    conv = {"class_name": "Conv2D", "config": {"name": "conv"}}
    plain = {"class_name": "Sequential", "config": {"layers": [conv]}}
    assert not tfmot.wraps(plain)
    assert tfmot.wraps({"module": "tf_keras.src.engine.functional", **plain})
    for kind in ("PruneLowMagnitude", "ClusterWeights", "QuantizeWrapperV2", "QuantizeLayer"):
        layers = [{"class_name": kind, "config": {"layer": conv}}]
        assert tfmot.wraps({"class_name": "Sequential", "config": {"layers": layers}})
    assert not tfmot.wraps({})
