"""What lies in a folder: compared piece by piece, and checked to be whole."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hsitf.files import sha256

# Keys of what is measured: times, and the memory that a process took.
_MEASURED = re.compile(r"seconds|_ms$|_us$|^p[0-9]+$|^first$|^spread$|^peak_memory(_bytes)?$")


def pieces(folder: Path) -> dict[str, str]:
    """Every file below a folder, hidden ones included, as digests of its pieces by their names.

    Records are taken apart to their values and archives to their members, so that what differs
    between two runs of one command, such as times, can be told from all else.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        # The results of bench are named by their time.
        name = re.sub(r"bench-[0-9-]+", "bench-TIME", path.relative_to(folder).as_posix())
        if path.is_dir():
            found[f"{name}/"] = "folder"
            continue
        for piece, content in _pieces(path):
            found[f"{name}: {piece}"] = hashlib.sha256(content).hexdigest()
    return found


def _pieces(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.suffix == ".json":
        for where, value in _values(json.loads(path.read_bytes())):
            yield where, repr(value).encode()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                # Keras numbers the objects of a network by their addresses.
                content = archive.read(member)
                yield member, re.sub(rb'"shared_object_id": [0-9]+', b"", content)
    elif path.suffix == ".md":
        # Its numbers stand in the record beside it, rounded times among them.
        yield "", re.sub(rb"[0-9][0-9.,]*", b"#", path.read_bytes())
    else:
        yield "", path.read_bytes()


def _values(content: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for key, value in content.items():
            # Two measurements may be equal by chance.
            measured = isinstance(value, float | int) and _MEASURED.search(key)
            yield from _values("measured" if measured else value, f"{where}.{key}")
    elif isinstance(content, list):
        for index, value in enumerate(content):
            yield from _values(value, f"{where}.{index}")
    else:
        yield where, content


def differences(one: dict[str, str], other: dict[str, str], expected: set[str]) -> list[str]:
    """Names of pieces that are in one alone, or differ and are not expected to."""
    alone = one.keys() ^ other.keys()
    return sorted(alone | changed(one, other) - expected)


def changed(one: dict[str, str], other: dict[str, str]) -> set[str]:
    """Names of pieces that are in both and differ."""
    return {name for name in one.keys() & other.keys() if one[name] != other[name]}


def damage(folder: Path) -> list[str]:
    """What is wrong with the published files below a folder; hidden ones are nobody's yet."""
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_dir() or any(part.startswith(".") for part in parts):
            continue
        try:
            _open(path)
        except Exception as error:  # any reason will do
            found.append(f"{path.relative_to(folder)}: {type(error).__name__}: {error}")
    return found


def _open(path: Path) -> None:
    """Raises where a file is not whole, or not what the record beside it describes."""
    suffix = path.suffix
    if not path.stat().st_size:
        raise ValueError("empty")
    if suffix == ".json":
        content = json.loads(path.read_bytes())
        if path.name == "record.json" and "sha256" in content:
            described = path.with_name(content.get("file", "network.keras"))
            if sha256(described) != content["sha256"]:
                raise ValueError(f"describes another {described.name}")
    elif suffix in (".npz", ".npy"):
        loaded = np.load(path, allow_pickle=False)
        if suffix == ".npz":
            for name in loaded.files:
                _ = loaded[name]
    elif suffix in (".zip", ".keras"):
        with zipfile.ZipFile(path) as archive:
            if (bad := archive.testzip()) is not None:
                raise ValueError(f"damaged member {bad}")
    elif suffix == ".png":
        from PIL import Image

        with Image.open(path) as image:
            image.load()
    elif suffix == ".tif":
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as raster:
                raster.read()
    elif suffix in (".svg", ".xml"):
        from xml.etree import ElementTree

        ElementTree.parse(path)
    elif suffix == ".html" and not path.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        raise ValueError("cut short")
