"""Bundles for the Android demo: one archive with files, scene, ground truth and golden vectors.

`docs/android.md` has the format. The scene goes as whole counts of 16 bits, so that a phone maps
it into memory and keeps only the rows in use; all that is left to compute there is what
`normalize` and `runtimes.quantize` do, in 32-bit floats and in the same order.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf import runtimes
from hsitf.data import Data, front
from hsitf.errors import InputError
from hsitf.export.bundle import GOLDEN, RECORD, Bundle
from hsitf.export.request import Request
from hsitf.export.variants import variant
from hsitf.figures import palette
from hsitf.files import replacing
from hsitf.progress import Progress
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.scene import Scene

FORMAT = 1
MANIFEST = "device.json"
CUBE = "cube.bil"
# The cube as it travels: differences between bands deflate to three quarters of what counts do.
DELTA = "cube.delta"
TRUTH, SETS, PREVIEW = "truth.u8", "sets.u8", "preview.png"
MAGIC = b"HSICUBE1"
# Of the cube's file, so that rows begin where pages of any size may.
HEADER = 64
_COUNTS = 65535
# Labels and maps have a byte a pixel.
_MOST_CLASSES = 255
# The earliest date that archives can tell, so that the same content makes the same archive.
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Counts:
    """A cube in whole counts: `value = count * gain + offset`, in float32.

    Attributes:
        counts: (rows, cols, bands) uint16.
        gain: In the units of the scene.
        offset: Likewise.
        exact: Whether the values are the scene's own, to the bit.
    """

    counts: NDArray[np.uint16]
    gain: float
    offset: float
    exact: bool

    @classmethod
    def of(cls, cube: NDArray[np.float32]) -> Counts:
        """Counts of a cube, as they are where it holds whole numbers in a range of 16 bits.

        Others are rounded to 65,536 even steps from their least to their greatest value.
        """
        low, high = float(cube.min()), float(cube.max())
        whole = bool((cube == np.rint(cube)).all())
        if whole and high - min(low, 0.0) <= _COUNTS and abs(low) <= 1 << 23:
            gain, offset = 1.0, min(low, 0.0)
        else:
            # Half before subtracting: the span of two large floats may be none.
            gain = float(np.float32((high / 2 - low / 2) / (_COUNTS / 2))) or 1.0
            offset = low
        steps = np.rint((cube.astype(np.float64) - offset) / gain)
        counts = np.clip(steps, 0, _COUNTS).astype(np.uint16)
        found = cls(counts, gain, offset, exact=False)
        return cls(counts, gain, offset, bool(np.array_equal(found.values(), cube)))

    def values(self) -> NDArray[np.float32]:
        """(rows, cols, bands) float32, as a device computes them."""
        values = self.counts.astype(np.float32) * np.float32(self.gain) + np.float32(self.offset)
        return np.asarray(values)

    def file(self) -> bytes:
        """Header and counts, band-interleaved by line."""
        return self._header() + self._lines().tobytes()

    def delta(self) -> bytes:
        """The same file as it travels: each band less the one before, and bytes sorted.

        Of each row first the low bytes of all differences, then the high ones; a difference d of
        16 bits is told as 2 d, or -2 d - 1 where it is negative.
        """
        lines = self._lines()
        before = np.concatenate([np.zeros_like(lines[:, :1]), lines[:, :-1]], axis=1)
        apart = (lines - before).view("<i2")
        folded = ((apart << 1) ^ (apart >> 15)).view("<u2")
        planes = np.stack([folded & 255, folded >> 8], axis=1).astype(np.uint8)
        return self._header() + planes.tobytes()

    def _header(self) -> bytes:
        header = MAGIC + struct.pack("<iiiiff", HEADER, *self.counts.shape, self.gain, self.offset)
        return header.ljust(HEADER, b"\0")

    def _lines(self) -> NDArray[np.uint16]:
        """(rows, bands, cols), little-endian."""
        return np.ascontiguousarray(self.counts.transpose(0, 2, 1), dtype="<u2")


def package(
    run: Run, bundles: Sequence[Bundle], progress: Progress, choice: SceneChoice | None = None
) -> list[Path]:
    """Writes an archive for each variant among bundles of one run, beside their folders.

    Args:
        run: That they were exported from.
        bundles: Of patches, of tiles, or both; those that are not .tflite files are passed over.
        progress: Told what happens.
        choice: Where the scene is now, if not where the run found it.

    Returns:
        The archives, `android-<variant>.zip`, in the order of the variants.

    Raises:
        OutputError: An archive cannot be written.
    """
    data = run.data(choice)
    fitting = [bundle for bundle in bundles if bundle.file.suffix == ".tflite"]
    made = []
    for name in dict.fromkeys(bundle.record.variant for bundle in fitting):
        forms = [bundle for bundle in fitting if bundle.record.variant == name]
        path = forms[0].folder.parent / f"android-{name}.zip"
        _write(path, _files(data, forms, progress))
        made.append(path)
    return made


def check(run: Run, request: Request) -> None:
    """Refuses what the demo could not run, before anything is exported.

    Raises:
        InputError: A reduction of bands outside of the file, or more classes than a byte counts.
    """
    reducer, classes = run.reducer(), len(run.record.scene.class_names)
    if reducer is not None and not all(request.fuses(v, reducer) for v in request.variants):
        # Sums over all bands have no order that NumPy and Java share.
        raise InputError(
            "the Android demo takes the sensor's bands, and these are reduced outside of the file",
            received=f"bands reduced by {reducer.text}",
            remedy="add --fuse, or leave --android out",
        )
    if classes > _MOST_CLASSES:
        raise InputError(
            "too many classes for the Android demo",
            received=classes,
            allowed=_MOST_CLASSES,
            remedy="leave --android out",
        )


def _files(
    data: Data, bundles: Sequence[Bundle], progress: Progress
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of an archive, the manifest last."""
    scene, counts = data.scene, Counts.of(data.scene.cube)
    if not counts.exact:
        progress.say(f"{scene.name} is rounded to 16 bits for the device")
    sums, forms = {}, []
    for bundle in bundles:
        kind = "tiles" if bundle.record.tile else "patches"
        files = dict(_form(kind, bundle, counts, data.patches.patch, progress))
        forms.append({"kind": kind, **{key: name for key, (name, _) in files.items()}})
        for name, content in files.values():
            sums[name] = sha256(content).hexdigest()
            yield name, content
    # What is checked on the device is the cube as it lies there.
    sums[CUBE] = sha256(counts.file()).hexdigest()
    yield DELTA, counts.delta()
    for name, content in (
        (TRUTH, scene.labels.astype(np.uint8).tobytes()),
        (SETS, data.split.zones().tobytes()),
        (PREVIEW, preview(scene)),
    ):
        sums[name] = sha256(content).hexdigest()
        yield name, content
    manifest = {
        "format": FORMAT,
        "scene": scene.name,
        "synthetic": scene.synthetic,
        "rows": scene.cube.shape[0],
        "cols": scene.cube.shape[1],
        "bands": scene.bands,
        "exact": counts.exact,
        "classes": [
            {"name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
            for name, color in zip(scene.class_names, palette(scene.classes), strict=True)
        ],
        "cube": CUBE,
        "truth": TRUTH,
        "sets": SETS,
        "preview": PREVIEW,
        "forms": forms,
        "sha256": sums,
    }
    yield MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def _form(
    kind: str, bundle: Bundle, counts: Counts, patch: int, progress: Progress
) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """By what it is, name and content of each file of a form: what a device has to repeat."""
    with np.load(bundle.folder / GOLDEN, allow_pickle=False) as golden:
        vectors = {name: golden[name] for name in ("pixels", "stored_inputs", "stored_outputs")}
    yield "model", (f"{kind}-{bundle.file.name}", bundle.file.read_bytes())
    yield "record", (f"{kind}-{RECORD}", (bundle.folder / RECORD).read_bytes())
    yield "inputs", (f"{kind}-inputs.bin", _little(vectors["stored_inputs"]))
    yield "outputs", (f"{kind}-outputs.bin", _little(vectors["stored_outputs"]))
    yield "pixels", (f"{kind}-pixels.bin", vectors["pixels"].astype("<i4").tobytes())
    found = _map(bundle, counts, patch, progress)
    yield "map", (f"{kind}-map.u8", found.tobytes())


def _little(stored: NDArray[np.generic]) -> bytes:
    return np.ascontiguousarray(stored).astype(stored.dtype.newbyteorder("<")).tobytes()


def _map(bundle: Bundle, counts: Counts, patch: int, progress: Progress) -> NDArray[np.uint8]:
    """(rows, cols) uint8, the class from 1 that the file gives each pixel of the counts."""
    record = bundle.record
    seen = counts.values()
    if not record.fused:
        seen = front(seen, record.normalizer, None)
    source = PatchSource.of(seen, patch)
    runtime = variant(record.variant).runtime(bundle.file, record.latency_ms.threads)
    pixels = np.arange(source.rows * source.cols)
    labels = np.empty(len(pixels), np.uint8)
    progress.start(f"mapping {record.scene} with {bundle.file.name}", len(pixels))
    for places, logits in runtimes.scan(runtime, source, pixels):
        labels[places] = logits.argmax(axis=1) + 1
        progress.advance(len(places))
    return labels.reshape(source.rows, source.cols)


def preview(scene: Scene) -> bytes:
    """PNG of the scene's red, green and blue bands, each between its 2nd and 98th percentile."""
    from PIL import Image

    bands = scene.cube[:, :, list(scene.rgb_bands)]
    low, high = np.percentile(bands, (2, 98), axis=(0, 1))
    stretched = (bands - low) / np.maximum(high - low, 1e-30)
    image = Image.fromarray(np.rint(255 * np.clip(stretched, 0, 1)).astype(np.uint8))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _write(path: Path, files: Iterator[tuple[str, bytes]]) -> None:
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
    ):
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
