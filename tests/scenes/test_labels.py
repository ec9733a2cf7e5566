"""Labels as people have them become classes from 1, and what was understood is said."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from hsitf.errors import DataError, HsitfError, InputError
from hsitf.scenes import load
from hsitf.scenes.class_list import ClassEntry, read_classes
from hsitf.scenes.labels import LabelOptions, RasterGrid, read_labels
from hsitf.scenes.metadata import Georeference

TRUTH = np.array([[0, 1, 2], [3, 1, 2]], np.uint8)
GRID = RasterGrid((2, 3))
UTM = rasterio.crs.CRS.from_epsg(32633)
HERE = rasterio.Affine(30, 0, 500000, 0, -30, 4500000)


def tiff(path, values, tags=None, colors=None, **profile):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=values.shape[0],
        width=values.shape[1],
        count=1,
        dtype=values.dtype,
        **profile,
    ) as file:
        file.write(values, 1)
        if tags:
            file.update_tags(1, **tags)
        if colors:
            file.write_colormap(1, colors)
    return path


def read(path, grid=GRID, **options):
    return read_labels(path, LabelOptions(**options), grid)


def test_no_data_is_unlabelled(tmp_path):
    path = tiff(tmp_path / "l.tif", np.where(TRUTH == 0, 255, TRUTH).astype(np.uint8), nodata=255)
    found = read(path)
    np.testing.assert_array_equal(found.labels, TRUTH)
    assert found.class_names == ("class 1", "class 2", "class 3")
    assert found.notes == ()


def test_zero_beside_another_no_data_value_has_two_readings(tmp_path):
    values = TRUTH.copy()
    values[0, 1] = 255
    path = tiff(tmp_path / "l.tif", values, nodata=255)
    with pytest.raises(DataError, match=r"read in two ways.*255.*--classes"):
        read(path)
    (tmp_path / "c.csv").write_text("0,water\n1,soil\n2,tree\n3,road\n")
    found = read(path, classes=tmp_path / "c.csv")
    np.testing.assert_array_equal(found.labels, [[1, 0, 3], [4, 2, 3]])
    assert found.class_names == ("water", "soil", "tree", "road")
    (tmp_path / "d.csv").write_text("1,soil\n2,tree\n3,road\n")
    np.testing.assert_array_equal(
        read(path, classes=tmp_path / "d.csv").labels, [[0, 0, 2], [3, 1, 2]]
    )


def test_numbers_with_gaps(tmp_path):
    np.save(tmp_path / "l.npy", np.array([[11, 21, 0], [41, 21, 11]]))
    found = read(tmp_path / "l.npy")
    np.testing.assert_array_equal(found.labels, [[1, 2, 0], [3, 2, 1]])
    assert found.class_names == ("class 11", "class 21", "class 41")
    assert found.notes == ("Labels 11, 21, 41 of l.npy are classes 1 to 3.",)


def test_floats_and_missing_numbers(tmp_path):
    values = TRUTH.astype(np.float64)
    values[values == 0] = np.nan
    np.save(tmp_path / "l.npy", values)
    np.testing.assert_array_equal(read(tmp_path / "l.npy").labels, TRUTH)


def test_a_band_for_each_class(tmp_path):
    np.save(tmp_path / "l.npy", (TRUTH[..., None] == [1, 2, 3]).astype(np.float32))
    found = read(tmp_path / "l.npy")
    np.testing.assert_array_equal(found.labels, TRUTH)
    assert found.notes == ("l.npy marks each class in a band: 3 classes in 3 bands.",)
    np.save(tmp_path / "m.npy", (TRUTH[..., None] == [1, 2, 3, 4]).astype(np.uint8))
    assert read(tmp_path / "m.npy").notes[0].endswith("in a band: 3 classes in 4 bands.")


def test_names_and_colors_of_a_geotiff(tmp_path):
    path = tiff(
        tmp_path / "l.tif",
        TRUTH,
        tags={"class_1": "soil", "class_2": "tree", "class_3": "road"},
        colors={1: (200, 100, 0, 255), 2: (0, 128, 0, 255), 3: (9, 9, 9, 255)},
    )
    found = read(path)
    assert found.class_names == ("soil", "tree", "road")
    assert found.class_colors == ((200, 100, 0), (0, 128, 0), (9, 9, 9))


def test_category_names_beside_a_geotiff(tmp_path):
    path = tiff(tmp_path / "l.tif", TRUTH)
    names = "".join(f"<Category>{name}</Category>" for name in ("none", "soil", "tree", "road"))
    (tmp_path / "l.tif.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><CategoryNames>"
        f"{names}</CategoryNames></PAMRasterBand></PAMDataset>"
    )
    assert read(path).class_names == ("soil", "tree", "road")


def test_names_and_colors_of_an_envi_classification(tmp_path):
    TRUTH.tofile(tmp_path / "l.img")
    (tmp_path / "l.hdr").write_text(
        "ENVI\nsamples = 3\nlines = 2\nbands = 1\ndata type = 1\ninterleave = bsq\n"
        "file type = ENVI Classification\nclasses = 4\n"
        "class names = { Unclassified, soil, tree,\n road}\n"
        "class lookup = {0,0,0, 200,100,0, 0,128,0, 9,9,9}\n"
    )
    found = read(tmp_path / "l.hdr")
    np.testing.assert_array_equal(found.labels, TRUTH)
    assert found.class_names == ("soil", "tree", "road")
    assert found.class_colors == ((200, 100, 0), (0, 128, 0), (9, 9, 9))


def test_labels_on_another_grid(tmp_path):
    """Half the pixel size: each pixel of the cube holds four of the labels."""
    fine = np.kron(TRUTH, np.ones((2, 2), np.uint8))
    half = rasterio.Affine(15, 0, 500000, 0, -15, 4500000)
    path = tiff(tmp_path / "l.tif", fine, crs=UTM, transform=half)
    grid = RasterGrid((2, 3), Georeference(UTM.to_wkt(), tuple(HERE)[:6]))
    with pytest.raises(InputError, match=r"another grid.*pixels of 15 x 15.*30 x 30.*--align"):
        read(path, grid)
    found = read(path, grid, align=True)
    np.testing.assert_array_equal(found.labels, TRUTH)
    assert found.notes == ("Resampled l.tif to the cube's pixels by nearest neighbor.",)


def test_labels_of_another_place(tmp_path):
    path = tiff(tmp_path / "l.tif", TRUTH, crs=UTM, transform=HERE)
    moved = Georeference(UTM.to_wkt(), (30, 0, 500300, 0, -30, 4500000))
    with pytest.raises(InputError, match="another grid"):
        read(path, RasterGrid((2, 3), moved))
    # Without a place of the cube, the same size is all there is to compare.
    np.testing.assert_array_equal(read(path).labels, TRUTH)


def test_labels_on_pixels_without_data_are_left_out(tmp_path):
    cube = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    cube[0, 1, 2] = np.nan
    np.save(tmp_path / "c.npy", cube)
    np.save(tmp_path / "l.npy", TRUTH)
    scene = load(tmp_path / "c.npy", labels=tmp_path / "l.npy")
    np.testing.assert_array_equal(scene.labels, [[0, 0, 2], [3, 1, 2]])
    assert np.isnan(scene.cube[0, 1]).all()
    assert scene.notes == ("1 of 6 pixels (16.7%) have no data; 1 of them were labelled.",)


def test_a_file_of_classes(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("number;name;color\n# comment\n3;Road;#ff8000\n1;Soil;1;2;3\n2;Tree\n")
    assert read_classes(path) == {
        3: ClassEntry("Road", (255, 128, 0)),
        1: ClassEntry("Soil", (1, 2, 3)),
        2: ClassEntry("Tree"),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,a\nb,c\n", "names no class"),
        ("1,a\n1,b\n", "names no class"),
        ("1,a\n2,\n", "names no class"),
        ("1,a\n2,b,red\n", "color that is none"),
        ("1,a\n", "fewer than two"),
        ("", "fewer than two"),
    ],
)
def test_files_that_list_no_classes(tmp_path, text, message):
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(HsitfError, match=message):
        read_classes(tmp_path / "c.csv")
    with pytest.raises(InputError, match="no file of classes"):
        read_classes(tmp_path / "none.csv")


def test_two_classes_of_one_name(tmp_path):
    np.save(tmp_path / "l.npy", TRUTH)
    (tmp_path / "c.csv").write_text("1,a\n2,a\n3,b\n")
    with pytest.raises(DataError, match="share a name"):
        read(tmp_path / "l.npy", classes=tmp_path / "c.csv")


def test_an_undeclared_255_has_two_readings(tmp_path):
    values = np.where(TRUTH == 0, 255, TRUTH)
    np.save(tmp_path / "l.npy", values)
    with pytest.raises(DataError, match=r"read in two ways.*255.*--classes"):
        read(tmp_path / "l.npy")
    (tmp_path / "c.csv").write_text("1,a\n2,b\n3,c\n")
    found = read(tmp_path / "l.npy", classes=tmp_path / "c.csv")
    np.testing.assert_array_equal(found.labels, TRUTH)
    assert found.notes == ("Labels 255 are not in the file of classes: 1 pixel unlabelled.",)


def test_a_file_of_other_classes(tmp_path):
    np.save(tmp_path / "l.npy", TRUTH)
    (tmp_path / "c.csv").write_text("11,a\n21,b\n")
    with pytest.raises(DataError, match=r"no label of .* is in the file of classes"):
        read(tmp_path / "l.npy", classes=tmp_path / "c.csv")


def test_labels_that_do_not_overlap(tmp_path):
    path = tiff(tmp_path / "l.tif", TRUTH, crs=UTM, transform=HERE)
    far = Georeference(UTM.to_wkt(), (30, 0, 700000, 0, -30, 4500000))
    with pytest.raises(InputError, match="does not overlap the cube"):
        read(path, RasterGrid((2, 3), far), align=True)


def test_zero_as_a_class_widens_small_numbers(tmp_path):
    """Numbers at the end of their type's range stay what they are."""
    for number, dtype in ((255, np.uint8), (127, np.int8)):
        np.save(tmp_path / "l.npy", np.array([[0, number]], dtype))
        (tmp_path / "c.csv").write_text(f"0,water\n{number},soil\n")
        found = read(tmp_path / "l.npy", RasterGrid((1, 2)), classes=tmp_path / "c.csv")
        np.testing.assert_array_equal(found.labels, [[1, 2]])
        assert found.class_names == ("water", "soil")


def test_outside_a_resampled_map_there_is_no_class_zero(tmp_path):
    path = tiff(tmp_path / "l.tif", TRUTH, crs=UTM, transform=HERE)
    (tmp_path / "c.csv").write_text("0,water\n1,soil\n2,tree\n3,road\n")
    # One column of the cube lies to the east of the map.
    grid = RasterGrid((2, 3), Georeference(UTM.to_wkt(), (30, 0, 500030, 0, -30, 4500000)))
    found = read(path, grid, align=True, classes=tmp_path / "c.csv")
    np.testing.assert_array_equal(found.labels, [[2, 3, 0], [2, 3, 0]])


def test_pixels_of_two_classes_in_a_band_for_each(tmp_path):
    marks = (TRUTH[..., None] == [1, 2, 3]).astype(np.uint8)
    marks[0, 1] = 1
    np.save(tmp_path / "l.npy", marks)
    with pytest.raises(DataError, match=r"several classes at once.*1 pixel with two or more"):
        read(tmp_path / "l.npy")
    np.save(tmp_path / "m.npy", np.full((2, 3, 4), 0.25))
    with pytest.raises(DataError, match=r"shape \(2, 3, 4\).*the largest share"):
        read(tmp_path / "m.npy")


def test_a_band_for_each_class_with_missing_pixels(tmp_path):
    marks = (TRUTH[..., None] == [1, 2, 3]).astype(np.float32)
    marks[1, 0] = np.nan
    np.save(tmp_path / "l.npy", marks)
    np.testing.assert_array_equal(read(tmp_path / "l.npy").labels, [[0, 1, 2], [0, 1, 2]])


def test_a_place_by_a_lookup_table_is_not_that_of_the_pixels(tmp_path):
    """The transform is then that of the map, so labels are compared by size alone."""
    path = tiff(tmp_path / "l.tif", TRUTH, crs=UTM, transform=HERE)
    lookup = np.zeros((5, 5, 2), np.int64)
    there = Georeference(UTM.to_wkt(), (20, 0, 400000, 0, -20, 4000000), lookup=lookup)
    np.testing.assert_array_equal(read(path, RasterGrid((2, 3), there)).labels, TRUTH)
