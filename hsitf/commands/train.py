"""`hsitf train`: trains a network of the literature on a scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.commands.next_step import print_export, print_next
from hsitf.commands.options import with_options
from hsitf.log_silencing import load_keras
from hsitf.progress import Terminal

if TYPE_CHECKING:
    from hsitf.options import SplitChoice
    from hsitf.records import SceneChoice

app = application("Trains a network of the literature on a scene.")

# Options of version 0.1 by their former names.
RENAMED = {
    "--batch": "--batch-size",
    "--l2": "--weight-decay",
    "--turn": "--flip-rotate",
    "--no-turn": "--no-flip-rotate",
    "--radiation": "--brightness-noise",
    "--mixture": "--intra-class-mixup",
    "--balanced": "--class-weights",
}


@verb(app, RENAMED)
@with_options(scene=options.new_scene, split=options.split_choice)
def train(
    *,
    model: options.Model,
    bands: options.Bands = None,
    whiten: options.Whiten = False,
    scene: SceneChoice,
    split: SplitChoice,
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            help="full (the paper's epochs) or short.",
            rich_help_panel=options.TRAINING,
        ),
    ] = "full",
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", help="Epochs in place of the paper's.", rich_help_panel=options.TRAINING
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            help="Patches a step in place of the paper's.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(
            "--optimizer",
            help="Optimizer in place of the paper's.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            "--learning-rate",
            "--lr",
            help="Learning rate in place of the paper's.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    momentum: Annotated[
        float | None,
        typer.Option("--momentum", help="Momentum of SGD.", rich_help_panel=options.TRAINING),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(
            "--weight-decay",
            help="Weight decay, as an L2 penalty.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            "--recipe",
            help="paper, or robust: made for ground that was not seen.",
            rich_help_panel=options.TRAINING,
        ),
    ] = "paper",
    decoupled_weight_decay: Annotated[
        float | None,
        typer.Option(
            "--decoupled-weight-decay",
            help="Weight decay of AdamW.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    warmup: Annotated[
        float | None,
        typer.Option(
            "--warmup",
            help="Share of the epochs in which the learning rate rises.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    cosine_decay: Annotated[
        bool | None,
        typer.Option(
            "--cosine-decay/--no-cosine-decay",
            help="Learning rate along half a cosine.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    label_smoothing: Annotated[
        float | None,
        typer.Option(
            "--label-smoothing",
            help="Share of a target that all classes get alike.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    ema_epochs: Annotated[
        float | None,
        typer.Option(
            "--ema-epochs",
            help="Epochs over which weights are averaged (EMA).",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    augment: Annotated[
        list[str] | None,
        typer.Option(
            "--augment",
            help="Augmentation as NAME or NAME=STRENGTH, none for none; repeatable.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    mixup: Annotated[
        float | None,
        typer.Option(
            "--mixup",
            help="Mix patches across classes: shape of the weights, such as 0.2.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    balanced_sampling: Annotated[
        float | None,
        typer.Option(
            "--balanced-sampling",
            help="Show rare classes more often: 0 to 1, equal shares.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    pixel_normalization: Annotated[
        str,
        typer.Option(
            "--pixel-normalization",
            help="Normalize each spectrum by itself: snv, unit, difference or continuum.",
            rich_help_panel=options.TRAINING,
        ),
    ] = "",
    pseudo_labels: Annotated[
        float,
        typer.Option(
            "--pseudo-labels",
            help="Show unlabelled pixels of at least this probability, such as 0.95.",
            rich_help_panel=options.TRAINING,
        ),
    ] = 0.0,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            "--teacher",
            help="Folder of a run to learn from (distillation); repeatable.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    teacher_weight: Annotated[
        float,
        typer.Option(
            "--teacher-weight",
            help="Share of the teachers in a target.",
            rich_help_panel=options.TRAINING,
        ),
    ] = 0.5,
    flip_rotate: Annotated[
        bool,
        typer.Option(
            "--flip-rotate/--no-flip-rotate",
            help="Flip and rotate training patches at random.",
            rich_help_panel=options.TRAINING,
        ),
    ] = True,
    brightness_noise: Annotated[
        bool,
        typer.Option(
            "--brightness-noise",
            help="Make some training patches brighter or darker, with noise.",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    intra_class_mixup: Annotated[
        bool,
        typer.Option(
            "--intra-class-mixup",
            help="Mix some training patches with another of their class.",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    class_weights: Annotated[
        bool,
        typer.Option(
            "--class-weights",
            help="Weight classes by their inverse frequency.",
            rich_help_panel=options.TRAINING,
        ),
    ] = False,
    patience: Annotated[
        int,
        typer.Option(
            "--patience",
            help="Stop after so many epochs without gain; 0: never.",
            rich_help_panel=options.TRAINING,
        ),
    ] = 0,
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            help="float32, mixed_float16 or mixed_bfloat16.",
            rich_help_panel=options.TRAINING,
        ),
    ] = "float32",
    xla: Annotated[
        bool,
        typer.Option(
            "--xla", help="Compile TensorFlow's step with XLA.", rich_help_panel=options.TRAINING
        ),
    ] = False,
    backend: options.Backend = None,
    device: Annotated[
        str,
        typer.Option(
            "--device", help="auto, cpu or gpu (all there are).", rich_help_panel=options.TRAINING
        ),
    ] = ("auto"),
    runs: Annotated[
        int,
        typer.Option(
            "--runs",
            help="Number of trainings, with consecutive seeds.",
            rich_help_panel=options.TRAINING,
        ),
    ] = 1,
    splits: Annotated[
        int | None,
        typer.Option(
            "--splits",
            help="Number of splits, with --runs trainings on each.",
            rich_help_panel=options.TRAINING,
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Name of the run's folder.", rich_help_panel=options.OUTPUT),
    ] = None,
) -> None:
    """Trains a network and writes models/<scene>/<network>/<run>/.

    By default with the paper's optimizer, schedule and batch. Repeated, the same command
    resumes an interrupted run.
    """
    from hsitf.errors import InputError
    from hsitf.options import RecipeOptions, TrainingOptions, band_reduction, training_plan
    from hsitf.train.devices import select_device, use_backend

    if runs < 1:
        raise InputError("runs is out of range", received=runs, allowed="1 or more")
    if splits is not None and splits < 1:
        raise InputError("splits is out of range", received=splits, allowed="1 or more")
    # Before the plan, since a network's own facts load Keras with its backend.
    use_backend(backend, device)
    plan = training_plan(
        model,
        scene,
        split,
        schedule,
        RecipeOptions(
            optimizer,
            learning_rate,
            batch_size,
            epochs,
            momentum,
            weight_decay,
            decoupled_weight_decay,
            warmup,
            cosine_decay,
            label_smoothing,
            ema_epochs,
        ),
        TrainingOptions(
            flip_rotate,
            brightness_noise,
            intra_class_mixup,
            class_weights,
            patience,
            precision,
            xla,
            recipe,
            tuple(augment or ()),
            mixup,
            balanced_sampling,
            pixel_normalization=pixel_normalization,
            pseudo_labels=pseudo_labels,
            teachers=tuple(teacher or ()),
            teacher_weight=teacher_weight,
        ),
        band_reduction(bands, whiten),
    )
    load_keras()
    select_device(device)
    from hsitf.train.collapse import collapse_remark
    from hsitf.train.repeat import format_summary, train_repeatedly
    from hsitf.train.run import train as run_plan
    from hsitf.train.small_validation import small_validation_remark

    if runs * (splits or 1) > 1:
        with Terminal() as progress:
            summary, place = train_repeatedly(plan, runs, run, progress, splits)
        print(f"{format_summary(summary)}\nRecord: {place}.")
        print_next("report", *summary.runs)
        return
    with Terminal() as progress:
        finished = run_plan(plan, run, progress)
    record = finished.record
    synthetic = " (synthetic scene)" if record.scene.synthetic else ""
    guarded = record.split.kind == "disjoint" or record.split.guard
    guard = f", guard of {record.split.guard} pixels" if guarded else ""
    print(
        f"{finished.folder}: OA {record.scores.oa:.2%}, AA {record.scores.aa:.2%}, "
        f"{'' if record.scores.top5 is None else f'Top-5 {record.scores.top5:.2%}, '}"
        f"kappa {record.scores.kappa:.4f} on {record.split.test:,} test pixels{synthetic}; "
        f"{record.split.summary}{guard}; {record.seconds:.0f} s"
    )
    for remark in (collapse_remark(record), small_validation_remark(record)):
        if remark:
            print(remark)
    print_export(finished)
