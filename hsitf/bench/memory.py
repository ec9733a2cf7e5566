"""Peak memory of an engine running a file, measured in a separate process."""

from __future__ import annotations

import json
import subprocess
import sys

from hsitf.bench.engines import BenchEngine
from hsitf.bench.subject import BenchSubject
from hsitf.errors import DataError

# Time limit for opening a file and running it three times, in seconds.
TIMEOUT_S = 600

# Opens a file, runs it three times, and prints the increase of the peak memory.
_PROGRAM = """
import importlib, json, sys
from pathlib import Path
import numpy as np
from hsitf.bench.engines import ENGINES
from hsitf.errors import HsitfError
from hsitf.measure import reset_peak_memory, peak_memory
name, path, threads = json.loads(sys.argv[1])
importlib.import_module(ENGINES[name].module)
reset_peak_memory()
before = peak_memory()
try:
    runtime = ENGINES[name].open(Path(path), threads)
    action = runtime.action(np.zeros(runtime.input.shape, runtime.input.dtype))
    for _ in range(3):
        action()
except HsitfError as error:
    print(json.dumps({"refused": str(error.received or error.what)}))
except Exception as error:
    print(json.dumps({"refused": f"{type(error).__name__}: {error}".splitlines()[0]}))
else:
    print(json.dumps({"bytes": peak_memory() - before}))
"""


def peak_memory_of(file: BenchSubject, engine: BenchEngine, threads: int) -> int:
    """Peak memory in bytes of opening and running a file.

    Measured in a separate process, where nothing else is loaded and a crash of the engine does no
    harm.

    Raises:
        DataError: The engine cannot run the file.
    """
    words = json.dumps([engine.name, str(file.file.resolve()), threads])
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, words],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _refused(file, engine, f"it took longer than {TIMEOUT_S} s") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise _refused(file, engine, f"it ended with status {done.returncode}: {last}")
    answer = json.loads(done.stdout.splitlines()[-1])
    if "refused" in answer:
        raise _refused(file, engine, answer["refused"])
    return int(answer["bytes"])


def _refused(file: BenchSubject, engine: BenchEngine, reason: str) -> DataError:
    return DataError(f"{engine.name} cannot run {file.name}", received=reason)
