"""Products and plain HDF5 whose tables, units or scales are damaged or missing."""

from __future__ import annotations

import h5py
import numpy as np
import product_files
import pytest
from product_files import COLS, ROWS
from scipy.io import netcdf_file

from hsitf.errors import DataError, InputError
from hsitf.scenes.cube import prepare_cube
from hsitf.scenes.metadata import RasterOptions
from hsitf.scenes.readers import open_array

SWATH = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"


def changed(written, change):
    """The product after `change(file)`."""
    with h5py.File(written.path, "r+") as file:
        change(file)
    return written.path


def stored_as(name, values, **attributes):
    """A change that replaces a dataset; None removes it."""

    def change(file):
        if name in file:
            del file[name]
        if values is not None:
            file[name] = values
            file[name].attrs.update(attributes)

    return change


@pytest.mark.parametrize("broken", [np.nan, 0.0, -1.0, np.inf, None])
def test_prisma_without_the_scale_of_a_detector_has_none(tmp_path, broken):
    def change(file):
        if broken is None:
            del file.attrs["L2ScaleVnirMax"]
        else:
            file.attrs["L2ScaleVnirMax"] = np.float32(broken)

    path = changed(product_files.prisma(tmp_path), change)
    cube = prepare_cube(open_array(path), RasterOptions())
    assert (cube.scale, cube.offset) == (1.0, 0.0)
    assert any("scale" in note and "VNIR" in note and "SWIR" not in note for note in cube.notes)
    # SWIR alone has its own.
    swir = prepare_cube(open_array(path, "SWIR_Cube"), RasterOptions())
    assert swir.scale == pytest.approx(1.5 / 65535)
    assert not any("scale" in note for note in swir.notes)


@pytest.mark.parametrize("broken", [np.nan, 0.0, np.zeros(0)])
def test_prisma_l1_without_the_factor_of_a_detector_has_none(tmp_path, broken):
    written = product_files.prisma_l1(tmp_path)
    path = changed(written, lambda file: file.attrs.update({"ScaleFactor_Swir": broken}))
    cube = prepare_cube(open_array(path), RasterOptions())
    assert (cube.scale, cube.offset) == (1.0, 0.0)
    assert any("scale" in note and "SWIR" in note for note in cube.notes)


def test_an_offset_of_prisma_l1_is_not_guessed(tmp_path):
    """Readers subtract it or add it: the values stay counts, which a note says."""
    written = product_files.prisma_l1(tmp_path)
    path = changed(written, lambda file: file.attrs.update({"Offset_Vnir": np.float32(2)}))
    cube = prepare_cube(open_array(path), RasterOptions())
    assert (cube.scale, cube.offset) == (1.0, 0.0)
    assert any("could be added or subtracted" in note for note in cube.notes)


@pytest.mark.parametrize("unit", ["um", "micrometers", None])
def test_emit_in_micrometers(tmp_path, unit):
    written = product_files.emit(tmp_path)
    attributes = {} if unit is None else {"units": unit}
    bands = "sensor_band_parameters"

    def change(file):
        stored_as(f"{bands}/wavelengths", written.wavelengths / 1000, **attributes)(file)
        stored_as(f"{bands}/fwhm", np.full(5, 0.0085), **attributes)(file)

    found = open_array(changed(written, change)).metadata
    np.testing.assert_allclose(found.wavelengths, written.wavelengths, rtol=1e-6)
    np.testing.assert_allclose(found.fwhm, 8.5)


def test_widths_with_a_unit_of_their_own(tmp_path):
    path = changed(
        product_files.emit(tmp_path),
        stored_as("sensor_band_parameters/fwhm", np.full(5, 0.0085), units="um"),
    )
    np.testing.assert_allclose(open_array(path).metadata.fwhm, 8.5)


def test_a_unit_that_is_no_length_is_noted(tmp_path):
    written = product_files.emit(tmp_path)
    path = changed(
        written,
        stored_as("sensor_band_parameters/wavelengths", written.wavelengths, units="1/cm"),
    )
    found = open_array(path).metadata
    assert found.wavelengths is None
    assert found.fwhm is None
    assert any("1/cm" in note and "--wavelengths" in note for note in found.notes)


MICROMETERS = {
    product_files.aviris3: (["reflectance/wavelength"], "reflectance/fwhm"),
    product_files.neon: (
        ["SJER/Reflectance/Metadata/Spectral_Data/Wavelength"],
        "SJER/Reflectance/Metadata/Spectral_Data/FWHM",
    ),
    product_files.pace: (
        [f"sensor_band_parameters/{one}_wavelength" for one in ("blue", "red", "SWIR")],
        "",
    ),
    product_files.pace_l2: (["sensor_band_parameters/wavelength_3d"], ""),
    product_files.pace_l3: (["wavelength"], ""),
}


@pytest.mark.parametrize("writer", MICROMETERS, ids=lambda one: one.__name__)
def test_other_products_in_micrometers(tmp_path, writer):
    written = writer(tmp_path)
    centers, widths = MICROMETERS[writer]
    expected = open_array(written.path).metadata

    def change(file):
        for name in (*centers, widths):
            if name:
                stored_as(name, file[name][()] / 1000)(file)

    found = open_array(changed(written, change)).metadata
    np.testing.assert_allclose(found.wavelengths, written.wavelengths, rtol=1e-6)
    if widths:
        np.testing.assert_allclose(found.fwhm, expected.fwhm, rtol=1e-6)
    if expected.good_bands is not None:
        np.testing.assert_array_equal(found.good_bands, expected.good_bands)


def test_hypso_and_prisma_in_micrometers(tmp_path):
    written = product_files.hypso(tmp_path)

    def change(file):
        attributes = file["products/Lt"].attrs
        attributes["wavelengths"] = written.wavelengths / 1000
        attributes["fwhm"] = np.full(4, 0.0033)
        attributes["wavelength_units"] = "um"

    found = open_array(changed(written, change)).metadata
    np.testing.assert_allclose(found.wavelengths, written.wavelengths)
    np.testing.assert_allclose(found.fwhm, 3.3)
    path = changed(
        written, lambda file: file["products/Lt"].attrs.update({"wavelength_units": "1/cm"})
    )
    found = open_array(path).metadata
    assert found.product == "HYPSO radiance"
    assert found.wavelengths is None
    assert "1/cm" in found.notes[0]

    def prisma(file):
        for name in ("Vnir", "Swir"):
            for key in (f"List_Cw_{name}", f"List_Fwhm_{name}"):
                file.attrs[key] = file.attrs[key] / 1000

    written = product_files.prisma(tmp_path)
    found = open_array(changed(written, prisma)).metadata
    np.testing.assert_allclose(found.wavelengths, written.wavelengths, rtol=1e-6)
    np.testing.assert_allclose(found.fwhm.max(), 10, rtol=1e-6)


TABLES = {
    product_files.emit: ("location/glt_x", "location/glt_y"),
    product_files.aviris3_radiance: (
        "geolocation_lookup_table/sample",
        "geolocation_lookup_table/line",
    ),
}


@pytest.mark.parametrize("writer", TABLES, ids=lambda one: one.__name__)
def test_lookup_tables_are_checked_when_opened(tmp_path, writer):
    for number, name in enumerate(TABLES[writer]):
        (tmp_path / str(number)).mkdir()
        written = writer(tmp_path / str(number))
        for values in (np.zeros((4, 6), np.int32), np.zeros((0, 7), np.int32), np.int32(1)):
            path = changed(written, stored_as(name, values))
            with pytest.raises(DataError, match="lookup table") as caught:
                open_array(path)
            assert name in str(caught.value)
        path = changed(written, stored_as(name, None))
        found = open_array(path).metadata
        assert found.product == written.product
        assert found.georeference.lookup is None
        assert found.georeference.transform is None
        assert any("lookup table" in note and name in note for note in found.notes)


def test_an_empty_pair_of_tables(tmp_path):
    def change(file):
        for name in TABLES[product_files.emit]:
            stored_as(name, np.zeros((0, 0), np.int32))(file)

    with pytest.raises(DataError, match="lookup table"):
        open_array(changed(product_files.emit(tmp_path), change))


def test_emit_good_wavelengths_of_another_length(tmp_path):
    path = changed(
        product_files.emit(tmp_path),
        stored_as("sensor_band_parameters/good_wavelengths", np.ones(4, np.float32)),
    )
    with pytest.raises(DataError, match=r"good bands.*4.*5"):
        prepare_cube(open_array(path), RasterOptions())


def test_prisma_with_parts_of_other_kinds(tmp_path):
    def errors(file):
        name = f"{SWATH}/VNIR_PIXEL_L2_ERR_MATRIX"
        shape = file[name].shape
        del file[name]
        file.create_dataset(name, shape, h5py.string_dtype())

    path = changed(product_files.prisma(tmp_path), errors)
    assert "Without error codes, all values count as good." in open_array(path).metadata.notes

    def corner(file):
        file.attrs["Product_ULcorner_easting"] = np.nan

    found = open_array(changed(product_files.prisma(tmp_path), corner)).metadata
    assert not found.georeference
    assert any("corner" in note and "no number" in note for note in found.notes)

    def group(file):
        del file[f"{SWATH}/VNIR_Cube"]
        file.create_group(f"{SWATH}/VNIR_Cube")

    path = changed(product_files.prisma(tmp_path), group)
    assert "Only the cube of SWIR was read." in open_array(path).metadata.notes


@pytest.mark.parametrize(
    ("writer", "name"),
    [
        (product_files.emit, "reflectance"),
        (product_files.aviris3, "reflectance/reflectance"),
        (product_files.neon, "SJER/Reflectance/Reflectance_Data"),
        (product_files.hypso, "products/Lt"),
        (product_files.pace, "observation_data/rhot_blue"),
        (product_files.prisma, f"{SWATH}/VNIR_Cube"),
        (product_files.emit, "sensor_band_parameters/wavelengths"),
        (product_files.emit, "sensor_band_parameters/fwhm"),
        (product_files.emit, "sensor_band_parameters/good_wavelengths"),
        (product_files.aviris3, "reflectance/wavelength"),
        (product_files.pace, "sensor_band_parameters/red_wavelength"),
        (product_files.neon, "SJER/Reflectance/Metadata/Spectral_Data/Wavelength"),
    ],
)
def test_a_group_where_a_cube_is_expected(tmp_path, writer, name):
    def change(file):
        del file[name]
        file.create_group(name)

    path = changed(writer(tmp_path), change)
    for variable in (None, name):
        assert "attribute" not in said_of(path, variable)


def said_of(path, variable):
    """The message of opening a file; empty where it is opened."""
    try:
        open_array(path, variable)
    except (DataError, InputError) as error:
        return str(error)
    return ""


def test_axes_taken_by_the_number_of_wavelengths_are_noted(tmp_path):
    path = tmp_path / "c.h5"
    cube = np.ones((ROWS, 3, COLS), np.float32)
    with h5py.File(path, "w") as file:
        file["cube"], file["wavelength"] = cube, [400.0, 500.0, 600.0]
    assert open_array(path).metadata.notes == ("Axes taken as rows, bands, cols: 3 wavelengths.",)
    with h5py.File(path, "r+") as file:
        del file["cube"]
        file["cube"] = cube.transpose(1, 0, 2)
    assert "bands, rows, cols" in open_array(path).metadata.notes[0]
    assert open_array(path, axes=("bands", "rows", "cols")).metadata.notes == ()
    with h5py.File(path, "r+") as file:
        del file["cube"]
        file["cube"] = cube.transpose(0, 2, 1)
    assert open_array(path).metadata.notes == ()


def test_wavelengths_that_fit_several_axes_are_noted(tmp_path):
    path = tmp_path / "c.h5"
    with h5py.File(path, "w") as file:
        file["cube"], file["wavelength"] = np.ones((3, 4, 3), np.float32), [0.4, 0.5, 0.6]
        file["fwhm"] = np.full(3, 0.01)
    found = open_array(path).metadata
    assert found.wavelengths is None
    assert "3 wavelengths" in found.notes[0]
    assert "--axes" in found.notes[0]
    assert "--wavelengths" in found.notes[0]
    named = open_array(path, axes=("rows", "cols", "bands")).metadata
    np.testing.assert_allclose(named.wavelengths, [400, 500, 600])
    np.testing.assert_allclose(named.fwhm, 10)
    assert named.notes == ()


def test_prisma_lists_of_another_length_are_named(tmp_path):
    written = product_files.prisma(tmp_path)
    path = changed(written, lambda file: file.attrs.update({"List_Fwhm_Vnir": np.ones(4)}))
    with pytest.raises(DataError, match=r"6 bands, 4 of them in List_Fwhm_Vnir"):
        open_array(path)


def test_classic_netcdf_notes_its_axes(tmp_path):
    path = tmp_path / "c.nc"
    with netcdf_file(path, "w") as file:
        for name, size in (("band", 3), ("y", 4), ("x", 3)):
            file.createDimension(name, size)
        file.createVariable("wavelength", "f4", ("band",))[:] = [400, 500, 600]
        file.createVariable("cube", "f4", ("band", "y", "x"))[:] = 1
    found = open_array(path, "cube").metadata
    assert found.wavelengths is None
    assert "--axes" in found.notes[0]
    named = open_array(path, "cube", ("bands", "rows", "cols")).metadata
    assert named.wavelengths.tolist() == [400, 500, 600]
    assert named.notes == ()
