"""Candidates on disk: each in a folder of its own, so that a search resumes and is used again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from hsitf import records
from hsitf.arithmetic import MAX_ALIGNMENT
from hsitf.compress.bounds import COSTS
from hsitf.compress.losses import METRICS
from hsitf.compress.record import CompressionCandidate
from hsitf.errors import DataError
from hsitf.export.variants import Variant
from hsitf.files import replacing_folder, sha256
from hsitf.prune.plans import PruningPlan
from hsitf.runs import load_network

_RECORD = "candidate.json"
_NETWORK = "network.keras"
_CHANNELS = "channels.json"
_STATE = "state.npz"
# Costs that every candidate has; others where they are asked for.
_MEASURED = ("bytes", "macs", "latency_ms")


@dataclass(frozen=True)
class CandidateFiles:
    """Where the parts of candidates lie.

    Attributes:
        root: Folder of all candidates of a search.
        variant: Kind of their files.
    """

    root: Path
    variant: Variant

    def file(self, key: str) -> Path:
        """The exported file of a candidate."""
        return self.root / key / f"file{self.variant.suffix}"

    def network(self, one: CompressionCandidate) -> keras.Model:
        """The network of a candidate.

        Raises:
            DataError: Its file is missing or was exchanged.
        """
        path = self.root / one.key / _NETWORK
        if not path.is_file() or sha256(path) != one.sha256:
            raise _damaged(path, self.root)
        return load_network(path)

    def plan(self, one: CompressionCandidate) -> PruningPlan | None:
        """The channels of the original network that a candidate keeps; None where nothing is cut.

        Raises:
            DataError: Its file is damaged.
        """
        path = self.root / one.key / _CHANNELS
        return PruningPlan.load(path) if path.is_file() else None

    def find(self, key: str) -> CompressionCandidate | None:
        """The finished candidate of a key; None where there is none.

        Raises:
            DataError: It is damaged.
        """
        path = self.root / key / _RECORD
        if not path.is_file():
            return None
        found = records.read(CompressionCandidate, path)
        if reason := _fault(found, key):
            raise DataError(
                f"{path} is not the record of a candidate",
                received=reason,
                remedy=f"remove {self.root} and compress again",
            )
        file = self.file(key)
        if not file.exists() or sha256(file) != found.file_sha256:
            raise _damaged(file, self.root)
        return found

    def state(self, key: str, rate: float) -> Path:
        """Where the training state of a candidate at a learning rate lies until it is finished."""
        return self.root / f"{key}-{rate:g}-{_STATE}"

    def save(
        self, one: CompressionCandidate, network: keras.Model, plan: PruningPlan | None, file: Path
    ) -> CompressionCandidate:
        """Writes a finished candidate; its folder appears at once.

        Args:
            one: Its record, without checksums.
            network: Its network.
            plan: The channels of the original that it keeps.
            file: Its exported file, which is copied.

        Returns:
            The record with checksums.
        """
        with replacing_folder(self.root / one.key) as folder:
            network.save(folder / _NETWORK)
            if plan is not None:
                plan.save(folder / _CHANNELS)
            kept = folder / self.file(one.key).name
            if file.is_dir():
                shutil.copytree(file, kept)
            else:
                shutil.copyfile(file, kept)
            one = replace(one, sha256=sha256(folder / _NETWORK), file_sha256=sha256(kept))
            records.write(one, folder / _RECORD)
        for leftover in self.root.glob(f"{one.key}-*-{_STATE}"):
            leftover.unlink()
        return one


def _fault(one: CompressionCandidate, key: str) -> str:
    """What is wrong with the record of a candidate; empty for nothing."""
    if one.key != key:
        return f"candidate {one.key!r}"
    if not set(_MEASURED) <= set(one.costs) <= set(COSTS):
        return f"costs {', '.join(sorted(one.costs)) or 'of nothing'}"
    if set(one.fidelity.accuracy) != set(METRICS) or one.fidelity.metric not in METRICS:
        return f"accuracy by {', '.join(sorted(one.fidelity.accuracy)) or 'nothing'}"
    if (one.channel_alignment or 1) > MAX_ALIGNMENT:
        return f"channel_alignment {one.channel_alignment}"
    if one.best_epoch > len(one.history):
        return f"best_epoch {one.best_epoch} of {len(one.history)}"
    return ""


def _damaged(path: Path, root: Path) -> DataError:
    return DataError(
        f"{path} is not the file that its record describes",
        received="another SHA-256" if path.exists() else "no such file",
        remedy=f"remove {root} and compress again",
    )
