"""What every method of explanation is: a row of `METHODS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hsitf.explain.settings import Settings
from hsitf.explain.view import Floats, View

# Numbers of the patches that are computed at a time: 64 MB of float32.
NUMBERS = 2**24


@dataclass(frozen=True, eq=False)
class Attribution:
    """What a method found of some patches.

    Attributes:
        values: (n, patch, patch, bands) float32 with sign, or (n, bands) of a method that tells
            of bands alone.
        figures: What else is to be recorded, by name: the worst of the patches.
        arrays: What else is to be stored, by name: the mean over the patches.
    """

    values: Floats
    figures: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


# Of a view, (n, patch, patch, bands) float32 patches and the number of a logit.
Explain = Callable[[View, Floats, int, Settings], Attribution]


@dataclass(frozen=True)
class Method:
    """A way to explain.

    Attributes:
        name: As on the command line.
        text: What it shows, one clause.
        explain: Computes it.
        files: Whether a file that gives logits alone can be explained so.
        maps: Whether it tells of pixels; else of bands alone.
        sees: What it looks at: "pixels" of the scene, or "filters" of a layer, where `output`
            is the number of the filter and the patches are not read.
    """

    name: str
    text: str
    explain: Explain
    files: bool = False
    maps: bool = True
    sees: str = "pixels"


def block(patches: Floats) -> int:
    """How many patches like these are computed at a time."""
    return int(max(1, NUMBERS // patches[0].size))
