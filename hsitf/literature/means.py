"""What the checks of claims look at: the means of a study on one scene and split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsitf import records
from hsitf.array_files import read_arrays
from hsitf.arrays import FloatArray
from hsitf.explain.record import ExplanationRecord
from hsitf.runs import MODELS
from hsitf.sweep.record import CellMean, LeftOut, StudyResults


@dataclass(frozen=True)
class StudyExplanation:
    """An explanation of networks of a study, as `hsitf explain` wrote it beside the first of them.

    Attributes:
        path: Path of its record.
        record: Its record.
    """

    path: Path
    record: ExplanationRecord

    def magnitude(self, source: int = 0) -> FloatArray:
        """Mean absolute attributions (outputs, patch, patch, inputs) of a network.

        Raises:
            DataError: The arrays beside the record are missing or damaged.
        """
        arrays = self.path.with_suffix(".npz")
        name = f"magnitude{source}"
        with read_arrays(
            arrays, "the arrays of an explanation", "explain these networks again", names=[name]
        ) as found:
            return np.asarray(found[name])


@dataclass(frozen=True)
class StudyMeans:
    """The cell means of a study for one scene and split.

    Attributes:
        means: Finished cells, averaged over their seeds.
        left_out: Impossible cells of the scene.
        scene: Name of the scene.
        split: Kind of the split.
        explanations: Explanations of networks that were trained on this scene and split.
    """

    means: tuple[CellMean, ...]
    left_out: tuple[LeftOut, ...]
    scene: str = ""
    split: str = ""
    explanations: tuple[StudyExplanation, ...] = ()

    @classmethod
    def of(cls, results: StudyResults, scene: str = "", split: str = "") -> StudyMeans:
        """The means of a study.

        Args:
            results: Results of any study.
            scene: Name in the settings; the scene of the study's first cell where empty.
            split: Name in the settings; the split that most cells have where empty.
        """
        cells = [cell.settings for cell in results.study.cells]
        scene = scene or cells[0].scene
        splits = [one.split for one in cells if one.scene == scene]
        split = split or max(dict.fromkeys(splits), key=splits.count)
        record = results.study.scenes.get(scene)
        name = record.name if record else scene
        return cls(
            tuple(
                mean
                for mean in results.means
                if (mean.settings.scene, mean.settings.split) == (scene, split)
            ),
            tuple(one for one in results.study.left_out if one.settings.scene == scene),
            name,
            split,
            tuple(
                one
                for one in _explanations(results.folder / MODELS / name)
                if one.record.split == split
            ),
        )

    def select(self, **settings: object) -> list[CellMean]:
        """The means with these settings.

        Args:
            **settings: Values of fields of `CellSettings`; `...` for any value. A stage that is not
                named must be absent: no reduced bands, no pruning, no quantization, no file.
        """
        wanted = {
            "bands": "",
            "components": 0,
            "measure": "",
            "criterion": "",
            "bits": "",
            "variant": "",
            "weights": "channel",
            "layer_alphas": "",
            **settings,
        }
        return [
            mean
            for mean in self.means
            if all(
                value is ... or getattr(mean.settings, name) == value
                for name, value in wanted.items()
            )
        ]

    def one(self, **settings: object) -> CellMean | None:
        """The first mean that `select` finds; None where there is none."""
        return next(iter(self.select(**settings)), None)

    def reference(self, network: str) -> float | None:
        """Overall accuracy in percent with all bands and weights; None where not measured."""
        found = self.one(network=network)
        return None if found is None else overall_accuracy(found)

    def gain(self, mean: CellMean) -> float | None:
        """Points that a mean gains over its network with all bands and weights, on the same seeds.

        Returns:
            None where the network itself was not measured on these seeds.
        """
        found = self.one(network=mean.settings.network)
        if found is None or not set(mean.seeds) <= set(found.seeds):
            return None
        by_seed = dict(zip(found.seeds, found.single_oa, strict=True))
        return overall_accuracy(mean) - 100 * sum(map(by_seed.__getitem__, mean.seeds)) / len(
            mean.seeds
        )

    @property
    def references(self) -> dict[str, CellMean]:
        """Means of the networks with all bands and weights, by network."""
        return {mean.settings.network: mean for mean in self.select(network=...)}

    def value(self, name: str, **settings: object) -> float | None:
        """A measured value of the first mean that `select` finds; None where not measured."""
        found = self.one(**settings)
        return None if found is None or name not in found.values else found.values[name].mean


def overall_accuracy(mean: CellMean) -> float:
    """Overall accuracy of a mean in percent."""
    return 100 * mean.values["oa"].mean


def _explanations(models: Path) -> list[StudyExplanation]:
    """Explanations of the networks in a folder of runs."""
    paths = sorted(models.glob("*/*-explained/*.json"))
    return [StudyExplanation(path, records.read(ExplanationRecord, path)) for path in paths]
