from pathlib import Path

import numpy as np
import pytest
import scipy.io

import hsitf.scenes as scenes
from hsitf.errors import DataError, InputError
from hsitf.scenes.catalog import (
    BASE_URL,
    CATALOG,
    BandCenters,
    CatalogEntry,
    CatalogFile,
    LabelEncoding,
    SceneLayout,
)
from hsitf.scenes.labels import LabelOptions

DATA = Path(__file__).parents[2] / "../shared/data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data with real scenes")

BY_NAME = CATALOG
CUBE = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
LABELS = np.array([[0, 1, 1, 2], [0, 1, 2, 2], [2, 2, 1, 0]], np.uint8)


def toy(**changes):
    facts = {
        "name": "Toy",
        "sensor": "none",
        "location": "nowhere",
        "rows": 3,
        "cols": 4,
        "bands": 5,
        "class_names": ("Sand", "Sea"),
        "rgb_bands": (4, 2, 0),
        "layouts": (SceneLayout(CatalogFile("toy.mat", "cube"), CatalogFile("toy_gt.mat", "gt")),),
    }
    return CatalogEntry(**(facts | changes))


@pytest.fixture
def catalog(monkeypatch):
    return lambda entry: monkeypatch.setattr(scenes, "CATALOG", {entry.name: entry})


@pytest.fixture
def folder(tmp_path):
    scipy.io.savemat(tmp_path / "toy.mat", {"cube": CUBE})
    scipy.io.savemat(tmp_path / "toy_gt.mat", {"gt": LABELS})
    return tmp_path


def test_fourteen_scenes_three_picture_sets_and_the_built_in_one():
    assert len(scenes.names()) == len(set(scenes.names())) == 18
    assert scenes.names()[-1] == "fields"
    counts = {name: len(BY_NAME[name].class_names) for name in BY_NAME}
    assert counts == {
        "IndianPines": 16,
        "Salinas": 16,
        "SalinasA": 6,
        "PaviaC": 9,
        "PaviaU": 9,
        "KSC": 13,
        "Botswana": 14,
        "Samson": 3,
        "JasperRidge-198": 4,
        "JasperRidge-224": 4,
        "Urban-162": 6,
        "Urban-210": 6,
        "China": 6,
        "USA": 6,
    }


@pytest.mark.parametrize("entry", CATALOG.values(), ids=lambda entry: entry.name)
def test_entries_are_consistent(entry):
    assert len(set(entry.class_names)) == len(entry.class_names)
    assert max(entry.rgb_bands) < entry.bands
    for layout in entry.layouts:
        names = layout.class_names or entry.class_names
        assert layout.label_values is None or {new for _, new in layout.label_values} - {0} == set(
            range(1, len(names) + 1)
        )
    if entry.spectrum:
        centers = scenes._wavelengths(entry.spectrum)
        assert centers.shape == (entry.bands,)
        assert (np.diff(centers) > 0).all()
        assert 350 < centers[0] < centers[-1] <= 2500


def test_wavelengths_skip_removed_channels():
    spectrum = BandCenters(((400.0, 440.0, 5), (500.0, 520.0, 3)), ((1, 1), (4, 6)))
    np.testing.assert_array_equal(scenes._wavelengths(spectrum), [410, 420, 510, 520])


def test_no_band_lies_in_a_water_absorption():
    for name in ("IndianPines", "Salinas", "JasperRidge-198", "Botswana"):
        centers = scenes._wavelengths(BY_NAME[name].spectrum)
        assert not ((centers > 1860) & (centers < 1935)).any()


@needs_data
@pytest.mark.parametrize("name", ["IndianPines", "PaviaU", "PaviaC", "Salinas", "KSC", "Botswana"])
def test_real_label_maps_are_as_the_catalog_says(name):
    entry = BY_NAME[name]
    layout = entry.layouts[0]
    labels = scenes._catalog_labels(entry, layout, DATA / layout.labels.name)
    assert labels.shape == (entry.rows, entry.cols)
    assert labels.dtype == np.int32
    scenes._check_classes(entry, labels, entry.class_names)


@needs_data
def test_real_samson():
    scene = scenes.load("samson", DATA)
    assert scene.cube.shape == (95, 95, 156)
    assert scene.cube.dtype == np.float32
    assert scene.cube.flags.c_contiguous
    assert np.bincount(scene.labels.ravel()).tolist() == [0, 3015, 3666, 2344]
    assert list(scene.sources) == ["samson_dataset.mat"]
    # Regions are smooth only if rows and columns are not mixed up between cube and labels.
    assert (scene.labels[1:] == scene.labels[:-1]).mean() > 0.9
    assert (scene.labels[:, 1:] == scene.labels[:, :-1]).mean() > 0.9
    red, infrared = (int(np.abs(scene.wavelengths - nm).argmin()) for nm in (670, 800))
    soil, tree, water = (scene.cube[scene.labels == k].mean(axis=0) for k in (1, 2, 3))
    assert tree[infrared] / tree[red] > 5
    assert soil[red] > 2 * tree[red]
    assert water[infrared] < water[red] < tree[infrared] / 5


@pytest.mark.parametrize("place", [".", "Toy"])
def test_loads_from_the_folder_or_its_sub_folder(catalog, folder, place):
    catalog(toy())
    (folder / "Toy").mkdir()
    for name in ("toy.mat", "toy_gt.mat"):
        (folder / name).rename(folder / place / name)
    scene = scenes.load("tOY", folder)
    np.testing.assert_array_equal(scene.cube, CUBE)
    np.testing.assert_array_equal(scene.labels, LABELS)
    assert scene.name == "Toy"
    assert scene.rgb_bands == (4, 2, 0)
    assert sorted(scene.sources) == ["toy.mat", "toy_gt.mat"]
    assert not list(folder.rglob("*.sha256"))


def test_abundances_run_down_the_columns(catalog, tmp_path):
    pixels = CUBE.transpose(2, 1, 0).reshape(5, 12)
    assert pixels[0, 1] == CUBE[1, 0, 0]
    shares = np.stack([np.arange(12), np.full(12, 4.5)]) / 20
    scipy.io.savemat(tmp_path / "one.mat", {"Y": pixels, "A": shares})
    missing = SceneLayout(
        CatalogFile("a.mat", "V"),
        CatalogFile("b.mat", "A"),
        label_encoding=LabelEncoding.ABUNDANCES,
    )
    present = SceneLayout(
        CatalogFile("one.mat", "Y"),
        CatalogFile("one.mat", "A"),
        label_encoding=LabelEncoding.ABUNDANCES,
    )
    catalog(toy(layouts=(missing, present)))
    scene = scenes.load("toy", tmp_path)
    np.testing.assert_array_equal(scene.cube, CUBE)
    np.testing.assert_array_equal(scene.labels, [[2, 2, 1, 1], [2, 2, 1, 1], [2, 1, 1, 1]])


def test_pixels_without_any_abundance_are_unlabelled():
    shares = np.array([[[0.0, 0.0], [0.2, 0.8]]])
    assert scenes._dominant(Path("a"), shares).tolist() == [[0, 2]]


def test_changes_are_labelled_and_said_to_be_changes(catalog, tmp_path, caplog):
    layout = BY_NAME["China"].layouts[0]
    catalog(toy(name="China", layouts=(layout,), class_names=BY_NAME["China"].class_names))
    maps = {"T1": CUBE, "T2": CUBE + 1, "Binary": LABELS % 2, "Map": LABELS}
    scipy.io.savemat(tmp_path / layout.cube.name, maps)
    scene = scenes.load("China", tmp_path)
    assert scene.class_names == ("Unchanged", "Changed")
    np.testing.assert_array_equal(scene.labels, LABELS % 2 + 1)
    assert "map of changes" in caplog.text
    own = scenes.load("China", tmp_path, variable="T2", label_options=LabelOptions("Map"))
    assert own.classes == 6
    np.testing.assert_array_equal(own.labels, LABELS)
    np.testing.assert_array_equal(own.cube, CUBE + 1)


def test_salinas_a_is_renumbered_and_strange_values_are_refused():
    pairs = BY_NAME["SalinasA"].layouts[0].label_values
    values = np.array([[0, 1, 10, 11], [12, 13, 14, 0]], np.int32)
    renumbered = scenes._renumbered(Path("a"), values, pairs)
    assert renumbered.tolist() == [[0, 1, 2, 3], [4, 5, 6, 0]]
    with pytest.raises(DataError, match=r"received: \[2\]"):
        scenes._renumbered(Path("a"), np.array([[2]], np.int32), pairs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bands": 6}, r"shape \(3, 4, 5\); allowed: shape \(3, 4, 6\)"),
        ({"rows": 4}, r"shape \(3, 4, 5\); allowed: shape \(4, 4, 5\)"),
        ({"class_names": ("a", "b", "c")}, r"labels \[1, 2\]; allowed: each of 1 to 3"),
        ({"class_names": ("a",)}, r"labels \[1, 2\]; allowed: each of 1 to 1"),
    ],
)
def test_files_that_contradict_the_catalog_are_refused(catalog, folder, changes, message):
    catalog(toy(**changes))
    with pytest.raises(DataError, match=message):
        scenes.load("Toy", folder)


def test_labels_of_another_size_are_refused(catalog, folder):
    catalog(toy())
    np.save(folder / "own.npy", LABELS[:2])
    with pytest.raises(DataError, match="another size than the cube"):
        scenes.load("Toy", folder, labels=folder / "own.npy")


def test_own_labels_make_the_scenes_own_unnecessary(catalog, folder):
    catalog(toy())
    (folder / "toy_gt.mat").unlink()
    np.save(folder / "own.npy", LABELS)
    scene = scenes.load("Toy", folder, labels=folder / "own.npy")
    assert sorted(scene.sources) == ["own.npy", "toy.mat"]


def test_own_labels_keep_the_catalogs_numbers_or_their_own_names(catalog, folder):
    catalog(toy())
    np.save(folder / "own.npy", LABELS * (LABELS == 2))
    scene = scenes.load("Toy", folder, labels=folder / "own.npy")
    assert scene.class_names == toy().class_names
    np.testing.assert_array_equal(scene.labels, LABELS * (LABELS == 2))
    assert scene.notes == ()
    lines = "".join(f"{row},{col},b\n" for row, col in np.argwhere(LABELS == 2))
    (folder / "own.csv").write_text("row,col,class\n0,0,a\n" + lines)
    scene = scenes.load("Toy", folder, labels=folder / "own.csv")
    assert scene.class_names == ("a", "b")


def test_unknown_scene_offers_the_nearest():
    with pytest.raises(InputError, match=r"unknown scene 'indianpine'.*did you mean IndianPines"):
        scenes.load("indianpine")


def test_missing_files_are_listed(tmp_path):
    with pytest.raises(InputError, match=r"samson_1\.mat and end3\.mat; or samson_dataset\.mat"):
        scenes.load("Samson", tmp_path)
    with pytest.raises(InputError, match=r"there is no folder .*none.*samson_dataset\.mat"):
        scenes.load("Samson", tmp_path / "none")


def test_scenes_that_are_not_served_are_looked_for_in_the_own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HSITF_DATA", str(tmp_path))
    with pytest.raises(InputError, match=f"looked in {tmp_path} and .*Urban-162"):
        scenes.load("Urban-162")


def test_served_scenes_are_fetched_once_and_recorded(
    catalog, folder, monkeypatch, tmp_path_factory
):
    layout = SceneLayout(
        CatalogFile("toy.mat", "cube", "x/"), CatalogFile("toy_gt.mat", "gt", "y/")
    )
    catalog(toy(layouts=(layout,)))
    root = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("HSITF_DATA", str(root))
    fetched = []

    def fake(url, path, progress, sha256):
        fetched.append(url)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((folder / path.name).read_bytes())

    monkeypatch.setattr(scenes.download, "download", fake)
    scenes.load("Toy")
    scenes.load("Toy")
    assert fetched == [BASE_URL + "x/toy.mat", BASE_URL + "y/toy_gt.mat"]
    with (root / "Toy" / "toy_gt.mat").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(DataError, match="not the file that was first downloaded"):
        scenes.load("Toy")


def test_the_built_in_scene_takes_no_labels():
    with pytest.raises(InputError, match="not read from files"):
        scenes.load("fields", labels="x.mat")


def test_a_path_without_labels_is_an_unlabelled_scene(folder):
    scene = scenes.load(folder / "toy.mat")
    assert scene.name == "toy"
    assert scene.class_names == ()
    assert not scene.labels.any()
    assert scene.rgb_bands == (3, 2, 1)


def test_a_path_with_labels(folder):
    scene = scenes.load(folder / "toy.mat", labels=folder / "toy_gt.mat")
    assert scene.class_names == ("class 1", "class 2")
    scipy.io.savemat(folder / "both.mat", {"cube": CUBE, "gt": LABELS.astype(float)})
    both = scenes.load(folder / "both.mat", variable="cube", label_options=LabelOptions("gt"))
    np.testing.assert_array_equal(both.labels, LABELS)
    assert list(both.sources) == ["both.mat"]


def test_a_float32_cube_is_not_copied():
    cube = np.zeros((2, 3, 4), np.float32)
    assert scenes._float32(cube) is cube


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 4), np.float32), "holds no cube"),
        (np.full((3, 4, 5), np.nan), "no band of .* has data"),
        (np.full((3, 4, 5), 1e300), "no pixel of bad has data"),
    ],
)
def test_bad_cubes_are_refused(tmp_path, values, message):
    np.save(tmp_path / "bad.npy", values)
    with pytest.raises(DataError, match=message):
        scenes.load(tmp_path / "bad.npy")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((3, 4), 0.5), "not whole numbers"),
        (np.full((3, 4), np.nan), "holds no label"),
        (np.full((3, 4), 65535, np.uint16), "values from 65535 to 65535"),
        (np.full((3, 4), -1), "values from -1 to -1"),
        (np.zeros((3, 4, 3), np.uint8), r"received: shape \(3, 4, 3\)"),
        (np.zeros((4, 3), np.uint8), "another size"),
    ],
)
def test_bad_label_maps_are_refused(folder, values, message):
    np.save(folder / "bad.npy", values)
    with pytest.raises(DataError, match=message):
        scenes.load(folder / "toy.mat", labels=folder / "bad.npy")


def test_a_missing_path_is_said_to_be_missing(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        scenes.load(tmp_path / "none.mat")
    with pytest.raises(InputError, match=r"there is no file cube\.tif"):
        scenes.load("cube.tif")
