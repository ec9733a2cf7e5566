"""Picture sets, laid out as scenes: every picture is one labelled pixel with its patch.

The pruning literature measures on pictures of one object each. Laid side by side they are a
scene of three bands whose only labelled pixels are those in the pictures' middles: the patch of
such a pixel is its picture and nothing of another. Training, pruning, export and verification
then need not know pictures from pixels. Splits of such a scene leak nothing, drawn at random
or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.scene import Scene

IMAGE_SIDE = 32
"""Rows and cols of a picture in the scene."""

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
_SUFFIXES = {".tif", ".tiff", ".png", ".jpg", ".jpeg"}


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
    cols = int(np.ceil(count**0.5))
    rows = -(-count // cols)
    cells = np.zeros((rows * cols, side, side, 3), np.float32)
    cells[:count] = pictures
    cube = cells.reshape(rows, cols, side, side, 3).transpose(0, 2, 1, 3, 4)
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
        cube=np.ascontiguousarray(cube.reshape(rows * side, cols * side, 3)),
        labels=labels,
        class_names=tuple(class_names),
        rgb_bands=(0, 1, 2),
        sources=sources or {},
        training=training,
    )


def _cifar(name: str, class_names: Callable[[int], Sequence[str]]) -> Callable[[Any], Scene]:
    def load(data_dir: Path | None) -> Scene:
        """The set of keras.datasets, which downloads it once and checks its SHA-256."""
        import keras

        training, tested = getattr(keras.datasets, name).load_data()
        pictures, classes = (
            np.concatenate([one, other]) for one, other in zip(training, tested, strict=True)
        )
        testing = np.arange(len(pictures)) >= len(training[0])
        digest = hashlib.sha256(pictures.tobytes() + classes.tobytes()).hexdigest()
        names = class_names(int(classes.max()) + 1)
        return mosaic(name, pictures, classes, names, testing, {name: digest})

    return load


def _land_use(data_dir: Path | None) -> Scene:
    """A folder of 21 folders of images, each resampled to `IMAGE_SIDE` by averaging."""
    folder = None if data_dir is None else _images_folder(data_dir)
    if folder is None:
        raise InputError(
            "the pictures of ucmerced are missing",
            received="no --data-dir" if data_dir is None else f"looked in {data_dir}",
            allowed=f"a folder with the folders {', '.join(_LAND_USE[:3])} ... {_LAND_USE[-1]}",
            remedy="name it with --data-dir",
        )
    pictures, classes, digest = [], [], hashlib.sha256()
    for label, name in enumerate(_LAND_USE):
        paths = sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in _SUFFIXES)
        if not paths:
            raise DataError(
                f"{folder / name} holds no pictures",
                allowed=", ".join(sorted(_SUFFIXES)),
                remedy="fetch the set again",
            )
        for path in paths:
            content = path.read_bytes()
            digest.update(content)
            pictures.append(_read_image(path))
            classes.append(label)
    found = np.stack(pictures)
    return mosaic(
        "ucmerced", found, np.array(classes), _LAND_USE, None, {folder.name: digest.hexdigest()}
    )


def _images_folder(data_dir: Path) -> Path | None:
    """The folder with the 21 folders: this one or where the archive puts it."""
    for inside in ("", "Images", "UCMerced_LandUse/Images"):
        if all((data_dir / inside / name).is_dir() for name in _LAND_USE):
            return data_dir / inside
    return None


def _read_image(path: Path) -> NDArray[np.uint8]:
    """(SIDE, SIDE, 3) uint8 of a picture of any size."""
    from PIL import Image

    try:
        with Image.open(path) as file:
            whole = file.convert("RGB").resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BOX)
            return np.asarray(whole, np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} is no picture that can be read",
            received=str(error).splitlines()[0] if str(error) else type(error).__name__,
            allowed="TIFF, PNG or JPEG",
            remedy="fetch the set again",
        ) from error


IMAGE_SETS: dict[str, Callable[[Path | None], Scene]] = {
    "cifar10": _cifar("cifar10", lambda count: _CIFAR10[:count]),
    "cifar100": _cifar("cifar100", lambda count: [f"class {k}" for k in range(1, count + 1)]),
    "ucmerced": _land_use,
}
"""What loads each set, from the folder that a user names."""
