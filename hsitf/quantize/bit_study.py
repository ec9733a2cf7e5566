"""The bit study: accuracy of a network over bit widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf import records
from hsitf.arrays import Float32Array
from hsitf.data import SceneData
from hsitf.errors import DataError, InputError
from hsitf.log_silencing import suppressed_output
from hsitf.metrics import logit_scores
from hsitf.progress import Progress
from hsitf.quantize.record import BitStudy, BitStudyCell
from hsitf.quantize.request import BitStudyRequest
from hsitf.quantize.schemes import Bits
from hsitf.quantize.simulator import QuantizationSimulator
from hsitf.records import SceneChoice
from hsitf.runs import Run

# Pixels whose patches are in memory at once; a multiple of the batch.
PIXELS_PER_CHUNK = 2048


def run_bit_study(
    run: Run,
    bits: Sequence[Bits],
    request: BitStudyRequest,
    path: Path,
    progress: Progress,
    choice: SceneChoice | None = None,
) -> BitStudy:
    """Evaluates a trained network at several bit widths and records the results.

    Args:
        run: The trained network.
        bits: Bit widths to evaluate.
        request: Scheme and sample sizes.
        path: JSON record, written after each cell. Cells that it holds already, of the same
            network and request, are not computed again.
        progress: Receives progress messages of each cell.
        choice: Location of the scene, if it differs from the run's record.

    Returns:
        The study with all cells of the record.

    Raises:
        InputError: The scene cannot be found, or all calibration patches are of one class.
        OutputError: The record cannot be written.
    """
    data = run.data(choice)
    with suppressed_output():
        simulator = build_simulator(run, data, request)
        pixels = evaluation_pixels(data.split.test, request.max_samples)
        expected, _ = predict_at(simulator, data, pixels)
    truth, classes = data.targets(pixels), data.scene.classes
    plain = logit_scores(truth, expected, classes)
    record = run.record
    result = BitStudy(
        records.SCHEMA,
        record.plan.network,
        record.scene.name,
        record.scene.synthetic,
        str(run.folder),
        record.sha256,
        request,
        plain.oa,
        plain.aa,
        plain.kappa,
        len(pixels),
        {layer.name: layer.products_per_sum for layer in simulator.quantized_layers},
        simulator.float_bytes(),
        (),
        records.versions(),
    )
    known = {cell.bits: cell for cell in _earlier_cells(path, result)}
    progress.start(f"{record.plan.network} at few bits", len(bits))
    for triple in bits:
        if triple not in known:
            with suppressed_output():
                simulator.set_bits(triple)
                logits, shares = predict_at(simulator, data, pixels)
            measured = logit_scores(truth, logits, classes)
            known[triple] = BitStudyCell(
                triple,
                measured.oa,
                measured.aa,
                measured.kappa,
                float((logits.argmax(1) == expected.argmax(1)).mean()),
                simulator.saturation_by_layer(shares),
                simulator.weight_bytes(triple),
            )
            records.write(_with(result, known), path)
        progress.advance(1, f"({triple}) OA {known[triple].oa:.2%}")
    return _with(result, known)


def build_simulator(run: Run, data: SceneData, request: BitStudyRequest) -> QuantizationSimulator:
    """The simulator of a trained network, calibrated on its training patches.

    Raises:
        InputError: The calibration patches are of fewer than two classes, or it labels tiles.
    """
    run.check_patches("quantized in simulation")
    chosen = data.calibration_pixels(request.calibration_patches)
    if len(np.unique(data.targets(chosen))) < 2:
        raise InputError(
            "calibration on a single class clips the activations of the others",
            received=f"{len(chosen)} calibration patches of one class",
            allowed="patches of two classes or more",
            remedy="give more patches with --patches, or a scene with more labelled classes",
        )
    return QuantizationSimulator(run.network(), data.patches.extract(chosen), request.scheme)


def evaluation_pixels(test: NDArray[np.int64], max_samples: int) -> NDArray[np.int64]:
    """At most `max_samples` test pixels, spread evenly; all of them where it is 0."""
    if not max_samples or len(test) <= max_samples:
        return test
    return test[np.linspace(0, len(test) - 1, max_samples).astype(np.int64)]


def predict_at(
    simulator: QuantizationSimulator, data: SceneData, pixels: NDArray[np.int64]
) -> tuple[Float32Array, Float32Array]:
    """`QuantizationSimulator.predict` at pixels (flat indices), extracted chunk by chunk."""
    parts = [
        simulator.predict(data.patches.extract(pixels[start : start + PIXELS_PER_CHUNK]))
        for start in range(0, len(pixels), PIXELS_PER_CHUNK)
    ]
    return np.concatenate([one for one, _ in parts]), np.concatenate([two for _, two in parts])


def _earlier_cells(path: Path, now: BitStudy) -> tuple[BitStudyCell, ...]:
    """Cells of an earlier study of the same network, pixels and request."""
    if not path.is_file():
        return ()
    try:
        then = records.read(BitStudy, path)
    except DataError:
        return ()
    same = (then.run_sha256, then.request, then.pixels, then.products_per_sum, then.versions)
    here = (now.run_sha256, now.request, now.pixels, now.products_per_sum, now.versions)
    return then.cells if same == here else ()


def _with(found: BitStudy, cells: dict[Bits, BitStudyCell]) -> BitStudy:
    return replace(found, cells=tuple(cells.values()))
