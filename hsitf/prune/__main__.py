"""`python -m hsitf.prune`: makes a trained network physically smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsitf import cli

app = cli.app("Prunes a trained network: removes channels, or single weights.")


@app.command()
def prune(
    model: cli.Model,
    scene: Annotated[
        str | None,
        typer.Option("--scene", "-s", help="Scene by name, or a path; the run's, or fields."),
    ] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Folder of a run; else the latest that fits.")
    ] = None,
    criterion: Annotated[
        str, typer.Option("--criterion", "-c", help="What chooses the channels, such as lfp.")
    ] = "l2",
    ratio: Annotated[
        float | None, typer.Option("--ratio", help="Share of the channels to remove.")
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option("--layer", help="NAME=RATIO, other than --ratio for a layer; repeatable."),
    ] = None,
    macs: Annotated[
        float | None,
        typer.Option("--macs", help="Share of the multiply-accumulates to leave, or how many."),
    ] = None,
    parameters: Annotated[
        float | None, typer.Option("--parameters", help="The same of the parameters.")
    ] = None,
    size: Annotated[
        float | None, typer.Option("--bytes", help="The same of the float32 weights' bytes.")
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option("--alpha", help="Single weights below so many standard deviations go."),
    ] = None,
    zeros: Annotated[
        float | None, typer.Option("--zeros", help="Share of the single weights that go.")
    ] = None,
    everywhere: Annotated[
        bool,
        typer.Option("--global/--local", help="Rank channels of all layers together, or of each."),
    ] = False,
    round_to: Annotated[
        int, typer.Option("--round-to", help="Leave a multiple of so many channels.")
    ] = 1,
    least: Annotated[
        int, typer.Option("--least", help="Leave at least so many channels in a layer.")
    ] = 1,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="Layer that loses nothing; repeatable.")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Leave alone what cannot be removed exactly.")
    ] = False,
    cuts: Annotated[
        str, typer.Option("--cuts", help="one-shot, iterative or gradual.")
    ] = "one-shot",
    steps: Annotated[
        int | None, typer.Option("--steps", help="How often to cut and fine-tune.")
    ] = None,
    max_drop: Annotated[
        float | None, typer.Option("--max-drop", help="Points of validation OA it may cost.")
    ] = None,
    curve: Annotated[
        str | None,
        typer.Option("--curve", help="Targets such as 0.2,0.4,0.6: a record and a figure of all."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--groups", help="Only print which channels live together.")
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", help="Of fine-tuning; else as the network was trained."),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option("--lr", help="Of fine-tuning; else the recipe's, with Adam a tenth."),
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
    threads: Annotated[int, typer.Option("--threads", help="For the latency.")] = 1,
    run: Annotated[str | None, typer.Option("--run", help="Name of the new run's folder.")] = None,
) -> None:
    """Cuts and fine-tunes a trained network; writes models/<scene>/<network>/<run>/.

    Name one target: --ratio, --macs, --parameters, --bytes, --alpha or --zeros. The result is a
    trained network like any other: `hsitf.export --from` takes it. Where no trained network is
    at hand it trains one first, with a short schedule. Repeated, the same command resumes an
    interrupted run.
    """
    from hsitf.options import RecipeOptions, SplitChoice, changed_recipe, check_origin, trained_for
    from hsitf.prune.request import asked, layer_ratios
    from hsitf.records import SceneChoice
    from hsitf.train.run import check_name, scheduled
    from hsitf.zoo import Recipe, known, network, trained_by_gradients

    trained_by_gradients(known(model), "pruned")
    choice = SceneChoice(
        scene or "", data_dir, labels, variable, labels_variable, train_map, tuple(drop_class or ())
    )
    chosen = SplitChoice(split, train_share, guard, patch, seed)
    check_origin(origin, choice, chosen, bands)
    given = {
        "ratio": ratio,
        "macs": macs,
        "parameters": parameters,
        "bytes": size,
        "alpha": alpha,
        "zeros": zeros,
    }
    ratios = layer_ratios(layer or [])
    measure, targets = ("", ()) if show else asked(given, curve, bool(ratios))
    cli.load_keras()
    from hsitf.prune.criteria import known as known_criterion
    from hsitf.prune.curve import curve as pruned_curve
    from hsitf.prune.curve import sparse as sparse_curve
    from hsitf.prune.curve import table as curve_table
    from hsitf.prune.order import STEPS, Order
    from hsitf.prune.plans import Cutting
    from hsitf.prune.run import prune as pruned
    from hsitf.prune.sparse_curve import table as sparse_table
    from hsitf.prune.table import table
    from hsitf.prune.tracing import groups
    from hsitf.train.tuning import tuning

    known_criterion(criterion)
    cutting = Cutting(
        ratios=ratios,
        everywhere=everywhere,
        round_to=round_to,
        least=least,
        ignored=tuple(ignore or ()),
        exact=exact,
    )
    fitting = RecipeOptions(epochs=epochs, learning_rate=learning_rate)

    def orders(recipe: Recipe) -> list[Order]:
        often = STEPS.get(cuts, 1) if steps is None else steps
        return [
            Order(
                measure,
                target,
                changed_recipe(tuning(recipe), fitting),
                criterion,
                cutting,
                cuts,
                often,
                max_drop,
            )
            for target in targets
        ]

    # What can be refused is refused before a network is trained for it.
    orders(scheduled(network(model), "short"))
    if run is not None:
        check_name(run)
    with cli.Terminal() as progress:
        then, now = trained_for(model, choice, chosen, origin, progress, bands)
        if show:
            print("\n".join(map(str, groups(then.network()))))
            return
        asked_for = orders(then.record.plan.recipe)
        if curve is not None and measure == "alpha":
            sparse, folder = sparse_curve(then, asked_for, run, progress, now)
            text = f"{sparse_table(sparse)}\nRecord and figures: {folder}."
        elif curve is not None:
            found, folder = pruned_curve(then, asked_for, run, progress, now, threads)
            text = f"{curve_table(found)}\nRecord and figures: {folder}."
        else:
            finished = pruned(then, asked_for[0], run, progress, now, threads)
            told = table(finished.record)
            text = f"{told}\nThinned network: {finished.folder}."
    print(text)


if __name__ == "__main__":
    cli.run(app)
