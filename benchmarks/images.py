"""A scene of several images, split by image: three parts of a scene as files of their own.

    PYTHONPATH=. python benchmarks/images.py [--scene fields] [--data-dir FOLDER] [--out images]

The scene is cut across its rows into three GeoTIFF files with label files beside them and a
`scene.toml` that lists them: the first two train, the third is for testing (`--sets` assigns them
otherwise). Then the commands that a user would type are printed and run:
training, export as int8, and a map of each image.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from hsitf import scenes

SETS = ("train", "train", "test")
# Square pixels of 20 m somewhere in UTM zone 33: each image has its own place.
CRS, PIXEL, WEST, NORTH = "EPSG:32633", 20.0, 400_000.0, 5_800_000.0


def write_images(scene: scenes.Scene, folder: Path, sets: tuple[str, ...]) -> Path:
    """Cuts a scene into one image a set, and returns the file that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f'name = "{scene.name}-images"', 'classes = "classes.csv"']
    with (folder / "classes.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(enumerate(scene.class_names, start=1))
    parts = np.array_split(np.arange(scene.cube.shape[0]), len(sets))
    for number, (rows, name) in enumerate(zip(parts, sets, strict=True), start=1):
        north = NORTH - PIXEL * float(rows[0])
        cube = np.moveaxis(scene.cube[rows], -1, 0)
        _write(folder / f"image{number}.tif", cube, north, scene.wavelengths)
        _write(
            folder / f"image{number}_labels.tif", scene.labels[rows].astype(np.uint8)[None], north
        )
        lines += [
            "",
            "[[image]]",
            f'cube = "image{number}.tif"',
            f'labels = "image{number}_labels.tif"',
            f'set = "{name}"',
        ]
    (folder / "scene.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "scene.toml"


def _write(
    path: Path,
    values: NDArray[np.generic],
    north: float,
    wavelengths: NDArray[np.float64] | None = None,
) -> None:
    count, height, width = values.shape
    place = rasterio.Affine(PIXEL, 0, WEST, 0, -PIXEL, north)
    shape = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=CRS, transform=place, **shape) as file:
        file.write(values)
        for band, center in enumerate(() if wavelengths is None else wavelengths, start=1):
            file.update_tags(band, wavelength=f"{center:g}", wavelength_units="nm")


def main() -> None:
    """Cuts the scene and runs the commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene", default="fields")
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, default=Path("images"))
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--model", default="hu")
    given = parser.parse_args()
    listed = write_images(
        scenes.load(given.scene, given.data_dir), given.out, tuple(given.sets.split(","))
    )
    run = f"models/{given.scene}-images/{given.model}/by-image"
    for command in (
        f"scenes show {listed} --out {given.out}/scene.png --overwrite",
        f"train --model {given.model} --scene {listed} --split images --schedule short "
        "--run by-image",
        f"export --model {given.model} --from {run} --variant int8",
        f"classify --from {run} --out {given.out}/maps.tif --overwrite",
    ):
        print(f"$ hsitf {command}", flush=True)
        subprocess.run([sys.executable, "-m", "hsitf", *shlex.split(command)], check=True)


if __name__ == "__main__":
    main()
