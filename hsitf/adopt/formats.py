"""The files that networks trained elsewhere come in."""

from __future__ import annotations

from pathlib import Path

from hsitf.adopt import keras_file
from hsitf.adopt.source import ReadingContext, SourceFormat, SourceNetwork
from hsitf.errors import InputError, MissingInputError
from hsitf.registry import Registry


def _pytorch(path: Path, context: ReadingContext) -> SourceNetwork:
    from hsitf.adopt import pytorch

    return pytorch.read(path, context)


def _onnx(path: Path, context: ReadingContext) -> SourceNetwork:
    from hsitf.adopt import onnx

    return onnx.read(path, context)


FORMATS: Registry[SourceFormat] = Registry(
    "file of a network",
    {
        "keras": SourceFormat(
            "a network saved by Keras 3, or by Keras 2 with tensorflow-model-optimization",
            (".keras", *keras_file.HDF5_SUFFIXES),
            keras_file.read,
        ),
        "pytorch": SourceFormat(
            "weights of a network of the zoo, as PyTorch toolboxes save them",
            (".pth", ".pt", ".safetensors"),
            _pytorch,
        ),
        "onnx": SourceFormat("a patch network in ONNX", (".onnx",), _onnx),
    },
)


def format_of_file(path: Path) -> SourceFormat:
    """The format of a file, by its suffix.

    Raises:
        InputError: There is no such file, or no format has this suffix.
    """
    every = [suffix for one in FORMATS.values() for suffix in one.suffixes]
    if path.is_dir():
        raise InputError(
            f"{path} is a folder",
            received="a SavedModel" if (path / "saved_model.pb").is_file() else "no file",
            allowed=", ".join(every),
            remedy="save the network as one file, with model.save('network.keras'), and adopt that",
        )
    if not path.exists():
        raise MissingInputError("there is no such file of a network", received=path)
    for one in FORMATS.values():
        if path.suffix in one.suffixes:
            return one
        if path.suffix.lower() in one.suffixes:
            # Keras and others tell files by their suffix, letter by letter.
            raise InputError(
                f"{path} has its suffix in capitals",
                received=path.suffix,
                allowed=path.suffix.lower(),
                remedy="rename the file",
            )
    hints = {
        ".tflite": "adopt the network that it was converted from: its arithmetic is fixed already",
        ".pkl": "save the weights alone: a pickle can run any code when it is opened",
        ".joblib": "save the weights alone: a pickle can run any code when it is opened",
        ".py": "give it to hsitf train with --model, or save the trained network",
    }
    raise InputError(
        f"{path} is no file of a trained network that can be read",
        received=path.suffix or "no suffix",
        allowed=", ".join(every),
        remedy=hints.get(path.suffix.lower(), "save the network in one of these formats"),
    )
