"""Sensors' products: tiny files of their published layouts, read as a user gives them."""

from __future__ import annotations

import h5py
import numpy as np
import product_files
import pytest
from product_files import COLS, ROWS, WRITERS

from hsitf.data import describe_scene, read_scene
from hsitf.errors import DataError, InputError
from hsitf.records import SceneChoice
from hsitf.scenes import open_raster
from hsitf.scenes.cube import prepare_cube
from hsitf.scenes.metadata import RasterOptions
from hsitf.scenes.products.hyperion import band_centers
from hsitf.scenes.readers import open_array

AS_IT_IS = RasterOptions()


def kind_of_place(place):
    if place.lookup is not None:
        return "GLT"
    return "GCPs" if place.gcps else "affine" if place.transform else ""


@pytest.mark.parametrize("writer", WRITERS, ids=lambda one: one.__name__)
def test_every_product_is_recognized_and_read_as_it_is_stored(tmp_path, writer):
    written = writer(tmp_path)
    file = open_array(written.path)
    assert file.metadata.product == written.product
    assert file.shape == written.stored.shape
    assert file.dtype == written.stored.dtype
    np.testing.assert_array_equal(file.read(0, ROWS), written.stored)
    np.testing.assert_array_equal(file.read(2, 5), written.stored[2:5])
    np.testing.assert_allclose(file.wavelengths, written.wavelengths)
    cube = prepare_cube(file, AS_IT_IS)
    assert file.shape[2] - cube.shape[2] == written.dropped
    assert (np.diff(cube.wavelengths) >= 0).all()
    missing = np.isnan(cube.read(0, ROWS)).all(axis=2)
    assert np.count_nonzero(missing) == written.masked
    assert kind_of_place(cube.georeference) == written.place
    assert cube.notes[0] == f"Read as {written.product}."
    # Row by row, what is classified from disk is the same.
    source = open_raster(str(written.path))
    rows = np.concatenate([source.read(row, row + 1) for row in range(ROWS)])
    np.testing.assert_array_equal(rows, cube.read(0, ROWS))


@pytest.mark.parametrize("writer", WRITERS, ids=lambda one: one.__name__)
def test_places_are_those_of_the_product(tmp_path, writer):
    written = writer(tmp_path)
    place = open_array(written.path).metadata.georeference
    if place.gcps:
        lat, lon = product_files.coordinates()
        row, col, x, y, _ = place.gcps[-1]
        assert (row, col) == (ROWS - 0.5, COLS - 0.5)
        assert (x, y) == (float(lon[-1, -1]), float(lat[-1, -1]))
    elif place.transform and "L3" not in written.product:
        np.testing.assert_allclose(place.transform, product_files.PLACE)
        assert "33N" in place.crs


def test_prisma_joins_detectors_from_short_to_long_wavelengths(tmp_path):
    written = product_files.prisma(tmp_path)
    cube = prepare_cube(open_array(written.path), AS_IT_IS)
    assert cube.wavelengths.tolist() == [450, 650, 800, 950, 980, 1200, 1700, 2400]
    assert cube.band_numbers.tolist() == [0, 1, 2, 7, 3, 8, 9, 10]
    # Reflectance of VNIR is DN / 65535, of SWIR 1.5 times that.
    np.testing.assert_allclose(cube.scale * 65535, [1, 1, 1, 1.5, 1, 1.5, 1.5, 1.5], rtol=1e-6)
    assert cube.offset == 0
    assert cube.fwhm.tolist() == [10] * 8
    missing = np.isnan(cube.read(0, ROWS)[:, :, 0])
    # Outside the image, and a value that is invalid in L1.
    assert np.argwhere(missing).tolist() == [[0, 0], [2, 3]]
    # What was not transmitted is not there, whoever asks for it.
    every = prepare_cube(open_array(written.path), RasterOptions(all_bands=True))
    assert every.shape == cube.shape


def test_prisma_l1_is_radiance_with_control_points(tmp_path):
    cube = prepare_cube(open_array(product_files.prisma_l1(tmp_path).path), AS_IT_IS)
    assert cube.scale == pytest.approx(0.01)
    # A value of lower accuracy is used, a defective one is not.
    assert np.argwhere(np.isnan(cube.read(0, ROWS)[:, :, 0])).tolist() == [[0, 0], [2, 3]]
    assert len(cube.georeference.gcps) == ROWS * COLS


def test_prisma_by_the_names_of_its_parts(tmp_path):
    written = product_files.prisma(tmp_path)
    vnir = open_array(written.path, "VNIR_Cube")
    np.testing.assert_array_equal(vnir.read(0, ROWS), written.stored[:, :, :6])
    assert vnir.wavelengths.tolist() == [450, 650, 800, 980, 0, 0]
    assert "Only the cube of VNIR was read." in vnir.metadata.notes
    assert open_array(written.path, "PRS_L2D_HCO").shape == written.stored.shape
    raw = open_array(written.path, "VNIR_Cube", ("rows", "bands", "cols"))
    np.testing.assert_array_equal(raw.read(0, ROWS)[:, :, ::-1], written.stored[:, :, :6])
    # Another dataset is that of the format.
    with pytest.raises(DataError, match="PRISMA"):
        open_array(written.path, "VNIR_PIXEL_L2_ERR_MATRIX")


def test_prisma_bands_that_are_flagged_widely_are_left_out(tmp_path):
    written = product_files.prisma(tmp_path)
    name = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/SWIR_PIXEL_L2_ERR_MATRIX"
    with h5py.File(written.path, "r+") as file:
        # Negative after atmospheric correction, in half of the band at 1700 nm.
        file[name][:3, 1, :] = 2
    cube = prepare_cube(open_array(written.path), AS_IT_IS)
    assert 1700 not in cube.wavelengths
    assert np.count_nonzero(np.isnan(cube.read(0, ROWS)[:, :, 0])) == 2
    assert any("flags in more than 10% of the pixels" in note for note in cube.notes)
    every = prepare_cube(open_array(written.path), RasterOptions(all_bands=True))
    assert 1700 in every.wavelengths
    assert np.count_nonzero(np.isnan(every.read(0, ROWS)[:, :, 0])) == 15


def test_prisma_with_its_map_the_other_way_round_has_two_readings(tmp_path):
    written = product_files.prisma(tmp_path)
    with h5py.File(written.path, "r+") as file:
        file.attrs["Product_LRcorner_easting"] = 600015.0 + 30 * (ROWS - 1)
        file.attrs["Product_LRcorner_northing"] = 5199985.0 - 30 * (COLS - 1)
    with pytest.raises(InputError, match=r"two ways.*\(rows, bands, cols\).*\(cols, bands, rows\)"):
        open_array(written.path)
    with h5py.File(written.path, "r+") as file:
        file.attrs["Product_LRcorner_easting"] = 700000.0
    found = open_array(written.path).metadata
    assert not found.georeference
    assert any("The place is not kept" in note for note in found.notes)


def test_prisma_corners_at_the_edges_of_pixels(tmp_path):
    written = product_files.prisma(tmp_path)
    with h5py.File(written.path, "r+") as file:
        file.attrs["Product_ULcorner_easting"] = 600000.0
        file.attrs["Product_ULcorner_northing"] = 5200000.0
        file.attrs["Product_LRcorner_easting"] = 600000.0 + 30 * COLS
        file.attrs["Product_LRcorner_northing"] = 5200000.0 - 30 * ROWS
    place = open_array(written.path).metadata.georeference
    assert place.transform == product_files.PLACE


def test_emit_holds_the_lookup_of_its_map(tmp_path):
    place = open_array(product_files.emit(tmp_path).path).metadata.georeference
    table = place.lookup
    assert table.shape == (4, 7)
    np.testing.assert_allclose(table.transform, (0.0005, 0, -62.5, 0, -0.0005, -39.3))
    found = table.read(0, 4)
    # Col 0 and col 6 have no pixel; a negative number is that of the nearest.
    assert found[0].tolist() == [[-1, -1], *([0, col] for col in range(5)), [-1, -1]]
    assert found[1, 2].tolist() == [1, 1]
    np.testing.assert_array_equal(table.read(2, 3), found[2:3])


def test_two_cubes_in_a_file_are_named(tmp_path):
    written = product_files.emit(tmp_path)
    with h5py.File(written.path, "r+") as file:
        file["radiance"] = np.ones((ROWS, COLS, 5), np.float32)
    with pytest.raises(InputError, match="reflectance or radiance"):
        open_array(written.path)
    assert open_array(written.path, "radiance").metadata.product == "EMIT L1B radiance"


def test_enmap_by_its_metadata(tmp_path):
    written = product_files.enmap(tmp_path)
    (metadata,) = tmp_path.glob("*METADATA.XML")
    file = open_array(metadata)
    np.testing.assert_array_equal(file.read(0, ROWS), written.stored)
    cube = prepare_cube(file, AS_IT_IS)
    assert cube.scale == 0.0001
    assert cube.fwhm.tolist() == [8.5] * 5
    assert [one.suffix for one in file.files] == [".XML", ".TIF"]


def test_images_and_metadata_that_do_not_belong_together(tmp_path):
    product_files.enmap(tmp_path)
    (metadata,) = tmp_path.glob("*METADATA.XML")
    text = metadata.read_text()
    metadata.write_text(text.replace('<bandID number="6">', '<bandID number="7">'))
    with pytest.raises(DataError, match="does not describe bands 1 to 6"):
        open_array(metadata)
    cut = text.index('<bandID number="6">')
    metadata.write_text(text[:cut] + "</bandCharacterisation></specific></level_X>")
    with pytest.raises(DataError, match="6 bands, 5 of them in"):
        open_array(metadata)
    metadata.write_text(text.replace("<level_X>", "<!DOCTYPE a [<!ENTITY b 'c'>]><level_X>"))
    with pytest.raises(DataError, match="defines entities"):
        open_array(metadata)
    metadata.write_text(text)
    (image,) = tmp_path.glob("*.TIF")
    image.rename(image.with_name(image.name.replace("SPECTRAL_IMAGE", "SPECTRAL_IMAGE_VNIR")))
    with pytest.raises(DataError, match="EnMAP L1B"):
        open_array(tmp_path / image.name.replace("SPECTRAL_IMAGE", "SPECTRAL_IMAGE_VNIR"))


def test_hyperion_counts_become_radiance_by_its_scaling(tmp_path):
    written = product_files.hyperion(tmp_path)
    cube = prepare_cube(open_array(written.path), AS_IT_IS)
    np.testing.assert_allclose(cube.scale, [1 / 40, 1 / 80, 1 / 40])
    assert cube.wavelengths.tolist() == [752.42, 912.45, 925.4]
    by_band = open_array(tmp_path / "EO1H1150662006130110PY_B040_L1T.TIF")
    assert by_band.shape == (ROWS, COLS, 4)
    # The published list of spectral coverage, in nm.
    published = {1: 355.59, 8: 426.82, 57: 925.41, 70: 1057.68, 71: 851.92, 77: 912.45}
    published |= {150: 1648.90, 200: 2153.34, 224: 2395.50, 242: 2577.08}
    np.testing.assert_allclose(band_centers(list(published)), list(published.values()), atol=0.1)


def test_what_no_library_reads_is_refused_by_name(tmp_path):
    hdf4 = tmp_path / "EO1H1150662006130110PY.L1R"
    hdf4.write_bytes(b"\x0e\x03\x13\x01" + bytes(64))
    with pytest.raises(InputError, match=r"HDF4.*L1T.*gdal_translate"):
        open_array(hdf4)
    session = tmp_path / "session.cu3s"
    session.write_bytes(b"x")
    with pytest.raises(InputError, match="export the measurement as ENVI"):
        open_array(session)
    with h5py.File(tmp_path / "neon.h5", "w") as file:
        for part in ("Integer", "Decimal"):
            file[f"SJER/Radiance/Radiance{part}Part"] = np.zeros((2, 2, 3), np.uint16)
    with pytest.raises(DataError, match="split into integer and decimal parts"):
        open_array(tmp_path / "neon.h5")


def test_neon_leaves_out_windows_of_water_vapor_unless_asked(tmp_path):
    written = product_files.neon(tmp_path)
    cube = prepare_cube(open_array(written.path), AS_IT_IS)
    assert cube.wavelengths.tolist() == [400, 650, 860, 2200]
    assert cube.scale == 0.0001
    assert prepare_cube(open_array(written.path), RasterOptions(all_bands=True)).shape[2] == 6
    assert open_array(written.path, "Slope").shape == (ROWS, COLS)


def test_hypso_in_its_other_forms(tmp_path):
    cube = product_files.spectra(2)
    with h5py.File(tmp_path / "bands.nc", "w") as file:
        for name, wave, band in (("Lt_700", 700.4, 1), ("Lt_400", 400.1, 0)):
            file[f"products/{name}"] = cube[:, :, band]
            file[f"products/{name}"].attrs["wave"] = wave
        file.create_group("metadata/capture_config")
    found = open_array(tmp_path / "bands.nc")
    np.testing.assert_array_equal(found.read(0, ROWS), cube)
    assert found.wavelengths.tolist() == [400.1, 700.4]
    with h5py.File(tmp_path / "l1a.nc", "w") as file:
        file["products/Lt"] = product_files.counts(4)
        file.create_group("metadata/capture_config")
    found = open_array(tmp_path / "l1a.nc")
    assert found.metadata.product == "HYPSO counts (L1A)"
    assert found.wavelengths is None
    assert "--wavelengths FILE" in found.metadata.notes[0]


def test_pace_by_detector_and_with_several_variables(tmp_path):
    written = product_files.pace(tmp_path)
    red = open_array(written.path, "rhot_red")
    np.testing.assert_array_equal(red.read(0, ROWS), written.stored[:, :, 3:6])
    assert red.wavelengths.tolist() == [600, 700, 860]
    level2 = product_files.pace_l2(tmp_path)
    cube = prepare_cube(open_array(level2.path), AS_IT_IS)
    assert (cube.scale, cube.offset) == pytest.approx((2e-5, 0.6))
    with h5py.File(level2.path, "r+") as file:
        file["geophysical_data/Rrs"] = np.ones((ROWS, COLS, 3), np.float32)
    with pytest.raises(InputError, match="Rrs, rhos"):
        open_array(level2.path)
    with h5py.File(level2.path, "r+") as file:
        file.attrs["instrument"] = "MODIS"
    assert open_array(level2.path, "rhos").metadata.product == ""
    level3 = open_array(product_files.pace_l3(tmp_path).path).metadata.georeference
    np.testing.assert_allclose(level3.transform, (0.5, 0, 19.75, 0, -0.5, 10.25))


def test_an_image_beside_an_envi_header_of_the_same_stem_is_no_envi_data(tmp_path):
    product_files.headwall(tmp_path)
    (tmp_path / "raw_0.png").write_bytes(b"no raw numbers")
    with pytest.raises(InputError, match="suffix that no reader is known for"):
        open_array(tmp_path / "raw_0.png")


def test_scenes_and_records_hold_what_the_product_says(tmp_path):
    scene = read_scene(SceneChoice(str(product_files.prisma(tmp_path).path)))
    assert scene.product == "PRISMA L2D"
    assert scene.fwhm.tolist() == [10] * 8
    record = describe_scene(scene)
    assert record.product == "PRISMA L2D"
    np.testing.assert_allclose(record.scale, scene.scale)
    assert record.offset == ()
    assert record.fwhm == (10.0,) * 8
    scene = read_scene(SceneChoice(str(product_files.neon(tmp_path).path)))
    assert scene.scale == 0.0001
    assert describe_scene(scene).scale == (0.0001,)


def test_a_users_value_overrules_the_background_of_a_product(tmp_path):
    written = product_files.hyperion(tmp_path)
    with_value = prepare_cube(open_array(written.path), RasterOptions(nodata=-1))
    assert np.isfinite(with_value.read(0, ROWS)).all()


def test_opening_reads_a_few_rows_of_a_large_product(tmp_path):
    """91 GB that were never written: reading the cube would take minutes and all memory."""
    path = tmp_path / "large.nc"
    with h5py.File(path, "w") as file:
        file.create_dataset("reflectance", (400_000, 200, 285), np.float32, chunks=(64, 50, 285))
        file["sensor_band_parameters/wavelengths"] = np.linspace(380, 2500, 285)
        file["location/glt_x"] = np.zeros((2, 2), np.int32)
    source = open_raster(str(path))
    assert source.shape == (400_000, 200, 285)
    assert not source.read(399_990, 400_000).any()
