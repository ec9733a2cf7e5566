from __future__ import annotations

import keras
import numpy as np
import pytest
from PIL import Image

from hsitf import scenes, zoo
from hsitf.arithmetic import FLOAT
from hsitf.data import prepare
from hsitf.errors import DataError, InputError
from hsitf.export.convert import lower_and_check
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.progress import Silent
from hsitf.prune import PruningConfig, plan, thin
from hsitf.records import SceneChoice
from hsitf.scenes.image_sets import _LAND_USE, IMAGE_SETS, mosaic
from hsitf.scenes.splits import SplitOptions
from hsitf.train.loop import fit

RNG = np.random.default_rng(0)


def pictures(count: int, classes: int, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of one color a class, with noise."""
    labels = np.arange(count) % classes
    made = RNG.integers(0, 60, size=(count, side, side, 3))
    made[..., 0] += (labels * 190 // classes)[:, None, None]
    return made.astype(np.uint8), labels


def test_a_patch_is_a_picture_and_nothing_else():
    made, labels = pictures(11, 3)
    scene = mosaic("made", made, labels, ["a", "b", "c"])
    assert scene.cube.shape == (3 * 32, 4 * 32, 3)
    options = SplitOptions(kind="random", patch=32, train=0.5)
    data = prepare(scene, options)
    pixels = np.flatnonzero(scene.labels)
    cut = data.patches.extract(pixels) * np.array(data.normalizer.scale) + data.normalizer.offset
    np.testing.assert_allclose(cut, made, atol=1e-3)
    np.testing.assert_array_equal(data.targets(pixels), labels)
    # No picture shares a pixel with another.
    assert data.split_record().leakage_patch == 0


@pytest.mark.parametrize(("name", "classes"), [("cifar10", 10), ("cifar100", 100)])
def test_sets_come_as_keras_gives_them(monkeypatch, name, classes):
    taught, tested = pictures(4 * classes, classes), pictures(classes, classes)
    given = tuple((x, y[:, None].astype(np.int64)) for x, y in (taught, tested))
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: given)
    scene = scenes.load(name)
    assert scene.classes == classes
    data = prepare(scene, SplitOptions(kind="fixed", patch=32))
    # The test pictures are those that the set keeps for testing.
    assert len(data.split.test) == classes
    assert len(data.split.train) + len(data.split.validation) == 4 * classes
    found = np.sort(data.targets(data.split.test))
    np.testing.assert_array_equal(found, np.arange(classes))


@pytest.fixture
def land_use(tmp_path):
    for number, name in enumerate(_LAND_USE):
        folder = tmp_path / "UCMerced_LandUse" / "Images" / name
        folder.mkdir(parents=True)
        for place in range(2):
            color = Image.new("RGB", (64, 60), (number * 10, place * 100, 7))
            color.save(folder / f"{name}{place:02}.tif")
    return tmp_path


def test_folders_of_pictures(land_use):
    scene = scenes.load("ucmerced", land_use)
    assert scene.class_names == _LAND_USE
    pixels = np.flatnonzero(scene.labels)
    colors = scene.cube.reshape(-1, 3)[pixels]
    np.testing.assert_array_equal(colors[:, 0], np.repeat(np.arange(21) * 10, 2))


def test_what_is_no_such_folder_is_refused(land_use, tmp_path_factory):
    with pytest.raises(InputError, match="no --data-dir"):
        scenes.load("ucmerced")
    with pytest.raises(InputError, match="agricultural, airplane"):
        scenes.load("ucmerced", tmp_path_factory.mktemp("empty"))
    with pytest.raises(InputError, match="classes already"):
        scenes.load("cifar10", labels="labels.npy")
    images = land_use / "UCMerced_LandUse" / "Images"
    (images / "river" / "river00.tif").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"river00\.tif is no picture"):
        scenes.load("ucmerced", land_use)
    for path in (images / "beach").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="beach holds no pictures"):
        scenes.load("ucmerced", land_use)


@pytest.mark.parametrize("name", ["resnet20", "vgg16"])
def test_networks_of_the_pruning_paper_learn_lose_channels_and_lower(name, tmp_path):
    made, labels = pictures(40, 4)
    scene = mosaic("made", made, labels, list("abcd"))
    choice = SplitChoice(kind="random", train="0.8")
    order = training_plan(
        name, SceneChoice("made"), choice, "full", RecipeOptions(epochs=1, batch_size=16)
    )
    data = prepare(scene, order.split)
    found = fit(order, data, tmp_path / "state.npz", Silent())
    assert np.isfinite(found.history[0].loss)
    smaller = thin(found.network, plan(found.network, "l1", PruningConfig(0.5)))
    assert smaller.count_params() < 0.4 * found.network.count_params()
    assert lower_and_check(smaller, data, 1, FLOAT).error < 1e-3


def test_every_set_can_be_named():
    assert set(IMAGE_SETS) <= set(scenes.names())
    assert zoo.network("resnet56").patch == 32
