"""Folders of pictures: one sub-folder a class, as image sets are passed on.

Every picture is looked at twice: its header, before anything is decoded, so that sizes that do
not fit and files that are no pictures are refused at once; and its pixels. Nothing is resized
unless a size is asked for.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.image_list import SUFFIX as LIST_SUFFIX
from hsitf.scenes.readers import READERS, open_array

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_TIFF = (".tif", ".tiff")
# Decoders that are tried, whatever the suffix says.
_DECODERS = ("PNG", "JPEG", "TIFF")
# Eight bits a channel; the first channel of transparency is left out.
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")
MAX_SIDE = 4096
"""Rows and cols of a picture as it is trained on, at most."""
MAX_CLASSES = 10_000
# Of a picture as its file has it, before it is resized.
MAX_PICTURE_PIXELS = 2**26
MAX_FILE_BYTES = 2**28
# Names that are listed in a message.
_MAX_LISTED = 3


@dataclass(frozen=True)
class PictureFolder:
    """The pictures of a folder, class by class.

    Attributes:
        path: The folder.
        classes: Names of its sub-folders, sorted.
        files: Pictures of each class, sorted by name.
        left_out: Files beside them that are no pictures.
    """

    path: Path
    classes: tuple[str, ...]
    files: tuple[tuple[Path, ...], ...]
    left_out: tuple[Path, ...] = ()

    @property
    def every_file(self) -> tuple[Path, ...]:
        """All pictures, class by class."""
        return tuple(path for files in self.files for path in files)

    @property
    def labels(self) -> NDArray[np.int64]:
        """(pictures,) int64, the class of each of `every_file`, from 0."""
        return np.repeat(np.arange(len(self.files)), [len(files) for files in self.files])

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, one sentence each."""
        if not self.left_out:
            return ()
        listed = _listed([path.relative_to(self.path).as_posix() for path in self.left_out])
        return (f"Left out {len(self.left_out)} files that are no pictures: {listed}.",)


def find_picture_folder(path: Path) -> PictureFolder | None:
    """The pictures below a folder, where it has a sub-folder with pictures for each class.

    Returns:
        None where `path` is no folder, or none of its sub-folders holds a picture.

    Raises:
        InputError: Pictures lie there in another way: not in folders of classes, of one class, in
            deeper folders, or among cubes or lists of images.
        DataError: The folder of a class is empty.
    """
    if not path.is_dir():
        return None
    folders = [one for one in _visible(path) if one.is_dir()]
    found = {folder: _visible(folder) for folder in folders}
    if not any(_is_picture(one) for files in found.values() for one in files):
        _refuse_deeper(path, found)
        return None
    beside = [one for one in _visible(path) if not one.is_dir()]
    _refuse_others(path, [*beside, *(one for files in found.values() for one in files)])
    if loose := [one.name for one in beside if _is_picture(one)]:
        raise InputError(
            f"{path} holds pictures beside its folders of classes",
            received=_listed(loose),
            remedy="move them into the folder of their class, or out of this one",
        )
    for folder, files in found.items():
        if not any(map(_is_picture, files)):
            raise DataError(
                f"{folder} holds no pictures",
                received=f"{len(files)} files" if files else "an empty folder",
                allowed=f"one or more of {', '.join(SUFFIXES)}",
                remedy="put the pictures of the class there, or remove the folder",
            )
    if not 2 <= len(folders) <= MAX_CLASSES:
        raise InputError(
            f"the pictures of {path} are of one class"
            if len(folders) == 1
            else f"{path} has too many folders of classes",
            received=f"{len(folders)} folders",
            allowed=f"2 to {MAX_CLASSES:,} folders, one a class",
            remedy="name the folder that holds the folders of the classes",
        )
    pictures = tuple(tuple(filter(_is_picture, files)) for files in found.values())
    left_out = [one for one in beside if not _is_picture(one)]
    left_out += [one for files in found.values() for one in files if not _is_picture(one)]
    return PictureFolder(path, tuple(one.name for one in folders), pictures, tuple(left_out))


def _visible(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if not one.name.startswith("."))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def _refuse_deeper(path: Path, found: dict[Path, list[Path]]) -> None:
    """Refuses folders of folders of pictures, such as a set's train and test."""
    for folder, files in found.items():
        deeper = [one for one in files if one.is_dir()]
        if any(_is_picture(one) for inner in deeper[:_MAX_LISTED] for one in _visible(inner)):
            raise InputError(
                f"the pictures of {path} lie two folders deep",
                received=f"folders of classes in {_listed([one.name for one in found])}",
                allowed="a folder with one folder of pictures a class",
                remedy=f"name one of its folders, such as {folder}",
            )


def _refuse_others(path: Path, files: Iterable[Path]) -> None:
    """Refuses a folder whose files are not pictures alone but cubes, or lists of images, too."""
    for one in files:
        if one.is_dir():
            raise InputError(
                f"{one.parent} holds pictures and a folder",
                received=one.name,
                allowed="pictures alone in the folder of a class",
                remedy="move one of them",
            )
        suffix = one.suffix.lower()
        if suffix == LIST_SUFFIX or (suffix in READERS and suffix not in _TIFF):
            other = "a list of images" if suffix == LIST_SUFFIX else "a cube"
            raise InputError(
                f"{path} holds pictures and {other}",
                received=str(one.relative_to(path)),
                allowed=f"pictures alone: {', '.join(SUFFIXES)}",
                remedy="name that file by its own path, or move it out of the folder of pictures",
            )


def picture_sides(folder: PictureFolder) -> Counter[tuple[int, int]]:
    """How many pictures have each size (rows, cols), read from their headers.

    Raises:
        DataError: A file is no picture that can be read.
    """
    return Counter(_size(path) for path in folder.every_file)


def common_side(folder: PictureFolder, picture_size: int | None) -> tuple[int, str]:
    """The side of the pictures as they are trained on, and what is done for it.

    Args:
        folder: The pictures.
        picture_size: Rows and cols that a user asks for; None to leave the pictures as they are.

    Returns:
        The side, and a sentence on the resizing; empty where nothing is resized.

    Raises:
        InputError: Sizes differ or are not square, and none is asked for; or it is out of range.
        DataError: A file is no picture that can be read.
    """
    sizes = picture_sides(folder)
    if picture_size is None:
        (rows, cols), _ = sizes.most_common(1)[0]
        if len(sizes) > 1 or rows != cols:
            raise InputError(
                f"the pictures of {folder.path} are not squares of one size",
                received=_sizes_text(sizes),
                allowed="pictures of one size, with as many rows as cols",
                remedy=f"resize them with --picture-size, such as {min(min(s) for s in sizes)}",
            )
        check_side(rows)
        return rows, ""
    check_side(picture_size)
    if set(sizes) == {(picture_size, picture_size)}:
        return picture_size, ""
    return picture_size, (
        f"Pictures of {_sizes_text(sizes)} pixels are resized to {picture_size} x {picture_size} "
        "by averaging."
    )


def check_side(side: int) -> None:
    """Refuses the side of a picture that is out of range.

    Raises:
        InputError: It is.
    """
    if not 1 <= side <= MAX_SIDE:
        raise InputError(
            "the size of a picture is out of range",
            received=side,
            allowed=f"1 to {MAX_SIDE} rows and cols",
            remedy="give another --picture-size",
        )


def _sizes_text(sizes: Counter[tuple[int, int]]) -> str:
    common = [f"{rows} x {cols}" for (rows, cols), _ in sizes.most_common()]
    return _listed(common)


def read_pictures(folder: PictureFolder, side: int) -> tuple[NDArray[np.uint8], dict[str, str]]:
    """The pixels of pictures, those of another size resized by averaging.

    Args:
        folder: The pictures.
        side: Rows and cols of each.

    Returns:
        (pictures, side, side, 3) uint8 in the order of `every_file`, and the SHA-256 of the
        pictures of each class, one after the other.

    Raises:
        DataError: A file is no picture that can be read.
    """
    pixels = np.empty((len(folder.every_file), side, side, 3), np.uint8)
    digests, number = {}, 0
    for name, files in zip(folder.classes, folder.files, strict=True):
        digest = hashlib.sha256()
        for path in files:
            content = path.read_bytes()
            digest.update(content)
            pixels[number] = _pixels(path, content, side)
            number += 1
        digests[name] = digest.hexdigest()
    return pixels, digests


def _size(path: Path) -> tuple[int, int]:
    """Rows and cols of a picture, of which the header alone is read."""
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise DataError(
            f"{path} is too large for a picture",
            received=f"{size:,} bytes",
            allowed=f"{MAX_FILE_BYTES:,} bytes",
            remedy="write it smaller",
        )
    with path.open("rb") as stream:
        picture = _opened(path, stream)
        return picture.height, picture.width


def _pixels(path: Path, content: bytes, side: int) -> NDArray[np.uint8]:
    from PIL import Image

    picture = _opened(path, io.BytesIO(content))
    try:
        colors = picture.convert("RGB")
        if colors.size != (side, side):
            colors = colors.resize((side, side), Image.Resampling.BOX)
        return np.asarray(colors, np.uint8)
    # What decoders raise where bytes are damaged has no common base below Exception.
    except Exception as error:
        raise _unreadable(path, error) from error


def _opened(path: Path, stream: IO[bytes]) -> Image:
    """A picture whose header was read and is in order."""
    from PIL import Image

    try:
        picture = Image.open(stream, formats=_DECODERS)
        pages = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
    # Damaged headers and those of immense sizes, too.
    except Exception as error:
        _refuse_cube(path)
        raise _unreadable(path, error) from error
    if picture.mode not in _MODES:
        raise DataError(
            f"{path} does not have eight bits a color",
            received=f"pixels of type {picture.mode}",
            allowed="gray or color pictures of eight bits a channel",
            remedy="convert it; a cube is named by its own path",
        )
    if pages != 1:
        raise DataError(
            f"{path} holds several pictures",
            received=f"{pages} pages",
            allowed="one picture a file",
            remedy="write each to a file of its own",
        )
    if picture.width * picture.height > MAX_PICTURE_PIXELS:
        raise DataError(
            f"{path} is too large for a picture",
            received=f"{picture.height} x {picture.width} pixels",
            allowed=f"{MAX_PICTURE_PIXELS:,} pixels",
            remedy="resize it before",
        )
    return picture


def _refuse_cube(path: Path) -> None:
    """Says of a TIFF that is no picture that it is a cube, where it is one.

    Raises:
        InputError: It is.
    """
    if path.suffix.lower() not in _TIFF:
        return
    try:
        shape = open_array(path).shape
    except (DataError, InputError):
        return
    if len(shape) == 3 and shape[2] > 4:
        raise InputError(
            f"{path} is a cube, not a picture",
            received=f"{shape[2]} bands",
            allowed="1 to 4 channels of eight bits",
            remedy="name the cube by its own path; several are listed in a scene.toml",
        )


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is no picture that can be read",
        received=str(error).splitlines()[0] if str(error) else type(error).__name__,
        allowed="TIFF, PNG or JPEG",
        remedy="fetch it again, or remove it",
    )
