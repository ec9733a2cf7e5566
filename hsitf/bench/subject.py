"""What is measured: exported bundles, or files of which nothing is known but what is in them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hsitf import contents, runtimes
from hsitf.contents import Contents
from hsitf.errors import InputError
from hsitf.export.bundle import GOLDEN, RECORD, Bundle
from hsitf.files import size
from hsitf.records import ExportRecord
from hsitf.runtimes import Stored

READ = {".tflite": contents.tflite, ".onnx": contents.onnx}


@dataclass(frozen=True, eq=False)
class Subject:
    """A file to measure.

    Attributes:
        name: For the table.
        file: Where it lies.
        record: What it is worth; None for a bare file.
        contents: What it is made of.
        pixels: Pixels that one inference classifies.
        sample: An input as it is stored.
        zipped: Its size in a deflated archive, as an application's package has it, bytes.
    """

    name: str
    file: Path
    record: ExportRecord | None
    contents: Contents
    pixels: int
    sample: Stored
    zipped: int

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return size(self.file)


def subjects(paths: Sequence[Path]) -> list[Subject]:
    """The files under paths, each once.

    Args:
        paths: Files, bundles, or folders that hold bundles at any depth.

    Raises:
        InputError: There is nothing to measure at one of them.
        DataError: A bundle is damaged.
    """
    found: dict[Path, Subject] = {}
    for path in paths:
        made = {one.file.resolve(): one for one in _under(path)}
        if not made:
            raise InputError(
                f"nothing to measure at {path}",
                received="no such path" if not path.exists() else "no .tflite or .onnx file",
                allowed="a file, a bundle, or a folder of bundles such as export/fields/cao",
                remedy="export something first: python -m hsitf.export --model cao --int8",
            )
        found |= made
    return list(found.values())


def _under(path: Path) -> Iterator[Subject]:
    if path.is_file() and path.suffix in READ:
        yield _bare(path)
    for record in sorted(path.rglob(RECORD)) if path.is_dir() else ():
        bundle = Bundle.open(record.parent)
        if bundle.file.suffix in READ:
            yield _of(bundle)


def _of(bundle: Bundle) -> Subject:
    record = bundle.record
    with np.load(bundle.folder / GOLDEN, allow_pickle=False) as golden:
        sample = golden["stored_inputs"][: record.batch]
    form = f"-dense{record.tile}" if record.tile else f"-batch{record.batch}" * (record.batch > 1)
    return Subject(
        f"{record.model} {record.variant}{form}", bundle.file, record,
        READ[bundle.file.suffix](bundle.file), record.tile**2 or record.batch, sample,
        _zipped(bundle.file),
    )  # fmt: skip


def _bare(path: Path) -> Subject:
    runtime = runtimes.LiteRT(path) if path.suffix == ".tflite" else runtimes.OnnxRuntime(path)
    shape = runtime.input.shape
    return Subject(
        path.name, path, None, READ[path.suffix](path), runtimes.tile(runtime) ** 2 or shape[0],
        np.zeros(shape, runtime.input.dtype), _zipped(path),
    )  # fmt: skip


def _zipped(path: Path) -> int:
    with TemporaryDirectory() as folder:
        archive = Path(folder) / "file.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
            written.write(path, path.name)
        return archive.stat().st_size
