"""The place of ENVI headers on other datums, and rows that are stored in blocks."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import rasterio
from product_files import counts, envi
from rasterio.crs import CRS

from hsitf.scenes.cube import prepare_cube
from hsitf.scenes.metadata import RasterOptions
from hsitf.scenes.readers import open_array
from hsitf.scenes.readers.base import BlockRows
from hsitf.scenes.readers.envi_place import place_of

POSITION = "1, 1, 500000, 4000000, 30, 30"


@pytest.mark.parametrize(
    ("info", "code"),
    [
        (f"UTM, {POSITION}, 33, North, WGS-84, units=Meters", 32633),
        (f"UTM, {POSITION}, 33, South, WGS-84, units=Meters", 32733),
        (f"UTM, {POSITION}, 13, North, North America 1983, units=Meters", 26913),
        (f"UTM, {POSITION}, 13, North, North America 1927, units=Meters", 26713),
        (f"UTM, {POSITION}, 13, North, NAD83, units=Meters", 26913),
        (f"UTM, {POSITION}, 33, North, WGS-72, units=Meters", 32233),
        (f"UTM, {POSITION}, 33, North, European 1950, units=Meters", 23033),
        (f"UTM, {POSITION}, 33, North, ETRS89, units=Meters", 25833),
        (f"UTM, {POSITION}, 55, South, GDA94, units=Meters", 28355),
        ("Geographic Lat/Lon, 1, 1, 8, 50, 0.1, 0.1, WGS-84, units=Degrees", 4326),
        ("Geographic Lat/Lon, 1, 1, 8, 50, 0.1, 0.1, North America 1927, units=Degrees", 4267),
    ],
)
def test_datums_of_map_info(info, code):
    place, notes = place_of({"map info": "{" + info + "}"})
    assert CRS.from_wkt(place.crs) == CRS.from_epsg(code)
    assert notes == ()


@pytest.mark.parametrize(
    "info",
    [
        f"UTM, {POSITION}, 33, North, Some Datum, units=Meters",
        # Zone 55 is on no continent of this datum.
        f"UTM, {POSITION}, 55, North, North America 1983, units=Meters",
        f"Own Projection, {POSITION}, units=Meters",
    ],
)
def test_a_system_that_is_not_known_is_said(info):
    place, (note,) = place_of({"map info": "{" + info + "}"})
    assert place.crs == ""
    assert place.transform == (30, 0, 500000, 0, -30, 4000000)
    assert "coordinate system string" in note


def test_a_file_says_that_its_system_is_not_known(tmp_path):
    info = f"{{UTM, {POSITION}, 33, North, Some Datum, units=Meters}}"
    path = envi(tmp_path / "c.img", counts(3), map_info=info)
    cube = prepare_cube(open_array(path), RasterOptions())
    assert "Some Datum" in cube.notes[0]


def test_gains_and_offsets_of_a_header(tmp_path):
    fields = {"data_gain_values": "{0.1, 0.2, 0.3}", "data_offset_values": "{1, 1, 1}"}
    cube = prepare_cube(open_array(envi(tmp_path / "c.img", counts(3), **fields)), RasterOptions())
    assert cube.scale.tolist() == [0.1, 0.2, 0.3]
    assert cube.offset == 1.0


def test_rows_come_in_the_byte_order_of_the_machine(tmp_path):
    values = counts(3, dtype=np.int16)
    path = envi(tmp_path / "c.img", values)
    header = tmp_path / "c.img.hdr"
    header.write_text(header.read_text().replace("byte order = 0", "byte order = 1"))
    path.write_bytes(path.read_bytes()[: values.nbytes])
    np.ascontiguousarray(values.transpose(0, 2, 1)).astype(">i2").tofile(path)
    file = open_array(path)
    rows = file.read(0, 6)
    assert rows.dtype == file.dtype == np.dtype(np.int16)
    assert rows.dtype.isnative
    np.testing.assert_array_equal(rows, values)
    with h5py.File(tmp_path / "c.h5", "w") as hdf5:
        hdf5["cube"] = values.astype(">i2")
    assert open_array(tmp_path / "c.h5").read(0, 2).dtype.isnative


def test_blocks_are_read_once_for_neighboring_rows():
    values, asked = np.arange(100).reshape(20, 5), []

    def read(start, stop):
        asked.append((start, stop))
        return values[start:stop]

    rows = BlockRows(read, 20, 8)
    for start, stop in ((0, 3), (3, 9), (9, 16), (15, 20), (19, 20)):
        np.testing.assert_array_equal(rows(start, stop), values[start:stop])
    assert asked == [(0, 8), (8, 16), (16, 20)]
    # What is returned may be changed.
    rows(16, 20)[:] = 0
    np.testing.assert_array_equal(rows(16, 20), values[16:20])


def test_tiled_and_chunked_files_give_the_same_rows(tmp_path):
    values = np.random.default_rng(0).integers(1, 99, (70, 40, 3)).astype(np.int16)
    with rasterio.open(
        tmp_path / "t.tif", "w", driver="GTiff", height=70, width=40, count=3, dtype="int16",
        tiled=True, blockxsize=16, blockysize=32, compress="deflate",
    ) as file:  # fmt: skip
        file.write(values.transpose(2, 0, 1))
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("cube", data=values, chunks=(32, 8, 3), compression=4)
    for name in ("t.tif", "c.h5"):
        found = open_array(tmp_path / name)
        assert found.block_rows == 32
        np.testing.assert_array_equal(found.read(30, 67), values[30:67])
        np.testing.assert_array_equal(prepare_cube(found, RasterOptions()).read(0, 70), values)
