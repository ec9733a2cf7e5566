"""What is measured: exported bundles, trained networks, or files of which nothing is known."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from hsitf import contents, runs, runtimes
from hsitf.contents import Contents
from hsitf.errors import InputError
from hsitf.export.bundle import GOLDEN, RECORD, Bundle
from hsitf.files import size
from hsitf.quiet import quietly
from hsitf.records import ExportRecord
from hsitf.runs import Run
from hsitf.runtimes import Stored

READ = {".tflite": contents.tflite, ".onnx": contents.onnx, "": contents.saved_model}


@dataclass(frozen=True)
class Worth:
    """What records say of a file; the empty one of a file without.

    Attributes:
        network: Its label, such as cao; `variant` such as int8.
        scene: Name of the scene; empty where unknown.
        synthetic: True where that was generated.
        oa: Overall accuracy on the test pixels; None where unknown.
        agreement: Share of the test pixels on which it says what its network says.
        parameters: Weights of the network.
        macs: Multiply-accumulates of the network for one patch.
    """

    network: str = ""
    variant: str = ""
    scene: str = ""
    synthetic: bool = False
    oa: float | None = None
    agreement: float | None = None
    parameters: int | None = None
    macs: int | None = None


@dataclass(frozen=True, eq=False)
class Subject:
    """A file to measure.

    Attributes:
        name: For the table.
        file: Where it lies (a folder for a SavedModel).
        worth: What its record says of it.
        contents: What it is made of; None of a trained network.
        pixels: Pixels that one inference classifies.
        inputs: One or more inferences' inputs, as they are stored, one batch after the other.
        batch: Of them, how many an inference takes.
        zipped: Its size in a deflated archive, as an application's package has it, bytes.
    """

    name: str
    file: Path
    worth: Worth
    contents: Contents | None
    pixels: int
    inputs: Stored
    batch: int
    zipped: int

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return size(self.file)

    @property
    def sample(self) -> Stored:
        """The input of one inference."""
        return self.inputs[: self.batch]


def subjects(paths: Sequence[Path]) -> list[Subject]:
    """The files under paths, each once.

    Args:
        paths: Files, bundles, runs, or folders that hold bundles or runs at any depth.

    Raises:
        InputError: There is nothing to measure at one of them.
        DataError: A bundle, a run or a file is damaged.
    """
    found: dict[Path, Subject] = {}
    for path in paths:
        made = {one.file.resolve(): one for one in _under(path)}
        if not made:
            raise InputError(
                f"nothing to measure at {path}",
                received="no such path" if not path.exists() else "no .tflite or .onnx file",
                allowed="a file, a bundle, a run, or a folder of them such as export/fields/cao",
                remedy="export something first: python -m hsitf.export --model cao --int8",
            )
        found |= made
    return list(found.values())


def _under(path: Path) -> Iterator[Subject]:
    if path.is_file() and path.suffix in READ:
        yield _bare(path)
    for record in sorted(path.rglob(RECORD)) if path.is_dir() else ():
        if (record.parent / runs.NETWORK).is_file():
            yield _of_run(Run.open(record.parent))
        elif (record.parent / GOLDEN).is_file():
            bundle = Bundle.open(record.parent)
            if bundle.file.suffix in READ:
                yield _of(bundle)


def _of(bundle: Bundle) -> Subject:
    record = bundle.record
    with np.load(bundle.folder / GOLDEN, allow_pickle=False) as golden:
        inputs = golden["stored_inputs"]
    form = f"-dense{record.tile}" if record.tile else f"-batch{record.batch}" * (record.batch > 1)
    label = bundle.folder.parent.name
    return Subject(
        f"{label} {record.variant}{form}",
        bundle.file,
        _worth(record, label, form),
        READ[bundle.file.suffix](bundle.file),
        record.tile**2 or record.batch,
        inputs,
        1 if record.tile else record.batch,
        _zipped(bundle.file),
    )


def _worth(record: ExportRecord, label: str, form: str) -> Worth:
    return Worth(
        label,
        record.variant + form,
        record.scene,
        record.synthetic,
        record.oa,
        record.agreement,
        record.parameters,
        record.macs,
    )


def _of_run(run: Run) -> Subject:
    record, file = run.record, run.folder / runs.NETWORK
    with quietly():
        from hsitf.cost import cost

        work = cost(run.network())
    # Normalized numbers: what a network that was trained on them is fed with.
    side = record.plan.patch
    patch = np.random.default_rng(0).standard_normal((1, side, side, record.components))
    return Subject(
        f"{run.label} trained",
        file,
        Worth(
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
        1,
        patch.astype(np.float32),
        1,
        _zipped(file),
    )


def _bare(path: Path) -> Subject:
    runtime = runtimes.LiteRT(path) if path.suffix == ".tflite" else runtimes.OnnxRuntime(path)
    shape = runtime.input.shape
    return Subject(
        path.name,
        path,
        Worth(),
        READ[path.suffix](path),
        runtimes.tile(runtime) ** 2 or shape[0],
        np.zeros(shape, runtime.input.dtype),
        shape[0],
        _zipped(path),
    )


def _zipped(path: Path) -> int:
    with TemporaryDirectory() as folder:
        archive = Path(folder) / "file.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
            for file in [path] if path.is_file() else sorted(path.rglob("*")):
                written.write(file, file.relative_to(path.parent))
        return archive.stat().st_size
