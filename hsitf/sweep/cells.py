"""Expansion of grids to cells; impossible cells are found before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import keras

from hsitf import bands, zoo
from hsitf.bands import TrainingSpectra
from hsitf.data import describe_scene, load_scene, prepare, read_train_map, training_spectra
from hsitf.errors import HsitfError, InputError
from hsitf.export.variants import lacks_package, variant
from hsitf.options import RecipeOptions, SplitChoice, TrainingOptions, training_plan
from hsitf.prune.combination import criterion_terms
from hsitf.prune.config import PruningConfig
from hsitf.prune.parsing import parse_layer_alphas
from hsitf.prune.request import PruningRequest
from hsitf.prune.weights import magnitude_limits
from hsitf.quantize.mixed_precision import EXTRA
from hsitf.records import SceneChoice, SceneRecord, TrainingPlan
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import SplitOptions
from hsitf.sweep.plan import stages_of_cell
from hsitf.sweep.record import CellSettings, LeftOut, StudyCell
from hsitf.sweep.study import MAX_CELLS, ParameterGrid, StudyFile, networks_of_disjoint_splits
from hsitf.sweep.training_keys import changes_of_baseline, options_of
from hsitf.train.fine_tuning import fine_tuning_recipe
from hsitf.train.run import scheduled_recipe
from hsitf.zoo import Recipe

# Lines of a message about cells that cannot be.
_MAX_LINES = 20


@dataclass(frozen=True)
class StudyCells:
    """The cells of a study, those that it cannot have, and the scenes that they are of.

    Attributes:
        cells: The cells, each once.
        left_out: The cells that it cannot have.
        scenes: The scenes, by their names in the study file.
        network_files: Paths of the files of networks of one's own.
    """

    cells: tuple[StudyCell, ...]
    left_out: tuple[LeftOut, ...]
    scenes: dict[str, SceneRecord]
    network_files: tuple[str, ...] = ()

    @property
    def network_sha256(self) -> dict[str, str]:
        """SHA-256 of the files that define networks which are not hsitf's own, by their names."""
        names = sorted({cell.settings.network for cell in self.cells})
        found = {name: zoo.file_sha256(name) for name in names}
        return {name: digest for name, digest in found.items() if digest}


def expand_cells(study: StudyFile, choices: Mapping[str, SceneChoice]) -> StudyCells:
    """The cells of a study, each once, in the order of the grids.

    Args:
        study: The parsed study file.
        choices: The scene of each scene name in the study.

    Raises:
        InputError: There are impossible cells, all of which are listed, or too many cells.
        DataError: A scene cannot be read.
    """
    surroundings = _FeasibilityCheck(choices)
    guard = _common_guard(study)
    grids: dict[CellSettings, list[str]] = {}
    reasons: dict[CellSettings, str] = {}
    refused: dict[str, list[CellSettings]] = {}
    for grid in study.grids:
        for settings in _settings(grid, guard):
            grids.setdefault(settings, [])
            grids[settings] += [grid.name] if grid.name not in grids[settings] else []
            if len(grids) > MAX_CELLS:
                raise InputError("the study has too many cells", allowed=f"{MAX_CELLS:,} at most")
            if settings not in reasons:
                reasons[settings] = surroundings.reason_against(settings)
            if reasons[settings] and not grid.leave_out_impossible:
                refused.setdefault(reasons[settings], []).append(settings)
    if refused:
        raise _impossible(refused)
    possible = tuple(StudyCell(one, tuple(grids[one])) for one in grids if not reasons[one])
    if not possible:
        raise _impossible({reason: [one] for one, reason in reasons.items()})
    left_out = tuple(LeftOut(one, tuple(grids[one]), reasons[one]) for one in grids if reasons[one])
    files = sorted({name for grid in study.grids for name in grid.networks if zoo.is_file(name)})
    return StudyCells(possible, left_out, surroundings.scenes, tuple(files))


def _impossible(refused: Mapping[str, list[CellSettings]]) -> InputError:
    lines = []
    for reason, found in refused.items():
        count = f" and {len(found) - 1} more cells" if len(found) > 1 else ""
        lines.append(f"{found[0].text}{count}: {reason}")
    if len(lines) > _MAX_LINES:
        lines = [*lines[:_MAX_LINES], f"and {len(lines) - _MAX_LINES} other reasons"]
    return InputError(
        "cells of this study are impossible:\n  " + "\n  ".join(lines) + "\n",
        remedy="take them out of the study file, or write impossible = 'leave out' in their grid",
    )


def _common_guard(study: StudyFile) -> int:
    """The guard at which all networks of a study can be judged on the same pixels."""
    names = study.networks or networks_of_disjoint_splits(study)
    return max(map(_own_guard, names), default=0)


def _own_guard(network: str) -> int:
    """The guard of a network's own patch; 0 for an unknown network, which is refused later."""
    name = _network_name(network)
    facts = None if name in zoo.BASELINES else zoo.facts(name)
    return 0 if facts is None else facts.patch - 1


def _settings(grid: ParameterGrid, guard: int) -> list[CellSettings]:
    """The settings of a grid's cells; its disjoint splits have the guard, if it says no other."""
    chosen = guard if grid.guard is None else grid.guard
    return [
        CellSettings(
            scene,
            split,
            grid.train,
            _network_name(network),
            *_named(text),
            pruning.measure,
            pruning.target,
            pruning.layers,
            pruning.criterion,
            bits,
            kind,
            seed,
            grid.schedule,
            epochs := _epochs(grid, network, labelled),
            (grid.fine_tuning_epochs_of(network) or epochs) if pruning.measure else 0,
            grid.max_samples if bits else 0,
            # What a network has seen is never judged, whatever the study says.
            _guard(grid, split, max(chosen, _own_guard(network))),
            # A baseline has no recipe: its cells are the same with any.
            "paper" if network in zoo.BASELINES else recipe,
            labelled,
            changes_of_baseline(training) if network in zoo.BASELINES else training,
            weights=weights,
            layer_alphas=pruning.layer_alphas,
        )
        for scene, split, network, text, pruning, (
            bits,
            weights,
            kind,
        ), seed, recipe, labelled, training in grid.combinations()
    ]


def _guard(grid: ParameterGrid, split: str, guard: int) -> int | None:
    """The guard of a cell; regions within images have one where the study says so."""
    by_image = split == "images" and grid.guard is not None
    return guard if split == "disjoint" or by_image else None


def _network_name(network: str) -> str:
    """Name of a network as the study file names it; one that does not exist is refused later."""
    return zoo.known(network) if zoo.is_file(network) else network


def _named(text: str) -> tuple[str, int]:
    """Technique and components of a reduction; bands named outright have no components."""
    if not text:
        return "", 0
    request = bands.parse(text)
    return (request.name, request.components) if request.components else (text, 0)


def _epochs(grid: ParameterGrid, network: str, labelled: int) -> int:
    """Training epochs; 0 for an unknown network, which is refused later."""
    own = grid.epochs_of(network)
    factor = grid.epochs_factor.get(labelled, 1)
    if network in zoo.BASELINES:
        own, factor = 0, 1
    if own:
        return own * factor
    facts = zoo.facts(_network_name(network))
    return 0 if facts is None else factor * scheduled_recipe(facts, grid.schedule).epochs


def training_plan_of(settings: CellSettings, choice: SceneChoice) -> TrainingPlan:
    """How the network of a cell is trained.

    Raises:
        InputError: A setting has no meaning or is out of range.
    """
    split = SplitChoice(
        settings.split,
        settings.train or None,
        settings.guard,
        seed=settings.seed,
        labelled=settings.labelled or None,
    )
    published = scheduled_recipe(zoo.network(settings.network), settings.schedule).epochs
    recipe, training = options_of(settings.training)
    if settings.epochs != published:
        recipe["epochs"] = settings.epochs
    return training_plan(
        settings.network,
        choice,
        split,
        settings.schedule,
        RecipeOptions(**recipe),
        TrainingOptions(recipe_name=settings.recipe, **training),
        settings.reduction,
    )


def pruning_request_of(
    settings: CellSettings, recipe: Recipe, layers: Mapping[str, float]
) -> PruningRequest:
    """How the network of a cell is pruned.

    Args:
        settings: Settings of a cell that prunes.
        recipe: Recipe that the network was trained with.
        layers: Ratios of single layers, by their names in the network.

    Raises:
        InputError: A setting has no meaning or is out of range.
    """
    fitting = replace(fine_tuning_recipe(recipe), epochs=settings.fine_tuning_epochs)
    # The order does not look at a criterion where single weights go.
    criterion = settings.criterion or "l2"
    return PruningRequest(
        settings.measure,
        settings.target,
        fitting,
        criterion,
        PruningConfig(ratios=dict(layers)),
        layer_alphas=parse_layer_alphas(list(filter(None, settings.layer_alphas.split(";")))),
    )


class _FeasibilityCheck:
    """What cells are checked against, read once: scenes and their training pixels."""

    def __init__(self, choices: Mapping[str, SceneChoice]) -> None:
        self._choices = choices
        self.scenes: dict[str, SceneRecord] = {}
        self._loaded: dict[str, Scene] = {}
        self._samples: dict[tuple[str, SplitOptions], TrainingSpectra] = {}
        self._plans: dict[CellSettings, TrainingPlan | str] = {}
        # Bands that each network takes, and networks by what they are built from.
        self._inputs: dict[CellSettings, int] = {}
        self._networks: dict[tuple[str, int, int, int], keras.Model] = {}

    def reason_against(self, settings: CellSettings) -> str:
        """The reason why a cell is impossible; empty where it is possible."""
        # What is trained is checked once for all prunings, bits and files of it.
        trained = stages_of_cell(settings)[0][1]
        if trained not in self._plans:
            self._plans[trained] = self._plan_or_reason(trained)
        asked = self._plans[trained]
        if isinstance(asked, str):
            return asked
        try:
            _check_pruning(settings, asked)
            if settings.layer_alphas:
                self._check_layer_alphas(settings, asked, self._inputs[trained])
            _check_quantization(settings)
        except HsitfError as error:
            return str(error)
        return ""

    def _plan_or_reason(self, trained: CellSettings) -> TrainingPlan | str:
        """How a network is trained, or the reason why it cannot be."""
        # A scene that cannot be read is no fault of a cell.
        scene = self._scene(trained.scene)
        try:
            zoo.known(trained.network)
            asked = training_plan_of(trained, self._choices[trained.scene])
            self._inputs[trained] = self._check_bands(asked, scene)
        except HsitfError as error:
            return str(error)
        return asked

    def _scene(self, name: str) -> Scene:
        if name not in self._loaded:
            self._loaded[name] = load_scene(self._choices[name])
            self.scenes[name] = describe_scene(self._loaded[name])
        return self._loaded[name]

    def _check_bands(self, asked: TrainingPlan, scene: Scene) -> int:
        """Refuses a reduction or a network that the scene does not allow; returns its bands."""
        remaining = scene.bands
        if asked.bands:
            remaining = bands.check(asked.bands, self._sample(asked, scene), scene.wavelengths)
        zoo.check(asked.network, bands=remaining, classes=scene.classes, patch=asked.patch)
        return asked.network_bands(remaining)

    def _check_layer_alphas(self, settings: CellSettings, asked: TrainingPlan, inputs: int) -> None:
        """Refuses alphas of layers that the network of a cell does not have."""
        key = (asked.network, inputs, self._scene(settings.scene).classes, asked.patch)
        if key not in self._networks:
            name, bands_of_it, classes, patch = key
            self._networks[key] = zoo.build(name, bands=bands_of_it, classes=classes, patch=patch)
        wanted = pruning_request_of(settings, asked.recipe, {}).thresholds
        magnitude_limits(self._networks[key], wanted)

    def _sample(self, asked: TrainingPlan, scene: Scene) -> TrainingSpectra:
        """The training pixels of a plan's split, or of one that differs in its seed alone.

        Splits of different seeds have nearly the same number of training pixels, and take seconds
        to draw.
        """
        options = replace(asked.split, seed=0)
        key = (asked.scene.source, options)
        if key not in self._samples:
            data = prepare(
                scene,
                options,
                read_train_map(asked.scene.train_map),
                keep_all=asked.scene.keep_all,
            )
            self._samples[key] = training_spectra(scene, data.split, data.normalizer)
        return self._samples[key]


def _check_pruning(settings: CellSettings, asked: TrainingPlan) -> None:
    if not settings.measure:
        return
    zoo.check_trainable(settings.network, "pruned")
    if settings.criterion:
        criterion_terms(settings.criterion)
    # Names of layers are patterns until the network is there.
    pruning_request_of(settings, asked.recipe, {"any": 0.0} if settings.layers else {})


def _check_quantization(settings: CellSettings) -> None:
    if settings.bits:
        zoo.check_trainable(settings.network, "quantized")
    if not settings.variant:
        return
    kind = variant(settings.variant)
    if kind.name != "onnx":
        zoo.check_trainable(settings.network, "exported but to onnx")
    if lacks_package(kind):
        raise InputError(
            f"{kind.name} needs a package that is not installed", remedy=f"install it: {EXTRA}"
        )
