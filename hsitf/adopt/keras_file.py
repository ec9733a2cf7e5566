"""Networks as Keras writes them: `.keras` archives and HDF5 files of Keras 2 and 3.

A file is untrusted: its configuration, which is plain JSON, is read and checked before Keras
builds anything of it, and Keras then loads it in safe mode.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from hsitf.adopt.keras_config import configured_objects
from hsitf.adopt.source import ReadingContext, SourceNetwork
from hsitf.array_files import DAMAGE
from hsitf.errors import DataError, HsitfError, InputError
from hsitf.hdf5_files import check_weights, hdf5_file
from hsitf.log_silencing import load_keras, suppressed_output

# A configuration names layers; the largest published networks take some hundred kilobytes.
MAX_CONFIG_BYTES = 64 * 2**20
# A network that edge devices could run is far smaller.
MAX_BYTES = 4 * 2**30
# How a network was trained.
_NEVER_BUILT = ("compile_config",)
HDF5_SUFFIXES = (".h5", ".hdf5")

# What configurations hold beside layers; none of it runs code of the file.
_STRUCTURE = (
    "Functional",
    "Model",
    "Sequential",
    "InputLayer",
    "DTypePolicy",
    "__tuple__",
    "__keras_tensor__",
    "__tensor__",
    "__numpy__",
    "__ellipsis__",
)
_VALUES = ("initializers", "regularizers", "constraints", "dtype_policies")
_RUNS_CODE = (
    "it runs code that the file brings with it, which is never done",
    "write it with layers of Keras, such as Reshape, Permute, Rescaling, Cropping2D or Softmax, "
    "or with keras.ops, copy the weights and save the network again",
)
_WRAPPED = (
    "it is a function of TensorFlow, as Keras 2 wraps it",
    "write it with layers of Keras (Add, Multiply, Reshape, Cropping2D ...), copy the weights and "
    "save the network again",
)
_REFUSED = {
    "Lambda": _RUNS_CODE,
    "__lambda__": _RUNS_CODE,
    "__typespec__": _WRAPPED,
    "TFOpLambda": _WRAPPED,
    "SlicingOpLambda": _WRAPPED,
}


def read(path: Path, context: ReadingContext) -> SourceNetwork:
    """Reads a network from a file of Keras 2 or 3.

    Raises:
        InputError: It holds layers that cannot be adopted, or weights alone.
        DataError: It is damaged or no file of Keras.
    """
    config, version = read_config(path)
    if path.suffix.lower() not in HDF5_SUFFIXES:
        try:
            check_weights(path)
        except HsitfError:
            raise
        except DAMAGE as error:
            raise _not_loaded(path, error) from error
    load_keras()
    from hsitf.adopt import tfmot

    if tfmot.wraps(config):
        return tfmot.read(path, context)
    check_config(config)
    import keras

    try:
        with suppressed_output():
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    # What Keras raises at a file it does not understand has no common base below Exception.
    except Exception as error:
        raise _not_loaded(path, error) from error
    major = version.partition(".")[0]
    return SourceNetwork(model, f"Keras {major}" if major else "Keras")


def _not_loaded(path: Path, error: Exception) -> DataError:
    first = str(error).strip().splitlines()
    return DataError(
        f"{path} cannot be loaded",
        received=first[0] if first else type(error).__name__,
        allowed="a network that Keras loads in safe mode",
        remedy="load it where it was made and save it again, as .keras",
    )


def read_config(path: Path) -> tuple[dict[str, Any], str]:
    """The configuration of a network's file and the version of Keras that wrote it.

    Returns:
        The configuration as plain data; the version, empty where the file does not say.

    Raises:
        InputError: The file holds weights alone.
        DataError: It is damaged, too large or no file of Keras.
    """
    if path.stat().st_size > MAX_BYTES:
        raise DataError(
            f"{path} is too large", received=f"{path.stat().st_size:,} bytes", allowed=MAX_BYTES
        )
    reader = _hdf5_config if path.suffix.lower() in HDF5_SUFFIXES else _archive_config
    try:
        found = reader(path)
        config = None if found is None else json.loads(found[0])
    except HsitfError:
        raise
    except DAMAGE as error:
        raise DataError(
            f"{path} is no file that Keras wrote",
            received=str(error).splitlines()[0] if str(error) else type(error).__name__,
            allowed="a .keras archive or an HDF5 file of model.save",
        ) from error
    if found is None:
        raise InputError(
            f"{path} holds weights alone, without the network that they belong to",
            remedy="save the whole network with model.save; or build the network, load the "
            "weights and give the model to hsitf.adopt_network in Python",
        )
    version = found[1]
    if not isinstance(config, dict) or "class_name" not in config:
        raise DataError(f"{path} has a configuration that describes no network")
    return config, version


def _archive_config(path: Path) -> tuple[str, str] | None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "config.json" not in names:
            raise ValueError("an archive without config.json")
        sizes = sum(info.file_size for info in archive.infolist())
        if sizes > MAX_BYTES:
            raise ValueError(f"{sizes:,} bytes unpacked, more than {MAX_BYTES:,}")
        version = ""
        if "metadata.json" in names:
            metadata = json.loads(_bounded(archive, "metadata.json"))
            version = str(metadata.get("keras_version", "")) if isinstance(metadata, dict) else ""
        return _bounded(archive, "config.json"), version


def _bounded(archive: zipfile.ZipFile, name: str) -> str:
    size = archive.getinfo(name).file_size
    if size > MAX_CONFIG_BYTES:
        raise ValueError(f"{name} of {size:,} bytes, more than {MAX_CONFIG_BYTES:,}")
    return archive.read(name).decode("utf-8")


def _hdf5_config(path: Path) -> tuple[str, str] | None:
    with hdf5_file(path) as file:
        config = file.attrs.get("model_config")
        if config is None:
            if "layer_names" in file.attrs or "layers" in file:
                return None
            raise ValueError("an HDF5 file without model_config")
        text = config.decode("utf-8") if isinstance(config, bytes) else str(config)
        version = file.attrs.get("keras_version", "")
        return text, version.decode() if isinstance(version, bytes) else str(version)


def check_config(config: dict[str, Any]) -> None:
    """Refuses a configuration that holds anything but known layers, before it is built.

    Raises:
        InputError: A layer runs code of the file, or its type is not known.
    """
    for node in configured_objects(config, _NEVER_BUILT):
        kind, name = str(node["class_name"]), _name(node)
        if kind in _REFUSED:
            reason, remedy = _REFUSED[kind]
            raise InputError(f"layer {name!r} is refused: {reason}", received=kind, remedy=remedy)
        if not _is_known(node, kind, name):
            raise _unknown_type(node, kind, name)


def _is_known(node: dict[str, Any], kind: str, name: str) -> bool:
    """Whether an object is of Keras, and known here, or was registered by its user."""
    import keras

    # Registers the layers that Keras lacks.
    import hsitf.layers  # noqa: F401
    from hsitf.operators import Capability, find_type, operations

    custom = keras.saving.get_custom_objects()
    registered = custom.get(str(node.get("registered_name") or kind))
    if registered is not None:
        if _is_layer(registered) and find_type(registered) is None:
            raise row_missing(name, kind)
        return True
    module = str(node.get("module") or "keras")
    if kind == "function":
        function = str(node.get("config"))
        own = module in ("builtins", "keras") or module.startswith("keras.")
        return function in custom or (own and function in _activations())
    if module != "keras" and not module.startswith("keras."):
        return False
    if kind in _STRUCTURE:
        return True
    if any(isinstance(getattr(getattr(keras, part), kind, None), type) for part in _VALUES):
        return True
    layer = getattr(keras.layers, kind, None)
    if isinstance(layer, type):
        row = find_type(layer)
        if row is None:
            raise row_missing(name, kind)
        # What is not even counted runs a program of its own.
        if refusal := row.refusal(Capability.COST):
            raise InputError(
                f"layer {name!r} ({kind}) cannot be adopted, because {refusal.reason}",
                remedy=refusal.remedy,
            )
        return True
    return kind in operations.OPERATIONS


def _activations() -> set[str]:
    import keras

    functions = {name for name in dir(keras.activations) if not name.startswith("_")}
    return functions - {"deserialize", "get", "serialize"}


def _is_layer(kind: Any) -> bool:
    import keras

    return isinstance(kind, type) and issubclass(kind, keras.Layer)


def row_missing(name: str, kind: str) -> InputError:
    """The error for a layer of the user's own about which nothing is known."""
    return InputError(
        f"nothing is known about layer {name!r}, of the type {kind}",
        allowed="the types in docs/reference/layers.md, and those registered",
        remedy=f"say what it does: hsitf.operators.register({kind}, OperatorType(Role.PASSES, "
        "elementwise=True)) where every number is computed from that number alone; see "
        "hsitf.operators.OperatorType for the other roles, and docs/how-to/adopt.md",
    )


def _unknown_type(node: dict[str, Any], kind: str, name: str) -> InputError:
    module = node.get("module")
    if kind == "function":
        kind = str(node.get("config"))
    return InputError(
        f"{name!r} is of a type that Keras does not have: {kind}",
        received=f"module {module}" if module else None,
        allowed="layers and activations of Keras, and registered ones",
        remedy="in Python, decorate its class with keras.saving.register_keras_serializable(), "
        f"give it a row with hsitf.operators.register({kind}, ...), and call hsitf.adopt_network",
    )


def _name(node: dict[str, Any]) -> str:
    config = node.get("config")
    inner = config.get("name") if isinstance(config, dict) else None
    return str(node.get("name") or inner or node["class_name"])
