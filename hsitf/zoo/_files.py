"""Networks in Python files of one's own, named by the path of the file."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

from hsitf.errors import HsitfError, InputError, MissingInputError
from hsitf.zoo._own import OwnNetwork, check_name, quoted, where

SUFFIX = ".py"
# Bytes; nobody writes a network of a megabyte.
_MAX_SIZE = 1 << 20

# The networks of files that were named in this process, by their names.
FILES: dict[str, OwnNetwork] = {}


def add_file(given: str, taken: Collection[str]) -> str:
    """Adds the network in a Python file, or the file's new content, without running it.

    Args:
        given: Path of the file.
        taken: Names of all networks.

    Returns:
        Name of the network: the file's without its suffix.

    Raises:
        InputError: There is no such file, its name is taken or it is not Python.
    """
    path, name = Path(given), Path(given).stem
    if not path.is_file():
        raise MissingInputError(
            "there is no such file of a network",
            received=given,
            remedy="correct the path, or give --model the name of a network",
        )
    before = FILES.get(name)
    check_name(name, given, taken if before is None else ())
    if path.stat().st_size > _MAX_SIZE:
        raise InputError(
            f"{given} is no file of a network",
            received=f"{path.stat().st_size:,} bytes",
            allowed=f"{_MAX_SIZE:,} bytes at most",
        )
    text = path.read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    if before is not None and before.digest == digest:
        return name
    if before is not None and before.file != path.resolve():
        raise InputError(
            "two files of networks have the same name",
            received=f"{given} and {before.origin}",
            remedy="rename one of them: runs are named by it",
        )
    code = _compiled(text, given)
    FILES[name] = OwnNetwork(name, given, lambda: _run(code, name, given), path.resolve(), digest)
    return name


def _compiled(text: bytes, given: str) -> Any:
    try:
        return compile(text, given, "exec")
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise InputError(
            f"{given}{f', line {line}' if line else ''} is not Python",
            received=quoted(error),
            remedy="correct the file",
        ) from error


def _run(code: Any, name: str, given: str) -> ModuleType:
    """The module that a file's code makes."""
    module = ModuleType(f"hsitf_network_{name}")
    module.__file__ = given
    # What the code defines is looked up there, by dataclasses for example.
    sys.modules[module.__name__] = module
    try:
        exec(code, module.__dict__)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{where(given, error, Path(given))}: there is no module {error.name!r}",
            received="an import of what is not installed",
            remedy="install its package, or write what it imports into the file itself",
        ) from error
    except HsitfError as error:
        # It explains itself, such as a scene that is not there; the file only says where.
        raise type(error)(
            f"{where(given, error, Path(given))}: {error.what}",
            received=error.received,
            allowed=error.allowed,
            remedy=error.remedy,
        ) from error
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{where(given, error, Path(given))}: the file cannot be run",
            received=quoted(error),
            remedy="correct the file",
        ) from error
    return module
