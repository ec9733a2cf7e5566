"""Classification of a scene to files, and the printed summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hsitf.classify import outputs
from hsitf.classify.cluster import StripJob, compute_remotely
from hsitf.classify.engines import engine
from hsitf.classify.evaluation import MapEvaluation, evaluate, format_confusion
from hsitf.classify.map_grid import map_grid
from hsitf.classify.mapping import classify, parts_folder, remove_state
from hsitf.classify.output_journal import UNRESUMED, OutputJournal, intermediate_folder
from hsitf.classify.outputs import MAX_CLASSES, ClassMap
from hsitf.classify.request import MapRequest, image_request
from hsitf.classify.sensor import open_for_site
from hsitf.classify.source import (
    Classifier,
    classifier_of_run,
    open_classifier,
    run_of,
)
from hsitf.data import image_choices
from hsitf.errors import InputError
from hsitf.locks import one_writer
from hsitf.log_silencing import suppressed_output
from hsitf.metrics import Scores, scores
from hsitf.options import SplitChoice, trained_for
from hsitf.progress import Progress
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.scenes import RasterSource, names
from hsitf.tables import format_table
from hsitf.train.collapse import collapse_remark


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
        evaluation: How it agrees with the labels; None where the scene has none.
        remark: What to try where the network has collapsed; empty where it has not.
    """

    classifier: Classifier
    source: RasterSource
    class_map: ClassMap
    files: tuple[Path, ...]
    speed: float
    nodata_pixels: int
    counts: tuple[int, ...]
    evaluation: MapEvaluation | None
    remark: str

    @property
    def test(self) -> Scores | None:
        """Scores on the network's own test pixels; None on other scenes."""
        found = self.evaluation
        return found.scores if found is not None and found.own_test_pixels else None

    @property
    def labelled(self) -> Scores | None:
        """Scores on labelled pixels of another scene; None without labels of its classes."""
        found = self.evaluation
        return found.scores if found is not None and not found.own_test_pixels else None


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
    opened = _opened(model, origin, choice, bands, request, progress)
    with one_writer(progress.say, *request.files):
        return _classified(opened, origin, request, progress)


def classify_images(
    model: str | None,
    origin: Path | None,
    choice: SceneChoice,
    bands: str | None,
    request: MapRequest,
    progress: Progress,
) -> tuple[ClassifiedScene, ...]:
    """Classifies a scene as `classify_scene` does, or each image of a scene of several.

    The maps of images have the names of the files that are requested and of the image:
    `maps.tif` becomes `maps-NAME.tif`.

    Returns:
        The scene, or its images in their order.

    Raises:
        InputError: As `classify_scene`; or a file exists that is not to be replaced.
        DataError: As `classify_scene`.
        OutputError: As `classify_scene`.
    """
    opened = _opened(model, origin, choice, bands, request, progress)
    images = image_choices(opened[-1])
    requests = [image_request(request, name) for name in images] or [request]
    with one_writer(progress.say, *(path for one in requests for path in one.files)):
        if images:
            return _classified_images(opened, origin, images, requests, progress)
        # Another command may have written them while this one waited.
        outputs.check(request.files, request.overwrite)
        return (_classified(opened, origin, request, progress),)


def _classified_images(
    opened: tuple[Path, Classifier, Run | None, SceneChoice],
    origin: Path | None,
    images: Mapping[str, SceneChoice],
    requests: Sequence[MapRequest],
    progress: Progress,
) -> tuple[ClassifiedScene, ...]:
    """Classifies the images of a scene, by a request for each."""
    # One journal for all images, in the folder that is removed last: the command can be repeated
    # whenever it ends, and images that are finished are not computed again.
    places = [intermediate_folder(one.out[0]) for one in requests if one.out]
    journal = OutputJournal(places[0]) if places else UNRESUMED
    for one in requests:
        outputs.check(one.files, one.overwrite, journal)
    found = []
    for (name, now), one in zip(images.items(), requests, strict=True):
        progress.say(f"image {name}")
        found.append(_classified((*opened[:-1], now), origin, one, progress, (name, journal)))
    for place in reversed(places):
        remove_state(place)
    return tuple(found)


def _classified(
    opened: tuple[Path, Classifier, Run | None, SceneChoice],
    origin: Path | None,
    request: MapRequest,
    progress: Progress,
    image: tuple[str, OutputJournal] | None = None,
) -> ClassifiedScene:
    """Classifies a scene, or an image of one, with what was opened for it.

    What is needed to resume an image stays until all images are finished.
    """
    folder, classifier, run, now = opened
    with suppressed_output():
        site, classifier, computed = open_for_site(now, classifier, run, request.strict_bands)
    site = replace(site, name=image[0]) if image else site
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
        engine(classifier, computed, site, request, progress) as chosen,
    ):
        work = (
            compute_remotely(request.dask, StripJob(folder, _absolute(now), request))
            if request.dask
            else None
        )
        mapped = classify(chosen, site, folder_of_parts, progress, request.keeps, work)
        journal = image[1] if image else OutputJournal(folder_of_parts)
        class_map = outputs.write_requested(mapped, classifier, site, request, journal)
        speed = mapped.speed
        # The map's files are still open in the folder that is removed.
        del mapped
        if not image:
            remove_state(folder_of_parts)
    trained = run if run is not None or origin is None else run_of(origin)
    return _evaluated(chosen, trained, site, class_map, request, speed)


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
        # Says which run it found, or shows how far the training of a new one is.
        found, now = trained_for(str(model), choice, SplitChoice(), None, progress, bands)
        with suppressed_output():
            return found.folder.resolve(), classifier_of_run(found), found, now
    with suppressed_output():
        classifier, run = open_classifier(origin, request.threads)
        trained = run_of(origin)
    if trained is None:
        now = replace(choice, source=choice.source or classifier.scene)
    else:
        now = _current_choice(trained, choice)
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
    return run.scene_choice(choice) if run.is_of_source(choice) else choice


def _evaluated(
    classifier: Classifier,
    run: Run | None,
    source: RasterSource,
    class_map: ClassMap,
    request: MapRequest,
    speed: float,
) -> ClassifiedScene:
    classes = len(classifier.class_names)
    dropped: tuple[str, ...] = ()
    if run is not None:
        dropped = (*run.record.plan.scene.drop, *run.record.scene.left_out_classes)
    found = evaluate(source, class_map.labels, classifier.class_names, run, dropped)
    blank, *counts = np.bincount(class_map.labels.ravel(), minlength=classes + 1).tolist()
    return ClassifiedScene(
        classifier,
        source,
        class_map,
        request.files,
        speed,
        blank,
        tuple(counts),
        found,
        "" if run is None else collapse_remark(run.record),
    )


def format_images(found: Sequence[ClassifiedScene]) -> str:
    """The maps of a scene's images, and the accuracy on the test pixels of all of them."""
    summaries = [format_summary(one) for one in found]
    tested = {one.source.name: one.test for one in found if one.test is not None}
    if len(found) > 1 and tested:
        total = scores(np.sum([np.asarray(one.matrix) for one in tested.values()], axis=0))
        parts = ", ".join(f"{name} {one.oa:.2%}" for name, one in tested.items())
        summaries.append(
            f"{sum(total.support):,} test pixels of {len(tested)} of {len(found)} images: OA "
            f"{total.oa:.2%}, AA {total.aa:.2%}, kappa {total.kappa:.4f} (OA {parts})"
        )
    return "\n\n".join(summaries)


def format_summary(found: ClassifiedScene) -> str:
    """A map in words and a table."""
    rows, cols, _ = found.source.shape
    kind = " (synthetic)" if found.source.synthetic else ""
    title = (
        f"{found.classifier.name} on {found.source.name}{kind}: {rows} x {cols} pixels, "
        + (f"{found.speed:,.0f} pixels/s" if found.speed else "complete already")
        + f", {found.classifier.runtime.engine}"
    )
    names = found.classifier.class_names
    head = ["class", "pixels", "share"]
    cells = [
        [name, f"{count:,}", f"{count / (rows * cols):.1%}"]
        for name, count in zip(names, found.counts, strict=True)
    ]
    held = found.evaluation
    scored = None if held is None else held.scores
    if scored is not None:
        head += ["evaluated", "accuracy"]
        for row, count, right in zip(cells, scored.support, scored.per_class, strict=True):
            row += [f"{count:,}", f"{right:.2%}" if count else "-"]
    lines = [title, format_table(head, cells)]
    if found.nodata_pixels:
        lines.append(f"{found.nodata_pixels:,} pixels without a class: they have no data.")
    if held is not None:
        lines += held.notes
    if held is not None and scored is not None:
        lines.append(
            f"{held.pixels}: OA {scored.oa:.2%}, AA {scored.aa:.2%}, kappa {scored.kappa:.4f}"
        )
        lines.append(format_confusion(scored.matrix, names, held.pixels))
    lines += [found.remark] if found.remark else []
    grid = map_grid(found.source.georeference)
    lines += [grid.note] if grid is not None and found.files else []
    return "\n".join([*lines, *(f"Wrote {path}." for path in found.files)])
