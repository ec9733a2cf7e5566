"""What can be explained: trained networks, pruned ones and exported files, by what each gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from hsitf import records, runs, runtimes
from hsitf.bands import Reducer
from hsitf.classify.source import is_bundle, of_bundle
from hsitf.data import front, load, same_scene
from hsitf.errors import DataError, InputError
from hsitf.explain.view import Floats, Projected, View
from hsitf.export.bundle import Bundle
from hsitf.lower.fused import fused
from hsitf.prune.curve import RECORD as CURVE
from hsitf.prune.record import Curve
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.runtimes import Runtime, predict
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.scene import Scene

# Steps of finite differences, in deviations of a band: of files that compute in floats, as small as
# rounding lets them be; of integers, whose inputs and outputs are steps themselves, a whole one.
STEP, INTEGER_STEP = 0.02, 1.0


@dataclass(frozen=True, eq=False)
class Source:
    """A network or file to explain.

    Attributes:
        label: For readers, such as "trained" or "ratio 0.4".
        network: Name in the zoo.
        kind: "network", or the kind of file such as int8.
        folder: Of the run or the bundle.
        sha256: Of its network or file.
        oa: Overall accuracy on the test pixels.
        own: As it takes its inputs, bands or components.
        bands: As it sees the scene's bands; the same where it takes them, None where its reduction
            cannot be followed back to them.
        reduction: Such as "pca:30"; empty where it takes all bands.
        run: Where it was trained; None where that is not at hand.
    """

    label: str
    network: str
    kind: str
    folder: Path
    sha256: str
    oa: float
    own: View
    bands: View | None
    reduction: str
    run: Run | None


def expanded(folders: list[Path]) -> list[Path]:
    """The folders of runs and bundles; of a curve, the network it began with and its points."""
    found: list[Path] = []
    for folder in folders:
        if (folder / CURVE).is_file():
            curve = records.read(Curve, folder / CURVE)
            # The curve names its runs as they were called; they lie beside it wherever it is.
            names = [curve.origin, *(point.run for point in curve.points)]
            found += [folder.parent / Path(name).name for name in names]
        else:
            found.append(folder)
    return list(dict.fromkeys(found))


def choice_of(folder: Path, choice: SceneChoice) -> SceneChoice:
    """The scene that is named, or that of a run or bundle where it lies today."""
    if choice.source:
        return choice
    run = run_of(folder)
    if run is not None:
        then = run.record.plan.scene
    else:
        then = SceneChoice(Bundle.open(folder).record.scene)
    given = {name: value for name, value in vars(choice).items() if value}
    return replace(then, **given)


def run_of(folder: Path) -> Run | None:
    """The run of a folder, or the one that a bundle was made from where it is at hand."""
    if not is_bundle(folder):
        return Run.open(folder)
    record = Bundle.open(folder).record
    place = Path(record.run)
    if not (place / runs.RECORD).is_file():
        return None
    run = Run.open(place)
    return run if run.record.sha256 == record.run_sha256 else None


def opened(folder: Path, scene: Scene, threads: int = 2) -> Source:
    """Opens a run or a bundle on a scene.

    Raises:
        InputError: It takes another scene, or tiles.
        DataError: It is damaged.
    """
    return _of_bundle(folder, scene, threads) if is_bundle(folder) else _of_run(folder, scene)


def scene_of(folder: Path, choice: SceneChoice) -> Scene:
    """Reads the scene of what is explained first."""
    return load(choice_of(folder, choice))


def _of_run(folder: Path, scene: Scene) -> Source:
    run = Run.open(folder)
    record = run.record
    same_scene(scene, record.scene)
    network, reducer, side = run.network(), run.reducer(), record.plan.patch
    own = _network_view(
        network, PatchSource.of(front(scene.cube, record.normalizer, reducer), side)
    )
    bands: View | None = own
    if reducer is not None:
        bands = None
        if reducer.fusable:
            # From normalized bands: what normalizes them stays outside.
            count = reducer.bands
            whole = fused(network, Normalizer((0.0,) * count, (1.0,) * count), reducer)
            patches = PatchSource.of(record.normalizer.apply(scene.cube), side)
            bands = _network_view(whole, patches)
    label = "trained" if record.pruning is None else record.pruning.target
    return Source(
        label,
        record.plan.network,
        "network",
        folder,
        record.sha256,
        record.scores.oa,
        own,
        bands,
        reducer.text if reducer else "",
        run,
    )


def _network_view(network: keras.Model, patches: PatchSource) -> View:
    runtime = runtimes.Keras(network)
    return View(patches, lambda x: predict(runtime, x), network)


def _of_bundle(folder: Path, scene: Scene, threads: int) -> Source:
    record, classifier = Bundle.open(folder).record, of_bundle(folder, threads)
    if record.tile:
        raise InputError(
            "a file that takes tiles cannot be explained",
            received=folder,
            remedy="export it without --dense",
        )
    if record.class_names != scene.class_names or len(record.normalizer.offset) != scene.bands:
        raise InputError(
            f"{folder} was made for another scene",
            received=f"{scene.bands} bands and {scene.classes} classes in {scene.name}",
            allowed=f"{len(record.normalizer.offset)} bands and {len(record.class_names)} classes, "
            f"as {record.scene} has them",
        )
    run = run_of(folder)
    step = STEP if record.input.scale is None else INTEGER_STEP
    if record.fused:
        own = _fused_view(classifier.runtime, run, folder, scene, step)
        bands: View | None = own
    else:
        own, bands = _file_views(
            classifier.runtime, record.normalizer, classifier.reducer, scene, record.patch, step
        )
    reduction = record.reduction.text if record.reduction else ""
    return Source(
        record.variant,
        record.model,
        record.variant,
        folder,
        record.sha256,
        record.oa,
        own,
        bands,
        reduction,
        run,
    )


def _file_views(
    runtime: Runtime,
    normalizer: Normalizer,
    reducer: Reducer | None,
    scene: Scene,
    side: int,
    step: float,
) -> tuple[View, View | None]:
    patches = PatchSource.of(front(scene.cube, normalizer, reducer), side)
    own = View(patches, lambda x: predict(runtime, x), step=step)
    if reducer is None:
        return own, own
    if reducer.affine is None:
        return own, None

    def answers(x: Floats) -> Floats:
        reduced = reducer.apply(x.reshape(-1, x.shape[-1]))
        return own.answers(reduced.reshape(*x.shape[:-1], -1))

    whole = PatchSource.of(normalizer.apply(scene.cube), side)
    return own, View(whole, answers, step=step, through=Projected(reducer.affine, own))


def _fused_view(runtime: Runtime, run: Run | None, folder: Path, scene: Scene, step: float) -> View:
    """A file that takes the sensor's units, seen from bands normalized as its run does."""
    if run is None:
        raise DataError(
            f"{folder} takes the sensor's units; how far bands deviate is known to its run alone",
            received="a bundle whose run is not at hand",
            remedy="put the run where the record of the bundle says, or export with --no-fuse",
        )
    normalizer = run.record.normalizer
    scale = np.asarray(normalizer.scale, np.float32)
    offset = np.asarray(normalizer.offset, np.float32)
    patches = PatchSource.of(normalizer.apply(scene.cube), run.record.plan.patch)
    return View(patches, lambda x: predict(runtime, x * scale + offset), step=step)
