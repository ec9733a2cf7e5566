"""Pictures of labels: a palette's indices, gray levels, and colors by a legend."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import rasterio
from PIL import Image

from hsitf.errors import DataError, InputError
from hsitf.scenes.labels import LabelOptions, RasterGrid, read_labels

TRUTH = np.array([[0, 1, 2], [3, 1, 2]], np.uint8)
GRID = RasterGrid((2, 3))
COLORS = np.array([[0, 0, 0], [255, 0, 0], [0, 128, 0], [9, 9, 255]], np.uint8)
LEGEND = "1,soil,#ff0000\n2,tree,#008000\n3,road,#0909ff\n"


def read(path, **options):
    return read_labels(path, LabelOptions(**options), GRID)


def palette(path, values=TRUTH, colors=COLORS, **options):
    image = Image.fromarray(values, "P")
    image.putpalette(colors.ravel().tolist())
    image.save(path, **options)
    return path


def legend(folder, text=LEGEND):
    (folder / "c.csv").write_text(text)
    return folder / "c.csv"


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_palette(tmp_path, bits):
    found = read(palette(tmp_path / "l.png", bits=bits))
    np.testing.assert_array_equal(found.labels, TRUTH)
    assert found.class_names == ("class 1", "class 2", "class 3")
    assert found.class_colors == ((255, 0, 0), (0, 128, 0), (9, 9, 255))
    assert found.notes == ("Classes of l.png are the indices of its palette, in its colors.",)


def test_names_for_a_palette(tmp_path):
    path = palette(tmp_path / "l.png")
    found = read(path, classes=legend(tmp_path, "1,soil\n2,tree\n3,road\n"))
    assert found.class_names == ("soil", "tree", "road")
    assert found.class_colors[0] == (255, 0, 0)
    assert read(path, classes=legend(tmp_path)).class_names == ("soil", "tree", "road")
    # Other colors than the picture's are wishes for the maps.
    other = read(path, classes=legend(tmp_path, "1,soil,#010101\n2,tree,#020202\n3,road,#030303"))
    assert other.class_colors == ((1, 1, 1), (2, 2, 2), (3, 3, 3))
    np.testing.assert_array_equal(other.labels, TRUTH)


def test_a_palette_in_another_order_than_the_legend(tmp_path):
    """Tools that reduce colors number a palette as they like."""
    path = palette(tmp_path / "l.png", TRUTH + 10, np.vstack([np.zeros((10, 3), np.uint8), COLORS]))
    found = read(path, classes=legend(tmp_path))
    np.testing.assert_array_equal(found.labels, TRUTH)
    assert found.notes[0] == "Classes of l.png are the colors of the legend."
    turned = palette(tmp_path / "m.png", TRUTH, COLORS[[0, 2, 1, 3]])
    with pytest.raises(DataError, match=r"read in two ways.*leave the colors out"):
        read(turned, classes=legend(tmp_path))


def test_transparent_pixels_are_unlabelled(tmp_path):
    path = palette(tmp_path / "l.png", transparency=2)
    np.testing.assert_array_equal(read(path).labels, [[0, 1, 0], [2, 1, 0]])
    rgba = np.dstack([COLORS[TRUTH], np.where(TRUTH == 2, 0, 255).astype(np.uint8)])
    Image.fromarray(rgba, "RGBA").save(tmp_path / "m.png")
    found = read(tmp_path / "m.png", classes=legend(tmp_path))
    np.testing.assert_array_equal(found.labels, np.where(TRUTH == 2, 0, TRUTH))
    assert found.notes[1] == (
        "1 pixel of m.png has colors that are not in the legend (#000000): unlabelled."
    )


def test_colors_need_a_legend(tmp_path):
    Image.fromarray(COLORS[TRUTH], "RGB").save(tmp_path / "l.png")
    words = r"no legend.*received: #008000, #ff0000, #000000, #0909ff; .*number,name,#rrggbb"
    with pytest.raises(InputError, match=words):
        read(tmp_path / "l.png")
    with pytest.raises(InputError, match="no legend"):
        read(tmp_path / "l.png", classes=legend(tmp_path, "1,soil\n2,tree\n"))
    found = read(tmp_path / "l.png", classes=legend(tmp_path))
    np.testing.assert_array_equal(found.labels, TRUTH)
    assert found.class_names == ("soil", "tree", "road")
    with pytest.raises(DataError, match=r"no color of .* is in the legend"):
        read(tmp_path / "l.png", classes=legend(tmp_path, "1,a,#010101\n2,b,#020202\n"))
    with pytest.raises(DataError, match="same color"):
        read(tmp_path / "l.png", classes=legend(tmp_path, "1,a,#ff0000\n2,b,#ff0000\n"))


def test_colors_of_a_geotiff(tmp_path):
    path = tmp_path / "l.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=2, width=3, count=3, dtype="uint8"
    ) as file:
        file.write(np.moveaxis(COLORS[TRUTH], -1, 0))
    np.testing.assert_array_equal(read(path, classes=legend(tmp_path)).labels, TRUTH)
    with pytest.raises(DataError, match=r"no.* label map.*legend of its colors"):
        read(path)


def test_gray_levels_are_numbers(tmp_path):
    Image.fromarray(TRUTH, "L").save(tmp_path / "l.png")
    np.testing.assert_array_equal(read(tmp_path / "l.png").labels, TRUTH)
    Image.fromarray(np.where(TRUTH == 0, 255, TRUTH).astype(np.uint8), "L").save(tmp_path / "m.png")
    with pytest.raises(DataError, match=r"read in two ways.*255"):
        read(tmp_path / "m.png")
    Image.fromarray(TRUTH.astype(np.uint16) * 100).save(tmp_path / "n.png")
    assert read(tmp_path / "n.png").class_names == ("class 100", "class 200", "class 300")
    Image.fromarray(TRUTH == 1).save(tmp_path / "o.png")
    np.testing.assert_array_equal(read(tmp_path / "o.png").labels, TRUTH == 1)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_picture_larger_than_the_cube_is_not_decoded(tmp_path):
    """A hundred bytes that claim to be 4,000 million pixels."""
    head = struct.pack(">IIBBBBB", 65000, 65000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    (tmp_path / "l.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(DataError, match=r"another size|cannot be read as a PNG"):
        read(tmp_path / "l.png")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"P5 3 2 255\n" + bytes(6)])
def test_other_bytes_are_no_picture(tmp_path, content):
    (tmp_path / "l.png").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as a PNG"):
        read(tmp_path / "l.png")
