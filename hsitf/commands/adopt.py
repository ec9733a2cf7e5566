"""`hsitf adopt`: makes an ordinary run of a network trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.commands.next_step import print_export
from hsitf.commands.options import with_options
from hsitf.log_silencing import load_keras
from hsitf.progress import Terminal

if TYPE_CHECKING:
    from hsitf.options import SplitChoice
    from hsitf.records import SceneChoice

PREPROCESSING = "Preprocessing"
SHAPES = "Inputs and outputs"

app = application("Adopts a network trained elsewhere: Keras, PyTorch or ONNX.")


@verb(app)
@with_options(scene=options.new_scene, split=options.split_choice)
def adopt(
    *,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The network: .keras, .h5, .onnx, or weights as .pth, .pt, .safetensors.",
        ),
    ],
    name: Annotated[
        str,
        typer.Option(
            "--name", help="Name of the network; else the file's.", rich_help_panel=options.NETWORK
        ),
    ] = "",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Network of the zoo that weights are of; else recognized by shapes.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    normalize: Annotated[
        str,
        typer.Option(
            "--normalize",
            help="band-standard, standard, minmax, band-minmax, none, or a file (JSON, .npz).",
            rich_help_panel=PREPROCESSING,
        ),
    ] = "band-standard",
    statistics: Annotated[
        str,
        typer.Option(
            "--statistics",
            help="Pixels that it is fitted to: training, or scene (all).",
            rich_help_panel=PREPROCESSING,
        ),
    ] = "training",
    bands: Annotated[
        str | None,
        typer.Option(
            "--bands",
            help="Band reduction after it: pca:30, select:10,20, nm:450-900.",
            rich_help_panel=PREPROCESSING,
        ),
    ] = None,
    reverse_bands: Annotated[
        bool,
        typer.Option(
            "--reverse-bands",
            help="The network takes the bands in reverse order.",
            rich_help_panel=PREPROCESSING,
        ),
    ] = False,
    input_axes: Annotated[
        list[str] | None,
        typer.Option(
            "--input-axes",
            help="Axes of an input, such as rows,cols,bands,1; once an input.",
            rich_help_panel=SHAPES,
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option("--output", help="Output to take, of several.", rich_help_panel=SHAPES),
    ] = "",
    class_order: Annotated[
        str,
        typer.Option(
            "--class-order",
            help="Class of each output, by number or name; - for none.",
            rich_help_panel=SHAPES,
        ),
    ] = "",
    background: Annotated[
        str,
        typer.Option(
            "--background",
            help="Place of an output for background: first, last or none.",
            rich_help_panel=SHAPES,
        ),
    ] = "",
    accept_chance: Annotated[
        bool,
        typer.Option(
            "--accept-chance",
            help="Adopt a network that is no better than chance, too.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    scene: SceneChoice,
    split: SplitChoice,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Name of the run's folder.", rich_help_panel=options.OUTPUT),
    ] = None,
) -> None:
    """Checks a network trained elsewhere and writes models/<scene>/<network>/<run>/.

    Every verb then takes it with --from. What is said of its inputs, preprocessing and classes is
    checked on the scene; where it is no better than chance, the usual mistakes are tried.
    """
    from hsitf.adopt.formats import format_of_file
    from hsitf.adopt.inputs import parse_layout
    from hsitf.adopt.preprocessing.options import PreprocessingOptions
    from hsitf.adopt.request import AdoptionRequest
    from hsitf.bands import parse
    from hsitf.options import split_options

    format_of_file(file)
    request = AdoptionRequest(
        source=file,
        scene=scene,
        name=name,
        run=run,
        network=model or "",
        preprocessing=PreprocessingOptions(
            normalize, statistics, parse(bands).spec if bands else "", reverse_bands
        ),
        input_axes=tuple(map(parse_layout, input_axes or ())),
        class_order=tuple(class_order.split(",")) if class_order else (),
        background=background,
        output=output,
        split=split_options(split, split.patch or 1),
        patch=split.patch,
        accept_chance=accept_chance,
    )
    load_keras()
    from hsitf.adopt.run import adopt as adopt_network
    from hsitf.adopt.table import format_adopted

    with Terminal() as progress:
        adopted = adopt_network(request, progress)
    print(format_adopted(adopted))
    print_export(adopted)
