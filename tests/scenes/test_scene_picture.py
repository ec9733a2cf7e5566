"""What `scenes show` draws and prints, on scenes whose values are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from hsitf.commands.scenes import app
from hsitf.errors import HsitfError
from hsitf.scenes.count_table import count_table
from hsitf.scenes.describe import format_scene
from hsitf.scenes.picture import draw_scene, painted
from hsitf.scenes.rgb import gray_picture, rgb_caption, rgb_picture
from hsitf.scenes.scene import Scene
from hsitf.scenes.spectra import class_spectra, physical, value_label
from hsitf.scenes.splits import Split


def scene(**changed: object) -> Scene:
    """2 x 3 pixels, 3 bands; the last pixel has no data, the one before it is unlabelled."""
    cube = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    cube[1, 2] = np.nan
    labels = np.array([[1, 1, 2], [2, 0, 0]], np.int32)
    plain = Scene("s", cube, labels, ("a", "b"), np.array([450.0, 550, 650]), (2, 1, 0))
    return replace(plain, **changed)


def some_split() -> Split:
    train, validation, test = (np.array(pixels, np.int64) for pixels in ([0, 3], [1], [2]))
    return Split("random", train, validation, test, 0, 0, (2, 3))


def test_the_picture_is_stretched_over_valid_pixels():
    pixels = rgb_picture(scene(cube=np.where(scene().valid[:, :, None], scene().cube, np.nan)))
    assert pixels.shape == (2, 3, 4)
    np.testing.assert_array_equal(pixels[1, 2], [0, 0, 0, 0])
    assert (pixels[..., 3].ravel()[:5] == 255).all()
    # Five valid values of each band, evenly spaced: the ends are black and white.
    np.testing.assert_array_equal(pixels[0, 0], [0, 0, 0, 255])
    np.testing.assert_array_equal(pixels[1, 1], [255, 255, 255, 255])
    np.testing.assert_array_equal(pixels[0, 2, :3], [128, 128, 128])
    gray = gray_picture(scene())
    assert gray[0, 0].tolist() == [120, 120, 120, 255]
    assert gray[1, 1].tolist() == [247, 247, 247, 255]
    assert gray[1, 2].tolist() == [0, 0, 0, 0]


def test_bands_of_the_picture_are_named():
    assert rgb_caption(scene()) == "650, 550, 450 nm as RGB"
    assert rgb_caption(scene(wavelengths=None)) == "bands 3, 2, 1 as RGB"


def test_classes_lie_over_the_scene():
    pixels = painted(scene(), scene().labels, [(1, 2, 3), (4, 5, 6)])
    assert pixels[0, 0].tolist() == [1, 2, 3, 255]
    assert pixels[1, 0].tolist() == [4, 5, 6, 255]
    assert pixels[1, 1].tolist() == gray_picture(scene())[1, 1].tolist()
    assert pixels[1, 2, 3] == 0


def test_spectra_of_classes_by_hand():
    found = class_spectra(scene())
    assert (found.numbers, found.names) == ((1, 2), ("a", "b"))
    # Class a has the pixels (0, 1, 2) and (3, 4, 5).
    np.testing.assert_allclose(found.mean[0], [1.5, 2.5, 3.5])
    np.testing.assert_allclose(found.low[0], [0.3, 1.3, 2.3])
    np.testing.assert_allclose(found.high[0], [2.7, 3.7, 4.7])
    bare = class_spectra(scene(labels=np.zeros((2, 3), np.int32)))
    assert (bare.numbers, bare.names) == ((0,), ("all pixels",))
    # The pixel without data is in no mean.
    np.testing.assert_allclose(bare.mean[0], [6, 7, 8])


def test_spectra_are_in_the_units_that_are_known():
    assert value_label(scene()) == "stored values"
    scaled = scene(scale=0.5, offset=1.0)
    np.testing.assert_allclose(class_spectra(scaled).mean[0], [1.75, 2.25, 2.75])
    assert value_label(scaled) == "physical units (stored values x 0.5 +1)"
    by_band = scene(scale=np.array([1.0, 2, 3]))
    np.testing.assert_allclose(physical(by_band, np.ones(3)), [1, 2, 3])
    assert value_label(by_band) == "physical units (stored values, scaled by band)"


def test_pixels_are_counted_by_class_and_set():
    table = count_table(scene(), some_split())
    assert table.head == ("class", "labelled", "training", "validation", "test")
    assert table.rows == (
        ("a", "2", "1", "1", "0"),
        ("b", "2", "1", "0", "1"),
        ("all", "4", "2", "1", "1"),
    )
    assert count_table(scene(), None).rows[0] == ("a", "2")
    lines = format_scene(scene(), some_split()).splitlines()
    assert lines[2].split() == [
        "label",
        "class",
        "pixels",
        "share",
        "training",
        "validation",
        "test",
    ]
    assert lines[5].split() == ["1", "a", "2", "33.3%", "1", "1", "0"]
    assert "training" not in format_scene(scene())


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_every_scene_can_be_drawn(tiny, tmp_path, suffix):
    many = replace(
        tiny,
        class_names=tuple(f"a class of ${number} with a long name" for number in range(12)),
        wavelengths=None,
    )
    cases = (scene(), some_split()), (tiny, None), (many, None)
    bare = replace(tiny, labels=np.zeros_like(tiny.labels), class_names=())
    for number, (one, parts) in enumerate((*cases, (bare, None))):
        path = tmp_path / f"{number}{suffix}"
        draw_scene(one, parts, path)
        assert path.stat().st_size > 10_000


def test_pixels_without_data_stay_white(tmp_path):
    cube = np.full((30, 30, 3), 5, np.float32)
    cube[:, :15] = np.nan
    labels = np.zeros((30, 30), np.int32)
    draw_scene(
        scene(cube=cube, labels=labels, class_names=(), wavelengths=None), None, tmp_path / "a.png"
    )
    drawn = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    # A constant half is black, the half without data is paper; it is neither gray nor striped.
    rows = drawn[400:500]
    assert ((rows == 0).all(axis=2)).any()
    assert ((rows == 255).all(axis=2)).mean() > 0.5


# --- the verb --------------------------------------------------------------------------------


@pytest.fixture
def show(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("tiny.npy", tiny.cube)
    np.save("labels.npy", tiny.labels)

    def typed(*words: str) -> str:
        done = CliRunner().invoke(app, ["show", *words])
        if isinstance(done.exception, HsitfError):
            raise done.exception
        assert done.exception is None, done.exception
        return done.stdout

    return typed


def test_a_look_before_training(show, tmp_path):
    told = show("tiny.npy", "--labels", "labels.npy", "--out", "a.png", "--patch", "3")
    assert "training  validation  test" in told
    assert "Wrote a.png." in told
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(HsitfError, match=r"a\.png exists already.*--overwrite"):
        show("tiny.npy", "--out", "a.png")
    assert (tmp_path / "a.png").read_bytes() == before
    show("tiny.npy", "--out", "a.png", "--overwrite")
    assert (tmp_path / "a.png").read_bytes() != before
    assert not list(tmp_path.glob(".*part"))
    with pytest.raises(HsitfError, match=r"allowed: \.png, \.svg, \.pdf"):
        show("tiny.npy", "--out", "a.jpg")


def test_a_scene_without_labels_is_shown_too(show, tmp_path):
    told = show("tiny.npy", "--out", "a.svg")
    assert "training" not in told
    assert "<svg" in (tmp_path / "a.svg").read_text()


def test_what_cannot_be_split_is_shown_with_the_reason(show, tmp_path):
    labels = np.zeros((40, 40), np.int32)
    labels[3, 3], labels[20:, :] = 1, 2
    np.save("labels.npy", labels)
    told = show(
        *("tiny.npy", "--labels", "labels.npy", "--out", "a.png"),
        *("--split", "random", "--train", "0.5"),
    )
    assert "No split is shown: " in told
    assert (tmp_path / "a.png").is_file()


def test_classes_can_be_left_out_of_the_look(show):
    told = show("tiny.npy", "--labels", "labels.npy", "--drop-class", "class 2", "--out", "a.png")
    assert "class 2" not in told
    assert "class 3" in told
