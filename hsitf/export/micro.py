"""Exported files in the interpreter of microcontrollers, as far as this machine can tell.

TensorFlow Lite Micro takes all memory from one arena that its user sizes beforehand, and has
fewer kernels than the interpreter of phones. Both are found out here with its own interpreter.
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
from hsitf.export.bundle import Golden
from hsitf.quiet import redirected
from hsitf.records import Micro

EXTRA = "pip install '.[micro]' in hsitf's folder"
# More than any board has: an arena that is too small would hide what it should have been.
_ARENA = 1 << 30


def rehearse(file: Path, golden: Golden) -> Micro:
    """Runs a .tflite file on its golden patches.

    Args:
        file: The exported file.
        golden: Its inputs and what the interpreter of phones makes of them.

    Returns:
        What it needs, or why it does not run.

    Raises:
        InputError: The extra is not installed.
    """
    runtime = _library()
    with _heard() as log:
        try:
            interpreter = runtime.Interpreter.from_file(str(file), arena_size=_ARENA)
            batch = interpreter.get_input_details(0)["shape"][0]
            found = [
                _run(interpreter, golden.stored_inputs[at : at + batch])
                for at in range(0, len(golden.stored_inputs), batch)
            ]
        except RuntimeError:
            return Micro(arena=0, difference=0, refused=_reason(_read(log)))
        interpreter.print_allocations()
        told = _read(log)
    match = re.search(r"Arena allocation total (\d+) bytes", told)
    if match is None:
        raise ValueError(f"TensorFlow Lite Micro tells its memory in other words: {told[:200]}")
    steps = np.concatenate(found).astype(np.float64) - golden.stored_outputs.astype(np.float64)
    return Micro(arena=int(match[1]), difference=float(np.abs(steps).max()))


def _library() -> Any:
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError as error:
        raise InputError(
            "running a file as a microcontroller does needs tflite-micro",
            received="an environment without it",
            remedy=f"install it: {EXTRA}",
        ) from error
    return runtime


def _run(interpreter: Any, stored: Any) -> Any:
    interpreter.set_input(stored, 0)
    interpreter.invoke()
    return interpreter.get_output(0)


def _reason(told: str) -> str:
    """What the interpreter said of the operator that it stopped at."""
    if missing := re.search(r"Didn't find op for builtin opcode '(\w+)'", told):
        return f"it has no {missing[1]}"
    if stopped := re.search(r"Node (\w+) \(number \d+\) failed to (\w+)", told):
        return f"its {stopped[1]} takes no tensors of these types"
    last = [line for line in told.splitlines() if line.strip()]
    return last[-1] if last else "it gave no reason"


@contextmanager
def _heard() -> Iterator[IO[bytes]]:
    """Takes what compiled code prints, which is how this interpreter tells anything."""
    with tempfile.TemporaryFile() as log, redirected(log):
        yield log


def _read(log: IO[bytes]) -> str:
    sys.stderr.flush()
    log.seek(0)
    return log.read().decode(errors="replace")
