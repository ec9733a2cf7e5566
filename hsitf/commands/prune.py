"""`hsitf prune`: makes a trained network physically smaller."""

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

app = application("Prunes a trained network: removes channels, or single weights.")

# Options of version 0.1 by their former names.
RENAMED = {
    "--zeros": "--sparsity",
    "--least": "--min-channels",
    "--cuts": "--schedule",
    "--steps": "--iterations",
}


@verb(app, RENAMED)
@with_options(scene=options.run_scene, split=options.split_choice)
def prune(
    *,
    model: options.OptionalModel = None,
    origin: options.FromRun = None,
    bands: options.Bands = None,
    scene: SceneChoice,
    split: SplitChoice,
    criterion: Annotated[
        str,
        typer.Option(
            "--criterion",
            "-c",
            help="Importance criterion, such as l2, lfp or taylor, or a sum: 0.7*lfp+0.3*l1.",
            rich_help_panel=options.PRUNING,
        ),
    ] = "l2",
    batches: Annotated[
        int | None,
        typer.Option(
            "--batches",
            help="Batches of samples that the criterion is averaged over; else its own number.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    batch_samples: Annotated[
        int | None,
        typer.Option(
            "--batch-samples",
            help="Samples of each such batch; else the criterion's own number.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(
            "--ratio", help="Share of the channels to remove.", rich_help_panel=options.PRUNING
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            help="NAME=RATIO, other than --ratio for a layer; repeatable.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    macs: Annotated[
        float | None,
        typer.Option(
            "--macs",
            help="Share of the multiply-accumulates to leave, or how many.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    parameters: Annotated[
        float | None,
        typer.Option(
            "--parameters", help="The same of the parameters.", rich_help_panel=options.PRUNING
        ),
    ] = None,
    size: Annotated[
        float | None,
        typer.Option(
            "--bytes",
            help="The same of the float32 weights' bytes.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            "--alpha",
            help="Remove single weights below so many standard deviations.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    layer_alpha: Annotated[
        list[str] | None,
        typer.Option(
            "--layer-alpha",
            help="NAME=ALPHA, other than --alpha for a layer, or for first_convolution, "
            "other_convolutions, other_dense or last_dense; repeatable.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    sparsity: Annotated[
        float | None,
        typer.Option(
            "--sparsity",
            help="Share of the single weights to remove.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    per_layer: Annotated[
        bool,
        typer.Option(
            "--per-layer",
            help="Give every layer that --sparsity; else the smallest weights go.",
            rich_help_panel=options.PRUNING,
        ),
    ] = False,
    cluster: Annotated[
        int,
        typer.Option(
            "--cluster",
            help="Let the weights of each kernel share so many values: alone, or behind --alpha "
            "or --sparsity.",
            rich_help_panel=options.PRUNING,
        ),
    ] = 0,
    untrained: Annotated[
        bool,
        typer.Option(
            "--untrained",
            help="Remove channels of the network before it is trained, then train it.",
            rich_help_panel=options.PRUNING,
        ),
    ] = False,
    global_pruning: Annotated[
        bool,
        typer.Option(
            "--global/--local",
            help="Rank channels of all layers together, or of each.",
            rich_help_panel=options.PRUNING,
        ),
    ] = False,
    round_to: Annotated[
        int,
        typer.Option(
            "--round-to",
            help="Keep a multiple of so many channels a layer.",
            rich_help_panel=options.PRUNING,
        ),
    ] = 1,
    min_channels: Annotated[
        int,
        typer.Option(
            "--min-channels",
            help="Keep at least so many channels a layer.",
            rich_help_panel=options.PRUNING,
        ),
    ] = 1,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            help="Layer to leave as it is; repeatable.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="Keep channels that cannot be removed exactly.",
            rich_help_panel=options.PRUNING,
        ),
    ] = False,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule", help="one-shot, iterative or gradual.", rich_help_panel=options.PRUNING
        ),
    ] = "one-shot",
    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations",
            help="How often to prune and fine-tune.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop",
            help="Points of validation OA that may be lost.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    curve: Annotated[
        str | None,
        typer.Option(
            "--curve",
            help="Targets such as 0.2,0.4,0.6: a record and a figure of all.",
            rich_help_panel=options.PRUNING,
        ),
    ] = None,
    show: Annotated[
        bool,
        typer.Option(
            "--groups",
            help="Only print the dependency groups: which channels are coupled.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    sensitivity: Annotated[
        bool,
        typer.Option(
            "--sensitivity",
            help="Cut every group alone by 10 to 90 %: table, record and figure.",
            rich_help_panel=options.PRUNING,
        ),
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            help="Epochs of fine-tuning; else as the network was trained.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            "--lr",
            help="Learning rate of fine-tuning; else the recipe's, with Adam and no teacher a "
            "tenth.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    distill: Annotated[
        bool,
        typer.Option(
            "--distill",
            help="The network before pruning teaches the pruned one, on unlabelled pixels too.",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            help="With --distill: what softens the probabilities, 1 to 20; else 2.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    teacher_weight: Annotated[
        float | None,
        typer.Option(
            "--teacher-weight",
            help="With --distill: the teacher's share beside a label; else 0.9.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    unlabelled_weight: Annotated[
        float | None,
        typer.Option(
            "--unlabelled-weight",
            help="With --distill: what an unlabelled pixel counts, 0 for none; else 1.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    threads: options.Threads = 1,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Name of the new run's folder.", rich_help_panel=options.OUTPUT),
    ] = None,
) -> None:
    """Prunes and fine-tunes a trained network; writes models/<scene>/<network>/<run>/.

    Name one target: --ratio, --macs, --parameters, --bytes, --alpha or --sparsity; --cluster alone;
    or --sensitivity to see what each dependency group may lose. The result is a trained network
    like any other: `hsitf export --from` takes it. Where no trained network is at hand it trains
    one first, with a short schedule. With --untrained, channels go before that training, or before
    that of the network named with --from is repeated. Repeated, the same command resumes an
    interrupted run.
    """
    from hsitf.options import (
        RecipeOptions,
        changed_recipe,
        check_origin,
        named_network,
        short_plan,
        trained_for,
    )
    from hsitf.prune.combination import EvidenceBatches, check_evidence, criterion_terms
    from hsitf.prune.config import PruningConfig
    from hsitf.prune.parsing import (
        check_sensitivity,
        parse_layer_alphas,
        parse_layer_ratios,
        parse_targets,
    )
    from hsitf.prune.request import DEFAULT_ITERATIONS, PruningRequest, check_schedule
    from hsitf.runs import Run
    from hsitf.train.fine_tuning import distilled_recipe, fine_tuning_recipe
    from hsitf.train.run import check_name, scheduled_recipe
    from hsitf.zoo import DEFAULT_RECIPE, Recipe, check_trainable, facts

    name = named_network(model, origin)
    check_trainable(name, "pruned")
    check_origin(origin, scene, split, bands)
    given = {
        "ratio": ratio,
        "macs": macs,
        "parameters": parameters,
        "bytes": size,
        "alpha": alpha,
        "sparsity": sparsity,
    }
    ratios, alphas = parse_layer_ratios(layer or []), parse_layer_alphas(layer_alpha or [])
    if sensitivity:
        later = {
            **{f"--{name}": value for name, value in given.items()},
            "--layer": layer,
            "--layer-alpha": layer_alpha,
            "--cluster": cluster,
            "--untrained": untrained,
            "--curve": curve,
            "--groups": show,
            "--per-layer": per_layer,
            "--global": global_pruning,
            "--schedule": schedule != "one-shot",
            "--iterations": iterations,
            "--max-drop": max_drop is not None,
            "--epochs": epochs,
            "--learning-rate": learning_rate,
            "--distill": distill,
            "--temperature": temperature,
            "--teacher-weight": teacher_weight is not None,
            "--unlabelled-weight": unlabelled_weight is not None,
        }
        check_sensitivity(later)
        check_evidence(criterion, EvidenceBatches(batches, batch_samples))
    looking = show or sensitivity
    measure, targets = "", tuple[float, ...]()
    if not looking:
        measure, targets = parse_targets(given, curve, bool(ratios), bool(alphas), cluster != 0)
    criterion_terms(criterion)
    looked_at = EvidenceBatches(batches, batch_samples)
    check_schedule(schedule)
    config = PruningConfig(
        ratios=ratios,
        global_pruning=global_pruning,
        round_to=round_to,
        min_channels=min_channels,
        ignored=tuple(ignore or ()),
        exact=exact,
    )
    changes = RecipeOptions(epochs=epochs, learning_rate=learning_rate)

    def requests(trained: Recipe) -> list[PruningRequest]:
        recipe = distilled_recipe(trained) if distill else fine_tuning_recipe(trained)
        if untrained:
            recipe = trained
        often = DEFAULT_ITERATIONS.get(schedule, 1) if iterations is None else iterations
        return [
            PruningRequest(
                measure,
                target,
                changed_recipe(recipe, changes),
                criterion,
                config,
                schedule,
                often,
                max_drop,
                per_layer,
                distill,
                temperature,
                teacher_weight,
                unlabelled_weight,
                alphas,
                cluster,
                batches,
                batch_samples,
                untrained,
            )
            for target in targets
        ]

    # What can be refused is refused before a network is trained for it.
    if origin is not None:
        requests(Run.open(origin).record.plan.recipe)
    else:
        published = facts(name)
        requests(scheduled_recipe(published, "short") if published else DEFAULT_RECIPE)
    if run is not None:
        check_name(run)
    load_keras()
    from hsitf.prune.curve import format_curve, prune_curve, prune_sparse_curve
    from hsitf.prune.run import prune
    from hsitf.prune.sensitivity import format_sensitivity
    from hsitf.prune.sensitivity import sensitivity as measure_sensitivity
    from hsitf.prune.sparse_curve import format_sparse_curve
    from hsitf.prune.table import format_pruning
    from hsitf.prune.tracing import dependency_groups
    from hsitf.prune.untrained import untrained as untrained_run
    from hsitf.prune.untrained import untrained_like

    with Terminal() as progress:
        then: Run
        if untrained and origin is None:
            then, now = untrained_run(short_plan(name, scene, split, bands), progress), scene
        else:
            then, now = trained_for(name, scene, split, origin, progress, bands)
        if untrained and origin is not None:
            then = untrained_like(then, now)
        if show:
            print("\n".join(map(str, dependency_groups(then.network()))))
            return
        if sensitivity:
            analysis, folder = measure_sensitivity(
                then, criterion, config, run, progress, now, looked_at
            )
            print(f"{format_sensitivity(analysis)}\nRecord and figures: {folder}.")
            return
        wanted = requests(then.record.plan.recipe)
        if curve is not None and measure == "alpha":
            sparse, folder = prune_sparse_curve(then, wanted, run, progress, now)
            text = f"{format_sparse_curve(sparse)}\nRecord and figures: {folder}."
        elif curve is not None:
            found, folder = prune_curve(then, wanted, run, progress, now, threads)
            text = f"{format_curve(found)}\nRecord and figures: {folder}."
        else:
            finished = prune(then, wanted[0], run, progress, now, threads)
            table = format_pruning(finished.record)
            text = f"{table}\nThinned network: {finished.folder}."
    print(text)
