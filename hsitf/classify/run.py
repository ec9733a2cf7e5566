"""From a network and a scene to files, and what to say of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.classify import outputs
from hsitf.classify.mapping import classify, finish
from hsitf.classify.outputs import MOST_CLASSES, Map
from hsitf.classify.request import MapRequest
from hsitf.classify.source import Classifier, is_bundle, of_bundle, of_run
from hsitf.errors import InputError
from hsitf.files import replacing
from hsitf.metrics import Scores, confusion, scores
from hsitf.options import SplitChoice, trained_for
from hsitf.progress import Progress
from hsitf.quiet import quietly
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.scenes import load
from hsitf.scenes.scene import Scene
from hsitf.smoothing import smoothed
from hsitf.tables import aligned


@dataclass(frozen=True, eq=False)
class Classified:
    """A written map and what it is worth.

    Attributes:
        classifier: What made it.
        scene: Of which.
        files: Where.
        speed: Pixels a second; 0 where an interrupted map was complete already.
        counts: (classes,) pixels of each class.
        test: Scores on the network's own test pixels; None on other scenes.
        labelled: Scores on all labelled pixels, training pixels included where it is the
            network's scene; None where there are none of the network's classes.
        matrix: (classes, classes) int64 of those pixels, rows are truth.
    """

    classifier: Classifier
    scene: Scene
    files: tuple[Path, ...]
    speed: float
    counts: tuple[int, ...]
    test: Scores | None
    labelled: Scores | None
    matrix: NDArray[np.int64] | None


def whole(
    model: str | None,
    origin: Path | None,
    choice: SceneChoice,
    bands: str | None,
    request: MapRequest,
    progress: Progress,
) -> Classified:
    """Classifies a scene and writes its map.

    Args:
        model: Network whose latest run serves; None where `origin` is given.
        origin: Folder of a run or a bundle.
        choice: The scene; the network's own where its source is empty.
        bands: How the network's bands are reduced, to find its run.
        request: What to write.
        progress: Told what happens.

    Raises:
        InputError: The network does not fit the scene.
        DataError: Run, bundle or scene are damaged.
        OutputError: The files cannot be written.
    """
    with quietly():
        classifier, run, scene = _opened(model, origin, choice, bands, request, progress)
    if len(classifier.class_names) > MOST_CLASSES:
        raise InputError(
            "maps have a byte for each pixel",
            received=f"{len(classifier.class_names)} classes",
            allowed=f"{MOST_CLASSES} at most",
        )
    work = request.out[0].with_name(f".{request.out[0].name}.parts")
    values, speed = classify(classifier, classifier.patches(scene), work, progress)
    smooth = smoothed(np.asarray(values, np.float32), request.smooth)
    labels = (smooth.argmax(axis=2) + 1).astype(np.uint8)
    source = Path(choice.source) if choice.source else Path()
    found = Map(
        labels, classifier.class_names, outputs.place_of(source) if source.is_file() else {}
    )
    for path in request.out:
        outputs.write(found, path)
    for place, layer in (
        (request.probabilities, smooth),
        (request.confidence, smooth.max(axis=2)),
    ):
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            with replacing(place) as temporary:
                outputs.probability_tiff(layer, found, temporary)
    del values
    finish(work)
    return _judged(classifier, run, scene, labels, request, speed)


def _opened(
    model: str | None,
    origin: Path | None,
    choice: SceneChoice,
    bands: str | None,
    request: MapRequest,
    progress: Progress,
) -> tuple[Classifier, Run | None, Scene]:
    if origin is not None and is_bundle(origin):
        classifier = of_bundle(origin, request.threads)
        named = replace(choice, source=choice.source or classifier.scene)
        return classifier, None, _scene(named)
    if origin is not None:
        run = Run.open(origin)
        return of_run(run), run, _scene(_now(run, choice))
    run, now = trained_for(str(model), choice, SplitChoice(), None, progress, bands)
    return of_run(run), run, _scene(now)


def _now(run: Run, choice: SceneChoice) -> SceneChoice:
    """The scene that is named, or the run's where the command says at most where it lies."""
    if choice.source:
        return choice
    then = run.record.plan.scene
    return replace(then, data_dir=choice.data_dir or then.data_dir)


def _scene(choice: SceneChoice) -> Scene:
    scene = load(
        choice.source, choice.data_dir, labels=choice.labels, variable=choice.variable,
        labels_variable=choice.labels_variable,
    )  # fmt: skip
    return scene.without(choice.drop)


def _judged(
    classifier: Classifier,
    run: Run | None,
    scene: Scene,
    labels: outputs.Labels,
    request: MapRequest,
    speed: float,
) -> Classified:
    classes = len(classifier.class_names)
    truth, called = scene.labels.ravel(), labels.ravel()
    test = labelled = matrix = None
    if scene.class_names == classifier.class_names and truth.any():
        known = np.flatnonzero(truth)
        matrix = confusion(truth[known] - 1, called[known].astype(np.int64) - 1, classes)
        labelled = scores(matrix)
        if run is not None and run.record.scene.sha256 == scene.sources:
            judges = run.split().test
            named = called[judges].astype(np.int64) - 1
            test = scores(confusion(truth[judges] - 1, named, classes))
    counts = np.bincount(called, minlength=classes + 1)[1:]
    return Classified(
        classifier, scene, request.files, speed, tuple(counts.tolist()), test, labelled, matrix
    )


def told(found: Classified) -> str:
    """A map in words and a table."""
    rows, cols = found.scene.labels.shape
    kind = " (synthetic)" if found.scene.synthetic else ""
    title = f"{found.classifier.name} on {found.scene.name}{kind}: {rows} x {cols} pixels, " + (
        f"{found.speed:,.0f} pixels/s" if found.speed else "complete already"
    )
    head = ["class", "pixels", "share"]
    cells = [
        [name, f"{count:,}", f"{count / (rows * cols):.1%}"]
        for name, count in zip(found.classifier.class_names, found.counts, strict=True)
    ]
    if found.labelled is not None:
        head.append("labelled, right")
        for row, right in zip(cells, found.labelled.per_class, strict=True):
            row.append(f"{right:.2%}")
    lines = [title, aligned(head, cells)]
    for what, worth in (("test pixels", found.test), ("all labelled pixels", found.labelled)):
        if worth is not None:
            lines.append(f"{what}: OA {worth.oa:.2%}, AA {worth.aa:.2%}, kappa {worth.kappa:.4f}")
    if found.test is not None:
        lines.append("All labelled pixels include those that the network learned from.")
    if found.matrix is not None:
        lines.append("Confusion, rows are truth:")
        lines += [" ".join(f"{count:6d}" for count in row) for row in found.matrix.tolist()]
    return "\n".join([*lines, *(f"Wrote {path}." for path in found.files)])
