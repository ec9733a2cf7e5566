"""Whole scenes strip by strip: borders, files read by rows, gaps, engines, clusters."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
import rasterio
from conftest import ROOT
from rasterio.transform import from_origin
from spectral.io import envi

from hsitf.classify.engines import ENGINES
from hsitf.classify.mapping import classify, prefetch
from hsitf.classify.source import classifier_of_run
from hsitf.classify.strips import Strip, plan_strips, prepare_strip
from hsitf.errors import InputError
from hsitf.progress import Silent
from hsitf.runs import Run
from hsitf.scenes import RasterSource, open_raster
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.readers import open_array, read_array

LI = ("--model", "li")
RUN = "models/tiny/li/disjoint-custom-seed0"


@pytest.fixture(scope="module")
def run(shell):
    done = shell("train", *LI, "--epochs", "2", *shell.SCENE)
    assert done.returncode == 0, done.stderr
    return Run.open(shell.folder / RUN)


@pytest.fixture(scope="module")
def mapped(shell, run):
    done = shell("classify", "--from", RUN, "--out", "whole.tif")
    assert done.returncode == 0, done.stderr
    return labels_of(shell.folder / "whole.tif")


def labels_of(path):
    with rasterio.open(path) as file:
        return file.read(1)


# --- rows of files -------------------------------------------------------------------------


def written(folder, cube):
    """The cube in every format that can be read by rows."""
    import h5py

    paths = []
    for interleave in ("bil", "bip", "bsq"):
        paths.append(folder / f"{interleave}.hdr")
        envi.save_image(str(paths[-1]), cube, interleave=interleave, dtype=cube.dtype, ext=".img")
    paths.append(folder / "cube.npy")
    np.save(paths[-1], cube)
    paths.append(folder / "fortran.npy")
    np.save(paths[-1], np.asfortranarray(cube))
    paths.append(folder / "cube.tif")
    rows, cols, bands = cube.shape
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": bands}
    with rasterio.open(paths[-1], "w", **profile, dtype=cube.dtype) as file:
        file.write(np.moveaxis(cube, 2, 0))
    for name, axes in (("cube.h5", (0, 1, 2)), ("first.h5", (2, 0, 1)), ("middle.h5", (0, 2, 1))):
        paths.append(folder / name)
        with h5py.File(paths[-1], "w") as file:
            file["cube"] = cube.transpose(axes)
            file["wavelength"] = np.linspace(400, 900, bands)
    paths.append(folder / "cube.mat")
    with h5py.File(paths[-1], "w") as file:
        file["cube"] = cube.T
    return paths


def test_rows_are_those_of_the_whole(tmp_path):
    cube = np.random.default_rng(0).integers(0, 4000, (7, 5, 4)).astype(np.uint16)
    for path in written(tmp_path, cube):
        stored = open_array(path)
        assert stored.shape == cube.shape, path.name
        assert stored.streams
        np.testing.assert_array_equal(stored.read(2, 5), cube[2:5], err_msg=path.name)
        np.testing.assert_array_equal(read_array(path).values, cube, err_msg=path.name)


def test_a_strip_has_the_rows_around_it(run, tiny):
    classifier, site = classifier_of_run(run), RasterSource.from_scene(tiny)
    whole = PatchSource.from_cube(classifier.normalizer.apply(tiny.cube), 5)
    for first, last in ((0, 3), (1, 9), (17, 40), (39, 40), (0, 40)):
        found = prepare_strip(classifier, site, Strip(first, last)).patches
        np.testing.assert_array_equal(found.padded, whole.padded[first : last + 4])


def test_the_strips_are_the_scene(run, tiny):
    strips = plan_strips(classifier_of_run(run), RasterSource.from_scene(tiny))
    assert (strips[0].first, strips[-1].last) == (0, 40)
    assert all(above.last == below.first for above, below in pairwise(strips))


@pytest.mark.parametrize("pixels", [40, 280, 1600])
def test_a_map_is_the_same_in_strips_of_any_height(
    run, tiny, mapped, tmp_path, monkeypatch, pixels
):
    monkeypatch.setattr("hsitf.classify.strips.BATCH_PIXELS", pixels)
    monkeypatch.setattr("hsitf.classify.strips.BYTES", 4 * 40 * 24 * pixels // 40)
    found = classify(
        classifier_of_run(run),
        RasterSource.from_scene(tiny),
        tmp_path / "work",
        Silent(),
        keep=False,
    )
    np.testing.assert_array_equal(found.labels, mapped)


# --- files of users ------------------------------------------------------------------------


def test_every_format_makes_the_same_map(shell, run, tiny, mapped, tmp_path):
    for path in written(tmp_path, tiny.cube):
        site = open_raster(str(path))
        found = classify(
            classifier_of_run(run), site, tmp_path / f"{path.name}.work", Silent(), keep=False
        )
        np.testing.assert_array_equal(found.labels, mapped, err_msg=path.name)


def test_gaps_get_no_class_and_are_counted(shell, run, tiny):
    cube = tiny.cube.copy()
    cube[3, 5, 7] = np.nan
    cube[20:22, 30] = np.inf
    np.save(shell.folder / "gaps.npy", cube)
    done = shell(
        "classify",
        "--from",
        RUN,
        "--scene",
        "gaps.npy",
        "--labels",
        "labels.npy",
        "--out",
        "gaps.tif",
        *("--confidence", "sure.tif", "--probabilities", "shares.tif"),
    )
    assert done.returncode == 0, done.stderr
    labels = labels_of(shell.folder / "gaps.tif")
    for name in ("sure.tif", "shares.tif"):
        with rasterio.open(shell.folder / name) as file:
            assert np.isnan(file.nodata)
            for values in file.read():
                np.testing.assert_array_equal(np.isnan(values), labels == 0)
    assert set(zip(*np.nonzero(labels == 0), strict=True)) == {(3, 5), (20, 30), (21, 30)}
    assert "3 pixels without a class" in done.stdout
    assert "labelled pixels that the network was not trained on: OA" in done.stdout


def test_wavelengths_that_a_cube_lacks_are_named(shell, tiny):
    bands = tiny.bands
    for name, shift in (("own", 0), ("other", 40)):
        envi.save_image(
            str(shell.folder / f"{name}.hdr"),
            tiny.cube,
            dtype=np.float32,
            ext=".img",
            metadata={
                "wavelength": [500 + 10 * k + shift * (k > 4) for k in range(bands)],
                "wavelength units": "nm",
            },
        )
    words = ("--model", "hu", "--epochs", "1", "--scene", "own.hdr", "--labels", "labels.npy")
    done = shell("train", *words)
    assert done.returncode == 0, done.stderr
    origin = ("--from", "models/own/hu/disjoint-custom-seed0")
    done = shell("classify", *origin, "--scene", "other.hdr", "--out", "n.tif")
    assert done.returncode == 2
    # Bands at 560 and 570 nm lie in a gap of 50 nm, which is not bridged.
    assert "takes bands that other does not have" in done.stderr
    assert "none within 10.0 nm of 560, 570 nm" in done.stderr
    done = shell("classify", *origin, "--scene", "other.hdr", "--out", "n.tif", "--strict-bands")
    assert done.returncode == 2
    assert "bands up to 40.0 nm from the network's" in done.stderr
    done = shell("classify", *origin, "--scene", "own.hdr", "--out", "own.tif")
    assert done.returncode == 0, done.stderr


# --- engines -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_every_engine_makes_the_map(shell, run, mapped, name):
    done = shell("classify", "--from", RUN, "--engine", name, "--out", f"{name}.tif")
    assert done.returncode == 0, done.stderr
    # Rounding may break a tie.
    assert (labels_of(shell.folder / f"{name}.tif") == mapped).mean() > 0.998


def test_the_fastest_is_found_by_trial(run, tiny, mapped, tmp_path, monkeypatch):
    from pathlib import Path

    from hsitf.classify.engines import engine
    from hsitf.classify.request import MapRequest

    monkeypatch.setattr("hsitf.classify.engines.MAX_TRIAL_SECONDS", 0.0)
    monkeypatch.setattr("hsitf.classify.engines.TILE", 16)
    lines = []

    class Told(Silent):
        def say(self, text: str) -> None:
            lines.append(text)

    request, site = MapRequest((Path("n.tif"),)), RasterSource.from_scene(tiny)
    with engine(classifier_of_run(run), run, site, request, Told()) as chosen:
        found = classify(chosen, site, tmp_path / "work", Silent(), keep=False)
    assert (found.labels == mapped).mean() > 0.998
    assert lines[-1].startswith("pixels/s by engine: keras ")
    assert all(name in lines[-1] for name in ENGINES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--engine", "litert-tile"), "did you mean"),
        (("--dask", "tcp://127.0.0.1:9"), "no scheduler answers"),
        (("--scene", "nowhere.hdr"), "no file nowhere.hdr"),
    ],
)
def test_what_cannot_be_is_said(shell, run, words, message):
    done = shell("classify", "--from", RUN, "--out", "none.tif", *words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(shell.folder.glob("*none.tif*"))


# --- side by side --------------------------------------------------------------------------


def test_ahead_keeps_the_order_and_passes_errors_on():
    assert list(prefetch(lambda n: n * n, range(9))) == [n * n for n in range(9)]

    def refuse(number):
        if number == 3:
            raise InputError("three")
        return number

    found = []
    with pytest.raises(InputError, match="three"):
        found.extend(iter_until(prefetch(refuse, range(9)), found))
    assert found == [0, 1, 2]


def iter_until(items, found):
    for item in items:
        found.append(item)
    return []


@contextmanager
def cluster(folder, workers):
    """A scheduler with workers of their own processes, as a user starts them."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers, threads_per_worker=1, dashboard_address=None, processes=True
    ) as running:
        yield running.scheduler_address


@pytest.mark.slow
def test_a_cluster_makes_the_same_file(shell, run, mapped):
    with cluster(shell.folder, 2) as address:
        done = shell("classify", "--from", RUN, "--dask", address, "--out", "dask.tif")
    assert done.returncode == 0, done.stderr
    assert (shell.folder / "dask.tif").read_bytes() == (shell.folder / "whole.tif").read_bytes()


def test_strips_computed_elsewhere_make_the_same_map(shell, run, mapped, tmp_path):
    from pathlib import Path

    from distributed import LocalCluster

    from hsitf.classify.cluster import StripJob, compute_remotely
    from hsitf.classify.request import MapRequest
    from hsitf.records import SceneChoice

    order = StripJob(
        shell.folder / RUN,
        SceneChoice(str(shell.folder / "tiny.npy")),
        MapRequest((Path("n.tif"),)),
    )
    site = open_raster(str(shell.folder / "tiny.npy"))
    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, processes=False
    ) as running:
        work = compute_remotely(running.scheduler_address, order)
        found = classify(
            classifier_of_run(run), site, tmp_path / "work", Silent(), keep=False, compute=work
        )
    np.testing.assert_array_equal(found.labels, mapped)


# --- large synthetic cubes -----------------------------------------------------------------


def test_a_large_cube_is_written_by_rows(shell):
    words = ("--rows", "200", "--cols", "30", "--out", "big.hdr")
    done = shell("scenes", "synthetic", *words)
    assert done.returncode == 0, done.stderr
    stored = open_array(shell.folder / "big.hdr")
    assert stored.shape == (200, 30, 200)
    assert stored.dtype == np.uint16
    assert stored.wavelengths[0] == 400
    values = stored.read(0, 200).astype(float)
    # Row 145 + k mirrors row 144 - k but for the noise of both, 10 counts each.
    difference = values[145:200] - values[144:89:-1]
    assert 10 < difference.std() < 20
    again = shell("scenes", "synthetic", *words)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_a_killed_map_goes_on(shell, run, mapped, tiny):
    # From a program that dies without a word at the third strip.
    program = (
        "import os, hsitf.classify.mapping as m, hsitf.classify.strips as s; s.BATCH_PIXELS = 320;"
        "from hsitf.commands.classify import app; from hsitf.commands import application as cli;"
        "old = m._write;"
        "m._write = lambda f, st: (old(f, st), st.done >= 16 and os._exit(9));"
        f"cli.run(app, ['--from', '{RUN}', '--out', 'cut.tif'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=shell.folder,
        capture_output=True,
        text=True,
        env={**__import__("os").environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 9, done.stderr
    assert (shell.folder / ".cut.tif.parts").is_dir()
    assert not (shell.folder / "cut.tif").exists()
    again = shell("classify", "--from", RUN, "--out", "cut.tif")
    assert again.returncode == 0, again.stderr
    np.testing.assert_array_equal(labels_of(shell.folder / "cut.tif"), mapped)


def test_the_place_of_a_streamed_cube_is_kept(shell, run, tiny, mapped):
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
        file.write(np.moveaxis(tiny.cube, 2, 0))
    done = shell("classify", "--from", RUN, "--scene", "placed.tif", "--out", "placed-map.tif")
    assert done.returncode == 0, done.stderr
    with rasterio.open(shell.folder / "placed-map.tif") as file:
        assert file.crs.to_epsg() == 32633
        assert file.transform == place["transform"]
        assert file.nodata == 0
        np.testing.assert_array_equal(file.read(1), mapped)
