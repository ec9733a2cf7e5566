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
BOUND = "Bounds"
SEARCH = "Search"
VARIANT = "Files"
INFERENCE = "Inference"
SAMPLES = "Pixels"
METHOD = "Method"
MEASUREMENT = "Measurement"
TARGETS = "Targets"
ANDROID = "Android"

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Network: its name in the zoo, or NET.py of your own.",
        rich_help_panel=NETWORK,
    ),
]
# Where a trained network can be named in its place.
OptionalModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="Network: its name in the zoo, or NET.py of your own.",
        rich_help_panel=NETWORK,
    ),
]
FromRun = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Folder of a trained network; else the latest that fits --model.",
        rich_help_panel=NETWORK,
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Run files that are programs (SavedModel), though made elsewhere.",
        rich_help_panel=NETWORK,
    ),
]
Bands = Annotated[
    str | None,
    typer.Option(
        "--bands",
        help="Band reduction: pca:30, pca-whiten:30, forest-rfe:20, select:10,20, nm:450-900.",
        rich_help_panel=NETWORK,
    ),
]
Whiten = Annotated[
    bool,
    typer.Option(
        "--whiten",
        help="Components of unit deviation each: pca:30 as pca-whiten:30.",
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
KeepAll = Annotated[
    bool,
    typer.Option(
        "--keep-all",
        help="Refuse classes too small for a disjoint split; else they are left out.",
        rich_help_panel=SCENE,
    ),
]
PictureSize = Annotated[
    int | None,
    typer.Option(
        "--picture-size",
        help="Rows and cols that the pictures of a folder are resized to.",
        rich_help_panel=SCENE,
    ),
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


def scene_files(
    data_dir: DataDir = None,
    labels: Labels = None,
    variable: Variable = None,
    labels_variable: LabelsVariable = None,
    nodata: Annotated[
        float | None,
        typer.Option(
            "--nodata", help="Value that stands for no data in the cube.", rich_help_panel=SCENE
        ),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option(
            "--axes",
            help="Order of the cube's axes in its file, such as rows,bands,cols.",
            rich_help_panel=SCENE,
        ),
    ] = None,
    all_bands: Annotated[
        bool,
        typer.Option(
            "--all-bands", help="Keep bands that the file calls bad.", rich_help_panel=SCENE
        ),
    ] = False,
    wavelengths: Annotated[
        str | None,
        typer.Option(
            "--wavelengths",
            help="File of band centers, where the cube's has none.",
            rich_help_panel=SCENE,
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes",
            help="File with number, name and color of each class.",
            rich_help_panel=SCENE,
        ),
    ] = None,
    class_column: Annotated[
        str | None,
        typer.Option(
            "--class-column",
            help="Column of a vector layer or table with the class.",
            rich_help_panel=SCENE,
        ),
    ] = None,
    align: Annotated[
        bool,
        typer.Option(
            "--align",
            help="Resample labels on another grid to the cube's.",
            rich_help_panel=SCENE,
        ),
    ] = False,
    picture_size: PictureSize = None,
) -> SceneChoice:
    """Where a scene's files lie and how they are read; the scene itself is not named."""
    from hsitf.records import SceneChoice

    return SceneChoice(
        "",
        data_dir,
        labels,
        variable,
        labels_variable,
        nodata=nodata,
        axes=axes,
        all_bands=all_bands,
        wavelengths=wavelengths,
        classes=classes,
        class_column=class_column,
        align=align,
        picture_size=picture_size,
    )


def trained_pixels(
    drop_class: DropClass = None, keep_all: KeepAll = False, train_map: TrainMap = None
) -> tuple[tuple[str, ...], bool, str | None]:
    """The classes to leave out, whether others may be, and the map of training pixels."""
    return tuple(drop_class or ()), keep_all, train_map


def _scene_group(help_text: str, default: str | None, trains: bool) -> Callable[..., SceneChoice]:
    """A group of options that names a scene and says how it is read.

    Args:
        help_text: Help of `--scene`.
        default: The scene where none is named; None for the network's own.
        trains: Whether the verb trains or splits.
    """

    def group(**given: Any) -> SceneChoice:
        from dataclasses import replace

        source = given.pop("scene") or ""
        own = {
            name: given.pop(name)
            for name in inspect.signature(trained_pixels).parameters
            if name in given
        }
        drop, keep_all, train_map = trained_pixels(**own)
        choice = replace(
            scene_files(**given), source=source, drop=drop, keep_all=keep_all, train_map=train_map
        )
        if not _may_be_printed(source):
            return choice
        from hsitf.runs import named_scene

        return named_scene(choice)

    option = typer.Option("--scene", "-s", help=help_text, rich_help_panel=SCENE)
    scene = inspect.Parameter(
        "scene",
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[str | None, option],
    )
    members = [scene, *_keyword_only(scene_files)]
    members += _keyword_only(trained_pixels) if trains else []
    group.__signature__ = inspect.Signature(members)  # type: ignore[attr-defined]
    return group


def _may_be_printed(source: str) -> bool:
    """Whether a scene may be named as runs print it: no path, and there are runs of the name."""
    return bool(source) and source == Path(source).name and (Path("models") / source).is_dir()


def _keyword_only(function: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]


# The scene of a verb that trains.
new_scene = _scene_group(
    "Scene by name, or the path of a cube or a folder of pictures.", "fields", trains=True
)
# The scene of a verb that takes a trained network or trains one; "" for the network's own.
run_scene = _scene_group(
    "Scene by name, or a path; the trained network's own, or fields.", None, trains=True
)
# The scene of a verb that neither trains nor splits; "" for the network's own.
located_scene = _scene_group("Scene by name, or a path; else the network's own.", None, False)


def split_choice(
    split: Annotated[
        str,
        typer.Option(
            "--split",
            help="disjoint (guard band), random (leaks), fixed or images.",
            rich_help_panel=SPLIT,
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
            "--guard",
            help="Pixels between the sets of a disjoint split, and between regions of an image.",
            rich_help_panel=SPLIT,
        ),
    ] = None,
    patch: Patch = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", help="Seed of the split, the weights and the order.", rich_help_panel=SPLIT
        ),
    ] = 0,
    validation_regions: Annotated[
        bool | None,
        typer.Option(
            "--validation-regions/--no-validation-regions",
            help="Fixed or images: validate on regions apart from training.",
            rich_help_panel=SPLIT,
        ),
    ] = None,
    labelled: Annotated[
        int | None,
        typer.Option(
            "--labelled",
            help="Keep so many labelled pixels a class for training, and for validation.",
            rich_help_panel=SPLIT,
        ),
    ] = None,
) -> SplitChoice:
    """Which pixels train, validate and test."""
    from hsitf.options import SplitChoice

    return SplitChoice(split, train_share, guard, patch, seed, validation_regions, labelled)


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
