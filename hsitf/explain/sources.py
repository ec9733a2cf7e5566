"""What can be explained: trained networks, pruned networks and exported files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from hsitf import records, runtimes
from hsitf.arrays import Float32Array
from hsitf.bands import Reducer
from hsitf.classify.source import classifier_of_bundle, is_bundle, run_of
from hsitf.data import check_same_scene, load_scene, preprocess, reload_scene
from hsitf.errors import DataError, InputError
from hsitf.explain.view import NetworkView, ProjectedView
from hsitf.export.bundle import Bundle
from hsitf.lower.preprocessing import fold_preprocessing
from hsitf.prune.curve import RECORD as CURVE
from hsitf.prune.record import PruningCurve
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.runtimes import Runtime, predict
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.scene import Scene

# Steps of finite differences, in deviations of a band: of files that compute in floats, as small as
# rounding lets them be; of integers, whose inputs and outputs are steps themselves, a whole one.
FLOAT_STEP, INTEGER_STEP = 0.02, 1.0


@dataclass(frozen=True, eq=False)
class ExplainedSource:
    """A network or file to explain.

    Attributes:
        label: Display name, such as "trained" or "ratio 0.4".
        network: Name of the network in the zoo.
        kind: "network", or the variant of the file such as int8.
        folder: Folder of the run or the bundle.
        sha256: SHA-256 of its network or file.
        oa: Overall accuracy on the test pixels.
        native_view: View with the inputs of the network, bands or components.
        band_view: View with the scene's bands as inputs; the same as `native_view` where the
            network uses bands, None where its reduction cannot be mapped back to bands.
        reduction: Band reduction, such as "pca:30"; empty where it uses all bands.
        run: The run of the network; None where it does not exist here.
    """

    label: str
    network: str
    kind: str
    folder: Path
    sha256: str
    oa: float
    native_view: NetworkView
    band_view: NetworkView | None
    reduction: str
    run: Run | None


def expand_folders(folders: list[Path]) -> list[Path]:
    """The folders of runs and bundles; of a curve, the network it began with and its points."""
    found: list[Path] = []
    for folder in folders:
        if (folder / CURVE).is_file():
            curve = records.read(PruningCurve, folder / CURVE)
            # The curve names its runs as they were called; they lie beside it wherever it is.
            names = [curve.origin, *(point.run for point in curve.points)]
            found += [folder.parent / Path(name).name for name in names]
        else:
            found.append(folder)
    return list(dict.fromkeys(found))


def scene_choice_of(folder: Path, choice: SceneChoice) -> SceneChoice:
    """The scene that is named, or that of a run or bundle at its current location."""
    run = run_of(folder)
    if run is not None:
        return run.scene_choice(choice)
    if choice.source:
        return choice
    return replace(choice, source=Bundle.open(folder).record.scene)


def open_source(folder: Path, scene: Scene, threads: int = 2) -> ExplainedSource:
    """Opens a run or a bundle on a scene.

    Raises:
        InputError: It belongs to another scene, or takes tiles.
        DataError: It is damaged.
    """
    return _of_bundle(folder, scene, threads) if is_bundle(folder) else _of_run(folder, scene)


def load_scene_of(folder: Path, choice: SceneChoice) -> Scene:
    """Reads the scene of what is explained first."""
    run = run_of(folder)
    found = scene_choice_of(folder, choice)
    return load_scene(found) if run is None else reload_scene(found, run.record.scene)


def _of_run(folder: Path, scene: Scene) -> ExplainedSource:
    run = Run.open(folder)
    run.check_patches("explained")
    record = run.record
    check_same_scene(scene, record.scene)
    network, reducer, side = run.network(), run.reducer(), record.plan.patch
    own = _network_view(
        network,
        PatchSource.from_cube(
            preprocess(scene.cube, record.normalizer, reducer), side, scene.images
        ),
    )
    bands: NetworkView | None = own
    if reducer is not None:
        bands = None
        if reducer.foldable:
            # From normalized bands: what normalizes them stays outside.
            count = reducer.bands
            whole = fold_preprocessing(network, Normalizer((0.0,) * count, (1.0,) * count), reducer)
            patches = PatchSource.from_cube(record.normalizer.apply(scene.cube), side, scene.images)
            bands = _network_view(whole, patches)
    label = "trained" if record.pruning is None else record.pruning.target
    return ExplainedSource(
        label,
        record.plan.network,
        "network",
        folder,
        record.sha256,
        record.scores.oa,
        own,
        bands,
        reducer.spec if reducer else "",
        run,
    )


def _network_view(network: keras.Model, patches: PatchSource) -> NetworkView:
    runtime = runtimes.Keras(network)
    return NetworkView(patches, lambda x: predict(runtime, x), network)


def _of_bundle(folder: Path, scene: Scene, threads: int) -> ExplainedSource:
    record, classifier = Bundle.open(folder).record, classifier_of_bundle(folder, threads)
    if record.tile:
        raise InputError(
            "a file that takes tiles cannot be explained",
            received=folder,
            remedy="export it without --tile",
        )
    if record.class_names != scene.class_names or len(record.normalizer.offset) != scene.bands:
        raise InputError(
            f"{folder} was made for another scene",
            received=f"{scene.bands} bands and {scene.classes} classes in {scene.name}",
            allowed=f"{len(record.normalizer.offset)} bands and {len(record.class_names)} classes, "
            f"as {record.scene} has them",
        )
    run = run_of(folder)
    step = FLOAT_STEP if record.input.scale is None else INTEGER_STEP
    if record.folded_preprocessing:
        own = _folded_view(classifier.runtime, run, folder, scene, step)
        bands: NetworkView | None = own
    else:
        own, bands = _file_views(
            classifier.runtime, record.normalizer, classifier.reducer, scene, record.patch, step
        )
    reduction = record.band_reduction.spec if record.band_reduction else ""
    return ExplainedSource(
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
) -> tuple[NetworkView, NetworkView | None]:
    patches = PatchSource.from_cube(preprocess(scene.cube, normalizer, reducer), side, scene.images)
    own = NetworkView(patches, lambda x: predict(runtime, x), difference_step=step)
    if reducer is None:
        return own, own
    if reducer.affine is None:
        return own, None

    def answers(x: Float32Array) -> Float32Array:
        reduced = reducer.apply(x.reshape(-1, x.shape[-1]))
        return own.logits(reduced.reshape(*x.shape[:-1], -1))

    whole = PatchSource.from_cube(normalizer.apply(scene.cube), side, scene.images)
    return own, NetworkView(
        whole, answers, difference_step=step, projection=ProjectedView(reducer.affine, own)
    )


def _folded_view(
    runtime: Runtime, run: Run | None, folder: Path, scene: Scene, step: float
) -> NetworkView:
    """A view of a file that takes sensor units, with bands normalized as in its run."""
    if run is None:
        raise DataError(
            f"{folder} takes the sensor's units; only its run knows the deviation of the bands",
            received="a bundle whose run does not exist here",
            remedy="put the run at the path in the bundle's record, or export with "
            "--no-fold-preprocessing",
        )
    normalizer = run.record.normalizer
    scale = np.asarray(normalizer.scale, np.float32)
    offset = np.asarray(normalizer.offset, np.float32)
    patches = PatchSource.from_cube(
        normalizer.apply(scene.cube), run.record.plan.patch, scene.images
    )
    return NetworkView(
        patches, lambda x: predict(runtime, x * scale + offset), difference_step=step
    )
