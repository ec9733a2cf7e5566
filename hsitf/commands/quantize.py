"""`hsitf quantize`: how few bits a trained network bears, and where it loses accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.commands.next_step import print_next
from hsitf.commands.options import with_options
from hsitf.log_silencing import load_keras
from hsitf.progress import Terminal

if TYPE_CHECKING:
    from hsitf.options import SplitChoice
    from hsitf.records import SceneChoice

app = application("Simulates the quantization of a trained network to few bits.")

# Options of version 0.1 by their former names.
RENAMED = {"--most": "--max-samples"}


@verb(app, RENAMED)
@with_options(scene=options.run_scene, split=options.split_choice)
def quantize(
    *,
    model: options.OptionalModel = None,
    origin: options.FromRun = None,
    bands: options.Bands = None,
    scene: SceneChoice,
    split: SplitChoice,
    bits: Annotated[
        list[str] | None,
        typer.Option(
            "--bits",
            help="ACTIVATIONS,WEIGHTS,ACCUMULATORS, as 8,8,32; repeatable.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(
            "--grid",
            help="All combinations of these numbers of bits: 4,8,16,32.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = None,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers",
            help="Sensitivity of each layer, with one --bits.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = False,
    weights: Annotated[
        str,
        typer.Option(
            "--weights",
            help="Weight scales: one a channel (per-channel), or one a tensor.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = "channel",
    activations: Annotated[
        str,
        typer.Option(
            "--activations",
            help="symmetric, or asymmetric as in .tflite files.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = "symmetric",
    calibration: Annotated[
        str,
        typer.Option(
            "--calibration",
            help="Calibration: ranges by min-max, percentile, mse or kl.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = "min-max",
    patches: Annotated[
        int,
        typer.Option(
            "--patches",
            help="Training patches that ranges are measured on.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = 512,
    max_samples: Annotated[
        int,
        typer.Option(
            "--max-samples",
            help="Test pixels to evaluate; 0: all.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = 0,
) -> None:
    """Evaluates a network whose activations, weights and accumulators have few bits.

    Prints a table and writes its record and figures beside the trained network. Where there is
    none yet it trains one first, with a short schedule. Triples that the record holds already
    are not computed again.
    """
    from hsitf.errors import InputError
    from hsitf.options import check_origin, named_network, trained_for
    from hsitf.quantize.range_estimation import known_estimator as known_method
    from hsitf.quantize.request import BitStudyRequest, parse_bit_triples
    from hsitf.quantize.schemes import Scheme
    from hsitf.zoo import check_trainable

    wanted = parse_bit_triples(bits or (["8,8,32"] if layers and grid is None else []), grid)
    if layers and len(wanted) > 1:
        raise InputError(
            "the report of layers is of one triple",
            received=f"{len(wanted)} triples",
            remedy="give one --bits with --layers",
        )
    request = BitStudyRequest(
        Scheme(weights, activations, known_method(calibration)), max_samples, patches
    )
    network = named_network(model, origin)
    check_trainable(network, "quantized")
    check_origin(origin, scene, split, bands)
    load_keras()
    from hsitf.quantize.report import report_layers, report_study

    with Terminal() as progress:
        run, now = trained_for(network, scene, split, origin, progress, bands)
        report = (
            report_layers(run, wanted[0], request, progress, now)
            if layers
            else report_study(run, wanted, request, progress, now)
        )
    print(report)
    print_next("export", "--from", run.folder, "--int8", "--max-drop", 0.5)
