"""Networks of Keras 2 that tensorflow-model-optimization pruned, clustered or quantized.

What the library wraps around layers is stripped, and the weights are carried to the same network
in Keras 3, which has to compute the same. Weights pruned to zero stay zero, clustered weights keep
their few values; quantization-aware training leaves the ranges that it learned.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hsitf.adopt.keras_file import check_config, read_config
from hsitf.adopt.source import ReadingContext, SourceNetwork
from hsitf.adopt.tfmot import config as tfmot_config
from hsitf.adopt.tfmot import file as tfmot_file
from hsitf.adopt.tfmot.ranges import learned_ranges
from hsitf.arrays import Float32Array
from hsitf.errors import DataError, InputError, VerificationError
from hsitf.log_silencing import load_keras, suppressed_output

# Largest difference of an output in Keras 3, over the largest output (at least 1).
TOLERANCE = 1e-5
_COMPARED = 16
_BATCH = 256


def wraps(config: dict[str, Any]) -> bool:
    """Whether a network's file has to be read here, by its configuration.

    Args:
        config: The configuration, as plain data.

    Returns:
        True where tensorflow-model-optimization wrapped one of its layers, or where tf-keras wrote
        a .keras archive, which Keras 3 cannot read.
    """
    return tfmot_config.needs_tf_keras(config)


def read(path: Path, context: ReadingContext) -> SourceNetwork:
    """Reads a network of Keras 2 in the wrappers of tensorflow-model-optimization, or without.

    Args:
        path: An HDF5 file or a .keras archive of tf-keras.
        context: What is known of the network.

    Raises:
        InputError: It holds layers that cannot be adopted, or an extra is not installed.
        DataError: It is damaged.
        VerificationError: Keras 3 computes something else.
    """
    return _read(path)


def from_tf_keras(model: Any) -> SourceNetwork:
    """Takes over a model of tf-keras in memory, in wrappers or without.

    Args:
        model: A functional or sequential `tf_keras.Model`; it is left untouched.

    Raises:
        InputError: It is subclassed, or holds layers that cannot be adopted.
        VerificationError: Keras 3 computes something else.
    """
    keras = tfmot_file.tf_keras()
    sequential = isinstance(model, keras.Sequential)
    if not (sequential or getattr(model, "_is_graph_network", False)):
        raise InputError(
            "the graph of this model cannot be walked: it is a subclassed model",
            received=type(model).__name__,
            allowed="functional and sequential models",
            remedy="write its call() as a function of tf_keras.Input and copy the weights with "
            "set_weights(get_weights())",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.h5"
        with suppressed_output():
            model.save(path, include_optimizer=False)
        return _read(path)


def _read(path: Path) -> SourceNetwork:
    load_keras()
    config, _ = read_config(path)
    tfmot_config.check_settings(config)
    try:
        plain = tfmot_config.without_wrappers(config)
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} has a configuration that describes no network",
            received=f"{type(error).__name__}: {error}",
            remedy="save the network again where it was made",
        ) from error
    check_config(plain)
    wrapped = tfmot_file.load(path, config)
    stripped = _stripped(wrapped)
    model = _to_keras_3(stripped)

    def reference(inputs: Sequence[Float32Array]) -> Float32Array:
        return _outputs(stripped, inputs)

    _check_equal(model, stripped)
    return SourceNetwork(
        model,
        "Keras 2 with tensorflow-model-optimization" if _remarks(config) else "Keras 2",
        remarks=_remarks(config),
        activation_ranges=learned_ranges(wrapped, stripped),
        reference=reference,
    )


def _remarks(config: dict[str, Any]) -> tuple[str, ...]:
    kinds = (
        ("pruning", tfmot_config.PRUNING),
        ("clustering", tfmot_config.CLUSTERING),
        ("quantization-aware training", tfmot_config.QUANTIZATION),
    )
    found = ((name, tfmot_config.count(config, types)) for name, types in kinds)
    return tuple(
        f"the wrappers of {name} around {number} layer{'s' if number > 1 else ''} were stripped"
        for name, number in found
        if number
    )


def _stripped(wrapped: Any) -> Any:
    """The model of tf-keras inside the wrappers, with its weights."""
    library = tfmot_file.model_optimization()
    masks = _pruning_masks(wrapped)
    kinds = {type(layer).__name__ for layer in _layers(wrapped)}
    model = wrapped
    with suppressed_output():
        if kinds.intersection(tfmot_config.PRUNING):
            model = library.sparsity.keras.strip_pruning(model)
        if kinds.intersection(tfmot_config.CLUSTERING):
            model = library.clustering.keras.strip_clustering(model)
        plain = _without_quantization(model)
    for layer in _layers(plain):
        if layer.name in masks:
            _apply_masks(layer, masks[layer.name])
    return plain


def _pruning_masks(wrapped: Any) -> dict[str, dict[str, Float32Array]]:
    """Masks of pruned weights by the names of layer and weight.

    Masks are applied to the weights once an epoch has ended; a checkpoint that is written before
    has them unapplied.
    """
    found: dict[str, dict[str, Float32Array]] = {}
    for layer in _layers(wrapped):
        if type(layer).__name__ in tfmot_config.PRUNING:
            found[layer.layer.name] = {
                _last(weight.name): np.asarray(mask) for weight, mask, _ in layer.pruning_vars
            }
    return found


def _apply_masks(layer: Any, masks: dict[str, Float32Array]) -> None:
    layer.set_weights(
        [
            np.asarray(weight) * masks.get(_last(weight.name), np.float32(1))
            for weight in layer.weights
        ]
    )


def _layers(model: Any) -> list[Any]:
    """Layers of a model and of the models inside it."""
    found = []
    for layer in model.layers:
        found += [layer] if not hasattr(layer, "layers") else [layer, *_layers(layer)]
    return found


def _without_quantization(model: Any) -> Any:
    """A new model of the layers inside wrappers of quantization, with their weights."""
    keras = tfmot_file.tf_keras()
    with tfmot_file.wrapper_scope():
        config = tfmot_config.without_wrappers(json.loads(model.to_json()))
    plain = keras.models.model_from_json(json.dumps(config))
    inside = {
        layer.layer.name: layer
        for layer in model.layers
        if type(layer).__name__ in tfmot_config.QUANTIZATION
    }
    others = {layer.name: layer for layer in model.layers}
    for layer in plain.layers:
        if layer.name in inside:
            layer.set_weights(_inner_weights(inside[layer.name], layer))
        else:
            layer.set_weights(others[layer.name].get_weights())
    return plain


def _inner_weights(wrapper: Any, layer: Any) -> list[Float32Array]:
    """The float weights of a quantized layer, in the order of the plain layer.

    Raises:
        DataError: The wrapper lacks one of them, or has two of its name.
    """
    named: dict[str, Any] = {}
    for weight in wrapper.weights:
        key = _last(weight.name)
        if key in named and named[key] is not weight:
            raise DataError(
                f"layer {layer.name!r} has two weights of one name inside its wrapper",
                received=key,
                remedy="copy its weights to the plain network where it was made, and save that",
            )
        named[key] = weight
    missing = [weight.name for weight in layer.weights if _last(weight.name) not in named]
    if missing:
        raise DataError(
            f"layer {layer.name!r} lacks weights inside its wrapper",
            received=", ".join(sorted(named)),
            allowed=", ".join(map(str, missing)),
        )
    return [np.asarray(named[_last(weight.name)]) for weight in layer.weights]


def _last(name: str) -> str:
    """Name of a weight in its layer: "kernel:0" of "conv1/kernel:0"."""
    return name.rpartition("/")[2]


def _to_keras_3(stripped: Any) -> Any:
    """The same network in Keras 3, which reads the HDF5 files of Keras 2.

    Raises:
        DataError: Keras 3 has no such layer, or none with these settings.
    """
    import keras

    with tempfile.TemporaryDirectory() as folder, suppressed_output():
        path = Path(folder) / "network.h5"
        stripped.save(path, include_optimizer=False)
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        # Keras raises errors of any type on layers that it cannot build.
        except Exception as error:
            first = str(error).strip().splitlines()
            raise DataError(
                "the network cannot be built in Keras 3",
                received=first[0] if first else type(error).__name__,
                remedy="write it with layers that Keras 2 and 3 both have",
            ) from error


def _check_equal(model: Any, stripped: Any) -> None:
    """Compares the networks of Keras 3 and 2 on random inputs.

    Raises:
        InputError: An input has no fixed shape.
        VerificationError: They differ.
    """
    random = np.random.default_rng(0)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if any(None in shape for shape in shapes):
        raise InputError(
            "an input of the network has no fixed shape",
            received=", ".join(map(str, shapes)),
            remedy="build it with the size of its patch and copy the weights",
        )
    inputs = [random.standard_normal((_COMPARED, *shape), np.float32) for shape in shapes]
    expected = _outputs(stripped, inputs)
    received = np.asarray(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    error = float(np.abs(received - expected).max()) if received.shape == expected.shape else np.inf
    # Written so that NaN fails too.
    if not error <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise VerificationError(
            "the network computes something else in Keras 3 than in Keras 2",
            received=f"outputs that differ by {error:.1e}",
            allowed=f"{TOLERANCE:g} of the largest output",
            remedy="report this network as a bug of hsitf",
        )


def _outputs(model: Any, inputs: Sequence[Float32Array]) -> Float32Array:
    """First output of a model, in batches."""
    parts = []
    for start in range(0, len(inputs[0]), _BATCH):
        batch = [one[start : start + _BATCH] for one in inputs]
        found = model(batch if len(batch) > 1 else batch[0], training=False)
        parts.append(np.asarray(found[0] if isinstance(found, list | tuple) else found))
    return np.concatenate(parts)
