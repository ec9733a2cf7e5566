"""Speed of the tile form: whole tiles against patches, in one run.

    PYTHONPATH=. python benchmarks/tile_form.py [--bands 200] [--tile 64] [NETWORK ...]

Prints pixels per second of LiteRT with patches one by one, with patches in batches, and with the
tile form, and how many times the better of the first two the tile form reaches. Weights are
random: they do not change how long an inference takes. The files are timed in turn, so that load on
the machine affects all of them alike.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np

from hsitf import inspection, zoo
from hsitf.export.calibration import Calibration
from hsitf.export.tflite import CONVERTERS
from hsitf.export.variants import VARIANTS
from hsitf.lower import lower, to_fully_convolutional
from hsitf.measure import interleaved, processor
from hsitf.runtimes import LiteRT
from hsitf.tables import format_table

KINDS = ("float32", "int8")


def measure(name: str, options: argparse.Namespace, folder: Path) -> list[list[str]]:
    """Rows of the table for one network: kind, pixels per second of each form, ratio."""
    keras.utils.set_random_seed(0)
    model = zoo.build(name, bands=options.bands, classes=16)
    generator = np.random.default_rng(0)
    runtimes: dict[tuple[str, str], LiteRT] = {}
    pixels = {"patch": 1, "batch": options.batch, "tile": options.tile**2}
    for kind in KINDS:
        arithmetic = VARIANTS[kind].arithmetic
        forms = {
            "patch": lower(model, 1, arithmetic),
            "batch": lower(model, options.batch, arithmetic),
            "tile": to_fully_convolutional(model, options.tile, arithmetic),
        }
        for form, network in forms.items():
            shape = tuple(network.inputs[0].shape)
            samples = generator.normal(size=(2 * shape[0], *shape[1:])).astype(np.float32)
            path = folder / f"{name}-{form}-{kind}.tflite"
            CONVERTERS[kind](network, Calibration(samples), path)
            runtimes[kind, form] = LiteRT(path, options.threads)
            assert kind != "int8" or inspection.tflite(path).integer_share == 1
    actions = {
        " ".join(key): runtime.action(np.zeros(runtime.input.shape, runtime.input.dtype))
        for key, runtime in runtimes.items()
    }
    times = {key: timing.percentile(50) for key, timing in interleaved(actions).items()}
    rows = []
    for kind in KINDS:
        speed = {form: count / times[f"{kind} {form}"] for form, count in pixels.items()}
        ratio = speed["tile"] / max(speed["patch"], speed["batch"])
        rows.append([name, kind, *(f"{speed[form]:,.0f}" for form in pixels), f"{ratio:.2f}"])
    return rows


def main() -> None:
    """Measures the networks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "networks", nargs="*", default=["cao", "he", "hamida", "li", "lee", "santara"]
    )
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--tile", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    head = ["network", "file", "patch", "batch", "tile", "x best"]
    print(
        f"{processor()}, {options.threads} thread(s), {options.bands} bands, pixels/s; batches of "
        f"{options.batch}, tiles of {options.tile} x {options.tile}"
    )
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for name in options.networks for row in measure(name, options, Path(folder))]
    print(format_table(head, rows, text_columns=2))


if __name__ == "__main__":
    main()
