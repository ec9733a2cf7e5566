"""`hsitf scenes`: what scenes there are, and what is in one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hsitf.commands import options
from hsitf.commands.application import application, verb
from hsitf.commands.options import with_options
from hsitf.progress import Terminal

if TYPE_CHECKING:
    from hsitf.records import SceneChoice

app = application("Lists the scenes, describes one, or writes a large synthetic one.")


@app.command("list")
def list_scenes() -> None:
    """Lists the scenes that can be named."""
    from hsitf.scenes.describe import format_catalog

    print(format_catalog())


@verb(app)
@with_options(files=options.scene_files)
def show(
    *,
    scene: Annotated[str, typer.Argument(help="Scene by name, or the path of a cube.")],
    files: SceneChoice,
) -> None:
    """Loads a scene and counts its classes."""
    from dataclasses import replace

    from hsitf.data import read_scene
    from hsitf.scenes.describe import format_scene

    print(format_scene(read_scene(replace(files, source=scene))))


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
