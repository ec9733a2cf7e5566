"""Trained networks on disk: `models/<scene>/<network>/<run>/`.

A finished run holds `network.keras`, `record.json`, `split.npz`, `predicted.npz` (what it calls
the test pixels) and a card for people. While it trains there are `plan.json` and `state.npz`
instead, from which it resumes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hsitf import bands, records, scenes, zoo
from hsitf.array_files import MAX_UNPACKED, read_arrays
from hsitf.bands import Reducer
from hsitf.data import SceneData, load_split, reload_scene, restore
from hsitf.errors import DataError, HsitfError, InputError, MissingInputError
from hsitf.files import sha256
from hsitf.hdf5_files import check_weights
from hsitf.locations import is_same_scene, is_same_source, locate
from hsitf.locks import current_writer
from hsitf.progress import Progress
from hsitf.records import RunRecord, SceneChoice
from hsitf.scenes.splits import Split

if TYPE_CHECKING:
    import keras

MODELS = Path("models")
# A scene that a command says nothing of.
_CLASSES = "the classes of the test pixels"
_CLASSES_REMEDY = "remove that file, or train the network again"
_UNNAMED = SceneChoice("")
NETWORK = "network.keras"
RECORD = "record.json"
SPLIT = "split.npz"
PREDICTIONS = "predicted.npz"
BANDS = "bands.npz"
PLAN = "plan.json"
CHECKPOINT = "state.npz"
MODEL_CARD = "README.md"


@dataclass(frozen=True)
class Run:
    """A finished run: its folder and its record."""

    folder: Path
    record: RunRecord

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Reads the record of a finished run.

        Raises:
            InputError: There is no such folder, or its training was not finished.
            DataError: The record is damaged.
        """
        if not folder.is_dir():
            raise MissingInputError(
                "no such run", received=folder, remedy="train a network or name another folder"
            )
        if not (folder / RECORD).is_file() and (folder / PLAN).is_file():
            if writer := current_writer(folder):
                raise InputError(
                    f"{folder} is not finished",
                    received=f"a run that is being written by {writer}",
                    remedy="repeat this command when it is",
                )
            raise InputError(
                f"the training of {folder} was interrupted",
                remedy="repeat its train command to resume it",
            )
        return cls(folder, records.read(RunRecord, folder / RECORD))

    def network(self) -> keras.Model:
        """Loads the trained network, in Keras' safe mode.

        Raises:
            DataError: The file is missing, or is not the one that the record describes.
        """
        import keras

        record = self.record
        path = self.folder / NETWORK
        if not path.is_file() or sha256(path) != self.record.sha256:
            raise DataError(
                f"{path} is not the network that its record describes",
                received="another SHA-256" if path.is_file() else "no such file",
                remedy="train the network again",
            )
        zoo.register_layers(record.plan.network)
        try:
            model = load_network(path)
        except DataError as error:
            if record.plan.network_sha256 == zoo.file_sha256(record.plan.network):
                raise
            raise DataError(
                error.what,
                received=error.received,
                allowed=error.allowed,
                remedy=f"where {record.plan.network}.py has layers of its own, name it beside "
                f"--from: --model {record.plan.network}.py",
            ) from error
        side, bands = record.tile or record.plan.patch, record.components
        pixels = (side, side) if record.tile else ()
        shapes = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
        logits = (*pixels, len(record.scene.class_names))
        expected = (None, side, side, bands), (None, *logits)
        if not isinstance(model, keras.models.Model) or shapes != expected:
            raise DataError(
                f"{path} is not the network that its record describes",
                received=f"{shapes[0]} to {shapes[1]}",
                allowed=f"{expected[0]} to {expected[1]}",
                remedy="train the network again",
            )
        return model

    def check_patches(self, verb: str) -> None:
        """Refuses a network that labels whole tiles where only one of patches will do.

        Args:
            verb: What is to be done, such as "explained".

        Raises:
            InputError: It labels tiles.
        """
        if self.record.tile:
            raise zoo.tiles_refused(self.record.plan.network, verb)

    @property
    def label(self) -> str:
        """Short name for its files: the network's name, with the run's name where it is pruned."""
        network = self.record.plan.network
        return network if self.record.pruning is None else f"{network}-{self.folder.name}"

    def scene_choice(self, now: SceneChoice = _UNNAMED) -> SceneChoice:
        """The scene of the run, with its files where they lie today.

        Args:
            now: What a command says of it: another path of the same cube, the folder of its files,
                or nothing.

        Raises:
            InputError: A file is not found.
        """
        # Commands run in the folder that holds the folder of trained networks.
        above = self.folder.resolve().parents
        home = above[3] if len(above) > 3 else None
        return locate(self.record.plan.scene, self.record.scene, now, home)

    def is_of(self, scene: SceneChoice) -> bool:
        """Whether a command names the run's scene, with all that it says of reading it."""
        return is_same_scene(scene, self.record.plan.scene, self.record.scene)

    def is_of_source(self, scene: SceneChoice) -> bool:
        """Whether a command names the run's cube, whatever it says of labels and reading."""
        return is_same_source(scene, self.record.plan.scene, self.record.scene)

    def data(self, choice: SceneChoice | None = None) -> SceneData:
        """The scene with the run's split and normalization.

        Args:
            choice: The scene at its current location; None to look for its files (see
                `scene_choice`).

        Raises:
            InputError: The scene cannot be found.
            DataError: It is not the one of the run's record.
        """
        scene = reload_scene(choice or self.scene_choice(), self.record.scene)
        return restore(
            scene, self.split(), self.record.normalizer, self.record.plan.patch, self.reducer()
        )

    def reducer(self) -> Reducer | None:
        """The band reduction in front of the network, None where it uses all bands.

        Raises:
            DataError: Its file is missing, or is not the one that the record describes.
        """
        then = self.record.bands
        if then is None:
            return None
        path = self.folder / BANDS
        if not path.is_file() or sha256(path) != then.sha256:
            raise DataError(
                f"{path} is not the reduction of bands that its record describes",
                received="another SHA-256" if path.is_file() else "no such file",
                remedy="train the network again",
            )
        return bands.read(path)

    def split(self) -> Split:
        """The training, validation and test pixels of the run."""
        return load_split(self.folder / SPLIT, self.record.split)

    def predictions(self) -> NDArray[np.int64] | None:
        """Predicted classes of the test pixels, counted from 0, in the order of the split.

        None where the run is from before they were kept.

        Raises:
            DataError: The file does not hold them.
        """
        path = self.folder / PREDICTIONS
        if not path.is_file():
            return None
        limit = MAX_UNPACKED + 8 * self.record.split.test
        with read_arrays(path, _CLASSES, _CLASSES_REMEDY, limit) as file:
            found = np.asarray(file["test"], np.int64)
        most = len(self.record.scene.class_names) - 1
        if (
            found.shape != (self.record.split.test,)
            or found.min(initial=0) < 0
            or (found.max(initial=0) > most)
        ):
            raise self._no_classes(f"{found.shape} up to {found.max(initial=0)}")
        return found

    def _no_classes(self, received: str) -> DataError:
        return DataError(
            f"{self.folder / PREDICTIONS} does not hold {_CLASSES}",
            received=received,
            remedy=_CLASSES_REMEDY,
        )


def save_predictions(classes: NDArray[np.int64], stream: BinaryIO) -> None:
    """Writes the classes of the test pixels, counted from 0, as .npz."""
    np.savez_compressed(stream, test=classes.astype(np.uint16))


def load_network(path: Path) -> keras.Model:
    """Loads a network's file in Keras' safe mode, not compiled.

    Raises:
        DataError: It is not a network that can be loaded in safe mode.
    """
    import keras

    # Registers what a saved network may hold and Keras lacks.
    import hsitf.layers  # noqa: F401

    try:
        check_weights(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except HsitfError:
        raise
    # What Keras raises at a foreign file has no common base below Exception.
    except Exception as error:
        raise DataError(
            f"{path} cannot be loaded",
            received=str(error).splitlines()[0] if str(error) else type(error).__name__,
            allowed="a network that Keras loads in safe mode",
            remedy="train the network again",
        ) from error


def run_folder(scene: str, network: str, run: str, root: Path = MODELS) -> Path:
    """The folder of a run, whether or not it exists."""
    return root / scene / network / run


def is_finished(network: str, root: Path = MODELS) -> bool:
    """Whether there is a finished run of a network, on any scene."""
    plain = network == Path(network).name and not set(network) & set("*?[")
    return plain and any(root.glob(f"*/{network}/*/{RECORD}"))


def finished_runs(network: str, progress: Progress, root: Path = MODELS) -> list[Run]:
    """All finished runs of a network, on any scene, the one to prefer last.

    A full schedule is preferred to a short or custom one, then the latest run. A run that cannot be
    read is skipped with a message.
    """
    found = []
    for path in sorted(root.glob(f"*/{network}/*/{RECORD}")):
        try:
            found.append((Run.open(path.parent), path.stat().st_mtime))
        except (DataError, InputError) as error:
            progress.say(f"passing over {path.parent}: {error}")
    found.sort(key=lambda item: (item[0].record.plan.schedule == "full", item[1]))
    return [run for run, _ in found]


def named_scene(choice: SceneChoice, root: Path = MODELS) -> SceneChoice:
    """A scene that a command names as runs print it, such as `cube` for a file `cube.hdr`.

    Args:
        choice: The scene as the command names it.
        root: Folder of all trained networks.

    Returns:
        The scene of the latest run of that name; the choice itself where it is a name that is
        known without runs, or a path, or where there is no such run.

    Raises:
        InputError: A file of that scene is not found.
    """
    name = choice.source
    plain = name == Path(name).name and not name.startswith(".") and not set(name) & set("*?[")
    if not name or not plain or Path(name).exists() or name.lower() in _known_scenes():
        return choice
    found = [(path.stat().st_mtime, path) for path in root.glob(f"{name}/*/*/{RECORD}")]
    if not found:
        return choice
    run = Run.open(max(found)[1].parent)
    return replace(run.scene_choice(choice), drop=choice.drop, keep_all=choice.keep_all)


def _known_scenes() -> set[str]:
    return {one.lower() for one in scenes.names()}
