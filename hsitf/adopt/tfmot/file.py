"""Files of networks that tensorflow-model-optimization wrapped, loaded with tf-keras.

The configuration is built without the records of how it was built, and the weights are loaded on
their own: what tf-keras does with a whole file fails for quantized layers in an archive, which it
builds twice, and reads the state of the optimizer, which nothing needs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hsitf.adopt.keras_file import HDF5_SUFFIXES
from hsitf.adopt.tfmot.config import without_build_records
from hsitf.errors import DataError, InputError
from hsitf.log_silencing import suppressed_output

_LEGACY = "TF_USE_LEGACY_KERAS"
_WEIGHTS = "model.weights.h5"
# Variables of clustering that stay in a file of cluster-preserving quantization-aware training
# unless they are stripped; the kernel beside them is clustered.
_CLUSTER_VARIABLES = ("cluster_centroids_tf", "ori_weights_vars_tf", "pulling_indices_tf")


def tf_keras() -> Any:
    """The module tf_keras.

    Raises:
        InputError: It is not installed.
    """
    return _library("tf_keras")


def model_optimization() -> Any:
    """The module tensorflow_model_optimization, with `tf.keras` left as it is.

    Importing it sets a variable of the environment that turns `tf.keras` into Keras 2 where it was
    not used yet; the rest of the process goes on with Keras 3.

    Raises:
        InputError: It is not installed.
    """
    tf_keras()
    import tensorflow as tf

    # Resolved now, by the environment as it is.
    _ = tf.keras.Model
    before = os.environ.get(_LEGACY)
    try:
        return _library("tensorflow_model_optimization")
    finally:
        if before is None:
            os.environ.pop(_LEGACY, None)
        else:
            os.environ[_LEGACY] = before


def _library(name: str) -> Any:
    import importlib

    try:
        with suppressed_output():
            return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            "this network was written by Keras 2 and needs it to be read",
            received=f"an environment without {name}",
            remedy="install it: pip install 'hsitf[tfmot]'",
        ) from error


@contextmanager
def wrapper_scope() -> Iterator[None]:
    """Makes the wrappers of tensorflow-model-optimization known to tf-keras, and nothing else."""
    library = model_optimization()
    with ExitStack() as stack:
        stack.enter_context(library.sparsity.keras.prune_scope())
        stack.enter_context(library.clustering.keras.cluster_scope())
        stack.enter_context(library.quantization.keras.quantize_scope())
        yield


def load(path: Path, config: dict[str, Any]) -> Any:
    """Loads a network into tf-keras.

    Args:
        path: The file.
        config: Its configuration, checked.

    Returns:
        A model of tf-keras, in its wrappers.

    Raises:
        InputError: An extra is not installed.
        DataError: The file is damaged, or its weights are not those of its layers.
    """
    keras = tf_keras()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stack.enter_context(wrapper_scope())
        stack.enter_context(suppressed_output())
        try:
            model = keras.models.model_from_json(json.dumps(without_build_records(config)))
            model.load_weights(str(_weights(path, model, Path(folder))))
        # What tf-keras raises at a file it does not understand has no common base.
        except Exception as error:
            first = str(error).strip().splitlines()
            raise DataError(
                f"{path} cannot be loaded",
                received=first[0] if first else type(error).__name__,
                allowed="a network that tf-keras loads with its wrappers",
                remedy="where it was made, strip its wrappers (strip_pruning, strip_clustering, "
                "strip_clustering_cqat) or save it as .h5",
            ) from error
    return model


def _weights(path: Path, model: Any, folder: Path) -> Path:
    """A file with the weights of the wrapped network, which tf-keras can load."""
    if path.suffix.lower() in HDF5_SUFFIXES:
        return _without_clusters(path, folder)
    target = folder / _WEIGHTS
    with (
        zipfile.ZipFile(path) as archive,
        archive.open(_WEIGHTS) as source,
        target.open("wb") as stream,
    ):
        shutil.copyfileobj(source, stream)
    _drop_repeated(target, model)
    return target


def _without_clusters(path: Path, folder: Path) -> Path:
    """The file, or a copy without the variables of clustering where it has some."""
    import h5py

    def names(group: Any) -> list[str]:
        return [_text(name) for name in group.attrs.get("weight_names", ())]

    with h5py.File(path, "r") as source:
        weights = source.get("model_weights", source)
        left = {
            layer: [name for name in names(group) if not _is_cluster(name)]
            for layer, group in weights.items()
            if any(map(_is_cluster, names(group)))
        }
    if not left:
        return path
    copy = folder / f"weights{path.suffix}"
    shutil.copyfile(path, copy)
    with h5py.File(copy, "r+") as target:
        weights = target.get("model_weights", target)
        for layer, kept in left.items():
            weights[layer].attrs["weight_names"] = [name.encode() for name in kept]
    return copy


def _is_cluster(name: str) -> bool:
    return any(part in name for part in _CLUSTER_VARIABLES)


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _drop_repeated(path: Path, model: Any) -> None:
    """Drops the kernels that a quantized layer has written twice into an archive.

    A wrapper counts the weights of its layer as its own as often as it is built; built once, it
    expects the last of them alone.

    Args:
        path: The weights of the archive; changed in place.
        model: The network that is to receive them.
    """
    import h5py

    seen: Counter[str] = Counter()
    with h5py.File(path, "r+") as file:
        for layer in model.layers:
            name = _snake_case(type(layer).__name__)
            number, seen[name] = seen[name], seen[name] + 1
            key = f"layers/{name}_{number}" if number else f"layers/{name}"
            if not name.startswith("quantize_wrapper") or f"{key}/vars" not in file:
                continue
            stored = _variables(file, f"{key}/vars")
            expected = len(layer._trainable_weights + layer._non_trainable_weights)
            repeated = stored[: max(0, len(stored) - expected)]
            kept = stored[len(repeated) :]
            others = [*kept, *_variables(file, f"{key}/layer/vars")]
            # Anything else is left for tf-keras to refuse.
            if repeated and all(_among(value, others) for value in repeated):
                _replace_variables(file[f"{key}/vars"], kept)


def _variables(file: Any, key: str) -> list[Any]:
    """Arrays of a layer's group in their order."""
    group = file.get(key, {})
    return [group[str(at)][()] for at in range(len(group))]


def _replace_variables(group: Any, values: list[Any]) -> None:
    for name in list(group):
        del group[name]
    for at, value in enumerate(values):
        group[str(at)] = value


def _among(value: Any, others: list[Any]) -> bool:
    return any(np.array_equal(value, other) for other in others)


def _snake_case(name: str) -> str:
    """The name that tf-keras gives a layer's group: QuantizeWrapperV2 is quantize_wrapper_v2."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
