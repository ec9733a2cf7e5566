"""Which operators of a .tflite file a phone's or a board's delegates would take, and why not all.

What a delegate's rules say is necessary, not sufficient: whether a driver takes an operator is
known on its device only. A rule is a function from an operator to its reason for refusal.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hsitf.bench.delegates import edgetpu, gpu, nnapi
from hsitf.bench.subject import Subject
from hsitf.contents import Node, nodes
from hsitf.progress import Progress
from hsitf.quiet import quietly

Rule = Callable[[Node], str]


@dataclass(frozen=True)
class Delegate:
    """A delegate by its published rules.

    Attributes:
        name: For people.
        refuses: Why an operator is not taken; empty where it is.
        prefix: Whether everything behind the first operator that is refused is refused, too.
    """

    name: str
    refuses: Rule
    prefix: bool = False


DELEGATES = (
    Delegate("GPU", gpu.refuses),
    Delegate("NNAPI", nnapi.refuses),
    Delegate("Edge TPU", edgetpu.refuses, prefix=True),
)


@dataclass(frozen=True)
class Fitness:
    """What a delegate would take of a file.

    Attributes:
        name: Of the file.
        path: Where it lies.
        delegate: Name of the delegate.
        taken: Operators that it would take; `operators` is how many there are.
        reasons: Why it would not take the others, each once, with how many it holds for.
    """

    name: str
    path: str
    delegate: str
    taken: int
    operators: int
    reasons: tuple[str, ...]


def fitness(files: Sequence[Subject], progress: Progress) -> list[Fitness]:
    """The fitness of each .tflite file for each delegate.

    Args:
        files: What; other formats are passed over.
        progress: Told what happens.
    """
    wanted = [file for file in files if file.file.suffix == ".tflite"]
    progress.start("comparing with the rules of delegates", len(wanted))
    found = []
    for file in wanted:
        graph = nodes(file.file)
        for delegate in DELEGATES:
            reasons = [delegate.refuses(node) for node in graph]
            if delegate.name == "GPU":
                reasons = _merged(reasons, analyzed(file.file))
            found.append(_fitness(file, delegate, reasons))
        progress.advance(1, file.name)
    return found


def _fitness(file: Subject, delegate: Delegate, reasons: Sequence[str]) -> Fitness:
    refused = [place for place, reason in enumerate(reasons) if reason]
    taken = len(reasons) - len(refused)
    told = [
        f"{reason} ({count} operators)" if count > 1 else reason
        for reason, count in Counter(filter(None, reasons)).items()
    ]
    if delegate.prefix and refused:
        taken = refused[0]
        told.append(f"all behind operator {taken} stay on the processor")
    return Fitness(file.name, str(file.file), delegate.name, taken, len(reasons), tuple(told))


def _merged(reasons: Sequence[str], warnings: dict[int, str]) -> list[str]:
    return [reason or warnings.get(place, "") for place, reason in enumerate(reasons)]


def analyzed(path: Path) -> dict[int, str]:
    """What the converter's own analyzer warns of, by the place of the operator.

    `tf.lite.experimental.Analyzer` with `gpu_compatibility`. The one of TensorFlow 2.21 passes
    every operator, 3-D convolutions included, which is why `delegates.gpu` has the rules as well.
    """
    with quietly():
        import tensorflow as tf

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        tf.lite.experimental.Analyzer.analyze(model_path=str(path), gpu_compatibility=True)
    found: dict[int, str] = {}
    place = -1
    for line in printed.getvalue().splitlines():
        if operator := re.match(r"\s*Op#(\d+) ", line):
            place = int(operator[1])
        elif (warning := re.match(r"GPU COMPATIBILITY WARNING: (?!Subgraph)(.*)", line)) and (
            place >= 0
        ):
            found[place] = warning[1].strip()
    return found
