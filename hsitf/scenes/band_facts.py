"""What a file says of the bands of its cube: one entry a band, and the order of wavelength."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.scenes.metadata import RasterMetadata

_PER_BAND = {
    "wavelengths": "wavelengths",
    "fwhm": "fwhm",
    "good_bands": "good bands",
    "scale": "scale",
    "offset": "offset",
}


def check_one_entry_a_band(path: Path, metadata: RasterMetadata, bands: int) -> None:
    """Raises where a list that describes the bands has another number of entries than bands.

    Raises:
        DataError: Wavelengths, widths, good bands, factors or offsets are not one a band.
    """
    for field, name in _PER_BAND.items():
        values = getattr(metadata, field)
        if isinstance(values, np.ndarray) and values.shape != (bands,):
            raise DataError(
                f"the {name} of {path} are not one a band",
                received=f"{name} of shape {values.shape}, {bands} bands",
                allowed="one entry a band",
                remedy="give the file as it was delivered, or correct it",
            )


def detectors_overlap(centers: NDArray[np.float64]) -> bool:
    """Whether bands as a file orders them are of several detectors whose ranges overlap.

    The bands of a detector rise or fall in wavelength; where the direction breaks, another begins.

    Args:
        centers: (bands,) band centers in the order of the file.
    """
    steps = np.diff(centers)
    breaks = min((np.flatnonzero(steps < 0), np.flatnonzero(steps > 0)), key=len) + 1
    edges = [0, *breaks.tolist(), len(centers)]
    # A single band is out of order, and no detector.
    if min(b - a for a, b in pairwise(edges)) < 2:
        return False
    ranges = [(centers[a:b].min(), centers[a:b].max()) for a, b in pairwise(edges)]
    return any(one[0] <= other[1] and other[0] <= one[1] for one, other in combinations(ranges, 2))
