"""Delegate compatibility: operators of a .tflite file that the delegates of devices support.

The published rules of a delegate are necessary, not sufficient: whether a driver supports an
operator is known on the device only.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hsitf.bench.subject import BenchSubject
from hsitf.compat import formerly
from hsitf.inspection import nodes
from hsitf.log_silencing import suppressed_output
from hsitf.progress import Progress
from hsitf.ranges import Count
from hsitf.targets import Target, all_targets


@formerly(supported_operators="taken", file_name="name")
@dataclass(frozen=True)
class DelegateCompatibility:
    """Operators of a file that a delegate supports.

    Attributes:
        file_name: Name of the file in tables.
        path: Path of the file.
        delegate: Name of the delegate.
        supported_operators: Number of supported operators.
        operators: Number of all operators.
        reasons: Reasons why others are not supported, each once, with the number of operators.
    """

    file_name: str
    path: str
    delegate: str
    supported_operators: Count
    operators: Count
    reasons: tuple[str, ...]


def check_compatibility(
    files: Sequence[BenchSubject], progress: Progress
) -> list[DelegateCompatibility]:
    """Checks each .tflite file against the rules of each delegate.

    Args:
        files: Files; other formats are skipped.
        progress: Receives progress messages.
    """
    wanted = [file for file in files if file.file.suffix == ".tflite"]
    progress.start("checking delegate compatibility", len(wanted))
    found = []
    for file in wanted:
        graph = nodes(file.file)
        for name, target in all_targets():
            if target.rejects is None:
                continue
            reasons = [target.rejects(node) for node in graph]
            if name == "gpu":
                reasons = _merged(reasons, analyzer_warnings(file.file))
            found.append(_compatibility(file, target, reasons))
        progress.advance(1, file.name)
    return found


def _compatibility(
    file: BenchSubject, delegate: Target, reasons: Sequence[str]
) -> DelegateCompatibility:
    rejected = [number for number, reason in enumerate(reasons) if reason]
    supported = len(reasons) - len(rejected)
    texts = [
        f"{reason} ({count} operators)" if count > 1 else reason
        for reason, count in Counter(filter(None, reasons)).items()
    ]
    if delegate.prefix_only and rejected:
        supported = rejected[0]
        texts.append(f"all operators from number {supported} on run on the CPU")
    return DelegateCompatibility(
        file.name, str(file.file), delegate.title, supported, len(reasons), tuple(texts)
    )


def _merged(reasons: Sequence[str], warnings: dict[int, str]) -> list[str]:
    return [reason or warnings.get(place, "") for place, reason in enumerate(reasons)]


def analyzer_warnings(path: Path) -> dict[int, str]:
    """Warnings of TensorFlow's own analyzer, by the number of the operator.

    `tf.lite.experimental.Analyzer` with `gpu_compatibility`. The one of TensorFlow 2.21 passes
    every operator, 3-D convolutions included, which is why `targets.gpu` has the rules as well.
    """
    with suppressed_output():
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
