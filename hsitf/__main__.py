"""`python -m hsitf VERB` and the console script `hsitf`: all verbs in one command."""

from __future__ import annotations

from hsitf import cli
from hsitf.bands.__main__ import bands
from hsitf.bench.__main__ import bench
from hsitf.classify.__main__ import classify
from hsitf.draw.__main__ import draw
from hsitf.explain.__main__ import explain
from hsitf.export.__main__ import export
from hsitf.prune.__main__ import prune
from hsitf.quantize.__main__ import quantize
from hsitf.report.__main__ import report
from hsitf.scenes.__main__ import app as scenes
from hsitf.sweep.__main__ import sweep
from hsitf.train.__main__ import train

app = cli.app("Hyperspectral image classification on edge devices.")
app.add_typer(scenes, name="scenes")
VERBS = (bands, train, prune, quantize, export, classify, bench, explain, draw, sweep, report)
for verb in VERBS:
    app.command()(verb)


def main() -> None:
    """Entry point of the console script."""
    cli.run(app)


if __name__ == "__main__":
    main()
