"""A network on the bands of another sensor: resampled by wavelength, or refused."""

from __future__ import annotations

import numpy as np
import pytest

import hsitf
from hsitf import zoo
from hsitf.classify.sensor import open_for_site, open_site
from hsitf.classify.source import classifier_of_run
from hsitf.errors import InputError
from hsitf.lower import lower
from hsitf.prune import PruningConfig, plan, thin
from hsitf.records import SceneChoice
from hsitf.scenes.resampling import Spectrometer
from hsitf.sensors import at_centers, run_at_sensor

CENTERS = np.linspace(450, 910, 24)


@pytest.fixture(scope="module")
def folder(shell):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shell.folder)
        yield shell.folder


def write_envi(name, cube, centers, **more):
    """An ENVI cube, interleaved by pixel."""
    cube = np.ascontiguousarray(cube, "<f4")
    rows, cols, bands = cube.shape
    cube.tofile(f"{name}.img")
    lines = [
        "ENVI",
        f"samples = {cols}",
        f"lines = {rows}",
        f"bands = {bands}",
        "data type = 4",
        "interleave = bip",
        "byte order = 0",
        "wavelength units = nm",
        "wavelength = {" + ", ".join(f"{center:g}" for center in centers) + "}",
        *(f"{key.replace('_', ' ')} = {value}" for key, value in more.items()),
    ]
    with open(f"{name}.hdr", "w") as file:
        file.write("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def run(folder, tiny):
    write_envi("known", tiny.cube, CENTERS)
    scene = hsitf.load_scene("known.hdr", labels="labels.npy")
    return hsitf.train_network("hu", scene, epochs=30, batch_size=20, learning_rate=0.05).run


def interpolated(cube, centers):
    """The scene as a sensor with other bands would have measured it."""
    flat = cube.reshape(-1, cube.shape[2])
    return np.stack([np.interp(centers, CENTERS, one) for one in flat]).reshape(
        *cube.shape[:2], len(centers)
    )


def test_a_sensor_with_more_bands(run, tiny):
    others = np.arange(440, 921, 5.0)
    write_envi("other", interpolated(tiny.cube, others), others)
    network = hsitf.load_run(run.folder)
    known, other = (
        hsitf.classify_scene(network, f"{name}.hdr", engine="keras").labels
        for name in ("known", "other")
    )
    site = open_site(SceneChoice("other.hdr"), classifier_of_run(run), False)
    assert site.shape == (40, 40, 24)
    assert "Resampled 97 bands to the network's 24 by wavelength" in site.notes[-1]
    assert (known == other).mean() > 0.95


def test_strict_bands_are_refused(shell, run, tiny):
    shifted = CENTERS + 12
    write_envi("shifted", tiny.cube, shifted)
    words = ("classify", "--from", str(run.folder), "--scene", "shifted.hdr", "--out", "s.tif")
    done = shell(*words, "--strict-bands")
    assert done.returncode == 2
    assert "trained on other wavelengths" in done.stderr
    assert "bands up to 12.0 nm from the network's" in done.stderr
    site = open_site(SceneChoice("shifted.hdr"), classifier_of_run(run), False)
    assert "12.0 nm at most" in site.notes[-1]


def test_bands_that_are_not_covered_are_refused(run, tiny):
    write_envi("short", tiny.cube[:, :, :12], CENTERS[:12])
    with pytest.raises(InputError, match=r"takes bands that short does not have.*none within"):
        open_site(SceneChoice("short.hdr"), classifier_of_run(run), False)


def test_numbers_of_bands_mean_nothing_in_a_file_of_another_sensor(folder, tiny):
    """A run on 20 of 24 bands takes them by number in such files alone."""
    good = np.ones(24, int)
    good[[3, 4, 10, 11]] = 0
    bbl = "{" + ", ".join(map(str, good)) + "}"
    write_envi("flagged", tiny.cube, CENTERS, bbl=bbl)
    scene = hsitf.load_scene("flagged.hdr", labels="labels.npy")
    run = hsitf.train_network("hu", scene, epochs=1).run
    assert (run.record.scene.source_bands, len(run.record.scene.band_numbers)) == (24, 20)
    classifier = classifier_of_run(run)
    # The same bands without the list of bad ones: by number, since the file has as many.
    site = open_site(SceneChoice("known.hdr"), classifier, True)
    np.testing.assert_array_equal(site.read(0, 40), tiny.cube[:, :, good > 0])
    # A file of more bands: their numbers are of another sensor, their wavelengths are not.
    centers = np.concatenate([[430.0], CENTERS])
    cube = np.concatenate([tiny.cube[:, :, :1] + 1, tiny.cube], axis=2)
    write_envi("wider", cube, centers)
    site = open_site(SceneChoice("wider.hdr"), classifier, False)
    np.testing.assert_allclose(site.read(0, 40), tiny.cube[:, :, good > 0], rtol=1e-5)


def test_units_are_converted_where_both_scenes_state_theirs(folder, tiny):
    write_envi("counts", tiny.cube, CENTERS, reflectance_scale_factor=10000)
    scene = hsitf.load_scene("counts.hdr", labels="labels.npy")
    run = hsitf.train_network("hu", scene, epochs=1).run
    classifier = classifier_of_run(run)
    assert classifier.scale == (1e-4,)
    write_envi("percents", tiny.cube / 100, CENTERS, reflectance_scale_factor=100)
    site = open_site(SceneChoice("percents.hdr"), classifier, False)
    np.testing.assert_allclose(site.read(0, 40), tiny.cube, rtol=1e-4)
    assert "Converted percents to the units of counts" in site.notes[-1]
    site = open_site(SceneChoice("known.hdr"), classifier, False)
    assert "Check that both are in the same units" in site.notes[-1]
    np.testing.assert_array_equal(site.read(0, 40), tiny.cube)


@pytest.fixture(scope="module")
def by_wavelength(folder, tiny):
    write_envi("known", tiny.cube, CENTERS)
    scene = hsitf.load_scene("known.hdr", labels="labels.npy")
    return hsitf.train_network("deephs_hyve", scene, epochs=8, guard=2).run


def test_a_network_by_wavelength_takes_the_bands_as_they_are(by_wavelength, tiny):
    run = by_wavelength
    others = np.linspace(445, 915, 48)
    write_envi("fine", interpolated(tiny.cube, others), others)
    site, classifier, computed = open_for_site(
        SceneChoice("fine.hdr"), classifier_of_run(run), run, False
    )
    assert site.shape == (40, 40, 48)
    assert site.notes[-1] == (
        "Computed the first layer of deephs_hyve, trained on 24 bands, for the 48 bands of fine."
    )
    assert classifier.wavelengths == tuple(others)
    assert computed.network().input_shape == (None, 11, 11, 48)
    # Normalized by what the other sensor would have measured.
    expected = np.interp(others, CENTERS, run.record.normalizer.offset)
    np.testing.assert_allclose(classifier.normalizer.offset, expected, rtol=1e-6)
    network = hsitf.load_run(run.folder)
    maps = {
        (name, engine): hsitf.classify_scene(network, f"{name}.hdr", engine=engine).labels
        for name, engine in (("known", "keras"), ("fine", "keras"), ("fine", "litert"))
    }
    assert (maps["known", "keras"] == maps["fine", "keras"]).mean() > 0.9
    assert (maps["fine", "litert"] == maps["fine", "keras"]).mean() > 0.999


def test_its_own_bands_change_nothing(by_wavelength):
    run = by_wavelength
    own = run_at_sensor(run, Spectrometer(CENTERS), "own")
    x = np.random.default_rng(0).normal(size=(3, 11, 11, 24)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(own.network()(x)), np.asarray(run.network()(x)))
    np.testing.assert_allclose(own.record.normalizer.offset, run.record.normalizer.offset)
    np.testing.assert_allclose(own.data().scene.cube, run.data().scene.cube, rtol=1e-5)


def test_a_thinned_network_takes_other_bands_and_lowers_exactly():
    model = zoo.build("deephs_hyve", bands=24, classes=3, wavelengths=CENTERS.tolist())
    small = thin(model, plan(model, "l2", PruningConfig(0.5)))
    other = at_centers(small, np.linspace(445, 915, 40))
    assert small.count_params() == other.count_params() < 0.6 * model.count_params()
    assert other.input_shape == (None, 11, 11, 40)
    x = np.random.default_rng(0).normal(size=(4, 11, 11, 40)).astype(np.float32)
    lowered = lower(other, batch=4)
    assert "WavelengthFilters" not in {type(layer).__name__ for layer in lowered.layers}
    np.testing.assert_allclose(np.asarray(lowered(x)), np.asarray(other(x)), atol=1e-5)


def test_a_sensor_that_lacks_wavelengths_of_the_network_is_refused(by_wavelength, tiny):
    with pytest.raises(InputError, match=r"half does not cover.*with 0% of the filter at 8\d\d nm"):
        run_at_sensor(by_wavelength, Spectrometer(CENTERS[:12]), "half")


def test_a_network_of_one_sensor_has_no_other(run):
    with pytest.raises(InputError, match=r"hu takes the bands that it was trained on alone"):
        run_at_sensor(run, Spectrometer(CENTERS), "own")


def test_files_for_another_sensor(by_wavelength, folder):
    np.savetxt("list.txt", np.linspace(445, 915, 16))
    exported = hsitf.load_run(by_wavelength.folder).export("onnx", sensor="list.txt")
    record = exported.record
    assert exported.folder.parent.name == "deephs_hyve-list"
    assert record.wavelengths == tuple(np.linspace(445, 915, 16))
    assert len(record.normalizer.offset) == 16
    assert record.run_sha256 == by_wavelength.record.sha256


def test_scenes_without_wavelengths_are_refused(folder):
    scene = hsitf.load_scene("tiny.npy", labels="labels.npy")
    refusal = r"deephs_hyve is a function of wavelength; received: tiny, whose files state no"
    with pytest.raises(InputError, match=refusal):
        hsitf.train_network("deephs_hyve", scene, epochs=1)
    known = hsitf.load_scene("known.hdr", labels="labels.npy")
    with pytest.raises(InputError, match="--bands pca:5, whose components have no wavelength"):
        hsitf.train_network("deephs_hyve", known, bands="pca:5", epochs=1)
    with pytest.raises(InputError, match="--pixel-normalization snv, which is of the bands of one"):
        hsitf.train_network("deephs_hyve", known, pixel_normalization="snv", epochs=1)


def test_centers_out_of_order_are_refused_not_sorted(tmp_path):
    from hsitf.sensors import read_sensor

    path = tmp_path / "centers.txt"
    path.write_text("700\n600\n500\n")
    with pytest.raises(InputError, match="not in ascending order"):
        read_sensor(path)
