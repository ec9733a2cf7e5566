"""Tables of labelled places become labels of the pixels that these lie in."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform

from hsitf.errors import DataError, HsitfError, InputError
from hsitf.scenes.labels import LabelOptions, RasterGrid, read_labels
from hsitf.scenes.metadata import Georeference

UTM = rasterio.crs.CRS.from_epsg(32633)
HERE = (10.0, 0.0, 500000.0, 0.0, -10.0, 4500000.0)
GRID = RasterGrid((3, 4), Georeference(UTM.to_wkt(), HERE))
NOWHERE = RasterGrid((3, 4))


def table(folder, text, grid=NOWHERE, name="t.csv", **options):
    (folder / name).write_text(text)
    return read_labels(folder / name, LabelOptions(**options), grid)


def test_rows_and_columns_count_from_zero(tmp_path):
    found = table(tmp_path, "row,col,class\n0,0,2\n2,3,1\n1,1,2\n")
    np.testing.assert_array_equal(found.labels, [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1]])
    assert found.notes == (
        "Rows and columns of t.csv count from 0.",
        "Classes of 3 points of t.csv: column class.",
    )


@pytest.mark.parametrize(
    "text",
    [
        "Column;Line;Label;Site\n3;2;tree;A\n0;0;soil;B\n",
        "# measured by hand\nlabel\tcol\trow\n\ntree\t3\t2\nsoil\t0\t0\n",
        '\ufeffsample,line,class\n3.0,2,"tree"\n0,0, soil \n',
    ],
)
def test_names_of_columns_and_separators(tmp_path, text):
    found = table(tmp_path, text)
    np.testing.assert_array_equal(found.labels, [[1, 0, 0, 0], [0] * 4, [0, 0, 0, 2]])
    assert found.class_names == ("soil", "tree")


def test_map_coordinates(tmp_path):
    found = table(tmp_path, "x,y,class\n500000.5,4499999.5,1\n500039.9,4499970.1,2\n", GRID)
    np.testing.assert_array_equal(found.labels, [[1, 0, 0, 0], [0] * 4, [0, 0, 0, 2]])
    outside = table(tmp_path, "x,y,class\n500000.5,4499999.5,1\n500040.1,4499970.1,2\n", GRID)
    assert outside.labels.max() == 1
    assert "1 feature of t.csv outside the cube." in outside.notes
    with pytest.raises(InputError, match="no place on Earth"):
        table(tmp_path, "x,y,class\n500000.5,4499999.5,1\n")


def test_longitude_and_latitude(tmp_path):
    xs, ys = transform(UTM, "EPSG:4326", [500005, 500035], [4499995, 4499975])
    lines = "".join(
        f"{y:.8f},{x:.8f},{k}\n" for k, (x, y) in enumerate(zip(xs, ys, strict=True), 1)
    )
    found = table(tmp_path, "Latitude,Longitude,Class\n" + lines, GRID)
    np.testing.assert_array_equal(found.labels, [[1, 0, 0, 0], [0] * 4, [0, 0, 0, 2]])
    assert "Reprojected t.csv from EPSG:4326 to EPSG:32633." in found.notes


def test_two_classes_of_one_pixel(tmp_path):
    found = table(tmp_path, "row,col,class\n0,0,1\n0,0,2\n1,1,2\n1,1,2\n2,2,1\n")
    np.testing.assert_array_equal(found.labels, [[0] * 4, [0, 2, 0, 0], [0, 0, 1, 0]])
    assert "1 pixel lies in features of two or more classes of t.csv: unlabelled." in found.notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("row,col,x,y,class\n0,0,5,5,1\n", r"in several ways.*row and col or y and x"),
        ("a,b,class\n0,0,1\n", r"does not say where.*row,col \(counted from 0\)"),
        ("row,y,class\n0,0,1\n", "does not say where"),
        ("row,col,kind\n0,0,1\n", "no column of .* is known"),
        ("row,col,class\n3,0,1\n", r"does not have.*rows 3 to 3.*rows 0 to 2.*from 0"),
        ("row,col,class\n-1,0,1\n", "does not have"),
        ("row,col,class\n0.5,0,1\n", "does not have"),
        ("row,col,class\nnan,0,1\n", r"column row of .* holds no number.*line 2"),
        ("row,col,class\n0,0\n", "other length"),
        ("row,row,class\n0,0,1\n", "no table of labels"),
        ("row,col,class\n", "no table of labels"),
        ("", "no table of labels"),
        ("row,col,class\n0,0,\n", "is empty"),
        ("row,col,class\n0,0,0\n0,1,1\n", r"two ways.*number 0"),
        ("row,col,class\n0,0,-3\n0,1,1\n", "negative"),
        ("row,col,class\n0,0,Soil\n0,1,soil\n", "upper and lower case"),
        ("row,col,class\n0,0,1.5\n0,1,0.5\n", "neither numbers nor names"),
        ("row,col,class\n0,0,NA\n0,1,-\n", "is empty"),
        ("row,col,class\n0,0,1\n0,1,2.5\n", "neither numbers nor names.*2.5"),
        (f"row,col,class\n0,0,1\n0,1,{10**30}\n", "cannot be labels.*10{30}"),
        (f"row,col,class\n0,0,1\n0,1,-{10**30}\n", "cannot be labels.*-10{30}"),
        ("row,col,class\n0,0,1\n0,1,1e99999\n", "cannot be labels.*1e99999"),
        (f"row,col,class_id,class_name\n0,0,{10**30},a\n0,1,2,b\n", "cannot be labels"),
        ("row,col,class_id,class_name\n0,0,1,a\n0,1,x,b\n", "two ways.*'x'.*class_id"),
    ],
)
def test_tables_that_are_refused(tmp_path, text, message):
    with pytest.raises(HsitfError, match=message):
        table(tmp_path, text, GRID)


def test_a_column_that_is_no_class(tmp_path):
    lines = "".join(f"{at % 3},{at % 4},{at}\n" for at in range(1, 1500))
    with pytest.raises(DataError, match="too many classes"):
        table(tmp_path, "row,col,label\n" + lines)


def test_a_table_of_other_text(tmp_path):
    (tmp_path / "t.tsv").write_bytes(b"row\tcol\tclass\n0\t0\tM\xfcll\n")
    with pytest.raises(DataError, match="no text file in UTF-8"):
        read_labels(tmp_path / "t.tsv", LabelOptions(), NOWHERE)
    (tmp_path / "u.csv").write_text("row,col,class\n0,0," + "a" * 100_000)
    with pytest.raises(DataError, match="no table"):
        read_labels(tmp_path / "u.csv", LabelOptions(), NOWHERE)
    with pytest.raises(InputError, match="holds a single array"):
        table(tmp_path, "row,col,class\n0,0,1\n", variable="x")


# --- numbers among text -------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["NA", "NaN", "nan", "N/A", "null", "none", "-", "NULL"])
def test_marks_of_no_class_among_numbers(tmp_path, mark):
    lines = f"0,0,10\n0,1,2\n0,2,{mark}\n1,0,{mark}\n1,1,\n1,2,2\n"
    found = table(tmp_path, "row,col,class\n" + lines)
    np.testing.assert_array_equal(found.labels, [[2, 1, 0, 0], [0, 0, 1, 0], [0] * 4])
    assert found.numbers == (2, 10)
    assert found.class_names == ("class 2", "class 10")
    assert f"3 features of t.csv left out: no class (empty or {mark})." in found.notes


@pytest.mark.parametrize("odd", ["1;5", "inf", "x", "1_0", "-inf", "\u0663"])
def test_other_text_among_numbers_has_two_readings(tmp_path, odd):
    lines = f"0,0,1\n0,1,2\n0,2,{odd}\n1,0,NA\n".replace(",", "\t").replace(";", ",")
    odd = odd.replace(";", ",")
    words = rf"read in two ways.*'{odd}' among numbers in column class.*all as text.*correct"
    with pytest.raises(DataError, match=words) as caught:
        table(tmp_path, "row\tcol\tclass\n" + lines)
    assert "NA" not in str(caught.value).split("allowed:")[0]


def test_numbers_are_names_where_the_list_names_them(tmp_path):
    """Local climate zones: numbers and letters, of which the user's list says the names."""
    text = "row,col,class\n0,0,A\n0,1,10\n0,2,2\n0,3,B\n1,0,1\n1,1,NA\n"
    with pytest.raises(DataError, match=r"'A', 'B' among numbers"):
        table(tmp_path, text)
    (tmp_path / "c.csv").write_text("1,1\n11,A\n12,B\n")
    found = table(tmp_path, text, classes=tmp_path / "c.csv")
    np.testing.assert_array_equal(found.labels[:2], [[2, 0, 0, 3], [1, 0, 0, 0]])
    assert found.class_names == ("1", "A", "B")
    # Numbers in their own order, not in that of their digits.
    assert "Labels 2, 10 are not in the file of classes: 2 pixels unlabelled." in found.notes
    (tmp_path / "d.csv").write_text("1,forest\n2,A\n3,B\n")
    with pytest.raises(DataError, match="two ways"):
        table(tmp_path, text, classes=tmp_path / "d.csv")


def test_names_beside_numbers_may_be_of_any_kind(tmp_path):
    text = "row,col,class_id,class_name\n0,0,1,1\n0,1,11,A\n0,2,NA,none\n"
    found = table(tmp_path, text)
    assert found.class_names == ("1", "A")
    assert "1 feature of t.csv left out: no class (NA)." in found.notes


def test_degrees_that_are_none(tmp_path):
    words = (
        r"columns lon and lat of .* do not hold degrees.*\(500005, 4499995\).*"
        r"-180 to 180.*-90 to 90.*x,y"
    )
    with pytest.raises(DataError, match=words):
        table(tmp_path, "lon,lat,class\n15,40,1\n500005,4499995,1\n", GRID)
    with pytest.raises(DataError, match=r"\(40, 115\)"):
        table(tmp_path, "lat,lon,class\n115,40,1\n", GRID)
