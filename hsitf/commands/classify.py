"""`hsitf classify`: a whole scene to a map."""

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
    from hsitf.records import SceneChoice

app = application("Classifies a whole scene and writes its map.")


@verb(app)
@with_options(scene=options.located_scene)
def classify(
    *,
    out: Annotated[
        list[Path], typer.Option("--out", "-o", help="map.tif, map.hdr or map.png; repeatable.")
    ],
    model: options.OptionalModel = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Folder of a run or of an exported bundle.")
    ] = None,
    trust: options.Trust = False,
    bands: options.Bands = None,
    scene: SceneChoice,
    smooth: Annotated[
        float,
        typer.Option(
            "--smooth",
            help="Strength of a Markov random field; 0: none.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = 0.0,
    probabilities: Annotated[
        Path | None,
        typer.Option(
            "--probabilities",
            help="GeoTIFF with a band for each class.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    confidence: Annotated[
        Path | None,
        typer.Option(
            "--confidence",
            help="GeoTIFF of the largest probability.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    threads: Annotated[
        int,
        typer.Option("--threads", help="Threads of the engine.", rich_help_panel=options.INFERENCE),
    ] = 2,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            help="keras, litert, litert-tiles, onnx or onnx-tiles; else the fastest, by trial.",
            rich_help_panel=options.INFERENCE,
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask",
            help="Address of a Dask scheduler to compute on.",
            rich_help_panel=options.INFERENCE,
        ),
    ] = None,
    strict_bands: Annotated[
        bool,
        typer.Option(
            "--strict-bands",
            help="Refuse another sensor's bands; else they are resampled by wavelength.",
            rich_help_panel=options.INFERENCE,
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files.", rich_help_panel=options.OUTPUT)
    ] = False,
) -> None:
    """Classifies every pixel of a scene and writes its map.

    With --model the latest trained network of that scene (or one trained now, with a short
    schedule); with --from any run or exported file. Repeated, the same command resumes an
    interrupted map. A scene of several images gets a map of each, maps-IMAGE.tif.
    """
    from hsitf.classify.outputs import check
    from hsitf.classify.request import MapRequest

    request = MapRequest(
        tuple(out),
        smooth,
        probabilities,
        confidence,
        threads,
        engine,
        dask,
        overwrite,
        strict_bands,
    )
    check(request.files, overwrite)
    from hsitf.errors import InputError
    from hsitf.options import SplitChoice, check_origin

    check_origin(origin, scene, SplitChoice(), bands)
    if (model is None) == (origin is None):
        raise InputError(
            "what classifies is named once",
            received="both --model and --from" if model else "neither --model nor --from",
            remedy="give --model cao, or --from with the folder of a run or a bundle",
        )
    if model is not None:
        from hsitf.options import named_network

        model = named_network(model, None)
    from hsitf.classify.run import classify_images, format_images
    from hsitf.classify.source import is_bundle
    from hsitf.trust import programs_trusted

    # An exported file takes its own engine alone, and a tenth of the memory.
    if origin is None or not is_bundle(origin):
        load_keras()

    with programs_trusted(trust), Terminal() as progress:
        found = classify_images(model, origin, scene, bands, request, progress)
    print(format_images(found))
