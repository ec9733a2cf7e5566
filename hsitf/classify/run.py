"""From a network and a scene to files, and what to say of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.classify import outputs
from hsitf.classify.cluster import Order, remotely
from hsitf.classify.engines import engine
from hsitf.classify.mapping import Mapped, classify, finish
from hsitf.classify.outputs import MOST_CLASSES, Map
from hsitf.classify.request import MapRequest
from hsitf.classify.source import Classifier, of_run, opened, site_for
from hsitf.errors import InputError
from hsitf.metrics import Scores, confusion, scores
from hsitf.options import SplitChoice, trained_for
from hsitf.progress import Progress
from hsitf.quiet import quietly
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.scenes import Site, names
from hsitf.smoothing import smoothed
from hsitf.tables import aligned


@dataclass(frozen=True, eq=False)
class Classified:
    """A written map and what it is worth.

    Attributes:
        classifier: What made it.
        site: Of which.
        files: Where.
        speed: Pixels a second; 0 where an interrupted map was complete already.
        blank: Pixels without a class, because a band was not a number.
        counts: (classes,) pixels of each class.
        test: Scores on the network's own test pixels; None on other scenes.
        labelled: Scores on all labelled pixels, training pixels included where it is the
            network's scene; None where there are none of the network's classes.
        matrix: (classes, classes) int64 of those pixels, rows are truth.
    """

    classifier: Classifier
    site: Site
    files: tuple[Path, ...]
    speed: float
    blank: int
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
        folder, classifier, run, now = _opened(model, origin, choice, bands, request, progress)
        site = site_for(now)
    if len(classifier.class_names) > MOST_CLASSES:
        raise InputError(
            "maps have a byte for each pixel",
            received=f"{len(classifier.class_names)} classes",
            allowed=f"{MOST_CLASSES} at most",
        )
    classifier.check(site)
    place = request.out[0].with_name(f".{request.out[0].name}.parts")
    with engine(classifier, run, site, request, progress) as chosen:
        work = (
            remotely(request.dask, Order(folder, _absolute(now), request)) if request.dask else None
        )
        mapped = classify(chosen, site, place, progress, request.keeps, work)
    labels = _published(mapped, classifier, choice, request)
    speed = mapped.speed
    # The map's files are still open on the folder that goes.
    del mapped
    finish(place)
    return _judged(chosen, run, site, labels, request, speed)


def _published(
    mapped: Mapped, classifier: Classifier, choice: SceneChoice, request: MapRequest
) -> outputs.Labels:
    """Writes what was asked for, and returns the classes of the pixels, smoothed where wanted."""
    labels, values = mapped.labels, mapped.values
    if request.smooth and values is not None:
        values = smoothed(np.asarray(values, np.float32), request.smooth)
        labels = np.where(labels, values.argmax(axis=2) + 1, 0).astype(np.uint8)
    source = Path(choice.source) if choice.source else Path()
    place = outputs.place_of(source) if source.is_file() else {}
    found = Map(labels, classifier.class_names, place)
    for path in request.out:
        outputs.write(found, path)
    if values is not None and request.probabilities is not None:
        outputs.write_probabilities(values, found, request.probabilities)
    if values is not None and request.confidence is not None:
        outputs.write_probabilities(values.max(axis=2), found, request.confidence)
    return np.array(labels)


def _opened(
    model: str | None,
    origin: Path | None,
    choice: SceneChoice,
    bands: str | None,
    request: MapRequest,
    progress: Progress,
) -> tuple[Path, Classifier, Run | None, SceneChoice]:
    """The classifier, the folder that it came from, its run if it is one, and the scene."""
    if origin is None:
        found, now = trained_for(str(model), choice, SplitChoice(), None, progress, bands)
        return found.folder.resolve(), of_run(found), found, now
    classifier, run = opened(origin, request.threads)
    if run is None:
        now = replace(choice, source=choice.source or classifier.scene)
    else:
        now = _now(run, choice)
    return origin.resolve(), classifier, run, now


def _absolute(choice: SceneChoice) -> SceneChoice:
    """The same scene for who works in another folder."""

    def whole(path: str | None) -> str | None:
        return str(Path(path).expanduser().resolve()) if path else path

    named = choice.source.lower() in {name.lower() for name in names()}
    return replace(
        choice,
        source=choice.source if named else whole(choice.source) or "",
        data_dir=whole(choice.data_dir),
        labels=whole(choice.labels),
    )


def _now(run: Run, choice: SceneChoice) -> SceneChoice:
    """The scene that is named, or the run's where the command says at most where it lies."""
    if choice.source:
        return choice
    then = run.record.plan.scene
    return replace(then, data_dir=choice.data_dir or then.data_dir)


def _judged(
    classifier: Classifier,
    run: Run | None,
    site: Site,
    labels: outputs.Labels,
    request: MapRequest,
    speed: float,
) -> Classified:
    classes = len(classifier.class_names)
    called = labels.ravel()
    test = labelled = matrix = None
    if site.labels is not None and site.class_names == classifier.class_names:
        truth = site.labels.ravel()
        # A pixel without a class is not judged: it has no spectrum to be judged by.
        known = np.flatnonzero(truth * (called > 0))
        matrix = confusion(truth[known] - 1, called[known].astype(np.int64) - 1, classes)
        labelled = scores(matrix)
        if run is not None and run.record.scene.sha256 == dict(site.sources):
            judges = np.intersect1d(run.split().test, known)
            named = called[judges].astype(np.int64) - 1
            test = scores(confusion(truth[judges] - 1, named, classes))
    blank, *counts = np.bincount(called, minlength=classes + 1).tolist()
    return Classified(
        classifier, site, request.files, speed, blank, tuple(counts), test, labelled, matrix
    )


def told(found: Classified) -> str:
    """A map in words and a table."""
    rows, cols, _ = found.site.shape
    kind = " (synthetic)" if found.site.synthetic else ""
    title = (
        f"{found.classifier.name} on {found.site.name}{kind}: {rows} x {cols} pixels, "
        + (f"{found.speed:,.0f} pixels/s" if found.speed else "complete already")
        + f", {found.classifier.runtime.engine}"
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
    if found.blank:
        lines.append(f"{found.blank:,} pixels without a class: a band is not a number there.")
    if found.test is not None:
        lines.append("All labelled pixels include those that the network learned from.")
    if found.matrix is not None:
        lines.append("Confusion, rows are truth:")
        lines += [" ".join(f"{count:6d}" for count in row) for row in found.matrix.tolist()]
    return "\n".join([*lines, *(f"Wrote {path}." for path in found.files)])
