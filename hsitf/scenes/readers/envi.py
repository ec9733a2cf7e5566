"""ENVI files: a text header and a raw file, interleaved by line, pixel or band."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.scenes.readers.base import (
    ArrayFile,
    check_file_size,
    check_single,
    nanometers,
    parser_errors_reported,
)


def open_envi(path: Path, variable: str | None) -> ArrayFile:
    """ENVI: a text header and a raw file, interleaved by line, pixel or band."""
    import spectral.io.envi as envi

    check_single(path, variable)
    header, kind = _envi_header(path), "an ENVI header with its data"
    with parser_errors_reported(header, kind):
        try:
            image = envi.open(str(header), None if path == header else str(path))
        except envi.EnviDataFileNotFoundError as error:
            raise InputError(
                f"there is no data file for the ENVI header {header}",
                allowed=f"{header.stem}, {header.stem}.img, .raw, .dat, .bil, .bip or .bsq",
                remedy="put it beside the header, or name the data file instead of the header",
            ) from error
        shape = tuple(int(n) for n in (image.nrows, image.ncols, image.nbands))
        data = Path(image.filename)
        check_file_size(data, shape, image.sample_size, data.stat().st_size - int(image.offset))
        centers, unit = image.bands.centers, image.metadata.get("wavelength units")
        wavelengths = nanometers(centers, unit) if centers else None
    single = shape[2] == 1

    def rows(start: int, stop: int) -> NDArray[Any]:
        # Mapped anew each time: what stays mapped counts as memory in use.
        values = np.array(image.open_memmap(interleave="bip")[start:stop])
        return values[:, :, 0] if single else values

    return ArrayFile(
        shape[:2] if single else shape,
        np.dtype(image.dtype),
        (header, data),
        kind,
        rows,
        None if single else wavelengths,
    )


def _envi_header(path: Path) -> Path:
    if path.suffix.lower() == ".hdr":
        return path
    candidates = [path.with_suffix(".hdr"), path.with_name(path.name + ".hdr")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise InputError(
        f"there is no ENVI header for {path}",
        allowed=" or ".join(c.name for c in candidates) + " beside it",
        remedy="put the header there",
    )
