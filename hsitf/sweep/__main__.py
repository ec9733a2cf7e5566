"""`python -m hsitf.sweep`: runs a study and keeps what it finds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsitf import cli

app = cli.app("Runs studies: grids of networks, bands, prunings and quantizations.")


@app.command()
def sweep(
    study: Annotated[
        str, typer.Argument(help="compression, lfp or zoo; or the path of a .toml file.")
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="The size of a shipped study for two cores.")
    ] = False,
    scene: Annotated[
        str | None,
        typer.Option("--scene", "-s", help="In place of the study's: a name, or a cube's path."),
    ] = None,
    data_dir: cli.DataDir = None,
    labels: cli.Labels = None,
    variable: cli.Variable = None,
    labels_variable: cli.LabelsVariable = None,
    drop_class: cli.DropClass = None,
    train_map: cli.TrainMap = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes; else as many as fit.")
    ] = None,
    dask: Annotated[
        str, typer.Option("--dask", help="Scheduler in their place, such as tcp://host:8786.")
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

    Repeated, the same command resumes an interrupted sweep and repeats no finished cell. Cells
    that fail are written down with their message, and the others go on.
    """
    from hsitf.records import SceneChoice
    from hsitf.sweep.cluster import check
    from hsitf.sweep.request import Means
    from hsitf.sweep.study import parse, text_of

    read = parse(*text_of(study, quick), scene)
    choice = SceneChoice(
        "", data_dir, labels, variable, labels_variable, train_map, tuple(drop_class or ())
    )
    means = Means(choice, workers, dask, retry, spreadsheet)
    check()
    cli.load_keras()
    from hsitf.sweep.run import sweep as swept
    from hsitf.sweep.table import table

    with cli.Terminal() as progress:
        results = swept(read, out, means, progress)
    print(table(results))
    if results.failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    cli.run(app)
