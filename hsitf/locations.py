"""Where the files of a scene that a network was trained on lie today.

A record names files as a command named them, and knows them by their SHA-256. They are looked for
under the same names in the working folder, beside the folder of trained networks, and in the folder
that the user gives, where a renamed file is found by its content.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from hsitf import scenes
from hsitf.errors import DataError, HsitfError, MissingInputError
from hsitf.files import sha256
from hsitf.records import SceneChoice, SceneRecord
from hsitf.scenes.image_list import find_image_list
from hsitf.scenes.readers import open_array

# How a scene's files are read: what a command says of them holds, what it does not say stays.
_READING = (
    "variable",
    "labels_variable",
    "nodata",
    "axes",
    "all_bands",
    "class_column",
    "align",
    "picture_size",
)
# Options with the path of a file besides the cube, each with the option that names it.
_FILES = {
    "labels": "--labels",
    "train_map": "--train-map",
    "wavelengths": "--wavelengths",
    "classes": "--classes",
}


def locate(
    then: SceneChoice, known: SceneRecord, now: SceneChoice, home: Path | None = None
) -> SceneChoice:
    """The scene of a run, with its files where they lie today.

    Args:
        then: The scene as the training command named it.
        known: The scene as it was read.
        now: What a command says of it today; its source may be empty, the name that is printed of
            the scene, or another path of the file.
        home: Folder that the training command ran in.

    Returns:
        The scene to load. Classes stay left out, and files that the command does not name are
        those of the run.

    Raises:
        InputError: A file is not found.
        DataError: A file that the command does not name has changed.
    """
    said = {name: getattr(now, name) for name in _READING}
    found = replace(then, **{name: one for name, one in said.items() if one not in (None, False)})
    data_dir = now.data_dir or _folder(then.data_dir, home)
    found = replace(found, data_dir=data_dir)
    search = _Search(known, home, None if data_dir is None else Path(data_dir).expanduser())
    if now.source and now.source.lower() not in _printed_names(then, known):
        if _is_named(now.source):
            # Another scene: whoever loads it compares it with the record.
            return replace(now, drop=then.drop)
        found = replace(found, source=now.source)
    elif not _is_named(then.source):
        found = replace(found, source=search.find(then.source, "--scene"))
    search.beside = None if _is_named(found.source) else Path(found.source).expanduser().parent
    paths: dict[str, Any] = {}
    for name, option in _FILES.items():
        given, former = getattr(now, name), getattr(then, name)
        paths[name] = given
        if given is None and former is not None:
            paths[name] = search.find(former, option)
            _check_unchanged(former, paths[name], option, known)
    return replace(found, **paths)


def is_same_scene(now: SceneChoice, then: SceneChoice, known: SceneRecord) -> bool:
    """Whether a command names the scene of a run, whatever the paths of its files.

    What the command does not say of labels, classes to leave out, or reading is as it was then.
    Files under other paths are the same if their SHA-256 are.

    Args:
        now: The scene as the command names it.
        then: The scene as the training command named it.
        known: The scene as it was read.
    """
    for name in _READING:
        given = getattr(now, name)
        if given not in (None, False) and given != getattr(then, name):
            return False
    if now.drop and set(now.drop) != set(then.drop):
        return False
    if _normal(now.train_map) != _normal(then.train_map):
        return False
    for name in ("labels", "wavelengths", "classes"):
        given, former = getattr(now, name), getattr(then, name)
        if given is not None and _normal(given) != _normal(former) and not _is_known(given, known):
            return False
    return is_same_source(now, then, known)


def is_same_source(now: SceneChoice, then: SceneChoice, known: SceneRecord) -> bool:
    """Whether a command names the cube of a run, by its name, its path or another path of it."""
    source = now.source
    if not source or source.lower() in _printed_names(then, known):
        return True
    if _is_named(source) or _is_named(then.source):
        return False
    if _normal(source) == _normal(then.source):
        return True
    path = Path(source).expanduser()
    # A folder may hold a list of images.
    path = find_image_list(path) or path
    if path.is_dir():
        # A folder of pictures.
        return path.resolve() == Path(then.source).expanduser().resolve()
    if not path.is_file():
        return False
    try:
        file = open_array(path, now.variable or then.variable)
    except HsitfError:
        # What is no single cube, such as a list of images, is known by its own content.
        return _is_known(str(path), known)
    # Files of another size need not be read to be told apart.
    if tuple(file.shape[:2]) != known.shape[:2]:
        return False
    return all(_is_known(str(one), known) for one in file.files)


def _check_unchanged(former: str, found: str, option: str, known: SceneRecord) -> None:
    """Refuses a file that a command does not name and that has changed since the training.

    Raises:
        DataError: It has.
    """
    digest = _recorded_digest(former, known)
    if digest is None or (now := sha256(Path(found).expanduser())) == digest:
        return
    raise DataError(
        f"{found} has changed since the network was trained on {known.name}",
        received=f"SHA-256 {now[:12]}",
        allowed=f"SHA-256 {digest[:12]}",
        remedy=f"give the original file, or name this one with {option} if it is meant",
    )


def _recorded_digest(name: str, known: SceneRecord) -> str | None:
    """SHA-256 that a record has of a file; None where it has none, or of several files one name."""
    path = Path(name)
    # Of files of one name, all but the first are recorded with their folders.
    same = [key for key in known.sha256 if key.rpartition("/")[2] == path.name]
    if len(same) > 1:
        same = [key for key in same if key == f"{path.parent.name}/{path.name}"]
    return known.sha256[same[0]] if same else None


class _Search:
    """Looks for files of a scene under the names that its record gives them."""

    def __init__(self, known: SceneRecord, home: Path | None, data_dir: Path | None) -> None:
        self.known = known
        self.home = home
        self.data_dir = data_dir
        self.beside: Path | None = None

    def find(self, name: str, option: str) -> str:
        path = Path(name).expanduser()
        if path.exists():
            return name
        folders = [folder for folder in (self.data_dir, self.beside) if folder is not None]
        places = [*([self.home / path] if self.home else []), *(one / path.name for one in folders)]
        for place in places:
            if place.exists():
                return str(place)
        digest = _recorded_digest(name, self.known)
        for folder in folders:
            if digest is not None and folder.is_dir():
                for other in sorted(folder.glob(f"*{path.suffix}")):
                    if other.is_file() and sha256(other) == digest:
                        return str(other)
        raise MissingInputError(
            f"{path.name} of {self.known.name} is not where the network was trained on it",
            received=f"looked for {', '.join(str(one) for one in (path, *places))}",
            remedy=f"name its folder with --data-dir, or the file with {option}",
        )


def _folder(name: str | None, home: Path | None) -> str | None:
    """A folder of files as it was named then, or below the folder that the command ran in."""
    if name is None or Path(name).expanduser().is_dir() or home is None:
        return name
    return str(home / name) if (home / name).is_dir() else name


def _printed_names(then: SceneChoice, known: SceneRecord) -> set[str]:
    """Names of a run's scene in lower case; a file named as a scene of the catalog has none."""
    if _is_named(then.source):
        return {then.source.lower()}
    return set() if _is_named(known.name) else {known.name.lower()}


def _is_named(source: str) -> bool:
    """Whether this is a name of the catalog, the built-in scene or a set of pictures."""
    return source.lower() in {name.lower() for name in scenes.names()}


def _normal(path: str | None) -> str | None:
    return path and os.path.normpath(path)


def _is_known(name: str, known: SceneRecord) -> bool:
    path = Path(name).expanduser()
    return path.is_file() and sha256(path) in known.sha256.values()
