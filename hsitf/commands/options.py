"""Options that several verbs share, each said once.

An option group is a function: its parameters are the options, what it returns is what the verb
is handed. `with_options(scene=run_scene)` puts the group's options where the verb's signature
has the parameter `scene`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from hsitf.options import SplitChoice
    from hsitf.records import SceneChoice

Function = TypeVar("Function", bound=Callable[..., Any])

# Panels of `--help`.
NETWORK = "Network"
SCENE = "Scene"
SPLIT = "Split"
TRAINING = "Training"
OUTPUT = "Output"
PRUNING = "Pruning"
QUANTIZATION = "Quantization"
VARIANT = "Files"
INFERENCE = "Inference"
SAMPLES = "Pixels"
METHOD = "Method"
MEASUREMENT = "Measurement"
TARGETS = "Targets"
ANDROID = "Android"

Model = Annotated[
    str,
    typer.Option("--model", "-m", help="Network, by its name in the zoo.", rich_help_panel=NETWORK),
]
# Where a trained network can be named in its place.
OptionalModel = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Network, by its name in the zoo.", rich_help_panel=NETWORK),
]
FromRun = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Folder of a trained network; else the latest that fits --model.",
        rich_help_panel=NETWORK,
    ),
]
Bands = Annotated[
    str | None,
    typer.Option(
        "--bands",
        help="Band reduction: pca:30, forest-rfe:20, select:10,20, nm:450-900.",
        rich_help_panel=NETWORK,
    ),
]
DataDir = Annotated[
    str | None,
    typer.Option("--data-dir", help="Folder that holds the scene's files.", rich_help_panel=SCENE),
]
Labels = Annotated[
    str | None,
    typer.Option("--labels", help="Label map of a cube given by its path.", rich_help_panel=SCENE),
]
Variable = Annotated[
    str | None, typer.Option("--variable", help="Variable of the cube.", rich_help_panel=SCENE)
]
LabelsVariable = Annotated[
    str | None,
    typer.Option("--labels-variable", help="Variable of the label map.", rich_help_panel=SCENE),
]
DropClass = Annotated[
    list[str] | None,
    typer.Option("--drop-class", help="Class to leave out; repeatable.", rich_help_panel=SCENE),
]
TrainMap = Annotated[
    str | None,
    typer.Option(
        "--train-map",
        help="Label map of the training pixels (fixed split).",
        rich_help_panel=SPLIT,
    ),
]
Patch = Annotated[
    int | None,
    typer.Option("--patch", help="Side of the patch in pixels.", rich_help_panel=SPLIT),
]
Threads = Annotated[
    int,
    typer.Option(
        "--threads", help="Threads that latency is measured with.", rich_help_panel=OUTPUT
    ),
]
Backend = Annotated[
    str | None,
    typer.Option("--backend", help="tensorflow, jax or torch.", rich_help_panel=TRAINING),
]


def new_scene(
    scene: Annotated[
        str,
        typer.Option(
            "--scene", "-s", help="Scene by name, or the path of a cube.", rich_help_panel=SCENE
        ),
    ] = "fields",
    data_dir: DataDir = None,
    labels: Labels = None,
    variable: Variable = None,
    labels_variable: LabelsVariable = None,
    drop_class: DropClass = None,
    train_map: TrainMap = None,
) -> SceneChoice:
    """The scene of a verb that trains."""
    from hsitf.records import SceneChoice

    return SceneChoice(
        scene, data_dir, labels, variable, labels_variable, train_map, tuple(drop_class or ())
    )


def run_scene(
    scene: Annotated[
        str | None,
        typer.Option(
            "--scene",
            "-s",
            help="Scene by name, or a path; the trained network's own, or fields.",
            rich_help_panel=SCENE,
        ),
    ] = None,
    data_dir: DataDir = None,
    labels: Labels = None,
    variable: Variable = None,
    labels_variable: LabelsVariable = None,
    drop_class: DropClass = None,
    train_map: TrainMap = None,
) -> SceneChoice:
    """The scene of a verb that takes a trained network or trains one; "" for the network's own."""
    return new_scene(
        scene or "", data_dir, labels, variable, labels_variable, drop_class, train_map
    )


def located_scene(
    scene: Annotated[
        str | None,
        typer.Option(
            "--scene",
            "-s",
            help="Scene by name, or a path; else the network's own.",
            rich_help_panel=SCENE,
        ),
    ] = None,
    data_dir: DataDir = None,
    labels: Labels = None,
    variable: Variable = None,
    labels_variable: LabelsVariable = None,
) -> SceneChoice:
    """The scene of a verb that neither trains nor splits; "" for the network's own."""
    return new_scene(scene or "", data_dir, labels, variable, labels_variable)


def split_choice(
    split: Annotated[
        str,
        typer.Option(
            "--split", help="disjoint (guard band), random (leaks) or fixed.", rich_help_panel=SPLIT
        ),
    ] = "disjoint",
    train_share: Annotated[
        str | None,
        typer.Option(
            "--train",
            help="Training pixels: a share such as 0.65, or a number a class.",
            rich_help_panel=SPLIT,
        ),
    ] = None,
    guard: Annotated[
        int | None,
        typer.Option(
            "--guard", help="Pixels between the sets of a disjoint split.", rich_help_panel=SPLIT
        ),
    ] = None,
    patch: Patch = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", help="Seed of the split, the weights and the order.", rich_help_panel=SPLIT
        ),
    ] = 0,
) -> SplitChoice:
    """Which pixels train, validate and test."""
    from hsitf.options import SplitChoice

    return SplitChoice(split, train_share, guard, patch, seed)


def with_options(**groups: Callable[..., Any]) -> Callable[[Function], Function]:
    """Gives a verb the options of whole groups.

    Args:
        groups: By the name of a parameter of the verb, the group whose options stand in its
            place; the parameter then holds what the group returns.

    Raises:
        TypeError: The verb has no such parameter, or two options share a name.
    """

    def decorate(function: Function) -> Function:
        own = inspect.signature(function).parameters
        if odd := set(groups) - set(own):
            raise TypeError(f"{function.__name__} has no parameter {', '.join(sorted(odd))}")
        options = {name: inspect.signature(group).parameters for name, group in groups.items()}
        shown = []
        for name, parameter in own.items():
            source = groups.get(name, function)
            members = options[name].values() if name in options else [parameter]
            shown += [_evaluated(member, source) for member in members]

        @functools.wraps(function)
        def verb(**given: Any) -> Any:
            taken = {
                name: group(**{option: given.pop(option) for option in options[name]})
                for name, group in groups.items()
            }
            return function(**taken, **given)

        # Typer reads both; a name that occurs twice makes the signature refuse.
        verb.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
        verb.__annotations__ = {one.name: one.annotation for one in shown}
        return verb  # type: ignore[return-value]

    return decorate


def _evaluated(parameter: inspect.Parameter, source: Callable[..., Any]) -> inspect.Parameter:
    """A keyword parameter whose annotation is no text but what the text of its module means."""
    text = parameter.annotation
    meant = eval(text, source.__globals__) if isinstance(text, str) else text
    return parameter.replace(annotation=meant, kind=inspect.Parameter.KEYWORD_ONLY)
