"""A converter that hides why it failed."""

from __future__ import annotations

from contextlib import contextmanager

import keras
import numpy as np
import pytest

from hsitf.errors import OutputError
from hsitf.export.calibration import Calibration
from hsitf.export.tflite import CONVERTERS

resource = pytest.importorskip("resource", reason="limits of POSIX")


@contextmanager
def small_files(size: int):
    """No file of this process can be larger."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_temporary_folder_without_room_is_named(tmp_path):
    # 400 kB of weights.
    model = keras.Sequential([keras.Input((100,), batch_size=1), keras.layers.Dense(1000)])
    calibration = Calibration(np.zeros((2, 100), np.float32))
    with (
        small_files(100_000),
        pytest.raises(
            OutputError, match=r"no room left on the disk .*intermediate model .* TMPDIR"
        ),
    ):
        CONVERTERS["float32"](model, calibration, tmp_path / "network.tflite")
    assert not list(tmp_path.iterdir())
