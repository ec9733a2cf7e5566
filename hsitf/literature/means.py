"""What the checks of claims look at: the means of a study on one scene and split."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.sweep.record import CellMean, LeftOut, StudyResults


@dataclass(frozen=True)
class StudyMeans:
    """The cell means of a study for one scene and split.

    Attributes:
        means: Finished cells, averaged over their seeds.
        left_out: Impossible cells of the scene.
    """

    means: tuple[CellMean, ...]
    left_out: tuple[LeftOut, ...]

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
        return cls(
            tuple(
                mean
                for mean in results.means
                if (mean.settings.scene, mean.settings.split) == (scene, split)
            ),
            tuple(one for one in results.study.left_out if one.settings.scene == scene),
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

    def value(self, name: str, **settings: object) -> float | None:
        """A measured value of the first mean that `select` finds; None where not measured."""
        found = self.one(**settings)
        return None if found is None or name not in found.values else found.values[name].mean


def overall_accuracy(mean: CellMean) -> float:
    """Overall accuracy of a mean in percent."""
    return 100 * mean.values["oa"].mean
