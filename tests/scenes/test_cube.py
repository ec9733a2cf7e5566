"""Which pixels of a cube have data, and which bands networks take."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

from hsitf.data import read_scene
from hsitf.errors import DataError, InputError
from hsitf.records import SceneChoice
from hsitf.scenes import open_raster
from hsitf.scenes.cube import prepare_cube
from hsitf.scenes.metadata import RasterOptions, parse_axes, read_wavelengths
from hsitf.scenes.readers import open_array

CUBE = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5) + 1


def written(path, cube=CUBE, **header):
    """An ENVI pair, interleaved by pixel."""
    rows, cols, bands = cube.shape
    fields = "".join(f"{name.replace('_', ' ')} = {value}\n" for name, value in header.items())
    path.with_suffix(".hdr").write_text(
        f"ENVI\nsamples = {cols}\nlines = {rows}\nbands = {bands}\ndata type = 4\n"
        f"interleave = bip\nbyte order = 0\n{fields}"
    )
    cube.astype("<f4").tofile(path.with_suffix(".img"))
    return path.with_suffix(".hdr")


def test_pixels_without_data_are_nan_in_all_bands(tmp_path):
    cube = CUBE.copy()
    cube[0, 0] = -9999
    cube[1, 2, 3] = -9999
    cube[2, 3, 0] = np.inf
    path = written(tmp_path / "c", cube, data_ignore_value=-9999)
    scene = read_scene(SceneChoice(str(path)))
    missing = np.isnan(scene.cube).all(axis=2)
    assert np.argwhere(missing).tolist() == [[0, 0], [1, 2], [2, 3]]
    assert np.array_equal(~missing, scene.valid)
    np.testing.assert_array_equal(scene.cube[scene.valid], CUBE[scene.valid])
    assert scene.notes == ("3 of 12 pixels (25.0%) have no data.",)
    # What is classified from disk is the same.
    np.testing.assert_array_equal(open_raster(str(path)).read(0, 3), scene.cube)


def test_the_users_value_overrules_the_file(tmp_path):
    path = written(tmp_path / "c", data_ignore_value=1)
    scene = read_scene(SceneChoice(str(path), nodata=7))
    assert np.argwhere(~scene.valid).tolist() == [[0, 1]]


def test_bands_that_the_file_calls_bad_or_that_hold_no_data(tmp_path):
    cube = CUBE.copy()
    cube[:, :, 4] = -1
    path = written(tmp_path / "c", cube, data_ignore_value=-1, bbl="{1,0,1,1,1}")
    scene = read_scene(SceneChoice(str(path)))
    assert scene.band_numbers == (0, 2, 3)
    np.testing.assert_array_equal(scene.cube, CUBE[:, :, [0, 2, 3]])
    assert scene.notes == (
        "Left out band 2, which the file calls bad.",
        "Left out band 5, which holds no data.",
    )
    kept = read_scene(SceneChoice(str(path), all_bands=True))
    assert kept.band_numbers == (0, 1, 2, 3)


def test_overlapping_detectors_are_sorted(tmp_path):
    path = written(
        tmp_path / "c", wavelength="{400, 950, 1000, 940, 1100}", wavelength_units="Nanometers"
    )
    scene = read_scene(SceneChoice(str(path)))
    assert scene.band_numbers == (0, 3, 1, 2, 4)
    assert scene.wavelengths.tolist() == [400, 940, 950, 1000, 1100]
    np.testing.assert_array_equal(scene.cube, CUBE[:, :, [0, 3, 1, 2, 4]])


def test_the_bands_of_a_run_are_taken_again(tmp_path):
    path = written(tmp_path / "c")
    found = open_raster(str(path), band_numbers=(3, 1), source_bands=5)
    np.testing.assert_array_equal(found.read(0, 3), CUBE[:, :, [3, 1]])


def test_a_fill_value_of_another_precision_is_found(tmp_path):
    """-9999.9 in float32 is another number than in float64."""
    cube = CUBE.copy()
    cube[0, 0] = np.float32(-9999.9)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["cube"] = cube
        file["cube"].attrs["_FillValue"] = -9999.9
    assert np.argwhere(~read_scene(SceneChoice(str(tmp_path / "c.h5"))).valid).tolist() == [[0, 0]]


def test_wavelengths_of_a_file_of_their_own(tmp_path):
    (tmp_path / "w.txt").write_text("# um\n0.4, 0.5\n0.6 0.7;0.8\n")
    np.testing.assert_allclose(read_wavelengths(tmp_path / "w.txt"), [400, 500, 600, 700, 800])
    np.save(tmp_path / "c.npy", CUBE)
    choice = SceneChoice(str(tmp_path / "c.npy"), wavelengths=str(tmp_path / "w.txt"))
    assert read_scene(choice).wavelengths.tolist() == pytest.approx([400, 500, 600, 700, 800])
    (tmp_path / "w.txt").write_text("400 500")
    with pytest.raises(InputError, match="2 wavelengths, 5 bands"):
        read_scene(choice)
    (tmp_path / "w.txt").write_text("400 red")
    with pytest.raises(DataError, match="does not hold wavelengths"):
        read_scene(choice)


def test_what_is_no_cube(tmp_path):
    np.save(tmp_path / "m.npy", CUBE[0])
    with pytest.raises(DataError, match="holds no cube"):
        prepare_cube(open_array(tmp_path / "m.npy"), RasterOptions())
    np.save(tmp_path / "e.npy", np.full((3, 4, 5), np.nan))
    with pytest.raises(DataError, match=r"no band of .* has data"):
        prepare_cube(open_array(tmp_path / "e.npy"), RasterOptions())


@pytest.mark.parametrize("text", ["rows,cols", "rows,cols,cols", "x,y,z"])
def test_axes_that_are_no_cubes(text):
    with pytest.raises(InputError, match="not those of a cube"):
        parse_axes(text)


@pytest.mark.parametrize(
    ("centers", "overlap"),
    [
        ("{400, 950, 1000, 940, 1100}", True),
        ("{1100, 1000, 900, 500, 400}", False),
        ("{600, 500, 400, 1100, 1000}", False),
        ("{600, 500, 400, 900, 550}", True),
        ("{400, 700, 800, 900, 550}", False),
    ],
)
def test_the_note_of_the_order_names_detectors_only_where_they_overlap(tmp_path, centers, overlap):
    path = written(tmp_path / "c", wavelength=centers, wavelength_units="Nanometers")
    notes = prepare_cube(open_array(path), RasterOptions()).notes
    expected = (
        "Put overlapping detectors' bands into the order of wavelength."
        if overlap
        else "Put bands into the order of wavelength."
    )
    assert notes == (expected,)


@pytest.mark.parametrize("name", ["wavelengths", "fwhm", "good_bands", "scale", "offset"])
def test_what_a_file_says_of_its_bands_has_one_entry_a_band(tmp_path, name):
    file = open_array(written(tmp_path / "c"))
    facts = replace(file.metadata, **{name: np.ones(4)})
    with pytest.raises(DataError, match=rf"{name.replace('_', ' ')}.*4.*5"):
        prepare_cube(replace(file, metadata=facts), RasterOptions())
    facts = replace(file.metadata, **{name: np.ones(5, bool if name == "good_bands" else float)})
    assert prepare_cube(replace(file, metadata=facts), RasterOptions()).shape == (3, 4, 5)
