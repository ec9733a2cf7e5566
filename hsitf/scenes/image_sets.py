"""Picture sets, laid out as scenes: every picture is one labelled pixel with its patch.

The pruning literature measures on pictures of one object each, in sets known by name or in a folder
of one sub-folder a class. Laid side by side they are a scene of three bands whose only labelled
pixels are those in the pictures' middles: the patch of such a pixel is its picture and nothing of
another. Training, pruning, export and verification then need not know pictures from pixels. Splits
of such a scene leak nothing, drawn at random or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.picture_folder import (
    PictureFolder,
    common_side,
    find_picture_folder,
    read_pictures,
)
from hsitf.scenes.readers.base import MAX_BYTES
from hsitf.scenes.scene import Scene

IMAGE_SIDE = 32
"""Rows and cols of a picture of the sets that are known by name, where no other are asked for."""

_CIFAR10 = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
# Of the land-use set: what its folders are called.
_LAND_USE = (
    "agricultural",
    "airplane",
    "baseballdiamond",
    "beach",
    "buildings",
    "chaparral",
    "denseresidential",
    "forest",
    "freeway",
    "golfcourse",
    "harbor",
    "intersection",
    "mediumresidential",
    "mobilehomepark",
    "overpass",
    "parkinglot",
    "river",
    "runway",
    "sparseresidential",
    "storagetanks",
    "tenniscourt",
)


def mosaic(
    name: str,
    pictures: NDArray[np.uint8],
    classes: NDArray[np.integer],
    class_names: Sequence[str],
    testing: NDArray[np.bool_] | None = None,
    sources: dict[str, str] | None = None,
) -> Scene:
    """The scene of a set of pictures.

    Args:
        name: Name of the scene.
        pictures: (n, side, side, 3) uint8.
        classes: (n,) integer classes from 0.
        class_names: One name per class.
        testing: (n,) bool, the images that the set reserves for testing; None where it reserves
            none.
        sources: SHA-256 of each file, by file name.

    Returns:
        A scene as square as may be, with its training pixels where the set has them.
    """
    count, side = len(pictures), pictures.shape[1]
    rows, cols = _layout(count)
    # One picture at a time: the scene is the only array of its size.
    cube = np.zeros((rows * side, cols * side, 3), np.float32)
    for number, picture in enumerate(pictures):
        top, left = number // cols * side, number % cols * side
        cube[top : top + side, left : left + side] = picture
    labels = np.zeros((rows * side, cols * side), np.int32)
    # An even patch has its pixel right below and right of the middle.
    middles = np.zeros(rows * cols, np.int32)
    middles[:count] = np.asarray(classes).ravel() + 1
    labels[side // 2 :: side, side // 2 :: side] = middles.reshape(rows, cols)
    training = None
    if testing is not None:
        training_labels = middles.copy()
        training_labels[:count][testing] = 0
        training = np.zeros_like(labels)
        training[side // 2 :: side, side // 2 :: side] = training_labels.reshape(rows, cols)
    return Scene(
        name=name,
        cube=cube,
        labels=labels,
        class_names=tuple(class_names),
        rgb_bands=(0, 1, 2),
        sources=sources or {},
        training=training,
        picture_side=side,
    )


def _layout(count: int) -> tuple[int, int]:
    """Rows and cols of pictures, as square as may be."""
    cols = int(np.ceil(count**0.5))
    return -(-count // cols), cols


def _cifar(
    name: str, class_names: Callable[[int], Sequence[str]]
) -> Callable[[Path | None, int | None], Scene]:
    def load(data_dir: Path | None, picture_size: int | None) -> Scene:
        """The set of keras.datasets, which downloads it once and checks its SHA-256."""
        import keras

        if picture_size not in (None, IMAGE_SIDE):
            raise InputError(
                f"the pictures of {name} are not resized",
                received=f"--picture-size {picture_size}",
                allowed=f"{IMAGE_SIDE}, the size that they have",
                remedy="leave it out",
            )
        training, tested = getattr(keras.datasets, name).load_data()
        pictures, classes = (
            np.concatenate([one, other]) for one, other in zip(training, tested, strict=True)
        )
        testing = np.arange(len(pictures)) >= len(training[0])
        digest = hashlib.sha256(pictures.tobytes() + classes.tobytes()).hexdigest()
        names = class_names(int(classes.max()) + 1)
        return mosaic(name, pictures, classes, names, testing, {name: digest})

    return load


def _land_use(data_dir: Path | None, picture_size: int | None) -> Scene:
    """A folder of 21 folders of pictures, each resized by averaging."""
    folder = None if data_dir is None else _images_folder(data_dir)
    if folder is None:
        raise InputError(
            "the pictures of ucmerced are missing",
            received="no --data-dir" if data_dir is None else f"looked in {data_dir}",
            allowed=f"a folder with the folders {', '.join(_LAND_USE[:3])} ... {_LAND_USE[-1]}",
            remedy="name it with --data-dir",
        )
    found = find_picture_folder(folder)
    if found is None or found.classes != _LAND_USE:
        raise InputError(
            f"{folder} is not the land-use set",
            received=f"{0 if found is None else len(found.classes)} folders of pictures",
            allowed=f"its {len(_LAND_USE)} folders alone",
            remedy="name the folder itself as the scene: --scene FOLDER",
        )
    scene = picture_scene(found, picture_size or IMAGE_SIDE)
    # One digest of the whole set, as records have it.
    digest = hashlib.sha256()
    for path in found.every_file:
        digest.update(path.read_bytes())
    return replace(scene, name="ucmerced", sources={folder.name: digest.hexdigest()})


def _images_folder(data_dir: Path) -> Path | None:
    """The folder with the 21 folders: this one or where the archive puts it."""
    for inside in ("", "Images", "UCMerced_LandUse/Images"):
        if all((data_dir / inside / name).is_dir() for name in _LAND_USE):
            return data_dir / inside
    return None


def picture_scene(folder: PictureFolder, picture_size: int | None = None) -> Scene:
    """The scene of a folder of pictures, named as it is.

    Args:
        folder: The pictures, class by class.
        picture_size: Rows and cols that they are resized to; None where they are of one size.

    Raises:
        InputError: Sizes differ or are not square, and none is asked for.
        DataError: A file is no picture that can be read, or all do not fit into memory.
    """
    side, note = common_side(folder, picture_size)
    files = folder.every_file
    rows, cols = _layout(len(files))
    needed = rows * cols * side**2 * 3 * np.dtype(np.float32).itemsize
    if needed > MAX_BYTES:
        raise DataError(
            f"the pictures of {folder.path} do not fit into memory",
            received=f"{len(files):,} pictures of {side} x {side}, {needed:,} bytes",
            allowed=f"{MAX_BYTES:,} bytes",
            remedy="take fewer, or resize them with a smaller --picture-size",
        )
    pictures, digests = read_pictures(folder, side)
    scene = mosaic(
        folder.path.resolve().name, pictures, folder.labels, folder.classes, sources=digests
    )
    return replace(scene, notes=(*folder.notes, *([note] if note else [])))


IMAGE_SETS: dict[str, Callable[[Path | None, int | None], Scene]] = {
    "cifar10": _cifar("cifar10", lambda count: _CIFAR10[:count]),
    "cifar100": _cifar("cifar100", lambda count: [f"class {k}" for k in range(1, count + 1)]),
    "ucmerced": _land_use,
}
"""What loads each set, from the folder and with the size of pictures that a user names."""
