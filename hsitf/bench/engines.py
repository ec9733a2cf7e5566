"""Inference engines that files are benchmarked in, one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from hsitf.errors import InputError, unknown
from hsitf.runtimes import Keras, LiteRT, OnnxRuntime, OpenVino, Runtime, SavedModel


@dataclass(frozen=True)
class BenchEngine:
    """An inference engine on this machine.

    Attributes:
        name: Name on the command line.
        suffixes: Suffixes of the files that it runs; "" for folders.
        open: Opens a file with a number of threads.
        module: Module that is imported.
        package: Installed package, whose version is reported.
        threaded: Whether the number of threads can be set.
        pip: Command that installs it where it is an extra; empty where it is always installed.
    """

    name: str
    suffixes: tuple[str, ...]
    open: Callable[[Path, int], Runtime]
    module: str
    package: str
    threaded: bool = True
    pip: str = ""

    def takes(self, file: Path) -> bool:
        """Whether the engine runs files of this format."""
        return file.suffix in self.suffixes

    @property
    def missing(self) -> bool:
        """Whether its package is not installed."""
        return find_spec(self.module.partition(".")[0]) is None

    @property
    def version(self) -> str:
        """Name and version of its package."""
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
        BenchEngine("litert", (".tflite",), LiteRT, *_LITERT),
        BenchEngine("litert-plain", (".tflite",), _plain, *_LITERT),
        BenchEngine("onnxruntime", (".onnx",), OnnxRuntime, "onnxruntime", "onnxruntime"),
        BenchEngine(
            "openvino",
            (".onnx", ".tflite"),
            OpenVino,
            "openvino",
            "openvino",
            pip="pip install '.[openvino]' in hsitf's folder",
        ),
        BenchEngine("tensorflow", ("",), SavedModel, "tensorflow", "tensorflow", threaded=False),
        BenchEngine("keras", (".keras",), _keras, "keras", "keras", threaded=False),
    )
}


def find_engine(name: str) -> BenchEngine:
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


def installed_engines() -> tuple[list[BenchEngine], list[str]]:
    """All engines that are installed, and a line for each that is not."""
    left_out = [
        f"{one.name} is left out, which is not installed: {one.pip}"
        for one in ENGINES.values()
        if one.missing
    ]
    return [one for one in ENGINES.values() if not one.missing], left_out
