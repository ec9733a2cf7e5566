"""What measuring adds to LiteRT's own time.

    PYTHONPATH=. python benchmarks/overhead.py FILE.tflite ...

Each file is timed inference by inference in two ways, in turns: as `hsitf.bench` does, by
`Interpreter.invoke` of LiteRT's Python, and by `Invoke` of the extension module below it, which is
the C++ call that LiteRT's own `benchmark_model` times. The table shows both medians, the median
over rounds of their ratio, and what reading the clock takes of the first. Blocks of inferences
under one reading would need no such share, but on a shared machine their mean tells of others.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hsitf.measure import processor
from hsitf.runtimes import LiteRT

ROUNDS, RUNS = 200, 20


def bare(runtime: LiteRT) -> list[float]:
    """Seconds of `RUNS` inferences, timed one by one below LiteRT's Python."""
    # The interpreter in Python refuses to run while someone else holds on to what is inside it.
    return singly(runtime._interpreter._interpreter.Invoke)


def clock() -> float:
    """Seconds that reading the clock twice takes."""
    return float(np.median(singly(lambda: None)))


def singly(action: Callable[[], object]) -> list[float]:
    """Seconds of `RUNS` inferences, timed one by one."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return times


def main(paths: list[str]) -> None:
    """Prints a row a file."""
    print("| file | p50 of hsitf.bench, ms | bare interpreter, ms | ratio | clock |")
    print("|---|---|---|---|---|")
    reading = clock()
    for path in paths:
        runtime = LiteRT(Path(path))
        action = runtime.action(np.zeros(runtime.input.shape, runtime.input.dtype))
        for _ in range(RUNS):
            action()
        ours, theirs = [], []
        for number in range(ROUNDS):
            # Whoever comes second finds warmer caches.
            if number % 2:
                theirs.append(np.median(bare(runtime)))
                ours.append(np.median(singly(action)))
            else:
                ours.append(np.median(singly(action)))
                theirs.append(np.median(bare(runtime)))
        ratio = np.median(np.array(ours) / np.array(theirs))
        name = "/".join(Path(path).parts[-3:])
        print(
            f"| {name} | {1e3 * np.median(ours):.4f} | {1e3 * np.median(theirs):.4f} | "
            f"{ratio:.3f} | {reading / np.median(ours):.2%} |"
        )
    print(f"\n{processor()}, one thread, {ROUNDS} rounds of {RUNS} inferences each way.")


if __name__ == "__main__":
    main(sys.argv[1:])
