"""Engines that files are measured in; one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from hsitf.errors import InputError, unknown
from hsitf.runtimes import Keras, LiteRT, OnnxRuntime, OpenVino, Runtime, SavedModel


@dataclass(frozen=True)
class Engine:
    """An engine on this machine.

    Attributes:
        name: As on the command line.
        suffixes: Of the files that it takes; empty of a folder.
        open: Opens a file with a number of threads.
        module: What is imported of it; `package` as it is installed, whose version is told.
        threaded: Whether it takes a number of threads; else it takes what it likes.
        pip: How to install it where that is an extra; empty where it is always there.
    """

    name: str
    suffixes: tuple[str, ...]
    open: Callable[[Path, int], Runtime]
    module: str
    package: str
    threaded: bool = True
    pip: str = ""

    def takes(self, file: Path) -> bool:
        """Whether it may run files of this format."""
        return file.suffix in self.suffixes

    @property
    def missing(self) -> bool:
        """Whether its package is not installed."""
        return find_spec(self.module.partition(".")[0]) is None

    @property
    def version(self) -> str:
        """Of its package."""
        return f"{self.package} {metadata.version(self.package)}"


def _plain(path: Path, threads: int) -> Runtime:
    return LiteRT(path, threads, delegate=False)


def _keras(path: Path, threads: int) -> Runtime:
    from hsitf.runs import load_network

    return Keras(load_network(path), batch=1)


_LITERT = ("ai_edge_litert.interpreter", "ai-edge-litert")

ENGINES = {
    engine.name: engine
    for engine in (
        Engine("litert", (".tflite",), LiteRT, *_LITERT),
        Engine("litert-plain", (".tflite",), _plain, *_LITERT),
        Engine("onnxruntime", (".onnx",), OnnxRuntime, "onnxruntime", "onnxruntime"),
        Engine(
            "openvino",
            (".onnx", ".tflite"),
            OpenVino,
            "openvino",
            "openvino",
            pip="pip install '.[openvino]' in hsitf's folder",
        ),
        Engine("tensorflow", ("",), SavedModel, "tensorflow", "tensorflow", threaded=False),
        Engine("keras", (".keras",), _keras, "keras", "keras", threaded=False),
    )
}


def engine(name: str) -> Engine:
    """The engine `name`.

    Raises:
        InputError: There is none, or its package is not installed.
    """
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    found = ENGINES[name]
    if found.missing:
        raise InputError(
            f"the engine {name} is not installed",
            received=f"--engine {name}",
            remedy=f"install it: {found.pip}",
        )
    return found


def installed() -> tuple[list[Engine], list[str]]:
    """All engines that are installed, and a line for each that is not."""
    left_out = [
        f"{one.name} is left out, which is not installed: {one.pip}"
        for one in ENGINES.values()
        if one.missing
    ]
    return [one for one in ENGINES.values() if not one.missing], left_out
