"""Tiny files of the layouts in which products are published, with random numbers.

Each writer makes one product in a folder and returns what has to be read of it: the path to open
and the numbers (rows, cols, bands) that are stored, in the order in which they are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import rasterio
from rasterio.crs import CRS

ROWS, COLS = 6, 5
UTM = "EPSG:32633"
PLACE = (30.0, 0.0, 600000.0, 0.0, -30.0, 5200000.0)


@dataclass
class Written:
    """A product on disk.

    Attributes:
        product: Its name as it is recognized.
        path: What is opened.
        stored: (rows, cols, bands) numbers as they are stored, in the order in which they are read.
        wavelengths: (bands,) band centers in nanometers.
        dropped: Number of bands that are left out.
        masked: Number of pixels without data.
        place: "affine", "GCPs", "GLT" or "" for none.
    """

    product: str
    path: Path
    stored: np.ndarray
    wavelengths: np.ndarray | None
    dropped: int = 0
    masked: int = 0
    place: str = "affine"


def counts(bands, rows=ROWS, cols=COLS, dtype=np.uint16, seed=0):
    """Random counts, none of them a value that stands for no data."""
    rng = np.random.default_rng(seed)
    return rng.integers(100, 4000, (rows, cols, bands)).astype(dtype)


def spectra(bands, rows=ROWS, cols=COLS, seed=0):
    """Random reflectance."""
    return counts(bands, rows, cols, seed=seed).astype(np.float32) / 10000


def coordinates(rows=ROWS, cols=COLS):
    """Latitude and longitude of the pixels of a swath, float32."""
    row, col = np.mgrid[:rows, :cols]
    return (
        (46.0 - 0.001 * row + 0.0002 * col).astype(np.float32),
        (11.0 + 0.001 * col + 0.0002 * row).astype(np.float32),
    )


def prisma(folder, level="L2D", rows=ROWS, cols=COLS, name="PRS_L2D_STD_20200413.he5"):
    """VNIR of 6 channels, SWIR of 5, falling wavelengths; 3 channels were not transmitted."""
    vnir = np.array([0, 0, 980, 800, 650, 450], np.float32)
    swir = np.array([2400, 1700, 1200, 950, 0], np.float32)
    cube = counts(11, rows, cols)
    cube[:, :, [0, 1, 10]] = 0
    # Outside the image, and a defective value.
    cube[0, 0] = 0
    errors = np.zeros((rows, cols, 11), np.uint8)
    errors[2, 3, 4], errors[3, 3, 7] = 1, 3 if level == "L1" else 0
    path = folder / name
    swath = f"HDFEOS/SWATHS/PRS_{level}_HCO"
    matrix = "SAT" if level == "L1" else "L2"
    with h5py.File(path, "w") as file:
        for detector, part in (("VNIR", slice(0, 6)), ("SWIR", slice(6, 11))):
            fields = f"{swath}/Data Fields/{detector}"
            file[f"{fields}_Cube"] = cube[:, :, part].transpose(0, 2, 1)
            file[f"{fields}_PIXEL_{matrix}_ERR_MATRIX"] = errors[:, :, part].transpose(0, 2, 1)
        for key, centers in (("Vnir", vnir), ("Swir", swir)):
            file.attrs[f"List_Cw_{key}"] = centers
            file.attrs[f"List_Cw_{key}_Flags"] = (centers > 0).astype(np.int32)
            file.attrs[f"List_Fwhm_{key}"] = np.where(centers > 0, 10, 0).astype(np.float32)
            file.attrs[f"L2Scale{key}Min"] = np.float32(0)
            file.attrs[f"L2Scale{key}Max"] = np.float32(1.5 if key == "Swir" else 1)
            file.attrs[f"ScaleFactor_{key}"] = np.float32(100)
            file.attrs[f"Offset_{key}"] = np.float32(0)
        if level == "L2D":
            file.attrs["Epsg_Code"] = np.int64(32633)
            # Centers of the corner pixels.
            for corner, (row, col) in {"UL": (0, 0), "LR": (rows - 1, cols - 1)}.items():
                file.attrs[f"Product_{corner}corner_easting"] = 600015.0 + 30 * col
                file.attrs[f"Product_{corner}corner_northing"] = 5199985.0 - 30 * row
        else:
            suffix = "_VNIR" if level == "L1" else ""
            lat, lon = coordinates(rows, cols)
            file[f"{swath}/Geolocation Fields/Latitude{suffix}"] = lat
            file[f"{swath}/Geolocation Fields/Longitude{suffix}"] = lon
    order = [5, 4, 3, 2, 1, 0, 10, 9, 8, 7, 6]
    return Written(
        f"PRISMA {level}",
        path,
        cube[:, :, order],
        np.concatenate([vnir, swir])[order],
        dropped=3,
        masked=2,
        place="affine" if level == "L2D" else "GCPs",
    )


def prisma_l1(folder):
    return prisma(folder, "L1", name="PRS_L1_STD_OFFL_20200413.he5")


def emit(folder, quantity="reflectance"):
    """Sensor geometry with a lookup table, one cell of which has no pixel; a water band."""
    centers = np.array([381, 650, 860, 1400, 2200], np.float32)
    cube = spectra(5)
    cube[:, :, 3] = -0.01 if quantity == "reflectance" else cube[:, :, 3]
    cube[5, 4] = -9999
    path = folder / f"EMIT_L2A_{quantity}.nc"
    with h5py.File(path, "w") as file:
        file[quantity] = cube
        file[quantity].attrs["_FillValue"] = np.array([-9999], np.float32)
        file["sensor_band_parameters/wavelengths"] = centers
        file["sensor_band_parameters/fwhm"] = np.full(5, 8.5, np.float32)
        if quantity == "reflectance":
            file["sensor_band_parameters/good_wavelengths"] = np.array([1, 1, 1, 0, 1], np.float32)
        cols, rows = lookup()
        file["location/glt_x"], file["location/glt_y"] = cols, rows
        for key in ("location/lat", "location/lon"):
            file[key] = np.zeros((ROWS, COLS))
        file.attrs["geotransform"] = [-62.5, 0.0005, 0.0, -39.3, 0.0, -0.0005]
        file.attrs["spatial_ref"] = CRS.from_epsg(4326).to_wkt()
    product = "EMIT L2A reflectance" if quantity == "reflectance" else "EMIT L1B radiance"
    dropped = 1 if quantity == "reflectance" else 0
    return Written(product, path, cube, centers, dropped, 1, "GLT")


def lookup():
    """(4, 7) int32 cols and rows of pixels from 1, 0 for none, one of them negative."""
    cols = np.tile(np.arange(7, dtype=np.int32), (4, 1))
    cols[cols > COLS] = 0
    rows = np.repeat(np.arange(1, 5, dtype=np.int32)[:, None], 7, axis=1)
    rows[cols == 0] = 0
    cols[1, 2], rows[1, 2] = -2, -2
    return cols, rows


def emit_l1b(folder):
    return emit(folder, "radiance")


def enmap(folder, sensor="EnMAP"):
    """GeoTIFF with the XML of its bands; the detectors overlap, one band is not delivered."""
    centers = np.array([450, 650, 950, 930, 1600, 2200], float)
    cube = counts(6, dtype=np.int16)
    cube[1, 1] = -32768
    stem = "ENMAP01-____L2A-DT0000000001_20230101T100000Z_001_V010303_20230102T000000Z"
    if sensor == "DESIS":
        stem = "DESIS-HSI-L2A-DT0000000001_001-20230101T100000-V0220"
        centers = np.sort(centers)
    image = folder / f"{stem}-SPECTRAL_IMAGE.TIF"
    geotiff(image, cube, nodata=-32768)
    parts = []
    for number, center in enumerate(centers, 1):
        if sensor == "DESIS":
            parts.append(
                f"<band><bandNumber>{number}</bandNumber>"
                f"<wavelengthWidthOfBand>3.5</wavelengthWidthOfBand>"
                f"<wavelengthCenterOfBand>{center}</wavelengthCenterOfBand>"
                "<gainOfBand>0.0001</gainOfBand><offsetOfBand>0.0</offsetOfBand></band>"
            )
        else:
            parts.append(
                f'<bandID number="{number}"><wavelengthCenterOfBand>{center}'
                "</wavelengthCenterOfBand><FWHMOfBand>8.5</FWHMOfBand>"
                "<GainOfBand>0.0001</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>"
            )
    tables = f"<bandCharacterisation>{''.join(parts)}</bandCharacterisation>"
    lists = (
        "<vnirProductQuality><expectedChannelsList>1,2,3</expectedChannelsList>"
        "</vnirProductQuality><swirProductQuality><expectedChannelsList>4,5"
        "</expectedChannelsList></swirProductQuality>"
    )
    root = "hsi_doc" if sensor == "DESIS" else "level_X"
    extra = "" if sensor == "DESIS" else lists
    suffix = "xml" if sensor == "DESIS" else "XML"
    (folder / f"{stem}-METADATA.{suffix}").write_text(
        f"<?xml version='1.0' encoding='UTF-8'?><{root}><specific>{extra}{tables}</specific>"
        f"</{root}>"
    )
    dropped = 0 if sensor == "DESIS" else 1
    return Written(f"{sensor} L2A", image, cube, centers, dropped, 1)


def desis(folder):
    return enmap(folder, "DESIS")


def geotiff(path, cube, **profile):
    """A GeoTIFF in UTM."""
    rows, cols, bands = cube.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=rows,
        width=cols,
        count=bands,
        dtype=cube.dtype,
        crs=UTM,
        transform=rasterio.Affine(*PLACE),
        **profile,
    ) as file:
        file.write(cube.transpose(2, 0, 1))


def hyperion(folder):
    """Four bands of a scene, the first of them not calibrated; one pixel outside the image."""
    numbers = [7, 40, 57, 77]
    cube = counts(4, dtype=np.int16)
    cube[:, :, 0] = 0
    cube[0, 4] = 0
    for band, number in enumerate(numbers):
        name = f"EO1H1150662006130110PY_B{number:03d}_L1T.TIF"
        geotiff(folder / name, cube[:, :, [band]])
    text = folder / "EO1H1150662006130110PY_MTL_L1T.TXT"
    scaling = "SCALING_FACTOR_VNIR = 40.0\n  SCALING_FACTOR_SWIR = 80.0"
    text.write_text(f"GROUP = L1_METADATA_FILE\n  {scaling}\nEND\n")
    centers = [355.59 + 10.1752 * (n - 1) for n in numbers[:3]] + [851.92 + 10.0887 * 6]
    return Written("Hyperion L1T", text, cube, np.round(centers, 2), 1, 1)


def hyperion_stack(folder):
    """All 242 bands in one ENVI pair whose header names the sensor."""
    cube = counts(242, dtype=np.int16)
    numbers = np.arange(1, 243)
    good = ((numbers >= 8) & (numbers <= 57)) | ((numbers >= 77) & (numbers <= 224))
    cube[:, :, ~good] = 0
    cube[3, 0] = 0
    path = envi(folder / "eo1.img", cube, sensor_type="Hyperion")
    vnir = 355.59 + 10.1752 * (numbers - 1)
    centers = np.where(numbers <= 70, vnir, 851.92 + 10.0887 * (numbers - 71))
    return Written("Hyperion stack", path, cube, np.round(centers, 2), 242 - 198, 1, "")


def envi(path, cube, interleave="bil", place=False, **fields):
    """An ENVI pair; returns the path of the data."""
    rows, cols, bands = cube.shape
    code = {"int16": 2, "float32": 4, "uint16": 12}[str(cube.dtype)]
    axes = {"bil": (0, 2, 1), "bip": (0, 1, 2), "bsq": (2, 0, 1)}[interleave]
    if place:
        fields["map_info"] = (
            "{UTM, 1, 1, 600000.0, 5200000.0, 30.0, 30.0, 33, North, WGS-84, units=Meters}"
        )
    lines = "".join(f"{key.replace('_', ' ')} = {value}\n" for key, value in fields.items())
    path.with_name(f"{path.name}.hdr").write_text(
        f"ENVI\nsamples = {cols}\nlines = {rows}\nbands = {bands}\nheader offset = 0\n"
        f"file type = ENVI Standard\ndata type = {code}\ninterleave = {interleave}\n"
        f"byte order = 0\n{lines}"
    )
    path.write_bytes(np.ascontiguousarray(cube.transpose(axes)).tobytes())
    return path


def listed(values):
    """A list as ENVI headers write it."""
    return "{ " + ", ".join(f"{value:g}" for value in values) + " }"


def aviris_ng(folder):
    """ENVI data without a suffix, -9999 where no pixel is, bad bands in the header."""
    centers = np.array([377, 650, 860, 1400, 2200], float)
    cube = spectra(5)
    cube[0] = -9999
    path = envi(
        folder / "ang20180814t224053_rfl_v2r2_img",
        cube,
        place=True,
        description="{ang20180814t224053_rfl_v2r2_img}",
        wavelength=listed(centers),
        wavelength_units="Nanometers",
        fwhm=listed(np.full(5, 5.5)),
        bbl="{1, 1, 1, 0, 1}",
    )
    return Written("AVIRIS-NG (ENVI)", path, cube, centers, 1, COLS)


def aviris_classic(folder):
    """int16 radiance, wavelengths in micrometers, no data declared as -50."""
    centers = np.array([0.366, 0.65, 0.86, 2.2])
    cube = counts(4, dtype=np.int16)
    cube[2, 2] = -50
    path = envi(
        folder / "f080611t01p00r07rdn_c_sc01_ort_img",
        cube,
        "bip",
        place=True,
        sensor_type="AVIRIS",
        data_ignore_value=-50,
        wavelength=listed(centers),
        wavelength_units="Micrometers",
    )
    return Written("AVIRIS (ENVI)", path, cube, centers * 1000, 0, 1)


def aviris3(folder, quantity="reflectance"):
    """NetCDF, bands first; radiance has a lookup table onto its map."""
    centers = np.array([380, 650, 860, 2200], np.float32)
    cube = spectra(4)
    cube[4, 1:3] = -9999
    path = folder / f"AV320230829t181432_000_L2A_OE_{quantity}.nc"
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "AVIRIS-3 L2A Orthocorrected Surface Reflectance"
        file.create_dataset(
            f"{quantity}/{quantity}", data=cube.transpose(2, 0, 1), chunks=(1, 4, 4), compression=4
        )
        file[f"{quantity}/{quantity}"].attrs["_FillValue"] = np.array([-9999], np.float32)
        file[f"{quantity}/wavelength"] = centers
        file[f"{quantity}/wavelength"].attrs["units"] = "nm"
        file[f"{quantity}/fwhm"] = np.full(4, 7.4, np.float32)
        system = file.create_dataset("transverse_mercator", data=np.int8(0))
        system.attrs["spatial_ref"] = CRS.from_string(UTM).to_wkt()
        a, b, x, d, e, y = PLACE
        system.attrs["GeoTransform"] = " ".join(map(str, (x, a, b, y, d, e)))
        if quantity == "radiance":
            cols, rows = lookup()
            file["geolocation_lookup_table/sample"] = cols
            file["geolocation_lookup_table/line"] = rows
    place = "GLT" if quantity == "radiance" else "affine"
    return Written(f"AVIRIS-3 {quantity} (NetCDF)", path, cube, centers, 0, 2, place)


def aviris3_radiance(folder):
    return aviris3(folder, "radiance")


def neon(folder):
    """A site's group; two windows of water vapor."""
    centers = np.array([400, 650, 860, 1400, 1850, 2200], np.float32)
    cube = counts(6, dtype=np.int16)
    cube[0, :2] = -9999
    path = folder / "NEON_D17_SJER_DP3_257000_4112000_reflectance.h5"
    root = "SJER/Reflectance"
    with h5py.File(path, "w") as file:
        data = file.create_dataset(f"{root}/Reflectance_Data", data=cube)
        data.attrs["Data_Ignore_Value"] = -9999.0
        data.attrs["Scale_Factor"] = 10000.0
        meta = f"{root}/Metadata"
        file[f"{meta}/Spectral_Data/Wavelength"] = centers
        file[f"{meta}/Spectral_Data/Wavelength"].attrs["Units"] = "nanometers"
        file[f"{meta}/Spectral_Data/FWHM"] = np.full(6, 5.8, np.float32)
        file[f"{meta}/Coordinate_System/Map_Info"] = (
            "UTM,  1.000,  1.000, 600000.00, 5200000.0, 30.0, 30.0,  33,  North,  WGS-84,  "
            "units=Meters, 0"
        )
        file[f"{meta}/Coordinate_System/EPSG Code"] = "32633"
        file[root].attrs["Band_Window_1_Nanometers"] = np.array([1340, 1445])
        file[root].attrs["Band_Window_2_Nanometers"] = np.array([1790, 1955])
        file[f"{meta}/Ancillary_Imagery/Slope"] = np.zeros((ROWS, COLS), np.float32)
        file[f"{meta}/to-sensor_Zenith_Angle"] = np.zeros((ROWS, COLS), np.float32)
    return Written("NEON AOP reflectance", path, cube, centers, 2, 2)


def hypso(folder):
    """L1B: radiance with wavelengths as attributes."""
    centers = np.array([400.1, 500.2, 600.3, 700.4])
    cube = spectra(4)
    path = folder / "capture-l1b.nc"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("products/Lt", data=cube, chunks=(3, 5, 4), compression=4)
        data.attrs["wavelengths"] = centers
        data.attrs["fwhm"] = np.full(4, 3.3)
        data.attrs["wavelength_units"] = "nanometers"
        file.create_group("metadata/capture_config").attrs["frame_count"] = ROWS
        file["navigation/latitude"], file["navigation/longitude"] = coordinates()
    return Written("HYPSO radiance", path, cube, centers, 0, 0, "GCPs")


def pace(folder):
    """L1B: three detectors that overlap, bands first, two SWIR bands of the same wavelength."""
    centers = {"blue": [350, 500, 605], "red": [600, 700, 860], "SWIR": [940, 1250, 1250]}
    cube = spectra(9)
    cube[5, 0, 4] = -32767
    path = folder / "PACE_OCI.20240501T181942.L1B.nc"
    with h5py.File(path, "w") as file:
        for number, (name, waves) in enumerate(centers.items()):
            part = cube[:, :, 3 * number : 3 * number + 3].transpose(2, 0, 1)
            data = file.create_dataset(f"observation_data/rhot_{name}", data=part)
            data.attrs["_FillValue"] = np.array([-32767], np.float32)
            file[f"sensor_band_parameters/{name}_wavelength"] = np.array(waves, np.float32)
        lat, lon = coordinates()
        file["geolocation_data/latitude"], file["geolocation_data/longitude"] = lat, lon
        file.attrs["instrument"] = "OCI"
    waves = np.concatenate([np.asarray(one, float) for one in centers.values()])
    return Written("PACE OCI L1B reflectance", path, cube, waves, 0, 1, "GCPs")


def pace_l2(folder):
    """L2: scaled integers with their uncertainties beside."""
    centers = np.array([400, 550, 700], np.float32)
    cube = counts(3, dtype=np.int16)
    cube[0, 0] = -32767
    path = folder / "PACE_OCI.20240501T181942.L2.SFREFL.nc"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("geophysical_data/rhos", data=cube)
        data.attrs["_FillValue"] = np.array([-32767], np.int16)
        data.attrs["scale_factor"] = np.array([2e-5], np.float32)
        data.attrs["add_offset"] = np.array([0.6], np.float32)
        file["geophysical_data/rhos_unc"] = cube
        file["sensor_band_parameters/wavelength_3d"] = centers
        file["navigation_data/latitude"], file["navigation_data/longitude"] = coordinates()
        file.attrs["instrument"] = np.bytes_("OCI")
    return Written("PACE OCI L2 rhos", path, cube, centers, 0, 1, "GCPs")


def pace_l3(folder):
    """Mapped L3: a grid of latitude and longitude."""
    centers = np.array([400, 550, 700], np.float32)
    cube = spectra(3)
    path = folder / "PACE_OCI.20240501.L3m.DAY.RRS.nc"
    with h5py.File(path, "w") as file:
        file["Rrs"] = cube
        file["wavelength"] = centers
        file["lat"] = 10 - 0.5 * np.arange(ROWS)
        file["lon"] = 20 + 0.5 * np.arange(COLS)
        file.attrs["title"] = "OCI Level-3 Standard Mapped Image"
    return Written("PACE OCI L3 mapped Rrs", path, cube, centers)


def specim(folder):
    """Counts of a recorder, wavelengths without a unit, references beside them."""
    centers = np.array([397.3, 500.1, 700.2, 1003.6])
    cube = counts(4)
    fields = {"tint": 10, "fps": 50, "default_bands": "{3, 2, 1}", "Wavelength": listed(centers)}
    path = folder / "170.raw"
    envi(path, cube, **fields)
    for name in ("DARKREF_170.raw", "WHITEREF_170.raw"):
        envi(folder / name, counts(4, rows=1), **fields)
    return Written("Specim camera (ENVI)", path, cube, centers, 0, 0, "")


def headwall(folder):
    """A capture without a suffix."""
    centers = np.array([400.0, 600.0, 800.0])
    cube = counts(3)
    path = envi(
        folder / "raw_0",
        cube,
        "bip",
        description="{[HEADWALL Hyperspec III]}",
        sensor_type="Unknown",
        wavelength=listed(centers),
    )
    return Written("Headwall camera (ENVI)", path, cube, centers, 0, 0, "")


def cubert(folder):
    """A snapshot."""
    centers = np.array([450.0, 600.0, 850.0])
    cube = counts(3)
    path = envi(
        folder / "snap.raw",
        cube,
        "bsq",
        sensor_type="Cubert Ultris 20",
        wavelength=listed(centers),
        wavelength_units="nm",
    )
    return Written("Cubert camera (ENVI)", path, cube, centers, 0, 0, "")


WRITERS = (
    prisma,
    prisma_l1,
    enmap,
    emit,
    emit_l1b,
    desis,
    hyperion,
    hyperion_stack,
    aviris_ng,
    aviris_classic,
    aviris3,
    aviris3_radiance,
    neon,
    hypso,
    pace,
    pace_l2,
    pace_l3,
    specim,
    headwall,
    cubert,
)
