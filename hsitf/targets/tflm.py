"""Microcontrollers, by TensorFlow Lite Micro (TFLM), their interpreter.

TensorFlow Lite Micro takes all memory from one arena whose size its user chooses beforehand, and
has fewer kernels than LiteRT. Arena size and kernel support are determined with its own
interpreter.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

from hsitf.arrays import StoredArray
from hsitf.errors import InputError
from hsitf.log_silencing import redirected_output
from hsitf.progress import Progress
from hsitf.runtimes import LiteRT
from hsitf.targets._target import Target, TargetCost, Toolchain

EXTRA = "pip install '.[micro]' in hsitf's folder"
# More than any board has: with an arena that is too small its required size would stay unknown.
_ARENA = 1 << 30

TFLM = Toolchain("tflite-micro", lambda: find_spec("tflite_micro") is not None, EXTRA)


@dataclass(frozen=True, eq=False)
class MicroInference:
    """Inferences of a file in TensorFlow Lite Micro.

    Attributes:
        arena_bytes: Bytes of the tensor arena, the memory needed besides the file.
        outputs: Outputs of all inputs, in the type of the file.
    """

    arena_bytes: int
    outputs: StoredArray


def run_micro(file: Path, inputs: StoredArray) -> MicroInference | str:
    """Runs a .tflite file in TensorFlow Lite Micro.

    Args:
        file: The file.
        inputs: (inferences * batch, ...) in the type of the file.

    Returns:
        Its arena and outputs, or the reason why the file does not run.

    Raises:
        InputError: The package is not installed.
    """
    runtime = _library()
    with _captured_output() as log:
        try:
            interpreter = runtime.Interpreter.from_file(str(file), arena_size=_ARENA)
            batch = interpreter.get_input_details(0)["shape"][0]
            found = [
                _run(interpreter, inputs[at : at + batch]) for at in range(0, len(inputs), batch)
            ]
        except RuntimeError:
            return _reason(_read(log))
        interpreter.print_allocations()
        printed = _read(log)
    match = re.search(r"Arena allocation total (\d+) bytes", printed)
    if match is None:
        raise ValueError(f"TensorFlow Lite Micro did not print its arena size: {printed[:200]}")
    return MicroInference(int(match[1]), np.concatenate(found))


def check_tflm() -> None:
    """Refuses an environment without TensorFlow Lite Micro.

    Raises:
        InputError: The extra is not installed.
    """
    _library()


@dataclass(frozen=True)
class ArenaBytes:
    """Cost model of microcontrollers: the tensor arena of the interpreter."""

    unit: str = "bytes of arena"
    basis: str = "of the interpreter on this machine"
    noise: float = 0.0
    # Memory is not spent anew for each pixel.
    per_pixel: bool = False

    @property
    def version(self) -> str:
        """Package and version of the interpreter."""
        return f"tflite-micro {metadata.version('tflite-micro')}"

    def costs(self, files: Sequence[Path], progress: Progress) -> list[TargetCost | InputError]:
        """Runs each file on zeros; see `CostModel.costs`."""
        TFLM.check("tflm")
        found: list[TargetCost | InputError] = []
        for file in files:
            tensor = LiteRT(file).input
            ran = run_micro(file, np.zeros(tensor.shape, tensor.dtype))
            if isinstance(ran, str):
                found.append(
                    InputError(
                        f"TensorFlow Lite Micro cannot run {file.name}",
                        received=ran,
                        remedy="export another kind of file",
                    )
                )
            else:
                found.append(
                    TargetCost(
                        float(ran.arena_bytes),
                        sram_bytes=ran.arena_bytes,
                        flash_bytes=file.stat().st_size,
                        tool=self.version,
                    )
                )
        return found


TARGET = Target(
    title="TensorFlow Lite Micro",
    description="Microcontrollers without an operating system: TensorFlow Lite Micro's kernels.",
    variants=("int8", "float32"),
    cost=ArenaBytes(),
    toolchain=(TFLM,),
)


def _library() -> Any:
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError as error:
        raise InputError(
            "running a file in TensorFlow Lite Micro needs tflite-micro",
            received="an environment without it",
            remedy=f"install it: {EXTRA}",
        ) from error
    return runtime


def _run(interpreter: Any, stored: StoredArray) -> StoredArray:
    interpreter.set_input(stored, 0)
    interpreter.invoke()
    found: StoredArray = interpreter.get_output(0)
    return found


def _reason(printed: str) -> str:
    """Reason for a failure, from the interpreter's messages."""
    if missing := re.search(r"Didn't find op for builtin opcode '(\w+)'", printed):
        return f"it has no kernel for {missing[1]}"
    if stopped := re.search(r"Node (\w+) \(number \d+\) failed to (\w+)", printed):
        return f"its {stopped[1]} kernel does not support tensors of these types"
    last = [line for line in printed.splitlines() if line.strip()]
    return last[-1] if last else "it gave no reason"


@contextmanager
def _captured_output() -> Iterator[IO[bytes]]:
    """Captures the output of compiled code, the only place where this interpreter reports."""
    with tempfile.TemporaryFile() as log, redirected_output(log):
        yield log


def _read(log: IO[bytes]) -> str:
    sys.stderr.flush()
    log.seek(0)
    return log.read().decode(errors="replace")
