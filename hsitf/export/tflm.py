"""Runs exported files in TensorFlow Lite Micro on their golden vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hsitf.export.bundle import GoldenVectors
from hsitf.records import TflmReport
from hsitf.targets.tflm import run_micro


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
    ran = run_micro(file, golden.stored_inputs)
    if isinstance(ran, str):
        return TflmReport(arena_bytes=0, max_output_difference=0, failure=ran)
    steps = ran.outputs.astype(np.float64) - golden.stored_outputs.astype(np.float64)
    return TflmReport(ran.arena_bytes, float(np.abs(steps).max()))
