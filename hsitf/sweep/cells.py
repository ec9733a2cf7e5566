"""From grids to cells; what cannot be is found before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hsitf import bands, zoo
from hsitf.bands import Sample
from hsitf.data import described, load, prepare, read_train_map, sample
from hsitf.errors import HsitfError, InputError
from hsitf.export.variants import missing, variant
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.prune.criteria import known as known_criterion
from hsitf.prune.order import Order
from hsitf.prune.plans import Cutting
from hsitf.quantize.mixed import EXTRA
from hsitf.records import SceneChoice, SceneRecord, TrainingPlan
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import SplitOptions
from hsitf.sweep.record import Cell, LeftOut, Settings
from hsitf.sweep.study import MOST_CELLS, Grid, Study
from hsitf.train.run import scheduled
from hsitf.train.tuning import tuning
from hsitf.zoo import Recipe

# Lines of a message about cells that cannot be.
_MOST_LINES = 20


@dataclass(frozen=True)
class Cells:
    """The cells of a study, those that it cannot have, and the scenes that they are of."""

    cells: tuple[Cell, ...]
    left_out: tuple[LeftOut, ...]
    scenes: dict[str, SceneRecord]


def cells(study: Study, choices: Mapping[str, SceneChoice]) -> Cells:
    """Every cell of a study, each once, in the order of the grids.

    Args:
        study: As it was read.
        choices: By the name in the study, where a scene is.

    Raises:
        InputError: There are cells that cannot be, all of which are listed, or too many.
        DataError: A scene cannot be read.
    """
    surroundings = _Surroundings(choices)
    grids: dict[Settings, list[str]] = {}
    reasons: dict[Settings, str] = {}
    refused: dict[str, list[Settings]] = {}
    for grid in study.grids:
        for settings in _settings(grid):
            grids.setdefault(settings, [])
            grids[settings] += [grid.name] if grid.name not in grids[settings] else []
            if len(grids) > MOST_CELLS:
                raise InputError("the study has too many cells", allowed=f"{MOST_CELLS:,} at most")
            if settings not in reasons:
                reasons[settings] = surroundings.reason(settings)
            if reasons[settings] and not grid.lenient:
                refused.setdefault(reasons[settings], []).append(settings)
    if refused:
        raise _impossible(refused)
    possible = tuple(Cell(one, tuple(grids[one])) for one in grids if not reasons[one])
    if not possible:
        raise _impossible({reason: [one] for one, reason in reasons.items()})
    left_out = tuple(LeftOut(one, tuple(grids[one]), reasons[one]) for one in grids if reasons[one])
    return Cells(possible, left_out, surroundings.scenes)


def _impossible(refused: Mapping[str, list[Settings]]) -> InputError:
    lines = []
    for reason, found in refused.items():
        count = f" and {len(found) - 1} more cells" if len(found) > 1 else ""
        lines.append(f"{found[0].text}{count}: {reason}")
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"and {len(lines) - _MOST_LINES} other reasons"]
    return InputError(
        "cells of this study cannot be:\n  " + "\n  ".join(lines) + "\n",
        remedy="take them out of the study file, or write impossible = 'leave out' in their grid",
    )


def _settings(grid: Grid) -> list[Settings]:
    return [
        Settings(
            scene,
            split,
            grid.train,
            network,
            *_named(text),
            pruning.measure,
            pruning.target,
            pruning.layers,
            pruning.criterion,
            bits,
            kind,
            seed,
            grid.schedule,
            epochs := _epochs(grid, network),
            (grid.tuning(network) or epochs) if pruning.measure else 0,
            grid.most if bits else 0,
        )
        for scene, split, network, text, pruning, (bits, kind), seed in grid.combinations()
    ]


def _named(text: str) -> tuple[str, int]:
    """Technique and components of a reduction; bands named outright have no components."""
    if not text:
        return "", 0
    request = bands.parse(text)
    return (request.technique, request.components) if request.components else (text, 0)


def _epochs(grid: Grid, network: str) -> int:
    """Of training; 0 of a network that there is not, which is found out later."""
    own = grid.training(network)
    if own and network not in zoo.BASELINES:
        return own
    if network not in (*zoo.names(), *zoo.BASELINES):
        return 0
    return scheduled(zoo.network(network), grid.schedule).epochs


def plan(settings: Settings, choice: SceneChoice) -> TrainingPlan:
    """How the network of a cell is trained.

    Raises:
        InputError: A setting has no meaning or is out of range.
    """
    split = SplitChoice(settings.split, settings.train or None, seed=settings.seed)
    published = scheduled(zoo.network(settings.network), settings.schedule).epochs
    other = settings.epochs != published
    changes = RecipeOptions(epochs=settings.epochs) if other else RecipeOptions()
    return training_plan(
        settings.network, choice, split, settings.schedule, changes, bands=settings.reduction
    )


def order(settings: Settings, recipe: Recipe, layers: Mapping[str, float]) -> Order:
    """How the network of a cell is pruned.

    Args:
        settings: Of a cell that prunes.
        recipe: That the network was trained by.
        layers: Ratios of single layers, by their names in the network.

    Raises:
        InputError: A setting has no meaning or is out of range.
    """
    fitting = replace(tuning(recipe), epochs=settings.tuning_epochs)
    # The order does not look at a criterion where single weights go.
    criterion = settings.criterion or "l2"
    return Order(
        settings.measure, settings.target, fitting, criterion, Cutting(ratios=dict(layers))
    )


class _Surroundings:
    """What cells are checked against, read once: scenes and their training pixels."""

    def __init__(self, choices: Mapping[str, SceneChoice]) -> None:
        self._choices = choices
        self.scenes: dict[str, SceneRecord] = {}
        self._loaded: dict[str, Scene] = {}
        self._samples: dict[tuple[str, SplitOptions], Sample] = {}

    def reason(self, settings: Settings) -> str:
        """Why a cell cannot be; nothing where it can."""
        # A scene that cannot be read is no fault of a cell.
        scene = self._scene(settings.scene)
        try:
            zoo.known(settings.network)
            asked = plan(settings, self._choices[settings.scene])
            self._check_bands(asked, scene)
            _check_pruning(settings, asked)
            _check_quantization(settings)
        except HsitfError as error:
            return str(error)
        return ""

    def _scene(self, name: str) -> Scene:
        if name not in self._loaded:
            self._loaded[name] = load(self._choices[name])
            self.scenes[name] = described(self._loaded[name])
        return self._loaded[name]

    def _check_bands(self, asked: TrainingPlan, scene: Scene) -> None:
        left = scene.bands
        if asked.bands:
            left = bands.check(asked.bands, self._sample(asked, scene), scene.wavelengths)
        zoo.check(asked.network, bands=left, classes=scene.classes, patch=asked.patch)

    def _sample(self, asked: TrainingPlan, scene: Scene) -> Sample:
        """The training pixels of a plan's split, or of one that differs in its seed alone.

        Splits differ little in how many pixels they teach, and take seconds to find.
        """
        options = replace(asked.split, seed=0)
        key = (asked.scene.source, options)
        if key not in self._samples:
            data = prepare(scene, options, read_train_map(asked.scene.train_map))
            self._samples[key] = sample(scene, data.split, data.normalizer)
        return self._samples[key]


def _check_pruning(settings: Settings, asked: TrainingPlan) -> None:
    if not settings.measure:
        return
    zoo.trained_by_gradients(settings.network, "pruned")
    if settings.criterion:
        known_criterion(settings.criterion)
    # Names of layers are patterns until the network is there.
    order(settings, asked.recipe, {"any": 0.0} if settings.layers else {})


def _check_quantization(settings: Settings) -> None:
    if settings.bits:
        zoo.trained_by_gradients(settings.network, "quantized")
    if not settings.variant:
        return
    kind = variant(settings.variant)
    if kind.name != "onnx":
        zoo.trained_by_gradients(settings.network, "exported but to onnx")
    if missing(kind):
        raise InputError(
            f"{kind.name} needs a package that is not installed", remedy=f"install it: {EXTRA}"
        )
