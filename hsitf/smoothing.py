"""Smoothing of a classification by a Markov random field.

Neighbors are more often of one class than not. In a Potts field each pair of neighboring pixels
of different classes costs `strength`; the labels wanted are those that are probable and cost
little (Cao et al., IEEE Trans. Image Processing 27(5), 2018, behind their network).
"""

from __future__ import annotations

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.errors import InputError

ROUNDS = 10


def mean_field_smoothing(
    probabilities: Float32Array, strength: float, rounds: int = ROUNDS
) -> Float32Array:
    """Probabilities smoothed over the four neighbors by mean-field iteration.

    Each iteration multiplies the probabilities by `exp(strength * q)`, q being the sum of the
    four neighbors' probabilities of the class in the round before, and scales it to sum 1.

    Args:
        probabilities: (rows, cols, classes) float32; a pixel of zeros has no influence and stays
            zero.
        strength: Strength of the field; 0 changes nothing.
        rounds: Number of mean-field iterations.

    Returns:
        (rows, cols, classes) float32.

    Raises:
        InputError: The strength is out of range.
    """
    if not 0 <= strength <= 100:
        raise InputError("the smoothing is out of range", received=strength, allowed="0 to 100")
    now = probabilities
    for _ in range(rounds if strength else 0):
        neighbors = np.zeros_like(now)
        neighbors[1:] += now[:-1]
        neighbors[:-1] += now[1:]
        neighbors[:, 1:] += now[:, :-1]
        neighbors[:, :-1] += now[:, 1:]
        weighted = probabilities * np.exp(strength * neighbors)
        total = weighted.sum(axis=2, keepdims=True)
        now = np.divide(weighted, total, out=np.zeros_like(weighted), where=total > 0)
    return now
