"""Whole scenes: the older toolboxes' loop, the machine's peak, and cubes larger than memory.

    PYTHONPATH=. python benchmarks/whole_scene.py loop [NETWORK ...]
    PYTHONPATH=. python benchmarks/whole_scene.py big BUNDLE CUBE.hdr
    PYTHONPATH=. python benchmarks/whole_scene.py spectra

`loop`: pixels per second of dense files against a sliding-window loop over batches of patches
with the network as it was trained, 3-D convolutions and all, in the fastest of Keras, LiteRT and
ONNX Runtime; and the share that they reach of a large matrix product in the same engine, measured
in the same turns. `big`: time of a map over the time of its computing alone, and its peak memory.
`spectra`: networks of single spectra in LiteRT against ONNX Runtime.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from hsitf import zoo
from hsitf.classify.source import classifier_of_bundle
from hsitf.classify.strips import classify_strip, plan_strips, prepare_strip
from hsitf.cost import cost
from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.log_silencing import suppressed_output
from hsitf.lower import lower, to_fully_convolutional
from hsitf.measure import interleaved, processor
from hsitf.runtimes import Keras, Runtime
from hsitf.scenes import open_raster
from hsitf.tables import format_table

BANDS, CLASSES, TILE, LOOP, THREADS = 200, 16, 64, 100, 2
# Side of the matrices whose product is the machine's peak.
MATRIX = 2048
# The command as a user types it, which in the end tells its largest resident memory.
PROGRAM = """
import atexit, sys
from hsitf.commands import application as cli
from hsitf.commands.classify import app
from hsitf.measure import peak_memory
atexit.register(lambda: print(peak_memory()))
cli.run(app)
"""


def file(model: keras.Model, kind: str, folder: Path, name: str) -> Runtime:
    """A network in its engine."""
    shape = model.inputs[0].shape
    samples = np.random.default_rng(0).normal(size=(shape[0], *shape[1:])).astype(np.float32)
    path = folder / f"{name}-{kind}{VARIANTS[kind].suffix}"
    with suppressed_output():
        VARIANTS[kind].convert(model, Calibration(samples), path)
        return VARIANTS[kind].runtime(path, THREADS)


def batched(model: keras.Model, size: int) -> keras.Model:
    """The network as it is, for batches of one size."""
    inputs = keras.Input(batch_shape=(size, *model.inputs[0].shape[1:]), name="patch")
    return keras.Model(inputs, model(inputs))


def loops(name: str, folder: Path) -> list[list[str]]:
    """Rows of one network: form, pixels per second, times the loop, share of the peak."""
    keras.utils.set_random_seed(0)
    model = zoo.build(name, bands=BANDS, classes=CLASSES)
    old = batched(model, LOOP)
    wide = keras.Input(batch_shape=(MATRIX, MATRIX))
    matrix = keras.Model(wide, keras.layers.Dense(MATRIX)(wide))
    forms = {
        kind: to_fully_convolutional(model, TILE, VARIANTS[kind].arithmetic)
        for kind in ("float32", "int8")
    }
    runtimes = {
        "loop keras": Keras(old),
        "loop litert": file(old, "float32", folder, f"{name}-loop"),
        "loop onnx": file(old, "onnx", folder, f"{name}-loop"),
    }
    for kind, form in forms.items():
        runtimes[f"dense {kind}"] = file(form, kind, folder, f"{name}-dense")
        runtimes[f"peak {kind}"] = file(matrix, kind, folder, "matrix")
    timings = interleaved(
        {
            key: runtime.action(np.zeros(runtime.input.shape, runtime.input.dtype))
            for key, runtime in runtimes.items()
        }
    )
    seconds = {key: timing.percentile(50) for key, timing in timings.items()}
    loop = max(LOOP / seconds[key] for key in runtimes if key.startswith("loop"))
    fastest = min((key for key in runtimes if key.startswith("loop")), key=seconds.__getitem__)
    rows = [[name, fastest, f"{loop:,.0f}", "1.0", ""]]
    for kind, form in forms.items():
        speed = TILE**2 / seconds[f"dense {kind}"]
        peak = MATRIX**3 / seconds[f"peak {kind}"]
        share = cost(form).macs / seconds[f"dense {kind}"] / peak
        rows.append([name, f"dense {kind}", f"{speed:,.0f}", f"{speed / loop:.1f}", f"{share:.0%}"])
    return rows


def spectra(folder: Path) -> list[list[str]]:
    """Rows of hu and nn: pixels per second in batches of both engines."""
    rows = []
    for name in ("hu", "nn"):
        keras.utils.set_random_seed(0)
        model = zoo.build(name, bands=BANDS, classes=CLASSES)
        runtimes = {
            f"{kind} {size}": (size, file(lower(model, size), kind, folder, f"{name}-{size}"))
            for size in (64, 256)
            for kind in ("float32", "onnx")
        }
        timings = interleaved(
            {
                key: runtime.action(np.zeros(runtime.input.shape, np.float32))
                for key, (_, runtime) in runtimes.items()
            }
        )
        speed = {key: runtimes[key][0] / t.percentile(50) for key, t in timings.items()}
        best = {
            kind: max(speed[f"{kind} {size}"] for size in (64, 256)) for kind in ("float32", "onnx")
        }
        rows.append(
            [
                name,
                f"{best['float32']:,.0f}",
                f"{best['onnx']:,.0f}",
                f"{best['float32'] / best['onnx']:.2f}",
            ]
        )
    return rows


def big(bundle: Path, cube: Path, folder: Path) -> None:
    """Prints what the map of a large cube takes against its computing alone."""
    classifier, site = classifier_of_bundle(bundle, THREADS), open_raster(str(cube))
    strips = plan_strips(classifier, site)
    rows, cols, _ = site.shape
    words = ["--from", str(bundle), "--scene", str(cube), "--threads", str(THREADS)]
    ratios = []
    for turn in range(3):
        alone = 0.0
        for strip in strips:
            prepared = prepare_strip(classifier, site, strip)
            start = time.perf_counter()
            classify_strip(classifier, prepared, keep=False)
            alone += time.perf_counter() - start
        start = time.perf_counter()
        out = folder / f"map{turn}.tif"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words, "--out", str(out)],
            capture_output=True,
            text=True,
            check=True,
        )
        wall = time.perf_counter() - start
        told = done.stdout.splitlines()[0]
        speed = float(told.split(" pixels/s")[0].split()[-1].replace(",", ""))
        mapped = rows * cols / speed
        ratios.append(mapped / alone)
        print(
            f"computing alone {alone:.1f} s, map {mapped:.1f} s ({ratios[-1]:.2f}), the whole "
            f"command {wall:.1f} s, {speed:,.0f} pixels/s"
        )
        peak = int(done.stdout.splitlines()[-1])
    print(f"median ratio {np.median(ratios):.2f}; peak memory of the command {peak / 1e6:,.0f} MB")


def main() -> None:
    """Measures what is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("loop", "big", "spectra"))
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    print(f"{processor()}, {THREADS} threads, {BANDS} bands")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if given.what == "big":
            big(Path(given.names[0]), Path(given.names[1]), place)
        elif given.what == "spectra":
            print(format_table(["network", "LiteRT", "ONNX Runtime", "ratio"], spectra(place)))
        else:
            names = given.names or ["cao", "he", "hamida", "li", "lee", "santara"]
            head = ["network", "form", "pixels/s", "x loop", "of the peak"]
            print(
                format_table(
                    head, [row for name in names for row in loops(name, place)], text_columns=2
                )
            )


if __name__ == "__main__":
    main()
