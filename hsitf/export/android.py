"""Bundles for the Android demo: one archive with files, scene, ground truth and golden vectors.

The format is documented in `docs/how-to/android.md`. The scene is stored as 16-bit counts, so that
a phone can map it into memory and keep only the rows in use; the phone computes what `normalize`
and `runtimes.quantize` do, in 32-bit floats and in the same order.
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
from hsitf.data import SceneData, preprocess
from hsitf.errors import InputError
from hsitf.export.bundle import RECORD, Bundle
from hsitf.export.request import ExportRequest
from hsitf.export.variants import variant
from hsitf.figures import class_palette
from hsitf.files import replacing
from hsitf.progress import Progress
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.rgb import rgb_picture
from hsitf.scenes.scene import Scene

FORMAT = 1
MANIFEST = "device.json"
CUBE = "cube.bil"
# The cube for transport: differences between bands deflate to three quarters of the counts.
DELTA = "cube.delta"
TRUTH, SETS, PREVIEW = "truth.u8", "sets.u8", "preview.png"
MAGIC = b"HSICUBE1"
# Bytes before the counts in the cube file, so that rows are aligned.
HEADER = 64
_COUNTS = 65535
# Labels and maps have one byte per pixel.
_MAX_CLASSES = 255
# The earliest date of the zip format, so that equal content makes equal archives.
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Counts:
    """A cube as 16-bit counts: `value = count * gain + offset`, in float32.

    Attributes:
        counts: (rows, cols, bands) uint16.
        gain: Units of the scene per count.
        offset: Value of count 0, in the units of the scene.
        exact: Whether the values equal the scene's to the bit.
    """

    counts: NDArray[np.uint16]
    gain: float
    offset: float
    exact: bool

    @classmethod
    def of(cls, cube: NDArray[np.float32]) -> Counts:
        """Counts of a cube, exact where it holds whole numbers within a range of 16 bits.

        Other cubes are rounded to 65,536 even steps from their smallest to their largest value.
        """
        low, high = float(cube.min()), float(cube.max())
        integral = bool((cube == np.rint(cube)).all())
        if integral and high - min(low, 0.0) <= _COUNTS and abs(low) <= 1 << 23:
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
        """Values as a device computes them, (rows, cols, bands) float32."""
        values = self.counts.astype(np.float32) * np.float32(self.gain) + np.float32(self.offset)
        return np.asarray(values)

    def file(self) -> bytes:
        """Content of the cube file: header and counts, band-interleaved by line."""
        return self._header() + self._lines().tobytes()

    def delta(self) -> bytes:
        """Content of the transport file: differences between bands, in planes of bytes.

        Of each row first the low bytes of all differences, then the high ones; a difference d of
        16 bits is zigzag-encoded as 2 d, or -2 d - 1 where it is negative.
        """
        lines = self._lines()
        before = np.concatenate([np.zeros_like(lines[:, :1]), lines[:, :-1]], axis=1)
        difference = (lines - before).view("<i2")
        zigzag = ((difference << 1) ^ (difference >> 15)).view("<u2")
        planes = np.stack([zigzag & 255, zigzag >> 8], axis=1).astype(np.uint8)
        return self._header() + planes.tobytes()

    def _header(self) -> bytes:
        header = MAGIC + struct.pack("<iiiiff", HEADER, *self.counts.shape, self.gain, self.offset)
        return header.ljust(HEADER, b"\0")

    def _lines(self) -> NDArray[np.uint16]:
        """(rows, bands, cols), little-endian."""
        return np.ascontiguousarray(self.counts.transpose(0, 2, 1), dtype="<u2")


def package_archives(
    run: Run, bundles: Sequence[Bundle], progress: Progress, choice: SceneChoice | None = None
) -> list[Path]:
    """Writes an archive for each variant among bundles of one run, beside their folders.

    Args:
        run: The trained network that they were exported from.
        bundles: Bundles of patches, of tiles, or both; files other than .tflite are skipped.
        progress: Receives progress messages.
        choice: Location of the scene, if it differs from the run's record.

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
        _write(path, device_files(data, forms, progress))
        made.append(path)
    return made


def check_android(run: Run, request: ExportRequest) -> None:
    """Checks that the demo can run the files; see `check_device`."""
    check_device(run, request, "Android demo", "--android")


def check_device(run: Run, request: ExportRequest, name: str, option: str) -> None:
    """Checks that a demo can run the files, before anything is exported.

    Args:
        run: The trained network.
        request: What is to be exported.
        name: What the demo is called in messages.
        option: The option that asks for it.

    Raises:
        InputError: Bands are reduced outside of the file, there are more classes than a byte can
            count, or the scene is of several images.
    """
    reducer, classes = run.reducer(), len(run.record.scene.class_names)
    if images := run.record.scene.images:
        raise InputError(
            f"the {name} shows a scene of one image",
            received=f"{run.record.scene.name}, {len(images)} images",
            remedy=f"leave {option} out",
        )
    if reducer is not None and not all(
        request.folds_preprocessing(v, reducer) for v in request.variants
    ):
        # NumPy and Java sum over bands in different orders, which rounds differently.
        raise InputError(
            f"the {name} takes the sensor's bands, but the file takes reduced ones",
            received=f"bands reduced by {reducer.spec}",
            remedy=f"add --fold-preprocessing, or leave {option} out",
        )
    if classes > _MAX_CLASSES:
        raise InputError(
            f"too many classes for the {name}",
            received=classes,
            allowed=_MAX_CLASSES,
            remedy=f"leave {option} out",
        )


def device_files(
    data: SceneData, bundles: Sequence[Bundle], progress: Progress, cube: str = DELTA
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of a demo's files, the manifest last.

    Args:
        data: The scene, with the split and normalization of the run.
        bundles: Bundles of one kind of file: of patches, of tiles, or both.
        progress: Receives progress messages.
        cube: `DELTA` to store the cube for transport, `CUBE` as a device reads it.
    """
    scene, counts = data.scene, Counts.of(data.normalizer.fill(data.scene.cube))
    if not counts.exact:
        progress.say(f"{scene.name} is rounded to 16 bits for the device")
    sums, forms = {}, []
    for bundle in bundles:
        kind = "tiles" if bundle.record.tile else "patches"
        patch = data.patches.patch
        files = dict(_bundle_files(kind, bundle, counts, patch, progress))
        form: dict[str, object] = {"kind": kind}
        form |= {key: name for key, (name, _) in files.items()}
        if not counts.exact:
            values = data.normalizer.fill(scene.cube)
            whole = _class_map(bundle, values, patch, progress)
            seen = np.frombuffer(files["map"][1], np.uint8).reshape(whole.shape)
            form["rounded"] = int((whole != seen).sum())
            changed = f"{form['rounded']:,} of {whole.size:,} pixels of the map of {kind}"
            progress.say(f"rounding changes {changed}")
        forms.append(form)
        for name, content in files.values():
            sums[name] = sha256(content).hexdigest()
            yield name, content
    # The device checks the unpacked cube.
    sums[CUBE] = sha256(counts.file()).hexdigest()
    yield cube, counts.delta() if cube == DELTA else counts.file()
    for name, content in (
        (TRUTH, scene.labels.astype(np.uint8).tobytes()),
        (SETS, data.split.zones().tobytes()),
        (PREVIEW, preview(scene)),
    ):
        sums[name] = sha256(content).hexdigest()
        yield name, content
    colors = class_palette(scene.classes, scene.class_colors)
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
            for name, color in zip(scene.class_names, colors, strict=True)
        ],
        "cube": CUBE,
        "truth": TRUTH,
        "sets": SETS,
        "preview": PREVIEW,
        "forms": forms,
        "sha256": sums,
    }
    yield MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def _bundle_files(
    kind: str, bundle: Bundle, counts: Counts, patch: int, progress: Progress
) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """Yields (role, (name, content)) of each file of a bundle in the archive."""
    names = ("pixels", "stored_inputs", "stored_outputs")
    with bundle.golden(names) as golden:
        vectors = {name: golden[name] for name in names}
    yield "model", (f"{kind}-{bundle.file.name}", bundle.file.read_bytes())
    yield "record", (f"{kind}-{RECORD}", (bundle.folder / RECORD).read_bytes())
    yield "inputs", (f"{kind}-inputs.bin", _little(vectors["stored_inputs"]))
    yield "outputs", (f"{kind}-outputs.bin", _little(vectors["stored_outputs"]))
    yield "pixels", (f"{kind}-pixels.bin", vectors["pixels"].astype("<i4").tobytes())
    found = _class_map(bundle, counts.values(), patch, progress)
    yield "map", (f"{kind}-map.u8", found.tobytes())


def _little(stored: NDArray[np.generic]) -> bytes:
    return np.ascontiguousarray(stored).astype(stored.dtype.newbyteorder("<")).tobytes()


def _class_map(
    bundle: Bundle, seen: NDArray[np.float32], patch: int, progress: Progress
) -> NDArray[np.uint8]:
    """Classifies every pixel of a cube with the file: (rows, cols) uint8, classes from 1."""
    record = bundle.record
    if not record.folded_preprocessing:
        seen = preprocess(seen, record.normalizer, None)
    source = PatchSource.from_cube(seen, patch)
    runtime = variant(record.variant).runtime(bundle.file, record.latency_ms.threads)
    bundle.check_runtime(runtime)
    pixels = np.arange(source.rows * source.cols)
    labels = np.empty(len(pixels), np.uint8)
    progress.start(f"mapping {record.scene} with {bundle.file.name}", len(pixels))
    for indices, logits in runtimes.scan(runtime, source, pixels):
        labels[indices] = logits.argmax(axis=1) + 1
        progress.advance(len(indices))
    return labels.reshape(source.rows, source.cols)


def preview(scene: Scene) -> bytes:
    """PNG of the scene's red, green and blue bands."""
    from PIL import Image

    image = Image.fromarray(rgb_picture(scene)).convert("RGB")
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
