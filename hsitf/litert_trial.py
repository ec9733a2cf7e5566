"""Files of LiteRT that may be anybody's, tried in a process of their own.

An interpreter believes a file, and one that was damaged, or made for it, can end the process that
runs it. Here it ends a process that has nothing to lose.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from hsitf.errors import DataError
from hsitf.flatbuffer import check_tflite

TIMEOUT_S = 300
"""Time limit for opening a file and running it once, in seconds."""

# The GNU C library then fills new memory with a pattern: who reads what nobody wrote does not find,
# by chance, the zeros with which it survives, here and not in the process that opens it next.
_DIRTY_MEMORY = {"MALLOC_PERTURB_": "165"}

# Modules come from where they are installed, never from the current folder, which may hold
# anybody's. Errors of the interpreter are reported where the file is opened; only its end tells.
PROGRAM = """
import sys
sys.path[:] = [place for place in sys.path if place]
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
for resolver in OpResolverType.AUTO, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES:
    try:
        interpreter = Interpreter(sys.argv[1], experimental_op_resolver_type=resolver)
        interpreter.allocate_tensors()
        for tensor in interpreter.get_input_details():
            interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
        interpreter.invoke()
    except (ValueError, RuntimeError):
        pass
"""


def check_structure(path: Path) -> None:
    """Refuses a .tflite file whose parts are not where it says; see `flatbuffer.check_tflite`.

    Raises:
        DataError: It is damaged.
    """
    try:
        check_tflite(path)
    except DataError as error:
        raise _refused(path, error.received) from error


def check_survival(path: Path) -> None:
    """Refuses a .tflite file that ends the interpreter that runs it.

    Args:
        path: The file; one that was tried is not tried again until it changes.

    Raises:
        DataError: It does, or it does not come to an end, or it is damaged.
    """
    check_structure(path)
    facts = path.stat()
    _check(str(path.resolve()), facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=256)
def _check(path: str, changed: int, size: int) -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **_DIRTY_MEMORY},
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _refused(path, f"an inference of more than {TIMEOUT_S} s") from None
    if done.returncode:
        end = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        raise _refused(path, f"a file that ends its interpreter with {end}")


def _refused(path: Path | str, reason: object) -> DataError:
    return DataError(f"LiteRT cannot run {path}", received=reason, remedy="export it again")
