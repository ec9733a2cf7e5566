"""What a sweep is run with."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.errors import InputError
from hsitf.records import SceneChoice


@dataclass(frozen=True)
class SweepOptions:
    """What a sweep is run with.

    Attributes:
        scene: Location of the scenes: folder of the catalog's files, label map and variables of a
            cube.
        workers: Processes on this machine; None for as many as fit.
        address: Address of a Dask scheduler to use instead; empty for none.
        retry: Whether cells that failed before are tried again.
        spreadsheet: Whether results are also written as a spreadsheet.
    """

    scene: SceneChoice
    workers: int | None = None
    address: str = ""
    retry: bool = False
    spreadsheet: bool = False

    def __post_init__(self) -> None:
        if self.workers is not None and not 1 <= self.workers <= 1024:
            raise InputError(
                "the number of processes is out of range",
                received=self.workers,
                allowed="1 to 1024",
            )
        if self.workers is not None and self.address:
            raise InputError(
                "a scheduler has its own workers",
                received="--workers with --dask",
                remedy="leave one of them out",
            )
