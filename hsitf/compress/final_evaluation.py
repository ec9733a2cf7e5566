"""The last word: test pixels, which chose nothing, on the file that was chosen."""

from __future__ import annotations

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.compress.bounds import CompressionBounds
from hsitf.compress.fidelity import fields_of
from hsitf.compress.losses import METRICS, accuracy, field_matrices, paired_drop
from hsitf.compress.record import FinalEvaluation
from hsitf.data import SceneData
from hsitf.progress import Progress
from hsitf.runtimes import Runtime
from hsitf.verify import runtime_logits


def evaluate_finally(
    original: Float32Array,
    file: Runtime,
    data: SceneData,
    bounds: CompressionBounds,
    progress: Progress,
) -> FinalEvaluation:
    """Compares a file with the original network on all test pixels.

    Args:
        original: (test pixels, classes) float32, logits of the network as it was trained.
        file: The chosen file.
        data: The scene as both take it.
        bounds: Their measure of accuracy is compared.
        progress: Receives progress.
    """
    pixels, classes = data.split.test, data.scene.classes
    truth, fields = data.targets(pixels), fields_of(data, pixels)
    found = [original.argmax(1), runtime_logits(file, data, pixels, progress).argmax(1)]
    scored = [field_matrices(truth, one, fields, classes).sum(0) for one in found]
    before, after = ({name: float(accuracy(one, name)) for name in METRICS} for one in scored)
    return FinalEvaluation(
        before,
        after,
        paired_drop(truth, found[0], found[1], fields, classes, bounds.metric),
        float(np.mean(found[0] == found[1])),
        len(pixels),
    )
