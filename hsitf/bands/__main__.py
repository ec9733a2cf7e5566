"""`python -m hsitf.bands`: compares reductions of bands, by what they cost and what is left."""

from __future__ import annotations

from typing import Annotated

import typer

from hsitf import cli

app = cli.app("Compares reductions of bands on a scene.")


@app.command()
def bands(
    reductions: Annotated[
        list[str] | None,
        typer.Argument(help="Such as pca:30 nmf:30, or pca nmf with --components; --bands alike."),
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option("--bands", help="A reduction such as pca:30; repeatable.")
    ] = None,
    components: Annotated[
        str | None,
        typer.Option("--components", help="Of each technique: 10,20,30 or from:to:step."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Network or baseline to judge by; repeatable."),
    ] = None,
    scene: cli.SceneName = "fields",
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
    schedule: Annotated[
        str, typer.Option("--schedule", help="full (the paper's epochs) or short.")
    ] = "short",
    epochs: Annotated[int | None, typer.Option("--epochs", help="Instead of those.")] = None,
    runs: Annotated[
        int, typer.Option("--runs", help="Train so often, with seeds that follow.")
    ] = 1,
    run: Annotated[str | None, typer.Option("--run", help="Name of the record.")] = None,
) -> None:
    """Fits reductions to the training pixels, times them, and trains networks on what is left.

    Prints a table and writes its record and figures to models/<scene>/bands/. Networks are runs
    like any other: finished ones are not trained again, and what is asked for later joins the
    same record.
    """
    from hsitf.options import RecipeOptions, SplitChoice
    from hsitf.records import SceneChoice
    from hsitf.reduction.request import Ask, spread
    from hsitf.train.run import check_name
    from hsitf.zoo import known

    texts = spread([*(reductions or []), *(also or [])], components)
    models = tuple(dict.fromkeys(map(known, model or [])))
    choice = SceneChoice(
        scene, data_dir, labels, variable, labels_variable, train_map, tuple(drop_class or ())
    )
    ask = Ask(
        texts,
        models,
        runs,
        choice,
        SplitChoice(split, train_share, guard, patch, seed),
        schedule,
        RecipeOptions(epochs=epochs),
    )
    name = run or f"{split}-{schedule if epochs is None else 'custom'}-runs{runs}-from{seed}"
    check_name(name)
    cli.load_keras()
    from hsitf.reduction.report import report

    with cli.Terminal() as progress:
        printed = report(ask, name, progress)
    print(printed)


if __name__ == "__main__":
    cli.run(app)
