"""Writes records and figures of bit studies beside the trained network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hsitf import records
from hsitf.progress import Progress
from hsitf.quantize.bit_study import run_bit_study
from hsitf.quantize.figure import draw_bit_study, draw_layers
from hsitf.quantize.request import CALIBRATION_PATCHES, BitStudyRequest
from hsitf.quantize.schemes import Bits
from hsitf.quantize.sensitivity import measure_sensitivity
from hsitf.quantize.table import format_bit_study, format_sensitivity
from hsitf.records import SceneChoice
from hsitf.runs import Run

FIGURES = (".png", ".svg")


def report_study(
    run: Run,
    bits: Sequence[Bits],
    request: BitStudyRequest,
    progress: Progress,
    choice: SceneChoice | None = None,
) -> str:
    """Runs a bit study, writes record and figures, and returns its table.

    See `bit_study.run_bit_study`.
    """
    path = study_path(run, "bits", request).with_suffix(".json")
    result = run_bit_study(run, bits, request, path, progress, choice)
    return "\n".join(
        [format_bit_study(result), _drawn(path, lambda figure: draw_bit_study(result, figure))]
    )


def report_layers(
    run: Run,
    bits: Bits,
    request: BitStudyRequest,
    progress: Progress,
    choice: SceneChoice | None = None,
) -> str:
    """Measures the sensitivity of each layer, writes record and figures, and returns its table.

    See `sensitivity.measure_sensitivity`.
    """
    result = measure_sensitivity(run, bits, request, progress, choice)
    path = study_path(run, f"layers-{str(bits).replace(',', '-')}", request).with_suffix(".json")
    records.write(result, path)
    return "\n".join(
        [format_sensitivity(result), _drawn(path, lambda figure: draw_layers(result, figure))]
    )


def study_path(run: Run, kind: str, request: BitStudyRequest) -> Path:
    """Path of a study without suffix: in a folder beside the run, one file per request."""
    scheme = request.scheme
    name = f"{kind}-{scheme.weights}-{scheme.activations}-{scheme.range_estimator}"
    if request.max_samples:
        name += f"-{request.max_samples}"
    if request.calibration_patches != CALIBRATION_PATCHES:
        name += f"-of{request.calibration_patches}"
    return run.folder.with_name(f"{run.folder.name}-quantized") / name


def _drawn(path: Path, draw: Callable[[Path], None]) -> str:
    figures = [path.with_suffix(suffix) for suffix in FIGURES]
    for figure in figures:
        draw(figure)
    return "\n".join(f"Wrote {written}." for written in (path, *figures))
