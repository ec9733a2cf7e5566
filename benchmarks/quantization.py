"""Accuracy and size of quantized files of trained networks, as Markdown tables.

    PYTHONPATH=. python benchmarks/quantization.py drops RUN ... [--data-dir DIR] [--bound 0.5]
    PYTHONPATH=. python benchmarks/quantization.py techniques RUN ... [--data-dir DIR]
    PYTHONPATH=. python benchmarks/quantization.py sizes RUN ... [--data-dir DIR]
    PYTHONPATH=. python benchmarks/quantization.py triples RUN ... [--max-samples 2000]

`drops`: accuracy drop of the converter's own int8 file, and of the file within a bound, with the
techniques that it uses. `techniques`: accuracy drop and agreement with the float network of the
converter's own file, with bias correction, with equalization, and with both. `sizes`: bytes of
every variant over those of the float file of its format. `triples`: accuracy drop at bit widths of
activations, weights and accumulators, simulated.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from hsitf.errors import HsitfError
from hsitf.export.bundle import Bundle
from hsitf.export.pipeline import export
from hsitf.export.request import ExportRequest
from hsitf.export.variants import variant
from hsitf.progress import Silent
from hsitf.quantize.bit_study import run_bit_study
from hsitf.quantize.report import study_path
from hsitf.quantize.request import BitStudyRequest, parse_bit_triples
from hsitf.quantize.schemes import Scheme
from hsitf.records import SceneChoice
from hsitf.runs import Run

FLOAT_OF = {
    "float16": "float32",
    "dynamic": "float32",
    "weight-only": "float32",
    "int8": "float32",
    "int16": "float32",
    "onnx-float16": "onnx",
    "onnx-int8": "onnx",
}
TRIPLES = (
    "16,16,32",
    "8,16,32",
    "16,8,32",
    "8,8,32",
    "8,4,32",
    "4,8,32",
    "4,4,32",
    "8,16,16",
    "8,8,16",
    "8,4,16",
    "4,4,16",
    "2,8,32",
    "8,2,32",
    "1,8,32",
    "8,1,32",
)


def drops(run: Run, choice: SceneChoice, given: argparse.Namespace) -> tuple[str, ...]:
    """Scene, drop of the converter's int8 file, drop and techniques of the bounded one."""
    float_oa, cells = "", []
    for bound in (100.0, given.bound):
        bundles, refused = exported(run, ("int8",), choice, bound if bound < 100 else None)
        if refused:
            cells += [str(refused[0].received)] + [""] * (bound < 100)
            continue
        record = bundles[0].record
        float_oa = f"{100 * record.oa_keras:.2f}"
        cells.append(f"{0 - record.oa_drop:+.2f}")
        if bound < 100:
            cells.append("; ".join(record.applied_techniques) or "none needed")
    return run.record.scene.name, float_oa, *cells


def techniques(run: Run, choice: SceneChoice, given: argparse.Namespace) -> tuple[str, ...]:
    """Of one network: change of accuracy and agreement in percent, by what costs nothing in use."""
    cells = []
    for equalize, correct in ((False, False), (False, True), (True, False), (True, True)):
        options = {"equalize": equalize, "correct": correct}
        bundles, refused = exported(run, ("int8",), choice, 100.0, **options)
        if refused:
            cells.append(str(refused[0].received))
            continue
        record = bundles[0].record
        cells.append(f"{0 - record.oa_drop:+.2f} / {100 * record.agreement:.2f}")
    return run.record.scene.name, *cells


def sizes(run: Run, choice: SceneChoice, given: argparse.Namespace) -> tuple[str, ...]:
    """Of one network: bytes over the float file, by variant."""
    bundles, _ = exported(run, ("float32", "onnx", *FLOAT_OF), choice, 100.0)
    found = {bundle.record.variant: bundle.record.bytes for bundle in bundles}
    shares = [
        f"{found[name] / found[plain]:.3f}" if name in found else "-"
        for name, plain in FLOAT_OF.items()
    ]
    return run.record.scene.name, f"{found['float32']:,}", *shares


def bits(run: Run, choice: SceneChoice, given: argparse.Namespace) -> tuple[str, ...]:
    """Of one network: accuracy lost by triples of bits."""
    order = BitStudyRequest(Scheme("channel", "symmetric", "min-max"), given.max_samples)
    path = study_path(run, "bits", order).with_suffix(".json")
    found = run_bit_study(run, parse_bit_triples(TRIPLES, None), order, path, Silent(), choice)
    by_bits = {str(cell.bits): cell.oa for cell in found.cells}
    changes = [f"{100 * (by_bits[text] - found.oa):+.1f}" for text in TRIPLES]
    return found.scene, f"{100 * found.oa:.2f}", *changes


def exported(
    run: Run, names: Sequence[str], choice: SceneChoice, bound: float | None, **options: bool
) -> tuple[list[Bundle], list[HsitfError]]:
    """Exported files of a network, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        kinds = tuple(map(variant, names))
        request = ExportRequest(kinds, max_drop=bound, root=Path(folder), **options)
        bundles, refused = export(run, request, Silent(), choice)
    return bundles, list(refused)


Row = Callable[[Run, SceneChoice, argparse.Namespace], tuple[str, ...]]
TABLES: dict[str, tuple[Row, tuple[str, ...]]] = {
    "drops": (drops, ("scene", "float OA", "int8 change", "with the bound", "techniques")),
    "techniques": (
        techniques,
        ("scene", "converter alone", "--correct-bias", "--equalize", "both"),
    ),
    "sizes": (sizes, ("scene", "float32, bytes", *FLOAT_OF)),
    "triples": (bits, ("scene", "float OA", *TRIPLES)),
}


def main() -> None:
    """Prints one of the tables, row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data-dir")
    parser.add_argument("--bound", type=float, default=0.5)
    parser.add_argument("--max-samples", type=int, default=2000)
    given = parser.parse_args()
    row, head = TABLES[given.table]
    columns = ("network", *head)
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for folder in given.runs:
        run = Run.open(folder)
        choice = run.record.plan.scene
        if given.data_dir:
            choice = SceneChoice(choice.source, given.data_dir)
        try:
            cells = row(run, choice, given)
        except HsitfError as error:
            cells = (str(error),)
        print("| " + " | ".join((run.record.plan.network, *cells)) + " |", flush=True)
    print(f"\n`{' '.join(['python', os.path.relpath(sys.argv[0]), given.table])} RUN ...`")


if __name__ == "__main__":
    main()
