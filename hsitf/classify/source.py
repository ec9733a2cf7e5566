"""What classifies: a trained run, or an exported bundle with what has to be done before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsitf import bands, runs, runtimes
from hsitf.bands import Reducer
from hsitf.data import front
from hsitf.errors import DataError, InputError
from hsitf.export import bundle
from hsitf.export.bundle import Bundle
from hsitf.export.variants import variant
from hsitf.files import sha256
from hsitf.records import RunRecord
from hsitf.runs import Run
from hsitf.runtimes import Runtime
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.scene import Scene


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network ready to classify.

    Attributes:
        name: Of the network, with the kind of its file.
        runtime: Takes patches.
        normalizer: Of the bands.
        reducer: Of normalized bands; None where all are taken.
        patch: Side in pixels.
        class_names: One name an output.
        scene: Name of the scene it was trained on.
        sha256: Of the network's file.
    """

    name: str
    runtime: Runtime
    normalizer: Normalizer
    reducer: Reducer | None
    patch: int
    class_names: tuple[str, ...]
    scene: str
    sha256: str

    def patches(self, scene: Scene) -> PatchSource:
        """The patches of a scene as the network takes them.

        Raises:
            InputError: The scene has another number of bands, or is smaller than a patch.
        """
        expected = len(self.normalizer.offset)
        if scene.bands != expected:
            raise InputError(
                f"{self.name} was trained on other bands",
                received=f"{scene.bands} bands in {scene.name}",
                allowed=f"{expected}, as {self.scene} has them",
                remedy="give a cube of the same sensor, or train a network on this one",
            )
        PatchSource.check(scene.cube.shape, self.patch)
        return PatchSource.of(front(scene.cube, self.normalizer, self.reducer), self.patch)


def of_run(run: Run) -> Classifier:
    """The classifier of a trained network, through Keras."""
    record: RunRecord = run.record
    return Classifier(
        record.plan.network, runtimes.Keras(run.network()), record.normalizer, run.reducer(),
        record.plan.patch, record.scene.class_names, record.scene.name, record.sha256,
    )  # fmt: skip


def of_bundle(folder: Path, threads: int) -> Classifier:
    """The classifier of an exported bundle, through the engine of its file.

    Raises:
        DataError: The bundle is damaged, or its file is none that runs here.
    """
    found = Bundle.open(folder)
    record = found.record
    reducer = None
    if record.reduction is not None:
        path = folder / runs.BANDS
        if not path.is_file() or sha256(path) != record.reduction.sha256:
            raise DataError(
                f"{path} is not the reduction of bands that its record describes",
                received="another SHA-256" if path.is_file() else "no such file",
                remedy="export it again",
            )
        reducer = bands.read(path)
    runtime = variant(record.variant).runtime(found.file, threads)
    return Classifier(
        f"{record.model}, {record.variant}", runtime, record.normalizer, reducer, record.patch,
        record.class_names, record.scene, record.sha256,
    )  # fmt: skip


def is_bundle(folder: Path) -> bool:
    """Whether a folder is an exported bundle rather than a run."""
    return (folder / bundle.RECORD).is_file() and not (folder / runs.NETWORK).is_file()


def probabilities(logits: runtimes.Floats) -> runtimes.Floats:
    """Softmax of logits (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
