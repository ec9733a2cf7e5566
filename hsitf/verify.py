"""Verification of exported files against the trained network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.bounds import Bounds
from hsitf.data import SceneData
from hsitf.errors import VerificationError
from hsitf.metrics import Scores, logit_scores
from hsitf.progress import Progress, Silent
from hsitf.runtimes import Runtime, scan


@dataclass(frozen=True)
class Verification:
    """Comparison of a file with its network on the same pixels.

    Attributes:
        reference: Scores of the network.
        scores: Scores of the file.
        agreement: Share of pixels that both classify alike.
        max_abs_error: Largest absolute difference of a logit.
        relative_error: `max_abs_error` over the network's largest absolute logit.
        pixels: Number of pixels compared.
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
        """Checks a file against bounds.

        Args:
            bounds: Largest differences allowed between file and network.
            name: Name of the file in messages.
            hint: Remedy to try before another variant.

        Raises:
            VerificationError: A bound is exceeded; the message states which and by how much.
        """
        broken = []
        # Comparisons with NaN are false, so that NaN would pass every bound.
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
                f"{name} is not as accurate as its network, so it was not published",
                received=", ".join(received for received, _ in broken),
                allowed=", ".join(allowed for _, allowed in broken),
                remedy=(f"{hint}, or " if hint else "")
                + "choose another variant"
                + (", or allow more with --max-drop" if self.oa_drop > bounds.oa_drop else ""),
            )


def runtime_logits(
    runtime: Runtime, data: SceneData, pixels: NDArray[np.int64], progress: Progress
) -> Float32Array:
    """Logits at `pixels` (flat indices), extracted chunk by chunk: (n, classes) float32."""
    progress.start(f"running {runtime.engine}", len(pixels))
    result = np.empty((len(pixels), runtime.output.shape[-1]), np.float32)
    for indices, logits in scan(runtime, data.patches, pixels):
        result[indices] = logits
        progress.advance(len(indices))
    return result


def verify(
    runtime: Runtime,
    reference: Float32Array,
    data: SceneData,
    pixels: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Compares a runtime with the trained network on labelled pixels.

    Args:
        runtime: Runtime of the file.
        reference: Logits of the network at `pixels`, (n, classes) float32.
        data: The scene of the pixels.
        pixels: Flat indices; the test pixels where None.
        progress: Receives progress messages of every chunk.
    """
    pixels = data.split.test if pixels is None else pixels
    received = runtime_logits(runtime, data, pixels, progress or Silent())
    return compare(received, reference, data.targets(pixels), data.scene.classes)


def compare(
    received: Float32Array,
    reference: Float32Array,
    truth: NDArray[np.integer],
    classes: int | None = None,
) -> Verification:
    """Compares the logits of a file with those of its network.

    Args:
        received: (n, classes) float32, logits of the file.
        reference: (n, classes) float32, logits of the network.
        truth: (n,) integers, the true classes from 0.
        classes: Number of classes that scores are of; as many as there are logits where None.
    """
    count = reference.shape[1] if classes is None else classes
    expected_class, received_class = reference.argmax(1), received.argmax(1)
    error = float(np.abs(received - reference).max())
    # A network whose logits are all zero has no largest logit to compare with.
    largest = max(float(np.abs(reference).max()), float(np.finfo(np.float32).tiny))
    return Verification(
        reference=logit_scores(truth, reference, count),
        scores=logit_scores(truth, received, count),
        agreement=float((expected_class == received_class).mean()),
        max_abs_error=error,
        relative_error=error / largest,
        pixels=len(truth),
    )
