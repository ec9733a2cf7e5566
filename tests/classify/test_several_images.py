"""A scene of several images from its list to a map of each, as a user types it."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import rasterio

from hsitf.export.bundle import RECORD
from hsitf.metrics import confusion, scores
from hsitf.runs import Run
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.splits import leakage

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)

RUN = "models/fields3/li/by-image"
# Rows and columns of the tiny scene; the second image is narrower.
PARTS = {"north": (slice(0, 14), slice(0, 40)), "middle": (slice(14, 27), slice(3, 33)),
         "south": (slice(27, 40), slice(0, 40))}  # fmt: skip
SETS = {"north": "train", "middle": "test", "south": "train"}


@pytest.fixture(scope="module")
def run(shell, tiny):
    lines = ['name = "fields3"', 'classes = "classes.csv"']
    for name, block in PARTS.items():
        place = rasterio.Affine(10, 0, 400_000 + 10 * block[1].start, 0, -10, 5e6 - block[0].start)
        cube, labels = tiny.cube[block], tiny.labels[block]
        profile = {"crs": "EPSG:32633", "transform": place, "driver": "GTiff"}
        shape = {"height": cube.shape[0], "width": cube.shape[1]}
        with rasterio.open(
            shell.folder / f"{name}.tif",
            "w",
            count=cube.shape[2],
            dtype="float32",
            **profile,
            **shape,
        ) as file:
            file.write(np.moveaxis(cube, -1, 0))
        np.save(shell.folder / f"{name}_labels.npy", labels)
        lines += ["[[image]]", f'cube = "{name}.tif"', f'labels = "{name}_labels.npy"']
        lines += [f'set = "{SETS[name]}"']
    (shell.folder / "list.toml").write_text("\n".join(lines))
    names = "".join(f'{k},"{name}"\n' for k, name in enumerate(tiny.class_names, start=1))
    (shell.folder / "classes.csv").write_text(names)
    words = ("--model", "li", "--scene", "list.toml", "--epochs", "3", "--run", "by-image")
    done = shell("train", *words)
    assert done.returncode == 0, done.stderr
    assert "images split, leakage 0.0%" in done.stdout
    return Run.open(shell.folder / RUN)


def test_the_record_knows_the_images(run):
    images = run.record.scene.images
    assert [(one.name, one.rows, one.cols, one.set) for one in images] == [
        ("north", 14, 40, "train"),
        ("middle", 13, 30, "test"),
        ("south", 13, 40, "train"),
    ]
    assert run.record.split.kind == "images"
    assert run.record.split.leakage_patch == 0
    found = run.split()
    assert found.image_rows == (0, 14, 27)
    assert leakage(found, run.record.plan.patch).pixel == 0
    assert set((found.test // 40).tolist()) <= set(range(14, 27))


def test_each_image_gets_its_own_map(shell, run, tiny):
    done = shell("classify", "--from", RUN, "--out", "maps.tif", "--engine", "keras")
    assert done.returncode == 0, done.stderr
    network, record = run.network(), run.record
    for name, block in PARTS.items():
        with rasterio.open(shell.folder / f"maps-{name}.tif") as file:
            found = file.read(1)
            assert file.transform.c == 400_000 + 10 * block[1].start
            assert file.transform.f == 5e6 - block[0].start
        alone = record.normalizer.apply(np.ascontiguousarray(tiny.cube[block]))
        patches = PatchSource.from_cube(alone, record.plan.patch).extract(np.arange(found.size))
        logits = network.predict(patches, verbose=0)
        np.testing.assert_array_equal(found.ravel(), logits.argmax(axis=1) + 1)
        if name == "middle":
            truth, known = tiny.labels[block].ravel(), tiny.labels[block].ravel() > 0
            matrix = confusion(truth[known] - 1, found.ravel()[known] - 1, 4)
            assert scores(matrix) == record.scores
    assert f"{record.split.test:,} test pixels of 1 of 3 images: OA {record.scores.oa:.2%}" in (
        done.stdout
    )
    again = shell("classify", "--from", RUN, "--out", "maps.tif")
    assert again.returncode == 2
    assert "maps-north.tif exists already" in again.stderr


def test_an_image_by_its_own_path(shell, run):
    (shell.folder / "renamed.tif").write_bytes((shell.folder / "middle.tif").read_bytes())
    words = ("--labels", "middle_labels.npy", "--classes", "classes.csv", "--out", "own.tif")
    done = shell("classify", "--from", RUN, "--scene", "renamed.tif", *words)
    assert done.returncode == 0, done.stderr
    assert f"{run.record.split.test:,} test pixels: OA {run.record.scores.oa:.2%}" in done.stdout


@pytest.mark.slow
def test_tiles_and_smaller_networks_of_several_images(shell, run):
    done = shell("export", "--from", RUN, "--variant", "float32", "--tile", "8")
    assert done.returncode == 0, done.stderr
    (path,) = (shell.folder / "export/fields3/li").rglob(RECORD)
    record = json.loads(path.read_text())
    assert record["tile"] == 8
    assert record["agreement"] == 1
    words = ("--scene", "list.toml", "--out", "tiles.tif", "--overwrite")
    done = shell("classify", "--from", str(path.parent), *words)
    assert done.returncode == 0, done.stderr
    assert f"OA {run.record.scores.oa:.2%}" in done.stdout
    done = shell("export", "--from", RUN, "--variant", "int8", "--android")
    assert done.returncode == 2
    assert "the Android demo shows a scene of one image" in done.stderr
    done = shell("prune", "--from", RUN, "--ratio", "0.3", "--epochs", "1")
    assert done.returncode == 0, done.stderr
    done = shell("explain", "--from", RUN, "--method", "saliency")
    assert done.returncode == 0, done.stderr
    done = shell("report", RUN)
    assert done.returncode == 0, done.stderr
