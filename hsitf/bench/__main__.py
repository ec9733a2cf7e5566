"""`python -m hsitf.bench`: exported files side by side, in every engine at hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hsitf import cli

if TYPE_CHECKING:
    from hsitf.bench.measured import Bench
    from hsitf.errors import InputError

app = cli.app("Measures exported files.")


@app.command()
def bench(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, bundles, runs or folders of them; else export/."),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option("--models", "-m", help="Networks by name, such as cao,he, in place of paths."),
    ] = None,
    scene: Annotated[
        str | None,
        typer.Option("--scene", "-s", help="Scene of --models by name, or a path; fields."),
    ] = None,
    variants: Annotated[
        str | None,
        typer.Option("--variants", help="Kinds of file of --models, such as int8,onnx; all."),
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            "--engine",
            help="litert, litert-plain, onnxruntime, openvino, tensorflow or keras; "
            "repeatable; all.",
        ),
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option("--threads", help="Of the engines; repeatable; 1.")
    ] = None,
    rounds: Annotated[
        int, typer.Option("--rounds", help="In which all files and engines take turns.")
    ] = 10,
    runs: Annotated[int, typer.Option("--runs", help="Inferences in a round, at most.")] = 20,
    warm_up: Annotated[
        int, typer.Option("--warm-up", help="Inferences before, which do not count.")
    ] = 5,
    arm: Annotated[
        str | None,
        typer.Option("--arm", help="Emulate Arm cores: cortex-a53,cortex-a72,cortex-a76."),
    ] = None,
    fitness: Annotated[
        bool, typer.Option("--fitness/--no-fitness", help="Compare with the rules of delegates.")
    ] = True,
    lines: Annotated[
        bool, typer.Option("--lines", help="Print statistics as LiteRT's benchmark_model does.")
    ] = False,
    data_dir: cli.DataDir = None,
    labels: cli.Labels = None,
    variable: cli.Variable = None,
    labels_variable: cli.LabelsVariable = None,
    android: Annotated[
        bool, typer.Option("--android", help="Measure archives of export --android on a phone.")
    ] = False,
    apk: Annotated[Path, typer.Option("--apk", help="Of the demo, for --android.")] = Path(
        "build/hsitf-demo.apk"
    ),
    serial: Annotated[
        str | None, typer.Option("--serial", help="Which device, for --android.")
    ] = None,
    delegate: Annotated[
        list[str] | None,
        typer.Option("--delegate", help="XNNPACK, CPU, GPU or NNAPI, for --android; repeatable."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the results.")] = Path(
        "export/results"
    ),
) -> None:
    """Measures size, time and memory of files, in turns, and writes JSON, CSV and Markdown.

    With --models, the files of these networks are exported first where they are not there yet,
    and networks trained where there are none.
    """
    if android:
        from hsitf.bench import android as phone

        if models or variants or scene or engine or arm:
            raise _of_this_machine()
        how = phone.Wanted(
            apk, serial, tuple(delegate or phone.DELEGATES[:1]), tuple(threads or [1])
        )
        with cli.Terminal() as progress:
            measured = phone.measure(phone.archives(paths or [Path("export")]), how, progress)
        _told(measured, out, lines)
        return
    from dataclasses import replace

    from hsitf.bench.arm.cores import core
    from hsitf.bench.engines import engine as named
    from hsitf.bench.engines import installed
    from hsitf.bench.measured import check, measure
    from hsitf.errors import InputError
    from hsitf.measure import Schedule
    from hsitf.records import SceneChoice

    engines, notes = ([named(name) for name in engine], []) if engine else installed()
    cores = [core(name) for name in _names(arm)]
    if cores:
        from hsitf.bench.arm.root import check_programs

        check_programs()
    if paths and models:
        raise InputError(
            "files are named, or networks",
            received="both",
            remedy="leave out the paths, or --models",
        )
    choice = SceneChoice(scene or "", data_dir, labels, variable, labels_variable)
    by_name = bool(models or variants or choice != SceneChoice(""))
    schedule = Schedule(rounds, runs, warm_up)
    counts = threads or [1]
    check(counts, schedule)
    if by_name:
        cli.load_keras()
    from hsitf.bench.arm.emulated import emulate
    from hsitf.bench.fitness import fitness as fitting
    from hsitf.bench.report import write
    from hsitf.bench.subject import subjects

    with cli.Terminal() as progress:
        if by_name:
            from hsitf.bench.prepared import ALL, prepared

            made = prepared(_names(models), _names(variants) or [ALL], choice, progress)
            places = list(made.paths)
            notes += made.notes
        else:
            places = paths or [Path("export")]
        files = subjects(places)
        found = measure(files, engines, counts, progress, schedule)
        found = replace(found, notes=(*notes, *found.notes))
        # Emulation takes minutes; what has been timed is safe from here on.
        write(found, out)
        emulated, failed = emulate(files, cores, progress)
        found = replace(
            found,
            emulated=tuple(emulated),
            fitness=tuple(fitting(files, progress)) if fitness else (),
            notes=(*found.notes, *failed),
        )
    _told(found, out, lines)


def _told(found: Bench, out: Path, lines: bool) -> None:
    """Prints a bench and keeps it."""
    from hsitf.bench.report import lines as statistics
    from hsitf.bench.report import table, write

    print(table(found))
    for line in statistics(found) if lines else ():
        print(line)
    for path in write(found, out):
        print(f"Wrote {path}.")


def _of_this_machine() -> InputError:
    from hsitf.errors import InputError

    return InputError(
        "a device measures archives",
        received="--android with --models, --variants, --scene, --engine or --arm",
        allowed="archives that export --android writes, --delegate and --threads",
        remedy="leave these out",
    )


def _names(text: str | None) -> list[str]:
    """The names of a list such as "cao,he"."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


if __name__ == "__main__":
    cli.run(app)
