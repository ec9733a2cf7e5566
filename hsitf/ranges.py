"""Types of numbers with their ranges, which records are checked against when they are read."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le

Count = Annotated[int, Ge(0)]
Positive = Annotated[int, Ge(1)]
# A share of a whole.
Share = Annotated[float, Ge(0), Le(1)]
# Cohen's kappa.
Kappa = Annotated[float, Ge(-1), Le(1)]
# Times, rates, wavelengths: what cannot be negative.
Amount = Annotated[float, Ge(0)]
PositiveAmount = Annotated[float, Gt(0)]
# Points of accuracy, in percent.
Points = Annotated[float, Ge(-100), Le(100)]
# One of red, green and blue.
ColorValue = Annotated[int, Ge(0), Le(255)]
