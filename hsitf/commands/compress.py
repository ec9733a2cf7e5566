"""`hsitf compress`: from a trained network to the smallest file that is still right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.commands.next_step import print_map
from hsitf.commands.options import with_options
from hsitf.log_silencing import load_keras
from hsitf.progress import Terminal

if TYPE_CHECKING:
    from hsitf.options import SplitChoice
    from hsitf.records import SceneChoice

app = application("Compresses a network to the smallest file within bounds.")


@verb(app)
@with_options(scene=options.run_scene, split=options.split_choice)
def compress(
    *,
    model: options.OptionalModel = None,
    origin: options.FromRun = None,
    bands: options.Bands = None,
    scene: SceneChoice,
    split: SplitChoice,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop", help="Points of accuracy that may be lost.", rich_help_panel=options.BOUND
        ),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            "--metric", help="Of which accuracy: oa, aa or kappa.", rich_help_panel=options.BOUND
        ),
    ] = "oa",
    max_bytes: Annotated[
        float | None,
        typer.Option("--max-bytes", help="Size of the file.", rich_help_panel=options.BOUND),
    ] = None,
    max_macs: Annotated[
        float | None,
        typer.Option(
            "--max-macs",
            help="Multiply-accumulates of one patch.",
            rich_help_panel=options.BOUND,
        ),
    ] = None,
    max_latency_ms: Annotated[
        float | None,
        typer.Option(
            "--max-latency-ms",
            help="Median latency of one patch here, one thread.",
            rich_help_panel=options.BOUND,
        ),
    ] = None,
    max_arena: Annotated[
        float | None,
        typer.Option(
            "--max-arena",
            help="Bytes of the arena of TensorFlow Lite Micro.",
            rich_help_panel=options.BOUND,
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="Device that the file is made for; hsitf targets lists them.",
            rich_help_panel=options.BOUND,
        ),
    ] = None,
    max_target_cost: Annotated[
        float | None,
        typer.Option(
            "--max-target-cost",
            help="Cost of one inference on the target, in its unit.",
            rich_help_panel=options.BOUND,
        ),
    ] = None,
    variant: Annotated[
        str,
        typer.Option(
            "--variant", help="Kind of the file, such as int8.", rich_help_panel=options.VARIANT
        ),
    ] = "int8",
    minutes: Annotated[
        float,
        typer.Option(
            "--minutes", help="Time of the search, about.", rich_help_panel=options.SEARCH
        ),
    ] = 30.0,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            help="Epochs of fine-tuning after a cut; else what fits.",
            rich_help_panel=options.SEARCH,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            "--lr",
            help="Learning rate of fine-tuning.",
            rich_help_panel=options.SEARCH,
        ),
    ] = None,
    distill: Annotated[
        bool,
        typer.Option(
            "--distill/--no-distill",
            help="Let the original teach, on unlabelled pixels, too.",
            rich_help_panel=options.SEARCH,
        ),
    ] = True,
    round_to: Annotated[
        int,
        typer.Option(
            "--round-to",
            help="Keep a multiple of so many channels a layer.",
            rich_help_panel=options.SEARCH,
        ),
    ] = 1,
    controls: Annotated[
        bool,
        typer.Option(
            "--controls",
            help="Try simpler ways to the same cost, too, to compare.",
            rich_help_panel=options.SEARCH,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what would be tried, and how long it takes.",
            rich_help_panel=options.SEARCH,
        ),
    ] = False,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Name of the new run's folder.", rich_help_panel=options.OUTPUT),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the bundle.", rich_help_panel=options.OUTPUT)
    ] = Path("export"),
) -> None:
    """Cuts, fine-tunes and quantizes until a bound is met; publishes the file with its proof.

    Name one bound or more. Everything is chosen on validation and unlabelled pixels; the test
    pixels evaluate the result. Repeated, the same command resumes an interrupted search; with
    another bound it uses the candidates that are there. Where no trained network is at hand it
    trains one first, with a short schedule.
    """
    from hsitf.compress.bounds import CompressionBounds
    from hsitf.compress.request import CompressionRequest, SearchOptions
    from hsitf.options import check_origin, named_network, trained_for
    from hsitf.train.run import check_name
    from hsitf.zoo import check_trainable

    name = named_network(model, origin)
    check_trainable(name, "compressed")
    check_origin(origin, scene, split, bands)
    bounds = CompressionBounds(
        max_drop,
        metric,
        max_bytes,
        max_macs,
        max_latency_ms,
        max_arena,
        max_target_cost,
        target,
    )
    request = CompressionRequest(
        bounds,
        SearchOptions(variant, epochs, learning_rate, distill, round_to),
        minutes,
        controls,
    )
    if run is not None:
        check_name(run)
    load_keras()
    from hsitf.compress.preparation import check_validation
    from hsitf.compress.run import compress
    from hsitf.compress.schedule import format_schedule
    from hsitf.compress.table import format_compression

    with Terminal() as progress:
        then, now = trained_for(name, scene, split, origin, progress, bands, train=not dry_run)
        if dry_run:
            check_validation(then.record.split.validation, request)
            print(format_schedule(then.record, request))
            return
        done = compress(then, request, run, progress, now, out)
    print(format_compression(done.record))
    print(f"Network, front and candidates: {done.run.folder}.")
    print(f"Published file: {done.bundle.file}.")
    print_map(done.bundle, done.run, now)
