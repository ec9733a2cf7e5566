"""Classification of a scene to files, and the printed summary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.classify import outputs
from hsitf.classify.cluster import StripJob, compute_remotely
from hsitf.classify.engines import engine
from hsitf.classify.mapping import classify, parts_folder, remove_state
from hsitf.classify.outputs import MAX_CLASSES, ClassMap
from hsitf.classify.request import MapRequest
from hsitf.classify.source import Classifier, classifier_of_run, open_classifier, raster_for
from hsitf.errors import InputError
from hsitf.log_silencing import suppressed_output
from hsitf.metrics import Scores, confusion, scores
from hsitf.options import SplitChoice, located, trained_for
from hsitf.progress import Progress
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.scenes import RasterSource, names
from hsitf.tables import format_table


@dataclass(frozen=True, eq=False)
class ClassifiedScene:
    """A map and its accuracy.

    Attributes:
        classifier: The classifier.
        source: The scene.
        class_map: The class of every pixel.
        files: Paths of the written files.
        speed: Pixels per second; 0 where an interrupted map was complete already.
        nodata_pixels: Number of pixels without a class, because a band was NaN.
        counts: (classes,) number of pixels of each class.
        test: Scores on the network's own test pixels; None on other scenes.
        labelled: Scores on all labelled pixels, training pixels included on the network's scene;
            None without labels of the network's classes.
        matrix: (classes, classes) int64 confusion matrix of those pixels, rows are truth.
    """

    classifier: Classifier
    source: RasterSource
    class_map: ClassMap
    files: tuple[Path, ...]
    speed: float
    nodata_pixels: int
    counts: tuple[int, ...]
    test: Scores | None
    labelled: Scores | None
    matrix: NDArray[np.int64] | None


def classify_scene(
    model: str | None,
    origin: Path | None,
    choice: SceneChoice,
    bands: str | None,
    request: MapRequest,
    progress: Progress,
) -> ClassifiedScene:
    """Classifies a scene and writes its map, if the request names files.

    Args:
        model: Network whose latest run is used; None where `origin` is given.
        origin: Folder of a run or a bundle.
        choice: The scene; the network's own where its source is empty.
        bands: Band reduction of the network, to find its run.
        request: The files to write, and how to compute them.
        progress: Receives progress messages.

    Raises:
        InputError: The network does not fit the scene.
        DataError: The run, the bundle or the scene is damaged.
        OutputError: The files cannot be written.
    """
    with suppressed_output():
        folder, classifier, run, now = _opened(model, origin, choice, bands, request, progress)
        site = raster_for(now, classifier.band_numbers)
    for note in site.notes:
        progress.say(note)
    if len(classifier.class_names) > MAX_CLASSES:
        raise InputError(
            "maps have a byte for each pixel",
            received=f"{len(classifier.class_names)} classes",
            allowed=f"{MAX_CLASSES} at most",
        )
    classifier.check(site)
    with (
        parts_folder(request.out) as folder_of_parts,
        engine(classifier, run, site, request, progress) as chosen,
    ):
        work = (
            compute_remotely(request.dask, StripJob(folder, _absolute(now), request))
            if request.dask
            else None
        )
        mapped = classify(chosen, site, folder_of_parts, progress, request.keeps, work)
        class_map = outputs.write_requested(mapped, classifier, site, request)
        speed = mapped.speed
        # The map's files are still open in the folder that is removed.
        del mapped
        remove_state(folder_of_parts)
    return _evaluated(chosen, run, site, class_map, request, speed)


def _opened(
    model: str | None,
    origin: Path | None,
    choice: SceneChoice,
    bands: str | None,
    request: MapRequest,
    progress: Progress,
) -> tuple[Path, Classifier, Run | None, SceneChoice]:
    """The classifier, its folder, its run if it is one, and the scene."""
    if origin is None:
        found, now = trained_for(str(model), choice, SplitChoice(), None, progress, bands)
        return found.folder.resolve(), classifier_of_run(found), found, now
    classifier, run = open_classifier(origin, request.threads)
    if run is None:
        now = replace(choice, source=choice.source or classifier.scene)
    else:
        now = _current_choice(run, choice)
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
        wavelengths=whole(choice.wavelengths),
        classes=whole(choice.classes),
    )


def _current_choice(run: Run, choice: SceneChoice) -> SceneChoice:
    """The scene that is named, or that of the run at the location that the command gives."""
    if choice.source:
        return choice
    then = run.record.plan.scene
    return located(then, choice)


def _evaluated(
    classifier: Classifier,
    run: Run | None,
    source: RasterSource,
    class_map: ClassMap,
    request: MapRequest,
    speed: float,
) -> ClassifiedScene:
    classes = len(classifier.class_names)
    called = class_map.labels.ravel()
    test = labelled = matrix = None
    if source.labels is not None and source.class_names == classifier.class_names:
        truth = source.labels.ravel()
        # A pixel without a class is not evaluated: it has no valid spectrum.
        known = np.flatnonzero(truth * (called > 0))
        matrix = confusion(truth[known] - 1, called[known].astype(np.int64) - 1, classes)
        labelled = scores(matrix)
        if run is not None and run.record.scene.sha256 == dict(source.sources):
            test_pixels = np.intersect1d(run.split().test, known)
            named = called[test_pixels].astype(np.int64) - 1
            test = scores(confusion(truth[test_pixels] - 1, named, classes))
    blank, *counts = np.bincount(called, minlength=classes + 1).tolist()
    return ClassifiedScene(
        classifier,
        source,
        class_map,
        request.files,
        speed,
        blank,
        tuple(counts),
        test,
        labelled,
        matrix,
    )


def format_summary(found: ClassifiedScene) -> str:
    """A map in words and a table."""
    rows, cols, _ = found.source.shape
    kind = " (synthetic)" if found.source.synthetic else ""
    title = (
        f"{found.classifier.name} on {found.source.name}{kind}: {rows} x {cols} pixels, "
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
    lines = [title, format_table(head, cells)]
    for what, found_scores in (
        ("test pixels", found.test),
        ("all labelled pixels", found.labelled),
    ):
        if found_scores is not None:
            lines.append(
                f"{what}: OA {found_scores.oa:.2%}, AA {found_scores.aa:.2%}, "
                f"kappa {found_scores.kappa:.4f}"
            )
    if found.nodata_pixels:
        lines.append(f"{found.nodata_pixels:,} pixels without a class: they have no data.")
    if found.test is not None:
        lines.append("All labelled pixels include the training pixels of the network.")
    if found.matrix is not None:
        lines.append("Confusion, rows are truth:")
        lines += [" ".join(f"{count:6d}" for count in row) for row in found.matrix.tolist()]
    return "\n".join([*lines, *(f"Wrote {path}." for path in found.files)])
