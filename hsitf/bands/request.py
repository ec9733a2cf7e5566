"""What a user asks for: `pca:30`, `pca-whiten:30`, `select:10,20,45`, `nm:450-900,1500-1700`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError, unknown

SELECT, WAVELENGTHS = "select", "nm"
# End of a technique's name that gives each component unit deviation.
WHITEN = "-whiten"


@dataclass(frozen=True)
class ReductionRequest:
    """A reduction of bands, not yet fitted.

    Attributes:
        technique: Name of a technique; `select` or `nm` for bands named outright.
        components: Number of components; 0 where bands are given explicitly.
        bands: Band indices from 0, for `select`.
        ranges: Ranges (from, to) in nanometers, for `nm`.
        whiten: Whether each component gets unit deviation, the weak ones too.
    """

    technique: str
    components: int = 0
    bands: tuple[int, ...] = ()
    ranges: tuple[tuple[float, float], ...] = ()
    whiten: bool = False

    @property
    def name(self) -> str:
        """Name of the technique as a user writes it, such as "pca" or "pca-whiten"."""
        return f"{self.technique}{WHITEN if self.whiten else ''}"

    @property
    def spec(self) -> str:
        """As a user writes it."""
        if self.technique == SELECT:
            return f"{SELECT}:{','.join(map(str, self.bands))}"
        if self.technique == WAVELENGTHS:
            return f"{WAVELENGTHS}:{','.join(f'{low:g}-{high:g}' for low, high in self.ranges)}"
        return f"{self.name}:{self.components}"


def parse(spec: str, techniques: Mapping[str, bool]) -> ReductionRequest:
    """Reads what a user wrote.

    Args:
        spec: Specification such as "pca:30".
        techniques: Whether a technique can be whitened, by its name.

    Raises:
        InputError: It cannot be parsed, or there is no such technique.
    """
    written, colon, rest = spec.partition(":")
    name, whiten = written.removesuffix(WHITEN), written.endswith(WHITEN)
    if name not in [*techniques, SELECT, WAVELENGTHS]:
        raise unknown("band reduction", name, [*techniques, SELECT, WAVELENGTHS])
    if whiten and not techniques.get(name, False):
        raise InputError(
            f"{name} cannot be whitened: selected bands stay as they are, and components of "
            "such techniques have unit deviation anyway",
            received=spec,
            remedy=f"write {name}:{rest}",
        )
    try:
        if not colon:
            raise ValueError
        if name == SELECT:
            return ReductionRequest(
                name, bands=tuple(sorted({int(part) for part in rest.split(",")}))
            )
        if name == WAVELENGTHS:
            return ReductionRequest(name, ranges=tuple(map(_range, rest.split(","))))
        return ReductionRequest(name, int(rest), whiten=whiten)
    except ValueError:
        raise InputError(
            "the band reduction cannot be parsed",
            received=spec,
            allowed="TECHNIQUE:COMPONENTS such as pca:30, select:10,20,45 or nm:450-900,1500-1700",
        ) from None


def _range(spec: str) -> tuple[float, float]:
    low, high = (float(part) for part in spec.split("-"))
    if not 0 <= low <= high < float("inf"):
        raise ValueError
    return low, high


def selected_bands(
    request: ReductionRequest, bands: int, wavelengths: NDArray[np.float64] | None
) -> NDArray[np.int64]:
    """The bands that a user named outright.

    Raises:
        InputError: The scene has no such bands, or its wavelengths are not known.
    """
    if request.technique == SELECT:
        if bad := [band for band in request.bands if not 0 <= band < bands]:
            raise InputError(
                "the scene has no such bands", received=bad[:5], allowed=f"0 to {bands - 1}"
            )
        return np.array(request.bands, np.int64)
    if wavelengths is None:
        raise InputError(
            "the wavelengths of this scene are not known",
            received=request.spec,
            remedy="choose bands by number with select:10,20,45",
        )
    inside = np.zeros(bands, np.bool_)
    for low, high in request.ranges:
        inside |= (wavelengths >= low) & (wavelengths <= high)
    if not inside.any():
        raise InputError(
            "no band is in these wavelength ranges",
            received=request.spec,
            allowed=f"{wavelengths.min():g} to {wavelengths.max():g} nm",
        )
    return np.flatnonzero(inside).astype(np.int64)
