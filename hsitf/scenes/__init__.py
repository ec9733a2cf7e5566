"""Scenes: by name from the catalog, built in, or from files of the user's own.

`load` returns a checked `Scene` for any supported file format. The files of a catalog scene are
downloaded once where they are served, and compared with the catalog every time.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf import files
from hsitf.errors import DataError, InputError, MissingInputError, unknown
from hsitf.scenes import download
from hsitf.scenes.catalog import (
    CATALOG,
    BandCenters,
    CatalogEntry,
    CatalogFile,
    LabelEncoding,
    SceneLayout,
)
from hsitf.scenes.cube import prepare_cube
from hsitf.scenes.image_list import (
    SUFFIX,
    ImageList,
    find_image_list,
    image_label_options,
    image_named,
    image_raster_options,
    read_image_list,
)
from hsitf.scenes.image_sets import IMAGE_SETS, IMAGE_SIDE, picture_scene
from hsitf.scenes.labels import LabelMap, LabelOptions, RasterGrid, label_numbers, read_labels
from hsitf.scenes.metadata import Color, RasterOptions
from hsitf.scenes.picture_folder import PictureFolder, common_side, find_picture_folder
from hsitf.scenes.raster_source import RasterSource
from hsitf.scenes.readers import (
    READERS,
    check_fits_memory,
    check_packed,
    open_array,
    read_array,
)
from hsitf.scenes.scene import Scene
from hsitf.scenes.stacking import stack_images
from hsitf.scenes.transfer import DownloadProgress

__all__ = [
    "RasterSource",
    "Scene",
    "check_found",
    "load",
    "names",
    "open_raster",
    "picture_side",
]

BUILT_IN = "fields"
"""The scene that is generated and needs no files."""

# Folder of trained networks, as `hsitf.runs` lays it out in the folder that one works in.
_MODELS = Path("models")
_log = logging.getLogger(__name__)


_OWN_LABELS = LabelOptions()
_AS_IT_IS = RasterOptions()


@dataclass(frozen=True)
class _LoadOptions:
    """The options of `load` besides the scene itself."""

    data_dir: Path | None
    labels: Path | None
    variable: str | None
    label_options: LabelOptions
    raster: RasterOptions
    picture_size: int | None
    progress: DownloadProgress | None

    @property
    def has_labels(self) -> bool:
        """Whether the user named labels besides the scene's own."""
        return self.labels is not None or self.label_options.variable is not None


def names() -> list[str]:
    """Names that `load` accepts, the built-in scene last."""
    return [*CATALOG, *IMAGE_SETS, BUILT_IN]


def load(
    name_or_path: str | Path,
    data_dir: str | Path | None = None,
    *,
    labels: str | Path | None = None,
    variable: str | None = None,
    label_options: LabelOptions = _OWN_LABELS,
    raster: RasterOptions = _AS_IT_IS,
    picture_size: int | None = None,
    progress: DownloadProgress | None = None,
) -> Scene:
    """Loads a scene.

    A name wins over a file of the same name; write `./NAME` for the file. The files of a catalog
    scene are looked for in `data_dir` and in its sub-folder named as the scene. Without
    `data_dir` they are looked for in `$HSITF_DATA` (`~/.cache/hsitf/scenes` where that is not
    set) in the same way, and those that are served are downloaded to the sub-folder there.

    The cube keeps the units of its source; integers above 2**24 and float64 are rounded to float32.

    Args:
        name_or_path: One of `names()` in any case, the path of a cube (see `readers.READERS`), or a
            folder of pictures with a sub-folder for each class.
        data_dir: Folder with the files of a catalog scene; nothing is written there.
        labels: A label map (rows, cols) to use instead of the scene's own, 0 = unlabelled.
            Without one, all pixels of a cube given by its path are unlabelled, and there are no
            classes.
        variable: Variable of the cube, where it is not the catalog's or there are several.
        label_options: What the user says of the label map. Without `labels`, a variable of it is
            looked up in the catalog scene's label file, or in the file of the cube.
        raster: What the user says of the cube that its file does not.
        picture_size: Rows and cols that pictures are resized to; None to leave those of a folder as
            they are.
        progress: Called with the bytes downloaded and the total (None where unknown).

    Raises:
        InputError: Unknown name, missing file or folder, unknown variable.
        DataError: The files are damaged, have changed since they were first used, or do not match
            the catalog; the download failed.
    """
    request = _LoadOptions(
        None if data_dir is None else Path(data_dir).expanduser(),
        None if labels is None else Path(labels).expanduser(),
        variable,
        label_options,
        raster,
        picture_size,
        progress,
    )
    name = str(name_or_path)
    if picture_size is not None and not _has_pictures(name):
        raise InputError(
            f"{name} is no set of pictures",
            received=f"--picture-size {picture_size}",
            allowed=f"{', '.join(IMAGE_SETS)}, or a folder of one folder of pictures a class",
            remedy="leave it out",
        )
    if (path := _path_of(name)) is not None:
        return _from_path(path, request)
    if name.lower() == BUILT_IN:
        return _built_in(request)
    for entry in CATALOG.values():
        if name.lower() == entry.name.lower():
            return _from_catalog(entry, request)
    return _image_set(name.lower(), request)


def picture_side(name_or_path: str, picture_size: int | None = None) -> int | None:
    """Rows and cols of the pictures of a scene, whose samples are whole pictures.

    Args:
        name_or_path: The scene, as `load` takes it.
        picture_size: As `load` takes it.

    Returns:
        None where the scene is an image of pixels, or does not exist.

    Raises:
        InputError: The pictures are not of one size, and none is asked for.
        DataError: A file is no picture that can be read.
    """
    if name_or_path.lower() in IMAGE_SETS:
        return picture_size or IMAGE_SIDE
    folder = None if _is_name(name_or_path) else _pictures_of(Path(name_or_path).expanduser())
    return None if folder is None else common_side(folder, picture_size)[0]


def _has_pictures(name: str) -> bool:
    if _is_name(name):
        return name.lower() in IMAGE_SETS
    return _pictures_of(Path(name).expanduser()) is not None


def _pictures_of(path: Path) -> PictureFolder | None:
    """The pictures of a folder; None where it lists images of pixels, or holds something else."""
    return None if find_image_list(path) is not None else find_picture_folder(path)


def _is_name(name: str) -> bool:
    return name.lower() in {known.lower() for known in names()}


def open_raster(
    name_or_path: str,
    data_dir: str | Path | None = None,
    *,
    labels: str | Path | None = None,
    variable: str | None = None,
    label_options: LabelOptions = _OWN_LABELS,
    raster: RasterOptions = _AS_IT_IS,
    band_numbers: Sequence[int] = (),
    source_bands: int = 0,
) -> RasterSource:
    """Opens what is to be classified: a scene by name, in memory, or a cube by path, in its file.

    Args and errors are those of `load`, but for the cube's values, which are not looked at, and:
        band_numbers: Indices of the bands that a network was trained on, in their order; empty to
            choose them anew.
        source_bands: Number of bands of the files that these count in. In a file of another
            number they mean nothing: its bands are chosen anew.
    """
    path = _path_of(name_or_path)
    if _has_pictures(name_or_path):
        raise InputError(
            f"{name_or_path} is a set of pictures, which has no map",
            received="whole pictures as samples",
            remedy="train, prune and export classify its test pictures and record how well",
        )
    if path is None:
        return RasterSource.from_scene(
            load(
                name_or_path,
                data_dir,
                labels=labels,
                variable=variable,
                label_options=label_options,
                raster=raster,
            )
        )
    if find_image_list(path) is not None:
        raise InputError(
            f"{path} lists several images", remedy="classify them one by one, by their own paths"
        )
    file = open_array(path, variable, raster.axes)
    known = band_numbers if file.shape[-1] == source_bands else ()
    cube = prepare_cube(file, raster, known)
    source = RasterSource.from_cube(path, cube)
    if not labels and not label_options.variable:
        return source
    own_path = Path(labels).expanduser() if labels else path
    truth = read_labels(own_path, label_options, RasterGrid(cube.shape[:2], cube.georeference))
    sources = _digests([*cube.file.files, *truth.files])
    return replace(
        source,
        labels=truth.labels,
        class_names=truth.class_names,
        class_colors=truth.class_colors,
        sources=tuple(sources.items()),
    )


def _path_of(name: str) -> Path | None:
    """The path that a user gives, or None for the name of a scene.

    Raises:
        InputError: It is neither a path nor a name.
    """
    if _is_name(name):
        return None
    path = Path(name).expanduser()
    known = path.suffix.lower() in (*READERS, SUFFIX)
    if path.exists() or known or len(path.parts) > 1:
        return path
    raise _unknown_scene(name)


def check_found(name_or_path: str) -> None:
    """Refuses a scene that does not exist, before anything is said or done about it.

    Args:
        name_or_path: The scene, as `load` takes it.

    Raises:
        InputError: There is no scene of that name.
        MissingInputError: There is no such file or folder.
    """
    path = _path_of(name_or_path)
    if path is not None and not path.exists():
        raise MissingInputError(f"there is no file {path}", remedy="correct the path")


def _unknown_scene(name: str) -> InputError:
    """The error for a name of no scene: what it may have meant first, a file here before all."""
    here = [
        path.name
        for suffix in (*READERS, SUFFIX)
        for path in sorted(Path().glob("*"))
        if path.stem.lower() == name.lower() and path.suffix.lower() == suffix and path.is_file()
    ]
    if here:
        return InputError(
            f"unknown scene {name!r}",
            received="the name of a file without its suffix",
            allowed=f"{', '.join(here)} in this folder; or {', '.join(names())}",
            remedy=f"give the file: --scene {shlex.quote(here[0])}",
        )
    # Verbs take the names of scenes that networks were trained on, too.
    trained = sorted({path.parts[-4] for path in _MODELS.glob("*/*/*/record.json")})
    return unknown("scene", name, dict.fromkeys([*trained, *names()]))


def _built_in(request: _LoadOptions) -> Scene:
    if request.has_labels or request.variable:
        raise InputError(
            f"the built-in scene {BUILT_IN} is not read from files",
            received="labels or a variable",
            remedy="leave them out",
        )
    return _cached_fields()


@lru_cache(maxsize=1)
def _cached_fields() -> Scene:
    """The built-in scene, drawn once a process: studies ask for it at every stage."""
    from hsitf.scenes.synthetic import fields

    scene = fields(seed=0)
    for shared in (scene.cube, scene.labels):
        shared.setflags(write=False)
    return scene


def _image_set(name: str, request: _LoadOptions) -> Scene:
    _check_no_labels(name, request)
    return IMAGE_SETS[name](request.data_dir, request.picture_size)


def _check_no_labels(name: str, request: _LoadOptions) -> None:
    if request.has_labels or request.variable:
        raise InputError(
            f"the pictures of {name} have their classes already",
            received="labels or a variable",
            remedy="leave them out",
        )


def _from_path(path: Path, request: _LoadOptions) -> Scene:
    """The scene of a cube given by its path, with the label map given beside it or none."""
    listed = find_image_list(path)
    if listed is not None:
        return _of_several(read_image_list(listed), request)
    pictures = find_picture_folder(path)
    if pictures is not None:
        _check_no_labels(str(path), request)
        return picture_scene(pictures, request.picture_size)
    file = open_array(path, request.variable, request.raster.axes)
    prepared = prepare_cube(file, request.raster)
    check_fits_memory(path, file.shape, file.dtype.itemsize)
    check_packed(path, file.shape, file.dtype.itemsize, file.files)
    cube = prepared.read(0, prepared.shape[0])
    sources, notes = list(file.files), list(prepared.notes)
    labels = np.zeros(prepared.shape[:2], np.int32)
    names: tuple[str, ...] = ()
    colors: tuple[Color, ...] = ()
    if request.has_labels:
        grid = RasterGrid(prepared.shape[:2], prepared.georeference)
        truth = read_labels(request.labels or path, request.label_options, grid)
        labels, names, colors = truth.labels, truth.class_names, truth.class_colors
        sources.extend(truth.files)
        notes.extend(truth.notes)
    labels = _on_valid_pixels(cube, labels, notes)
    whole = np.array_equal(prepared.band_numbers, np.arange(file.shape[2]))
    return Scene(
        name=path.stem,
        cube=cube,
        labels=labels,
        class_names=names,
        wavelengths=prepared.wavelengths,
        rgb_bands=_rgb_bands(prepared.shape[2], prepared.wavelengths),
        sources=_digests(sources),
        band_numbers=() if whole else tuple(prepared.band_numbers.tolist()),
        source_bands=0 if whole else file.shape[2],
        georeference=prepared.georeference,
        class_colors=colors,
        notes=tuple(notes),
        product=prepared.product,
        scale=prepared.scale,
        offset=prepared.offset,
        fwhm=prepared.fwhm,
    )


def _of_several(listed: ImageList, request: _LoadOptions) -> Scene:
    """The scene of several images that a file lists."""
    if request.has_labels:
        raise InputError(
            f"{listed.path} names the labels of its images",
            received="--labels or --labels-variable",
            remedy="leave them out",
        )
    found = []
    for image in listed.images:
        own = replace(
            request,
            labels=image.labels,
            variable=image.variable or request.variable,
            label_options=image_label_options(listed, image, request.label_options),
            raster=image_raster_options(image, request.raster),
        )
        with image_named(image.name):
            if find_image_list(image.cube) is not None:
                raise InputError(f"{image.cube} is a list of images itself", allowed="a cube")
            found.append(_from_path(image.cube, own))
    return stack_images(listed, found)


def _on_valid_pixels(
    cube: NDArray[np.float32], labels: NDArray[np.int32], notes: list[str]
) -> NDArray[np.int32]:
    """The labels without those of pixels that have no data; says how many there are."""
    missing = np.isnan(cube).any(axis=2)
    count = int(np.count_nonzero(missing))
    if not count:
        return labels
    lost = int(np.count_nonzero(labels[missing]))
    notes.append(
        f"{count:,} of {missing.size:,} pixels ({count / missing.size:.1%}) have no data"
        + (f"; {lost:,} of them were labelled" if lost else "")
        + "."
    )
    return np.where(missing, 0, labels).astype(np.int32)


def _digests(paths: Sequence[Path]) -> dict[str, str]:
    """SHA-256 by file name; by folder and file name where two files have the same."""
    found: dict[str, str] = {}
    for path in dict.fromkeys(paths):
        name = path.name if path.name not in found else f"{path.resolve().parent.name}/{path.name}"
        found[name] = files.sha256(path)
    return found


def _rgb_bands(bands: int, wavelengths: NDArray[np.float64] | None) -> tuple[int, int, int]:
    """The bands nearest to 650, 550 and 450 nm, or three spread over an unknown range."""
    if wavelengths is None:
        return (3 * bands // 4, bands // 2, bands // 4)
    red, green, blue = (int(np.abs(wavelengths - nm).argmin()) for nm in (650, 550, 450))
    return (red, green, blue)


def _from_catalog(entry: CatalogEntry, request: _LoadOptions) -> Scene:
    layout, paths = _located(entry, request)
    # Files in a user's folder are compared with a record there, but no record is written.
    digests = {
        name: download.verify_checksum(path, record=request.data_dir is None)
        for name, path in paths.items()
    }
    cube = _catalog_cube(entry, layout, paths[layout.cube.name], request.variable)
    notes: list[str] = []
    class_colors: tuple[Color, ...] = ()
    if not request.has_labels:
        labels = _catalog_labels(entry, layout, paths[layout.labels.name])
        class_names = layout.class_names or entry.class_names
        _check_classes(entry, labels, class_names)
        if layout.note:
            _log.warning("%s: %s", entry.name, layout.note)
    else:
        file = request.labels or paths[layout.labels.name]
        truth = read_labels(file, request.label_options, RasterGrid(cube.shape[:2]))
        truth = _in_catalog_numbers(entry, truth)
        labels, class_names, class_colors = truth.labels, truth.class_names, truth.class_colors
        notes.extend(truth.notes)
        digests |= {path.name: files.sha256(path) for path in truth.files}
    return Scene(
        name=entry.name,
        cube=cube,
        labels=_on_valid_pixels(cube, labels, notes),
        class_names=class_names,
        class_colors=class_colors,
        notes=tuple(notes),
        wavelengths=None if entry.spectrum is None else _wavelengths(entry.spectrum),
        rgb_bands=entry.rgb_bands,
        sources=digests,
    )


def _in_catalog_numbers(entry: CatalogEntry, truth: LabelMap) -> LabelMap:
    """The user's labels of a catalog scene: its classes by number where they bring no names."""
    known = len(entry.class_names)
    if truth.has_names or not truth.numbers or max(truth.numbers) > known:
        return truth
    table = np.array([0, *truth.numbers], np.int32)
    return replace(
        truth,
        labels=table[truth.labels],
        class_names=entry.class_names,
        class_colors=truth.class_colors if len(truth.numbers) == known else (),
        # Numbers with gaps stay as they are.
        notes=tuple(note for note in truth.notes if not note.startswith("Labels ")),
    )


def _located(entry: CatalogEntry, request: _LoadOptions) -> tuple[SceneLayout, dict[str, Path]]:
    """The first layout whose files all exist or can be downloaded, and their paths."""
    folders = _folders(entry, request)
    for layout in entry.layouts:
        found = {name: _find(name, folders) for name in _needed(layout, request)}
        paths = {name: path for name, path in found.items() if path is not None}
        if len(paths) == len(found):
            return layout, paths
    if request.data_dir is None:
        for layout in entry.layouts:
            needed = _needed(layout, request)
            if all(file.address for file in needed.values()):
                return layout, _fetched(needed, folders, request.progress)
    raise MissingInputError(
        f"files of {entry.name} are missing",
        received="looked in " + " and ".join(str(folder) for folder in folders),
        allowed=_listed(entry, request),
        remedy="put them there or name their folder with --data-dir",
    )


def _folders(entry: CatalogEntry, request: _LoadOptions) -> tuple[Path, Path]:
    data_dir = request.data_dir
    if data_dir is None:
        root = os.environ.get("HSITF_DATA") or "~/.cache/hsitf/scenes"
        data_dir = Path(root).expanduser()
    elif not data_dir.is_dir():
        raise MissingInputError(
            f"there is no folder {data_dir}",
            received=f"--data-dir for {entry.name}",
            allowed=f"a folder with {_listed(entry, request)}",
            remedy="correct the path",
        )
    return data_dir, data_dir / entry.name


def _listed(entry: CatalogEntry, request: _LoadOptions) -> str:
    """The file names that would do, for a message."""
    return "; or ".join(" and ".join(_needed(layout, request)) for layout in entry.layouts)


def _needed(layout: SceneLayout, request: _LoadOptions) -> dict[str, CatalogFile]:
    """The files to be read, by their names."""
    # With a label map of the user's own the layout's is not needed.
    wanted = (layout.cube,) if request.labels else (layout.cube, layout.labels)
    return {file.name: file for file in wanted}


def _find(name: str, folders: tuple[Path, ...]) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _fetched(
    files: Mapping[str, CatalogFile],
    folders: tuple[Path, ...],
    progress: DownloadProgress | None,
) -> dict[str, Path]:
    """Paths of the files, after downloading those that are missing to the last folder."""
    paths = {}
    for name, file in files.items():
        path = _find(name, folders)
        if path is None and file.address is not None:
            path = folders[-1] / name
            download.download(file.address, path, progress, sha256=file.sha256)
        if path is not None:
            paths[name] = path
    return paths


def _catalog_cube(
    entry: CatalogEntry, layout: SceneLayout, path: Path, variable: str | None
) -> NDArray[np.float32]:
    values = read_array(path, variable or layout.cube.variable).values
    if layout.label_encoding is LabelEncoding.ABUNDANCES:
        _check_shape(entry, path, values, (entry.bands, entry.rows * entry.cols))
        return _float32(_as_image(values, entry.rows, entry.cols))
    _check_shape(entry, path, values, (entry.rows, entry.cols, entry.bands))
    return _float32(values)


def _catalog_labels(entry: CatalogEntry, layout: SceneLayout, path: Path) -> NDArray[np.int32]:
    values = read_array(path, layout.labels.variable).values
    if layout.label_encoding is LabelEncoding.ABUNDANCES:
        _check_shape(entry, path, values, (len(entry.class_names), entry.rows * entry.cols))
        return _dominant(path, _as_image(values, entry.rows, entry.cols))
    _check_shape(entry, path, values, (entry.rows, entry.cols))
    labels = label_numbers(path, values)
    return labels if layout.label_values is None else _renumbered(path, labels, layout.label_values)


def _as_image(values: NDArray[Any], rows: int, cols: int) -> NDArray[Any]:
    """(n, rows * cols) with pixels running down the columns -> (rows, cols, n), without a copy."""
    image: NDArray[Any] = values.reshape(len(values), cols, rows).transpose(2, 1, 0)
    return image


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """The same numbers as C-contiguous float32, NaN in all bands where one is no number."""
    with np.errstate(over="ignore"):
        cube = np.ascontiguousarray(values, dtype=np.float32)
    missing = ~np.isfinite(cube).all(axis=-1)
    if missing.any():
        cube = cube.copy()
        cube[missing] = np.nan
    return cube


def _dominant(path: Path, abundances: NDArray[Any]) -> NDArray[np.int32]:
    """(rows, cols, classes) shares -> (rows, cols) labels; 0 where no class has a share."""
    if not np.isfinite(abundances).all():
        raise DataError(
            f"{path} holds abundances that are not numbers",
            allowed="finite shares",
            remedy="fetch it again",
        )
    dominant = abundances.argmax(axis=2) + 1
    return np.where(abundances.max(axis=2) > 0, dominant, 0).astype(np.int32)


def _renumbered(
    path: Path, values: NDArray[np.int32], pairs: tuple[tuple[int, int], ...]
) -> NDArray[np.int32]:
    known = dict(pairs)
    found = np.unique(values).tolist()
    if strange := [value for value in found if value not in known]:
        raise DataError(
            f"{path} holds labels that the scene does not have",
            received=strange,
            allowed=", ".join(map(str, known)),
            remedy="give the scene's own label file",
        )
    table = np.zeros(max(known) + 1, np.int32)
    for value, label in pairs:
        table[value] = label
    return table[values]


def _check_shape(
    entry: CatalogEntry, path: Path, values: NDArray[Any], expected: tuple[int, ...]
) -> None:
    if values.shape != expected:
        raise DataError(
            f"{path} is not what {entry.name} should be",
            received=f"shape {values.shape}",
            allowed=f"shape {expected}",
            remedy="give the file as published, or load it by its path",
        )


def _check_classes(
    entry: CatalogEntry, labels: NDArray[np.int32], class_names: tuple[str, ...]
) -> None:
    present = sorted(set(np.unique(labels).tolist()) - {0})
    if present != list(range(1, len(class_names) + 1)):
        raise DataError(
            f"the labels of {entry.name} are not as published",
            received=f"labels {present}",
            allowed=f"each of 1 to {len(class_names)}",
            remedy="give the label file as published, or this one as labels of your own",
        )


def _wavelengths(spectrum: BandCenters) -> NDArray[np.float64]:
    """(bands,) float64 nominal band centers in nanometers of a scene's bands."""
    centers = np.concatenate([np.linspace(*stretch) for stretch in spectrum.ranges])
    dropped = [np.arange(first - 1, last) for first, last in spectrum.removed]
    return np.delete(centers, np.concatenate(dropped)) if dropped else centers
