from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hsitf import bands, zoo
from hsitf.bands import TECHNIQUES, TrainingSpectra
from hsitf.data import SceneData, prepare
from hsitf.errors import DataError, InputError
from hsitf.export.calibration import Calibration
from hsitf.export.tflite import CONVERTERS
from hsitf.lower import difference, lower
from hsitf.lower.preprocessing import fold_preprocessing
from hsitf.options import band_reduction
from hsitf.runs import Run
from hsitf.runtimes import LiteRT, predict
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import SplitOptions

RNG = np.random.default_rng(0)
# Too slow or too far from deterministic for every run of the tests, and an extra.
SLOW = {"boulch", "tsne", "mds", "umap"}
QUICK = [name for name in TECHNIQUES if name not in SLOW]
# Whose components share one scale.
WEIGHTED = [name for name in QUICK if TECHNIQUES[name].meaningful_scale]


def sample(pixels: int = 120, count: int = 10, classes: int = 3) -> TrainingSpectra:
    """Spectra of classes that differ in a few bands."""
    labels = RNG.integers(0, classes, pixels).astype(np.int32)
    spectra = RNG.normal(size=(pixels, count))
    spectra[:, 2] += 3 * labels
    spectra[:, 7] -= 2 * labels
    return TrainingSpectra(spectra.astype(np.float32), labels, 0)


def components(name: str) -> int:
    return {"lda": 2, "boulch": 3}.get(name.removesuffix("-whiten"), 4)


def fitted(text: str, given: TrainingSpectra) -> bands.Reducer:
    return bands.fit(text, given, lambda: given.spectra, np.linspace(400, 1000, given.bands))


def test_principal_component_by_hand():
    # All lies on the line (3, 4): one component says it all, five apart for each step.
    steps = np.array([-1, 0, 1], np.float32)
    line = np.stack([3 * steps, 4 * steps], axis=1)
    reducer = fitted("pca:1", TrainingSpectra(line, np.zeros(3, np.int32), 0))
    matrix = reducer.transform.matrix[:, 0]
    np.testing.assert_allclose(np.abs(matrix), [0.6, 0.8], atol=1e-6)
    # Deviation of -5, 0, 5 is 5 * sqrt(2 / 3), and a single component is the strongest.
    np.testing.assert_allclose(
        np.abs(reducer.apply(line)[:, 0]), [1.5**0.5, 0, 1.5**0.5], rtol=1e-5
    )


def test_weak_components_stay_weaker_by_hand():
    # Deviations 8 and 2 along the bands: a quarter, whose root is a half.
    ends = np.array([[8, 2], [8, -2], [-8, 2], [-8, -2]], np.float32)
    given = TrainingSpectra(ends, np.zeros(4, np.int32), 0)
    reducer = fitted("pca:2", given)
    np.testing.assert_allclose(reducer.scale, [8, 4], rtol=1e-6)
    np.testing.assert_allclose(reducer.apply(ends).std(0), [1, 0.5], rtol=1e-6)
    whitened = fitted("pca-whiten:2", given)
    np.testing.assert_allclose(whitened.scale, [8, 2], rtol=1e-6)
    np.testing.assert_allclose(whitened.apply(ends).std(0), [1, 1], rtol=1e-6)
    np.testing.assert_array_equal(whitened.transform.matrix, reducer.transform.matrix)
    # The second component holds nothing.
    flat = replace(given, spectra=ends * np.float32([1, 0]))
    np.testing.assert_array_equal(fitted("pca:2", flat).apply(flat.spectra)[:, 1], np.zeros(4))


def test_projection_on_parts_by_hand():
    # Mixtures of (1, 0, 1) and (0, 2, 0): two parts explain them without rest.
    amounts = RNG.uniform(0, 1, size=(50, 2))
    amounts[0] = 0
    spectra = (amounts @ np.array([[1.0, 0, 1], [0, 2, 0]])).astype(np.float32)
    reducer = fitted("nmf:2", TrainingSpectra(spectra, np.zeros(50, np.int32), 0))
    found = reducer.transform.apply(spectra)
    for column in range(2):
        assert np.abs(np.corrcoef(found[:, column], amounts.T)[0, 1:]).max() > 0.99


@pytest.mark.parametrize("name", [*QUICK, *(f"{name}-whiten" for name in WEIGHTED)])
def test_components_are_standard_and_survive_a_file(name, tmp_path):
    given = sample()
    reducer = fitted(f"{name}:{components(name)}", given)
    found = reducer.apply(given.spectra)
    assert found.shape == (120, reducer.components)
    assert found.dtype == np.float32
    if not reducer.selected:
        assert reducer.components == components(name)
        np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
        if name in WEIGHTED:
            raw = reducer.transform.apply(given.spectra).std(0)
            np.testing.assert_allclose(found.std(0), (raw / raw.max()) ** 0.5, rtol=1e-3)
        else:
            np.testing.assert_allclose(found.std(0), 1, atol=1e-3)
    path = tmp_path / "bands.npz"
    with path.open("wb") as stream:
        bands.save(reducer, stream)
    again = bands.read(path)
    new = RNG.normal(size=(9, 10)).astype(np.float32)
    np.testing.assert_allclose(again.apply(new), reducer.apply(new), atol=1e-4)
    assert (again.spec, again.components, again.selected) == (
        reducer.spec,
        reducer.components,
        reducer.selected,
    )


@pytest.mark.parametrize("name", QUICK)
def test_affine_reductions_are_one_matrix(name):
    given = sample()
    reducer = fitted(f"{name}:{components(name)}", given)
    if reducer.affine is None:
        assert not TECHNIQUES[name].foldable or name == "autoencoder"
        return
    by_matrix = given.spectra @ reducer.affine.matrix + reducer.affine.offset
    np.testing.assert_allclose(by_matrix, reducer.apply(given.spectra), atol=1e-4)


@pytest.mark.parametrize("judge", ["linear", "logistic", "forest"])
def test_the_bands_that_tell_classes_apart_are_chosen(judge):
    given = sample(pixels=300)
    for mode in ("forward", "rfe", "mixed"):
        assert 2 in fitted(f"{judge}-{mode}:2", given).selected
    assert len(fitted(f"{judge}-threshold:2", given).selected) <= 2
    assert len(fitted(f"{judge}-mixed:6", given).selected) == 6


def test_bands_by_number_and_wavelength():
    given = sample()
    assert fitted("select:7,2,2", given).selected == (2, 7)
    # Ten centers from 400 to 1000 nm are 66.7 nm apart.
    assert fitted("nm:450-600,990-1200", given).selected == (1, 2, 3, 9)
    np.testing.assert_array_equal(
        fitted("select:7,2", given).apply(given.spectra), given.spectra[:, [2, 7]]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pcaa:3", "did you mean"),
        ("pca", "TECHNIQUE:COMPONENTS"),
        ("pca:x", "TECHNIQUE:COMPONENTS"),
        ("pca:0", "1 to 10"),
        ("pca:11", "1 to 10"),
        ("svd:10", "1 to 9"),
        ("lda:3", "1 to 2: one less than there are classes"),
        ("tsne:4", "1 to 3"),
        ("select:10", "0 to 9"),
        ("select:", "TECHNIQUE"),
        ("nm:2000-2500", "400 to 1000 nm"),
        ("nm:900-450", "TECHNIQUE"),
        ("boulch:4", "three"),
        ("ica-whiten:3", "ica cannot be whitened.*write ica:3"),
        ("forest-rfe-whiten:3", "selected bands stay as they are"),
        ("select-whiten:3", "write select:3"),
        ("pca-whiten", "TECHNIQUE:COMPONENTS"),
        ("pca-whiten:11", "pca-whiten cannot make so many components.*1 to 10"),
    ],
)
def test_what_cannot_be_is_said(text, message):
    with pytest.raises(InputError, match=message):
        fitted(text, sample())


def test_whitening_is_an_option_and_part_of_a_name():
    assert bands.whitened("pca:3") == bands.whitened("pca-whiten:3") == "pca-whiten:3"
    # Of unit deviation as they are.
    assert bands.whitened("ica:3") == "ica:3"
    assert band_reduction("pca:3", whiten=True) == "pca-whiten:3"
    assert band_reduction("pca:3", whiten=False) == "pca:3"
    assert band_reduction(None, whiten=False) is None
    for spec in (None, "select:1,2", "nm:450-600", "forest-rfe:3"):
        with pytest.raises(InputError, match="only components of bands can be whitened"):
            band_reduction(spec, whiten=True)


def test_other_refusals():
    alone = TrainingSpectra(sample().spectra, np.zeros(120, np.int32), 0)
    with pytest.raises(InputError, match="one class"):
        fitted("forest-rfe:3", alone)
    with pytest.raises(InputError, match="wavelengths of this scene are not known"):
        bands.fit("nm:450-900", sample(), lambda: np.empty((0, 10)))
    big = np.zeros((60_001, 10), np.float32)
    with pytest.raises(InputError, match="60000 at most"):
        bands.fit("tsne:2", sample(), lambda: big)


def test_a_reduction_of_the_whole_scene_knows_no_other_pixel():
    given = sample(60)
    reducer = fitted("mds:2", given)
    assert "test pixels included" in reducer.remark
    assert reducer.apply(given.spectra).shape == (60, 2)
    with pytest.raises(InputError, match="knows only the pixels"):
        reducer.apply(given.spectra[:5])


def test_a_missing_package_is_named_before_the_work(monkeypatch):
    monkeypatch.setattr("hsitf.bands.technique.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"umap needs a package.*pip install 'hsitf\[umap\]'"):
        bands.check("umap:2", sample())
    assert bands.check("pca:2", sample()) == 2
    monkeypatch.setattr("hsitf.bands.technique.find_spec", lambda name: name)
    assert bands.check("umap:2", sample()) == 2


def test_files_of_before_hold_whitened_components(tmp_path):
    path = tmp_path / "bands.npz"
    given = sample()
    for name in ("pca", "ica", "forest-rfe"):
        whitened = fitted(bands.whitened(f"{name}:3"), given)
        with path.open("wb") as stream:
            bands.save(replace(whitened, spec=f"{name}:3"), stream)
        arrays = dict(np.load(path))
        del arrays["schema"]
        np.savez(path, **arrays)
        found = bands.read(path)
        assert found.spec == whitened.spec
        np.testing.assert_array_equal(found.apply(given.spectra), whitened.apply(given.spectra))


def test_strange_files_are_refused(tmp_path):
    path = tmp_path / "bands.npz"
    reducer = fitted("pca:2", sample())
    with path.open("wb") as stream:
        bands.save(reducer, stream)
    arrays = dict(np.load(path))
    for change in (
        {"kind": np.array("Module")},
        {"scale": np.array([0.0, 1.0])},
        {"shift": np.zeros(3)},
        {"map_matrix": np.zeros((3, 2))},
        {"map_matrix": np.full((10, 2), np.nan)},
        {"text": np.array({}, object)},
        {"schema": np.array(4)},
    ):
        with path.open("wb") as stream:
            np.savez(stream, **{**arrays, **change})
        with pytest.raises(DataError, match="does not hold a reduction"):
            bands.read(path)
    path.write_bytes(b"no file")
    with pytest.raises(DataError, match="does not hold a reduction"):
        bands.read(path)


def test_a_technique_that_fits_otherwise_today_is_found_out(tmp_path):
    path = tmp_path / "bands.npz"
    with path.open("wb") as stream:
        bands.save(fitted("lle:3", sample()), stream)
    arrays = dict(np.load(path))
    with path.open("wb") as stream:
        np.savez(stream, **{**arrays, "map_answers": -arrays["map_answers"]})
    with pytest.raises(DataError, match="does not fit again"):
        bands.read(path).apply(sample().spectra)


def scene(cube: np.ndarray) -> Scene:
    labels = np.zeros(cube.shape[:2], np.int32)
    labels[:, :12], labels[:, 12:] = 1, 2
    return Scene("made", cube, labels, ("left", "right"), synthetic=True)


def ready(cube: np.ndarray, text: str) -> SceneData:
    return prepare(scene(cube), SplitOptions(kind="disjoint", patch=3, train=0.5), bands=text)


# Its training takes most of a minute.
FIT_QUICKLY = [
    pytest.param(name, marks=[pytest.mark.slow] if name == "autoencoder" else []) for name in QUICK
]


@pytest.mark.parametrize("name", FIT_QUICKLY)
def test_reductions_see_training_pixels_only(name):
    cube = RNG.normal(size=(30, 24, 10)).astype(np.float32)
    cube[:, :12, 2] += 2
    text = f"{name}:{1 if name == 'lda' else components(name)}"
    one = ready(cube, text)
    others = np.ones(cube.shape[:2], np.bool_)
    others.ravel()[one.split.train] = False
    changed = cube.copy()
    changed[others] = RNG.normal(size=(int(others.sum()), 10), scale=50)
    two = ready(changed, text)
    np.testing.assert_array_equal(one.split.train, two.split.train)
    for key, array in one.reducer.transform.arrays().items():
        np.testing.assert_array_equal(array, two.reducer.transform.arrays()[key])
    np.testing.assert_array_equal(one.reducer.scale, two.reducer.scale)
    assert one.bands == one.reducer.components == one.patches.bands


@pytest.mark.parametrize(
    "text",
    [
        *("", "pca:8", "pca-whiten:8", "nmf:8", "forest-rfe:8"),
        pytest.param("autoencoder:8", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(("name", "apart"), [("hu", False), ("cao", False), ("hu", True)])
def test_a_fused_network_takes_counts(tiny, text, name, apart):
    side = zoo.network(name).patch
    data = prepare(tiny, SplitOptions(kind="random", patch=side), bands=text)
    network = zoo.build(name, bands=data.bands, classes=4)
    whole = fold_preprocessing(network, data.normalizer, data.reducer, apart)
    pixels = data.split.test[:50]
    expected = network.predict(data.patches.extract(pixels), verbose=0)
    counts = data.in_sensor_units().patches.extract(pixels)
    middle = counts[0, side // 2, side // 2]
    np.testing.assert_array_equal(middle, tiny.cube.reshape(-1, 24)[pixels[0]])
    received = whole.predict(counts, verbose=0)
    assert np.abs(received - expected).max() <= 1e-3 * np.abs(expected).max()
    error, largest = difference(whole, lower(whole), counts)
    assert error <= 1e-3 * largest


def test_normalization_apart_keeps_bands_that_vary_little(tiny, tmp_path):
    # Weights of bands that vary a hundred times less are a hundred times as large.
    factors = np.where(np.arange(24) % 2, 1.0, 0.01).astype(np.float32)
    scene = replace(tiny, cube=tiny.cube * factors)
    data = prepare(scene, SplitOptions(kind="random", patch=1), bands="grp:8")
    network = zoo.build("hu", bands=8, classes=4)
    counts = data.in_sensor_units().patches.extract(data.split.test[:200])
    expected = network.predict(data.patches.extract(data.split.test[:200]), verbose=0)
    errors = []
    for apart in (False, True):
        whole = lower(fold_preprocessing(network, data.normalizer, data.reducer, apart), 1)
        path = tmp_path / f"{apart}.tflite"
        CONVERTERS["int16"](whole, Calibration(counts), path)
        errors.append(float(np.abs(predict(LiteRT(path), counts) - expected).max()))
    assert errors[1] < 0.7 * errors[0]


def test_what_cannot_be_layers_is_not_fused(tiny):
    data = prepare(tiny, SplitOptions(kind="random", patch=1), bands="isomap:8")
    network = zoo.build("hu", bands=8, classes=4)
    with pytest.raises(InputError, match=r"isomap:8 cannot be folded into a network.*bands\.npz"):
        fold_preprocessing(network, data.normalizer, data.reducer)


@pytest.mark.slow
def test_a_network_of_components_goes_the_whole_way(shell):
    words = ("--model", "hu", "--epochs", "4", "--batch-size", "20", "--lr", "0.05", *shell.SCENE)
    done = shell("train", *words, "--bands", "pca:20")
    assert done.returncode == 0, done.stderr
    run = Run.open(shell.folder / "models/tiny/hu/disjoint-custom-pca-20-seed0")
    assert run.record.bands.spec == "pca:20"
    assert run.record.components == 20
    assert run.network().input_shape == (None, 1, 1, 20)
    assert "20 components (pca:20 of the bands)" in (run.folder / "README.md").read_text()

    # The run of 20 components is found by its bands, and not without them.
    done = shell(
        "prune",
        "--model",
        "hu",
        *shell.SCENE,
        "--bands",
        "pca:20",
        "--ratio",
        "0.5",
        "--epochs",
        "2",
    )
    assert done.returncode == 0, done.stderr
    smaller = Run.open(run.folder.parent / f"{run.folder.name}-l2-ratio0.5")
    assert smaller.record.bands == run.record.bands
    words = ("--model", "hu", "--from", str(smaller.folder), "--float32")
    done = shell("export", *words, "--no-fold-preprocessing")
    assert done.returncode == 0, done.stderr
    (bundle,) = (shell.folder / "export/tiny").glob("hu-*/float32")
    record = json.loads((bundle / "record.json").read_text())
    assert (record["bands"], record["band_reduction"]["spec"]) == (20, "pca:20")
    assert bands.read(bundle / "bands.npz").components == 20

    # By default a file of reduced bands takes what the sensor counts, and needs nothing beside it.
    maps = []
    for extra in ("--no-fold-preprocessing", "--fold-preprocessing"):
        assert shell("export", *words, "--int8", "--max-drop", "30", extra).returncode == 0
        record = json.loads((bundle / "record.json").read_text())
        assert record["agreement"] > 0.999
        done = shell("classify", "--from", str(bundle), *shell.SCENE, "--out", f"map{extra}.tif")
        assert done.returncode == 0, done.stderr
        maps.append((shell.folder / f"map{extra}.tif").read_bytes())
    assert (record["bands"], record["band_reduction"], record["folded_preprocessing"]) == (
        24,
        None,
        "pca:20",
    )
    assert set(record["normalizer"]["offset"]) == {0.0}
    assert not (bundle / "bands.npz").exists()
    assert maps[0] == maps[1]

    done = shell(
        "export", "--model", "hu", "--from", str(run.folder), "--bands", "pca:20", "--int8"
    )
    assert done.returncode == 2
    assert "bands already" in done.stderr
    (run.folder / "bands.npz").write_bytes(b"changed")
    done = shell("export", "--model", "hu", "--from", str(run.folder), "--float32")
    assert done.returncode == 3
    assert "another SHA-256" in done.stderr


def test_too_few_components_are_refused_before_anything_is_written(shell):
    done = shell("train", "--model", "he", *shell.SCENE, "--bands", "pca:4", "--run", "few")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (shell.folder / "models/tiny/he/few").exists()
