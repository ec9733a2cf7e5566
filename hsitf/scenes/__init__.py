"""Scenes: by name from the catalog, built in, or from files of the user's own.

`load` returns a checked `Scene` for any supported file format. The files of a catalog scene are
downloaded once where they are served, and compared with the catalog every time.
"""

from __future__ import annotations

import logging
import os
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
    BASE_URL,
    CATALOG,
    BandCenters,
    CatalogEntry,
    LabelEncoding,
    SceneLayout,
)
from hsitf.scenes.image_sets import IMAGE_SETS
from hsitf.scenes.raster_source import RasterSource
from hsitf.scenes.readers import READERS, open_array, read_array
from hsitf.scenes.scene import Scene

__all__ = ["RasterSource", "Scene", "load", "names", "open_raster"]

BUILT_IN = "fields"
"""The scene that is generated and needs no files."""

MAX_LABEL = 1000
"""Largest label; anything above is a no-data value or no label map."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _LoadOptions:
    """The options of `load` besides the scene itself."""

    data_dir: Path | None
    labels: Path | None
    variable: str | None
    labels_variable: str | None
    progress: download.DownloadProgress | None


def names() -> list[str]:
    """Names that `load` accepts, the built-in scene last."""
    return [*CATALOG, *IMAGE_SETS, BUILT_IN]


def load(
    name_or_path: str | Path,
    data_dir: str | Path | None = None,
    *,
    labels: str | Path | None = None,
    variable: str | None = None,
    labels_variable: str | None = None,
    progress: download.DownloadProgress | None = None,
) -> Scene:
    """Loads a scene.

    A name wins over a file of the same name; write `./NAME` for the file. The files of a catalog
    scene are looked for in `data_dir` and in its sub-folder named as the scene. Without
    `data_dir` they are looked for in `$HSITF_DATA` (`~/.cache/hsitf/scenes` where that is not
    set) in the same way, and those that are served are downloaded to the sub-folder there.

    The cube keeps the units of its source; integers above 2**24 and float64 are rounded to float32.

    Args:
        name_or_path: One of `names()` in any case, or the path of a cube (see `readers.READERS`).
        data_dir: Folder with the files of a catalog scene; nothing is written there.
        labels: A label map (rows, cols) to use instead of the scene's own, 0 = unlabelled.
            Without one, all pixels of a cube given by its path are unlabelled, and there are no
            classes.
        variable: Variable of the cube, where it is not the catalog's or there are several.
        labels_variable: Variable of the label map. Without `labels` it is looked up in the
            catalog scene's label file, or in the file of the cube.
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
        labels_variable,
        progress,
    )
    name = str(name_or_path)
    if (path := _path_of(name)) is not None:
        return _from_path(path, request)
    if name.lower() == BUILT_IN:
        return _built_in(request)
    for entry in CATALOG.values():
        if name.lower() == entry.name.lower():
            return _from_catalog(entry, request)
    return _image_set(name.lower(), request)


def open_raster(
    name_or_path: str,
    data_dir: str | Path | None = None,
    *,
    labels: str | Path | None = None,
    variable: str | None = None,
    labels_variable: str | None = None,
) -> RasterSource:
    """Opens what is to be classified: a scene by name, in memory, or a cube by path, in its file.

    Args and errors are those of `load`, but for the cube's values, which are not looked at.
    """
    path = _path_of(name_or_path)
    if path is None:
        return RasterSource.from_scene(
            load(
                name_or_path,
                data_dir,
                labels=labels,
                variable=variable,
                labels_variable=labels_variable,
            )
        )
    site = RasterSource.from_file(path, open_array(path, variable))
    if not labels and not labels_variable:
        return site
    own_path = Path(labels).expanduser() if labels else path
    truth = read_array(own_path, labels_variable)
    found = _label_map(own_path, truth.values)
    if found.shape != site.shape[:2]:
        raise DataError(
            f"the labels of {site.name} are of another size than its cube",
            received=f"labels {found.shape}, cube {site.shape[:2]}",
            allowed="the same rows and cols",
            remedy="give the label map that belongs to this cube",
        )
    sources = [*open_array(path, variable).files, *truth.files]
    return replace(
        site, labels=found, class_names=_numbered(found), sources=tuple(_digests(sources).items())
    )


def _path_of(name: str) -> Path | None:
    """The path that a user gives, or None for the name of a scene.

    Raises:
        InputError: It is neither a path nor a name.
    """
    if name.lower() in {known.lower() for known in names()}:
        return None
    path = Path(name).expanduser()
    if path.exists() or path.suffix.lower() in READERS or len(path.parts) > 1:
        return path
    raise unknown("scene", name, names())


def _numbered(labels: NDArray[np.int32]) -> tuple[str, ...]:
    """Default class names of a label map without names."""
    return tuple(f"class {k}" for k in range(1, int(labels.max()) + 1))


def _built_in(request: _LoadOptions) -> Scene:
    if request.labels or request.variable or request.labels_variable:
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
    if request.labels or request.variable or request.labels_variable:
        raise InputError(
            f"the pictures of {name} have their classes already",
            received="labels or a variable",
            remedy="leave them out",
        )
    return IMAGE_SETS[name](request.data_dir)


def _from_path(path: Path, request: _LoadOptions) -> Scene:
    """The scene of a cube given by its path, with the label map given beside it or none."""
    cube = read_array(path, request.variable)
    sources = list(cube.files)
    labels = np.zeros(cube.values.shape[:2], np.int32)
    if request.labels or request.labels_variable:
        truth = read_array(request.labels or path, request.labels_variable)
        labels = _label_map(request.labels or path, truth.values)
        sources.extend(truth.files)
    return Scene(
        name=path.stem,
        cube=_float32(cube.values),
        labels=labels,
        class_names=_numbered(labels),
        wavelengths=cube.wavelengths,
        rgb_bands=_rgb_bands(cube.values.shape[-1], cube.wavelengths),
        sources=_digests(sources),
    )


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
    if request.labels is None and request.labels_variable is None:
        labels = _catalog_labels(entry, layout, paths[layout.labels.name])
        class_names = layout.class_names or entry.class_names
        _check_classes(entry, labels, class_names)
        if layout.note:
            _log.warning("%s: %s", entry.name, layout.note)
    else:
        file = request.labels or paths[layout.labels.name]
        truth = read_array(file, request.labels_variable)
        labels, class_names = _label_map(file, truth.values), entry.class_names
        digests |= {path.name: files.sha256(path) for path in truth.files}
    return Scene(
        name=entry.name,
        cube=cube,
        labels=labels,
        class_names=class_names,
        wavelengths=None if entry.spectrum is None else _wavelengths(entry.spectrum),
        rgb_bands=entry.rgb_bands,
        sources=digests,
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
            urls = _needed(layout, request)
            if None not in urls.values():
                return layout, _fetched(urls, folders, request.progress)
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


def _needed(layout: SceneLayout, request: _LoadOptions) -> dict[str, str | None]:
    """Names of the files to be read, with the address of each that is served."""
    # With a label map of the user's own the layout's is not needed.
    wanted = (layout.cube,) if request.labels else (layout.cube, layout.labels)
    return {
        file.name: None if file.folder is None else BASE_URL + file.folder + file.name
        for file in wanted
    }


def _find(name: str, folders: tuple[Path, ...]) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def _fetched(
    urls: Mapping[str, str | None],
    folders: tuple[Path, ...],
    progress: download.DownloadProgress | None,
) -> dict[str, Path]:
    """Paths of the files, after downloading those that are missing to the last folder."""
    paths = {}
    for name, url in urls.items():
        path = _find(name, folders)
        if path is None and url is not None:
            path = folders[-1] / name
            download.download(url, path, progress)
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
    labels = _label_map(path, values)
    return labels if layout.label_values is None else _renumbered(path, labels, layout.label_values)


def _as_image(values: NDArray[Any], rows: int, cols: int) -> NDArray[Any]:
    """(n, rows * cols) with pixels running down the columns -> (rows, cols, n), without a copy."""
    image: NDArray[Any] = values.reshape(len(values), cols, rows).transpose(2, 1, 0)
    return image


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """The same numbers as C-contiguous float32, copied once if at all."""
    # What is too large becomes infinite, which `Scene` reports.
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)


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


def _label_map(path: Path, values: NDArray[Any]) -> NDArray[np.int32]:
    """(rows, cols) of whole numbers 0 to `MAX_LABEL`, however they were stored."""
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim != 2:
        raise DataError(
            f"{path} does not hold a label map",
            received=f"shape {values.shape}",
            allowed="(rows, cols)",
            remedy="name the variable that holds the label map",
        )
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise DataError(
            f"{path} does not hold a label map",
            received="values that are not whole numbers",
            allowed=f"whole numbers, 0 (unlabelled) to {MAX_LABEL}",
            remedy="name the variable that holds the label map",
        )
    low, high = values.min(), values.max()
    if low < 0 or high > MAX_LABEL:
        raise DataError(
            f"{path} holds values that cannot be labels",
            received=f"values from {low} to {high}",
            allowed=f"whole numbers, 0 (unlabelled) to {MAX_LABEL}",
            remedy="renumber them, with 0 for pixels without a class",
        )
    return np.ascontiguousarray(values, dtype=np.int32)


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
