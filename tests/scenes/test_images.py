"""Scenes of several images: listed in a file, stacked, and never seen across their borders."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from hsitf.data import check_same_scene, describe_scene, image_choices, load_split, prepare
from hsitf.data import save_split as write_split
from hsitf.errors import DataError, HsitfError, InputError
from hsitf.records import SceneChoice
from hsitf.scenes import load, open_raster
from hsitf.scenes.image_list import find_image_list, read_image_list
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.scene import Scene, SceneImage
from hsitf.scenes.splits import SplitOptions, leakage, split

UTM = rasterio.crs.CRS.from_epsg(32633)
WAVELENGTHS = (500, 600, 700)


def envi(folder, name, cube, wavelengths=WAVELENGTHS, extra=""):
    """An ENVI cube of floats, named without its suffix."""
    rows, cols, bands = cube.shape
    cube.astype("<f4").tofile(folder / f"{name}.img")
    centers = f"wavelength = {{{', '.join(map(str, wavelengths))}}}\n" if wavelengths else ""
    (folder / f"{name}.hdr").write_text(
        f"ENVI\nsamples = {cols}\nlines = {rows}\nbands = {bands}\ndata type = 4\n"
        f"interleave = bip\nbyte order = 0\nwavelength units = nm\n{centers}{extra}"
    )


SIZES = {"a": (4, 6), "b": (5, 3), "c": (6, 5)}
LABELS = {"a": [1, 2, 3], "b": [1, 2], "c": [1, 3]}


@pytest.fixture
def folder(tmp_path):
    """Three images of different sizes; classes 1, 2, 3 in turn on their first pixels."""
    rng = np.random.default_rng(0)
    for name, (rows, cols) in SIZES.items():
        envi(tmp_path, name, rng.normal(size=(rows, cols, 3)))
        labels = np.zeros((rows, cols), np.uint8)
        labels.flat[: 4 * len(LABELS[name])] = np.repeat(LABELS[name], 4)
        np.save(tmp_path / f"{name}_labels.npy", labels)
    return tmp_path


def listed(folder, head="", sets=("train", "train", "test"), **more):
    lines = [head]
    for name, chosen in zip("abc", sets, strict=True):
        lines.append(f'[[image]]\ncube = "{name}.hdr"\nlabels = "{name}_labels.npy"')
        lines += [f'set = "{chosen}"'] if chosen else []
        lines += [more[name]] if name in more else []
    (folder / "field.toml").write_text("\n".join(lines))
    return folder / "field.toml"


def test_images_are_stacked(folder):
    scene = load(listed(folder))
    assert scene.name == "field"
    assert scene.cube.shape == (15, 6, 3)
    assert [(one.name, one.first_row, one.rows, one.cols, one.set) for one in scene.images] == [
        ("a", 0, 4, 6, "train"),
        ("b", 4, 5, 3, "train"),
        ("c", 9, 6, 5, "test"),
    ]
    for image in scene.images:
        alone = load(folder / f"{image.name}.hdr")
        np.testing.assert_array_equal(scene.cube[image.block], alone.cube)
    assert np.isnan(scene.cube[4:9, 3:]).all()
    assert scene.valid.sum() == 24 + 15 + 30
    assert scene.class_names == ("class 1", "class 2", "class 3")
    np.testing.assert_array_equal(scene.labels[9, :5], [1, 1, 1, 1, 3])
    np.testing.assert_array_equal(scene.wavelengths, WAVELENGTHS)
    assert set(scene.sources) >= {"field.toml", "a/a.hdr", "a/a_labels.npy", "c/c.img"}
    assert scene.notes[0] == "3 images: a (4 x 6, train), b (5 x 3, train), c (6 x 5, test)."
    assert "c: Labels 1, 3 of c_labels.npy are classes 1 to 2." in scene.notes


def test_a_folder_that_holds_the_list(folder):
    path = listed(folder)
    assert find_image_list(folder) == path
    path.rename(folder / "scene.toml")
    assert load(folder).name == folder.name
    assert load(folder / "scene.toml").name == folder.name
    (folder / "scene.toml").rename(folder / "x.toml")
    listed(folder, 'name = "Other name"')
    with pytest.raises(InputError, match=r"several files.*field\.toml, x\.toml"):
        load(folder)
    assert load(folder / "field.toml").name == "Other name"
    assert find_image_list(folder / "a.hdr") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image = 3", "image of the scene .* has the wrong type"),
        ("[[image]]\ncube = 'a.hdr'", "received: 1 images"),
        ("[[image", "is no TOML"),
        ("nam = 'a'\n[[image]]\ncube='a.hdr'\n[[image]]\ncube='b.hdr'", "did you mean name"),
        ("[[image]]\ncubes='a.hdr'\n[[image]]\ncube='b.hdr'", "unknown key of image 1"),
        ("[[image]]\nlabels='a.hdr'\n[[image]]\ncube='b.hdr'", "image 1 of .* has no cube"),
        ("[[image]]\ncube='a.hdr'\n[[image]]\ncube='x/a.hdr'", "share a name"),
        ("[[image]]\ncube='a.hdr'\nset='train'\n[[image]]\ncube='b.hdr'", "a set and no labels"),
        (
            "[[image]]\ncube='a.hdr'\nlabels='l'\nset='trian'\n[[image]]\ncube='b.hdr'",
            "unknown set of image a 'trian'.*did you mean train",
        ),
        ("[[image]]\ncube='a.hdr'\nnodata=true\n[[image]]\ncube='b.hdr'", "allowed: a number"),
        ("[[image]]\ncube='a.hdr'\nname='../x'\n[[image]]\ncube='b.hdr'", "cannot have this name"),
        ("[[image]]\ncube='f.toml'\n[[image]]\ncube='b.hdr'", "list of images itself"),
        ("[[image]]\ncube='none.hdr'\n[[image]]\ncube='b.hdr'", "image none: there is no file"),
        ("a = " + "[" * 50_000, "no TOML"),
    ],
)
def test_lists_that_are_refused(folder, text, message):
    (folder / "f.toml").write_text(text)
    with pytest.raises(HsitfError, match=message):
        load(folder / "f.toml")


def test_a_list_that_is_not_there_and_labels_besides(folder):
    with pytest.raises(InputError, match="there is no file"):
        load(folder / "none.toml")
    with pytest.raises(InputError, match="names the labels of its images"):
        load(listed(folder), labels=folder / "a_labels.npy")
    with pytest.raises(InputError, match="several images"):
        open_raster(str(listed(folder)))


def test_what_is_said_of_one_image(folder):
    envi(folder, "b", np.where(np.arange(45).reshape(5, 3, 3) < 3, -1, 1.0))
    scene = load(listed(folder, b="nodata = -1"))
    assert np.isnan(scene.cube[4, 0]).all()
    assert "b: 1 of 15 pixels (6.7%) have no data; 1 of them were labelled." in scene.notes
    chosen = image_choices(SceneChoice(str(folder / "field.toml"), all_bands=True))
    assert chosen["b"] == SceneChoice(
        str(folder / "b.hdr"), labels=str(folder / "b_labels.npy"), nodata=-1.0, all_bands=True
    )
    assert image_choices(SceneChoice("fields")) == {}
    assert image_choices(SceneChoice(str(folder / "a.hdr"))) == {}


def test_an_image_without_labels(folder):
    text = listed(folder, sets=("train", "test", "")).read_text()
    (folder / "field.toml").write_text(text.replace('labels = "c_labels.npy"', ""))
    scene = load(folder / "field.toml")
    assert scene.class_names == ("class 1", "class 2", "class 3")
    assert not scene.labels[9:].any()
    data = prepare(scene, SplitOptions(patch=3, validation=0))
    assert [image.set for image in data.scene_record().images] == ["train", "test", ""]
    assert data.unlabelled.max() < 4 * 6


# --- bands and classes ------------------------------------------------------------------------


def test_bands_that_not_all_images_have_are_left_out(folder):
    cube = np.ones((5, 3, 3))
    cube[:, :, 1] = np.nan
    envi(folder, "b", cube)
    scene = load(listed(folder))
    assert (scene.band_numbers, scene.source_bands) == ((0, 2), 3)
    np.testing.assert_array_equal(scene.wavelengths, [500, 700])
    assert "Left out bands that not all images have: 2." in scene.notes
    np.testing.assert_array_equal(scene.cube[:4], load(folder / "a.hdr").cube[:, :, [0, 2]])


@pytest.mark.parametrize(
    ("wavelengths", "bands", "message"),
    [
        ((500, 600, 760), 3, r"images a and b have other bands.*band 3 at 700 and 760 nm"),
        (None, 3, "image a has wavelengths and image b has none"),
        ((510, 610), 2, "images a and b have other bands; received: 3 and 2 bands"),
    ],
)
def test_other_bands_are_refused(folder, wavelengths, bands, message):
    envi(folder, "b", np.ones((5, 3, bands)), wavelengths)
    with pytest.raises(InputError, match=message):
        load(listed(folder))


def test_other_bands_without_wavelengths(folder):
    for name, bands in (("a", 3), ("b", 2), ("c", 3)):
        envi(folder, name, np.ones((*SIZES[name], bands)), None)
    with pytest.raises(InputError, match=r"images a and b have other bands; received: 3 and 2"):
        load(listed(folder))


def test_other_units_are_refused(folder):
    envi(folder, "b", np.ones((5, 3, 3)), extra="reflectance scale factor = 10000\n")
    with pytest.raises(InputError, match="images a and b are in other units"):
        load(listed(folder))


def test_classes_are_shared_by_name(folder):
    names = {"a": {1: "soil", 2: "tree", 3: "road"}, "b": {1: "tree", 2: "soil"}}
    for name, known in names.items():
        labels = np.load(folder / f"{name}_labels.npy")
        lines = [f"{r},{c},{known[labels[r, c]]}" for r, c in np.argwhere(labels)]
        (folder / f"{name}_labels.csv").write_text("row,col,class\n" + "\n".join(lines))
    text = listed(folder).read_text()
    text = text.replace("a_labels.npy", "a_labels.csv").replace("b_labels.npy", "b_labels.csv")
    (folder / "field.toml").write_text(text)
    with pytest.raises(InputError, match=r"two ways.*a: road, soil, tree; c: class 1, class 3"):
        load(folder / "field.toml")
    (folder / "field.toml").write_text(
        text.replace('set = "test"', "").split('[[image]]\ncube = "c')[0]
    )
    scene = load(folder / "field.toml")
    assert scene.class_names == ("road", "soil", "tree")
    b = scene.images[1]
    np.testing.assert_array_equal(scene.labels[b.block].ravel()[:8], [3, 3, 3, 3, 2, 2, 2, 2])
    (folder / "classes.csv").write_text("1,tree,#008000\n2,soil,#804000\n3,road,#444444\n")
    scene = load(listed(folder, 'classes = "classes.csv"'))
    assert scene.class_names == ("tree", "soil", "road")
    assert scene.class_colors[0] == (0, 128, 0)


# --- patches and tiles ------------------------------------------------------------------------


def stacked(rng, sizes, bands=2):
    images, first = [], 0
    for number, (rows, cols) in enumerate(sizes):
        images.append(SceneImage(f"i{number}", first, rows, cols))
        first += rows
    cube = np.full((first, max(cols for _, cols in sizes), bands), 99, np.float32)
    for image in images:
        cube[image.block] = rng.normal(size=(image.rows, image.cols, bands))
    return cube, tuple(images)


def pixels_of(image, cols):
    rows, columns = np.mgrid[image.block]
    return (rows * cols + columns).ravel()


@pytest.mark.parametrize("patch", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(5))
def test_patches_are_those_of_each_image_alone(patch, seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 12, (rng.integers(1, 5), 2)).tolist()
    cube, images = stacked(rng, sizes)
    source = PatchSource.from_cube(cube, patch, images)
    flat = source.padded.reshape(-1, source.bands)
    for image in images:
        alone = PatchSource.from_cube(cube[image.block], patch)
        pixels = pixels_of(image, cube.shape[1])
        expected = alone.extract(np.arange(image.rows * image.cols))
        np.testing.assert_array_equal(source.extract(pixels), expected)
        # As the compiled step of training gathers them, seen from eight sides.
        for side in range(8):
            gathered = flat[source.corners[pixels][:, None] + source.windows[side]]
            own = alone.padded.reshape(-1, source.bands)
            np.testing.assert_array_equal(
                gathered, own[alone.corners[:, None] + alone.windows[side]]
            )


@pytest.mark.parametrize("side", [1, 4, 7, 16])
@pytest.mark.parametrize("patch", [1, 4, 5])
def test_tiles_never_cross_images(side, patch):
    rng = np.random.default_rng(side)
    cube, images = stacked(rng, [(9, 6), (5, 11), (17, 8)])
    source = PatchSource.from_cube(cube, patch, images)
    every = np.concatenate([pixels_of(image, cube.shape[1]) for image in images])
    pixels = rng.permutation(every)[: len(every) * 2 // 3]
    seen = np.zeros(len(pixels), int)
    patches = source.extract(pixels)
    for window, members, inside in source.tiles(pixels, side):
        seen[members] += 1
        assert window.shape == (side + patch - 1, side + patch - 1, 2)
        for member, place in zip(members, inside, strict=True):
            row, col = divmod(place, side)
            cut = window[row : row + patch, col : col + patch]
            np.testing.assert_array_equal(cut, patches[member])
    assert (seen == 1).all()


def test_a_patch_larger_than_an_image_is_refused():
    cube, images = stacked(np.random.default_rng(0), [(9, 6), (3, 11)])
    with pytest.raises(InputError, match=r"image i1.*a patch of 5 x 5 in 3 x 11.*1 to 3"):
        PatchSource.from_cube(cube, 5, images)


# --- splits -----------------------------------------------------------------------------------


def scene_of(labels, sets=("", "", "")):
    """One row of labels an image."""
    images = tuple(
        SceneImage(f"i{number}", number, 1, len(labels[0]), chosen)
        for number, chosen in enumerate(sets)
    )
    return np.array(labels), images


def test_a_split_by_the_sets_that_are_given():
    labels, images = scene_of(
        [[1, 1, 2, 2], [1, 0, 0, 2], [2, 2, 2, 1]], ("train", "validation", "test")
    )
    for kind in ("images", "disjoint"):
        found = split(labels, SplitOptions(kind, patch=3), images=images)
        assert found.kind == "images"
        assert found.train.tolist() == [0, 1, 2, 3]
        assert found.validation.tolist() == [4, 7]
        assert found.test.tolist() == [8, 9, 10, 11]
        assert (leakage(found, 3).pixel, leakage(found, 3).patch) == (0, 0)
        assert found.blocks == [slice(0, 1), slice(1, 2), slice(2, 3)]


def test_leakage_is_measured_within_images():
    labels, images = scene_of([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]])
    zones = [[1, 1, 1, 1], [3, 3, 3, 3], [1, 3, 3, 3]]
    found = split(
        labels,
        SplitOptions("fixed", validation=0),
        train_map=np.array(zones) == 1,
        images=images,
    )
    assert leakage(found, 3).pixel == pytest.approx(1 / 7)
    assert leakage(found, 3).patch == pytest.approx(2 / 7)


def test_validation_is_drawn_where_no_image_validates():
    labels, images = scene_of([[1] * 5 + [2] * 5, [1] * 5 + [2] * 5], ("train", "test"))
    found = split(labels, SplitOptions("images"), images=images)
    assert (len(found.train), len(found.validation), len(found.test)) == (8, 2, 10)
    assert found.validation.max() < 10


@pytest.mark.parametrize("seed", range(10))
def test_images_are_drawn_so_that_every_class_is_trained(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(1, 4, (6, 40))
    labels[3, :5] = 4
    images = scene_of(labels, ("",) * 6)[1]
    found = split(labels, SplitOptions("images", seed=seed), images=images)
    again = split(labels, SplitOptions("images", seed=seed), images=images)
    assert found.digest() == again.digest()
    zones = found.zones()
    tested = [row for row in range(6) if (zones[row] == 3).any()]
    # The image with the class that no other has always trains; two of six are nearest to 35 %.
    assert len(tested) == 2
    assert 3 not in tested
    assert all((zones[row] == 3).all() for row in tested)
    assert set(np.unique(labels[zones == 1])) == {1, 2, 3, 4}
    assert leakage(found, 5).patch == 0


@pytest.mark.parametrize(
    ("labels", "sets", "message"),
    [
        ([[1, 2], [3, 1], [2, 1]], ("train", "test", "test"), r"no training image.*c \(in i1\)"),
        ([[1, 2], [1, 1], [2, 1]], ("train", "", "test"), "no set for i1"),
        ([[1, 2], [1, 1], [2, 1]], ("train", "train", "validation"), "no image tests"),
        ([[1, 4], [2, 4], [3, 4]], ("", "", ""), "no image can test: .* i0: a; i1: b; i2: c"),
    ],
)
def test_splits_by_image_that_are_not_possible(labels, sets, message):
    labels, images = scene_of(labels, sets)
    with pytest.raises(HsitfError, match=message):
        split(labels, SplitOptions("images"), class_names=("a", "b", "c", "d"), images=images)


def test_options_that_contradict_the_images():
    labels, images = scene_of([[1, 2], [1, 2], [2, 1]], ("train", "train", "test"))
    with pytest.raises(InputError, match="says itself which images train"):
        split(labels, SplitOptions("images", train=0.5), images=images)
    with pytest.raises(InputError, match="needs a scene of several images"):
        split(labels, SplitOptions("images"))
    with pytest.raises(InputError, match="a split by image cannot promise"):
        SplitOptions("images", train=5)
    with pytest.raises(InputError, match=r"no guard band.*--validation-regions"):
        SplitOptions("images", guard=2, validation_regions=False)


@pytest.mark.parametrize("kind", ["images", "disjoint"])
def test_a_guard_lies_between_the_regions_of_an_image(kind):
    """Networks of different patches have the same sets; pixels of other images are not near."""
    labels = np.repeat(np.repeat([[1, 2, 1], [2, 1, 2]], 20, axis=0), 20, axis=1)
    labels = np.vstack([labels, labels])
    images = (SceneImage("a", 0, 40, 60, "train"), SceneImage("b", 40, 40, 60, "test"))
    found = split(labels, SplitOptions(kind, guard=12), images=images)
    rows = [np.divmod(pixels, 60) for pixels in (found.train, found.validation)]
    apart = [np.abs(np.subtract.outer(*axis)) for axis in zip(*rows, strict=True)]
    assert len(found.validation)
    assert np.maximum(*apart).min() > 12
    assert found.guard == 12
    # The test image begins at once below.
    assert found.test.size == 40 * 60
    with_patch = split(labels, SplitOptions(kind, guard=12, patch=9), images=images)
    assert with_patch.digest() == found.digest()
    assert split(labels, SplitOptions(kind, patch=9), images=images).digest() != found.digest()


def test_whole_images_have_any_guard():
    labels, images = scene_of([[1, 2], [1, 2], [2, 1]], ("train", "validation", "test"))
    one, other = (split(labels, SplitOptions(guard=g), images=images) for g in (None, 50))
    assert one.digest() == other.digest()
    assert (one.guard, other.guard) == (0, 50)


# --- data and records -------------------------------------------------------------------------


def test_statistics_are_of_all_training_pixels(folder):
    scene = load(listed(folder))
    data = prepare(scene, SplitOptions(patch=3, validation=0))
    spectra = np.concatenate(
        [scene.cube[:4][scene.labels[:4] > 0], scene.cube[4:9, :3][scene.labels[4:9, :3] > 0]]
    )
    np.testing.assert_allclose(data.normalizer.offset, spectra.mean(axis=0), rtol=1e-5)
    record = data.split_record()
    assert (record.kind, record.leakage_patch, record.test) == ("images", 0.0, 8)
    assert [image.set for image in data.scene_record().images] == ["train", "train", "test"]
    # A decoder learns from nothing of the image that is for testing.
    assert data.unlabelled.max() < 9 * 6
    assert data.in_sensor_units().patches.images == scene.images


def test_a_split_by_image_is_kept(folder, tmp_path):
    data = prepare(load(listed(folder)), SplitOptions(patch=3))
    with (tmp_path / "split.npz").open("wb") as stream:
        write_split(data.split, stream)
    found = load_split(tmp_path / "split.npz", data.split_record())
    assert found.image_rows == (0, 4, 9)
    assert leakage(found, 3) == leakage(data.split, 3)
    with np.load(tmp_path / "split.npz") as file:
        parts = dict(file) | {"image_rows": np.array([0, 40])}
    np.savez(tmp_path / "split.npz", **parts)
    with pytest.raises(DataError, match="does not hold the pixels"):
        load_split(tmp_path / "split.npz", data.split_record())


def test_images_in_another_order_are_another_scene(folder):
    envi(folder, "b", np.ones((4, 6, 3)))
    np.save(folder / "b_labels.npy", np.load(folder / "a_labels.npy"))
    scene = load(listed(folder))
    record = describe_scene(scene)
    check_same_scene(scene, record)
    text = (folder / "field.toml").read_text()
    swapped = text.replace('"a', '"x').replace('"b', '"a').replace('"x', '"b')
    (folder / "field.toml").write_text(swapped)
    with pytest.raises(DataError, match="other images"):
        check_same_scene(load(folder / "field.toml"), record)


def test_a_scene_without_some_classes_keeps_its_images(folder):
    scene = load(listed(folder))
    assert scene.without_classes(["class 3"]).images == scene.images
    assert isinstance(scene, Scene)
    assert read_image_list(folder / "field.toml").images[0].cube == folder / "a.hdr"
