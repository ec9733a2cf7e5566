"""`hsitf explain`: what a network looks at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.commands.options import with_options
from hsitf.log_silencing import load_keras
from hsitf.progress import Terminal

if TYPE_CHECKING:
    from hsitf.records import SceneChoice

app = application("Shows which bands and pixels a network uses, before and after compression.")

# Options of version 0.1 by their former names.
RENAMED = {"--most": "--max-samples", "--apart": "--min-distance"}


@verb(app, RENAMED)
@with_options(scene=options.located_scene)
def explain(
    *,
    model: options.OptionalModel = None,
    origin: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="Run, bundle or pruning curve; repeatable, compared with the first.",
        ),
    ] = None,
    trust: options.Trust = False,
    bands: options.Bands = None,
    scene: SceneChoice,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="saliency, gradient-times-input, integrated-gradients, smoothgrad, "
            "guided-backpropagation, grad-cam, occlusion, activation or weight.",
        ),
    ] = "saliency",
    pixel: Annotated[
        str | None,
        typer.Option(
            "--pixel", help="ROW,COL; else means over test pixels.", rich_help_panel=options.SAMPLES
        ),
    ] = None,
    class_name: Annotated[
        str,
        typer.Option(
            "--class",
            help="Class to explain; else the pixel's, or each in turn.",
            rich_help_panel=options.SAMPLES,
        ),
    ] = "",
    max_samples: Annotated[
        int | None,
        typer.Option(
            "--max-samples",
            help="Test pixels of a class: 200, of files without gradients 10.",
            rich_help_panel=options.SAMPLES,
        ),
    ] = None,
    layer: Annotated[
        str,
        typer.Option(
            "--layer",
            help="Layer, for activation (else the logits) and grad-cam (else the last maps).",
            rich_help_panel=options.METHOD,
        ),
    ] = "",
    filters: Annotated[
        str | None,
        typer.Option(
            "--filter", help="Filters of the layer, such as 0,3,7.", rich_help_panel=options.METHOD
        ),
    ] = None,
    weight: Annotated[
        str,
        typer.Option(
            "--weight",
            help="LAYER/WEIGHT, for the method weight, such as dense1/bias.",
            rich_help_panel=options.METHOD,
        ),
    ] = "",
    show: Annotated[
        str | None,
        typer.Option(
            "--show",
            help="Bands or components to draw, from 0 as in --bands select; else ten.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    top: Annotated[
        int,
        typer.Option(
            "--top", help="Number of most important bands to list.", rich_help_panel=options.OUTPUT
        ),
    ] = 10,
    min_distance: Annotated[
        int,
        typer.Option(
            "--min-distance",
            help="Smallest distance of two bands in that list.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = 1,
    noise: Annotated[
        float,
        typer.Option(
            "--noise",
            help="Noise level of smoothgrad, relative to the range of the patch.",
            rich_help_panel=options.METHOD,
        ),
    ] = 0.1,
    copies: Annotated[
        int,
        typer.Option(
            "--copies", help="Noisy copies of smoothgrad.", rich_help_panel=options.METHOD
        ),
    ] = 25,
    window: Annotated[
        int,
        typer.Option(
            "--window",
            help="Neighboring bands that are occluded together.",
            rich_help_panel=options.METHOD,
        ),
    ] = 1,
    iterations: Annotated[
        int,
        typer.Option(
            "--iterations", help="Steps of activation maximization.", rich_help_panel=options.METHOD
        ),
    ] = 128,
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of methods that draw random numbers.")
    ] = 0,
    backend: options.Backend = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder; else beside the network.", rich_help_panel=options.OUTPUT
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--name", help="Name of the record and figures.", rich_help_panel=options.OUTPUT
        ),
    ] = "",
) -> None:
    """Writes maps, the importance of bands, figures and a record; prints the bands that matter.

    With --model the latest trained network of that scene (or one trained now, with a short
    schedule); with --from any runs or exported files of one scene, side by side: each is compared
    with the first. Without --pixel and --class, every class is explained by its test pixels.
    """
    from hsitf.errors import InputError
    from hsitf.options import SplitChoice, check_origin, named_network, trained_for
    from hsitf.train.devices import use_backend

    if not model and not origin:
        raise InputError(
            "nothing to explain",
            received="neither --model nor --from",
            remedy="give --model cao, or --from with folders of runs or bundles",
        )
    check_origin(origin[0] if origin else None, scene, SplitChoice(), bands)
    if model:
        model = named_network(model, None)
    from hsitf.explain.methods import MethodSettings, known
    from hsitf.explain.request import ExplanationOptions, parse_numbers
    from hsitf.explain.request import parse_pixel as place
    from hsitf.train.run import check_name

    if name:
        check_name(name)
    wanted = ExplanationOptions(
        known(method),
        MethodSettings(layer, weight, noise, copies, window, iterations, seed),
        place(pixel) if pixel else None,
        class_name,
        parse_numbers(filters, "--filter") if filters else (),
        max_samples,
        parse_numbers(show, "--show") if show else (),
        top,
        min_distance,
        name,
        out,
    )
    use_backend(backend)
    load_keras()
    from hsitf.explain.run import explain as explained
    from hsitf.explain.table import format_summary
    from hsitf.trust import programs_trusted

    with programs_trusted(trust), Terminal() as progress:
        folders = list(origin or [])
        if model and not folders:
            run, scene = trained_for(model, scene, SplitChoice(), None, progress, bands)
            folders = [run.folder]
        done, written = explained(folders, scene, wanted, progress, model)
    print(format_summary(done.record, written, done.scene.wavelengths))
