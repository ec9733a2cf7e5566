"""`hsitf export`: turns a trained network into verified files for edge devices."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.commands.next_step import print_map
from hsitf.commands.options import with_options
from hsitf.export.variants import VARIANTS, lacks_package
from hsitf.log_silencing import load_keras
from hsitf.progress import Terminal

if TYPE_CHECKING:
    from hsitf.export.request import ExportRequest
    from hsitf.options import SplitChoice
    from hsitf.progress import Progress
    from hsitf.records import SceneChoice
    from hsitf.runs import Run

app = application("Exports a network to verified files for edge devices.")

# Options of version 0.1 by their former names.
RENAMED = {
    "--width": "--channel-alignment",
    "--fuse": "--fold-preprocessing",
    "--no-fuse": "--no-fold-preprocessing",
    "--dense": "--tile",
    "--micro": "--tflm",
}


# In place of the side of a tile.
AUTO = "auto"


@dataclass(frozen=True)
class VariantFlags:
    """The variants named by flags of their own, in the order of `VARIANTS`; whether by --all."""

    names: tuple[str, ...]
    all_variants: bool


def variant_flags(**given: bool) -> VariantFlags:
    """Kinds of file, a flag each."""
    everything = given.pop("all")
    names = VARIANTS if everything else [name for name in VARIANTS if given[_parameter(name)]]
    return VariantFlags(tuple(names), everything)


def _parameter(name: str) -> str:
    return name.replace("-", "_")


def _flag(name: str, description: str) -> inspect.Parameter:
    option = typer.Option(f"--{name}", help=description, rich_help_panel=options.VARIANT)
    return inspect.Parameter(
        _parameter(name),
        inspect.Parameter.KEYWORD_ONLY,
        default=False,
        annotation=Annotated[bool, option],
    )


variant_flags.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [
        *(_flag(name, variant.description) for name, variant in VARIANTS.items()),
        _flag("all", "All of these."),
    ]
)


@verb(app, RENAMED)
@with_options(scene=options.run_scene, split=options.split_choice, flags=variant_flags)
def export(
    *,
    model: options.OptionalModel = None,
    origin: options.FromRun = None,
    bands: options.Bands = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            help="Recipe of its training, paper or robust; else the latest run, or robust.",
            rich_help_panel=options.NETWORK,
        ),
    ] = None,
    scene: SceneChoice,
    split: SplitChoice,
    flags: VariantFlags,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--variant", help="The same by name; repeatable.", rich_help_panel=options.VARIANT
        ),
    ] = None,
    batch: Annotated[
        int,
        typer.Option(
            "--batch",
            help="Batch size of the file: patches an inference takes.",
            rich_help_panel=options.INFERENCE,
        ),
    ] = 1,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop", help="Points of OA a file may lose.", rich_help_panel=options.QUANTIZATION
        ),
    ] = None,
    channel_alignment: Annotated[
        int | None,
        typer.Option(
            "--channel-alignment",
            help="Channels to group the arithmetic to; 1: fewest multiplications.",
            rich_help_panel=options.INFERENCE,
        ),
    ] = None,
    threads: options.Threads = 1,
    fold_preprocessing: Annotated[
        bool | None,
        typer.Option(
            "--fold-preprocessing/--no-fold-preprocessing",
            help="Fold normalization and band reduction in: the file takes sensor units.",
            rich_help_panel=options.INFERENCE,
        ),
    ] = None,
    tile: Annotated[
        str,
        typer.Option(
            "--tile",
            help="Side of a tile that an inference takes at once; 0: patches; auto: by --target.",
            rich_help_panel=options.INFERENCE,
        ),
    ] = "0",
    tta: Annotated[
        bool,
        typer.Option(
            "--tta",
            help="Test-time augmentation: mean over the eight flips and rotations of a patch.",
            rich_help_panel=options.INFERENCE,
        ),
    ] = False,
    qat: Annotated[
        bool,
        typer.Option(
            "--qat",
            help="Quantization-aware training before --int8.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = False,
    equalize: Annotated[
        bool,
        typer.Option(
            "--equalize",
            help="Cross-layer equalization: bring channels that share a scale to one range.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = False,
    correct_bias: Annotated[
        bool,
        typer.Option(
            "--correct-bias",
            help="Bias correction: int8 biases take back the mean error of quantization.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = False,
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calibration",
            help="Calibration: ranges by min-max, percentile, mse or kl.",
            rich_help_panel=options.QUANTIZATION,
        ),
    ] = None,
    c_array: Annotated[
        bool,
        typer.Option(
            "--c-array",
            help="Write .tflite files as C sources, too.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    tflm: Annotated[
        bool,
        typer.Option(
            "--tflm",
            help="Run .tflite files in TensorFlow Lite Micro, too.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    android: Annotated[
        bool,
        typer.Option(
            "--android",
            help="Pack for the Android demo, both forms with --tile.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    web: Annotated[
        bool,
        typer.Option(
            "--web",
            help="Make a page that classifies the scene in the browser, both forms with --tile.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = False,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="Device that the file is made for; hsitf targets lists them.",
            rich_help_panel=options.TARGETS,
        ),
    ] = None,
    sensor: Annotated[
        Path | None,
        typer.Option(
            "--sensor",
            help="Cube or list of band centers (.txt) of another sensor that files are for; of a "
            "network by wavelength, such as deephs_hyve.",
            rich_help_panel=options.INFERENCE,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the bundles.", rich_help_panel=options.OUTPUT)
    ] = Path("export"),
) -> None:
    """Lowers, converts and verifies a network; writes export/<scene>/<network>/<variant>/.

    Where no trained network is at hand it trains one first, with a short schedule.
    """
    from hsitf.errors import InputError
    from hsitf.export.request import ExportRequest
    from hsitf.export.variants import variant as named
    from hsitf.options import check_origin, named_network, trained_for
    from hsitf.quantize.mixed_precision import EXTRA
    from hsitf.targets import find_target
    from hsitf.zoo import check_trainable

    left_out = [
        name for name, kind in VARIANTS.items() if flags.all_variants and lacks_package(kind)
    ]
    wanted = [name for name in flags.names if name not in left_out]
    wanted += [name for name in variant or [] if name not in wanted]
    if target is not None and not wanted:
        wanted = [find_target(target).variants[0]]
    request = ExportRequest(
        tuple(map(named, wanted)),
        batch,
        max_drop,
        channel_alignment,
        threads,
        out,
        fold_preprocessing,
        0 if tile == AUTO else _side(tile),
        qat,
        calibration,
        c_array,
        tflm,
        android,
        equalize,
        correct_bias,
        tta,
        target,
        web,
    )
    if tile == AUTO and (target is None or tta or batch > 1):
        raise InputError(
            "the side of tiles is chosen by the cost on a target",
            received="--tile auto" + ("" if target else " without --target"),
            remedy="add --target, such as ethos-u55-256, or name the side, such as --tile 32",
        )
    network = named_network(model, origin)
    if not {kind.name for kind in request.variants} <= {"onnx"}:
        check_trainable(network, "exported but to ONNX")
    check_origin(origin, scene, split, bands)
    load_keras()
    from hsitf.export.android import check_android, package_archives
    from hsitf.export.pipeline import export
    from hsitf.export.table import format_bundles
    from hsitf.sensors import at_sensor
    from hsitf.web.site import check_web, write_sites

    with Terminal() as progress:
        for name in left_out:
            progress.say(f"leaving {name} out, which needs {EXTRA}")
        run, now = trained_for(network, scene, split, origin, progress, bands, recipe)
        if sensor is not None:
            run = at_sensor(run, sensor, progress)
        if tile == AUTO:
            request = replace(request, tile=_chosen_side(run, request, progress))
        if android:
            check_android(run, request)
        if web:
            check_web(run, request)
        found = [export(run, one, progress, now) for one in request.patch_and_tile_requests()]
        bundles = [bundle for published, _ in found for bundle in published]
        archives = package_archives(run, bundles, progress, now) if android else []
        sites = write_sites(run, bundles, progress, now) if web and bundles else []
    for published, _ in found:
        if published:
            print(format_bundles(published))
    for path in archives:
        print(f"For the Android demo: {path}.")
    for path in sites:
        print(f"The page: python -m http.server --directory {path}, then http://localhost:8000.")
    if bundles and not sites and not archives:
        print_map(bundles[-1], run, now)
    refused = [error for _, kept_back in found for error in kept_back]
    for error in refused:
        print(f"hsitf: {error}", file=sys.stderr)
    if refused:
        raise typer.Exit(refused[0].status)


def _side(text: str) -> int:
    """The side of a tile as it was typed."""
    from hsitf.errors import InputError

    if not text.isdecimal() or len(text) > 4:
        raise InputError(
            "the side of the tile is not a number of pixels",
            received=f"--tile {text[:20]}",
            allowed="a number such as 32, 0 for patches, or auto with --target",
        )
    return int(text)


def _chosen_side(run: Run, request: ExportRequest, progress: Progress) -> int:
    """The side of tiles whose pixels cost least on the target; prints what each costs."""
    from hsitf.export.tile_selection import choose_tile, format_tiles, measure_tiles

    name = str(request.target)
    scene = run.record.scene
    tiles = measure_tiles(
        run.network(),
        run.record.plan.patch,
        request.variants[0],
        name,
        progress,
        max(scene.shape[:2]),
    )
    chosen = choose_tile(tiles, name)
    print(format_tiles(tiles, name, chosen))
    return chosen
