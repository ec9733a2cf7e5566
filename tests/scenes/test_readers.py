import h5py
import numpy as np
import pytest
import rasterio
import scipy.io

import hsitf.scenes.readers as readers
from hsitf.errors import DataError, InputError
from hsitf.scenes.readers import nanometers, read_array

CUBE = np.arange(3 * 4 * 5, dtype=np.int16).reshape(3, 4, 5)
HEADER = """ENVI
samples = 4
lines = 3
bands = 5
header offset = 2
data type = 2
interleave = {interleave}
byte order = {order}
reflectance scale factor = 10
wavelength units = Micrometers
wavelength = {{0.4, 0.5, 0.6, 0.7, 0.8}}
"""


def write_envi(folder, interleave="bsq", order=0):
    axes = {"bil": (0, 2, 1), "bip": (0, 1, 2), "bsq": (2, 0, 1)}[interleave]
    raw = CUBE.transpose(axes).astype("<i2" if order == 0 else ">i2").tobytes()
    (folder / "c.hdr").write_text(HEADER.format(interleave=interleave, order=order))
    (folder / "c.img").write_bytes(b"##" + raw)
    return folder / "c.hdr"


def write_tiff(path, cube, **tags):
    sizes = dict(zip(("height", "width", "count"), cube.shape, strict=True))
    place = rasterio.Affine.scale(30)
    with rasterio.open(
        path, "w", driver="GTiff", dtype=cube.dtype, transform=place, **sizes
    ) as image:
        image.write(cube.transpose(2, 0, 1))
        for band in image.indexes:
            image.update_tags(band, **{key: values[band - 1] for key, values in tags.items()})
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_mat_v5(tmp_path, compressed):
    path = tmp_path / "c.MAT"
    scipy.io.savemat(path, {"cube": CUBE, "rows": 3, "name": "x"}, do_compression=compressed)
    array = read_array(path)
    np.testing.assert_array_equal(array.values, CUBE)
    assert array.files == (path,)
    assert array.wavelengths is None


def test_mat_v73_has_its_axes_in_matlab_order(tmp_path):
    path = tmp_path / "c.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["cube"] = CUBE.T
        file["text"] = np.zeros((2, 9), np.uint16)
        file["text"].attrs["MATLAB_class"] = np.bytes_("char")
        file["#refs#/a"] = np.zeros((2, 2))
    np.testing.assert_array_equal(read_array(path).values, CUBE)


@pytest.mark.parametrize("interleave", ["bil", "bip", "bsq"])
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", ["c.hdr", "c.img"])
def test_envi(tmp_path, interleave, order, name):
    write_envi(tmp_path, interleave, order)
    array = read_array(tmp_path / name)
    np.testing.assert_array_equal(array.values, CUBE)
    np.testing.assert_allclose(array.wavelengths, [400, 500, 600, 700, 800])
    assert [file.name for file in array.files] == ["c.hdr", "c.img"]


def test_envi_label_map(tmp_path):
    header = "ENVI\nsamples = 4\nlines = 3\nbands = 1\ndata type = 1\ninterleave = bsq\n"
    (tmp_path / "c.img.hdr").write_text(header + "byte order = 0\nheader offset = 0\n")
    (tmp_path / "c.img").write_bytes(bytes(range(12)))
    assert read_array(tmp_path / "c.img").values.tolist() == np.arange(12).reshape(3, 4).tolist()


def test_geotiff(tmp_path):
    tags = {"wavelength": ["0.4", "0.5", "0.6", "0.7", "0.8"], "wavelength_units": ["um"] * 5}
    array = read_array(write_tiff(tmp_path / "c.tif", CUBE, **tags))
    np.testing.assert_array_equal(array.values, CUBE)
    np.testing.assert_allclose(array.wavelengths, [400, 500, 600, 700, 800])
    labels = read_array(write_tiff(tmp_path / "l.tiff", CUBE[:, :, :1]))
    assert labels.values.shape == (3, 4)


def test_hdf5_takes_the_axes_as_stored(tmp_path):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["a/cube"], file["b/cube"] = CUBE, CUBE + 1
    np.testing.assert_array_equal(read_array(tmp_path / "c.h5", "b/cube").values, CUBE + 1)
    with pytest.raises(InputError, match=r"a/cube \(3, 4, 5\), b/cube \(3, 4, 5\)"):
        read_array(tmp_path / "c.h5")


def test_netcdf_with_wavelengths_has_its_bands_last(tmp_path):
    with h5py.File(tmp_path / "c.nc", "w") as file:
        file["cube"] = CUBE.transpose(2, 0, 1)
        file["sensor/wavelength"] = [0.4, 0.5, 0.6, 0.7, 0.8]
        file["sensor/wavelength"].attrs["units"] = "micrometers"
    array = read_array(tmp_path / "c.nc")
    np.testing.assert_array_equal(array.values, CUBE)
    np.testing.assert_allclose(array.wavelengths, [400, 500, 600, 700, 800])


def test_npy_and_npz(tmp_path):
    np.save(tmp_path / "c.npy", CUBE)
    np.savez_compressed(tmp_path / "c.npz", cube=CUBE, labels=CUBE[:, :, 0])
    np.testing.assert_array_equal(read_array(tmp_path / "c.npy").values, CUBE)
    np.testing.assert_array_equal(read_array(tmp_path / "c.npz", "labels").values, CUBE[:, :, 0])


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("nm", 0.5), ("µm", 500), ("Micrometers", 500), (None, 500), ("Unknown", 500), ("GHz", None)],
)
def test_nanometers(unit, expected):
    centers = nanometers([0.5], unit)
    assert expected == (None if centers is None else centers[0])


def test_several_candidates_are_listed_and_near_names_offered(tmp_path):
    scipy.io.savemat(tmp_path / "c.mat", {"cube": CUBE, "gt": CUBE[:, :, 0]})
    with pytest.raises(InputError, match=r"cube \(3, 4, 5\), gt \(3, 4\)"):
        read_array(tmp_path / "c.mat")
    with pytest.raises(InputError, match=r"unknown c\.mat variable 'Cub'.*did you mean cube"):
        read_array(tmp_path / "c.mat", "Cub")


@pytest.mark.parametrize("name", ["c.npy", "c.hdr", "c.tif"])
def test_formats_without_variables_refuse_one(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match="without a name"):
        read_array(tmp_path / name, "cube")


@pytest.mark.parametrize("suffix", sorted(set(readers.READERS) - {".hdr"}))
def test_text_under_a_wrong_suffix_is_refused(tmp_path, suffix):
    path = tmp_path / f"c{suffix}"
    path.write_text("this is no cube\n" * 50)
    (tmp_path / "c.hdr").write_text("nor is this a header")
    with pytest.raises(DataError, match=r"c\.\w+ cannot be read as|no ENVI header"):
        read_array(path)


@pytest.mark.parametrize("suffix", [".mat", ".h5", ".tif", ".npy", ".npz"])
def test_every_truncation_is_noticed(tmp_path, suffix):
    path = tmp_path / f"c{suffix}"
    if suffix == ".mat":
        scipy.io.savemat(path, {"cube": CUBE}, do_compression=True)
    elif suffix == ".tif":
        write_tiff(path, CUBE)
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["cube"] = CUBE
    else:
        (np.save if suffix == ".npy" else np.savez)(path, CUBE)
    whole = path.read_bytes()
    for share in range(0, 20):
        path.write_bytes(whole[: len(whole) * share // 20])
        with pytest.raises(DataError, match=path.name):
            read_array(path)


def test_truncated_envi_says_how_much_is_missing(tmp_path):
    header = write_envi(tmp_path)
    (tmp_path / "c.img").write_bytes(bytes(100))
    with pytest.raises(DataError, match=r"98 bytes of values; allowed: 120 bytes"):
        read_array(header)


def test_half_an_envi_pair_is_asked_for_the_other(tmp_path):
    header = write_envi(tmp_path)
    (tmp_path / "c.img").rename(tmp_path / "d.img")
    with pytest.raises(InputError, match="no data file for the ENVI header"):
        read_array(header)
    with pytest.raises(InputError, match=r"d\.img\.hdr or d\.hdr"):
        read_array(tmp_path / "d.img")


def test_pickles_and_objects_are_refused(tmp_path):
    objects = np.array([[1, "a"], [2, "b"]], dtype=object)
    np.save(tmp_path / "o.npy", objects)
    np.savez(tmp_path / "o.npz", a=objects)
    for name in ("o.npy", "o.npz"):
        with pytest.raises(DataError, match="pickled objects"):
            read_array(tmp_path / name)
    scipy.io.savemat(tmp_path / "o.mat", {"cells": objects})
    with pytest.raises(DataError, match=r"neither a cube nor a map|cells \(cell\)"):
        read_array(tmp_path / "o.mat")


@pytest.mark.parametrize(
    ("values", "message"),
    [(np.zeros((2, 2), complex), "complex128"), (np.zeros((0, 4)), "empty array")],
)
def test_what_is_no_cube_is_refused(tmp_path, values, message):
    np.save(tmp_path / "c.npy", values)
    with pytest.raises(DataError, match=message):
        read_array(tmp_path / "c.npy")


def test_sizes_are_checked_before_reading(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file.create_dataset("cube", shape=(100_000, 100_000, 200), dtype="f8", chunks=(9, 9, 9))
    with pytest.raises(DataError, match="too large to be read at once"):
        read_array(tmp_path / "c.h5")
    monkeypatch.setattr("hsitf.scenes.readers.base.MAX_BYTES", 100)
    np.save(tmp_path / "c.npy", CUBE)
    np.savez(tmp_path / "c.npz", CUBE)
    scipy.io.savemat(tmp_path / "c.mat", {"cube": CUBE})
    paths = [tmp_path / name for name in ("c.npy", "c.npz", "c.mat")]
    for path in [*paths, write_envi(tmp_path), write_tiff(tmp_path / "c.tif", CUBE)]:
        with pytest.raises(DataError, match="120 bytes; allowed: 100 bytes"):
            read_array(path)


def test_missing_and_unknown_files(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_array(tmp_path / "c.mat")
    with pytest.raises(InputError, match="received: a folder"):
        read_array(tmp_path)
    (tmp_path / "c.xyz").write_text("")
    with pytest.raises(InputError, match=r"received: \.xyz; allowed: \.mat"):
        read_array(tmp_path / "c.xyz")


def test_values_without_data_are_handed_on(tmp_path):
    """By every format that declares them: GDAL, ENVI, attributes of HDF5, vectors included."""
    with rasterio.open(
        tmp_path / "c.tif",
        "w",
        driver="GTiff",
        height=3,
        width=4,
        count=5,
        dtype="int16",
        nodata=-9,
    ) as file:
        file.write(np.moveaxis(CUBE.astype(np.int16), 2, 0))
    assert readers.open_array(tmp_path / "c.tif").metadata.nodata == (-9.0,)
    header = write_envi(tmp_path)
    header.write_text(header.read_text() + "\ndata ignore value = -9999\nbbl = {1,1,0,1,1}\n")
    found = readers.open_array(header).metadata
    assert found.nodata == (-9999.0,)
    assert found.good_bands.tolist() == [True, True, False, True, True]
    with h5py.File(tmp_path / "c.nc", "w") as file:
        file["cube"] = CUBE
        file["cube"].attrs["_FillValue"] = np.array([-9999.0], np.float32)
        file["cube"].attrs["missing_value"] = [-1.0, -2.0]
    assert readers.open_array(tmp_path / "c.nc").metadata.nodata == (-9999.0, -2.0, -1.0)


def test_axes_that_the_user_names(tmp_path):
    with h5py.File(tmp_path / "c.he5", "w") as file:
        file["swath/data/cube"] = CUBE.transpose(0, 2, 1)
        file["swath/other/cube"] = CUBE[:2]
    named = readers.open_array(tmp_path / "c.he5", "data/cube", ("rows", "bands", "cols"))
    np.testing.assert_array_equal(named.read(0, 3), CUBE)
    np.testing.assert_array_equal(named.read(1, 2), CUBE[1:2])
    with pytest.raises(InputError, match=r"unknown c\.he5 variable 'cube'"):
        readers.open_array(tmp_path / "c.he5", "cube")
    np.save(tmp_path / "c.npy", CUBE.transpose(2, 0, 1))
    found = readers.open_array(tmp_path / "c.npy", None, ("bands", "rows", "cols"))
    np.testing.assert_array_equal(found.read(0, 3), CUBE)


def test_a_product_whose_bands_stand_between_rows_and_cols_is_not_misread(tmp_path):
    with h5py.File(tmp_path / "p.he5", "w") as file:
        file["HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube"] = CUBE.transpose(0, 2, 1)
    with pytest.raises(DataError, match=r"PRISMA.*--axes rows,bands,cols"):
        readers.open_array(tmp_path / "p.he5")
    found = readers.open_array(tmp_path / "p.he5", "VNIR_Cube", ("rows", "bands", "cols"))
    np.testing.assert_array_equal(found.read(0, 3), CUBE)


def test_netcdf_classic(tmp_path):
    from scipy.io import netcdf_file

    with netcdf_file(tmp_path / "c.nc", "w") as file:
        for name, size in (("band", 5), ("row", 3), ("col", 4)):
            file.createDimension(name, size)
        file.createVariable("cube", "f4", ("band", "row", "col"))[:] = CUBE.transpose(2, 0, 1)
        file.variables["cube"]._FillValue = -9999.0
        file.createVariable("wavelength", "f4", ("band",))[:] = [400, 500, 600, 700, 800]
    found = readers.open_array(tmp_path / "c.nc")
    np.testing.assert_array_equal(found.read(0, 3), CUBE)
    assert found.wavelengths.tolist() == [400, 500, 600, 700, 800]
    assert found.metadata.nodata == (-9999.0,)


ENVI = "ENVI\nsamples = 4\nlines = 3\nbands = 5\ndata type = 4\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENVI + "interleave = bsq\nfile type = ENVI Spectral Library\n", "spectral library"),
        (ENVI + "interleave = bsq\nfile compression = 1\n", "compressed.*gzip -d"),
        (ENVI + "interleave = bxq\n", "unknown interleave"),
        (ENVI + "interleave = bsq\nbyte order = 2\n", "unknown byte order"),
        (ENVI.replace("type = 4", "type = 6") + "interleave = bsq\n", "complex"),
        (ENVI + "interleave = bsq\nwavelength = {1, 2, 3}\n", "3 values, 5 bands"),
        (ENVI + "interleave = bsq\nbands = 6\n", "two things of 'bands'"),
        (ENVI.replace("samples = 4\n", "") + "interleave = bsq\n", "does not say its samples"),
        ("no header", "no ENVI header"),
    ],
)
def test_headers_that_cannot_be_read_are_refused(tmp_path, text, message):
    (tmp_path / "c.hdr").write_text(text)
    (tmp_path / "c.img").write_bytes(np.zeros(60, "<f4").tobytes())
    with pytest.raises(DataError, match=message):
        readers.open_array(tmp_path / "c.hdr")


def test_headers_as_programs_write_them(tmp_path):
    """Capital letters, Latin-1, no byte order; a header of its own wins over a neighbor's."""
    text = ENVI + "Interleave = BIL\ndescription = {27 \xb0C}\n"
    (tmp_path / "c.hdr").write_bytes(text.encode("latin-1"))
    CUBE.astype("<f4").transpose(0, 2, 1).tofile(tmp_path / "c.BIL")
    np.testing.assert_array_equal(readers.open_array(tmp_path / "c.hdr").read(0, 3), CUBE)
    (tmp_path / "c.img").write_bytes(np.full(60, 7, "<f4").tobytes())
    (tmp_path / "c.img.hdr").write_text(ENVI + "interleave = bsq\n")
    assert (readers.open_array(tmp_path / "c.img").read(0, 3) == 7).all()
    np.testing.assert_array_equal(readers.open_array(tmp_path / "c.hdr").read(0, 3), CUBE)


def test_wavelengths_where_gdal_keeps_them(tmp_path):
    for name, imagery in (("imagery", True), ("described", False)):
        with rasterio.open(
            tmp_path / f"{name}.tif",
            "w",
            driver="GTiff",
            height=3,
            width=4,
            count=5,
            dtype="float32",
        ) as file:
            file.write(np.moveaxis(CUBE.astype(np.float32), 2, 0))
            for band in range(1, 6):
                if imagery:
                    center = {"CENTRAL_WAVELENGTH_UM": str(0.4 + band / 10)}
                    file.update_tags(band, ns="IMAGERY", **center)
                else:
                    file.set_band_description(band, f"band {band} ({400 + 100 * band} Nanometers)")
        found = readers.open_array(tmp_path / f"{name}.tif").wavelengths
        np.testing.assert_allclose(found, [500, 600, 700, 800, 900])


def test_more_bands_than_a_spectrometer_has(tmp_path, monkeypatch):
    """GDAL would take seconds to look them up, one by one, in a small damaged file."""
    path = tmp_path / "cube.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=2, height=2, count=5, dtype="uint8"
    ) as file:
        file.write(np.zeros((5, 2, 2), np.uint8))
    assert read_array(path).values.shape == (2, 2, 5)
    monkeypatch.setattr(readers.geotiff, "MAX_BANDS", 4)
    with pytest.raises(DataError, match="too many bands"):
        read_array(path)
