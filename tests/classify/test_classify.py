from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from conftest import ROOT
from rasterio.transform import from_origin
from spectral.io import envi

from hsitf.classify.mapping import LABELS, STATE, VALUES, classify, remove_state
from hsitf.classify.outputs import check
from hsitf.classify.source import classifier_of_run
from hsitf.errors import InputError
from hsitf.figures import palette
from hsitf.progress import Silent
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.scenes import RasterSource, open_raster
from hsitf.smoothing import mean_field_smoothing

RUN = "models/tiny/hu/disjoint-custom-seed0"
warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)


@pytest.fixture(scope="module")
def run(shell):
    done = shell(
        *("train", "--model", "hu", "--epochs", "12", "--batch-size", "20"),
        *("--learning-rate", "0.05", *shell.SCENE),
    )
    assert done.returncode == 0, done.stderr
    return Run.open(shell.folder / RUN)


def where(shell) -> SceneChoice:
    return SceneChoice(str(shell.folder / "tiny.npy"), labels=str(shell.folder / "labels.npy"))


def site_of(shell) -> RasterSource:
    return open_raster(str(shell.folder / "tiny.npy"), labels=str(shell.folder / "labels.npy"))


@pytest.fixture(scope="module")
def mapped(shell, run):
    done = shell(
        "classify",
        "--from",
        RUN,
        "--out",
        "map.tif",
        "--out",
        "map.hdr",
        "--out",
        "map.png",
        "--probabilities",
        "p.tif",
        "--confidence",
        "c.tif",
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_run_that_a_name_stands_for_is_said(shell, run):
    done = shell("classify", "--model", "hu", *shell.SCENE, "--out", "named.tif")
    assert done.returncode == 0, done.stderr
    assert f"using {RUN}, recipe paper" in done.stderr


def test_every_pixel_is_what_the_network_says(shell, run, mapped, tiny):
    with rasterio.open(shell.folder / "map.tif") as file:
        labels = file.read(1)
        assert (file.nodata, file.dtypes) == (0, ("uint8",))
        assert file.tags(1)["class_2"] == run.record.scene.class_names[1]
        assert file.colormap(1)[1][:3] == palette(4)[0]
    patches = run.data(where(shell)).patches
    logits = run.network().predict(patches.extract(np.arange(1600)), verbose=0)
    np.testing.assert_array_equal(labels.ravel(), logits.argmax(1) + 1)

    with rasterio.open(shell.folder / "p.tif") as file:
        values = file.read()
        assert file.descriptions[0] == run.record.scene.class_names[0]
    np.testing.assert_array_equal(values.argmax(0) + 1, labels)
    np.testing.assert_allclose(values.sum(0), 1, atol=2e-3)
    with rasterio.open(shell.folder / "c.tif") as file:
        np.testing.assert_allclose(file.read(1), values.max(0), atol=1e-6)

    image = envi.open(str(shell.folder / "map.hdr"))
    np.testing.assert_array_equal(image.read_band(0), labels)
    assert image.metadata["class names"][1:] == list(run.record.scene.class_names)
    assert (shell.folder / "map.png").read_bytes()[:4] == b"\x89PNG"

    # The accuracy on the test pixels is the one of the run's record.
    assert f"test pixels: OA {run.record.scores.oa:.2%}" in mapped.stdout
    assert not list(shell.folder.glob(".map*"))


def test_an_exported_file_makes_the_map_too(shell, run, mapped):
    done = shell("export", "--model", "hu", "--from", RUN, "--int8", "--max-drop", "50")
    assert done.returncode == 0, done.stderr
    assert "Latency of one spectrum, 1 thread: " in done.stdout
    done = shell("classify", "--from", "export/tiny/hu/int8", *shell.SCENE, "--out", "int8.tif")
    assert done.returncode == 0, done.stderr
    # Its run knows which pixels it was not trained on.
    assert f"{run.record.split.test:,} test pixels: OA" in done.stdout
    labels = []
    for name in ("map.tif", "int8.tif"):
        with rasterio.open(shell.folder / name) as file:
            labels.append(file.read(1))
    assert (labels[0] == labels[1]).mean() > 0.9


def test_the_place_on_earth_is_kept(shell, run, tiny):
    cube = np.moveaxis(tiny.cube, 2, 0)
    place = {"crs": "EPSG:32633", "transform": from_origin(500000, 4500000, 30, 30)}
    with rasterio.open(
        shell.folder / "placed.tif",
        "w",
        driver="GTiff",
        height=40,
        width=40,
        count=24,
        dtype="float32",
        **place,
    ) as file:
        file.write(cube)
    done = shell("classify", "--from", RUN, "--scene", "placed.tif", "--out", "placed-map.tif")
    assert done.returncode == 0, done.stderr
    with rasterio.open(shell.folder / "placed-map.tif") as file:
        assert file.crs.to_epsg() == 32633
        assert file.transform == place["transform"]
        labels = file.read(1)
    with rasterio.open(shell.folder / "map.tif") as file:
        np.testing.assert_array_equal(labels, file.read(1))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from", RUN, "--out", "map.tif"), "map.tif exists already"),
        (("--from", RUN, "--out", "map.jpg"), "GeoTIFF"),
        (("--from", RUN, "--out", "n.tif", "--confidence", "c.png"), "is no GeoTIFF"),
        (("--from", RUN, "--out", "n.tif", "--smooth", "-1"), "smoothing is out of range"),
        (("--from", RUN, "--out", "n.tif", "--threads", "0"), "threads is out of range"),
        (("--from", RUN, "--out", "n.tif", "--scene", "fields"), "was trained on other bands"),
        (("--out", "n.tif"), "neither --model nor --from"),
        (("--from", RUN, "--model", "hu", "--out", "n.tif"), "both --model and --from"),
        (("--model", "huu", "--out", "n.tif"), "did you mean"),
        (("--from", "nowhere", "--out", "n.tif"), "no such run"),
    ],
)
def test_what_cannot_be_is_said(shell, run, mapped, words, message):
    done = shell("classify", *words)
    assert done.returncode in (2, 3)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (shell.folder / "n.tif").exists()


def test_an_interrupted_map_goes_on(shell, run, tmp_path, monkeypatch):
    classifier, site = classifier_of_run(run), site_of(shell)
    expected = classify(classifier, site, tmp_path / "whole", Silent(), keep=True)
    monkeypatch.setattr("hsitf.classify.strips.BATCH_PIXELS", 320)

    class StopError(Exception):
        pass

    class Tired(Silent):
        steps = 0

        def advance(self, steps: int = 1, note: str = "") -> None:
            self.steps += 1
            if self.steps == 3:
                raise StopError

    with pytest.raises(StopError):
        classify(classifier, site, tmp_path / "cut", Tired(), keep=True)
    done = json.loads((tmp_path / "cut" / STATE).read_text())["done"]
    assert done in (16, 24, 32)
    # What is there is taken as it is: a mark in it stays.
    kept = np.load(tmp_path / "cut" / VALUES, mmap_mode="r+")
    kept[0, 0] = 0.25
    kept.flush()
    found = classify(classifier, site, tmp_path / "cut", Silent(), keep=True)
    assert (np.asarray(found.values[0, 0]) == 0.25).all()
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(
        np.asarray(found.values).reshape(1600, -1)[1:],
        np.asarray(expected.values).reshape(1600, -1)[1:],
    )
    remove_state(tmp_path / "cut")
    assert not (tmp_path / "cut").exists()


def test_another_networks_strips_are_not_taken(shell, run, tmp_path):
    classifier, site = classifier_of_run(run), site_of(shell)
    classify(classifier, site, tmp_path / "one", Silent(), keep=False)
    state = tmp_path / "one" / STATE
    state.write_text(state.read_text().replace(classifier.sha256, "0" * 64))
    np.load(tmp_path / "one" / LABELS, mmap_mode="r+")[:] = 0
    found = classify(classifier, site, tmp_path / "one", Silent(), keep=False)
    assert found.speed > 0
    assert found.labels.all()


def test_smoothing_by_hand():
    # Three pixels in a row; the middle one leans the other way.
    said = np.array([[[0.9, 0.1], [0.4, 0.6], [0.9, 0.1]]], np.float32)
    np.testing.assert_array_equal(mean_field_smoothing(said, 0.0), said)
    once = mean_field_smoothing(said, 1.0, rounds=1)
    # Its neighbors say 1.8 to 0.2: 0.4 e^1.8 against 0.6 e^0.2.
    expected = 0.4 * np.exp(1.8) / (0.4 * np.exp(1.8) + 0.6 * np.exp(0.2))
    assert once[0, 1, 0] == pytest.approx(expected, rel=1e-5)
    assert (mean_field_smoothing(said, 1.0).argmax(2) == 0).all()
    with pytest.raises(InputError, match="out of range"):
        mean_field_smoothing(said, -1.0)


def test_a_pixel_without_a_say_gets_none():
    said = np.zeros((2, 2, 3), np.float32)
    said[0, 0] = [0.2, 0.3, 0.5]
    found = mean_field_smoothing(said, 2.0)
    assert found[1, 1].sum() == 0
    assert found[0, 0].sum() == pytest.approx(1)


def test_colors_differ():
    assert len(set(palette(30))) == 30


def test_help_loads_nothing_heavy():
    program = (
        "import sys; from typer.testing import CliRunner; from hsitf.commands.classify import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        "assert not {'tensorflow', 'keras', 'numpy', 'rasterio'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_another_scenes_strips_are_not_taken(shell, run, tmp_path, tiny):
    classifier, site = classifier_of_run(run), site_of(shell)
    classify(classifier, site, tmp_path / "one", Silent(), keep=False)
    other = RasterSource.from_scene(replace(tiny, cube=tiny.cube[::-1].copy()))
    assert classify(classifier, other, tmp_path / "one", Silent(), keep=False).speed > 0
    assert classify(classifier, other, tmp_path / "one", Silent(), keep=False).speed == 0


def test_the_data_beside_a_header_are_not_replaced_unasked(tmp_path):
    (tmp_path / "x.img").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"x\.img exists already"):
        check([tmp_path / "x.hdr"], overwrite=False)
    check([tmp_path / "x.hdr"], overwrite=True)
