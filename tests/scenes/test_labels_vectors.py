"""Polygons and points with a class become labels of the pixels that they cover."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform

from hsitf.errors import DataError, InputError
from hsitf.scenes import load, open_raster
from hsitf.scenes.labels import LabelOptions, RasterGrid, read_labels
from hsitf.scenes.labels.burning import burn
from hsitf.scenes.labels.shapes import PolygonsAndPoints, from_geojson, from_wkb
from hsitf.scenes.metadata import Georeference

UTM = rasterio.crs.CRS.from_epsg(32633)
HERE = (10.0, 0.0, 500000.0, 0.0, -10.0, 4500000.0)
# 4 rows and 6 columns of 10 m.
GRID = RasterGrid((4, 6), Georeference(UTM.to_wkt(), HERE))
EPSG = "urn:ogc:def:crs:EPSG::32633"


def box(left, top, right, bottom):
    """Corners of a rectangle given in columns and rows, in map coordinates."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    return [[HERE[2] + 10 * col, HERE[5] - 10 * row] for col, row in corners]


def polygon(*sides, **properties):
    geometry = {"type": "Polygon", "coordinates": [box(*sides)]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def point(col, row, **properties):
    place = [HERE[2] + 10 * col, HERE[5] - 10 * row]
    geometry = {"type": "Point", "coordinates": place}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def geojson(path, *features, crs=EPSG):
    document = {"type": "FeatureCollection", "features": list(features)}
    if crs:
        document["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(document))
    return path


def read(path, grid=GRID, **options):
    return read_labels(path, LabelOptions(**options), grid)


def test_a_polygon_covers_the_centers_that_lie_in_it(tmp_path):
    path = geojson(
        tmp_path / "f.geojson",
        # From the middle of column 0: its center lies on the edge, that of column 1 inside.
        polygon(0.6, 0, 3, 2, **{"class": 1}),
        polygon(3, 2, 6, 3.4, **{"class": 2}),
        point(5.99, 0.01, **{"class": 2}),
    )
    found = read(path)
    expected = [[0, 1, 1, 0, 0, 2], [0, 1, 1, 0, 0, 0], [0, 0, 0, 2, 2, 2], [0] * 6]
    np.testing.assert_array_equal(found.labels, expected)
    assert found.class_names == ("class 1", "class 2")
    assert found.notes == ("Classes of 2 polygons and 1 point of f.geojson: column class.",)
    assert found.files == (path,)


def test_names_are_numbered_in_their_order(tmp_path):
    path = geojson(
        tmp_path / "f.json",
        polygon(0, 0, 2, 2, Land_Cover="water"),
        polygon(2, 0, 4, 2, Land_Cover="soil"),
        polygon(4, 0, 6, 2, Land_Cover=None),
        # Not in the cube, and so no class of it.
        polygon(60, 0, 66, 2, Land_Cover="asphalt"),
    )
    found = read(path)
    np.testing.assert_array_equal(found.labels[0], [2, 2, 1, 1, 0, 0])
    assert found.class_names == ("soil", "water")
    assert found.notes == (
        "Classes of 4 polygons of f.json: column Land_Cover, numbered in the order of their names.",
        "1 feature of f.json left out: no class.",
        "1 feature of f.json outside the cube.",
    )
    (tmp_path / "c.csv").write_text("1,water,#0000ff\n4,soil,#804000\n")
    listed = read(path, classes=tmp_path / "c.csv")
    np.testing.assert_array_equal(listed.labels[0], [1, 1, 2, 2, 0, 0])
    assert listed.class_colors == ((0, 0, 255), (128, 64, 0))
    (tmp_path / "d.csv").write_text("1,water\n2,lava\n")
    fewer = read(path, classes=tmp_path / "d.csv")
    assert fewer.labels.max() == 1
    assert "Labels soil are not in the file of classes: 4 pixels unlabelled." in fewer.notes


def test_a_number_and_its_name(tmp_path):
    path = geojson(
        tmp_path / "f.geojson",
        polygon(0, 0, 3, 4, class_id=2110, class_name="meadow"),
        polygon(3, 0, 6, 4, class_id=10, class_name="forest"),
    )
    found = read(path)
    np.testing.assert_array_equal(found.labels, [[2, 2, 2, 1, 1, 1]] * 4)
    assert found.class_names == ("forest", "meadow")
    assert "Labels 10, 2110 of f.geojson are classes 1 to 2." in found.notes
    assert read(path, column="class_id").class_names == ("class 10", "class 2110")
    assert read(path, column="CLASS_ID,class_name").class_names == ("forest", "meadow")
    twice = geojson(
        tmp_path / "g.geojson",
        polygon(0, 0, 3, 4, class_id=1, class_name="meadow"),
        polygon(3, 0, 6, 4, class_id=1, class_name="forest"),
    )
    with pytest.raises(DataError, match=r"one class two names.*1 is meadow and forest"):
        read(twice)


def test_the_column_is_named_where_it_cannot_be_known(tmp_path):
    path = geojson(tmp_path / "f.geojson", polygon(0, 0, 3, 4, kind=1, fid=7))
    with pytest.raises(InputError, match=r"columns kind, fid.*--class-column"):
        read(path)
    assert read(path, column="kind").class_names == ("class 1",)
    with pytest.raises(InputError, match="no column 'type'"):
        read(path, column="type")
    several = geojson(tmp_path / "g.geojson", polygon(0, 0, 3, 4, label=1, category=2))
    with pytest.raises(InputError, match=r"several columns.*label, category.*--class-column"):
        read(several)
    np.save(tmp_path / "l.npy", np.ones((4, 6)))
    with pytest.raises(InputError, match="has no columns"):
        read(tmp_path / "l.npy", column="kind")


def test_overlapping_classes_are_unlabelled(tmp_path):
    path = geojson(
        tmp_path / "f.geojson",
        polygon(0, 0, 4, 4, label=1),
        polygon(3, 0, 6, 2, label=2),
        polygon(0, 0, 2, 1, label=1),
        point(1.5, 3.5, label=3),
        # Between two centers.
        polygon(4.6, 3.1, 5.4, 3.4, label=3),
    )
    found = read(path)
    np.testing.assert_array_equal(
        found.labels,
        [[1, 1, 1, 0, 2, 2], [1, 1, 1, 0, 2, 2], [1, 1, 1, 1, 0, 0], [1, 0, 1, 1, 0, 0]],
    )
    assert found.notes[1:] == (
        "3 pixels lie in features of two or more classes of f.geojson: unlabelled.",
        "1 feature of f.geojson without the center of a pixel.",
    )


def test_a_hole_of_another_class(tmp_path):
    ring = {"type": "Polygon", "coordinates": [box(0, 0, 6, 4), box(2, 1, 4, 3)]}
    outer = {"type": "Feature", "geometry": ring, "properties": {"label": "field"}}
    found = read(geojson(tmp_path / "f.geojson", outer, polygon(2, 1, 4, 3, label="pond")))
    np.testing.assert_array_equal(found.labels[1], [1, 1, 2, 2, 1, 1])
    assert found.class_names == ("field", "pond")


def test_another_coordinate_system_is_reprojected(tmp_path):
    def degrees(feature):
        rings = feature["geometry"]["coordinates"]
        for ring in rings:
            xs, ys = transform(UTM, "EPSG:4326", *zip(*ring, strict=True))
            ring[:] = [list(pair) for pair in zip(xs, ys, strict=True)]
        return feature

    path = geojson(tmp_path / "f.geojson", degrees(polygon(1, 1, 3, 3, label=1)), crs=None)
    found = read(path)
    np.testing.assert_array_equal(
        found.labels[:, :4], [[0] * 4, [0, 1, 1, 0], [0, 1, 1, 0], [0] * 4]
    )
    assert "Reprojected f.geojson from EPSG:4326 to EPSG:32633." in found.notes
    # As other tools write it.
    geojson(path, *json.loads(path.read_text())["features"], crs="urn:ogc:def:crs:OGC:1.3:CRS84")
    np.testing.assert_array_equal(read(path).labels, found.labels)
    assert "Reprojected f.geojson from WGS 84 (CRS84) to EPSG:32633." in read(path).notes


def test_a_rotated_cube(tmp_path):
    """The pixels of a grid turned by 30 degrees, found by hand from its own transform."""
    turn = rasterio.Affine.translation(500000, 4500000) * rasterio.Affine.rotation(30)
    affine = turn * rasterio.Affine.scale(10, -10)
    grid = RasterGrid((4, 6), Georeference(UTM.to_wkt(), tuple(affine)[:6]))
    corners = [affine * place for place in ((2, 1), (5, 1), (5, 3), (2, 3), (2, 1))]
    shape = {"type": "Polygon", "coordinates": [[list(corner) for corner in corners]]}
    feature = {"type": "Feature", "geometry": shape, "properties": {"label": 1}}
    x, y = affine * (0.5, 3.5)
    spot = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [x, y]}}
    path = geojson(tmp_path / "f.geojson", feature, spot | {"properties": {"label": 2}})
    expected = np.zeros((4, 6), int)
    expected[1:3, 2:5] = 1
    expected[3, 0] = 2
    np.testing.assert_array_equal(read(path, grid).labels, expected)


def test_features_of_another_place(tmp_path):
    path = geojson(tmp_path / "f.geojson", polygon(60, 0, 66, 2, label=1))
    words = (
        r"no feature of .* lies in the cube; received: features from \(500600, 4499980\) to "
        r"\(500660, 4500000\); allowed: the cube's \(500000, 4499960\) to \(500060, 4500000\), "
        "EPSG:32633"
    )
    with pytest.raises(InputError, match=words):
        read(path)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Georeference(), "received: nothing"),
        (Georeference(transform=HERE), "transform without a coordinate system"),
        (Georeference(UTM.to_wkt(), gcps=((0, 0, 1, 1, 0),)), "ground control points alone"),
        (
            Georeference(UTM.to_wkt(), HERE, lookup=np.zeros((2, 2, 2), np.int64)),
            "geometry lookup table",
        ),
    ],
)
def test_a_cube_without_an_affine_place(tmp_path, place, words):
    path = geojson(tmp_path / "f.geojson", polygon(0, 0, 3, 4, label=1))
    with pytest.raises(InputError, match=f"no place on Earth.*{words}.*rows and columns"):
        read(path, RasterGrid((4, 6), place))


def test_zero_in_a_vector_layer_has_two_readings(tmp_path):
    path = geojson(
        tmp_path / "f.geojson", polygon(0, 0, 3, 4, label=0), polygon(3, 0, 6, 4, label=1)
    )
    with pytest.raises(DataError, match=r"read in two ways.*number 0.*--classes"):
        read(path)
    (tmp_path / "c.csv").write_text("0,water\n1,soil\n")
    np.testing.assert_array_equal(
        read(path, classes=tmp_path / "c.csv").labels[0], [1, 1, 1, 2, 2, 2]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "it is no object"),
        ('{"type": "Topology", "objects": {}}', "no features"),
        ('{"type": "FeatureCollection"}', "cannot be read as GeoJSON"),
        ('{"type": "FeatureCollection", "features": []}', "neither polygons nor points"),
        ('{"type": "FeatureCollection", "features": [5]}', "feature 0 of .* is no object.*5"),
        ('{"type": "FeatureCollection", "features": [{}, null]}', "feature 1 of .* is no object"),
        ('{"type": "FeatureCollection", "features": {"a": 1}}', "features of .* are no list"),
        ('{"type": "Feature", "properties": [5]}', "properties of feature 0 of .* are no object"),
        ("[" * 100_000, "nested too deeply|cannot be read"),
        ('{"type": "FeatureCollection", "features": [{"geometry": {"type": "Polygon", '
         '"coordinates": [[[0, 0], [1], [2, 2]]]}}]}', "cannot be read as GeoJSON"),
    ],
)  # fmt: skip
def test_damaged_geojson(tmp_path, text, message):
    (tmp_path / "f.geojson").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "f.geojson")


def test_lines_are_no_labels(tmp_path):
    line = {"type": "LineString", "coordinates": box(0, 0, 6, 4)}
    road = {"type": "Feature", "geometry": line, "properties": {"label": 2}}
    with pytest.raises(DataError, match="neither polygons nor points"):
        read(geojson(tmp_path / "f.geojson", road))
    found = read(geojson(tmp_path / "g.geojson", road, polygon(0, 0, 6, 4, label=1)))
    assert "1 feature of g.geojson left out: no polygon and no point." in found.notes


@pytest.mark.parametrize("name", ["labels.zip", "labels.shp.zip", "labels.kml", "labels"])
def test_other_suffixes_are_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(InputError, match=r"archive|suffix"):
        read(tmp_path / name)
    with pytest.raises(InputError, match="there is no file"):
        read(tmp_path / "none.gpkg")


def test_drawing_does_not_depend_on_the_order_of_features():
    """Random triangles: every pixel has the classes of all that hold its center, and no other."""
    rng = np.random.default_rng(0)
    size, classes = (20, 30), rng.integers(1, 5, 25)
    corners = rng.uniform(-3, 33, (25, 3, 2))
    shapes = [PolygonsAndPoints(((np.vstack([c, c[:1]]),),)) for c in corners]
    cols, rows = np.meshgrid(np.arange(30) + 0.5, np.arange(20) + 0.5)
    inside = []
    for a, b, c in corners:
        signs = [
            (q[0] - p[0]) * (rows - p[1]) - (q[1] - p[1]) * (cols - p[0])
            for p, q in ((a, b), (b, c), (c, a))
        ]
        inside.append(np.all(np.array(signs) > 0, axis=0) | np.all(np.array(signs) < 0, axis=0))
    covers = np.array([[c in classes[np.array(inside)[:, r, k]] for c in range(1, 5)]
                       for r in range(20) for k in range(30)])  # fmt: skip
    expected = np.where(covers.sum(axis=1) == 1, covers.argmax(axis=1) + 1, 0).reshape(size)
    found = burn(shapes, classes, size)
    np.testing.assert_array_equal(np.where(found.labelled, found.numbers, 0), expected)
    assert found.conflicts == np.count_nonzero(covers.sum(axis=1) > 1)
    turned = burn(shapes[::-1], classes[::-1], size)
    np.testing.assert_array_equal(turned.labelled, found.labelled)


def test_a_cube_with_a_vector_layer(tmp_path):
    """From the file to the scene, in memory and as it is classified."""
    cube = np.arange(96, dtype=np.uint16).reshape(4, 4, 6)
    profile = {"crs": UTM, "transform": rasterio.Affine(*HERE), "dtype": "uint16", "count": 4}
    with rasterio.open(tmp_path / "c.tif", "w", driver="GTiff", height=4, width=6, **profile) as f:
        f.write(cube)
    path = geojson(
        tmp_path / "f.geojson", polygon(0, 0, 3, 4, label=1), polygon(3, 0, 6, 4, label=2)
    )
    scene = load(tmp_path / "c.tif", labels=path)
    np.testing.assert_array_equal(scene.labels, [[1, 1, 1, 2, 2, 2]] * 4)
    assert set(scene.sources) == {"c.tif", "f.geojson"}
    assert "Classes of 2 polygons of f.geojson: column label." in scene.notes
    np.testing.assert_array_equal(
        open_raster(str(tmp_path / "c.tif"), labels=path).labels, scene.labels
    )


# --- well-known binary, GeoPackage and Shapefile -----------------------------------------------


def wkb(*rings, order="<", code=3, axes=2):
    head = struct.pack(order + "BII", order == "<", code, len(rings))
    body = b""
    for ring in rings:
        body += struct.pack(order + "I", len(ring))
        for corner in ring:
            body += struct.pack(f"{order}{axes}d", *corner, *[5.0] * (axes - 2))
    return head + body


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("code", "axes"), [(3, 2), (1003, 3), (2003, 3), (3003, 4), (0x80000003, 3)]
)
def test_polygons_of_well_known_binary(order, code, axes):
    rings = [box(0, 0, 6, 4), box(2, 1, 4, 3)]
    found = from_wkb(wkb(*rings, order=order, code=code, axes=axes))
    assert len(found.polygons) == 1
    for ring, expected in zip(found.polygons[0], rings, strict=True):
        np.testing.assert_array_equal(ring, expected)


def test_collections_of_well_known_binary():
    spot = struct.pack("<BIdd", 1, 1, 3.0, 4.0)
    nothing = struct.pack("<BIdd", 1, 1, np.nan, np.nan)
    line = struct.pack("<BIIdddd", 1, 2, 2, 0, 0, 1, 1)
    area = wkb(box(0, 0, 1, 1), order=">")
    found = from_wkb(struct.pack("<BII", 1, 7, 4) + spot + nothing + line + area)
    np.testing.assert_array_equal(found.points, [[3, 4]])
    assert len(found.polygons) == 1
    assert not from_wkb(None)
    assert not from_wkb(line)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01\x03",
        struct.pack("<BII", 1, 3, 2**31),
        struct.pack("<BIII", 1, 3, 1, 2**31),
        struct.pack("<BII", 1, 7, 2**31),
        struct.pack("<BII", 1, 10, 0),
        (struct.pack("<BII", 1, 7, 1) * 50),
    ],
)
def test_damaged_geometries(data):
    with pytest.raises(ValueError, match=r"."):
        from_wkb(data)


def test_geojson_collections():
    spot = {"type": "Point", "coordinates": [1, 2, 3]}
    many = {"type": "MultiPoint", "coordinates": [[3, 4], [5, 6]]}
    areas = {"type": "MultiPolygon", "coordinates": [[box(0, 0, 1, 1)], [box(2, 2, 3, 3)]]}
    found = from_geojson({"type": "GeometryCollection", "geometries": [spot, many, areas]})
    np.testing.assert_array_equal(found.points, [[1, 2], [3, 4], [5, 6]])
    assert len(found.polygons) == 2
    assert not from_geojson(None)


def layer(path, sides, fields, crs="EPSG:32633", **options):
    pyogrio = pytest.importorskip("pyogrio")
    pyogrio.raw.write(
        path,
        np.array([wkb(box(*one)) for one in sides], object),
        [np.array(values) for values in fields.values()],
        np.array(list(fields), object),
        geometry_type="Polygon",
        crs=crs,
        **options,
    )
    return path


HALVES = [(0, 0, 3, 4), (3, 0, 6, 4)]


@pytest.mark.parametrize("name", ["fields.gpkg", "fields.shp"])
def test_a_layer_of_polygons(tmp_path, name):
    fields = {"class_id": np.array([7, 3]), "classname": np.array(["soil", "water"], object)}
    path = layer(tmp_path / name, HALVES, fields)
    found = read(path)
    np.testing.assert_array_equal(found.labels, [[2, 2, 2, 1, 1, 1]] * 4)
    assert found.class_names == ("water", "soil")
    assert found.notes == (
        f"Classes of 2 polygons of {name}: column class_id with names from classname.",
        f"Labels 3, 7 of {name} are classes 1 to 2.",
    )
    assert found.files[-1] == path
    if name.endswith(".shp"):
        assert {file.suffix for file in found.files} >= {".shp", ".shx", ".dbf", ".prj"}


def test_several_layers(tmp_path):
    path = layer(tmp_path / "f.gpkg", HALVES, {"label": np.array([1, 2])}, layer="summer")
    layer(path, HALVES, {"label": np.array([2, 1])}, layer="winter", append=False)
    with pytest.raises(InputError, match=r"several layers.*summer, winter.*--labels-variable"):
        read(path)
    np.testing.assert_array_equal(read(path, variable="winter").labels[0], [2, 2, 2, 1, 1, 1])
    with pytest.raises(InputError, match=r"unknown f\.gpkg layer 'sommer'.*did you mean summer"):
        read(path, variable="sommer")


def test_a_shapefile_without_its_parts(tmp_path):
    path = layer(tmp_path / "f.shp", HALVES, {"label": np.array([1, 2])})
    (tmp_path / "f.prj").unlink()
    with pytest.raises(InputError, match=r"does not say its coordinate system.*\.prj"):
        read(path)
    (tmp_path / "f.dbf").unlink()
    with pytest.raises(InputError, match=r"no \.dbf beside it"):
        read(path)


@pytest.mark.parametrize("name", ["f.gpkg", "f.shp"])
def test_no_other_format_under_a_layers_suffix(tmp_path, name):
    """GDAL goes by the content, and some of its formats name other files to be read."""
    pytest.importorskip("pyogrio")
    for suffix in (".shx", ".dbf"):
        (tmp_path / f"f{suffix}").write_bytes(b"")
    (tmp_path / name).write_text(
        "<OGRVRTDataSource><OGRVRTLayer name='f'><SrcDataSource>/etc/passwd</SrcDataSource>"
        "</OGRVRTLayer></OGRVRTDataSource>"
    )
    with pytest.raises(DataError, match="not what its suffix says"):
        read(tmp_path / name)


def test_a_damaged_layer(tmp_path):
    path = layer(tmp_path / "f.gpkg", HALVES, {"label": np.array([1, 2])})
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"cannot be read as GPKG"):
        read(path)
    (tmp_path / "g.gpkg").write_bytes(b"SQLite format 3\x00" + bytes(5000))
    with pytest.raises(DataError, match=r"g\.gpkg"):
        read(tmp_path / "g.gpkg")


# --- what no class and no place are -------------------------------------------------------------


def test_numbers_as_text_are_the_same_numbers(tmp_path):
    path = geojson(
        tmp_path / "f.geojson",
        polygon(0, 0, 2, 4, label="1"),
        polygon(2, 0, 3, 4, label=1),
        polygon(3, 0, 4, 4, label="10"),
        polygon(4, 0, 5, 4, label=2.0),
        polygon(5, 0, 6, 4, label="n/a"),
    )
    found = read(path)
    np.testing.assert_array_equal(found.labels[0], [1, 1, 1, 3, 2, 0])
    assert found.numbers == (1, 2, 10)
    assert "1 feature of f.geojson left out: no class (n/a)." in found.notes
    mixed = geojson(
        tmp_path / "g.geojson", polygon(0, 0, 3, 4, label=1), polygon(3, 0, 6, 4, label="x")
    )
    with pytest.raises(DataError, match=r"two ways.*'x' among numbers in column label"):
        read(mixed)


@pytest.mark.parametrize("number", [10**30, -(10**30), 1e30, 2**63, str(10**30)])
def test_numbers_that_are_too_large(tmp_path, number):
    path = geojson(
        tmp_path / "f.geojson", polygon(0, 0, 3, 4, label=1), polygon(3, 0, 6, 4, label=number)
    )
    with pytest.raises(DataError, match=r"column label of .* holds numbers that cannot be labels"):
        read(path)


@pytest.mark.parametrize("crs", ["EPSG:0", "[[]]", "[1]", "{1"])
def test_a_coordinate_system_that_is_none(tmp_path, crs):
    path = geojson(tmp_path / "f.geojson", polygon(1, 1, 3, 3, label=1), crs=crs)
    with pytest.raises(DataError, match="coordinate system that is not known"):
        read(path)


def test_geojson_that_is_not_in_degrees(tmp_path):
    path = geojson(tmp_path / "f.geojson", polygon(1, 1, 3, 3, label=1), crs=None)
    words = (
        r"without a `crs` member is in longitude and latitude of WGS 84; received: "
        r"coordinates such as \(500010, 4499990\); allowed: .*-180 to 180.*-90 to 90.*"
        r"`crs` member.*GeoPackage.*reproject"
    )
    with pytest.raises(DataError, match=words):
        read(path)
    with pytest.raises(DataError, match=words):
        read(path, RasterGrid((4, 6), Georeference(CRS84.to_wkt(), HERE)))


CRS84 = rasterio.crs.CRS.from_epsg(4326)


def test_coordinates_of_another_system_than_named(tmp_path):
    path = geojson(tmp_path / "f.geojson", polygon(1, 1, 3, 3, label=1), crs="EPSG:4326")
    words = r"coordinates of .* cannot be reprojected.*\(500010, 4499970\).*EPSG:4326"
    with pytest.raises(DataError, match=words):
        read(path)
    feature = polygon(1, 1, 3, 3, label=1)
    feature["geometry"]["coordinates"][0][1][0] = float("nan")
    geojson(path, feature, crs=None)
    with pytest.raises(DataError):
        read(path)
