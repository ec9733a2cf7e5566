"""What GIS programs read of a map: place, class names, colors, pixels without a class."""

from __future__ import annotations

import numpy as np
import rasterio
from rasterio.control import GroundControlPoint

from hsitf.classify.outputs import ClassMap, write
from hsitf.scenes.labels import LabelOptions, RasterGrid, read_labels
from hsitf.scenes.metadata import Georeference
from hsitf.scenes.readers import open_array

LABELS = np.array([[0, 1, 2], [2, 2, 1]], np.uint8)
UTM = rasterio.crs.CRS.from_epsg(32633)
HERE = rasterio.Affine(30, 0, 500000, 0, -30, 4500000)
TURNED = rasterio.Affine.translation(500000, 4500000) @ rasterio.Affine.rotation(-30)
TURNED = TURNED @ rasterio.Affine.scale(20, -20)
COLORS = ((200, 100, 0), (0, 128, 0))


def class_map(**place):
    return ClassMap(LABELS, ("soil", "tree"), place, COLORS)


def test_a_geotiff_has_names_colors_and_no_data(tmp_path):
    write(class_map(crs=UTM, transform=HERE), tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as file:
        assert (file.crs, file.transform, file.nodata) == (UTM, HERE, 0)
        colors = file.colormap(1)
        assert colors[0][3] == 0
        assert colors[1] == (200, 100, 0, 255)
    beside = (tmp_path / "map.tif.aux.xml").read_text()
    assert "<Category>soil</Category>" in beside
    assert "GDALRasterAttributeTable" in beside
    # It reads back as labels with the same names and colors.
    grid = RasterGrid((2, 3), Georeference(UTM.to_wkt(), tuple(HERE)[:6]))
    found = read_labels(tmp_path / "map.tif", LabelOptions(), grid)
    np.testing.assert_array_equal(found.labels, LABELS)
    assert (found.class_names, found.class_colors) == (("soil", "tree"), COLORS)


def test_control_points_are_kept(tmp_path):
    points = [GroundControlPoint(r, c, c / 10, -r / 10) for r, c in ((0, 0), (0, 3), (2, 0))]
    write(class_map(gcps=points, crs=rasterio.crs.CRS.from_epsg(4326)), tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as file:
        found, crs = file.gcps
        assert [(one.row, one.col, one.x) for one in found] == [
            (one.row, one.col, one.x) for one in points
        ]
        assert crs.to_epsg() == 4326


def test_an_envi_classification_keeps_its_place(tmp_path):
    for name, transform in (("straight", HERE), ("turned", TURNED)):
        write(class_map(crs=UTM, transform=transform), tmp_path / f"{name}.hdr")
        with rasterio.open(tmp_path / f"{name}.img") as file:
            np.testing.assert_allclose(file.transform, transform, atol=1e-6)
            assert file.crs.to_epsg() == 32633
        # Our own reader agrees with GDAL.
        ours = open_array(tmp_path / f"{name}.hdr").metadata.georeference
        np.testing.assert_allclose(ours.transform, tuple(transform)[:6], atol=1e-6)
        assert rasterio.crs.CRS.from_wkt(ours.crs).to_epsg() == 32633


def test_a_map_without_a_place(tmp_path):
    write(class_map(), tmp_path / "map.hdr")
    assert "map info" not in (tmp_path / "map.hdr").read_text()
