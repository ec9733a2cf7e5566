"""`hsitf bands`: compares reductions of bands, by what they cost and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.commands.options import with_options
from hsitf.log_silencing import load_keras
from hsitf.progress import Terminal

if TYPE_CHECKING:
    from hsitf.options import SplitChoice
    from hsitf.records import SceneChoice

app = application("Compares band reductions on a scene.")


@verb(app)
@with_options(scene=options.new_scene, split=options.split_choice)
def bands(
    *,
    reductions: Annotated[
        list[str] | None,
        typer.Argument(help="Such as pca:30 nmf:30, or pca nmf with --components; --bands alike."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="Network or baseline to train on the components; repeatable."
        ),
    ] = None,
    scene: SceneChoice,
    split: SplitChoice,
    also: Annotated[
        list[str] | None, typer.Option("--bands", help="A reduction such as pca:30; repeatable.")
    ] = None,
    components: Annotated[
        str | None,
        typer.Option(
            "--components",
            help="Numbers of components of each technique: 10,20,30 or from:to:step.",
        ),
    ] = None,
    whiten: Annotated[
        bool,
        typer.Option(
            "--whiten",
            help="Components of unit deviation each, of all reductions named: pca as pca-whiten.",
        ),
    ] = False,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            help="full (the paper's epochs) or short.",
            rich_help_panel=options.TRAINING,
        ),
    ] = "short",
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", help="Epochs in place of the schedule's.", rich_help_panel=options.TRAINING
        ),
    ] = None,
    runs: Annotated[
        int,
        typer.Option(
            "--runs",
            help="Number of trainings, with consecutive seeds.",
            rich_help_panel=options.TRAINING,
        ),
    ] = 1,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Name of the record.", rich_help_panel=options.OUTPUT),
    ] = None,
) -> None:
    """Fits band reductions to the training pixels, times them, and trains networks on them.

    Prints a table and writes its record and figures to models/<scene>/bands/. Networks are runs
    like any other: finished ones are not trained again, and what is asked for later joins the
    same record.
    """
    from hsitf.band_comparison.request import ComparisonRequest, expand_techniques
    from hsitf.options import RecipeOptions, band_reduction
    from hsitf.train.run import check_name
    from hsitf.zoo import known

    texts = expand_techniques([*(reductions or []), *(also or [])], components)
    specs = tuple(band_reduction(text, whiten) or text for text in texts)
    models = tuple(dict.fromkeys(map(known, model or [])))
    wanted = ComparisonRequest(
        specs,
        models,
        runs,
        scene,
        split,
        schedule,
        RecipeOptions(epochs=epochs),
    )
    name = (
        run
        or f"{split.kind}-{schedule if epochs is None else 'custom'}-runs{runs}-from{split.seed}"
    )
    check_name(name)
    load_keras()
    from hsitf.band_comparison.report import write_comparison

    with Terminal() as progress:
        printed = write_comparison(wanted, name, progress)
    print(printed)
