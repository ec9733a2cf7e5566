"""Names for arrays by the type of their elements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
# Of either width: pruning criteria take both.
FloatArray = NDArray[np.floating]
IndexArray = NDArray[np.int64]
# In the type in which a file stores its numbers, such as int8.
StoredArray = NDArray[np.generic]
