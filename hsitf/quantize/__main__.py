"""`python -m hsitf.quantize`: how few bits a trained network bears, and where it loses accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsitf import cli

app = cli.app("Simulates a trained network in few bits.")


@app.command()
def quantize(
    model: cli.Model,
    scene: Annotated[
        str | None,
        typer.Option("--scene", "-s", help="Scene by name, or a path; the run's, or fields."),
    ] = None,
    bits: Annotated[
        list[str] | None,
        typer.Option("--bits", help="ACTIVATIONS,WEIGHTS,ACCUMULATORS, as 8,8,32; repeatable."),
    ] = None,
    grid: Annotated[
        str | None, typer.Option("--grid", help="All triples of such numbers: 4,8,16,32.")
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Report each layer instead, with one --bits.")
    ] = False,
    weights: Annotated[
        str, typer.Option("--weights", help="One scale for each channel, or for the tensor.")
    ] = "channel",
    activations: Annotated[
        str, typer.Option("--activations", help="symmetric, or affine as in .tflite files.")
    ] = "symmetric",
    calibration: Annotated[
        str, typer.Option("--calibration", help="Ranges by min-max, percentile, mse or kl.")
    ] = "min-max",
    patches: Annotated[
        int, typer.Option("--patches", help="Training patches to measure ranges on.")
    ] = 512,
    most: Annotated[int, typer.Option("--most", help="Test pixels to judge on; 0: all.")] = 0,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Folder of a run; else the latest that fits.")
    ] = None,
    data_dir: cli.DataDir = None,
    labels: cli.Labels = None,
    variable: cli.Variable = None,
    labels_variable: cli.LabelsVariable = None,
    drop_class: cli.DropClass = None,
    split: cli.SplitKind = "disjoint",
    train_share: cli.TrainShare = None,
    train_map: cli.TrainMap = None,
    guard: cli.Guard = None,
    patch: cli.Patch = None,
    seed: cli.Seed = 0,
    bands: cli.Bands = None,
) -> None:
    """Judges a network whose activations, weights and accumulators have few bits.

    Prints a table and writes its record and figures beside the trained network. Where there is
    none yet it trains one first, with a short schedule. Triples that the record holds already
    are not computed again.
    """
    from hsitf.errors import InputError
    from hsitf.options import SplitChoice, check_origin, trained_for
    from hsitf.quantize.ranges import known as known_method
    from hsitf.quantize.request import Order, triples
    from hsitf.quantize.schemes import Scheme
    from hsitf.records import SceneChoice
    from hsitf.zoo import known, trained_by_gradients

    wanted = triples(bits or (["8,8,32"] if layers and grid is None else []), grid)
    if layers and len(wanted) > 1:
        raise InputError(
            "the report of layers is of one triple",
            received=f"{len(wanted)} triples",
            remedy="give one --bits with --layers",
        )
    order = Order(Scheme(weights, activations, known_method(calibration)), most, patches)
    trained_by_gradients(known(model), "quantized")
    choice = SceneChoice(
        scene or "", data_dir, labels, variable, labels_variable, train_map, tuple(drop_class or ())
    )
    chosen = SplitChoice(split, train_share, guard, patch, seed)
    check_origin(origin, choice, chosen, bands)
    cli.load_keras()
    from hsitf.quantize.report import report_layers, report_study

    with cli.Terminal() as progress:
        run, now = trained_for(model, choice, chosen, origin, progress, bands)
        report = (
            report_layers(run, wanted[0], order, progress, now)
            if layers
            else report_study(run, wanted, order, progress, now)
        )
    print(report)


if __name__ == "__main__":
    cli.run(app)
