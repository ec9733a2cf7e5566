"""What runs on the emulated core, in a Python of its own without hsitf.

Takes a .tflite file, an .npy file of its inputs and a place for its outputs. Asks for its parent's
number before and after each inference that counts, which the plugin of the emulator sees, and in
the end twice with nothing between.
"""

from __future__ import annotations

import os
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

# XNNPACK packs weights at the first inferences; from the fourth on, counts repeat.
WARM_UP = 4
RUNS = 3


def main(file: str, inputs: str, outputs: str) -> None:
    """Computes all inputs, then marks the inferences of the first."""
    interpreter = Interpreter(model_path=file, num_threads=1)
    interpreter.allocate_tensors()
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()
    given = np.load(inputs)
    batch = source["shape"][0]
    found = []
    for start in range(0, len(given), batch):
        interpreter.set_tensor(source["index"], given[start : start + batch])
        interpreter.invoke()
        found.append(interpreter.get_tensor(sink["index"]))
    np.save(outputs, np.concatenate(found))
    interpreter.set_tensor(source["index"], given[:batch])
    for _ in range(WARM_UP):
        interpreter.invoke()
    mark, invoke = os.getppid, interpreter.invoke
    for _ in range(RUNS):
        mark()
        invoke()
        mark()
    mark()
    mark()


if __name__ == "__main__":
    main(*sys.argv[1:])
