"""What a user wants of a map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hsitf.errors import InputError


@dataclass(frozen=True)
class MapRequest:
    """What to write and how.

    Attributes:
        out: The map, in the formats of these suffixes.
        smooth: Strength of the Markov random field, 0 for none.
        probabilities: Path of a GeoTIFF with one band per class; None for none.
        confidence: Path of a GeoTIFF of the largest probability; None for none.
        threads: Threads of the engine.
        engine: Name in `engines.ENGINES`; None for the fastest in a short trial.
        dask: Address of a scheduler whose workers compute; None to compute in this process.
        overwrite: Whether files that exist are replaced.
        strict_bands: Whether a scene of other bands is refused, rather than resampled.
    """

    out: tuple[Path, ...]
    smooth: float = 0.0
    probabilities: Path | None = None
    confidence: Path | None = None
    threads: int = 2
    engine: str | None = None
    dask: str | None = None
    overwrite: bool = False
    strict_bands: bool = False

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise InputError("threads is out of range", received=self.threads, allowed="1 or more")
        if not 0 <= self.smooth <= 100:
            raise InputError(
                "the smoothing is out of range", received=self.smooth, allowed="0 to 100"
            )
        for path in (self.probabilities, self.confidence):
            if path is not None and path.suffix.lower() not in (".tif", ".tiff"):
                raise InputError(
                    f"{path} is no GeoTIFF", received=path.suffix or "no suffix", allowed=".tif"
                )

    @property
    def keeps(self) -> bool:
        """Whether probabilities are wanted besides classes."""
        return bool(self.smooth) or self.probabilities is not None or self.confidence is not None

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that will be written."""
        return (*self.out, *(p for p in (self.probabilities, self.confidence) if p is not None))


def image_request(request: MapRequest, name: str) -> MapRequest:
    """The same request for one image of a scene: its name is added to those of the files."""

    def named(path: Path) -> Path:
        return path.with_name(f"{path.stem}-{name}{path.suffix}")

    return replace(
        request,
        out=tuple(named(path) for path in request.out),
        probabilities=request.probabilities and named(request.probabilities),
        confidence=request.confidence and named(request.confidence),
    )
