"""`python -m hsitf.explain`: what a network looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hsitf import cli

app = cli.app("Shows what a network looks at, before and after compression.")


@app.command()
def explain(
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="saliency, gradient-times-input, integrated-gradients, smoothgrad, "
            "guided-backpropagation, occlusion, activation or weight.",
        ),
    ] = "saliency",
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Network, by its name in the zoo.")
    ] = None,
    scene: Annotated[
        str | None,
        typer.Option("--scene", "-s", help="Scene by name, or a path; the network's own."),
    ] = None,
    origin: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="Run, bundle or pruning curve; repeatable: the first is what others are held to.",
        ),
    ] = None,
    pixel: Annotated[
        str | None, typer.Option("--pixel", help="ROW,COL; else means over test pixels.")
    ] = None,
    class_name: Annotated[
        str, typer.Option("--class", help="Class to explain; else the pixel's, or every one.")
    ] = "",
    most: Annotated[
        int | None,
        typer.Option("--most", help="Test pixels of a class: 200, of files without gradients 10."),
    ] = None,
    layer: Annotated[str, typer.Option("--layer", help="For activation; else the logits.")] = "",
    filters: Annotated[
        str | None, typer.Option("--filter", help="Filters of the layer, such as 0,3,7.")
    ] = None,
    weight: Annotated[
        str, typer.Option("--weight", help="LAYER/WEIGHT for weight, such as dense1/bias.")
    ] = "",
    shown: Annotated[
        str | None, typer.Option("--show", help="Bands or components to draw; else 0,10,..,90.")
    ] = None,
    top: Annotated[int, typer.Option("--top", help="How many bands to name.")] = 10,
    apart: Annotated[
        int, typer.Option("--apart", help="Least distance of two bands that are named.")
    ] = 1,
    noise: Annotated[
        float, typer.Option("--noise", help="Of smoothgrad, over the range of the patch.")
    ] = 0.1,
    copies: Annotated[int, typer.Option("--copies", help="Noisy copies of smoothgrad.")] = 25,
    window: Annotated[
        int, typer.Option("--window", help="Neighboring bands that are occluded together.")
    ] = 1,
    iterations: Annotated[
        int, typer.Option("--iterations", help="Steps of activation maximization.")
    ] = 128,
    data_dir: cli.DataDir = None,
    labels: cli.Labels = None,
    variable: cli.Variable = None,
    labels_variable: cli.LabelsVariable = None,
    bands: cli.Bands = None,
    seed: Annotated[int, typer.Option("--seed", help="Of what methods draw.")] = 0,
    backend: Annotated[
        str | None, typer.Option("--backend", help="tensorflow, jax or torch.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; else beside the network.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Of the record and figures.")] = "",
) -> None:
    """Writes maps, the importance of bands, figures and a record; prints the bands that matter.

    With --model the latest trained network of that scene (or one trained now, with a short
    schedule); with --from any runs or exported files of one scene, side by side: each is compared
    with the first. Without --pixel and --class, every class is explained by its test pixels.
    """
    from hsitf.errors import InputError
    from hsitf.options import SplitChoice, check_origin, trained_for
    from hsitf.records import SceneChoice
    from hsitf.train.devices import use

    choice = SceneChoice(scene or "", data_dir, labels, variable, labels_variable)
    if not model and not origin:
        raise InputError(
            "nothing to explain",
            received="neither --model nor --from",
            remedy="give --model cao, or --from with folders of runs or bundles",
        )
    check_origin(origin[0] if origin else None, choice, SplitChoice(), bands)
    if model:
        from hsitf.zoo import known as known_network

        known_network(model)
    use(backend)
    cli.load_keras()
    from hsitf.explain.methods import Settings, known
    from hsitf.explain.request import Ask, numbers
    from hsitf.explain.request import pixel as place
    from hsitf.explain.run import explain as explained
    from hsitf.explain.table import told
    from hsitf.train.run import check_name

    if name:
        check_name(name)
    ask = Ask(
        known(method),
        Settings(layer, weight, noise, copies, window, iterations, seed),
        place(pixel) if pixel else None,
        class_name,
        numbers(filters, "--filter") if filters else (),
        most,
        numbers(shown, "--show") if shown else (),
        top,
        apart,
        name,
        out,
    )
    with cli.Terminal() as progress:
        folders = list(origin or [])
        if model and not folders:
            run, choice = trained_for(model, choice, SplitChoice(), None, progress, bands)
            folders = [run.folder]
        done, written = explained(folders, choice, ask, progress, model)
    print(told(done.record, written))


if __name__ == "__main__":
    cli.run(app)
