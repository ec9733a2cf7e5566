"""Cubes, labels, lists and sensors' products: honest files of each, and what reads them."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import product_files
import rasterio
import scipy.io
from mutators import BYTES, JSON, LINES, NPY, XML, ZIP, Mutator
from PIL import Image
from tries import InputKind

from hsitf import sensors
from hsitf.data import read_train_map
from hsitf.scenes import load, open_raster
from hsitf.scenes.download import verify_checksum
from hsitf.scenes.labels import LabelOptions
from hsitf.scenes.metadata import RasterOptions, read_wavelengths

ROWS, COLS, BANDS = 7, 6, 5
UTM = "EPSG:32633"
PLACE = rasterio.Affine(10.0, 0.0, 500000.0, 0.0, -10.0, 4500000.0)
CENTERS = np.linspace(450.0, 900.0, BANDS)


def cube() -> np.ndarray:
    """(7, 6, 5) float32 of random numbers."""
    return np.random.default_rng(0).random((ROWS, COLS, BANDS), np.float32)


def labels() -> np.ndarray:
    """(7, 6) uint8, classes 1 to 3 in columns, a row unlabelled."""
    found = np.tile(np.repeat(np.arange(1, 4, dtype=np.uint8), 2), (ROWS, 1))
    found[0] = 0
    return found


def geotiff(path: Path, values: np.ndarray, **options: object) -> None:
    """A GeoTIFF of (rows, cols) or (rows, cols, bands)."""
    bands = values[..., None] if values.ndim == 2 else values
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=ROWS,
        width=COLS,
        count=bands.shape[2],
        dtype=bands.dtype,
        crs=UTM,
        transform=PLACE,
        **options,
    ) as file:
        file.write(np.moveaxis(bands, 2, 0))
        for band in range(bands.shape[2]):
            file.update_tags(
                band + 1, wavelength=str(CENTERS[band]), wavelength_units="nm", bbl="1"
            )


def placed(folder: Path) -> None:
    """A cube with a place on Earth, which labels by coordinates need."""
    geotiff(folder / "cube.tif", cube(), nodata=-1, compress="deflate", tiled=True)


# --- cubes ------------------------------------------------------------------------------------


def npy(folder: Path) -> None:
    np.save(folder / "cube.npy", cube())


def npz(folder: Path) -> None:
    np.savez(folder / "cube.npz", cube=cube(), gt=labels())


def mat5(folder: Path) -> None:
    scipy.io.savemat(folder / "cube.mat", {"cube": cube(), "n": 3, "s": {"a": 1}})


def mat5_packed(folder: Path) -> None:
    scipy.io.savemat(folder / "cube.mat", {"cube": cube()}, do_compression=True)


def mat73(folder: Path) -> None:
    with h5py.File(folder / "cube.mat", "w", userblock_size=512) as file:
        file.create_dataset("cube", data=cube().T, chunks=(2, 3, 3), compression=4)
        file["cube"].attrs["MATLAB_class"] = np.bytes_("single")


def envi(folder: Path) -> None:
    product_files.envi(
        folder / "cube.img",
        cube(),
        place=True,
        wavelength=product_files.listed(CENTERS),
        wavelength_units="Nanometers",
        fwhm=product_files.listed(np.full(BANDS, 5.0)),
        bbl="{1, 1, 0, 1, 1}",
        data_ignore_value=-1,
        data_gain_values="{1, 1, 1, 1, 1}",
        coordinate_system_string='{GEOGCS["WGS 84",DATUM["WGS_1984"]]}',
    )


def tiff_plain(folder: Path) -> None:
    geotiff(folder / "cube.tif", cube())


def hdf5(folder: Path) -> None:
    with h5py.File(folder / "cube.h5", "w") as file:
        file.create_dataset("data/cube", data=cube(), chunks=(2, 3, 5), compression=4, shuffle=True)
        file["data/cube"].attrs["_FillValue"] = np.array([-1], np.float32)
        file["data/cube"].attrs["scale_factor"] = 0.5
        file["data/wavelength"] = CENTERS
        file["data/wavelength"].attrs["units"] = "nm"
        file["data/fwhm"] = np.full(BANDS, 5.0)
        file["data/bbl"] = np.ones(BANDS, np.uint8)


def netcdf4(folder: Path) -> None:
    with h5py.File(folder / "cube.nc", "w", libver="latest") as file:
        file["reflectance"] = cube().transpose(2, 0, 1)
        file["wavelength"] = CENTERS
        file["wavelength"].attrs["units"] = "nm"


def netcdf3(folder: Path) -> None:
    with scipy.io.netcdf_file(folder / "cube.nc", "w") as file:
        for name, size in (("y", ROWS), ("x", COLS), ("band", BANDS)):
            file.createDimension(name, size)
        file.createVariable("cube", "f4", ("y", "x", "band"))[:] = cube()
        file.createVariable("wavelength", "f8", ("band",))[:] = CENTERS
        file.variables["wavelength"].units = "nm"


def read_cube(name: str, folder: Path, variable: str | None = None) -> None:
    """Reads a cube as a scene, and as what is to be classified, row by row."""
    load(folder / name, variable=variable)
    source = open_raster(str(folder / name), variable=variable)
    source.read(0, min(3, source.shape[0]))
    source.georeference.profile()


# --- labels -----------------------------------------------------------------------------------


def labels_npy(folder: Path) -> None:
    placed(folder)
    np.save(folder / "labels.npy", labels())


def labels_png(folder: Path) -> None:
    placed(folder)
    picture = Image.fromarray(labels())
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.save(folder / "labels.png")


def labels_rgb(folder: Path) -> None:
    placed(folder)
    colors = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    Image.fromarray(colors[labels()]).save(folder / "labels.png")
    (folder / "classes.csv").write_text("1,soil,#ff0000\n2,water,#00ff00\n3,wood,0,0,255\n")


def labels_tif(folder: Path) -> None:
    placed(folder)
    geotiff(folder / "labels.tif", labels(), nodata=0)
    names = "".join(f"<Category>{name}</Category>" for name in ("", "soil", "water", "wood"))
    (folder / "labels.tif.aux.xml").write_text(
        f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{names}</CategoryNames>'
        "</PAMRasterBand></PAMDataset>"
    )


def labels_envi(folder: Path) -> None:
    placed(folder)
    (folder / "labels.hdr").write_text(
        f"ENVI\nsamples = {COLS}\nlines = {ROWS}\nbands = 1\ndata type = 1\ninterleave = bsq\n"
        "file type = ENVI Classification\nclasses = 4\nclass names = {none, soil, water, wood}\n"
        "class lookup = {0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255}\n"
    )
    (folder / "labels.img").write_bytes(labels().tobytes())


def labels_csv(folder: Path) -> None:
    placed(folder)
    rows = [f"{x},{y},{n}" for x, y, n in ((500005, 4499995, 1), (500035, 4499975, 2))]
    (folder / "labels.csv").write_text("x,y,class\n" + "\n".join(rows) + "\n")


def labels_pixels(folder: Path) -> None:
    placed(folder)
    (folder / "labels.csv").write_text("row;col;class;name\n1;2;1;soil\n3;4;2;water\n5;5;7;wood\n")


def _box(left: int, right: int) -> list[list[float]]:
    x, y = 500000.0, 4500000.0
    corners = [(left, 0), (right, 0), (right, ROWS), (left, ROWS), (left, 0)]
    return [[x + 10 * col, y - 10 * row] for col, row in corners]


def labels_geojson(folder: Path) -> None:
    placed(folder)
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [_box(2 * n, 2 * n + 2)]},
            "properties": {"class": n + 1, "classname": f"class {n}"},
        }
        for n in range(2)
    ]
    features.append(
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [500055.0, 4499965.0]},
            "properties": {"class": 3, "classname": "wood"},
        }
    )
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    document = {"type": "FeatureCollection", "features": features, "crs": crs}
    (folder / "labels.geojson").write_text(json.dumps(document))


def labels_layer(name: str, folder: Path) -> None:
    import pyogrio

    placed(folder)
    shapes = []
    for left, right in ((0, 3), (3, 6)):
        corners = _box(left, right)
        rings = struct.pack("<BIII", 1, 3, 1, len(corners))
        shapes.append(rings + b"".join(struct.pack("<dd", *one) for one in corners))
    pyogrio.raw.write(
        folder / name,
        np.array(shapes, object),
        [np.array([7, 3]), np.array(["soil", "water"], object)],
        np.array(["class_id", "classname"], object),
        geometry_type="Polygon",
        crs=UTM,
    )


def labels_classes(folder: Path) -> None:
    labels_npy(folder)
    (folder / "classes.csv").write_text("1,soil,#ff0000\n2,water,#00ff00\n3,wood\n")


def read_labels(name: str, folder: Path, classes: str | None = None) -> None:
    """Reads labels for the cube beside them, resampled where they lie elsewhere."""
    listed = None if classes is None else folder / classes
    options = LabelOptions(classes=listed, align=True)
    load(folder / "cube.tif", labels=folder / name, label_options=options)


def read_training_pixels(folder: Path) -> None:
    """Reads a label map as the training pixels of a fixed split."""
    read_train_map(str(folder / "labels.npy"))


# --- lists, pictures, sensors -----------------------------------------------------------------


def wavelengths(folder: Path) -> None:
    npy(folder)
    (folder / "bands.txt").write_text("# nm\n" + ", ".join(map(str, CENTERS)) + "\n")


def read_lists_of_wavelengths(folder: Path) -> None:
    """Reads band centers, as the wavelengths of a cube and as another sensor."""
    centers = read_wavelengths(folder / "bands.txt")
    sensors.read_sensor(folder / "bands.txt")
    load(folder / "cube.npy", raster=RasterOptions(wavelengths=centers))


def images(folder: Path) -> None:
    for name in ("a", "b"):
        np.save(folder / f"{name}.npy", cube())
        np.save(folder / f"{name}-gt.npy", labels())
    (folder / "classes.csv").write_text("1,soil\n2,water\n3,wood\n")
    parts = "".join(
        f'[[image]]\nname = "{name}"\ncube = "{name}.npy"\nlabels = "{name}-gt.npy"\n'
        f'set = "{chosen}"\nnodata = -1.0\naxes = "rows,cols,bands"\n\n'
        for name, chosen in (("a", "train"), ("b", "test"))
    )
    (folder / "images.toml").write_text(f'name = "two"\nclasses = "classes.csv"\n\n{parts}')


def read_images(folder: Path) -> None:
    """Reads several images that a file lists."""
    load(folder / "images.toml")


def pictures(folder: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        place = folder / "pictures" / name
        place.mkdir(parents=True)
        for number in range(2):
            pixels = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(place / f"{number}.png")
        Image.fromarray(pixels).save(place / "2.jpg")


def read_pictures(folder: Path) -> None:
    """Reads a folder of pictures."""
    load(folder / "pictures")


def downloaded(folder: Path) -> None:
    npy(folder)
    verify_checksum(folder / "cube.npy", record=True)


def read_checksum(folder: Path) -> None:
    """Compares a file with what is written down of its download."""
    verify_checksum(folder / "cube.npy", record=True)


def sensor_file(folder: Path) -> None:
    envi(folder)


def read_sensor(folder: Path) -> None:
    """Reads the bands of a cube as those of another sensor."""
    sensors.read_sensor(folder / "cube.img.hdr")


# --- products ---------------------------------------------------------------------------------


def product(writer: Callable[[Path], product_files.Written], folder: Path) -> None:
    writer(folder)


def read_product(name: str, folder: Path) -> None:
    """Reads a product as a scene, and shows what is known of it without its values."""
    read_cube(name, folder)


def _products() -> list[InputKind]:
    found = []
    for writer in product_files.WRITERS:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            opened = writer(folder).path.relative_to(folder).as_posix()
            names = sorted(one.relative_to(folder).as_posix() for one in folder.iterdir())
        found += [
            InputKind(
                f"product {writer.__name__} {Path(name).suffix or 'data'}"
                + (f" {at}" if len(names) > 2 else ""),
                name,
                partial(product, writer),
                partial(read_product, opened),
                _mutators_of(name),
                weight=0.3,
            )
            for at, name in enumerate(names)
        ]
    return found


def _mutators_of(name: str) -> tuple[Mutator, ...]:
    suffix = Path(name).suffix.lower()
    if suffix == ".xml":
        return XML
    return LINES if suffix in (".hdr", ".txt") else BYTES


def _cube(
    what: str, name: str, make: Callable[[Path], None], damage: tuple[Mutator, ...] = BYTES
) -> InputKind:
    return InputKind(f"cube {what}", name, make, partial(read_cube, name), damage)


def _labels(
    what: str,
    name: str,
    make: Callable[[Path], None],
    damage: tuple[Mutator, ...] = BYTES,
    classes: str | None = None,
    opened: str = "",
) -> InputKind:
    read = partial(read_labels, opened or name, classes=classes)
    return InputKind(f"labels {what}", name, make, read, damage)


_SHAPES = partial(labels_layer, "labels.shp")

KINDS = [
    _cube(".npy", "cube.npy", npy, NPY),
    InputKind("cube .npz", "cube.npz", npz, partial(read_cube, "cube.npz", variable="cube"), ZIP),
    _cube(".mat 5", "cube.mat", mat5),
    _cube(".mat 5 packed", "cube.mat", mat5_packed),
    _cube(".mat 7.3", "cube.mat", mat73),
    InputKind("cube ENVI header", "cube.img.hdr", envi, partial(read_cube, "cube.img"), LINES, 2),
    _cube("ENVI data", "cube.img", envi),
    _cube("GeoTIFF", "cube.tif", tiff_plain),
    _cube("GeoTIFF packed", "cube.tif", placed),
    _cube("HDF5", "cube.h5", hdf5),
    _cube("NetCDF 4", "cube.nc", netcdf4),
    _cube("NetCDF 3", "cube.nc", netcdf3),
    _labels(".npy", "labels.npy", labels_npy, NPY),
    _labels("palette .png", "labels.png", labels_png),
    _labels("colored .png", "labels.png", labels_rgb, classes="classes.csv"),
    _labels("colors of classes", "classes.csv", labels_rgb, LINES, "classes.csv", "labels.png"),
    _labels("GeoTIFF", "labels.tif", labels_tif),
    _labels("GeoTIFF .aux.xml", "labels.tif.aux.xml", labels_tif, XML, opened="labels.tif"),
    _labels("ENVI header", "labels.hdr", labels_envi, LINES),
    _labels("table of places", "labels.csv", labels_csv, LINES),
    _labels("table of pixels", "labels.csv", labels_pixels, LINES),
    _labels("GeoJSON", "labels.geojson", labels_geojson, JSON),
    _labels("GeoPackage", "labels.gpkg", partial(labels_layer, "labels.gpkg")),
    _labels("Shapefile", "labels.shp", partial(labels_layer, "labels.shp")),
    _labels(
        "Shapefile table", "labels.dbf", partial(labels_layer, "labels.shp"), opened="labels.shp"
    ),
    _labels("list of classes", "classes.csv", labels_classes, LINES, "classes.csv", "labels.npy"),
    InputKind("training pixels", "labels.npy", labels_npy, read_training_pixels, NPY),
    InputKind("wavelengths", "bands.txt", wavelengths, read_lists_of_wavelengths, LINES),
    InputKind("list of images", "images.toml", images, read_images, LINES, 2),
    InputKind("picture .png", "pictures/cat/0.png", pictures, read_pictures, BYTES),
    InputKind("picture .jpg", "pictures/dog/2.jpg", pictures, read_pictures, BYTES),
    InputKind("sensor", "cube.img.hdr", sensor_file, read_sensor, LINES),
    InputKind("checksum of a download", "cube.npy.sha256", downloaded, read_checksum, LINES),
    *_products(),
]
