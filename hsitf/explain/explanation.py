"""Results of explanations, as figures and tables use them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.explain.averaging import MeanAttribution
from hsitf.explain.outputs import ExplainedOutput
from hsitf.explain.record import ExplanationRecord
from hsitf.explain.request import ExplanationOptions
from hsitf.explain.sources import ExplainedSource
from hsitf.scenes.scene import Scene


@dataclass(frozen=True, eq=False)
class SourceExplanation:
    """A network or file and the attributions of every output.

    Attributes:
        source: The network or file.
        attributions: Mean attribution of every output.
        bands: (outputs, bands) float32, importance of the scene's bands; None where the inputs
            cannot be mapped back to bands.
        seconds: Duration of the explanation.
    """

    source: ExplainedSource
    attributions: tuple[MeanAttribution, ...]
    bands: Float32Array | None
    seconds: float

    @property
    def magnitude(self) -> Float32Array:
        """(subjects, patch, patch, inputs) or (subjects, inputs), without sign."""
        return np.stack([one.magnitude for one in self.attributions])

    @property
    def signed(self) -> Float32Array:
        """The same with sign."""
        return np.stack([one.signed for one in self.attributions])


@dataclass(frozen=True, eq=False)
class Explanation:
    """Explanations of several networks and files by the same method.

    Attributes:
        options: The options of the explanation.
        scene: The scene of all of them.
        outputs: The explained outputs.
        explained: The networks and files, the first of which the others are held against.
        record: The record.
    """

    options: ExplanationOptions
    scene: Scene
    outputs: tuple[ExplainedOutput, ...]
    explained: tuple[SourceExplanation, ...]
    record: ExplanationRecord
