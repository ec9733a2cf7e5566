"""Engines that files are measured in; one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hsitf.errors import unknown
from hsitf.runtimes import LiteRT, OnnxRuntime, Runtime


@dataclass(frozen=True)
class Engine:
    """An engine on this machine.

    Attributes:
        name: As on the command line.
        suffix: Of the files that it takes.
        open: Opens a file with a number of threads.
    """

    name: str
    suffix: str
    open: Callable[[Path, int], Runtime]


def _plain(path: Path, threads: int) -> Runtime:
    return LiteRT(path, threads, delegate=False)


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("litert", ".tflite", LiteRT),
        Engine("litert-plain", ".tflite", _plain),
        Engine("onnxruntime", ".onnx", OnnxRuntime),
    )
}


def engine(name: str) -> Engine:
    """The engine `name`.

    Raises:
        InputError: There is none.
    """
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    return ENGINES[name]
