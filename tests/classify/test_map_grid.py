"""Maps of scenes in a sensor's geometry lie on the map grid of their lookup table."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import rasterio

from hsitf.classify import outputs
from hsitf.classify.mapping import MapArrays
from hsitf.classify.request import MapRequest
from hsitf.scenes import open_raster

sys.path.insert(0, str(Path(__file__).parent.parent / "scenes"))
from product_files import COLS, ROWS, emit


def test_maps_of_emit_lie_on_its_grid(tmp_path):
    source = open_raster(str(emit(tmp_path).path))
    labels = (np.arange(ROWS * COLS).reshape(ROWS, COLS) % 3 + 1).astype(np.uint8)
    values = np.random.default_rng(0).random((ROWS, COLS, 3)).astype(np.float16)
    names = ("map.tif", "map.hdr", "map.png")
    request = MapRequest(
        tuple(tmp_path / name for name in names),
        probabilities=tmp_path / "p.tif",
        confidence=tmp_path / "c.tif",
    )
    classifier = SimpleNamespace(class_names=("a", "b", "c"), class_colors=())
    found = outputs.write_requested(MapArrays(labels, values, 1.0), classifier, source, request)
    # Counts and scores are those of the sensor's pixels.
    np.testing.assert_array_equal(found.labels, labels)
    expected = np.zeros((4, 7), np.uint8)
    for row in range(4):
        expected[row, 1:6] = labels[row]
    # The cell that takes its nearest neighbor.
    expected[1, 2] = labels[1, 1]
    for name in ("map.tif", "map.img"):
        with rasterio.open(tmp_path / name) as file:
            np.testing.assert_array_equal(file.read(1), expected)
            assert file.crs.is_geographic
            assert "WGS 84" in file.crs.to_wkt()
            np.testing.assert_allclose(file.transform[:6], (0.0005, 0, -62.5, 0, -0.0005, -39.3))
    with rasterio.open(tmp_path / "p.tif") as file:
        found_values = file.read()
        assert np.isnan(file.nodata)
    assert found_values.shape == (3, 4, 7)
    assert np.isnan(found_values[:, :, [0, 6]]).all()
    np.testing.assert_array_equal(found_values[:, 3, 1:6], values[3].T.astype(np.float32))
    with rasterio.open(tmp_path / "c.tif") as file:
        np.testing.assert_array_equal(file.read(1)[3, 1:6], values[3].max(axis=1))
