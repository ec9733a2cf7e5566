"""Bundles: an exported file with its record, golden vectors and labels.

A bundle is the folder `export/<scene>/<network>/<variant>/`. It is assembled in a temporary folder
beside it and moved there when its file has passed verification.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf import records
from hsitf.array_files import MAX_UNPACKED, read_arrays
from hsitf.arrays import Float32Array, StoredArray
from hsitf.errors import DataError
from hsitf.files import restore_folder, sha256
from hsitf.records import ExportRecord, GoldenRecord
from hsitf.runtimes import Runtime, dequantize, quantize

EXPORT = Path("export")
RECORD = "record.json"
GOLDEN = "golden.npz"
LABELS = "labels.txt"
GOLDEN_PATCHES = 16
_MAX_GOLDEN = 4 << 30
# How often a bundle is read that others replace again and again.
_READINGS = 5


@dataclass(frozen=True)
class Bundle:
    """An exported bundle: its folder and its record."""

    folder: Path
    record: ExportRecord

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Reads a bundle and checks its file against the record.

        A bundle that is replaced meanwhile is read again.

        Raises:
            DataError: The record or the file is missing, damaged or exchanged.
        """
        restore_folder(folder)
        before = None
        for _ in range(_READINGS):
            bundle = cls(folder, records.read(ExportRecord, folder / RECORD))
            if bundle._is_whole():
                return bundle
            if bundle.record == before:
                break
            before = bundle.record
        raise DataError(
            f"{bundle.file} is not the file that its record describes",
            received="another SHA-256" if bundle.file.exists() else "no such file",
            remedy="export it again",
        )

    def check_runtime(self, runtime: Runtime) -> None:
        """Compares the tensors of the file, as an engine has it open, with the record.

        Raises:
            DataError: They have other shapes, types or quantization.
        """
        tensors = ((runtime.input, self.record.input), (runtime.output, self.record.output))
        for held, recorded in tensors:
            # Engines name tensors in ways of their own.
            if replace(held, name=recorded.name) != recorded:
                raise DataError(
                    f"{self.file} is not the file that its record describes",
                    received=f"{held.dtype} {held.shape}, scale {held.scale}, zero point "
                    f"{held.zero_point}",
                    allowed=f"{recorded.dtype} {recorded.shape}, scale {recorded.scale}, zero "
                    f"point {recorded.zero_point}",
                    remedy="export it again",
                )

    @contextmanager
    def golden(self, names: Sequence[str]) -> Iterator[dict[str, StoredArray]]:
        """Yields golden vectors by the names of the attributes of `GoldenVectors`.

        Raises:
            DataError: They are missing or damaged, or do not fit the file.
        """
        record = self.record
        inputs, outputs = math.prod(record.input.shape), math.prod(record.output.shape)
        inferences = 1 if record.tile else -(-GOLDEN_PATCHES // record.batch)
        limit = MAX_UNPACKED + 12 * inferences * (inputs + outputs)
        path, remedy = self.folder / GOLDEN, "export it again"
        stored = {"stored_inputs": record.input, "stored_outputs": record.output}
        with read_arrays(path, "golden vectors", remedy, min(limit, _MAX_GOLDEN), names) as found:
            for name, tensor in stored.items():
                values = found.get(name)
                if values is not None and (
                    values.ndim != len(tensor.shape)
                    or not len(values)
                    or len(values) % record.batch
                    or values.shape[1:] != tensor.shape[1:]
                    or values.dtype != tensor.dtype
                ):
                    raise ValueError(
                        f"{name} {values.dtype} {values.shape}, not {tensor.dtype} {tensor.shape}"
                    )
            yield found

    def _is_whole(self) -> bool:
        try:
            return self.file.exists() and sha256(self.file) == self.record.sha256
        except FileNotFoundError:
            # A folder that is replaced while it is read.
            return False

    @property
    def file(self) -> Path:
        """The exported file (a folder for a SavedModel)."""
        # A record is a file from elsewhere; its file has to lie inside the bundle.
        return self.folder / os.path.basename(self.record.file)


@dataclass(frozen=True, eq=False)
class GoldenVectors:
    """Golden vectors: inputs with the outputs that any other runtime has to reproduce.

    Of a tile form, one tile. The same kernels repeat them to the bit; where other kernels of the
    same engine round elsewhere, their outputs stand beside, and how far they are in the record.

    Attributes:
        pixels: (n,) int64 flat indices of the patches in the scene; of a tile, of its first pixel.
        inputs: (n, patch, patch, bands) float32, normalized.
        stored_inputs: `inputs` in the type of the file's input, such as int8.
        stored_outputs: Outputs of the file in its own type, (n, classes) or
            (1, tile, tile, classes).
        outputs: `stored_outputs` dequantized, float32.
        network_outputs: Logits of the trained network, float32, in the shape of `outputs`.
        engine: Engine of `stored_outputs`.
        other_engine: Engine with other kernels that ran the same inputs; empty where none did.
        other_outputs: Its outputs, like `stored_outputs`; None where none did.
    """

    pixels: NDArray[np.int64]
    inputs: Float32Array
    stored_inputs: StoredArray
    stored_outputs: StoredArray
    outputs: Float32Array
    network_outputs: Float32Array
    engine: str = ""
    other_engine: str = ""
    other_outputs: StoredArray | None = None

    @classmethod
    def of(
        cls,
        runtime: Runtime,
        pixels: NDArray[np.int64],
        patches: Float32Array,
        expected: Float32Array,
    ) -> GoldenVectors:
        """Runs the file on `patches`, whose number is a multiple of its batch."""
        inputs = quantize(patches, runtime.input)
        outputs = _inferred(runtime, inputs)
        real = dequantize(outputs, runtime.output)
        return cls(pixels, patches, inputs, outputs, real, expected, runtime.engine)

    def beside(self, other: Runtime) -> GoldenVectors:
        """The same vectors with the outputs of the same file in other kernels."""
        outputs = _inferred(other, self.stored_inputs)
        return replace(self, other_engine=other.engine, other_outputs=outputs)

    @property
    def record(self) -> GoldenRecord | None:
        """How far the other kernels are; None where none ran."""
        if self.other_outputs is None:
            return None
        one, other = (np.asarray(v, np.float64) for v in (self.stored_outputs, self.other_outputs))
        difference = np.abs(one - other)
        return GoldenRecord(
            self.engine,
            self.other_engine,
            difference.size,
            int(np.count_nonzero(difference)),
            float(difference.max()),
        )

    def save(self, path: Path) -> None:
        """Writes the vectors as .npz, outputs of other kernels where any of them differs."""
        arrays: dict[str, Any] = {
            name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        if self.record is not None and not self.record.differing:
            del arrays["other_outputs"]
        np.savez_compressed(path, **arrays)


def _inferred(runtime: Runtime, inputs: StoredArray) -> StoredArray:
    """Outputs of stored inputs, whose number is a multiple of the runtime's batch."""
    chunks = range(0, len(inputs), runtime.batch)
    return np.concatenate([runtime.infer(inputs[at : at + runtime.batch]) for at in chunks])


def bundle_folder(
    scene: str,
    network: str,
    variant: str,
    batch: int,
    root: Path = EXPORT,
    tile: int = 0,
    tta: bool = False,
    target: str | None = None,
) -> Path:
    """Folder of a bundle, whether it exists or not."""
    return root / scene / network / f"{variant}{form_suffix(batch, tile, tta, target)}"


def form_suffix(batch: int, tile: int, tta: bool = False, target: str | None = None) -> str:
    """Suffix of a variant's name for what an inference takes: "-tile64", "-batch8" or nothing.

    With "-tta" where it computes the mean over the eight sides of a patch, and with the name of the
    target that it is made for.
    """
    tail = ("-tta" if tta and not tile else "") + (f"-{target}" if target else "")
    if tile:
        return f"-tile{tile}{tail}"
    return f"-batch{batch}{tail}" if batch > 1 else tail
