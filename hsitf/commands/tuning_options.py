"""The options of fine-tuning that `hsitf prune` has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands.options import TRAINING

if TYPE_CHECKING:
    from hsitf.prune.options import TuningOptions


def tuning_options(
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            help="Epochs of fine-tuning; else as the network was trained.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            "--lr",
            help="Learning rate of fine-tuning; else the recipe's.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    distill: Annotated[
        bool,
        typer.Option(
            "--distill",
            help="The network before pruning teaches the pruned one, on unlabelled pixels too.",
            rich_help_panel=TRAINING,
        ),
    ] = False,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature",
            help="With --distill: what softens the probabilities, 1 to 20; else 2.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    teacher_weight: Annotated[
        float | None,
        typer.Option(
            "--teacher-weight",
            help="With --distill: the teacher's share beside a label; else 0.9.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    unlabelled_weight: Annotated[
        float | None,
        typer.Option(
            "--unlabelled-weight",
            help="With --distill: what an unlabelled pixel counts, 0 for none; else 1.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
) -> TuningOptions:
    """How what is left is fine-tuned."""
    from hsitf.prune.options import TuningOptions

    return TuningOptions(
        epochs, learning_rate, distill, temperature, teacher_weight, unlabelled_weight
    )
