"""What classifies: a trained run, or an exported bundle with what has to be done before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf import bands, runs, runtimes
from hsitf.arrays import Float32Array
from hsitf.bands import Reducer
from hsitf.data import label_options, raster_options
from hsitf.errors import DataError, InputError
from hsitf.export import bundle
from hsitf.export.bundle import Bundle
from hsitf.export.variants import variant
from hsitf.files import sha256
from hsitf.records import RunRecord, SceneChoice
from hsitf.runs import Run
from hsitf.runtimes import Runtime
from hsitf.scenes import RasterSource, open_raster
from hsitf.scenes.metadata import Color
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.patches import PatchSource


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network ready to classify.

    Attributes:
        name: Name of the network, with the variant of its file.
        runtime: Runtime that takes patches or tiles.
        normalizer: Normalization of the bands.
        reducer: Reduction of normalized bands; None where all bands are used.
        patch: Side of the patch in pixels.
        class_names: One name per output.
        scene: Name of the scene it was trained on.
        sha256: SHA-256 of the network's file.
        wavelengths: Band centers in nanometers; empty where unknown.
        band_numbers: Indices of its bands in the files of the scene that it was trained on; empty
            where they are all of these.
        class_colors: One color per class, as the labels have them; empty where they have none.
    """

    name: str
    runtime: Runtime
    normalizer: Normalizer
    reducer: Reducer | None
    patch: int
    class_names: tuple[str, ...]
    scene: str
    sha256: str
    wavelengths: tuple[float, ...] = ()
    band_numbers: tuple[int, ...] = ()
    class_colors: tuple[Color, ...] = ()

    def check(self, source: RasterSource) -> None:
        """Refuses a scene that the network does not know.

        Raises:
            InputError: The scene has other bands, or is smaller than a patch.
        """
        expected = len(self.normalizer.offset)
        if source.shape[2] != expected:
            raise InputError(
                f"{self.name} was trained on other bands",
                received=f"{source.shape[2]} bands in {source.name}",
                allowed=f"{expected}, as {self.scene} has them",
                remedy="give a cube of the same sensor, or train a network on this one",
            )
        if self.wavelengths and source.wavelengths is not None:
            self._check_wavelengths(source.name, source.wavelengths)
        PatchSource.check_size(source.shape, self.patch)

    def _check_wavelengths(self, name: str, received: NDArray[np.float64]) -> None:
        known = np.asarray(self.wavelengths)
        # A band that is off by more than half the distance to its neighbors is another band.
        apart = float(np.abs(np.diff(known)).min()) if len(known) > 1 else np.inf
        (other,) = np.nonzero(np.abs(received - known) > apart / 2)
        if len(other):
            first = int(other[0])
            raise InputError(
                f"{self.name} was trained on other wavelengths",
                received=f"{len(other)} of {len(known)} bands, the first of them band {first} of "
                f"{name} at {received[first]:g} nm",
                allowed=f"{known[first]:g} nm there, as {self.scene} has it",
                remedy="give a cube of the same sensor, or train a network on this one",
            )


def classifier_of_run(run: Run) -> Classifier:
    """The classifier of a trained network, through Keras."""
    record: RunRecord = run.record
    return Classifier(
        record.plan.network,
        runtimes.Keras(run.network()),
        record.normalizer,
        run.reducer(),
        record.plan.patch,
        record.scene.class_names,
        record.scene.name,
        record.sha256,
        record.scene.wavelengths,
        record.scene.band_numbers,
        record.scene.class_colors,
    )


def classifier_of_bundle(folder: Path, threads: int) -> Classifier:
    """The classifier of an exported bundle, through the engine of its file.

    Raises:
        DataError: The bundle is damaged, or no runtime here can run its file.
    """
    found = Bundle.open(folder)
    record = found.record
    reducer = None
    if record.band_reduction is not None:
        path = folder / runs.BANDS
        if not path.is_file() or sha256(path) != record.band_reduction.sha256:
            raise DataError(
                f"{path} is not the reduction of bands that its record describes",
                received="another SHA-256" if path.is_file() else "no such file",
                remedy="export it again",
            )
        reducer = bands.read(path)
    runtime = variant(record.variant).runtime(found.file, threads)
    return Classifier(
        f"{record.model}, {record.variant}",
        runtime,
        record.normalizer,
        reducer,
        record.patch,
        record.class_names,
        record.scene,
        record.sha256,
        record.wavelengths,
        record.band_numbers,
        record.class_colors,
    )


def open_classifier(folder: Path, threads: int) -> tuple[Classifier, Run | None]:
    """The classifier of a run or a bundle, and the run where it is one.

    Raises:
        DataError: It is neither, or it is damaged.
    """
    if is_bundle(folder):
        return classifier_of_bundle(folder, threads), None
    run = Run.open(folder)
    return classifier_of_run(run), run


def raster_for(choice: SceneChoice, band_numbers: Sequence[int] = ()) -> RasterSource:
    """The scene that a user names, ready to be classified.

    Args:
        choice: The scene.
        band_numbers: Indices of the bands that the network was trained on, in the files of its own
            scene; empty where they were all.
    """
    site = open_raster(
        choice.source,
        choice.data_dir,
        labels=choice.labels,
        variable=choice.variable,
        label_options=label_options(choice),
        raster=raster_options(choice),
        band_numbers=band_numbers,
    )
    return site.without_classes(choice.drop)


def is_bundle(folder: Path) -> bool:
    """Whether a folder is an exported bundle rather than a run."""
    return (folder / bundle.RECORD).is_file() and not (folder / runs.NETWORK).is_file()


def probabilities(logits: Float32Array) -> Float32Array:
    """Softmax of logits (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
