"""`python -m hsitf.train`: trains a network of the literature on a scene."""

from __future__ import annotations

from typing import Annotated

import typer

from hsitf import cli

app = cli.app("Trains a network of the literature on a scene.")


@app.command()
def train(
    model: cli.Model,
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
    bands: cli.Bands = None,
    schedule: Annotated[
        str, typer.Option("--schedule", help="full (the paper's epochs) or short.")
    ] = "full",
    epochs: Annotated[int | None, typer.Option("--epochs", help="Instead of the paper's.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Instead of the paper's.")] = None,
    optimizer: Annotated[
        str | None, typer.Option("--optimizer", help="Instead of the paper's.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--lr", help="Instead of the paper's.")
    ] = None,
    momentum: Annotated[float | None, typer.Option("--momentum", help="Of SGD.")] = None,
    l2: Annotated[float | None, typer.Option("--l2", help="Weight decay.")] = None,
    turn: Annotated[
        bool, typer.Option("--turn/--no-turn", help="Show patches turned and mirrored at random.")
    ] = True,
    radiation: Annotated[
        bool, typer.Option("--radiation", help="Show some patches in another light, with noise.")
    ] = False,
    mixture: Annotated[
        bool, typer.Option("--mixture", help="Show some patches mixed with one of their class.")
    ] = False,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="Weight classes by their inverse frequency.")
    ] = False,
    patience: Annotated[
        int, typer.Option("--patience", help="Stop after so many epochs without gain; 0: never.")
    ] = 0,
    precision: Annotated[
        str, typer.Option("--precision", help="float32, mixed_float16 or mixed_bfloat16.")
    ] = "float32",
    xla: Annotated[bool, typer.Option("--xla", help="Compile TensorFlow's step with XLA.")] = False,
    backend: Annotated[
        str | None, typer.Option("--backend", help="tensorflow, jax or torch.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or gpu (all there are).")] = (
        "auto"
    ),
    runs: Annotated[
        int, typer.Option("--runs", help="Train so often, with seeds that follow.")
    ] = 1,
    run: Annotated[str | None, typer.Option("--run", help="Name of the run's folder.")] = None,
) -> None:
    """Trains a network and writes models/<scene>/<network>/<run>/.

    By default with the paper's optimizer, schedule and batch. Repeated, the same command
    resumes an interrupted run.
    """
    from hsitf.zoo import known

    known(model)
    from hsitf.train.devices import choose, use

    use(backend, device)
    cli.load_keras()
    choose(device)
    from hsitf.options import RecipeOptions, SplitChoice, Teaching, training_plan
    from hsitf.records import SceneChoice
    from hsitf.train.repeat import repeat, table
    from hsitf.train.run import train as run_plan

    plan = training_plan(
        model,
        SceneChoice(
            scene, data_dir, labels, variable, labels_variable, train_map, tuple(drop_class or ())
        ),
        SplitChoice(split, train_share, guard, patch, seed),
        schedule,
        RecipeOptions(optimizer, learning_rate, batch, epochs, momentum, l2),
        Teaching(turn, radiation, mixture, balanced, patience, precision, xla),
        bands,
    )
    if runs > 1:
        with cli.Terminal() as progress:
            summary, place = repeat(plan, runs, run, progress)
        print(f"{table(summary)}\nRecord: {place}.")
        return
    with cli.Terminal() as progress:
        finished = run_plan(plan, run, progress)
    record = finished.record
    synthetic = " (synthetic scene)" if record.scene.synthetic else ""
    print(
        f"{finished.folder}: OA {record.scores.oa:.2%}, AA {record.scores.aa:.2%}, "
        f"kappa {record.scores.kappa:.4f} on {record.split.test:,} test pixels{synthetic}; "
        f"leakage {record.split.leakage_patch:.1%}; {record.seconds:.0f} s"
    )


if __name__ == "__main__":
    cli.run(app)
