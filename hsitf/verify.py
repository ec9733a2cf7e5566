"""What an exported file is worth, against the trained network it was made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.data import Data
from hsitf.errors import VerificationError
from hsitf.metrics import Scores, confusion, scores
from hsitf.progress import Progress, Silent
from hsitf.runtimes import Floats, Runtime, scan


@dataclass(frozen=True)
class Bounds:
    """How far a file may be from its network and still be published.

    Attributes:
        agreement: Least share of test pixels with the same class.
        relative_error: Greatest logit difference over the greatest logit; None where the
            variant quantizes and its logits are steps of their own.
        oa_drop: Greatest loss of overall accuracy, percentage points.
    """

    agreement: float
    relative_error: float | None
    oa_drop: float


@dataclass(frozen=True)
class Verification:
    """A file beside its network, on the same pixels.

    Attributes:
        reference: Scores of the network.
        scores: Scores of the file.
        agreement: Share of the pixels on which both name the same class.
        max_abs_error: Largest difference of a logit.
        relative_error: The same over the network's largest absolute logit.
        pixels: How many were compared.
    """

    reference: Scores
    scores: Scores
    agreement: float
    max_abs_error: float
    relative_error: float
    pixels: int

    @property
    def oa_drop(self) -> float:
        """Overall accuracy lost, in percentage points; negative where the file is better."""
        return 100 * (self.reference.oa - self.scores.oa)

    def check(self, bounds: Bounds, name: str, hint: str = "") -> None:
        """Refuses a file that is not worth what its network is worth.

        Args:
            bounds: How far it may be from its network.
            name: Of the file, as a user reads it.
            hint: What may help before another variant is chosen.

        Raises:
            VerificationError: A bound is broken; says which and by how much.
        """
        broken = []
        # Comparisons with NaN are false, so that one would pass every bound.
        if not math.isfinite(self.max_abs_error):
            broken.append(("logits that are not numbers", "finite logits"))
        if self.agreement < bounds.agreement:
            broken.append((f"agreement {self.agreement:.2%}", f"{bounds.agreement:.2%} or more"))
        if bounds.relative_error is not None and self.relative_error > bounds.relative_error:
            broken.append(
                (
                    f"relative error {self.relative_error:.1e}",
                    f"{bounds.relative_error:.0e} at most",
                )
            )
        if self.oa_drop > bounds.oa_drop:
            broken.append((f"{self.oa_drop:.2f} points of OA lost", f"{bounds.oa_drop:g} at most"))
        if broken:
            raise VerificationError(
                f"{name} is not worth what its network is worth, so it was not published",
                received=", ".join(received for received, _ in broken),
                allowed=", ".join(allowed for _, allowed in broken),
                remedy=(f"{hint}, or " if hint else "")
                + "choose another variant"
                + (", or allow more with --max-drop" if self.oa_drop > bounds.oa_drop else ""),
            )


def logits(runtime: Runtime, data: Data, pixels: NDArray[np.int64], progress: Progress) -> Floats:
    """Logits at `pixels` (flat indices), cut as they are needed: (n, classes) float32."""
    progress.start(f"running {runtime.engine}", len(pixels))
    found = np.empty((len(pixels), runtime.output.shape[-1]), np.float32)
    for places, logits in scan(runtime, data.patches, pixels):
        found[places] = logits
        progress.advance(len(places))
    return found


def verify(
    runtime: Runtime,
    reference: Floats,
    data: Data,
    pixels: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Compares a runtime with the trained network on labelled pixels.

    Args:
        runtime: The file to judge.
        reference: The network's logits at `pixels`, (n, classes) float32.
        data: The scene the pixels belong to.
        pixels: Flat indices; the test pixels where None.
        progress: Told of every chunk.
    """
    pixels = data.split.test if pixels is None else pixels
    received = logits(runtime, data, pixels, progress or Silent())
    truth = data.targets(pixels)
    expected_class, received_class = reference.argmax(1), received.argmax(1)
    error = float(np.abs(received - reference).max())
    # A network that says nothing has no largest logit to compare with.
    largest = max(float(np.abs(reference).max()), float(np.finfo(np.float32).tiny))
    return Verification(
        reference=scores(confusion(truth, expected_class, data.scene.classes)),
        scores=scores(confusion(truth, received_class, data.scene.classes)),
        agreement=float((expected_class == received_class).mean()),
        max_abs_error=error,
        relative_error=error / largest,
        pixels=len(pixels),
    )
