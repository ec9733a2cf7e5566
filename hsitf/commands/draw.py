"""`hsitf draw`: a network as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.log_silencing import load_keras

app = application("Draws a network, or an exported file.")


@verb(app)
def draw(
    model: options.OptionalModel = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Run, bundle, .tflite or .onnx file in its place.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", help="Run whose widths to compare with, to show what was pruned."
        ),
    ] = None,
    inputs: Annotated[int, typer.Option("--inputs", help="Bands or components of --model.")] = 200,
    classes: Annotated[int, typer.Option("--classes", help="Number of classes of --model.")] = 16,
    patch: options.Patch = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="An .svg, .png or .pdf file.")
    ] = None,
) -> None:
    """Writes a drawing: layers with shapes, parameters and multiply-accumulates.

    Of a pruned network each layer shows how much is left of it, as long as the run that it was
    made from is at hand. Of an exported file its operators are drawn, with the shapes, types,
    scales and zero points of its tensors.
    """
    from hsitf.draw.source import DrawingOptions, check_options

    asked = DrawingOptions(model, origin, against, inputs, classes, patch)
    check_options(asked)
    path = out or Path(f"{origin.name if origin else Path(str(model)).stem}.svg")
    load_keras()
    from hsitf.draw.picture import draw as drawn
    from hsitf.draw.source import open_boxes

    found, title = open_boxes(asked)
    drawn(found, title, path)
    print(f"{title}\nWrote {path}.")
