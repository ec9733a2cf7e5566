"""`hsitf scenes`: what scenes there are, and what is in one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.commands.next_step import print_next
from hsitf.commands.options import with_options
from hsitf.progress import Terminal

if TYPE_CHECKING:
    from hsitf.options import SplitChoice
    from hsitf.records import SceneChoice
    from hsitf.scenes.scene import Scene
    from hsitf.scenes.splits import Split

app = application("Lists the scenes, describes or draws one, or writes a large synthetic one.")


@app.command("list")
def list_scenes() -> None:
    """Lists the scenes that can be named."""
    from hsitf.scenes.describe import format_catalog

    print(format_catalog())


@verb(app)
@with_options(files=options.scene_files, pixels=options.trained_pixels, split=options.split_choice)
def show(
    *,
    scene: Annotated[str, typer.Argument(help="Scene by name, or the path of a cube.")],
    files: SceneChoice,
    pixels: tuple[tuple[str, ...], bool, str | None],
    split: SplitChoice,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Picture to write: .png, .svg or .pdf.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace it.", rich_help_panel=options.OUTPUT)
    ] = False,
) -> None:
    """Loads a scene, counts its classes, and draws it: look before training.

    The picture shows the scene in RGB, its ground truth, the split of the labelled pixels, the
    spectra of the classes with their spread, and the counts. The split is that of `train` with
    the same options; without --patch, that of single pixels.
    """
    from dataclasses import replace

    from hsitf.data import read_scene
    from hsitf.scenes.describe import format_scene

    if out is not None:
        _check_picture(out, overwrite)
    drop, keep_all, train_map = pixels
    found = read_scene(replace(files, source=scene)).without_classes(drop)
    parts = _split(found, split, train_map, keep_all) if out is not None else None
    print(format_scene(found, parts))
    if out is not None:
        from hsitf.scenes.picture import draw_scene

        draw_scene(found, parts, out)
        print(f"Wrote {out}.")
    if found.labels.any():
        patches = split.patch is not None and split.patch > 1
        network = "resnet20" if found.picture_side else "cao" if patches else "hu"
        recipe = () if found.picture_side else ("--recipe", "robust")
        print_next("train", "--model", network, "--scene", scene, *_typed(scene), *recipe)


def _check_picture(out: Path, overwrite: bool) -> None:
    """Refuses a picture that cannot be written, before the scene is read."""
    from hsitf.errors import InputError
    from hsitf.figures import figure_format

    figure_format(out)
    if out.exists() and not overwrite:
        raise InputError(f"{out} exists already", remedy="name another file or --overwrite")


def _split(scene: Scene, split: SplitChoice, train_map: str | None, keep_all: bool) -> Split | None:
    """The split that the options ask for; None without labels, or where it is not possible."""
    from hsitf.data import read_train_map, split_scene
    from hsitf.errors import DataError
    from hsitf.options import split_options

    if not scene.labels.any():
        return None
    wanted = split_options(split, split.patch or 1)
    try:
        kept, parts = split_scene(scene, wanted, read_train_map(train_map), keep_all=keep_all)
    except DataError as error:
        # What a look is for: the rest of the scene shows why.
        print(f"No split is shown: {error}")
        return None
    for note in kept.notes[len(scene.notes) :]:
        print(note)
    return parts


@verb(app)
def synthetic(
    out: Annotated[Path, typer.Option("--out", "-o", help="Header to write: big.hdr.")],
    rows: Annotated[int, typer.Option("--rows", help="Rows of the cube.")] = 4000,
    cols: Annotated[int, typer.Option("--cols", help="Columns of the cube.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the noise.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files.")] = False,
) -> None:
    """Writes a large synthetic ENVI cube of 200 bands, for measurements."""
    from hsitf.errors import InputError
    from hsitf.scenes.large_cube import write_large_cube

    for made in (out, out.with_suffix(".bil")):
        if made.exists() and not overwrite:
            raise InputError(f"{made} exists already", remedy="name another file or --overwrite")
    with Terminal() as progress:
        write_large_cube(rows, cols, out, seed, progress)
    print(f"Wrote {out}: {rows} x {cols} pixels, 200 bands, synthetic.")


def _typed(scene: str) -> list[str]:
    """The options of this command as they were typed, without those of its picture.

    All of them are options of `train`, too.
    """
    words = sys.argv[sys.argv.index("show") + 1 :] if "show" in sys.argv else []
    if scene in words:
        words.remove(scene)
    kept = []
    given = iter(words)
    for word in given:
        if word in ("--out", "-o"):
            next(given, None)
        elif word != "--overwrite" and not word.startswith(("--out=", "-o")):
            kept.append(word)
    return kept
