"""From what a user names to the plan of a drawing and its title."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsitf import zoo
from hsitf.errors import DataError, InputError, MissingInputError
from hsitf.export.bundle import RECORD as BUNDLE
from hsitf.export.bundle import Bundle
from hsitf.log_silencing import suppressed_output
from hsitf.runs import NETWORK, Run
from hsitf.zoo import BASELINES, known

if TYPE_CHECKING:
    from hsitf.draw.boxes import DrawnBox
    from hsitf.draw.plan import NetworkDiagram

FILES = (".tflite", ".onnx")
"""Suffixes of exported files that are drawn."""


@dataclass(frozen=True)
class DrawingOptions:
    """What to draw.

    Attributes:
        model: Name of a zoo network, or path of a file with one; None where a run is named.
        origin: Folder of a run or a bundle, or a .tflite or .onnx file.
        against: Folder of the run to compare widths with; None: the one that `origin` was pruned
            from, if it exists.
        inputs: Number of bands or components of `model`; `classes` and `patch` likewise.
    """

    model: str | None
    origin: Path | None
    against: Path | None
    inputs: int
    classes: int
    patch: int | None


def check_options(options: DrawingOptions) -> None:
    """Refuses what has no meaning, before anything heavy is loaded.

    Raises:
        InputError: Neither or both of a network and a run are named, or numbers are out of range.
    """
    if (options.model is None) == (options.origin is None):
        raise InputError(
            "one network is drawn",
            received="neither --model nor --from" if options.model is None else "both",
            remedy="give --model cao, or --from with the folder of a run",
        )
    if options.model is not None:
        if known(options.model) in BASELINES:
            raise InputError(
                f"{options.model} is a baseline, whose layers depend on what it is fitted to",
                received=f"--model {options.model}",
                remedy="train it and name its run with --from",
            )
        if options.against is not None:
            raise InputError(
                "widths are compared between runs",
                received="--model with --against",
                remedy="give --from in place of --model",
            )
    if options.origin is not None and options.against is not None and _file_of(options.origin):
        raise InputError(
            "widths are compared between runs",
            received=f"--against with {options.origin}",
            remedy="leave --against out, or name a run with --from",
        )
    for option, value in (("--inputs", options.inputs), ("--classes", options.classes)):
        if not 1 <= value <= 100_000:
            raise InputError(f"{option} is out of range", received=value, allowed="1 to 100,000")


def open_boxes(options: DrawingOptions) -> tuple[list[DrawnBox], str]:
    """The boxes of a network or an exported file, and a title.

    Raises:
        InputError: A run or file cannot be found, the geometry does not fit the network, or a file
            has too many operators.
        DataError: A run or file is damaged.
    """
    path = None if options.origin is None else _file_of(options.origin)
    if path is not None:
        return _boxes_of_file(path)
    from hsitf.draw.boxes import network_boxes

    found, title = _open_diagram(options)
    return network_boxes(found), title


def _file_of(origin: Path) -> Path | None:
    """The exported file that a user names by itself or by its bundle; None for a run."""
    if origin.suffix.lower() in FILES and not origin.is_dir():
        if not origin.is_file():
            raise MissingInputError(f"there is no file {origin}", remedy="correct the path")
        return origin
    if not (origin / BUNDLE).is_file() or (origin / NETWORK).is_file():
        return None
    path = Bundle.open(origin).file
    if path.suffix.lower() not in FILES:
        raise InputError(
            f"{path} is not of a format that is drawn",
            received=path.suffix or "a folder",
            allowed=", ".join(FILES),
            remedy="draw the run that it was made from",
        )
    return path


def _boxes_of_file(path: Path) -> tuple[list[DrawnBox], str]:
    from hsitf.draw.file_graph import file_boxes, file_title
    from hsitf.draw.onnx_file import onnx_graph
    from hsitf.draw.tflite_file import tflite_graph

    read = onnx_graph if path.suffix.lower() == ".onnx" else tflite_graph
    graph = read(path)
    return file_boxes(graph), file_title(path.name, graph, path.stat().st_size)


def _open_diagram(options: DrawingOptions) -> tuple[NetworkDiagram, str]:
    """The diagram of a network, and a title with its cost."""
    from hsitf.draw.plan import diagram, with_original_widths

    with suppressed_output():
        if options.model is not None:
            found = diagram(
                zoo.build(
                    options.model,
                    bands=options.inputs,
                    classes=options.classes,
                    patch=options.patch,
                )
            )
            return found, _title(known(options.model), found, None)
        run = Run.open(options.origin or Path())
        found = diagram(run.network())
        before = _before(run, options.against)
        if before is None:
            return found, _title(run.label, found, None)
        whole = diagram(before.network())
    return with_original_widths(found, whole), _title(run.label, found, whole)


def _before(run: Run, named: Path | None) -> Run | None:
    """The run whose widths are compared with."""
    if named is not None:
        return Run.open(named)
    if run.record.pruning is None:
        return None
    try:
        whole = Run.open(Path(run.record.pruning.origin))
    except (DataError, InputError):
        return None
    return whole if whole.record.sha256 == run.record.pruning.origin_sha256 else None


def _title(name: str, found: NetworkDiagram, whole: NetworkDiagram | None) -> str:
    if whole is None:
        cost = f"{found.parameters:,} parameters, {found.macs:,} multiply-accumulates"
    else:
        cost = (
            f"{found.parameters:,} of {whole.parameters:,} parameters,\n"
            f"{found.macs:,} of {whole.macs:,} multiply-accumulates"
        )
    return f"{name}: {cost}"
