"""Runs exported files in TensorFlow Lite Micro (TFLM), the interpreter for microcontrollers.

TensorFlow Lite Micro takes all memory from one arena whose size its user chooses beforehand, and
has fewer kernels than LiteRT. Arena size and kernel support are determined with its own
interpreter.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from hsitf.errors import InputError
from hsitf.export.bundle import GoldenVectors
from hsitf.log_silencing import redirected_output
from hsitf.records import TflmReport

EXTRA = "pip install '.[micro]' in hsitf's folder"
# More than any board has: with an arena that is too small its required size would stay unknown.
_ARENA = 1 << 30


def run_tflm(file: Path, golden: GoldenVectors) -> TflmReport:
    """Runs a .tflite file in TensorFlow Lite Micro on its golden vectors.

    Args:
        file: The exported file.
        golden: Its golden inputs and the outputs of LiteRT.

    Returns:
        Arena size and largest output difference, or the reason why the file does not run.

    Raises:
        InputError: The extra is not installed.
    """
    runtime = _library()
    with _captured_output() as log:
        try:
            interpreter = runtime.Interpreter.from_file(str(file), arena_size=_ARENA)
            batch = interpreter.get_input_details(0)["shape"][0]
            found = [
                _run(interpreter, golden.stored_inputs[at : at + batch])
                for at in range(0, len(golden.stored_inputs), batch)
            ]
        except RuntimeError:
            return TflmReport(arena_bytes=0, max_output_difference=0, failure=_reason(_read(log)))
        interpreter.print_allocations()
        printed = _read(log)
    match = re.search(r"Arena allocation total (\d+) bytes", printed)
    if match is None:
        raise ValueError(f"TensorFlow Lite Micro did not print its arena size: {printed[:200]}")
    steps = np.concatenate(found).astype(np.float64) - golden.stored_outputs.astype(np.float64)
    return TflmReport(arena_bytes=int(match[1]), max_output_difference=float(np.abs(steps).max()))


def check_tflm() -> None:
    """Refuses an environment without TensorFlow Lite Micro.

    Raises:
        InputError: The extra is not installed.
    """
    _library()


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


def _run(interpreter: Any, stored: Any) -> Any:
    interpreter.set_input(stored, 0)
    interpreter.invoke()
    return interpreter.get_output(0)


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
