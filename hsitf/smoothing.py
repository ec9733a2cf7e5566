"""Smoothing of a classification by a Markov random field.

Neighbors are more often of one class than not. In a Potts field each pair of neighboring pixels
of different classes costs `strength`; the labels wanted are those that are probable and cost
little (Cao et al., IEEE Trans. Image Processing 27(5), 2018, behind their network).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError

Floats = NDArray[np.float32]

ROUNDS = 10


def smoothed(probabilities: Floats, strength: float, rounds: int = ROUNDS) -> Floats:
    """Probabilities that have heard their four neighbors, by mean-field iteration.

    Each round multiplies what the network said by `exp(strength * q)`, q being the sum of the
    four neighbors' probabilities of the class in the round before, and scales it to sum 1.

    Args:
        probabilities: (rows, cols, classes) float32; a pixel of zeros has no say and keeps
            none.
        strength: Of the field; 0 changes nothing.
        rounds: How often neighbors are heard.

    Returns:
        (rows, cols, classes) float32.

    Raises:
        InputError: The strength is out of range.
    """
    if not 0 <= strength <= 100:
        raise InputError("the smoothing is out of range", received=strength, allowed="0 to 100")
    now = probabilities
    for _ in range(rounds if strength else 0):
        heard = np.zeros_like(now)
        heard[1:] += now[:-1]
        heard[:-1] += now[1:]
        heard[:, 1:] += now[:, :-1]
        heard[:, :-1] += now[:, 1:]
        louder = probabilities * np.exp(strength * heard)
        total = louder.sum(axis=2, keepdims=True)
        now = np.divide(louder, total, out=np.zeros_like(louder), where=total > 0)
    return now
