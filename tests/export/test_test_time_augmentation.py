"""The mean over the eight sides of a patch: by hand, and in exported files."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

import hsitf
from hsitf.data import restore
from hsitf.errors import InputError
from hsitf.export.bundle import form_suffix
from hsitf.export.job import Job
from hsitf.export.request import ExportRequest
from hsitf.export.variants import VARIANTS
from hsitf.lower.test_time_augmentation import mean_over_sides, sides_of_patch
from hsitf.scenes.patches import PatchSource


def test_sides_are_those_of_training():
    source = PatchSource.from_cube(np.arange(49, dtype=np.float32).reshape(7, 7, 1), 7)
    padded = source.padded.ravel()
    here = padded[source.corners[24] + source.windows]
    assert {tuple(row) for row in here} == {
        tuple(here[0][order].tolist()) for order in sides_of_patch(7)
    }


@pytest.mark.parametrize("batch", [None, 2])
def test_the_mean_by_hand(batch):
    keras.utils.set_random_seed(0)
    fixed = None if batch is None else 8 * batch
    inputs = keras.Input(batch_shape=(fixed, 3, 3, 2))
    x = keras.layers.Conv2D(4, 2, activation="relu")(inputs)
    network = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    patches = np.random.default_rng(0).normal(size=(2, 3, 3, 2)).astype(np.float32)
    turned = [np.rot90(patches, turns, (1, 2)) for turns in range(4)]
    turned += [one[:, ::-1] for one in turned]
    open_input = keras.Input((3, 3, 2))
    free = keras.Model(
        open_input, network.layers[3](network.layers[2](network.layers[1](open_input)))
    )
    expected = np.mean([free.predict(one, verbose=0) for one in turned], axis=0)
    found = np.asarray(mean_over_sides(network, batch)(patches))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("user"))
        np.save("tiny.npy", tiny.cube)
        np.save("labels.npy", tiny.labels)
        scene = hsitf.load_scene("tiny.npy", labels="labels.npy")
        yield hsitf.train_network("li", scene, patch=5, epochs=4, batch_size=50)


@pytest.mark.parametrize("variant", ["float32", "int8", "onnx", "onnx-int8"])
def test_files_compute_it(trained, tiny, variant, tmp_path):
    file = trained.export(variant, tta=True, out=tmp_path, equalize=variant == "int8")
    record = file.record
    assert record.tta
    assert file.folder.name == f"{variant}-tta"
    assert record.agreement > (0.95 if variant == "onnx-int8" else 0.97)
    assert record.max_rank <= 4 or "onnx" in variant
    if "int8" in variant:
        # The mean, too.
        assert record.integer_share == 1
        assert record.bytes < 0.6 * record.bytes_float32
    else:
        assert record.relative_logit_error < 1e-4
    if variant == "float32":
        plain = trained.export(variant, out=tmp_path).record
        assert record.macs == 8 * plain.macs
        assert record.parameters == plain.parameters
        assert record.bytes < plain.bytes + 6000
        check_map(trained, tiny, file)


def check_map(trained, tiny, file):
    """A map of the whole scene has the classes that the mean of the eight sides names."""
    data = restore(tiny, trained.run.split(), trained.record.normalizer, 5)
    mean = mean_over_sides(trained.model, None)
    pixels = np.arange(data.scene.labels.size)
    logits = mean.predict(data.patches.extract(pixels), 256, verbose=0)
    found = file.classify().labels.ravel()
    np.testing.assert_array_equal(found, logits.argmax(1) + 1)
    alone = trained.model.predict(data.patches.extract(pixels), 256, verbose=0)
    assert (found != alone.argmax(1) + 1).any()


def test_what_has_no_sides_is_refused(trained):
    with pytest.raises(InputError, match="--tta with --tile 16"):
        ExportRequest((VARIANTS["int8"],), tile=16, tta=True)
    spectra = replace(
        trained.record.plan, network="hu", split=replace(trained.record.plan.split, patch=1)
    )
    run = replace(trained.run, record=replace(trained.record, plan=spectra))
    with pytest.raises(InputError, match="looks the same from all sides"):
        Job.of(ExportRequest((VARIANTS["int8"],), tta=True), VARIANTS["int8"], run, None)
    assert form_suffix(1, 0, True) == "-tta"
    assert form_suffix(8, 0, True) == "-batch8-tta"
