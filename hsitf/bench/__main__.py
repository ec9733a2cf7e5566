"""`python -m hsitf.bench`: exported files side by side, in every engine at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsitf import cli

app = cli.app("Measures exported files.")


@app.command()
def bench(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files, bundles or folders of them; else export/.")
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option("--engine", help="litert, litert-plain or onnxruntime; repeatable; all."),
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option("--threads", help="Of the engines; repeatable.")
    ] = None,
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
    """Measures size, time and memory of files, in turns, and writes JSON, CSV and Markdown."""
    from hsitf.bench.engines import ENGINES
    from hsitf.bench.engines import engine as named
    from hsitf.bench.measured import measure
    from hsitf.bench.report import table, write
    from hsitf.bench.subject import subjects

    wanted = paths or [Path("export")]
    with cli.Terminal() as progress:
        if android:
            from hsitf.bench import android as phone

            how = phone.Wanted(
                apk, serial, tuple(delegate or phone.DELEGATES[:1]), tuple(threads or [1])
            )
            found = phone.measure(phone.archives(wanted), how, progress)
        else:
            engines = [named(name) for name in engine or ENGINES]
            found = measure(subjects(wanted), engines, threads or [1], progress)
    print(table(found))
    for path in write(found, out):
        print(f"Wrote {path}.")


if __name__ == "__main__":
    cli.run(app)
