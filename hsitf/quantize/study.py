"""The bit study: what a network is worth in how many bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf import records
from hsitf.data import Data
from hsitf.errors import DataError, InputError
from hsitf.metrics import confusion, scores
from hsitf.progress import Progress
from hsitf.quantize.record import Cell, Study
from hsitf.quantize.request import Order
from hsitf.quantize.schemes import Bits, Floats
from hsitf.quantize.simulate import Simulation
from hsitf.quiet import quietly
from hsitf.records import SceneChoice
from hsitf.runs import Run

# Pixels whose patches are in memory at once; a multiple of the batch.
CHUNK = 2048


def study(
    run: Run,
    bits: Sequence[Bits],
    order: Order,
    path: Path,
    progress: Progress,
    choice: SceneChoice | None = None,
) -> Study:
    """Judges a trained network in few bits and keeps what it found.

    Args:
        run: The trained network.
        bits: Triples to judge.
        order: How.
        path: JSON record; cells of the same network and order that it holds already are not
            computed again, and it is written after each cell.
        progress: Told of each cell.
        choice: Where the scene is now, if not where the run found it.

    Returns:
        The study with every cell that its record holds.

    Raises:
        InputError: The scene cannot be found, calibration patches are of one class.
        OutputError: The record cannot be written.
    """
    data = run.data(choice or run.record.plan.scene)
    with quietly():
        simulation = simulated(run, data, order)
        pixels = judged(data.split.test, order.most)
        expected, _ = predicted(simulation, data, pixels)
    truth, classes = data.targets(pixels), data.scene.classes
    plain = scores(confusion(truth, expected.argmax(1), classes))
    record = run.record
    found = Study(
        records.SCHEMA,
        record.plan.network,
        record.scene.name,
        record.scene.synthetic,
        str(run.folder),
        record.sha256,
        order,
        plain.oa,
        plain.aa,
        plain.kappa,
        len(pixels),
        {place.name: place.products for place in simulation.places},
        simulation.float_bytes(),
        (),
        records.versions(),
    )
    known = {cell.bits: cell for cell in _kept(path, found)}
    progress.start(f"{record.plan.network} in few bits", len(bits))
    for triple in bits:
        if triple not in known:
            with quietly():
                simulation.put(triple)
                logits, shares = predicted(simulation, data, pixels)
            worth = scores(confusion(truth, logits.argmax(1), classes))
            known[triple] = Cell(
                triple,
                worth.oa,
                worth.aa,
                worth.kappa,
                float((logits.argmax(1) == expected.argmax(1)).mean()),
                simulation.saturated(shares),
                simulation.weight_bytes(triple),
            )
            records.write(_with(found, known), path)
        progress.advance(1, f"({triple}) OA {known[triple].oa:.2%}")
    return _with(found, known)


def simulated(run: Run, data: Data, order: Order) -> Simulation:
    """The simulation of a trained network, calibrated on its training patches.

    Raises:
        InputError: Fewer than two classes to calibrate on.
    """
    chosen = data.balanced(order.calibration)
    if len(np.unique(data.targets(chosen))) < 2:
        raise InputError(
            "ranges measured on a single class cut off the others",
            received=f"{len(chosen)} calibration patches of one class",
            allowed="patches of two classes or more",
            remedy="give more patches with --patches, or a scene with more labelled classes",
        )
    return Simulation(run.network(), data.patches.cut(chosen), order.scheme)


def judged(test: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """So many of the test pixels, spread evenly; all where there are no more, or most is 0."""
    if not most or len(test) <= most:
        return test
    return test[np.linspace(0, len(test) - 1, most).astype(np.int64)]


def predicted(
    simulation: Simulation, data: Data, pixels: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """`Simulation.predict` at pixels (flat indices), whose patches are cut as they are needed."""
    parts = [
        simulation.predict(data.patches.cut(pixels[start : start + CHUNK]))
        for start in range(0, len(pixels), CHUNK)
    ]
    return np.concatenate([one for one, _ in parts]), np.concatenate([two for _, two in parts])


def _kept(path: Path, now: Study) -> tuple[Cell, ...]:
    """The cells of an earlier study of the same network, pixels and order."""
    if not path.is_file():
        return ()
    try:
        then = records.read(Study, path)
    except DataError:
        return ()
    same = (then.run_sha256, then.order, then.pixels, then.products, then.versions)
    here = (now.run_sha256, now.order, now.pixels, now.products, now.versions)
    return then.cells if same == here else ()


def _with(found: Study, cells: dict[Bits, Cell]) -> Study:
    return replace(found, cells=tuple(cells.values()))
