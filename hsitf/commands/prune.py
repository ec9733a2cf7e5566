"""`hsitf prune`: makes a trained network physically smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands import options, pruning_options, tuning_options
from hsitf.commands.application import application, verb
from hsitf.commands.next_step import print_export
from hsitf.commands.options import with_options
from hsitf.log_silencing import load_keras
from hsitf.progress import Terminal

if TYPE_CHECKING:
    from hsitf.options import SplitChoice
    from hsitf.progress import Progress
    from hsitf.prune.config import PruningConfig
    from hsitf.prune.options import (
        CriterionOptions,
        PruningOptions,
        ScheduleOptions,
        TargetOptions,
        TuningOptions,
    )
    from hsitf.records import SceneChoice
    from hsitf.runs import Run

app = application("Prunes a trained network: removes channels, or single weights.")

# Options of version 0.1 by their former names.
RENAMED = {
    "--zeros": "--sparsity",
    "--least": "--min-channels",
    "--cuts": "--schedule",
    "--steps": "--iterations",
}


@verb(app, RENAMED)
@with_options(
    scene=options.run_scene,
    split=options.split_choice,
    criterion=pruning_options.criterion_options,
    target=pruning_options.target_options,
    limits=pruning_options.limit_options,
    schedule=pruning_options.schedule_options,
    tuning=tuning_options.tuning_options,
)
def prune(
    *,
    model: options.OptionalModel = None,
    origin: options.FromRun = None,
    bands: options.Bands = None,
    scene: SceneChoice,
    split: SplitChoice,
    criterion: CriterionOptions,
    target: TargetOptions,
    limits: PruningConfig,
    schedule: ScheduleOptions,
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
    tuning: TuningOptions,
    threads: options.Threads = 1,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Name of the new run's folder.", rich_help_panel=options.OUTPUT),
    ] = None,
) -> None:
    """Prunes and fine-tunes a trained network; writes models/<scene>/<network>/<run>/.

    Name one target: --ratio, --macs, --parameters, --bytes, --alpha or --sparsity; --layer or
    --prune for layers or kinds of channels; --cluster alone; or --sensitivity to see what each
    dependency group may lose. The result is a trained network like any other: `hsitf export --from`
    takes it. Where no trained network is at hand it trains one first, with a short schedule. With
    --untrained, channels go before that training, or before that of the network named with --from
    is repeated. Repeated, the same command resumes an interrupted run.
    """
    from hsitf.options import check_origin, named_network, short_plan, trained_for
    from hsitf.prune.options import PruningOptions
    from hsitf.prune.schedule import check_schedule
    from hsitf.runs import Run
    from hsitf.train.run import check_name, scheduled_recipe
    from hsitf.zoo import DEFAULT_RECIPE, check_trainable, facts

    name = named_network(model, origin)
    check_trainable(name, "pruned")
    check_origin(origin, scene, split, bands)
    asked = PruningOptions(criterion, target, limits, schedule, tuning)
    check_schedule(schedule.schedule)
    asked.check_criterion()
    if sensitivity:
        asked.check_sensitivity({"--groups": show})
    elif not show:
        # What can be refused is refused before a network is trained for it.
        published = facts(name)
        recipe = scheduled_recipe(published, "short") if published else DEFAULT_RECIPE
        asked.requests(recipe if origin is None else Run.open(origin).record.plan.recipe)
    if run is not None:
        check_name(run)
    load_keras()
    from hsitf.prune.tracing import dependency_groups
    from hsitf.prune.untrained import untrained as untrained_run
    from hsitf.prune.untrained import untrained_like

    with Terminal() as progress:
        then: Run
        pruned: Run | None = None
        if target.untrained and origin is None:
            then, now = untrained_run(short_plan(name, scene, split, bands), progress), scene
        else:
            then, now = trained_for(name, scene, split, origin, progress, bands)
        if target.untrained and origin is not None:
            then = untrained_like(then, now)
        if show:
            text = "\n".join(map(str, dependency_groups(then.network())))
        elif sensitivity:
            text = _sensitivity(then, asked, run, progress, now)
        else:
            text, pruned = _pruned(then, asked, run, progress, now, threads)
    print(text)
    if pruned is not None:
        print_export(pruned)


def _sensitivity(
    then: Run, asked: PruningOptions, run: str | None, progress: Progress, now: SceneChoice
) -> str:
    """Cuts every group alone; returns the table."""
    from hsitf.prune.sensitivity import format_sensitivity, sensitivity

    how = asked.criterion
    analysis, folder = sensitivity(
        then, how.criterion, asked.config, run, progress, now, how.evidence_batches
    )
    return f"{format_sensitivity(analysis)}\nRecord and figures: {folder}."


def _pruned(
    then: Run,
    asked: PruningOptions,
    run: str | None,
    progress: Progress,
    now: SceneChoice,
    threads: int,
) -> tuple[str, Run | None]:
    """Prunes to one target, or to those of a curve; returns the table, and the one network."""
    from hsitf.prune.curve import format_curve, prune_curve, prune_sparse_curve
    from hsitf.prune.run import prune as prune_run
    from hsitf.prune.sparse_curve import format_sparse_curve
    from hsitf.prune.table import format_pruning

    wanted = asked.requests(then.record.plan.recipe)
    if asked.schedule.curve is None:
        finished = prune_run(then, wanted[0], run, progress, now, threads)
        return f"{format_pruning(finished.record)}\nThinned network: {finished.folder}.", finished
    if wanted[0].measure == "alpha":
        sparse, folder = prune_sparse_curve(then, wanted, run, progress, now)
        return f"{format_sparse_curve(sparse)}\nRecord and figures: {folder}.", None
    found, folder = prune_curve(then, wanted, run, progress, now, threads)
    return f"{format_curve(found)}\nRecord and figures: {folder}.", None
