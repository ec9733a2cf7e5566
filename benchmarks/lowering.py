"""Speed-up by lowering: the same network converted directly and lowered, in one run.

    PYTHONPATH=. python benchmarks/lowering.py [--bands 200] [--threads 1] [NETWORK ...]

Prints the median time of one patch for each file and the ratios. "plain" is what
`TFLiteConverter.from_keras_model` makes of the network, "static" the same with its batch fixed to
one, "lowered" what hsitf exports. Weights are random: they do not
change how long an inference takes. The files are timed in turn, so that load on the machine
affects all of them alike.
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
from hsitf.lower import lower
from hsitf.measure import interleaved, processor
from hsitf.runtimes import LiteRT
from hsitf.tables import format_table

KINDS = ("float32", "int8")


def static(model: keras.Model) -> keras.Model:
    """The network as it is, with a batch of one."""
    inputs = keras.Input(batch_shape=(1, *model.inputs[0].shape[1:]))
    return keras.Model(inputs, model(inputs))


def measure(name: str, bands: int, classes: int, threads: int, folder: Path) -> list[list[str]]:
    """Rows of the table for one network: file, bytes, operators, median and ratio."""
    keras.utils.set_random_seed(0)
    model = zoo.build(name, bands=bands, classes=classes)
    patch = zoo.network(name).patch
    generator = np.random.default_rng(0)
    patches = generator.normal(size=(64, patch, patch, bands)).astype(np.float32)
    runtimes, files = {}, {}
    for kind in KINDS:
        lowered = lower(model, arithmetic=VARIANTS[kind].arithmetic)
        for form, network in {"plain": model, "static": static(model), "lowered": lowered}.items():
            path = files[f"{form}, {kind}"] = folder / f"{name}-{form}-{kind}.tflite"
            CONVERTERS[kind](network, Calibration(patches), path)
            runtimes[f"{form}, {kind}"] = LiteRT(path, threads)
    actions = {
        key: runtime.action(np.zeros(runtime.input.shape, runtime.input.dtype))
        for key, runtime in runtimes.items()
    }
    times = {key: 1e3 * timing.percentile(50) for key, timing in interleaved(actions).items()}
    return [
        [
            name,
            key,
            f"{files[key].stat().st_size:,}",
            str(sum(operator.count for operator in inspection.tflite(files[key]).operators)),
            f"{inspection.tflite(files[key]).integer_share:.2f}",
            f"{times[key]:.3f}",
            f"{times['plain, ' + key.split(', ')[1]] / times[key]:.2f}",
            f"{times['static, ' + key.split(', ')[1]] / times[key]:.2f}",
            f"{times[key.split(', ')[0] + ', float32'] / times[key]:.2f}",
        ]
        for key in times
    ]


def main() -> None:
    """Measures the networks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["cao", "he", "hu"])
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--classes", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    head = [
        "network",
        "file",
        "bytes",
        "operators",
        "integer",
        "ms",
        "x plain",
        "x static",
        "x float32",
    ]
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row
            for name in options.networks
            for row in measure(name, options.bands, options.classes, options.threads, Path(folder))
        ]
    print(f"{processor()}, {options.threads} thread(s), median of one patch")
    print(format_table(head, rows, text_columns=2))


if __name__ == "__main__":
    main()
