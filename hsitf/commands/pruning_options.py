"""The options of `hsitf prune`, in groups; each group is turned at once into what it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands.options import PRUNING

if TYPE_CHECKING:
    from hsitf.prune.config import PruningConfig
    from hsitf.prune.options import (
        CriterionOptions,
        ScheduleOptions,
        TargetOptions,
    )


def criterion_options(
    criterion: Annotated[
        str,
        typer.Option(
            "--criterion",
            "-c",
            help="Importance criterion, such as l2, lfp or taylor, or a sum: 0.7*lfp+0.3*l1.",
            rich_help_panel=PRUNING,
        ),
    ] = "l2",
    batches: Annotated[
        int | None,
        typer.Option(
            "--batches",
            help="Batches of samples that the criterion is averaged over; else its own number.",
            rich_help_panel=PRUNING,
        ),
    ] = None,
    batch_samples: Annotated[
        int | None,
        typer.Option(
            "--batch-samples",
            help="Samples of each such batch; else the criterion's own number.",
            rich_help_panel=PRUNING,
        ),
    ] = None,
) -> CriterionOptions:
    """How channels are compared."""
    from hsitf.prune.options import CriterionOptions

    return CriterionOptions(criterion, batches, batch_samples)


def target_options(
    ratio: Annotated[
        float | None,
        typer.Option("--ratio", help="Share of the channels to remove.", rich_help_panel=PRUNING),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            help="NAME=RATIO, other than --ratio for a layer; repeatable.",
            rich_help_panel=PRUNING,
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--prune",
            help="KIND=RATIO, other than --ratio for all heads, keys, values, mlp, embedding, "
            "filters or units; repeatable.",
            rich_help_panel=PRUNING,
        ),
    ] = None,
    macs: Annotated[
        float | None,
        typer.Option(
            "--macs",
            help="Share of the multiply-accumulates to leave, or how many.",
            rich_help_panel=PRUNING,
        ),
    ] = None,
    parameters: Annotated[
        float | None,
        typer.Option("--parameters", help="The same of the parameters.", rich_help_panel=PRUNING),
    ] = None,
    size: Annotated[
        float | None,
        typer.Option(
            "--bytes", help="The same of the float32 weights' bytes.", rich_help_panel=PRUNING
        ),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            "--alpha",
            help="Remove single weights below so many standard deviations.",
            rich_help_panel=PRUNING,
        ),
    ] = None,
    layer_alpha: Annotated[
        list[str] | None,
        typer.Option(
            "--layer-alpha",
            help="NAME=ALPHA, other than --alpha for a layer, or for first_convolution, "
            "other_convolutions, other_dense or last_dense; repeatable.",
            rich_help_panel=PRUNING,
        ),
    ] = None,
    sparsity: Annotated[
        float | None,
        typer.Option(
            "--sparsity", help="Share of the single weights to remove.", rich_help_panel=PRUNING
        ),
    ] = None,
    per_layer: Annotated[
        bool,
        typer.Option(
            "--per-layer",
            help="Give every layer that --sparsity; else the smallest weights go.",
            rich_help_panel=PRUNING,
        ),
    ] = False,
    cluster: Annotated[
        int,
        typer.Option(
            "--cluster",
            help="Let the weights of each kernel share so many values: alone, or behind --alpha "
            "or --sparsity.",
            rich_help_panel=PRUNING,
        ),
    ] = 0,
    untrained: Annotated[
        bool,
        typer.Option(
            "--untrained",
            help="Remove channels of the network before it is trained, then train it.",
            rich_help_panel=PRUNING,
        ),
    ] = False,
) -> TargetOptions:
    """How much is removed."""
    from hsitf.prune.options import TargetOptions
    from hsitf.prune.parsing import parse_kind_ratios, parse_layer_alphas, parse_layer_ratios

    values = {
        "ratio": ratio,
        "macs": macs,
        "parameters": parameters,
        "bytes": size,
        "alpha": alpha,
        "sparsity": sparsity,
    }
    return TargetOptions(
        values,
        parse_layer_ratios(layer or []),
        parse_kind_ratios(kind or []),
        parse_layer_alphas(layer_alpha or []),
        per_layer,
        cluster,
        untrained,
    )


def limit_options(
    global_pruning: Annotated[
        bool,
        typer.Option(
            "--global/--local",
            help="Rank channels of all layers together, or of each.",
            rich_help_panel=PRUNING,
        ),
    ] = False,
    round_to: Annotated[
        int,
        typer.Option(
            "--round-to",
            help="Keep a multiple of so many channels a layer.",
            rich_help_panel=PRUNING,
        ),
    ] = 1,
    min_channels: Annotated[
        int,
        typer.Option(
            "--min-channels",
            help="Keep at least so many channels a layer.",
            rich_help_panel=PRUNING,
        ),
    ] = 1,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", help="Layer to leave as it is; repeatable.", rich_help_panel=PRUNING
        ),
    ] = None,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact",
            help="Keep channels that cannot be removed exactly.",
            rich_help_panel=PRUNING,
        ),
    ] = False,
) -> PruningConfig:
    """Where nothing is removed, and how much is left."""
    from hsitf.prune.config import PruningConfig

    return PruningConfig(
        global_pruning=global_pruning,
        round_to=round_to,
        min_channels=min_channels,
        ignored=tuple(ignore or ()),
        exact=exact,
    )


def schedule_options(
    schedule: Annotated[
        str,
        typer.Option("--schedule", help="one-shot, iterative or gradual.", rich_help_panel=PRUNING),
    ] = "one-shot",
    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations", help="How often to prune and fine-tune.", rich_help_panel=PRUNING
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop", help="Points of validation OA that may be lost.", rich_help_panel=PRUNING
        ),
    ] = None,
    curve: Annotated[
        str | None,
        typer.Option(
            "--curve",
            help="Targets such as 0.2,0.4,0.6: a record and a figure of all.",
            rich_help_panel=PRUNING,
        ),
    ] = None,
) -> ScheduleOptions:
    """In which steps channels or weights go."""
    from hsitf.prune.options import ScheduleOptions

    return ScheduleOptions(schedule, iterations, max_drop, curve)
