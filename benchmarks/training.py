"""Training speed and memory: patches gathered in the step, stored, or sliced by a loader.

    PYTHONPATH=. python benchmarks/training.py [--rounds 3] [--samples 2000] [NETWORK ...]

Three ways to feed the same network the same pixels of the built-in scene, as Keras' own `fit`:

- gathered: what hsitf does, pixel indices in and patches cut inside the compiled step;
- stored: all patches cut beforehand, as the older toolboxes do;
- sliced: a loader's worker slices one patch after the other out of the padded cube and stacks
  them, the way of PyTorch's data loaders.

Prints samples a second (the median of rounds in which the three take turns), the bytes that each
keeps for patches, and pixels a second of prediction. Runs on any backend: KERAS_BACKEND=jax or
torch, on a GPU where that has one.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf import zoo
from hsitf.data import SceneData, prepare
from hsitf.measure import processor
from hsitf.scenes.splits import SplitOptions
from hsitf.scenes.synthetic import fields
from hsitf.tables import format_table
from hsitf.train.devices import gpu_memory, list_devices
from hsitf.train.gather import gather_model, patch_views
from hsitf.train.schedule import optimizer

NETWORKS = ("hu", "cao", "he", "li", "hamida")
WAYS = ("gathered", "stored", "sliced")


class Slices(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches sliced patch by patch in a worker."""

    def __init__(
        self, data: SceneData, pixels: NDArray[np.int64], batch: int, labelled: bool
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=10)
        self._data, self._pixels, self._batch, self._labelled = data, pixels, batch, labelled

    def __len__(self) -> int:
        return -(-len(self._pixels) // self._batch)

    def __getitem__(self, number: int) -> object:
        chosen = self._pixels[number * self._batch : (number + 1) * self._batch]
        source = self._data.patches
        patches = []
        for pixel in chosen.tolist():
            row, col = divmod(pixel, source.cols)
            patches.append(source.padded[row : row + source.patch, col : col + source.patch])
        stacked = np.stack(patches)
        return (stacked, self._data.targets(chosen)) if self._labelled else (stacked,)


def compiled(model: keras.Model, name: str) -> keras.Model:
    """A model ready to be fitted by the network's own recipe."""
    model.compile(
        optimizer(zoo.network(name).recipe),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    return model


def measured(name: str, rounds: int, samples: int) -> list[tuple[str, ...]]:
    """Lines of the table for one network."""
    facts = zoo.network(name)
    data = prepare(fields(seed=0), SplitOptions(kind="random", patch=facts.patch, train=0.8))
    pixels = np.resize(data.split.train, samples)
    batch = facts.recipe.batch_size
    patches, classes = data.patches.extract(pixels), data.targets(pixels)
    models = {way: zoo.build(name, bands=data.bands, classes=data.scene.classes) for way in WAYS}
    models["gathered"] = gather_model(models["gathered"], data.patches)
    for model in models.values():
        compiled(model, name)
    options = {"batch_size": batch, "verbose": 0, "shuffle": False}
    fits: dict[str, Callable[[], object]] = {
        "gathered": lambda: models["gathered"].fit(patch_views(pixels), classes, **options),
        "stored": lambda: models["stored"].fit(patches, classes, **options),
        "sliced": lambda: models["sliced"].fit(Slices(data, pixels, batch, True), verbose=0),
    }
    looks: dict[str, Callable[[], object]] = {
        "gathered": lambda: models["gathered"].predict(patch_views(pixels), 256, verbose=0),
        "stored": lambda: models["stored"].predict(patches, 256, verbose=0),
        "sliced": lambda: models["sliced"].predict(Slices(data, pixels, 256, False), verbose=0),
    }
    fitted, predicted = (in_turns(actions, rounds) for actions in (fits, looks))
    cube = data.patches.padded.nbytes
    kept = {"gathered": data.patches.corners.nbytes, "stored": patches.nbytes, "sliced": 0}
    return [
        (
            name if way == "gathered" else "",
            way,
            f"{samples / fitted[way]:,.0f}",
            f"{fitted[way] / fitted['gathered']:.2f}",
            f"{kept[way] / 1e6:,.1f}",
            f"{cube / 1e6:,.1f}",
            f"{samples / predicted[way]:,.0f}",
        )
        for way in WAYS
    ]


def in_turns(actions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each action; the first round compiles and does not count."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds + 1):
        for name, action in actions.items():
            begin = time.perf_counter()
            action()
            if number:
                times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=2000)
    given = parser.parse_args()
    head = ("network", "patches", "samples/s", "time", "patch MB", "cube MB", "predicted pixels/s")
    rows = [line for name in given.networks for line in measured(name, given.rounds, given.samples)]
    print(format_table(head, rows, text_columns=2))
    backend = keras.backend.backend()
    where = ", ".join(list_devices("gpu")) or processor()
    print(
        f"Keras {keras.__version__}, {backend}; {where}; time: of gathered. "
        f"{given.samples} samples, medians of {given.rounds} interleaved rounds."
    )
    if list_devices("gpu"):
        print(f"Peak GPU memory {gpu_memory() / 1e9:.2f} GB.")


if __name__ == "__main__":
    main()
