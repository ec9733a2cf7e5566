"""`hsitf bench`: exported files side by side, in every engine at hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.commands.options import with_options
from hsitf.log_silencing import load_keras
from hsitf.progress import Terminal

if TYPE_CHECKING:
    from hsitf.bench.measurement import BenchResult
    from hsitf.errors import InputError
    from hsitf.records import SceneChoice

app = application("Measures exported files.")


@verb(app, {"--arm": "--target"})
@with_options(scene=options.located_scene)
def bench(
    *,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, bundles, runs or folders of them; else export/."),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            "-m",
            help="Networks by name, such as cao,he, in place of paths.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    trust: options.Trust = False,
    scene: SceneChoice,
    variants: Annotated[
        str | None,
        typer.Option(
            "--variants",
            help="Kinds of file of --models, such as int8,onnx; all.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            "--engine",
            help="litert, litert-plain, onnxruntime, openvino, tensorflow or keras; "
            "repeatable; all.",
            rich_help_panel=options.MEASUREMENT,
        ),
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option(
            "--threads",
            help="Threads of the engines; repeatable; else 1.",
            rich_help_panel=options.MEASUREMENT,
        ),
    ] = None,
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds",
            help="Rounds in which all files and engines take turns.",
            rich_help_panel=options.MEASUREMENT,
        ),
    ] = 10,
    runs: Annotated[
        int,
        typer.Option(
            "--runs", help="Inferences a round, at most.", rich_help_panel=options.MEASUREMENT
        ),
    ] = 20,
    warm_up: Annotated[
        int,
        typer.Option(
            "--warm-up",
            help="Inferences before those that are measured.",
            rich_help_panel=options.MEASUREMENT,
        ),
    ] = 5,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="Devices, such as cortex-a76,ethos-u55-256; hsitf targets lists them.",
            rich_help_panel=options.TARGETS,
        ),
    ] = None,
    fitness: Annotated[
        bool,
        typer.Option(
            "--fitness/--no-fitness",
            help="Check compatibility with delegates.",
            rich_help_panel=options.TARGETS,
        ),
    ] = True,
    lines: Annotated[
        bool,
        typer.Option(
            "--lines",
            help="Print statistics as LiteRT's benchmark_model does.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    android: Annotated[
        bool,
        typer.Option(
            "--android",
            help="Measure archives of export --android on a phone.",
            rich_help_panel=options.ANDROID,
        ),
    ] = False,
    apk: Annotated[
        Path,
        typer.Option(
            "--apk", help="Path of the demo app, for --android.", rich_help_panel=options.ANDROID
        ),
    ] = Path("build/hsitf-demo.apk"),
    serial: Annotated[
        str | None,
        typer.Option(
            "--serial", help="Which device, for --android.", rich_help_panel=options.ANDROID
        ),
    ] = None,
    delegate: Annotated[
        list[str] | None,
        typer.Option(
            "--delegate",
            help="XNNPACK, CPU, GPU or NNAPI, for --android; repeatable.",
            rich_help_panel=options.ANDROID,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the results.", rich_help_panel=options.OUTPUT)
    ] = Path("export/results"),
) -> None:
    """Measures size, time and memory of files, in turns, and writes JSON, CSV and Markdown.

    With --models, the files of these networks are exported first where they are not there yet,
    and networks trained where there are none.
    """
    if android:
        from hsitf.bench import android as phone

        if models or variants or scene.source or engine or target:
            raise _of_this_machine()
        how = phone.DeviceMeasurement(
            apk, serial, tuple(delegate or phone.DELEGATES[:1]), tuple(threads or [1])
        )
        with Terminal() as progress:
            measured = phone.measure_on_device(
                phone.archives(paths or [Path("export")]), how, progress
            )
        _told(measured, out, lines)
        return
    from dataclasses import replace

    from hsitf.bench.engines import find_engine as named
    from hsitf.bench.engines import installed_engines
    from hsitf.bench.measurement import check_schedule, measure
    from hsitf.bench.target_costs import measure_on_targets, split_targets
    from hsitf.errors import InputError
    from hsitf.measure import MeasurementSchedule
    from hsitf.records import SceneChoice

    engines, notes = ([named(name) for name in engine], []) if engine else installed_engines()
    cores, cost_models = split_targets(_names(target))
    if paths and models:
        raise InputError(
            "files are named, or networks",
            received="both",
            remedy="leave out the paths, or --models",
        )
    by_name = bool(models or variants or scene != SceneChoice(""))
    schedule = MeasurementSchedule(rounds, runs, warm_up)
    counts = threads or [1]
    check_schedule(counts, schedule)
    if by_name:
        load_keras()
    from hsitf.bench.compatibility import check_compatibility as fitting
    from hsitf.bench.emulated import emulate
    from hsitf.bench.report import write_bench
    from hsitf.bench.subject import find_usable_subjects
    from hsitf.trust import programs_trusted

    with programs_trusted(trust), Terminal() as progress:
        if by_name:
            from hsitf.bench.prepare import ALL, prepare_bundles

            made = prepare_bundles(_names(models), _names(variants) or [ALL], scene, progress)
            places = list(made.paths)
            notes += made.notes
        else:
            places = paths or [Path("export")]
        files, damaged = find_usable_subjects(places)
        notes += [f"left out: {error}" for error in damaged]
        found = measure(files, engines, counts, progress, schedule)
        found = replace(found, notes=(*notes, *found.notes))
        # Emulation takes minutes; what has been timed is safe from here on.
        write_bench(found, out)
        emulated, failed = emulate(files, cores, progress)
        on_targets, without_cost = measure_on_targets(files, cost_models, progress)
        found = replace(
            found,
            emulated=tuple(emulated),
            delegate_compatibility=tuple(fitting(files, progress)) if fitness else (),
            notes=(*found.notes, *failed, *without_cost),
            target_costs=tuple(on_targets),
        )
    _told(found, out, lines)


def _told(found: BenchResult, out: Path, lines: bool) -> None:
    """Prints a benchmark and saves it."""
    from hsitf.bench.report import benchmark_model_lines as statistics
    from hsitf.bench.report import format_bench, write_bench

    print(format_bench(found))
    for line in statistics(found) if lines else ():
        print(line)
    for path in write_bench(found, out):
        print(f"Wrote {path}.")


def _of_this_machine() -> InputError:
    from hsitf.errors import InputError

    return InputError(
        "a device measures archives",
        received="--android with --models, --variants, --scene, --engine or --target",
        allowed="archives that export --android writes, --delegate and --threads",
        remedy="leave these out",
    )


def _names(text: str | None) -> list[str]:
    """The names of a list such as "cao,he"."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]
