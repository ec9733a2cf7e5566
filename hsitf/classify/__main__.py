"""`python -m hsitf.classify`: a whole scene to a map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsitf import cli

app = cli.app("Classifies a whole scene and writes its map.")


@app.command()
def classify(
    out: Annotated[
        list[Path], typer.Option("--out", "-o", help="map.tif, map.hdr or map.png; repeatable.")
    ],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Network, by its name in the zoo.")
    ] = None,
    scene: Annotated[
        str | None,
        typer.Option("--scene", "-s", help="Scene by name, or a path; the network's own."),
    ] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Folder of a run or of an exported bundle.")
    ] = None,
    data_dir: cli.DataDir = None,
    labels: cli.Labels = None,
    variable: cli.Variable = None,
    labels_variable: cli.LabelsVariable = None,
    bands: cli.Bands = None,
    smooth: Annotated[
        float, typer.Option("--smooth", help="Strength of a Markov random field; 0: none.")
    ] = 0.0,
    probabilities: Annotated[
        Path | None, typer.Option("--probabilities", help="GeoTIFF with a band for each class.")
    ] = None,
    confidence: Annotated[
        Path | None, typer.Option("--confidence", help="GeoTIFF of the largest probability.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", help="Of the engine.")] = 2,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            help="keras, litert, litert-tiles, onnx or onnx-tiles; else the fastest, by trial.",
        ),
    ] = None,
    dask: Annotated[
        str | None, typer.Option("--dask", help="Address of a Dask scheduler to compute on.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files.")] = False,
) -> None:
    """Classifies every pixel of a scene and writes its map.

    With --model the latest trained network of that scene (or one trained now, with a short
    schedule); with --from any run or exported file. Repeated, the same command resumes an
    interrupted map.
    """
    from hsitf.classify.outputs import check
    from hsitf.classify.request import MapRequest

    request = MapRequest(tuple(out), smooth, probabilities, confidence, threads, engine, dask)
    check(request.files, overwrite)
    from hsitf.errors import InputError
    from hsitf.options import SplitChoice, check_origin
    from hsitf.records import SceneChoice

    choice = SceneChoice(scene or "", data_dir, labels, variable, labels_variable)
    check_origin(origin, choice, SplitChoice(), bands)
    if (model is None) == (origin is None):
        raise InputError(
            "what classifies is named once",
            received="both --model and --from" if model else "neither --model nor --from",
            remedy="give --model cao, or --from with the folder of a run or a bundle",
        )
    if model is not None:
        from hsitf.zoo import known

        known(model)
    from hsitf.classify.run import told, whole
    from hsitf.classify.source import is_bundle

    # An exported file takes its own engine alone, and a tenth of the memory.
    if origin is None or not is_bundle(origin):
        cli.load_keras()

    with cli.Terminal() as progress:
        found = whole(model, origin, choice, bands, request, progress)
    print(told(found))


if __name__ == "__main__":
    cli.run(app)
