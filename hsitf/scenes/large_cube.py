"""Large synthetic cubes on disk, to measure what whole scenes cost.

The built-in scene is tiled side by side, every other copy mirrored so that fields are continuous,
with independent noise everywhere: not a measured scene, but the bands, classes and statistics that
networks trained on `fields` know.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.files import disk_space_required, os_errors_reported
from hsitf.progress import Progress
from hsitf.scenes.synthetic import fields

# Counts of a perfect reflector are 10,000; noise of a thousandth.
NOISE = 10.0
MAX_PIXELS = 1 << 32


def write_large_cube(rows: int, cols: int, path: Path, seed: int, progress: Progress) -> None:
    """Writes an ENVI cube of uint16, interleaved by line, row by row.

    Args:
        rows: Rows of the cube; its bands are the 200 of `fields`.
        cols: Columns of the cube.
        path: Path of the header; the data are written beside it as .bil.
        seed: Seed of the noise.
        progress: Receives the progress of every row.

    Raises:
        InputError: The size is out of range, or the path is no .hdr.
        OutputError: There is no space, or the folder cannot be written.
    """
    if path.suffix.lower() != ".hdr":
        raise InputError("an ENVI cube is named by its header", received=path.name, allowed=".hdr")
    if rows < 1 or cols < 1 or rows * cols > MAX_PIXELS:
        raise InputError(
            "the size is out of range",
            received=f"{rows} x {cols} pixels",
            allowed=f"1 to {MAX_PIXELS:,} pixels",
        )
    scene = fields(seed=0)
    data = path.with_suffix(".bil")
    temporary = data.with_name(f".{data.name}.part")
    tall, wide = scene.cube.shape[:2]
    across = _mirrored(np.arange(cols), wide)
    progress.start(f"writing {path}", rows)
    with os_errors_reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            disk_space_required(2 * rows * cols * scene.bands, path.parent),
            temporary.open("wb") as stream,
        ):
            for row in range(rows):
                # One generator per row, so that a row does not depend on the rows before.
                rng = np.random.default_rng((seed, row))
                line = scene.cube[int(_mirrored(np.array([row]), tall)[0]), across].T
                noisy = line + NOISE * rng.standard_normal(line.shape, dtype=np.float32)
                stream.write(np.clip(np.rint(noisy), 0, 65535).astype("<u2").tobytes())
                progress.advance()
        temporary.replace(data)
        path.write_text(_header(rows, cols, scene.wavelengths), encoding="ascii")


def _mirrored(indices: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Places in copies laid side by side, every other one mirrored."""
    inside = indices % (2 * size)
    return np.asarray(np.where(inside < size, inside, 2 * size - 1 - inside))


def _header(rows: int, cols: int, wavelengths: NDArray[np.float64] | None) -> str:
    centers = [] if wavelengths is None else wavelengths.tolist()
    return "\n".join(
        [
            "ENVI",
            "description = { synthetic: fields laid side by side }",
            f"samples = {cols}",
            f"lines = {rows}",
            f"bands = {len(centers)}",
            "header offset = 0",
            "file type = ENVI Standard",
            "data type = 12",
            "interleave = bil",
            "byte order = 0",
            "wavelength units = nm",
            "wavelength = { " + ", ".join(f"{center:.2f}" for center in centers) + " }",
            "",
        ]
    )
