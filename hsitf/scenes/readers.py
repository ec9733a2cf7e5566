"""Reading a cube or a label map from the formats in which they are passed on.

Every reader returns the numbers as they are stored: scale factors, offsets and no-data values that
a header mentions are not applied, so that a network sees the same raw units on a device. Sizes are
checked against the header and the file before anything large is allocated, and nothing is ever
unpickled.
"""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, HsitfError, InputError, MissingInputError, unknown

MAX_BYTES = 16 << 30
"""Largest array that is read into memory."""

Shape = tuple[int, ...]

_NANOMETERS = {"nm", "nanometer", "nanometers", "nanometre", "nanometres"}
_MICROMETERS = {
    # Both signs for micro are in use.
    *("um", "µm", "μm", "micron", "microns"),
    *("micrometer", "micrometers", "micrometre", "micrometres"),
}
_UNSTATED = {"", "none", "unknown"}

# MATLAB classes that hold plain numbers, with the bytes of one; the names are those of
# scipy.io.whosmat. All others (cell, struct, char, sparse, object, ...) are no arrays here.
_MATLAB_BYTES = {
    **dict.fromkeys(("int8", "uint8", "logical"), 1),
    **dict.fromkeys(("int16", "uint16"), 2),
    **dict.fromkeys(("int32", "uint32", "single"), 4),
    **dict.fromkeys(("int64", "uint64", "double"), 8),
}


@dataclass(frozen=True, eq=False)
class ArrayData:
    """An array as a file holds it.

    Attributes:
        values: (rows, cols, bands) or (rows, cols), or whatever rank the file has; boolean,
            integer or real.
        files: The files it was read from; ENVI has two.
        wavelengths: (bands,) float64 band centers in nanometers, None where the file has none.
    """

    values: NDArray[Any]
    files: tuple[Path, ...]
    wavelengths: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class ArrayFile:
    """An array in a file, from which rows can be read.

    Attributes:
        shape: (rows, cols, bands) or (rows, cols), or whatever rank the file has.
        dtype: Boolean, integer or real.
        files: The files it is read from; ENVI has two.
        kind: Name of the file format, for messages.
        slice: Reads some rows, from one number up to another.
        wavelengths: (bands,) float64 band centers in nanometers, None where the file has none.
        streams: Whether rows are read by themselves, rather than the whole file with the first.
    """

    shape: Shape
    dtype: np.dtype[Any]
    files: tuple[Path, ...]
    kind: str
    slice: Callable[[int, int], NDArray[Any]] = field(repr=False)
    wavelengths: NDArray[np.float64] | None = None
    streams: bool = True

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` up to `stop`, in the type of the file.

        Raises:
            DataError: The file is damaged there.
        """
        with _parser_errors_reported(self.files[-1], self.kind):
            return self.slice(start, stop)


def open_array(path: Path, variable: str | None = None) -> ArrayFile:
    """Opens one array of a file; the suffix determines the format (see `READERS`).

    Args:
        path: The file; of an ENVI pair either the header or the data.
        variable: Name of the array in a file that can hold several. May be left out where only
            one of them has two or more axes longer than 1.

    Raises:
        InputError: No such file or variable, an unknown suffix, or an ambiguous variable.
        DataError: The file is truncated, damaged or of another format, or what it holds are not
            numbers.
    """
    if not path.is_file():
        raise MissingInputError(
            f"there is no file {path}",
            received="a folder" if path.is_dir() else None,
            remedy="correct the path",
        )
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path} has a suffix that no reader is known for",
            received=path.suffix or "no suffix",
            allowed=", ".join(READERS),
            remedy="convert it to one of these, or rename it if it is one of them",
        )
    stored = reader(path, variable)
    if stored.dtype.kind not in "biuf":
        raise DataError(
            f"{path} does not hold real numbers",
            received=f"type {stored.dtype}",
            allowed="boolean, integer or real numbers",
            remedy="convert it before",
        )
    if math.prod(stored.shape) == 0:
        raise DataError(
            f"{path} holds an empty array",
            received=f"shape {stored.shape}",
            remedy="give another file or variable",
        )
    return stored


def read_array(path: Path, variable: str | None = None) -> ArrayData:
    """Reads one array from a file, whole; else as `open_array`.

    Raises:
        DataError: It is too large to be read at once.
    """
    stored = open_array(path, variable)
    _check_fits_memory(stored.files[-1], stored.shape, stored.dtype.itemsize)
    return ArrayData(stored.read(0, stored.shape[0]), stored.files, stored.wavelengths)


def nanometers(values: Sequence[float], unit: str | None) -> NDArray[np.float64] | None:
    """Band centers in nanometers, or None where the unit is not a length.

    Without a stated unit, values that are all below 100 are assumed to be micrometers: no
    hyperspectral sensor measures wavelengths below 100 nm or above 100 um.

    Args:
        values: Band centers.
        unit: Their unit as a header names it.
    """
    centers = np.asarray(values, dtype=np.float64)
    name = (unit or "").strip().lower()
    if name in _UNSTATED:
        name = "um" if centers.max(initial=0.0) < 100 else "nm"
    if name in _MICROMETERS:
        return centers * 1000
    return centers if name in _NANOMETERS else None


def _open_mat(path: Path, variable: str | None) -> ArrayFile:
    """MATLAB: version 7.3 is HDF5 with the axes reversed, the earlier ones are their own format."""
    import h5py

    return (_open_mat73 if h5py.is_hdf5(path) else _open_mat5)(path, variable)


def _open_mat5(path: Path, variable: str | None) -> ArrayFile:
    import scipy.io

    with _parser_errors_reported(path, "a MATLAB file"):
        listing = scipy.io.whosmat(path, appendmat=False)
    found = {name: (shape, kind) for name, shape, kind in listing if kind in _MATLAB_BYTES}
    shapes = {name: tuple(int(n) for n in shape) for name, (shape, _) in found.items()}
    name = _choose(path, shapes, variable)
    _check_fits_memory(path, shapes[name], _MATLAB_BYTES[found[name][1]])
    with _parser_errors_reported(path, "a MATLAB file"):
        values = scipy.io.loadmat(path, appendmat=False, variable_names=[name])[name]
    return _in_memory(values, path, "a MATLAB file")


def _open_mat73(path: Path, variable: str | None) -> ArrayFile:
    import h5py

    kind = "a MATLAB file (version 7.3)"
    with _parser_errors_reported(path, kind), h5py.File(path, "r") as file:
        datasets = _datasets(file)
        # MATLAB counts the first axis fastest, HDF5 the last: the same bytes, axes reversed.
        shapes = {name: item.shape[::-1] for name, item in datasets.items()}
        name = _choose(path, shapes, variable)
        dtype = datasets[name].dtype

    def rows(start: int, stop: int) -> NDArray[Any]:
        with h5py.File(path, "r") as file:
            return np.asarray(file[name][..., start:stop].T)

    return ArrayFile(shapes[name], dtype, (path,), kind, rows)


def _open_hdf5(path: Path, variable: str | None) -> ArrayFile:
    """HDF5 and NetCDF-4, axes as stored, but the band axis last where the file identifies it.

    The band axis is identified by a one-dimensional dataset named `wavelength` or `wavelengths`
    whose length equals that of exactly one axis of the array.
    """
    import h5py

    kind = "HDF5 or NetCDF-4"
    with _parser_errors_reported(path, kind), h5py.File(path, "r") as file:
        datasets = _datasets(file)
        name = _choose(path, {key: item.shape for key, item in datasets.items()}, variable)
        shape, dtype = datasets[name].shape, datasets[name].dtype
        band, wavelengths = _band_axis(datasets, shape)

    def rows(start: int, stop: int) -> NDArray[Any]:
        # The first axis that is not the bands' counts rows.
        chosen = [slice(None)] * len(shape)
        chosen[1 if band == 0 else 0] = slice(start, stop)
        with h5py.File(path, "r") as file:
            values = file[name][tuple(chosen)]
        return np.asarray(values if band is None else np.moveaxis(values, band, -1))

    order = [*shape] if band is None else [*shape[:band], *shape[band + 1 :], shape[band]]
    return ArrayFile(tuple(order), dtype, (path,), kind, rows, wavelengths)


def _band_axis(
    datasets: Mapping[str, Any], shape: Shape
) -> tuple[int | None, NDArray[np.float64] | None]:
    """The band axis of a cube and its wavelengths, as far as the file identifies them."""
    scales = [
        item
        for key, item in datasets.items()
        if key.rpartition("/")[2].lower() in ("wavelength", "wavelengths") and item.ndim == 1
    ]
    if len(scales) != 1 or len(shape) != 3 or shape.count(len(scales[0])) != 1:
        return None, None
    unit = scales[0].attrs.get("units")
    unit = unit.decode() if isinstance(unit, bytes) else unit
    found = nanometers(scales[0][()], None if unit is None else str(unit))
    return shape.index(len(scales[0])), found


def _datasets(file: Any) -> dict[str, Any]:
    """The numeric datasets of an open HDF5 file by their full names."""
    import h5py

    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        # MATLAB keeps the content of cells under #refs# and text as 16-bit integers.
        if (
            isinstance(item, h5py.Dataset)
            and item.shape is not None
            and item.dtype.kind in "biuf"
            and not name.startswith("#")
            and item.attrs.get("MATLAB_class", b"") != b"char"
        ):
            found[name] = item

    file.visititems(visit)
    return found


def _open_envi(path: Path, variable: str | None) -> ArrayFile:
    """ENVI: a text header and a raw file, interleaved by line, pixel or band."""
    import spectral.io.envi as envi

    _single(path, variable)
    header, kind = _envi_header(path), "an ENVI header with its data"
    with _parser_errors_reported(header, kind):
        try:
            image = envi.open(str(header), None if path == header else str(path))
        except envi.EnviDataFileNotFoundError as error:
            raise InputError(
                f"there is no data file for the ENVI header {header}",
                allowed=f"{header.stem}, {header.stem}.img, .raw, .dat, .bil, .bip or .bsq",
                remedy="put it beside the header, or name the data file instead of the header",
            ) from error
        shape = tuple(int(n) for n in (image.nrows, image.ncols, image.nbands))
        data = Path(image.filename)
        _check_file_size(data, shape, image.sample_size, data.stat().st_size - int(image.offset))
        centers, unit = image.bands.centers, image.metadata.get("wavelength units")
        wavelengths = nanometers(centers, unit) if centers else None
    single = shape[2] == 1

    def rows(start: int, stop: int) -> NDArray[Any]:
        # Mapped anew each time: what stays mapped counts as memory in use.
        values = np.array(image.open_memmap(interleave="bip")[start:stop])
        return values[:, :, 0] if single else values

    return ArrayFile(
        shape[:2] if single else shape,
        np.dtype(image.dtype),
        (header, data),
        kind,
        rows,
        None if single else wavelengths,
    )


def _envi_header(path: Path) -> Path:
    if path.suffix.lower() == ".hdr":
        return path
    candidates = [path.with_suffix(".hdr"), path.with_name(path.name + ".hdr")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise InputError(
        f"there is no ENVI header for {path}",
        allowed=" or ".join(c.name for c in candidates) + " beside it",
        remedy="put the header there",
    )


def _open_geotiff(path: Path, variable: str | None) -> ArrayFile:
    """GeoTIFF: one band is a map, several are a cube."""
    import rasterio

    _single(path, variable)
    kind = "a GeoTIFF"
    with _parser_errors_reported(path, kind), _tiff(path) as image:
        shape = (image.height, image.width, image.count)
        dtype = np.result_type(*image.dtypes)
        tags = [image.tags(band) for band in image.indexes]
    single = shape[2] == 1
    wavelengths = None
    if not single and all("wavelength" in tag for tag in tags):
        with _parser_errors_reported(path, "a GeoTIFF with wavelengths"):
            centers = [float(tag["wavelength"]) for tag in tags]
        wavelengths = nanometers(centers, tags[0].get("wavelength_units"))

    def rows(start: int, stop: int) -> NDArray[Any]:
        window = rasterio.windows.Window(0, start, shape[1], stop - start)
        with _tiff(path) as image:
            values: NDArray[Any] = np.moveaxis(image.read(window=window), 0, -1)
        return values[:, :, 0] if single else values

    return ArrayFile(shape[:2] if single else shape, dtype, (path,), kind, rows, wavelengths)


@contextmanager
def _tiff(path: Path) -> Iterator[Any]:
    import rasterio

    # A picture without map coordinates is as good as any here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        # No other driver: GDAL's virtual formats could point at any other file.
        with rasterio.open(path, driver="GTiff") as image:
            yield image


def _open_npy(path: Path, variable: str | None) -> ArrayFile:
    _single(path, variable)
    kind = "a .npy file"
    with _parser_errors_reported(path, kind), path.open("rb") as stream:
        shape, dtype = _npy_header(path, stream)
        _check_file_size(path, shape, dtype.itemsize, path.stat().st_size - stream.tell())

    def rows(start: int, stop: int) -> NDArray[Any]:
        # Mapped anew each time: what stays mapped counts as memory in use.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False)[start:stop])

    if not shape:
        with _parser_errors_reported(path, kind):
            return _in_memory(np.load(path, allow_pickle=False), path, kind)
    return ArrayFile(shape, dtype, (path,), kind, rows)


def _open_npz(path: Path, variable: str | None) -> ArrayFile:
    kind = "an .npz file"
    with _parser_errors_reported(path, kind), zipfile.ZipFile(path) as archive:
        headers, room = {}, {}
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                continue
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as stream:
                headers[name] = _npy_header(path, stream)
                room[name] = member.file_size - stream.tell()
        name = _choose(path, {key: shape for key, (shape, _) in headers.items()}, variable)
        shape, dtype = headers[name]
        _check_fits_memory(path, shape, dtype.itemsize)
        _check_file_size(path, shape, dtype.itemsize, room[name])
        with np.load(path, allow_pickle=False) as arrays:
            return _in_memory(arrays[name], path, kind)


def _in_memory(values: NDArray[Any], path: Path, kind: str) -> ArrayFile:
    """An array of a format that is read at once or not at all."""

    def rows(start: int, stop: int) -> NDArray[Any]:
        return values if values.ndim == 0 else values[start:stop]

    return ArrayFile(values.shape, values.dtype, (path,), kind, rows, streams=False)


def _npy_header(path: Path, stream: BinaryIO | Any) -> tuple[Shape, np.dtype[Any]]:
    """Shape and type from the head of a .npy stream, which is left at the first value."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        # Version 3 differs only in that names of record fields may be Unicode.
        raise DataError(f"{path} holds records, not an array", remedy="save plain numbers")
    if dtype.hasobject:
        raise DataError(
            f"{path} holds pickled objects, which are never loaded",
            received=f"type {dtype}",
            allowed="boolean, integer or real numbers",
            remedy="save it anew as an array of numbers",
        )
    return shape, dtype


READERS: Mapping[str, Callable[[Path, str | None], ArrayFile]] = {
    ".mat": _open_mat,
    ".hdr": _open_envi,
    ".img": _open_envi,
    ".raw": _open_envi,
    ".dat": _open_envi,
    ".bil": _open_envi,
    ".bip": _open_envi,
    ".bsq": _open_envi,
    ".tif": _open_geotiff,
    ".tiff": _open_geotiff,
    ".nc": _open_hdf5,
    ".nc4": _open_hdf5,
    ".h5": _open_hdf5,
    ".he5": _open_hdf5,
    ".hdf5": _open_hdf5,
    ".npy": _open_npy,
    ".npz": _open_npz,
}
"""The reader for each suffix; adding a format is adding a row."""


def _choose(path: Path, shapes: Mapping[str, Shape], variable: str | None) -> str:
    """The name of the array to read: `variable`, or the only one with more than one long axis."""
    if variable is not None:
        if variable in shapes:
            return variable
        raise unknown(f"{path.name} variable", variable, shapes)
    candidates = [name for name, shape in shapes.items() if sum(n > 1 for n in shape) > 1]
    if len(candidates) == 1:
        return candidates[0]
    listed = ", ".join(f"{name} {shapes[name]}" for name in candidates or shapes) or "nothing"
    if candidates:
        raise InputError(
            f"{path} holds several arrays", allowed=listed, remedy="name one of these variables"
        )
    raise DataError(
        f"{path} holds neither a cube nor a map",
        received=listed,
        allowed="a numeric array with two or more axes",
        remedy="give another file",
    )


def _single(path: Path, variable: str | None) -> None:
    """Raises where a variable is named in a file without variables."""
    if variable is not None:
        raise InputError(
            f"{path} holds a single array without a name",
            received=f"variable {variable!r}",
            remedy="leave the variable out",
        )


def _check_fits_memory(path: Path, shape: Shape, item_bytes: int) -> None:
    """Raises where an array does not fit into memory."""
    needed = math.prod(shape) * item_bytes
    if needed > MAX_BYTES:
        raise DataError(
            f"{path} holds an array that is too large to be read at once",
            received=f"shape {shape}, {needed} bytes",
            allowed=f"{MAX_BYTES} bytes",
            remedy="cut it into smaller files",
        )


def _check_file_size(path: Path, shape: Shape, item_bytes: int, available: int) -> None:
    """Raises where an array does not fit into the `available` bytes of its file."""
    needed = math.prod(shape) * item_bytes
    if needed > available:
        raise DataError(
            f"{path} is truncated, or its header is not its own",
            received=f"{available} bytes of values",
            allowed=f"{needed} bytes for shape {shape}",
            remedy="fetch it again",
        )


@contextmanager
def _parser_errors_reported(path: Path, kind: str) -> Iterator[None]:
    """Turns whatever a parser raises on a damaged file into a `DataError`."""
    try:
        yield
    except HsitfError:
        raise
    except MemoryError as error:
        raise DataError(
            f"there is not enough memory to read {path}", remedy="cut it into smaller files"
        ) from error
    # Parsers meet damaged bytes with errors of any type.
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise DataError(
            f"{path} cannot be read as {kind}",
            received=reason,
            remedy="it may be truncated, damaged or of another format: fetch it again or correct "
            "its suffix",
        ) from error
