"""`hsitf sweep`: runs a study and keeps what it finds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.commands.next_step import print_next
from hsitf.log_silencing import load_keras
from hsitf.progress import Terminal

app = application("Runs studies: grids of networks, bands, prunings and quantizations.")


@verb(app)
def sweep(
    study: Annotated[
        str,
        typer.Argument(
            help="compression, indian-pines, learning-curves, lfp, lfp-imagenet, recipe-parts, "
            "unseen-ground, zoo; or a .toml."
        ),
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="The size of a shipped study for two cores.")
    ] = False,
    scene: Annotated[
        str | None,
        typer.Option(
            "--scene", "-s", help="Scene in place of the study's: a name, or a cube's path."
        ),
    ] = None,
    grids: Annotated[
        str | None,
        typer.Option("--grids", help="Of its grids, these alone: reference,bits."),
    ] = None,
    networks: Annotated[
        str | None,
        typer.Option("--networks", help="Of its networks, these alone: hu,svm_grid."),
    ] = None,
    splits: Annotated[
        int | None, typer.Option("--splits", help="Of its splits (seeds), so many at most.")
    ] = None,
    labelled: Annotated[
        str | None,
        typer.Option("--labelled", help="Of its numbers of labelled pixels, these: 5,20,all."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Epochs of training in place of the study's.")
    ] = None,
    data_dir: options.DataDir = None,
    labels: options.Labels = None,
    variable: options.Variable = None,
    labels_variable: options.LabelsVariable = None,
    drop_class: options.DropClass = None,
    train_map: options.TrainMap = None,
    picture_size: options.PictureSize = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Number of processes; else as many as fit.")
    ] = None,
    dask: Annotated[
        str,
        typer.Option(
            "--dask", help="Address of a Dask scheduler in their place, such as tcp://host:8786."
        ),
    ] = "",
    retry: Annotated[
        bool, typer.Option("--retry", help="Try cells again that failed before.")
    ] = False,
    spreadsheet: Annotated[
        bool, typer.Option("--xlsx", help="Write the results as a spreadsheet, too.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the results; else in studies/.")
    ] = None,
) -> None:
    """Runs every cell of a study; writes studies/<study>-<scene>/ with results.csv and means.csv.

    --grids, --networks, --splits, --labelled and --epochs run a part of it, in the same folder.
    Repeated, the same command resumes an interrupted sweep and repeats no finished cell. Cells
    that fail are written down with their message, and the others go on.
    """
    from hsitf.records import SceneChoice
    from hsitf.sweep.cluster import check
    from hsitf.sweep.options import SweepOptions
    from hsitf.sweep.selection import StudySelection, parse_labelled, parse_words, select
    from hsitf.sweep.study import parse, read_study_text

    selection = StudySelection(
        parse_words(networks), splits, parse_labelled(labelled), epochs, parse_words(grids)
    )
    read = select(parse(*read_study_text(study, quick), scene), selection)
    choice = SceneChoice(
        "",
        data_dir,
        labels,
        variable,
        labels_variable,
        train_map,
        tuple(drop_class or ()),
        picture_size=picture_size,
    )
    means = SweepOptions(choice, workers, dask, retry, spreadsheet)
    check()
    load_keras()
    from hsitf.sweep.run import sweep as swept
    from hsitf.sweep.table import format_study

    with Terminal() as progress:
        results = swept(read, out, means, progress)
    print(format_study(results))
    print_next("report", results.folder)
    if results.failed:
        print(
            f"hsitf: cells that failed: {len(results.failed)}; mend what they say, and repeat the "
            "command with --retry.",
            file=sys.stderr,
        )
        raise typer.Exit(1)
