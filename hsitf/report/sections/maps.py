"""Classification maps beside the ground truth."""

from __future__ import annotations

import numpy as np

from hsitf.report.data import ReportData
from hsitf.report.document import Gallery, Prose, ReportImage, Section
from hsitf.report.formatting import percent
from hsitf.report.sections.scene import colored, legend, thinned
from hsitf.scenes.scene import Scene

MAX_RUNS = 6
WRONG, RIGHT, REST = (213, 94, 0), (60, 140, 110), (40, 44, 50)


def section(data: ReportData) -> Section | None:
    """Maps of the whole scene where they were given, and of the test pixels of each run."""
    scene = data.scene
    if scene is None or not data.runs:
        return None
    images = [
        ReportImage(
            "truth",
            "Ground truth.",
            thinned(colored(scene.labels, scene.classes)),
            legend(scene.class_names),
        )
    ]
    for number, (name, classes) in enumerate(data.maps, start=1):
        images.append(
            ReportImage(
                f"map-{number}",
                f"{name}: {_right(scene, classes)}",
                thinned(colored(np.minimum(classes, scene.classes), scene.classes)),
            )
        )
    ranked = sorted(data.runs, key=lambda run: -run.record.scores.oa)[:MAX_RUNS]
    for number, run in enumerate(ranked, start=1):
        predicted = run.predictions()
        if predicted is None:
            continue
        name, test = data.names[str(run.folder)], run.split().test
        called = np.zeros(scene.labels.size, np.int64)
        called[test] = predicted + 1
        right = scene.labels.ravel()[test] == called[test]
        marks = np.full((scene.labels.size, 3), REST, np.uint8)
        marks[test] = np.where(right[:, None], RIGHT, WRONG)
        shape = scene.labels.shape
        images += [
            ReportImage(
                f"test-{number}",
                f"{name}: what it names the test pixels ({percent(right.mean())} right).",
                thinned(colored(called.reshape(shape), scene.classes)),
            ),
            ReportImage(
                f"errors-{number}",
                f"{name}: right and wrong on the test pixels.",
                thinned(marks.reshape(*shape, 3)),
                ((RIGHT, "right"), (WRONG, "wrong"), (REST, "no test pixel")),
            ),
        ]
    if len(images) == 1:
        return None
    lead = "Where networks are right and where they are not."
    if not data.maps:
        lead += " Maps of whole scenes, made by hsitf classify, are shown where --map names them."
    return Section("maps", "Maps", (Prose(lead), Gallery(tuple(images))))


def _right(scene: Scene, classes: np.ndarray) -> str:
    known = (scene.labels > 0) & (classes > 0)
    if not known.any():
        return "the whole scene."
    share = (scene.labels == classes)[known].mean()
    return (
        f"the whole scene; {percent(share)} of all labelled pixels right, training pixels included."
    )
