"""Folders of pictures as scenes: one sub-folder a class, of any size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hsitf import scenes
from hsitf.api import load_scene, train_network
from hsitf.data import prepare
from hsitf.errors import DataError, InputError
from hsitf.options import SplitChoice, training_plan
from hsitf.records import SceneChoice
from hsitf.scenes.picture_folder import find_picture_folder
from hsitf.scenes.splits import SplitOptions

SIDE = 12
SUFFIXES = ("png", "jpg", "tif")


def write(path, color, side=(SIDE, SIDE), noise=20, seed=0):
    """A picture of one color with noise; `side` is (rows, cols)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng((seed, *color))
    pixels = np.clip(np.array(color) + rng.integers(0, noise + 1, (*side, 3)), 0, 255)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    """Two classes of three pictures each, in three formats."""
    for number, name in enumerate(("field", "harbor")):
        for place, suffix in enumerate(SUFFIXES):
            write(tmp_path / "set" / name / f"{place}.{suffix}", (100 * number, 50, 20), seed=place)
    return tmp_path / "set"


def test_every_picture_is_a_patch_of_its_class(folder):
    scene = scenes.load(folder)
    assert (scene.name, scene.class_names, scene.picture_side) == ("set", ("field", "harbor"), SIDE)
    data = prepare(scene, SplitOptions(kind="random", patch=SIDE, train=0.5, validation=0.0))
    pixels = np.flatnonzero(scene.labels)
    cut = data.patches.extract(pixels) * np.array(data.normalizer.scale) + data.normalizer.offset
    files = find_picture_folder(folder).every_file
    assert [path.name for path in files] == ["0.png", "1.jpg", "2.tif"] * 2
    for number, path in enumerate(files):
        expected = np.asarray(Image.open(path).convert("RGB"), np.float32)
        np.testing.assert_allclose(cut[number], expected, atol=1e-3)
    np.testing.assert_array_equal(data.targets(pixels), [0, 0, 0, 1, 1, 1])
    # A digest of each class, which other pictures change.
    write(folder / "harbor" / "1.jpg", (9, 9, 9))
    changed = scenes.load(folder).sources
    assert changed["field"] == scene.sources["field"]
    assert changed["harbor"] != scene.sources["harbor"]


def test_a_disjoint_split_draws_pictures_and_has_no_guard(folder):
    scene = scenes.load(folder)
    data = prepare(scene, SplitOptions(patch=SIDE, train=0.7, validation=0.0))
    assert (data.split.kind, data.split.guard) == ("disjoint", 0)
    assert data.split_record().leakage_patch == 0
    assert len(data.split.train) + len(data.split.test) == 6
    with pytest.raises(InputError, match="no regions and no guard band"):
        prepare(scene, SplitOptions(patch=SIDE, guard=3))
    with pytest.raises(InputError, match="not split by image"):
        prepare(scene, SplitOptions(kind="images", patch=SIDE))


def test_the_patch_is_the_picture(folder):
    choice = SceneChoice(str(folder))
    assert training_plan("cao", choice, SplitChoice(), "short").patch == SIDE
    resized = SceneChoice(str(folder), picture_size=8)
    assert training_plan("cao", resized, SplitChoice(), "short").patch == 8
    with pytest.raises(InputError, match="whole pictures") as caught:
        training_plan("cao", choice, SplitChoice(patch=9), "short")
    assert "--picture-size 9" in str(caught.value)
    with pytest.raises(InputError, match="whole pictures"):
        prepare(scenes.load(folder), SplitOptions(kind="random", patch=9))


def test_pictures_are_resized_by_averaging_where_it_is_asked_for(folder):
    write(folder / "field" / "3.png", (10, 20, 30), (24, 24), noise=0)
    pixels = np.zeros((24, 24, 3), np.uint8)
    pixels[::2, :] = 100
    Image.fromarray(pixels).save(folder / "field" / "4.png")
    with pytest.raises(InputError, match="not squares of one size") as caught:
        scenes.load(folder)
    assert "12 x 12, 24 x 24" in str(caught.value)
    assert "--picture-size, such as 12" in str(caught.value)
    scene = scenes.load(folder, picture_size=SIDE)
    assert scene.notes == (
        "Pictures of 12 x 12, 24 x 24 pixels are resized to 12 x 12 by averaging.",
    )
    colors = scene.cube.reshape(-1, 3)[np.flatnonzero(scene.labels)]
    np.testing.assert_array_equal(colors[3:5], [[10, 20, 30], [50, 50, 50]])


def test_oblong_pictures_are_refused_without_a_size(tmp_path):
    for name in ("a", "b"):
        for place in range(2):
            write(tmp_path / name / f"{place}.png", (1, 2, 3), (8, 10))
    with pytest.raises(InputError, match="8 x 10; allowed: pictures of one size"):
        scenes.load(tmp_path)
    assert scenes.load(tmp_path, picture_size=6).picture_side == 6


@pytest.mark.parametrize("size", [0, 5000])
def test_sizes_are_bounded(folder, size):
    with pytest.raises(InputError, match="the size of a picture is out of range"):
        scenes.load(folder, picture_size=size)


def test_memory_is_bounded(folder, monkeypatch):
    monkeypatch.setattr("hsitf.scenes.image_sets.MAX_BYTES", 1000)
    with pytest.raises(DataError, match="do not fit into memory") as caught:
        scenes.load(folder)
    assert "6 pictures of 12 x 12" in str(caught.value)


def test_large_pictures_are_refused_by_their_header(folder, monkeypatch):
    monkeypatch.setattr("hsitf.scenes.picture_folder.MAX_PICTURE_PIXELS", 100)
    with pytest.raises(DataError, match="too large for a picture"):
        scenes.load(folder)


def test_what_is_beside_the_pictures_is_said(folder):
    (folder / "README.txt").write_text("a set")
    (folder / "field" / "list.csv").write_text("0.png,field")
    (folder / "field" / ".hidden").write_text("")
    note = "Left out 2 files that are no pictures: README.txt, field/list.csv."
    assert scenes.load(folder).notes == (note,)


def one_class(folder):
    for path in (folder / "harbor").iterdir():
        path.unlink()
    (folder / "harbor").rmdir()


def empty_class(folder):
    (folder / "river").mkdir()


def damaged(folder):
    content = (folder / "field" / "0.png").read_bytes()
    (folder / "field" / "0.png").write_bytes(content[: len(content) // 2])


def no_picture(folder):
    (folder / "field" / "0.png").write_bytes(b"no picture")


def without_size(folder):
    # A TIFF whose header names its length alone.
    header = b"II*\x00\x08\x00\x00\x00\x01\x00"
    entry = b"\x01\x01\x03\x00\x01\x00\x00\x00\x0c\x00\x00\x00"
    (folder / "field" / "2.tif").write_bytes(header + entry + bytes(4))


def sixteen_bits(folder):
    Image.fromarray(np.zeros((SIDE, SIDE), np.uint16)).save(folder / "field" / "0.png")


def pages(folder):
    one = Image.new("RGB", (SIDE, SIDE))
    one.save(folder / "field" / "2.tif", save_all=True, append_images=[one])


def loose(folder):
    write(folder / "loose.png", (1, 2, 3))


def deeper(folder):
    (folder / "field" / "more").mkdir()


def cube_beside(folder):
    np.save(folder / "field" / "cube.npy", np.zeros((4, 4, 50)))


def list_of_images(folder):
    (folder / "field" / "scene.toml").write_text("")


@pytest.mark.parametrize(
    ("spoil", "message", "remedy"),
    [
        (one_class, "are of one class", "folders of the classes"),
        (empty_class, "river holds no pictures", "remove the folder"),
        (damaged, r"0\.png is no picture", "fetch it again"),
        (no_picture, r"0\.png is no picture", "fetch it again"),
        (without_size, r"2\.tif is no picture", "fetch it again"),
        (sixteen_bits, "eight bits a color", "convert it"),
        (pages, r"2\.tif holds several pictures", "file of its own"),
        (loose, "beside its folders of classes", "folder of their class"),
        (deeper, "holds pictures and a folder", "move one of them"),
        (cube_beside, "holds pictures and a cube", "by its own path"),
        (list_of_images, "pictures and a list of images", "by its own path"),
    ],
)
def test_folders_in_disorder_are_refused(folder, spoil, message, remedy):
    spoil(folder)
    with pytest.raises((InputError, DataError), match=message) as caught:
        scenes.load(folder)
    assert remedy in str(caught.value)


def test_a_set_of_two_folders_of_sets_names_one_of_them(folder, tmp_path):
    (tmp_path / "whole").mkdir()
    folder.rename(tmp_path / "whole" / "train")
    with pytest.raises(InputError, match="two folders deep") as caught:
        scenes.load(tmp_path / "whole")
    assert "such as" in str(caught.value)
    assert "whole/train" in str(caught.value)


def test_cubes_in_folders_are_no_pictures(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shape = {"height": 6, "width": 6, "count": 20, "dtype": "uint8"}
        with rasterio.open(tmp_path / name / "cube.tif", "w", driver="GTiff", **shape) as file:
            file.write(np.zeros((20, 6, 6), np.uint8))
    with pytest.raises(InputError, match=r"cube\.tif is a cube, not a picture") as caught:
        scenes.load(tmp_path)
    assert "20 bands" in str(caught.value)


def test_other_folders_are_what_they_were(tmp_path, folder):
    (tmp_path / "cubes" / "day1").mkdir(parents=True)
    np.save(tmp_path / "cubes" / "day1" / "cube.npy", np.zeros((4, 4, 50)))
    assert find_picture_folder(tmp_path / "cubes") is None
    with pytest.raises(InputError, match="there is no file"):
        scenes.load(tmp_path / "cubes")
    # A list of images wins: its folder may hold pictures of the scene, too.
    (folder / "scene.toml").write_text('name = "two"\n')
    with pytest.raises(InputError, match="does not list the images"):
        scenes.load(folder)


def test_options_of_cubes_and_pictures_do_not_mix(folder):
    with pytest.raises(InputError, match="classes already"):
        scenes.load(folder, labels="labels.npy")
    with pytest.raises(InputError, match="fields is no set of pictures"):
        scenes.load("fields", picture_size=32)
    with pytest.raises(InputError, match="pictures of cifar10 are not resized"):
        scenes.load("cifar10", picture_size=64)
    with pytest.raises(InputError, match="which has no map"):
        scenes.open_raster(str(folder))


def test_a_folder_is_trained_pruned_exported_and_verified(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(6):
        for place in range(10):
            color = (40 * number, 200 - 40 * number, 30)
            write(tmp_path / "set" / f"class{number}" / f"{place}.png", color, seed=place)
    scene = load_scene("set")
    trained = train_network("cao", scene, epochs=25, batch_size=8, learning_rate=0.01)
    record = trained.record
    assert record.plan.patch == SIDE
    # Far above one in six.
    assert record.scores.oa > 0.5
    # Six classes: the class is nearly always among the five likeliest.
    assert record.scores.oa <= record.scores.top5 <= 1
    pruned = trained.prune(macs=0.5, criterion="l1", epochs=5)
    assert pruned.record.pruning.after.top5 == pruned.record.scores.top5
    exported = pruned.export("float32")
    assert exported.record.patch == SIDE
    assert exported.record.agreement == 1
    assert exported.record.top5 == pytest.approx(pruned.record.scores.top5)
