"""What the Java tests of the Android demo compare with: arrays made by the package itself."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from hsitf.export.android import Counts
from hsitf.measure import Timing
from hsitf.records import TensorSpec
from hsitf.runtimes import quantize
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.patches import PatchSource

TENSORS = (
    TensorSpec("x", (1,), "int8", 0.0772693082690239, 11),
    TensorSpec("x", (1,), "int8", 0.5, -128),
    TensorSpec("x", (1,), "uint8", 0.0123, 128),
    TensorSpec("x", (1,), "int16", 0.00071, 0),
)


def write(folder: Path) -> None:
    """Writes quantized numbers, percentiles and windows into a folder."""
    rng = np.random.default_rng(0)
    _quantized(folder, rng)
    _percentiles(folder, rng)
    _windows(folder, rng)


def _quantized(folder: Path, rng: np.random.Generator) -> None:
    # Ties between two steps, numbers beside them, and numbers of every size.
    steps = np.arange(-300, 300, dtype=np.float32) / 2
    ties = np.concatenate([steps * np.float32(tensor.scale) for tensor in TENSORS])
    beside = [ties, np.nextafter(ties, np.float32(np.inf)), np.nextafter(ties, np.float32(-np.inf))]
    sizes = rng.standard_normal(2000) * 10.0 ** rng.integers(-6, 12, 2000)
    real = np.concatenate([*beside, sizes]).astype(np.float32)
    (folder / "real.bin").write_bytes(real.astype("<f4").tobytes())
    cases = [
        {
            "shape": [1],
            "dtype": t.dtype,
            "scale": t.scale,
            "zero_point": t.zero_point,
            "stored": quantize(real, t).tolist(),
        }
        for t in TENSORS
    ]
    (folder / "quantized.json").write_text(json.dumps(cases))


def _percentiles(folder: Path, rng: np.random.Generator) -> None:
    cases = []
    for count in (1, 2, 3, 10, 101, 4096):
        runs = rng.gamma(2.0, 0.3, count)
        timing = Timing(0.0, runs)
        cases.append(
            {"runs": runs.tolist(), "percentiles": [timing.percentile(q) for q in (50, 90, 99)]}
        )
    (folder / "percentiles.json").write_text(json.dumps(cases))


def _windows(folder: Path, rng: np.random.Generator) -> None:
    cubes = {
        "counts": rng.integers(0, 65536, (9, 7, 5)).astype(np.float32),
        "negative": rng.integers(-3000, 9000, (6, 11, 3)).astype(np.float32),
        "floats": rng.gamma(2.0, 0.1, (8, 8, 4)).astype(np.float32),
    }
    cases = []
    for name, cube in cubes.items():
        counts = Counts.of(cube)
        (folder / f"{name}.bil").write_bytes(counts.file())
        (folder / f"{name}.delta").write_bytes(counts.delta())
        normalizer = Normalizer.fit(cube, np.arange(20))
        seen = normalizer.apply(counts.values())
        for patch in (1, 2, 5):
            source = PatchSource.from_cube(seen, patch)
            wanted = [(t, 0) for t in (*TENSORS, TensorSpec("x", (1,), "float32"))]
            wanted += [(TENSORS[0], tile) for tile in (4, 16)]
            cases += [_case(name, normalizer, source, *one) for one in wanted]
    for number, case in enumerate(cases):
        windows = f"windows-{number}.bin"
        (folder / windows).write_bytes(case.pop("bytes"))
        case["windows"] = windows
    (folder / "windows.json").write_text(json.dumps(cases))


def _case(
    name: str, normalizer: Normalizer, source: PatchSource, tensor: TensorSpec, tile: int
) -> dict:
    """All windows of a scene, as a runtime is fed with them."""
    rows, cols, bands = source.rows, source.cols, source.bands
    pixels = np.arange(rows * cols)
    if tile:
        corners = [
            (min(top, max(rows - tile, 0)), min(left, max(cols - tile, 0)))
            for top in range(0, rows, tile)
            for left in range(0, cols, tile)
        ]
        windows = np.stack([window for window, _, _ in source.tiles(pixels, tile)])
    else:
        corners = [divmod(int(pixel), cols) for pixel in pixels]
        windows = source.extract(pixels)
    stored = quantize(windows, tensor)
    side = windows.shape[1]
    output = [1, tile, tile, 4] if tile else [1, 4]
    record = {
        "model": "made",
        "variant": tensor.dtype,
        "bytes": 1,
        "sha256": "",
        "batch": 1,
        "tile": tile,
        "patch": source.patch,
        "bands": bands,
        "oa": 1.0,
        "input": {**asdict(tensor), "shape": [1, side, side, bands]},
        "output": {"shape": output, "dtype": "float32"},
        "normalizer": asdict(normalizer),
    }
    content = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    return {"cube": f"{name}.bil", "record": record, "corners": corners, "bytes": content}
