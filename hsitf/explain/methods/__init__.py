"""The methods of explanation, one file each; the folder is the list.

To add a method, write `(view, patches, output, settings) -> Attribution` in a file of its own,
named as the method is with underscores for hyphens, and its `METHOD`. Names are read from the
files, so that a misspelled one is refused before Keras is loaded; `METHODS` loads them all.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hsitf.errors import InputError, unknown
from hsitf.explain.methods.method import Attribution, ExplanationMethod
from hsitf.explain.settings import MethodSettings
from hsitf.registry import Registry

if TYPE_CHECKING:
    METHODS: Registry[ExplanationMethod]

__all__ = ["METHODS", "Attribution", "ExplanationMethod", "MethodSettings", "check", "known"]

_NO_METHODS = ("__init__", "method")


def _files() -> dict[str, str]:
    """Modules of the methods by their names on the command line."""
    stems = sorted(path.stem for path in Path(__file__).parent.glob("*.py"))
    return {stem.replace("_", "-"): stem for stem in stems if stem not in _NO_METHODS}


@lru_cache(maxsize=1)
def _methods() -> Registry[ExplanationMethod]:
    modules = [importlib.import_module(f"{__name__}.{stem}") for stem in _files().values()]
    return Registry("method", {module.METHOD.name: module.METHOD for module in modules})


def __getattr__(name: str) -> object:
    if name == "METHODS":
        return _methods()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def check_name(name: str) -> str:
    """A method's name, checked without loading any method.

    Raises:
        InputError: There is no such method; the nearest names are offered.
    """
    if name not in _files():
        raise unknown("method", name, _files())
    return name


def known(name: str) -> ExplanationMethod:
    """The method `name`.

    Raises:
        InputError: There is no such method; the nearest names are offered.
    """
    return _methods().known(name)


def check(method: ExplanationMethod, kind: str) -> None:
    """Refuses a method that needs gradients for a file.

    Args:
        method: The explanation method.
        kind: Variant of the file, such as int8.

    Raises:
        InputError: The method needs gradients.
    """
    if not method.supports_files:
        raise InputError(
            f"{method.name} takes gradients, which a file does not give",
            received=f"a file of kind {kind}",
            allowed=", ".join(one.name for one in _methods().values() if one.supports_files),
            remedy="take one of these, or explain the run that the file was made from",
        )
