"""Products of sensors: what is read of each fixture, and the memory that a large one takes.

    PYTHONPATH=. python benchmarks/products.py
    PYTHONPATH=. python benchmarks/products.py --large [FOLDER]

Without options: a table of the products' fixtures, which are files of the published layouts with
random numbers (tests/scenes/product_files.py): shape, bands that are left out, wavelengths, pixels
without data, place. `--large`: files of 2 GB in the layouts of PRISMA L2D and EMIT L2A, read in
strips by themselves and by `hsitf classify` with a float32 file of a network that was trained on a
small file of the same bands; the peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.cube import prepare_cube
from hsitf.scenes.metadata import Georeference, RasterOptions
from hsitf.scenes.readers import open_array
from hsitf.tables import format_table

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "scenes"))

import product_files  # noqa: E402

CLASSES = 4
STRIP = 64 << 20
# Rows of a small file that trains, and of 2 GB (of the cubes alone).
SMALL = 60
READ = """
import sys, time
from hsitf.scenes import open_raster
from hsitf.measure import peak_memory
start = time.perf_counter()
source = open_raster(sys.argv[1])
opened = time.perf_counter()
rows, cols, bands = source.shape
step = max(1, int(sys.argv[2]) // (4 * cols * bands))
total = 0.0
for row in range(0, rows, step):
    total += float(source.read(row, min(row + step, rows))[..., 0].sum(dtype=float))
print(opened - start, time.perf_counter() - opened, peak_memory())
"""
CLASSIFY = """
import atexit, sys
from hsitf.commands import application as cli
from hsitf.commands.classify import app
from hsitf.measure import peak_memory
atexit.register(lambda: print(peak_memory()))
cli.run(app)
"""


def place_of(place: Georeference) -> str:
    """Where the pixels lie, in a word."""
    if place.lookup is not None:
        return f"GLT, {place.lookup.shape[0]} x {place.lookup.shape[1]} cells"
    if place.gcps:
        return f"{len(place.gcps)} GCPs"
    return "affine" if place.transform else "none"


def shortened(name: str, length: int = 40) -> str:
    """The name of a file, without its middle where it is long."""
    half = length // 2 - 2
    return name if len(name) <= length else f"{name[:half]}...{name[-half:]}"


def row_of(writer: Callable[[Path], product_files.Written], folder: Path) -> list[str]:
    """A product's row of the table.

    Raises:
        SystemExit: It is not read as it was written.
    """
    written = writer(folder)
    file = open_array(written.path)
    cube = prepare_cube(file, RasterOptions())
    values = cube.read(0, cube.shape[0])
    masked = int(np.isnan(values[:, :, 0]).sum())
    dropped = file.shape[2] - cube.shape[2]
    same = np.array_equal(file.read(0, file.shape[0]), written.stored)
    if not same or (dropped, masked) != (written.dropped, written.masked):
        raise SystemExit(f"{written.product} is not read as it was written")
    made = [one for one in folder.iterdir() if one.is_file()]
    centers = cube.wavelengths
    assert centers is not None
    return [
        cube.product,
        shortened(written.path.name) + (f" (+ {len(made) - 1})" if len(made) > 1 else ""),
        " x ".join(map(str, file.shape)),
        str(dropped),
        f"{centers[0]:.0f} to {centers[-1]:.0f}",
        str(masked),
        place_of(cube.georeference),
    ]


def table() -> None:
    """Prints the products' table."""
    rows = []
    for writer in product_files.WRITERS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row_of(writer, Path(folder)))
    head = ["product", "fixture (files beside)", "rows x cols x bands", "bands dropped", "nm"]
    print(format_table([*head, "masked pixels", "place"], rows, text_columns=3))


def strips(
    rows: int, cols: int, bands: int, seed: int = 0
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.int64]]]:
    """Strips of a scene of four smooth spectra in fields, with noise, and their labels."""
    rng = np.random.default_rng(seed)
    wave = np.linspace(0, 3, bands)
    spectra = np.stack([0.3 + 0.2 * np.sin(wave + k) for k in range(CLASSES)])
    for first in range(0, rows, 20):
        count = min(20, rows - first)
        labels = (np.arange(cols) // 10 + first // 20) % CLASSES
        noise = 0.02 * rng.standard_normal((count, cols, bands), dtype=np.float32)
        yield first, spectra[labels][None].astype(np.float32) + noise, labels


def write_prisma(path: Path, rows: int) -> None:
    """A scene of PRISMA L2D, 1000 pixels wide, 66 + 173 channels."""
    cols, sizes = 1000, {"VNIR": 66, "SWIR": 173}
    centers = {"VNIR": np.linspace(1010, 402, 66), "SWIR": np.linspace(2497, 920, 173)}
    with h5py.File(path, "w") as file:
        group = file.create_group("HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields")
        for name, bands in sizes.items():
            for what, dtype in (("Cube", "u2"), ("PIXEL_L2_ERR_MATRIX", "u1")):
                group.create_dataset(f"{name}_{what}", (rows, bands, cols), dtype)
            key = name.capitalize()
            file.attrs[f"List_Cw_{key}"] = centers[name]
            file.attrs[f"List_Cw_{key}_Flags"] = np.ones(bands, np.int32)
            file.attrs[f"List_Fwhm_{key}"] = np.full(bands, 10.0)
            file.attrs[f"L2Scale{key}Min"], file.attrs[f"L2Scale{key}Max"] = 0.0, 1.0
        file.attrs["Epsg_Code"] = 32633
        for corner, (row, col) in {"UL": (0, 0), "LR": (rows, cols)}.items():
            file.attrs[f"Product_{corner}corner_easting"] = 600000.0 + 30 * col
            file.attrs[f"Product_{corner}corner_northing"] = 5200000.0 - 30 * row
        for first, values, _ in strips(rows, cols, 239):
            stored = np.clip(values * 65535, 1, 65535).astype(np.uint16).transpose(0, 2, 1)
            last = first + len(stored)
            group["VNIR_Cube"][first:last] = stored[:, :66]
            group["SWIR_Cube"][first:last] = stored[:, 66:]


def write_emit(path: Path, rows: int) -> None:
    """A scene of EMIT L2A, 1242 pixels wide, 285 bands in chunks of 256 rows."""
    cols, bands = 1242, 285
    with h5py.File(path, "w") as file:
        chunks = (min(256, rows), 256, 32)
        # What is written goes through a cache that holds all chunks of a row.
        data = file.create_dataset(
            "reflectance", (rows, cols, bands), "f4", chunks=chunks, rdcc_nbytes=512 << 20
        )
        data.attrs["_FillValue"] = np.float32(-9999)
        centers = np.linspace(381, 2493, bands)
        file["sensor_band_parameters/wavelengths"] = centers
        file["sensor_band_parameters/fwhm"] = np.full(bands, 8.5)
        water = ((centers > 1320) & (centers < 1440)) | ((centers > 1770) & (centers < 1970))
        file["sensor_band_parameters/good_wavelengths"] = (~water).astype(np.float32)
        grid = (rows + 200, cols + 200)
        for name, axis in (("glt_y", 0), ("glt_x", 1)):
            numbers = np.indices(grid, np.int32)[axis] - 99
            inside = (numbers >= 1) & (numbers <= (rows, cols)[axis])
            file[f"location/{name}"] = np.where(inside, numbers, 0)
        file.attrs["geotransform"] = [11.0, 0.00054, 0, 46.0, 0, -0.00054]
        file.attrs["spatial_ref"] = (
            'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,'
            + ('298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]')
        )
        for first, values, _ in strips(rows, cols, bands):
            data[first : first + len(values)] = values


LARGE = {
    "PRISMA L2D": (write_prisma, "prisma.he5", 4300),
    "EMIT L2A": (write_emit, "emit.nc", 1500),
}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A Python program in a folder.

    Raises:
        SystemExit: It failed.
    """
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        text=True,
        capture_output=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done


def large(folder: Path) -> None:
    """Writes a large file of each layout and prints what it takes to read and to classify it."""
    rows = []
    for product, (write, name, size) in LARGE.items():
        small = f"small_{name}"
        write(folder / name, size)
        write(folder / small, SMALL)
        labels = np.concatenate(
            [np.tile(label + 1, (len(v), 1)) for _, v, label in strips(SMALL, 1242, 1)]
        )
        with h5py.File(folder / small) as file:
            cols = 1000 if "HDFEOS" in file else 1242
        np.save(folder / "labels.npy", np.ascontiguousarray(labels[:, :cols], np.uint8))
        opened, took, peak = run(folder, "-c", READ, name, str(STRIP)).stdout.split()
        print(f"{product}: opened {opened} s, read {took} s, peak {peak} bytes", flush=True)
        words = ["--model", "hu", "--epochs", "2", "--run", "r", "--train", "200"]
        run(
            folder,
            *("-m", "hsitf.train", "--scene", small, "--labels", "labels.npy", *words),
            *("--split", "random"),
        )
        (trained,) = folder.glob(f"models/{Path(small).stem}/hu/r")
        run(folder, "-m", "hsitf.export", "--from", str(trained.resolve()), "--float32")
        (bundle,) = folder.glob(f"export/{Path(small).stem}/hu/float32")
        start = time.perf_counter()
        out = ["--out", f"{Path(name).stem}.tif", "--overwrite"]
        done = run(folder, "-c", CLASSIFY, "--from", str(bundle), "--scene", name, *out)
        mapped = time.perf_counter() - start
        print(done.stdout)
        rows.append(
            [
                product,
                f"{(folder / name).stat().st_size / 1e9:.2f}",
                f"{float(opened):.1f}",
                f"{float(took):.0f}",
                f"{float(peak) / 1e9:.2f}",
                f"{mapped:.0f}",
                f"{float(done.stdout.split()[-1]) / 1e9:.2f}",
            ]
        )
        (folder / name).unlink()
    head = ["layout", "file GB", "open s", "read s", "peak GB", "classify s", "peak GB"]
    print(format_table(head, rows))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", nargs="?", const="", help="folder for files of 2 GB")
    asked = parser.parse_args()
    if asked.large is None:
        table()
        return
    with tempfile.TemporaryDirectory(dir=asked.large or None) as folder:
        large(Path(folder))


if __name__ == "__main__":
    main()
