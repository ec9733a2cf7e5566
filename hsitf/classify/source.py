"""What classifies: a trained run, or an exported bundle with what has to be done before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsitf import bands, runs, runtimes
from hsitf.arrays import Float32Array
from hsitf.bands import Reducer
from hsitf.errors import DataError, InputError
from hsitf.export import bundle
from hsitf.export.bundle import Bundle
from hsitf.export.variants import variant
from hsitf.files import sha256
from hsitf.records import RunRecord
from hsitf.runs import Run
from hsitf.runtimes import Runtime
from hsitf.scenes import RasterSource
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
        source_bands: Number of bands in those files; 0 where the network takes all of them.
        fwhm: Full widths at half maximum of the bands in nanometers; empty where unknown.
        scale: Factor from the numbers of that scene to physical units, one or one per band; empty
            where its files state none.
        offset: What is added after it, likewise.
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
    source_bands: int = 0
    fwhm: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()

    def check(self, source: RasterSource) -> None:
        """Refuses a scene that the network does not know.

        Raises:
            InputError: The scene has other bands, or is smaller than a patch.
        """
        if source.shape[2] != len(self.normalizer.offset):
            raise self.other_bands(source)
        PatchSource.check_size(source.shape, self.patch)

    def other_bands(self, source: RasterSource) -> InputError:
        """The error for a scene of other bands than the network's, which is not resampled."""
        expected = len(self.normalizer.offset)
        known = self.wavelengths and source.wavelengths is not None
        if source.shape[2] == expected and known:
            assert source.wavelengths is not None
            centers = np.asarray(self.wavelengths)
            apart = np.abs(source.wavelengths - centers)
            worst = int(apart.argmax())
            return InputError(
                f"{self.name} was trained on other wavelengths",
                received=f"bands up to {apart[worst]:.1f} nm from the network's, band {worst + 1} "
                f"of {source.name} at {source.wavelengths[worst]:g} nm",
                allowed=f"{centers[worst]:g} nm there, as {self.scene} has it",
                remedy="leave out --strict-bands to have them resampled by wavelength, or train a "
                "network on this one",
            )
        if source.shape[2] == expected and self.wavelengths:
            return InputError(
                f"{source.name} has no wavelengths",
                received="--strict-bands",
                allowed=f"the wavelengths of {self.scene}",
                remedy="give them with --wavelengths, or leave out --strict-bands to have its "
                "bands taken by number",
            )
        remedy = (
            "leave out --strict-bands to have them resampled by wavelength"
            if known
            else "give the wavelengths of both, with --wavelengths where files have none, to have "
            "bands resampled"
        )
        return InputError(
            f"{self.name} was trained on other bands",
            received=f"{source.shape[2]} bands in {source.name}",
            allowed=f"{expected}, as {self.scene} has them",
            remedy=f"{remedy}; or train a network on this scene",
        )


def classifier_of_run(run: Run) -> Classifier:
    """The classifier of a trained network, through Keras."""
    record: RunRecord = run.record
    return Classifier(
        record.plan.network,
        runtimes.trained(run.network()),
        record.normalizer,
        run.reducer(),
        record.plan.patch,
        record.scene.class_names,
        record.scene.name,
        record.sha256,
        record.scene.wavelengths,
        record.scene.band_numbers,
        record.scene.class_colors,
        record.scene.source_bands,
        record.scene.fwhm,
        record.scene.scale,
        record.scene.offset,
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
    runtime = variant(record.variant).format.runtime_of_any(found.file, threads)
    found.check_runtime(runtime)
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
        record.source_bands,
        record.fwhm,
        record.scale,
        record.offset,
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


def is_bundle(folder: Path) -> bool:
    """Whether a folder is an exported bundle rather than a run."""
    return (folder / bundle.RECORD).is_file() and not (folder / runs.NETWORK).is_file()


def run_of(folder: Path) -> Run | None:
    """The run of a folder, or the one that a bundle was exported from where it exists."""
    if not is_bundle(folder):
        return Run.open(folder)
    record = Bundle.open(folder).record
    run_path = Path(record.run_folder)
    if not (run_path / runs.RECORD).is_file():
        return None
    run = Run.open(run_path)
    return run if run.record.sha256 == record.run_sha256 else None


def probabilities(logits: Float32Array) -> Float32Array:
    """Softmax of logits (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
