"""`python -m hsitf.export`: turns a trained network into verified files for edge devices."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hsitf import cli

app = cli.app("Exports a network to verified files for edge devices.")


def _flag(name: str, text: str) -> Any:
    return typer.Option(f"--{name}", help=text)


@app.command()
def export(
    model: cli.Model,
    scene: Annotated[
        str | None,
        typer.Option("--scene", "-s", help="Scene by name, or a path; the run's, or fields."),
    ] = None,
    int8: Annotated[bool, _flag("int8", "Integers from input to output (TFLite).")] = False,
    float32: Annotated[bool, _flag("float32", "32-bit floats (TFLite).")] = False,
    float16: Annotated[bool, _flag("float16", "Weights as 16-bit floats (TFLite).")] = False,
    dynamic: Annotated[bool, _flag("dynamic", "8-bit weights, float arithmetic (TFLite).")] = False,
    int16: Annotated[
        bool, _flag("int16", "16-bit activations, 8-bit weights, integers (TFLite).")
    ] = False,
    weight_only: Annotated[
        bool, _flag("weight-only", "8-bit weights made floats while running (TFLite).")
    ] = False,
    onnx: Annotated[bool, _flag("onnx", "ONNX, 32-bit floats.")] = False,
    onnx_float16: Annotated[bool, _flag("onnx-float16", "ONNX, 16-bit floats.")] = False,
    onnx_int8: Annotated[bool, _flag("onnx-int8", "ONNX, 8-bit integers (QDQ).")] = False,
    saved_model: Annotated[bool, _flag("saved-model", "TensorFlow SavedModel.")] = False,
    everything: Annotated[bool, _flag("all", "All of these.")] = False,
    variant: Annotated[
        list[str] | None, typer.Option("--variant", help="The same by name; repeatable.")
    ] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Folder of a run; else the latest that fits.")
    ] = None,
    data_dir: cli.DataDir = None,
    labels: cli.Labels = None,
    variable: cli.Variable = None,
    labels_variable: cli.LabelsVariable = None,
    drop_class: cli.DropClass = None,
    split: cli.SplitKind = "disjoint",
    train_share: cli.TrainShare = None,
    train_map: cli.TrainMap = None,
    guard: cli.Guard = None,
    patch: cli.Patch = None,
    seed: cli.Seed = 0,
    bands: cli.Bands = None,
    batch: Annotated[int, typer.Option("--batch", help="Patches an inference takes.")] = 1,
    max_drop: Annotated[
        float | None, typer.Option("--max-drop", help="Points of OA a file may lose.")
    ] = None,
    width: Annotated[
        int | None, typer.Option("--width", help="Channels to aim for; 1: fewest multiplications.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", help="For the latency.")] = 1,
    fuse: Annotated[
        bool | None,
        typer.Option("--fuse/--no-fuse", help="Take the sensor's units: bands prepared inside."),
    ] = None,
    dense: Annotated[
        int, typer.Option("--dense", help="Side of a tile to take at once; 0: patches.")
    ] = 0,
    qat: Annotated[
        bool, typer.Option("--qat", help="Train on with rounded numbers before --int8.")
    ] = False,
    equalize: Annotated[
        bool, typer.Option("--equalize", help="Bring channels that share a scale to one range.")
    ] = False,
    correct_bias: Annotated[
        bool, typer.Option("--correct-bias", help="Let int8 biases undo the shifts of rounding.")
    ] = False,
    calibration: Annotated[
        str | None, typer.Option("--calibration", help="Ranges by min-max, percentile, mse or kl.")
    ] = None,
    c_array: Annotated[
        bool, typer.Option("--c-array", help="Write .tflite files as C sources, too.")
    ] = False,
    micro: Annotated[
        bool, typer.Option("--micro", help="Run .tflite files as microcontrollers do.")
    ] = False,
    android: Annotated[
        bool, typer.Option("--android", help="Pack for the Android demo, both forms with --dense.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder of the bundles.")] = Path("export"),
) -> None:
    """Lowers, converts and verifies a network; writes export/<scene>/<network>/<variant>/.

    Where no trained network is at hand it trains one first, with a short schedule.
    """
    flags = {
        "float32": float32,
        "float16": float16,
        "dynamic": dynamic,
        "weight-only": weight_only,
        "int8": int8,
        "int16": int16,
        "onnx": onnx,
        "onnx-float16": onnx_float16,
        "onnx-int8": onnx_int8,
        "saved-model": saved_model,
    }
    from hsitf.export.request import Request
    from hsitf.export.variants import VARIANTS, missing
    from hsitf.export.variants import variant as named
    from hsitf.options import SplitChoice, check_origin, trained_for
    from hsitf.quantize.mixed import EXTRA
    from hsitf.records import SceneChoice
    from hsitf.zoo import known, trained_by_gradients

    left_out = [name for name, kind in VARIANTS.items() if everything and missing(kind)]
    wanted = (
        [name for name in VARIANTS if name not in left_out]
        if everything
        else [name for name, given in flags.items() if given]
    )
    wanted += [name for name in variant or [] if name not in wanted]
    request = Request(
        tuple(map(named, wanted)),
        batch,
        max_drop,
        width,
        threads,
        out,
        fuse,
        dense,
        qat,
        calibration,
        c_array,
        micro,
        android,
        equalize,
        correct_bias,
    )
    if not {kind.name for kind in request.variants} <= {"onnx"}:
        trained_by_gradients(known(model), "exported but to ONNX")
    known(model)
    choice = SceneChoice(
        scene or "", data_dir, labels, variable, labels_variable, train_map, tuple(drop_class or ())
    )
    chosen = SplitChoice(split, train_share, guard, patch, seed)
    check_origin(origin, choice, chosen, bands)
    cli.load_keras()
    from hsitf.export.android import check, package
    from hsitf.export.pipeline import export
    from hsitf.export.table import table

    with cli.Terminal() as progress:
        for name in left_out:
            progress.say(f"leaving {name} out, which needs {EXTRA}")
        run, now = trained_for(model, choice, chosen, origin, progress, bands)
        if android:
            check(run, request)
        found = [export(run, one, progress, now) for one in request.forms()]
        bundles = [bundle for published, _ in found for bundle in published]
        archives = package(run, bundles, progress, now) if android else []
    for published, _ in found:
        if published:
            print(table(published))
    for path in archives:
        print(f"For the Android demo: {path}.")
    refused = [error for _, kept_back in found for error in kept_back]
    for error in refused:
        print(f"hsitf: {error}", file=sys.stderr)
    if refused:
        raise typer.Exit(refused[0].status)


if __name__ == "__main__":
    cli.run(app)
