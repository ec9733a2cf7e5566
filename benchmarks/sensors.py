"""Networks on the bands of other sensors: accuracy on their test pixels before and after.

    PYTHONPATH=. python benchmarks/sensors.py [--scene Samson] [--data-dir FOLDER] [NETWORK ...]

A network is trained on a scene; the same scene is then written as other sensors would measure it
and classified by `classify_scene`, which resamples by wavelength or, of a network by wavelength
(deephs_hyve), computes the first layer for these bands. The other sensors are simulated:
each of their bands is the mean of the scene's bands under a Gaussian response (linear between
bands, where the response is narrower than they lie apart). What is measured is what resampling
costs, and what it costs to take bands by their number instead; light, calibration and ground are
the same, which those of a real second sensor are not.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import hsitf
from hsitf.errors import InputError
from hsitf.scenes.resampling import Spectrometer, resample_bands
from hsitf.tables import format_table

HEAD = ("network", "sensor", "bands", "distance, nm", "OA by wavelength", "OA by number")


def sensors(centers: NDArray[np.float64]) -> dict[str, Spectrometer]:
    """Simulated sensors over the range of a scene, by what they are."""
    step = float(np.median(np.diff(centers)))
    low, high = float(centers[0]), float(centers[-1])

    def of(spacing: float, width: float, shift: float = 0.0) -> Spectrometer:
        found = np.arange(low, high + 1e-6, spacing) + shift
        inside = found[(found >= low) & (found <= high)]
        return Spectrometer(inside, np.full(len(inside), width))

    shifted = np.clip(centers + step / 3, low, high)
    return {
        "the same bands": Spectrometer(centers),
        "shifted by a third of a band": Spectrometer(shifted, np.full(len(shifted), step)),
        "two thirds of the distance": of(step * 2 / 3, step),
        "twice the distance": of(2 * step, 2 * step),
        "four times the distance": of(4 * step, 4 * step),
    }


def write_envi(path: Path, cube: NDArray[np.float32], sensor: Spectrometer) -> None:
    """Writes an ENVI cube, interleaved by pixel."""
    cube.astype("<f4").tofile(path.with_suffix(".img"))
    rows, cols, bands = cube.shape
    widths = [] if sensor.fwhm is None else [f"fwhm = {{{', '.join(map(str, sensor.fwhm))}}}"]
    lines = [
        *("ENVI", f"samples = {cols}", f"lines = {rows}", f"bands = {bands}", "data type = 4"),
        *("interleave = bip", "byte order = 0", "wavelength units = nm"),
        f"wavelength = {{{', '.join(map(str, sensor.centers))}}}",
        *widths,
    ]
    path.write_text("\n".join(lines) + "\n")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["hu", "li", "cao"])
    parser.add_argument("--scene", default="fields")
    parser.add_argument("--data-dir")
    parser.add_argument("--epochs", type=int, help="in place of the short schedule")
    given = parser.parse_args()
    scene = hsitf.load_scene(given.scene, data_dir=given.data_dir)
    centers = scene.scene.wavelengths
    assert centers is not None
    own = Spectrometer(centers)
    rows = []
    for name in given.networks:
        network = hsitf.train_network(name, scene, epochs=given.epochs)
        test = network.run.split().test
        truth = scene.labels.ravel()[test]
        for title, sensor in sensors(centers).items():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "other.hdr"
                cube = resample_bands(own, sensor).apply(scene.cube)
                write_envi(path, cube, sensor)
                try:
                    found = hsitf.classify_scene(network, str(path)).labels.ravel()[test]
                    accuracy = f"{(found == truth).mean():.2%}"
                except InputError:
                    accuracy = "refused: not covered"
                by_number = "-"
                if len(sensor.centers) == len(centers):
                    # As if the file had no wavelengths.
                    np.save(Path(folder) / "bare.npy", cube)
                    bare = hsitf.classify_scene(network, str(Path(folder) / "bare.npy"))
                    by_number = f"{(bare.labels.ravel()[test] == truth).mean():.2%}"
            near = np.abs(sensor.centers[:, None] - centers[None]).min(axis=0)
            apart = f"{np.median(near):.1f}, {near.max():.1f} at most"
            rows.append([name, title, str(len(sensor.centers)), apart, accuracy, by_number])
    print(format_table(HEAD, rows))


if __name__ == "__main__":
    main()
