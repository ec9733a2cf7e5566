"""Classification maps beside the ground truth."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from hsitf.report.data import ReportData
from hsitf.report.document import Gallery, Prose, ReportImage, Section
from hsitf.report.formatting import number, percent
from hsitf.report.sections.scene import UNLABELLED, colored, legend, painted, thinned
from hsitf.runs import Run

MAX_RUNS = 6
WRONG, RIGHT = (213, 94, 0), (60, 140, 110)


def section(data: ReportData) -> Section | None:
    """Maps of the whole scene where they were given, and of the test pixels of each run."""
    scene = data.scene
    if scene is None or not data.runs:
        return None
    images = [
        ReportImage("truth", "Ground truth.", thinned(colored(scene, scene.labels)), legend(scene))
    ]
    for index, (name, classes) in enumerate(data.maps, start=1):
        right = _right(scene.labels, classes, data.runs)
        images.append(
            ReportImage(f"map-{index}", f"{name}: {right}", thinned(colored(scene, classes)))
        )
    ranked = sorted(data.runs, key=lambda run: -run.record.scores.oa)[:MAX_RUNS]
    for index, run in enumerate(ranked, start=1):
        predicted = run.predictions()
        if predicted is None:
            continue
        name, test = data.names[str(run.folder)], run.split().test
        called = np.zeros(scene.labels.size, np.int64)
        called[test] = predicted + 1
        right_ones = scene.labels.ravel()[test] == called[test]
        marks = np.zeros(scene.labels.size, np.int64)
        marks[test] = np.where(right_ones, 1, 2)
        shape = scene.labels.shape
        images += [
            ReportImage(
                f"test-{index}",
                f"{name}: what it names the test pixels ({percent(right_ones.mean())} right).",
                thinned(colored(scene, called.reshape(shape))),
            ),
            ReportImage(
                f"errors-{index}",
                f"{name}: right and wrong on the test pixels.",
                thinned(painted(scene, marks.reshape(shape), [RIGHT, WRONG])),
                ((RIGHT, "right"), (WRONG, "wrong"), (UNLABELLED, "no test pixel")),
            ),
        ]
    if len(images) == 1:
        return None
    lead = "Where networks are right and where they are not."
    if not data.maps:
        lead += " Maps of whole scenes, made by hsitf classify, are shown where --map names them."
    return Section("maps", "Maps", (Prose(lead), Gallery(tuple(images))))


def _right(labels: NDArray[np.integer], classes: NDArray[np.integer], runs: tuple[Run, ...]) -> str:
    """How much of a map is right, on pixels that are test pixels of every run."""
    test = reduce(np.intersect1d, (run.split().test for run in runs))
    known = test[classes.ravel()[test] > 0]
    if not len(known):
        return "the whole scene."
    share = (labels.ravel() == classes.ravel())[known].mean()
    return f"the whole scene; {percent(share)} of {number(len(known))} test pixels right."
