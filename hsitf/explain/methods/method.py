"""What every method of explanation is: a row of `METHODS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.explain.settings import MethodSettings
from hsitf.explain.view import NetworkView

# Numbers of the patches that are computed at a time: 64 MB of float32.
MAX_VALUES = 2**24


@dataclass(frozen=True, eq=False)
class Attribution:
    """The attribution of some patches by a method.

    Attributes:
        values: (n, patch, patch, bands) signed float32, (n, bands) of a method that attributes to
            bands only, or (n, patch, patch, 1) of one that attributes to pixels only.
        metrics: Further numbers for the record, by name: the worst over the patches.
        arrays: Further arrays to store, by name: the mean over the patches.
    """

    values: Float32Array
    metrics: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


# Of a view, (n, patch, patch, bands) float32 patches and the number of a logit.
Explain = Callable[[NetworkView, Float32Array, int, MethodSettings], Attribution]


@dataclass(frozen=True)
class ExplanationMethod:
    """A way to explain.

    Attributes:
        name: Name on the command line.
        description: What it shows, as one clause.
        explain: Computes it.
        supports_files: Whether it can explain a file that provides logits only.
        spatial: Whether it attributes to pixels; otherwise to bands only.
        explains: What it explains: "pixels" of the scene, or "filters" of a layer, where `output`
            is the index of the filter and the patches are not used.
        spectral: Whether it attributes to bands; otherwise to pixels only.
        takes_layer: Whether it looks at a layer that the user may name.
    """

    name: str
    description: str
    explain: Explain
    supports_files: bool = False
    spatial: bool = True
    explains: str = "pixels"
    spectral: bool = True
    takes_layer: bool = False


def block_size(patches: Float32Array) -> int:
    """How many patches like these are computed at a time."""
    return int(max(1, MAX_VALUES // patches[0].size))
