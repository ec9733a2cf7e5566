"""tensorflow-model-optimization beside hsitf on one network, as a Markdown table.

    PYTHONPATH=. python benchmarks/tfmot.py [--seeds 0 1 2] [--sparsity 0.8] [--json FILE]

`cao` is trained by hsitf on the built-in scene `fields` (disjoint split, short schedule). From
these weights, with the same training pixels, size of batches, flips and rotations, rate and number
of epochs:

- TFMOT's pruning by magnitude (polynomial decay over half of the epochs), stripped;
- TFMOT's quantization-aware training, converted by the TensorFlow Lite converter with the ranges
  that it learned (the layers of Keras 2 are built here with the weights of Keras 3);
- the files of both, adopted by hsitf and exported; of the latter also the file with exactly the
  ranges that it learned, which by default are taken where they lose no more in validation;
- hsitf's pruning of single weights (gradual; the smallest of the network, and of each layer as
  TFMOT does it), and of channels to the same number of weights;
- hsitf's quantization-aware training (as `export --int8 --qat`).

Every training keeps the epoch that is best on validation pixels; test pixels are classified once by
each file. Latency is the median of one patch with one thread, all files measured in turns, over
that of the float network. Needs the extra `tfmot`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import hsitf
from hsitf.adopt.tfmot import file as tfmot_file
from hsitf.arrays import Float32Array
from hsitf.data import SceneData
from hsitf.export.calibration import Calibration
from hsitf.export.convert import calibration_patches
from hsitf.export.variants import variant
from hsitf.log_silencing import load_keras, suppressed_output
from hsitf.lower import lower
from hsitf.measure import interleaved
from hsitf.progress import Silent
from hsitf.quantize.learned_ranges import PROBES, LearnedRanges, Probe, observe_learned_ranges
from hsitf.quantize.qat import EPOCHS, quantization_aware_train
from hsitf.records import Epoch
from hsitf.runtimes import LiteRT, predict
from hsitf.runtimes import quantize as quantize_input
from hsitf.tables import format_table

NETWORK, SCENE = "cao", "fields"
# Pruning and quantization-aware training of both go on at a tenth of the rate.
RATE_DIVISOR = 10
KINDS = ("float32", "int8")
# Path of each file and seconds an epoch of its training, by how it was made and its kind.
Files = dict[tuple[str, str], tuple[Path, float]]


@dataclass(frozen=True)
class Row:
    """One file: how it was made, its accuracy on test pixels, its size, and its training."""

    made_by: str
    file: str
    oa: float
    validation_oa: float
    bytes: int
    zipped: int
    zeros: float
    latency: float
    seconds: float


class Augmented:
    """Batches of training patches, each flipped or rotated at random, drawn anew every epoch.

    Args:
        data: The scene with its split.
        batch: Patches per step.
        seed: Seed of order and orientations.
    """

    def __init__(self, data: SceneData, batch: int, seed: int) -> None:
        self.patches = data.patches.extract(data.split.train)
        self.targets = data.targets(data.split.train)
        self.batch, self.random = batch, np.random.default_rng(seed)

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.patches) // self.batch)

    def epoch(self) -> Iterator[tuple[Float32Array, Any]]:
        """One pass over the training pixels."""
        order = self.random.permutation(len(self.patches))
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            turns = self.random.integers(0, 8, len(chosen))
            turned = [_turned(self.patches[at], t) for at, t in zip(chosen, turns, strict=True)]
            yield np.stack(turned), self.targets[chosen]

    def forever(self) -> Iterator[tuple[Float32Array, Any]]:
        """Epoch after epoch."""
        while True:
            yield from self.epoch()


def _turned(patch: Float32Array, side: int) -> Float32Array:
    rotated = np.rot90(patch, side % 4)
    return rotated if side < 4 else rotated.transpose(1, 0, 2)


def keras_2_twin(model: Any) -> Any:
    """The network in tf-keras, with the same weights."""
    keras = tfmot_file.tf_keras()
    layers = keras.layers
    x = inputs = keras.Input(model.input_shape[1:], name="patch")
    for layer in model.layers[1:]:
        kind = getattr(layers, type(layer).__name__)
        known = ("name", "filters", "kernel_size", "units", "activation", "pool_size", "padding")
        config = {key: value for key, value in layer.get_config().items() if key in known}
        x = kind(**config)(x)
    twin = keras.Model(inputs, x, name=model.name)
    for layer in model.layers[1:]:
        twin.get_layer(layer.name).set_weights(layer.get_weights())
    return twin


def fine_tune(model: Any, data: SceneData, run: Any, callbacks: list[Any], first: int = 0) -> float:
    """Trains a model of tf-keras on and keeps its best epoch; returns seconds an epoch.

    Args:
        model: A model of tf-keras; changed in place.
        data: The scene with its split.
        run: The run that it comes from, whose recipe is kept at a tenth of the rate.
        callbacks: Those of tensorflow-model-optimization.
        first: First epoch, from 0, that may be kept.
    """
    keras = tfmot_file.tf_keras()
    recipe = run.record.plan.recipe
    batches = Augmented(data, recipe.batch_size, run.record.plan.seed)
    validation = data.patches.extract(data.split.validation), data.targets(data.split.validation)
    best: dict[str, Any] = {"oa": -1.0}
    seconds: list[float] = []

    class KeepBest(keras.callbacks.Callback):  # type: ignore[name-defined,misc]
        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self.begin = time.monotonic()

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            seconds.append(time.monotonic() - self.begin)
            oa = (logs or {})["val_accuracy"]
            if epoch >= first and oa > best["oa"]:
                best.update(oa=oa, weights=[np.asarray(one) for one in model.variables])

    model.compile(
        keras.optimizers.Adam(recipe.learning_rate / RATE_DIVISOR),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        batches.forever(),
        steps_per_epoch=batches.steps,
        epochs=EPOCHS,
        validation_data=validation,
        validation_batch_size=256,
        callbacks=[*callbacks, KeepBest()],
        verbose=0,
    )
    for variable, value in zip(model.variables, best["weights"], strict=True):
        variable.assign(value)
    return float(np.median(seconds))


def pruned(twin: Any, data: SceneData, run: Any, sparsity: float) -> tuple[Any, float]:
    """TFMOT's pruning; the wrapped model, and seconds an epoch."""
    library = tfmot_file.model_optimization()
    steps = Augmented(data, run.record.plan.recipe.batch_size, 0).steps
    end = steps * EPOCHS // 2
    schedule = library.sparsity.keras.PolynomialDecay(0.0, sparsity, 0, end, frequency=steps // 4)
    model = library.sparsity.keras.prune_low_magnitude(copied(twin), schedule)
    callbacks = [library.sparsity.keras.UpdatePruningStep()]
    return model, fine_tune(model, data, run, callbacks, first=-(-EPOCHS // 2))


def quantized(twin: Any, data: SceneData, run: Any) -> tuple[Any, float]:
    """TFMOT's quantization-aware training; the wrapped model, and seconds an epoch."""
    model = tfmot_file.model_optimization().quantization.keras.quantize_model(copied(twin))
    return model, fine_tune(model, data, run, [])


def copied(model: Any) -> Any:
    """A copy of a model of tf-keras with its weights."""
    copy = tfmot_file.tf_keras().models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def convert(
    model: Any, path: Path, samples: Float32Array | None = None, int8: bool = False
) -> None:
    """Converts a model of tf-keras as the guides of TFMOT do.

    Args:
        model: The stripped or quantization-aware model.
        path: Where the .tflite file is written.
        samples: Calibration patches; None where the model has ranges, or for floats.
        int8: Whether input and output are integers.
    """
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)])
    def one_patch(patch: Any) -> Any:
        return model(patch, training=False)

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [one_patch.get_concrete_function()], model
    )
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    if samples is not None:
        converter.representative_dataset = lambda: ([one[None]] for one in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with suppressed_output():
        path.write_bytes(converter.convert())


def oa(path: Path, data: SceneData, pixels: Any) -> float:
    """Overall accuracy of a file on pixels, percent."""
    runtime = LiteRT(path, 1)
    chunks = [
        predict(runtime, data.patches.extract(pixels[at : at + 256])).argmax(axis=1)
        for at in range(0, len(pixels), 256)
    ]
    return float(100 * (np.concatenate(chunks) == data.targets(pixels)).mean())


def zeros(path: Path) -> float:
    """Share of the weights in a .tflite file that are zero; kernels have two axes or more."""
    from ai_edge_litert.interpreter import Interpreter

    with suppressed_output():
        interpreter = Interpreter(str(path))
    made = {int(at) for node in interpreter._get_ops_details() for at in node["outputs"]}
    made |= {details["index"] for details in interpreter.get_input_details()}
    found = [
        interpreter.tensor(details["index"])()
        for details in interpreter.get_tensor_details()
        if details["index"] not in made
        and len(details["shape"]) > 1
        and details["dtype"] in (np.float32, np.int8)
    ]
    return sum(int((one == 0).sum()) for one in found) / sum(one.size for one in found)


def study(seed: int, sparsity: float, folder: Path) -> list[Row]:
    """All files of one seed, measured."""
    run = hsitf.train_network(NETWORK, SCENE, seed=seed, run=f"tfmot-seed{seed}")
    with suppressed_output():
        data, twin = run.run.data(), keras_2_twin(run.model)
    files = {
        **_hsitf_files(run, data, seed, sparsity, folder),
        **_tfmot_files(run, twin, data, sparsity, folder),
        **_adopted_files(seed, folder),
    }
    return rows(files, data)


def _hsitf_files(run: Any, data: SceneData, seed: int, sparsity: float, folder: Path) -> Files:
    """The network as it is, pruned by hsitf, and after hsitf's quantization-aware training."""

    def weights(**options: Any) -> Any:
        return run.prune(
            sparsity=sparsity, schedule="gradual", epochs=EPOCHS, threads=None, **options
        )

    channels = run.prune(
        parameters=1 - sparsity, epochs=EPOCHS, threads=None, run=f"tfmot-channels-seed{seed}"
    )
    whole = weights(run=f"tfmot-weights-seed{seed}")
    layers = weights(per_layer=True, run=f"tfmot-layers-seed{seed}")
    files = {}
    for name, one in (
        ("none", run),
        ("hsitf, weights pruned", whole),
        ("hsitf, weights pruned per layer", layers),
        ("hsitf, channels pruned", channels),
    ):
        for kind in KINDS:
            path = folder / f"{name}-{kind}.tflite"
            write_file(one.model, data, kind, path)
            files[name, kind] = (path, _epoch_seconds(one.record.history))
    network, found = quantization_aware_train(run.run, run.model, data, EPOCHS, Silent())
    path = folder / "hsitf-qat.tflite"
    write_file(network, data, "int8", path)
    files["hsitf, QAT", "int8"] = (path, _epoch_seconds(found.history))
    return files


def _epoch_seconds(history: Sequence[Epoch]) -> float:
    return float(np.median([epoch.seconds for epoch in history]))


def write_file(
    network: Any, data: SceneData, kind: str, path: Path, learned: LearnedRanges | None = None
) -> None:
    """Writes the file that hsitf exports, unverified: a table has those that fail, too."""
    with suppressed_output():
        lowered = lower(network, 1, variant(kind).arithmetic)
    calibration = Calibration(calibration_patches(data, 1), learned_ranges=learned)
    variant(kind).convert(lowered, calibration, path)


def _tfmot_files(run: Any, twin: Any, data: SceneData, sparsity: float, folder: Path) -> Files:
    """What TFMOT makes of the network, converted as its guides do."""
    files = {}
    wrapped, seconds = pruned(twin, data, run, sparsity)
    stripped = tfmot_file.model_optimization().sparsity.keras.strip_pruning(wrapped)
    samples = calibration_patches(data, 1)
    for kind in KINDS:
        path = folder / f"pruned-{kind}.tflite"
        convert(stripped, path, samples if kind == "int8" else None, int8=kind == "int8")
        files["TFMOT, weights pruned", kind] = (path, seconds)
    with suppressed_output():
        wrapped.save(folder / "pruned.h5", include_optimizer=False)
    wrapped, seconds = quantized(twin, data, run)
    path = folder / "qat.tflite"
    convert(wrapped, path, int8=True)
    files["TFMOT, QAT", "int8"] = (path, seconds)
    with suppressed_output():
        wrapped.save(folder / "qat.h5", include_optimizer=False)
    return files


def _adopted_files(seed: int, folder: Path) -> Files:
    """TFMOT's networks, adopted from their files and exported by hsitf."""
    files = {}
    for name, kinds in (("pruned", KINDS), ("qat", ("int8",))):
        adopted = hsitf.adopt_network(
            folder / f"{name}.h5", SCENE, name=f"tfmot-{name}", seed=seed, run=folder.name
        )
        for kind in kinds:
            bundle = adopted.export(kind, out=folder / "adopted")
            label = "TFMOT, QAT" if name == "qat" else "TFMOT, weights pruned"
            files[f"{label}, adopted", kind] = (bundle.file, 0.0)
        if name == "qat":
            path = folder / "learned.tflite"
            convert_with_learned_ranges(adopted, path)
            files["TFMOT, QAT, adopted, learned ranges", "int8"] = (path, 0.0)
    return files


def convert_with_learned_ranges(adopted: Any, path: Path) -> None:
    """Converts an adopted network with the ranges that it brings, whatever validation says."""
    data = adopted.run.data()
    learned = observe_learned_ranges(
        adopted.model,
        adopted.record.adopted.activation_ranges,
        [Probe(one[None], one[None]) for one in calibration_patches(data, 1)[:PROBES]],
    )
    write_file(adopted.model, data, "int8", path, learned)
    lost = {one.layer for one in learned.layers}.difference(learned.kept_in(path))
    assert not lost, f"learned ranges of {lost} are not in the file"


def rows(files: Files, data: SceneData) -> list[Row]:
    """Measures all files of one seed, their latency in turns."""
    first = data.patches.extract(data.split.test[:1])
    actions: dict[str, Callable[[], object]] = {}
    for (name, kind), (path, _) in files.items():
        runtime = LiteRT(path, 1)
        actions[f"{name} {kind}"] = runtime.action(quantize_input(first, runtime.input))
    timings = interleaved(actions)
    plain = timings["none float32"].percentile(50)
    return [
        Row(
            name,
            kind,
            oa(path, data, data.split.test),
            oa(path, data, data.split.validation),
            path.stat().st_size,
            len(zlib.compress(path.read_bytes(), 9)),
            zeros(path),
            timings[f"{name} {kind}"].percentile(50) / plain,
            seconds,
        )
        for (name, kind), (path, seconds) in files.items()
    ]


def table(found: list[list[Row]]) -> str:
    """Means over seeds, with the range of the accuracy."""
    head = (
        "trained by",
        "file",
        "OA, %",
        "range",
        "KB",
        "zipped KB",
        "zeros, %",
        "latency",
        "s an epoch",
    )
    lines = []
    for same in zip(*found, strict=True):
        accuracies = [row.oa for row in same]
        lines.append(
            (
                same[0].made_by,
                same[0].file,
                f"{np.mean(accuracies):.2f}",
                f"{min(accuracies):.2f} .. {max(accuracies):.2f}",
                f"{np.mean([row.bytes for row in same]) / 1e3:,.0f}",
                f"{np.mean([row.zipped for row in same]) / 1e3:,.0f}",
                f"{100 * np.mean([row.zeros for row in same]):.1f}",
                f"{np.median([row.latency for row in same]):.2f}",
                f"{np.median([row.seconds for row in same]):.1f}",
            )
        )
    return format_table(head, lines)


def main() -> None:
    """Prints the table, and writes every row as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sparsity", type=float, default=0.8)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    load_keras()
    found = []
    for seed in given.seeds:
        with tempfile.TemporaryDirectory(prefix=f"seed{seed}-") as folder:
            found.append(study(seed, given.sparsity, Path(folder)))
        if given.json:
            given.json.write_text(json.dumps([[asdict(r) for r in rows_] for rows_ in found]))
    print(table(found))


if __name__ == "__main__":
    main()
