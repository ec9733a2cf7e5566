"""Subjects of a benchmark: exported bundles, trained networks, or bare files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hsitf import runs, runtimes
from hsitf.array_files import DAMAGE
from hsitf.arrays import StoredArray
from hsitf.errors import DataError, HsitfError, InputError
from hsitf.export.bundle import GOLDEN, RECORD, Bundle, form_suffix
from hsitf.export.variants import format_of, formats
from hsitf.files import find_below, os_errors_reported, restore_folder, size
from hsitf.inspection import Contents
from hsitf.log_silencing import suppressed_output
from hsitf.ranges import Count, Share
from hsitf.records import ExportRecord
from hsitf.runs import Run


@dataclass(frozen=True)
class RecordSummary:
    """Facts from the record of a file; all empty for a file without record.

    Attributes:
        network: Label of the network, such as cao.
        variant: Kind of exported file, such as int8.
        scene: Name of the scene; empty where unknown.
        synthetic: True where the scene was generated.
        oa: Overall accuracy on the test pixels; None where unknown.
        agreement: Share of test pixels classified as by the network; None where unknown.
        parameters: Weights of the network.
        macs: Multiply-accumulates of the network for one patch.
    """

    network: str = ""
    variant: str = ""
    scene: str = ""
    synthetic: bool = False
    oa: Share | None = None
    agreement: Share | None = None
    parameters: Count | None = None
    macs: Count | None = None


@dataclass(frozen=True, eq=False)
class BenchSubject:
    """A file to benchmark.

    Attributes:
        name: Name in tables.
        file: Path of the file (a folder for a SavedModel).
        summary: Facts from its record.
        contents: Its operators; None for a trained network.
        pixels: Pixels classified per inference.
        inputs: Inputs of one or more inferences in the type of the file, batch after batch.
        batch: Inputs per inference.
        zipped_bytes: Size of the file in a deflated archive, as in an application package.
    """

    name: str
    file: Path
    summary: RecordSummary
    contents: Contents | None
    pixels: int
    inputs: StoredArray
    batch: int
    zipped_bytes: int

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return size(self.file)

    @property
    def sample(self) -> StoredArray:
        """The input of one inference."""
        return self.inputs[: self.batch]


def find_subjects(paths: Sequence[Path]) -> list[BenchSubject]:
    """Finds the files to benchmark under paths, each once.

    Args:
        paths: Files, bundles, runs, or folders with bundles or runs at any depth.

    Raises:
        InputError: There is nothing to measure at one of them.
        DataError: A bundle, a run or a file is damaged.
    """
    found, damaged = find_usable_subjects(paths)
    if damaged:
        raise damaged[0]
    return found


def find_usable_subjects(paths: Sequence[Path]) -> tuple[list[BenchSubject], list[HsitfError]]:
    """Finds the files to benchmark under paths, and why others among them cannot be.

    Args:
        paths: As of `find_subjects`.

    Raises:
        InputError: There is nothing to measure at one of the paths.
        HsitfError: None of the files can be measured; the reason of the first.
    """
    found: dict[Path, BenchSubject] = {}
    damaged: list[HsitfError] = []
    for path in paths:
        there = list(_under(path))
        if not there:
            raise InputError(
                f"nothing to measure at {path}",
                received="no such path" if not path.exists() else "no .tflite or .onnx file",
                allowed="a file, a bundle, a run, or a folder of them such as export/fields/cao",
                remedy="export something first: python -m hsitf.export --model cao --int8",
            )
        for place, opened in there:
            try:
                one = opened()
            except HsitfError as error:
                damaged.append(error)
            except DAMAGE as error:
                reason = (str(error).strip().splitlines() or [""])[0][:200]
                damaged.append(
                    DataError(
                        f"{place} cannot be read",
                        received=f"{type(error).__name__}: {reason}",
                        remedy="export it again",
                    )
                )
            else:
                found[one.file.resolve()] = one
    if damaged and not found:
        raise damaged[0]
    return list(found.values()), damaged


def _under(path: Path) -> Iterator[tuple[Path, Callable[[], BenchSubject]]]:
    """Yields what is at a path or below it, and what opens it."""
    if path.is_file() and path.suffix in formats():
        yield path, partial(_of_file, path)
    restore_folder(path)
    for record in find_below(path, RECORD):
        folder = record.parent
        if (folder / runs.NETWORK).is_file():
            yield folder, partial(_run_in, folder)
        elif (folder / GOLDEN).is_file():
            yield folder, partial(_bundle_in, folder)


def _run_in(folder: Path) -> BenchSubject:
    return _of_run(Run.open(folder))


def _bundle_in(folder: Path) -> BenchSubject:
    return _of_bundle(Bundle.open(folder))


def _of_bundle(bundle: Bundle) -> BenchSubject:
    record = bundle.record
    with bundle.golden(["stored_inputs"]) as golden:
        inputs = golden["stored_inputs"]
    target = record.target.name if record.target else None
    form = form_suffix(record.batch, record.tile, record.tta, target)
    label = bundle.folder.parent.name
    format_of(bundle.file).check_survival(bundle.file)
    return BenchSubject(
        f"{label} {record.variant}{form}",
        bundle.file,
        _summary(record, label, form),
        format_of(bundle.file).inspect(bundle.file),
        (record.tile - 2 * record.overlap) ** 2 or record.batch,
        inputs,
        1 if record.tile else record.batch,
        _zipped_size(bundle.file),
    )


def _summary(record: ExportRecord, label: str, form: str) -> RecordSummary:
    return RecordSummary(
        label,
        record.variant + form,
        record.scene,
        record.synthetic,
        record.oa,
        record.agreement,
        record.parameters,
        record.macs,
    )


def _of_run(run: Run) -> BenchSubject:
    record, file = run.record, run.folder / runs.NETWORK
    with suppressed_output():
        from hsitf.cost import cost

        work = cost(run.network())
    # Values like normalized spectra.
    side = record.tile or record.plan.patch
    patch = np.random.default_rng(0).standard_normal((1, side, side, record.components))
    return BenchSubject(
        f"{run.label} trained",
        file,
        RecordSummary(
            run.label,
            "trained",
            record.scene.name,
            record.scene.synthetic,
            record.scores.oa,
            1.0,
            work.parameters,
            work.macs,
        ),
        None,
        record.tile**2 or 1,
        patch.astype(np.float32),
        1,
        _zipped_size(file),
    )


def _of_file(path: Path) -> BenchSubject:
    runtime = format_of(path).runtime_of_any(path, 1)
    shape = runtime.input.shape
    return BenchSubject(
        path.name,
        path,
        RecordSummary(),
        format_of(path).inspect(path),
        runtimes.tile_side(runtime) ** 2 or shape[0],
        np.zeros(shape, runtime.input.dtype),
        shape[0],
        _zipped_size(path),
    )


def _zipped_size(path: Path) -> int:
    # It is the disk for temporary files that may be full, not the file that is wrong.
    with TemporaryDirectory() as folder, os_errors_reported(Path(folder)):
        archive = Path(folder) / "file.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
            for file in [path] if path.is_file() else sorted(path.rglob("*")):
                written.write(file, file.relative_to(path.parent))
        return archive.stat().st_size
