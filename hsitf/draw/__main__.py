"""`python -m hsitf.draw`: a network as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsitf import cli

app = cli.app("Draws a network.")


@app.command()
def draw(
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Network, by its name in the zoo.")
    ] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Folder of a run, pruned or not, in its place.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", help="Run whose widths to compare with; what was pruned."),
    ] = None,
    inputs: Annotated[int, typer.Option("--inputs", help="Bands or components of --model.")] = 200,
    classes: Annotated[int, typer.Option("--classes", help="Of --model.")] = 16,
    patch: cli.Patch = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="An .svg, .png or .pdf file.")
    ] = None,
) -> None:
    """Writes a drawing: layers with shapes, parameters and multiply-accumulates.

    Of a pruned network each layer shows how much is left of it, as long as the run that it was
    made from is at hand.
    """
    from hsitf.draw.source import Asked, check

    asked = Asked(model, origin, against, inputs, classes, patch)
    check(asked)
    path = out or Path(f"{origin.name if origin else model}.svg")
    cli.load_keras()
    from hsitf.draw.picture import draw as drawn
    from hsitf.draw.source import plans

    found, title = plans(asked)
    drawn(found, title, path)
    print(f"{title}\nWrote {path}.")


if __name__ == "__main__":
    cli.run(app)
