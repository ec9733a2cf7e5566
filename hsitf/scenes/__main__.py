"""`python -m hsitf.scenes`: what scenes there are, and what is in one."""

from __future__ import annotations

from typing import Annotated

import typer

from hsitf import cli

app = cli.app("Lists the scenes, or tells what is in one.")


@app.command("list")
def list_scenes() -> None:
    """Lists the scenes that can be named."""
    from hsitf.scenes.describe import catalog

    print(catalog())


@app.command()
def show(
    scene: Annotated[str, typer.Argument(help="Scene by name, or the path of a cube.")],
    data_dir: cli.DataDir = None,
    labels: cli.Labels = None,
    variable: cli.Variable = None,
    labels_variable: cli.LabelsVariable = None,
) -> None:
    """Loads a scene and counts its classes."""
    from hsitf.scenes import load
    from hsitf.scenes.describe import contents

    loaded = load(
        scene, data_dir, labels=labels, variable=variable, labels_variable=labels_variable
    )
    print(contents(loaded))


if __name__ == "__main__":
    cli.run(app)
