"""From a network trained elsewhere to an ordinary run."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import keras

from hsitf import runs, zoo
from hsitf.adopt.diagnosis import Diagnosis, Reading, diagnose
from hsitf.adopt.inputs import other_layouts
from hsitf.adopt.network import RebuiltNetwork, compare, network_name, read_network, rebuild
from hsitf.adopt.preprocessing import Preprocessing
from hsitf.adopt.preprocessing.options import prepare_preprocessing
from hsitf.adopt.ranges import renamed_ranges
from hsitf.adopt.remarks import at_chance, doubts, remarks_on
from hsitf.adopt.request import AdoptionRequest
from hsitf.arrays import Float32Array
from hsitf.data import (
    SceneData,
    check_whole_pictures,
    load_scene,
    read_train_map,
    restore,
)
from hsitf.errors import InputError
from hsitf.files import sha256
from hsitf.locks import current_writer, one_writer
from hsitf.measure import reset_peak_memory
from hsitf.progress import Progress
from hsitf.records import AdoptionRecord, TrainingPlan
from hsitf.runs import Run
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import Split, SplitOptions, split
from hsitf.train.evaluation import predict, predict_ranked
from hsitf.train.gather import gather_model
from hsitf.train.loop import FitResult
from hsitf.train.run import check_name, default_run_name, save_run
from hsitf.zoo import DEFAULT_RECIPE, Recipe

SCHEDULE = "adopted"
# Epochs of fine-tuning after pruning, where the network's own recipe is not known.
FINE_TUNING_EPOCHS = 20
# Patches that the rebuilt network is compared with the original on.
COMPARED = 64


def adopt(request: AdoptionRequest, progress: Progress, root: Path = runs.MODELS) -> Run:
    """Makes an ordinary run of a network trained elsewhere.

    Args:
        request: The network, its scene, and what its author knows of its preprocessing, inputs
            and outputs.
        progress: Receives progress messages.
        root: Folder of all trained networks.

    Returns:
        The run in `<root>/<scene>/<name>/<run>`, which every verb takes.

    Raises:
        InputError: The network does not fit the scene, or holds layers that are not known.
        DataError: A file is damaged.
        VerificationError: The network is no better than chance on the scene, or differs from the
            original after it was rebuilt.
        OutputError: The folder cannot be written.
    """
    reset_peak_memory()
    if request.run is not None:
        check_name(request.run)
    scene = load_scene(request.scene)
    for note in scene.notes:
        progress.say(note)
    source = read_network(request, scene)
    name = network_name(request, source)
    network = rebuild(source, request, scene, name)
    options = replace(request.split, patch=network.patch)
    parts = _split(scene, options, request)
    preprocessing = prepare_preprocessing(request.preprocessing, scene, parts)
    plan = TrainingPlan(
        network=name,
        scene=request.scene,
        split=options,
        recipe=_recipe(source.network),
        schedule=SCHEDULE,
        seed=options.seed,
        bands="" if preprocessing.reducer is None else preprocessing.reducer.spec,
    )
    folder = runs.run_folder(scene.name, name, request.run or default_run_name(plan), root)
    _check_free(folder, request)
    error = compare(network, _some_patches(network, preprocessing, scene, parts))
    found = _diagnose(network, request, scene, parts, progress)
    file = request.source if isinstance(request.source, Path) else None
    adopted = AdoptionRecord(
        source=file.name if file else "a model in memory",
        source_sha256=sha256(file) if file else "",
        framework=source.framework,
        inputs=tuple(map(str, network.layouts)),
        preprocessing=preprocessing.description,
        class_order=network.order,
        remarks=(*source.remarks, *remarks_on(network, scene), *doubts(found)),
        output_error=error,
        activation_ranges=renamed_ranges(source, network.model),
    )
    data = restore(scene, parts, preprocessing.normalizer, network.patch, preprocessing.reducer)
    evaluated = _evaluated(network.with_classes(), data)
    with one_writer(progress.say, folder):
        # Another command may have taken the place meanwhile.
        _check_free(folder, request)
        return save_run(evaluated, plan, data, folder, adopted=adopted)


def _recipe(network: str) -> Recipe:
    """The recipe that a pruned version is fine-tuned by."""
    facts = zoo.facts(network) if network else None
    if facts is None:
        return replace(DEFAULT_RECIPE, epochs=FINE_TUNING_EPOCHS)
    return replace(facts.recipe, epochs=facts.short_epochs)


def _split(scene: Scene, options: SplitOptions, request: AdoptionRequest) -> Split:
    PatchSource.check_size(scene.cube.shape, options.patch, scene.images)
    check_whole_pictures(scene.picture_side, options.patch)
    train_map = read_train_map(request.scene.train_map)
    if options.kind == "fixed" and train_map is None:
        train_map = scene.training
    return split(
        scene.labels,
        options,
        class_names=scene.class_names,
        train_map=train_map,
        images=scene.images,
        of_pictures=bool(scene.picture_side),
    )


def _check_free(folder: Path, request: AdoptionRequest) -> None:
    if not (folder / runs.RECORD).is_file():
        return
    current_writer(folder)
    raise InputError(
        f"{folder} holds a network already",
        received=f"--run {request.run}" if request.run else None,
        remedy="give this one another name with --run, or remove that folder",
    )


def _some_patches(
    network: RebuiltNetwork, preprocessing: Preprocessing, scene: Scene, parts: Split
) -> Float32Array:
    """Training patches to compare outputs on."""
    pixels = parts.train[:: max(1, len(parts.train) // COMPARED)][:COMPARED]
    source = PatchSource.from_cube(scene.cube, network.patch, scene.images)
    return preprocessing.apply(source.extract(pixels))


def _diagnose(
    network: RebuiltNetwork,
    request: AdoptionRequest,
    scene: Scene,
    parts: Split,
    progress: Progress,
) -> Diagnosis:
    """Checks on validation pixels what was said of the network.

    Raises:
        VerificationError: It is no better than chance.
    """
    given = Reading(request.preprocessing, network.model, "", ())
    others = []
    for layouts in other_layouts(network.layouts):
        axes = " ".join(f"--input-axes {','.join(one.axes)}" for one in layouts)
        others.append((network.with_layouts(layouts), "; ".join(map(str, layouts)), axes))
    found = diagnose(given, others, network.order, scene, parts, progress)
    if found.at_chance and not request.accept_chance:
        raise at_chance(found)
    return found


def _evaluated(network: keras.Model, data: SceneData) -> FitResult:
    """The network's classes of the test pixels, as a training run that had nothing to do."""
    model = gather_model(network, data.patches)
    predict(model, data.split.test[:1])
    begin = time.monotonic()
    predicted, top5 = predict_ranked(model, data, data.split.test)
    micros = 1e6 * (time.monotonic() - begin) / len(data.split.test)
    return FitResult(network, (), 0, predicted, 0.0, micros, top5)
