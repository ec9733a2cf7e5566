"""The command that usually comes next: the last line of a verb, ready to be typed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsitf.export.bundle import Bundle
    from hsitf.records import SceneChoice
    from hsitf.runs import Run


def print_next(*words: object) -> None:
    """Prints a command line of hsitf, quoted for a shell."""
    print(f"Next: {shlex.join(['hsitf', *map(str, words)])}")


def print_export(run: Run) -> None:
    """After a network was made: its file. Baselines have ONNX files alone."""
    from hsitf.zoo import BASELINES

    variant = "--onnx" if run.record.plan.network in BASELINES else "--int8"
    print_next("export", "--from", run.folder, variant)


def print_map(bundle: Bundle, run: Run, now: SceneChoice | None) -> None:
    """After a file was published: a map of its scene, or its benchmark, where it has no map.

    Args:
        bundle: The file.
        run: The network that it was made of.
        now: Where its scene is today; None for where the run found it.
    """
    from hsitf.scenes import picture_side

    scene = run.record.plan.scene
    source = now.source if now is not None and now.source else scene.source
    data_dir = (now.data_dir if now is not None else None) or scene.data_dir
    if picture_side(source, scene.picture_size) is not None:
        print_next("bench", bundle.folder)
        return
    # A place on Earth is kept in GeoTIFF; a scene without one is looked at as a picture.
    suffix = ".tif" if Path(source).suffix else ".png"
    place = () if data_dir is None else ("--data-dir", data_dir)
    # A map of its own for each network: the files of others are not in its way.
    out = f"map-{run.record.scene.name}-{run.label}{suffix}"
    print_next("classify", "--from", bundle.folder, "--scene", source, *place, "--out", out)
