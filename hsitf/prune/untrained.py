"""Networks that are thinned before they are trained: pruning from scratch.

An untrained run has the plan, the scene and the split of a training run and the network's initial
weights; there is nothing of it on disk. Pruned, it becomes an ordinary run, and the fine-tuning of
that run is the whole training.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from hsitf import records, runs, zoo
from hsitf.data import SceneData, load_scene, prepare, read_train_map
from hsitf.errors import InputError
from hsitf.progress import Progress
from hsitf.prune.steps import scores_on
from hsitf.records import RunRecord, SceneChoice, TrainingPlan
from hsitf.runs import Run
from hsitf.seeding import seeded
from hsitf.train.compilation import build_network, check_decoder, decoder_weight
from hsitf.train.run import default_run_name


@dataclass(frozen=True)
class UntrainedRun(Run):
    """A run before its training: its folder does not exist.

    Attributes:
        prepared: The scene with its split.
    """

    prepared: SceneData = field(compare=False)

    def network(self) -> keras.Model:
        """Builds the network with its initial weights, the same each time."""
        return _initial_network(self.record.plan, self.prepared)

    def data(self, choice: SceneChoice | None = None) -> SceneData:
        """The scene; it is in memory, wherever its files are."""
        return self.prepared


def untrained(plan: TrainingPlan, progress: Progress, root: Path = runs.MODELS) -> UntrainedRun:
    """The run that a plan would train, before its training.

    Args:
        plan: The training plan.
        progress: Receives the scene's notes.
        root: Folder of all trained networks.

    Raises:
        InputError: The plan is not possible, or learns from teachers or unlabelled pixels.
        DataError: The scene cannot be read or split.
    """
    _check_plan(plan)
    scene = load_scene(plan.scene)
    data = prepare(
        scene,
        plan.split,
        read_train_map(plan.scene.train_map),
        plan.bands,
        keep_all=plan.scene.keep_all,
    )
    for note in data.scene.notes:
        progress.say(note)
    zoo.check(
        plan.network,
        bands=plan.network_bands(data.bands),
        classes=data.scene.classes,
        patch=plan.patch,
    )
    name = f"{default_run_name(plan)}-untrained"
    return _untrained(plan, data, runs.run_folder(scene.name, plan.network, name, root))


def untrained_like(run: Run, choice: SceneChoice | None = None) -> UntrainedRun:
    """A trained run before its training: with its plan, its scene, its split and its seed.

    Args:
        run: The trained run.
        choice: Where its scene is now, if not at the path of the record.

    Raises:
        InputError: It was trained elsewhere, or learned from teachers or unlabelled pixels.
        DataError: The scene is not the one of the run's record.
    """
    if run.record.adopted is not None or zoo.facts(run.record.plan.network) is None:
        raise InputError(
            "how this network was initialized is not known",
            received=f"{run.folder}, which was trained elsewhere",
            remedy="leave --untrained out, or name a network of the zoo or a file of your own",
        )
    _check_plan(run.record.plan)
    return _untrained(
        run.record.plan,
        run.data(choice),
        run.folder.parent / f"{run.folder.name}-untrained",
    )


def _check_plan(plan: TrainingPlan) -> None:
    if plan.teachers or plan.pseudo_labels:
        raise InputError(
            "a network that is thinned before it is trained learns from labels alone",
            received="a plan with teachers or pseudo-labels",
            remedy="name a run that was trained without them, or leave --untrained out",
        )
    if plan.precision != "float32":
        raise InputError(
            "a network that is thinned before it is trained is trained in float32",
            received=plan.precision,
            remedy="name a run that was trained in float32, or leave --untrained out",
        )
    if decoder_weight(plan.network) is not None:
        check_decoder(plan)


def _initial_network(plan: TrainingPlan, data: SceneData) -> keras.Model:
    with seeded(plan.seed):
        return build_network(plan, data)


def _untrained(plan: TrainingPlan, data: SceneData, folder: Path) -> UntrainedRun:
    network, facts = _initial_network(plan, data), zoo.network(plan.network)
    digest = hashlib.sha256()
    for weight in network.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    record = RunRecord(
        schema=records.SCHEMA,
        plan=plan,
        paper=facts.paper,
        parameters=network.count_params(),
        scene=data.scene_record(),
        split=data.split_record(),
        normalizer=data.normalizer,
        history=(),
        best_epoch=0,
        scores=scores_on(network, data, data.split.test),
        seconds=0.0,
        peak_memory=0,
        sha256=digest.hexdigest(),
        versions=records.versions(),
        command=records.command(),
    )
    return UntrainedRun(folder, record, data)
