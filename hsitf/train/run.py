"""One training run: from a plan to a folder with network, record and card."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsitf import bands, records, runs, scenes, zoo
from hsitf.data import (
    SceneData,
    as_trained,
    check_same_scene,
    load_scene,
    prepare,
    read_train_map,
    save_split,
)
from hsitf.errors import DataError, InputError
from hsitf.files import replacing, sha256
from hsitf.locks import current_writer, one_writer
from hsitf.measure import peak_memory, reset_peak_memory
from hsitf.progress import Progress
from hsitf.records import (
    AdoptionRecord,
    BandsRecord,
    PruningRecord,
    RunRecord,
    RunStart,
    SceneChoice,
    SceneRecord,
    SplitRecord,
    TrainingPlan,
)
from hsitf.runs import Run
from hsitf.scenes.scene import Scene
from hsitf.tile_networks import is_tile_network
from hsitf.train import devices
from hsitf.train.band_centers import band_centers
from hsitf.train.model_card import model_card
from hsitf.train.pixel_normalization import check_pixel_normalization
from hsitf.train.teachers import check_teachers
from hsitf.zoo import Network, Recipe

if TYPE_CHECKING:
    from hsitf.train.loop import FitResult

# Bytes that every file system takes in a name.
MAX_NAME_LENGTH = 255


def scheduled_recipe(facts: Network, schedule: str) -> Recipe:
    """The paper's recipe for the "full" schedule, with fewer epochs for the "short" one.

    Raises:
        InputError: There is no such schedule.
    """
    if schedule not in ("full", "short"):
        raise InputError(
            "unknown schedule", received=schedule, allowed="full, short", remedy="name one of these"
        )
    return replace(facts.recipe, epochs=facts.short_epochs) if schedule == "short" else facts.recipe


def default_run_name(plan: TrainingPlan) -> str:
    """Default name of a run: the options that distinguish runs of a network most often."""
    reduced = re.sub(r"[^a-z0-9.-]+", "-", plan.bands.lower())
    named = "" if plan.recipe_name == "paper" else plan.recipe_name
    return "-".join(
        filter(
            None,
            [
                plan.split.kind,
                plan.schedule,
                named,
                reduced,
                plan.pixel_normalization,
                f"pseudo{plan.pseudo_labels:g}" if plan.pseudo_labels else "",
                f"teachers{len(plan.teachers)}" if plan.teachers else "",
                f"labelled{plan.split.labelled}" if plan.split.labelled else "",
                f"split{plan.split.seed}" if plan.split.seed != plan.seed else "",
                f"seed{plan.seed}",
            ],
        )
    )


def train(
    plan: TrainingPlan, name: str | None, progress: Progress, root: Path = runs.MODELS
) -> Run:
    """Trains a network, or resumes or returns the run that the same plan began or finished.

    Args:
        plan: The training plan.
        name: Name of the run's folder; `default_run_name` where None.
        progress: Receives progress messages.
        root: Folder of all trained networks.

    Returns:
        The finished run in `<root>/<scene>/<network>/<name>`.

    Raises:
        InputError: A run of another plan has that name; or the plan is not possible.
        DataError: The scene cannot be read or split.
        OutputError: The folder cannot be written.
    """
    if name is not None:
        check_name(name)
    reset_peak_memory()
    scene = load_scene(plan.scene)
    for note in scene.notes:
        progress.say(note)
    folder = runs.run_folder(scene.name, plan.network, name or default_run_name(plan), root)
    if done := _finished(folder, plan, scene, progress):
        return done
    # Whatever can be refused is refused before the first file is written.
    if not plan.bands:
        left = plan.network_bands(scene.bands)
        zoo.check(plan.network, bands=left, classes=scene.classes, patch=plan.patch)
    train_map = read_train_map(plan.scene.train_map)
    data = prepare(scene, plan.split, train_map, plan.bands, keep_all=plan.scene.keep_all)
    for note in data.scene.notes[len(scene.notes) :]:
        progress.say(note)
    scene = data.scene
    left = plan.network_bands(data.bands)
    zoo.check(plan.network, bands=left, classes=scene.classes, patch=plan.patch)
    check_teachers(plan, data)
    if plan.network in zoo.BASELINES:
        from hsitf.train import baseline

        with one_writer(progress.say, folder):
            if done := _finished(folder, plan, scene, progress):
                return done
            return save_run(baseline.fit(plan, data, progress), plan, data, folder)
    from hsitf.train.compilation import check_decoder, decoder_weight
    from hsitf.train.loop import fit
    from hsitf.train.schedule import optimizer

    if decoder_weight(plan.network) is not None:
        check_decoder(plan)
    if (facts := zoo.network(plan.network)).tile:
        from hsitf.train.tile_window import check_window

        tiled = zoo.build(plan.network, bands=left, classes=scene.classes, patch=plan.patch)
        check_window(tiled, plan.patch, facts.tile_stride)
    band_centers(plan, data)
    if plan.pixel_normalization:
        check_pixel_normalization(plan.pixel_normalization, data)
    devices.forget_peak()
    optimizer(plan.recipe)
    with one_writer(progress.say, folder):
        # Another command may have trained it while this one waited.
        if done := _finished(folder, plan, scene, progress):
            return done
        _begin(folder, plan, data, progress)
        return save_run(fit(plan, data, folder / runs.CHECKPOINT, progress), plan, data, folder)


def _finished(folder: Path, plan: TrainingPlan, scene: Scene, progress: Progress) -> Run | None:
    """The run that the same plan finished in a folder; None where there is none.

    Raises:
        InputError: A run of another plan has the folder.
        DataError: The scene is not the one of its record.
    """
    if not (folder / runs.RECORD).is_file():
        return None
    run = Run.open(folder)
    _check_same_plan(run.record.plan, plan, folder, run.record.scene, scene)
    as_trained(scene, run.record.scene)
    _remove_start(folder)
    progress.say(f"{folder} is trained already")
    return run


def _begin(folder: Path, plan: TrainingPlan, data: SceneData, progress: Progress) -> None:
    """Begins a run, or checks the one that was begun in the folder before it is resumed.

    Raises:
        InputError: A run of another plan was begun there.
        DataError: What it would be resumed from is damaged, or its scene or split has changed.
    """
    now = RunStart(records.SCHEMA, plan, data.scene_record(), data.split_record())
    if (folder / runs.PLAN).is_file():
        then = records.read(RunStart, folder / runs.PLAN)
        _check_same_plan(then.plan, plan, folder, then.scene, data.scene)
        if (folder / runs.CHECKPOINT).is_file():
            # Files may have changed: a network must not be evaluated on its training pixels.
            check_same_scene(data.scene, then.scene)
            _check_same_split(then, now, folder)
            from hsitf.train.checkpoint import read_checkpoint

            # Nothing is written where it is damaged.
            read_checkpoint(folder / runs.CHECKPOINT)
            progress.say(f"resuming {folder}")
            # Its plan stays as it is: the state may not fit the network.
            return
    records.write(now, folder / runs.PLAN)


def _remove_start(folder: Path) -> None:
    """Removes what only a run that is not finished needs, the lock of a killed command too."""
    current_writer(folder)
    for leftover in (runs.PLAN, runs.CHECKPOINT):
        with suppress(OSError):
            (folder / leftover).unlink()


def save_run(
    fitted: FitResult,
    plan: TrainingPlan,
    data: SceneData,
    folder: Path,
    pruning: PruningRecord | None = None,
    origin: RunRecord | None = None,
    adopted: AdoptionRecord | None = None,
) -> Run:
    """Writes a finished run: network, pixels, model card and, last, the record that completes it.

    Args:
        fitted: The result of training.
        plan: The training plan.
        data: The scene that it was trained on.
        folder: Folder of the run.
        pruning: How the network was pruned before; None where it was not.
        origin: Record of the run that it was made of, whose citation it keeps; None for a new
            network, which the zoo knows.
        adopted: Where the network comes from, if it was trained elsewhere.

    Raises:
        OutputError: The folder cannot be written.
    """
    if adopted is None and origin is not None and origin.adopted is not None:
        # Ranges were learned of the network as it was before.
        adopted = replace(origin.adopted, activation_ranges={})
    with replacing(folder / runs.NETWORK) as temporary:
        # Keras insists on the suffix.
        saved = temporary.with_suffix(".keras")
        try:
            fitted.network.save(saved)
            saved.replace(temporary)
        finally:
            saved.unlink(missing_ok=True)
    if data.reducer is not None:
        with replacing(folder / runs.BANDS) as temporary, temporary.open("wb") as stream:
            bands.save(data.reducer, stream)
    with replacing(folder / runs.SPLIT) as temporary, temporary.open("wb") as stream:
        save_split(data.split, stream)
    with replacing(folder / runs.PREDICTIONS) as temporary, temporary.open("wb") as stream:
        runs.save_predictions(fitted.predicted, stream)
    from keras.config import backend

    from hsitf.train.evaluation import score_predictions

    facts = zoo.facts(plan.network)
    with_decoder = facts is not None and facts.reconstruction_weight is not None
    # A teacher takes the decoder's place.
    taught = pruning is not None and pruning.distillation is not None
    record = RunRecord(
        schema=records.SCHEMA,
        plan=plan,
        paper=origin.paper if origin else facts.paper if facts else "",
        parameters=fitted.network.count_params(),
        scene=data.scene_record(),
        split=_split_record(data, adopted),
        normalizer=data.normalizer,
        history=fitted.history,
        best_epoch=fitted.best_epoch,
        scores=score_predictions(fitted.predicted, data, data.split.test, fitted.top5),
        seconds=fitted.seconds,
        peak_memory=peak_memory(),
        predict_us=fitted.predict_us,
        gpu_memory=devices.gpu_memory(),
        backend=backend(),
        sha256=sha256(folder / runs.NETWORK),
        versions=records.versions(),
        command=records.command(),
        pruning=pruning,
        bands=None if data.reducer is None else BandsRecord.of(data.reducer, folder / runs.BANDS),
        unlabelled=len(data.unlabelled) if with_decoder and fitted.history and not taught else 0,
        adopted=adopted,
        tile=int(fitted.network.inputs[0].shape[1]) if is_tile_network(fitted.network) else 0,
        tile_stride=origin.tile_stride if origin else facts.tile_stride if facts else 1,
    )
    with replacing(folder / runs.MODEL_CARD) as temporary:
        temporary.write_text(model_card(record), encoding="utf-8")
    records.write(record, folder / runs.RECORD)
    _remove_start(folder)
    return Run(folder, record)


def _split_record(data: SceneData, adopted: AdoptionRecord | None) -> SplitRecord:
    """What is known of the split; of a network trained elsewhere only where its pixels are."""
    record = data.split_record()
    if adopted is None or record.kind == "fixed":
        return record
    return replace(record, leakage_pixel=None, leakage_patch=None)


def open_run(network: str, origin: Path) -> Run:
    """The run in a folder, which has to be of the network that is named beside it.

    Args:
        network: Name of the network; the zoo need not know it.
        origin: Folder of the run.

    Raises:
        InputError: There is no such run, or it is of another network.
        DataError: Its record is damaged.
    """
    run = Run.open(origin)
    if run.record.plan.network != network:
        raise InputError(
            f"{origin} holds another network",
            received=f"--model {network}",
            allowed=run.record.plan.network,
            remedy="name the run of that network or leave --from out",
        )
    return run


def latest_run(network: str, scene: SceneChoice, progress: Progress) -> Run:
    """The latest run of a network, pruned ones left aside: for one that cannot be trained here.

    Args:
        network: Name of the network.
        scene: The scene that it has to be of; any where its source is empty.
        progress: Receives a message about the run that was found.

    Raises:
        InputError: There is none on this scene.
    """
    found = [run for run in runs.finished_runs(network, progress) if run.record.pruning is None]
    fitting = [run for run in found if run.is_of_source(scene)]
    if not fitting:
        raise InputError(
            f"there is no run of {network} on this scene",
            received=f"--scene {scene.source}",
            allowed=", ".join(run.record.plan.scene.source for run in found),
            remedy="adopt it for this scene with hsitf adopt, or name a run with --from",
        )
    progress.say(f"using {fitting[-1].folder}")
    return fitting[-1]


def find_or_train(
    plan: TrainingPlan, progress: Progress, *, any_recipe: bool = True, may_train: bool = True
) -> Run:
    """A trained network for the plan: the latest run that fits, else a new one.

    A finished run matches if its network, scene and split are the plan's, whatever its schedule
    and wherever the files of its scene lie. What the plan does not say of the scene, such as labels
    or classes to leave out, is as the run has it.

    Args:
        plan: The plan to match; it is trained where no run matches.
        progress: Receives a message about the run that was found, with its recipe.
        any_recipe: Whether a run of another recipe than the plan's matches, too.
        may_train: Whether one is trained where no run matches.

    Raises:
        InputError: As `train`; or no run matches, and none may be trained.
    """
    fitting = [run for run in runs.finished_runs(plan.network, progress) if _matches(run, plan)]
    if not any_recipe:
        fitting = [run for run in fitting if run.record.plan.recipe_name == plan.recipe_name]
    # A run that was trained with exactly what is said comes before one that says more.
    fitting.sort(
        key=lambda run: (_drops(run) == plan.scene.drop, run.record.plan.seed == plan.seed)
    )
    if fitting:
        run = fitting[-1]
        dropped = _drops(run) if _drops(run) != plan.scene.drop else ()
        progress.say(
            f"using {run.folder}, recipe {run.record.plan.recipe_name}"
            + (f", trained without {', '.join(dropped)}" if dropped else "")
        )
        return run
    if not may_train:
        raise InputError(
            f"there is no trained {plan.network} for this scene and split",
            received=f"--scene {plan.scene.source}, {plan.split.kind} split",
            remedy="train it with hsitf train, or name a run with --from",
        )
    scenes.check_found(plan.scene.source)
    progress.say(
        f"no trained {plan.network} for this scene and split"
        f"{'' if any_recipe else f' with the {plan.recipe_name} recipe'}: training one with the "
        f"{plan.recipe_name} recipe and the {plan.schedule} schedule, {plan.recipe.epochs} epochs"
    )
    return train(plan, None, progress)


def _drops(run: Run) -> tuple[str, ...]:
    return run.record.plan.scene.drop


def check_name(name: str) -> None:
    """Refuses a run's name that would lead out of its network's folder, or hide in it.

    Raises:
        InputError: It would.
    """
    plain = name and name == Path(name).name and not name.startswith(".")
    if not plain or len(os.fsencode(name)) > MAX_NAME_LENGTH:
        raise InputError(
            "a run cannot have this name",
            received=repr(name),
            allowed=f"a folder's name of at most {MAX_NAME_LENGTH} bytes, no path, no dot in front",
            remedy="give another --run",
        )


def _matches(run: Run, now: TrainingPlan) -> bool:
    then = run.record.plan
    split = now.split
    if run.record.scene.images and {split.kind, then.split.kind} == {"disjoint", "images"}:
        # Of several images, a disjoint split is the one by image.
        split = replace(split, kind=then.split.kind)
    # A pruned network is taken only where it is asked for.
    same = then.split == split and then.bands == now.bands and run.record.pruning is None
    return same and then.network_sha256 == now.network_sha256 and run.is_of(now.scene)


def _comparable_choice(scene: SceneChoice) -> SceneChoice:
    """A choice of a scene with its paths in one spelling and its folder left out."""
    source, labels, chosen = (
        path and os.path.normpath(path) for path in (scene.source, scene.labels, scene.train_map)
    )
    return replace(scene, source=source or "", labels=labels, train_map=chosen, data_dir=None)


def _comparable_plan(plan: TrainingPlan) -> TrainingPlan:
    """A plan with paths in one spelling; teachers are known by their networks alone."""
    teachers = tuple(replace(one, folder="") for one in plan.teachers)
    return replace(plan, scene=_comparable_choice(plan.scene), teachers=teachers)


def _check_same_split(then: RunStart, now: RunStart, folder: Path) -> None:
    if then.split.sha256 != now.split.sha256:
        raise DataError(
            f"{folder} was begun with another split",
            received="other pixels in its sets",
            remedy="give the original label and training maps, or remove that folder",
        )


def _flatten(plan: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested mappings by names such as `recipe.epochs`."""
    found: dict[str, Any] = {}
    for key, value in plan.items():
        if isinstance(value, dict):
            found |= _flatten(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _as_text(value: object) -> str:
    """A value of a flattened plan; teachers as the beginnings of their networks' SHA-256."""
    if isinstance(value, tuple) and value and all(isinstance(one, dict) for one in value):
        return " and ".join(f"SHA-256 {one['sha256'][:12]}" for one in value)
    if value == () or value is None:
        return "none"
    return str(value)


def _check_same_plan(
    then: TrainingPlan, now: TrainingPlan, folder: Path, known: SceneRecord, scene: Scene
) -> None:
    # Where the files lie does not change what is learned from them.
    if sorted(known.sha256.values()) == sorted(scene.sources.values()):
        same = {name: getattr(then.scene, name) for name in ("source", "labels")}
        now = replace(now, scene=replace(now.scene, **same))
    old, new = (_flatten(asdict(_comparable_plan(p))) for p in (then, now))
    differing = [key for key in new if old[key] != new[key]]
    if "network_sha256" in differing:
        raise InputError(
            f"{folder} was trained with another version of the file that defines {now.network}",
            received=f"SHA-256 {now.network_sha256[:12]}",
            allowed=f"SHA-256 {then.network_sha256[:12]}",
            remedy="train this version under another name with hsitf train --run, name the trained "
            "one with --from, or remove that folder",
        )
    if differing:
        raise InputError(
            f"{folder} belongs to another run, which differs in {' and '.join(differing)}",
            received=", ".join(f"{key} {_as_text(new[key])}" for key in differing),
            allowed=", ".join(f"{key} {_as_text(old[key])}" for key in differing),
            remedy="give this run another name with --run, or remove that folder",
        )
