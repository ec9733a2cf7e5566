"""`python -m hsitf.explain`: which bands and pixels a network looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsitf import cli

app = cli.app("Tells which bands and pixels a trained network looks at.")


@app.command()
def explain(
    model: cli.Model,
    scene: Annotated[
        str | None,
        typer.Option("--scene", "-s", help="Scene by name, or a path; the run's, or fields."),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="saliency, gradient-times-input, integrated-gradients, smoothgrad or occlusion.",
        ),
    ] = "saliency",
    pixel: Annotated[str | None, typer.Option("--pixel", help="One pixel: row,col.")] = None,
    of_class: Annotated[
        str | None, typer.Option("--class", help="Mean over a class's test pixels; else over all.")
    ] = None,
    most: Annotated[int, typer.Option("--most", help="Test pixels at most.")] = 200,
    top: Annotated[int, typer.Option("--top", help="Most important bands to name.")] = 10,
    shown: Annotated[
        str | None, typer.Option("--show", help="Bands whose maps are drawn: 0,10,20.")
    ] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Folder of a run; else the latest that fits.")
    ] = None,
    data_dir: cli.DataDir = None,
    labels: cli.Labels = None,
    variable: cli.Variable = None,
    labels_variable: cli.LabelsVariable = None,
    bands: cli.Bands = None,
) -> None:
    """Explains a trained network, or a pruned one, by its gradients or by hiding bands.

    Writes record, arrays and figures beside the run. Where there is no trained network it trains
    one first, with a short schedule.
    """
    from hsitf.explain import request as asked
    from hsitf.options import SplitChoice, check_origin, trained_for
    from hsitf.records import SceneChoice
    from hsitf.zoo import known, trained_by_gradients

    wanted = asked.Request(method, asked.pixel(pixel), of_class, most, top, asked.bands(shown))
    trained_by_gradients(known(model), "explained")
    choice = SceneChoice(scene or "", data_dir, labels, variable, labels_variable)
    check_origin(origin, choice, SplitChoice(), bands)
    cli.load_keras()
    from hsitf.explain.methods import method as named
    from hsitf.explain.run import explain as explained
    from hsitf.explain.run import told

    named(method)
    with cli.Terminal() as progress:
        run, now = trained_for(model, choice, SplitChoice(), origin, progress, bands)
        found, place = explained(run, wanted, progress, now)
    print(told(found, place))


if __name__ == "__main__":
    cli.run(app)
