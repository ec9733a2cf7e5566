"""The options of the command line, turned into plans."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hsitf import runs, zoo
from hsitf.bands import parse, selects_bands, whitened
from hsitf.data import check_whole_pictures
from hsitf.errors import InputError, unknown
from hsitf.progress import Progress
from hsitf.records import SceneChoice, TrainingPlan
from hsitf.runs import Run
from hsitf.scenes import picture_side
from hsitf.scenes.splits import SplitOptions
from hsitf.train.pixel_normalization import PIXEL_NORMALIZATIONS
from hsitf.train.recipes import DEFAULT_RECIPE, RECIPES, ROBUST_MIXUP, robust_recipe
from hsitf.train.run import find_or_train, latest_run, open_run, scheduled_recipe
from hsitf.train.teachers import known_teachers
from hsitf.zoo import Network, Recipe
from hsitf.zoo._facts import check_range


@dataclass(frozen=True)
class RecipeOptions:
    """What a user changes of a paper's recipe; None leaves it as it is."""

    optimizer: str | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    epochs: int | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    decoupled_weight_decay: float | None = None
    warmup: float | None = None
    cosine_decay: bool | None = None
    label_smoothing: float | None = None
    ema_epochs: float | None = None


_AS_PUBLISHED = RecipeOptions()

PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@dataclass(frozen=True)
class TrainingOptions:
    """Training options besides the recipe, as fields of `TrainingPlan`.

    Attributes:
        recipe_name: "paper" or "robust": what the options not given are.
        augmentations: `NAME` or `NAME=STRENGTH` each, or strengths by name, beside those of the
            recipe.
        mixup: None for the recipe's.
        balanced_sampling: None for the recipe's.
        pixel_normalization: Empty for none.
        pseudo_labels: Least probability of an unlabelled pixel that is shown; 0 for none.
        teachers: Folders of the runs that teach.
        teacher_weight: Share of the teachers in a target.
    """

    flip_rotate: bool = True
    brightness_noise: bool = False
    intra_class_mixup: bool = False
    class_weights: bool = False
    patience: int = 0
    precision: str = "float32"
    xla: bool = False
    recipe_name: str = "paper"
    augmentations: Sequence[str] | Mapping[str, float] = ()
    mixup: float | None = None
    balanced_sampling: float | None = None
    pixel_normalization: str = ""
    pseudo_labels: float = 0.0
    teachers: tuple[str, ...] = ()
    teacher_weight: float = 0.5

    def __post_init__(self) -> None:
        if self.pixel_normalization and self.pixel_normalization not in PIXEL_NORMALIZATIONS:
            raise unknown("pixel normalization", self.pixel_normalization, PIXEL_NORMALIZATIONS)
        if self.recipe_name not in RECIPES:
            raise unknown("recipe", self.recipe_name, RECIPES)
        for name, limit in (("mixup", 10.0), ("balanced_sampling", 1.0)):
            if (value := getattr(self, name)) is not None:
                check_range(name.replace("_", " "), value, limit)
        check_range("pseudo-labels", self.pseudo_labels, 1.0)
        check_range("the weight of teachers", self.teacher_weight, 1.0)
        if self.teacher_weight != TrainingOptions.teacher_weight and not self.teachers:
            raise InputError(
                "there is no teacher to weight",
                received=f"--teacher-weight {self.teacher_weight:g}",
                remedy="name one with --teacher, or leave it out",
            )
        if self.class_weights and self.balanced_sampling:
            raise InputError(
                "rare classes cannot be weighted and shown more often at once",
                received="--class-weights with --balanced-sampling",
                remedy="leave one of them out",
            )
        if self.patience < 0:
            raise InputError(
                "the patience is out of range", received=self.patience, allowed="0 or more epochs"
            )
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)


_AS_EVER = TrainingOptions()

# The default scene.
BUILT_IN = "fields"

# NumPy's older generator, which Keras seeds too, takes 32 bits.
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class SplitChoice:
    """How a user wants the scene split.

    Attributes:
        kind: disjoint, random, fixed or images.
        train: A share such as "0.65" or a number of pixels a class such as "50".
        guard: Width of the guard band in pixels.
        patch: Side of the patch in pixels; the network's own where None.
        seed: Seed of the split and of all other random numbers.
        validation_regions: Whether validation pixels are regions apart from the training pixels;
            None: as the kind of split has it.
        labelled: Labelled pixels of each class that train, and that validate, at most; None for
            all.
    """

    kind: str = "disjoint"
    train: str | None = None
    guard: int | None = None
    patch: int | None = None
    seed: int = 0
    validation_regions: bool | None = None
    labelled: int | None = None


def band_reduction(spec: str | None, whiten: bool) -> str | None:
    """The band reduction of a user's options, as a specification; None for all bands.

    Args:
        spec: The reduction, such as "pca:30".
        whiten: Whether its components get unit deviation each.

    Raises:
        InputError: It cannot be parsed; or there are no components to whiten.
    """
    if not whiten:
        return spec
    if spec is None or selects_bands(spec):
        raise InputError(
            "only components of bands can be whitened",
            received=f"--whiten with {spec or 'all bands'}",
            allowed="techniques that combine bands, such as --bands pca:30",
            remedy="leave --whiten out",
        )
    return whitened(spec)


def training_plan(
    network: str,
    scene: SceneChoice,
    split: SplitChoice,
    schedule: str,
    changes: RecipeOptions = _AS_PUBLISHED,
    training: TrainingOptions = _AS_EVER,
    bands: str | None = None,
) -> TrainingPlan:
    """The training plan of a user's options.

    Args:
        network: Its name, or the path of a Python file with a network of the user's own.
        scene: The scene to train on.
        split: How it is split.
        schedule: "full" or "short".
        changes: What is changed of the network's recipe.
        training: Options of training besides the recipe.
        bands: Specification of the band reduction; None for all bands.

    Raises:
        InputError: An option has no meaning or is out of range.
    """
    # What can be refused without the network's own facts is, since these load Keras.
    network = zoo.known(network)
    _check_numbers(vars(changes))
    reduction = parse(bands).spec if bands else ""
    split_options(split, split.patch or 1)
    gradient_options = replace(training, class_weights=False, flip_rotate=True)
    if network in zoo.BASELINES and (changes != _AS_PUBLISHED or gradient_options != _AS_EVER):
        raise InputError(
            f"{network} is fitted by scikit-learn",
            received="options of gradient descent",
            allowed="--class-weights, --bands and options of the scene and its split",
        )
    facts = zoo.network(network)
    begun = scheduled_recipe(facts, schedule)
    if training.recipe_name == "robust":
        begun = robust_recipe(begun, facts.reconstruction_weight is not None)
    recipe = changed_recipe(begun, changes)
    if facts.tile:
        _check_tile_training(network, training)
    if facts.reconstruction_weight is not None and (training.pseudo_labels or training.teachers):
        raise InputError(
            f"{network} learns from unlabelled pixels with a decoder of its own",
            received="--pseudo-labels or --teacher",
            remedy="leave them out, or name a network without a decoder",
        )
    patch = _patch(scene, split, facts)
    return TrainingPlan(
        network=network,
        scene=scene,
        split=split_options(split, patch),
        recipe=recipe,
        schedule=schedule if changes.epochs is None else "custom",
        seed=split.seed,
        bands=reduction,
        network_sha256=zoo.file_sha256(network),
        **(vars(training) | _patch_options(training, facts, reduction, patch)),
    )


def _check_tile_training(network: str, training: TrainingOptions) -> None:
    """Refuses what is done to patches, for a network that learns from whole tiles.

    Raises:
        InputError: An option asks for it.
    """
    asked = {
        "--brightness-noise": training.brightness_noise,
        "--intra-class-mixup": training.intra_class_mixup,
        "--augment": bool(training.augmentations),
        "--mixup": bool(training.mixup),
        "--pseudo-labels": bool(training.pseudo_labels),
        "--teacher": bool(training.teachers),
    }
    if given := [name for name, value in asked.items() if value]:
        raise InputError(
            f"{network} learns from whole tiles, in which every pixel has a label of its own",
            received=", ".join(given),
            allowed="--flip-rotate, --class-weights, --balanced-sampling and the recipe",
            remedy="leave them out, or name a network of patches",
        )


def _patch(scene: SceneChoice, split: SplitChoice, facts: Network) -> int:
    """Side of the patch: a whole picture, what the user asks for, or the network's own.

    Raises:
        InputError: It is not that of the scene's pictures, or these are not of one size.
        DataError: A picture cannot be read.
    """
    side = picture_side(scene.source, scene.picture_size)
    if side is None:
        return facts.patch if split.patch is None else split.patch
    check_whole_pictures(side, split.patch or side)
    return side


def _patch_options(
    training: TrainingOptions, facts: Network, bands: str, patch: int
) -> dict[str, object]:
    """How a plan changes and samples patches: what the recipe does, and the options change of it.

    The robust recipe leaves out what an input does not have: changes around patches of one pixel,
    and of spectra whose bands are reduced. For a network with a decoder, or of whole tiles, it
    changes no patch.

    Raises:
        InputError: A name or a strength is none, or the input does not have what an option changes.
    """
    from hsitf.train.augmentations import (
        check_input,
        in_order,
        parse_augmentations,
        robust_strengths,
    )

    plain = facts.reconstruction_weight is not None or facts.tile > 0
    robust = training.recipe_name == "robust" and not plain
    given = parse_augmentations(training.augmentations)
    asked = [name for name, strength in given.items() if strength]
    check_input(asked, bands, patch)
    if training.brightness_noise and (twice := {"brightness", "noise"} & set(asked)):
        raise InputError(
            "patches cannot get another brightness and noise in two ways",
            received=f"--brightness-noise with --augment {' and '.join(sorted(twice))}",
            remedy="leave one of them out",
        )
    begun = robust_strengths(not bands, patch > 1) if robust else {}
    if training.brightness_noise:
        begun = {n: s for n, s in begun.items() if n not in ("brightness", "noise")}
    mixup = training.mixup
    return {
        "augmentations": in_order(begun | given),
        "mixup": (ROBUST_MIXUP if robust else 0.0) if mixup is None else float(mixup),
        "balanced_sampling": float(training.balanced_sampling or 0.0),
        "teachers": known_teachers(training.teachers),
    }


def split_options(split: SplitChoice, patch: int) -> SplitOptions:
    """How to split, as a user chose it.

    Args:
        split: The choice.
        patch: Side of the patch in pixels, whatever the choice says.

    Raises:
        InputError: A value is out of range.
    """
    train = _amount(split.train)
    if not 0 <= split.seed <= LARGEST_SEED:
        raise InputError(
            "the seed is out of range", received=split.seed, allowed=f"0 to {LARGEST_SEED}"
        )
    return SplitOptions(
        kind=split.kind,
        train=train,
        patch=patch,
        guard=split.guard,
        seed=split.seed,
        validation_regions=split.validation_regions,
        labelled=split.labelled,
    )


def changed_recipe(recipe: Recipe, changes: RecipeOptions) -> Recipe:
    """A recipe with what a user changes of it.

    Raises:
        InputError: A number is out of range.
    """
    changed = {name: value for name, value in vars(changes).items() if value is not None}
    _check_numbers(changed)
    return replace(recipe, **changed)


def named_network(model: str | None, origin: Path | None) -> str:
    """The network that a verb is asked for: by its name, or by the folder of a trained one.

    Args:
        model: A name in the zoo, or the path of a Python file with a network of the user's own.
        origin: Folder of a run, which knows its network.

    Raises:
        InputError: Neither is given, or there is no such network or run.
        DataError: The run's record is damaged.
    """
    if origin is not None:
        trained = Run.open(origin).record.plan.network
        # The zoo need not know it: its file may be elsewhere, or it was trained elsewhere.
        if model is None or model == trained:
            return trained
        name = zoo.known(model)
        # A file may register layers of its own, which its trained networks hold.
        zoo.facts(name)
        return name
    if model is None:
        raise InputError(
            "no network is named",
            received="neither --model nor --from",
            remedy="give --model with a name of the zoo or a file of your own, or --from with the "
            "folder of a run",
        )
    # A network that was trained elsewhere has runs, although the zoo does not know it.
    return model if _only_on_disk(model) else zoo.known(model)


def _only_on_disk(network: str) -> bool:
    """Whether a network is known by its finished runs alone."""
    elsewhere = network not in zoo.names() and network not in zoo.BASELINES
    return elsewhere and runs.is_finished(network)


def check_origin(
    origin: Path | None, scene: SceneChoice, split: SplitChoice, bands: str | None = None
) -> None:
    """Refuses options that a trained network has decided on already.

    Raises:
        InputError: A run is named together with how to split or train.
    """
    if origin is not None:
        _check_decided(scene, split, bands, "--from with", "--from, or ")


def _check_decided(
    scene: SceneChoice, split: SplitChoice, bands: str | None, received: str, other: str = ""
) -> None:
    decided = [split != SplitChoice(), scene.train_map, scene.drop, scene.keep_all, bands]
    if any(decided):
        raise InputError(
            "a trained network has its split, patch, seed, classes and bands already",
            received=f"{received} options that decide on these",
            remedy=f"leave out {other}--split, --train, --labelled, --train-map, --guard, --patch, "
            "--seed, --drop-class, --keep-all and --bands",
        )


def trained_for(
    network: str,
    scene: SceneChoice,
    split: SplitChoice,
    origin: Path | None,
    progress: Progress,
    bands: str | None = None,
    recipe: str | None = None,
    *,
    train: bool = True,
) -> tuple[Run, SceneChoice]:
    """The trained network that a user selects, and the current location of its scene.

    Args:
        network: Name of the network.
        scene: The scene as the user selects it; the run's own where its source is empty, or the
            built-in scene where no run is named either.
        split: The split as the user selects it, where no run is named.
        origin: Folder of a run; None selects the latest run that matches, or trains one now.
        progress: Receives a message about the run that was found.
        bands: Specification of the band reduction, where no run is named.
        recipe: Recipe of the run, where no run is named; None for a run of any, or one trained now
            with the robust recipe.
        train: Whether a network is trained where none is found.

    Raises:
        InputError: See `open_run` and `find_or_train`; or none is found, and none may be trained.
    """
    if origin is not None:
        run = open_run(network, origin)
        _check_recipe(run, recipe)
    elif _only_on_disk(network):
        _check_decided(scene, split, bands, f"{network}, which was trained elsewhere, with")
        run = latest_run(network, scene, progress)
        _check_recipe(run, recipe)
    else:
        plan = short_plan(network, scene, split, bands, recipe)
        run = find_or_train(plan, progress, any_recipe=recipe is None, may_train=train)
    return run, run.scene_choice(scene)


def short_plan(
    network: str,
    scene: SceneChoice,
    split: SplitChoice,
    bands: str | None = None,
    recipe: str | None = None,
) -> TrainingPlan:
    """How a network is trained where none is at hand: with the short schedule.

    Args:
        network: Name of the network.
        scene: The scene; the built-in one where its source is empty.
        split: How it is split.
        bands: Specification of the band reduction; None for all bands.
        recipe: "paper" or "robust"; the robust one where None, that of the paper for a baseline.

    Raises:
        InputError: An option has no meaning or is out of range.
    """
    known = replace(scene, source=scene.source or BUILT_IN)
    usual = "paper" if network in zoo.BASELINES else DEFAULT_RECIPE
    training = TrainingOptions(recipe_name=recipe or usual)
    return training_plan(network, known, split, "short", training=training, bands=bands)


def _check_recipe(run: Run, recipe: str | None) -> None:
    then = run.record.plan.recipe_name
    if recipe is not None and then != recipe:
        raise InputError(
            f"{run.folder} was trained with another recipe",
            received=f"--recipe {recipe}",
            allowed=then,
            remedy="name another run with --from, or leave --recipe out",
        )


def _check_numbers(changed: Mapping[str, object]) -> None:
    """Refuses numbers that no recipe has; what is particular to one the recipe checks itself."""
    for name, value in changed.items():
        if name != "optimizer" and value is not None and not isinstance(value, int | float):
            raise InputError(
                f"{name.replace('_', ' ')} is not a number",
                received=repr(value),
                allowed="a number",
            )
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise InputError(
                f"{name.replace('_', ' ')} is out of range",
                received=value,
                allowed="finite numbers from 0",
            )


def _amount(text: str | None) -> float | int | None:
    """A share where it is written with a point, else a number of pixels a class."""
    if text is None:
        return None
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        raise InputError(
            "--train is not a number",
            received=text,
            allowed="a share such as 0.65, or a number of pixels a class such as 50",
        ) from None
