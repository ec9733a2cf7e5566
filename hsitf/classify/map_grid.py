"""Maps of scenes in a sensor's own geometry, brought onto the map grid of their product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.metadata import Georeference, LookupTable

# Rows of the grid that are looked up at once.
ROWS = 256

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, eq=False)
class MapGrid:
    """The map grid of a geometry lookup table.

    Attributes:
        table: Which pixel lies in each cell.
        profile: Coordinate reference system and transform of the grid, as rasterio takes them.
    """

    table: LookupTable
    profile: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols) of the grid."""
        return self.table.shape

    @property
    def note(self) -> str:
        """What a user has to know of maps on it."""
        rows, cols = self.shape
        return (
            f"GeoTIFF and ENVI files lie on the product's map grid ({rows} x {cols} cells, by its "
            "geometry lookup table); pictures and numbers of pixels are of the sensor's geometry."
        )

    def gather(self, values: NDArray[Number], empty: float) -> NDArray[Number]:
        """Values of pixels in the cells of the grid.

        Args:
            values: (rows, cols) of the scene.
            empty: Value of the cells without a pixel.
        """
        found = np.full(self.shape, empty, values.dtype)
        for start in range(0, self.shape[0], ROWS):
            pairs = self.table.read(start, min(start + ROWS, self.shape[0]))
            inside = (pairs >= 0).all(axis=2) & (pairs < values.shape).all(axis=2)
            rows, cols = pairs[inside].T
            found[start : start + ROWS][inside] = values[rows, cols]
        return found


def map_grid(place: Georeference) -> MapGrid | None:
    """The map grid of a scene; None where it has no lookup table."""
    return None if place.lookup is None else MapGrid(place.lookup, place.grid_profile())
