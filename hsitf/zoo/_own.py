"""Networks from outside the package: what each of them is, and what is refused.

Each comes with `NETWORK` and `build`, like a module of this folder: registered in Python, in a file
of one's own (`_files`), or in an installed package (`_plugins`). It is loaded when its facts or
layers are first asked for; until then only its name is known.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsitf.errors import HsitfError, InputError
from hsitf.zoo._facts import Network

if TYPE_CHECKING:
    import keras

    Build = Callable[[int, int, int], keras.Model]

# Characters of a foreign error that a message quotes.
_MAX_QUOTE = 300


@dataclass(eq=False)
class OwnNetwork:
    """A network from outside the package.

    Attributes:
        name: Its name.
        origin: What it comes from, for messages, such as "net.py" or "the package nets".
        load: Loads what has `NETWORK` and `build`.
        file: Path of its file, if it was named by one.
        digest: SHA-256 of that file; empty where it was not named by one.
        packaged: Whether it is part of an installed package.
    """

    name: str
    origin: str
    load: Callable[[], Any]
    file: Path | None = None
    digest: str = ""
    packaged: bool = False
    _loaded: Any = field(default=None, init=False)

    @property
    def source(self) -> Any:
        """What has `NETWORK` and `build`, loaded once.

        Raises:
            InputError: It cannot be loaded, or does not have them.
        """
        if self._loaded is None:
            loaded = self.load()
            check_source(loaded, self.origin)
            self._loaded = loaded
        return self._loaded

    @property
    def sha256(self) -> str:
        """SHA-256 of the file that defines it; empty where it was registered in Python."""
        if not self.packaged:
            return self.digest
        try:
            path = inspect.getsourcefile(self.source.build)
        except TypeError:
            # It is no function, so that no file is known.
            return ""
        return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""

    def build(self, bands: int, classes: int, patch: int, **more: Any) -> keras.Model:
        """The network with fresh weights, checked to be one that every verb takes.

        Raises:
            InputError: Its function fails, or returns no such network.
        """
        geometry = f"build(bands={bands}, classes={classes}, patch={patch})"
        try:
            model = self.source.build(bands, classes, patch, **more)
        except HsitfError:
            raise
        # The function is the user's own, and may raise anything.
        except Exception as error:
            raise InputError(
                f"{where(self.origin, error, self.file)}: {geometry} failed",
                received=quoted(error),
                remedy="correct it, or give another --patch or --bands that its layers accept",
            ) from error
        from hsitf.zoo._checks import checked_network

        outputs = (patch, patch, classes) if self.source.NETWORK.tile else (classes,)
        return checked_network(
            model, f"{geometry} of {self.origin}", (patch, patch, bands), outputs
        )


def check_source(source: Any, origin: str) -> None:
    """Refuses what does not define a network.

    Raises:
        InputError: `NETWORK` or `build` is missing or of another kind.
    """
    facts = getattr(source, "NETWORK", None)
    if not isinstance(facts, Network):
        raise InputError(
            f"{origin} does not say what network it is",
            received="no NETWORK" if facts is None else f"a NETWORK of type {type(facts).__name__}",
            remedy='write: from hsitf.zoo import Network; NETWORK = Network(paper="", patch=5)',
        )
    if not callable(getattr(source, "build", None)):
        raise InputError(
            f"{origin} does not build its network",
            received="no function build",
            remedy="write: def build(bands, classes, patch), which returns a keras.Model",
        )
    if facts.reconstruction_weight is not None and not hasattr(source, "semi_supervised"):
        raise InputError(
            f"{origin} has no decoder",
            received="NETWORK.reconstruction_weight without a function semi_supervised",
            remedy="write: def semi_supervised(network), or leave the weight out",
        )


def check_name(name: str, origin: str, taken: Collection[str]) -> None:
    if name in taken:
        raise InputError(
            f"there is a network {name!r} already",
            received=origin,
            remedy="choose another name",
        )
    if not can_be_named(name):
        raise InputError(
            "a network cannot have this name",
            received=repr(name),
            allowed="letters, digits, hyphens and underscores, a letter or digit first",
            remedy="choose another name",
        )


def can_be_named(name: str) -> bool:
    """Whether folders of runs can be named so."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) is not None


def where(origin: str, error: BaseException, file: Path | None) -> str:
    """What an error is in, with the line of its file."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if file and Path(frame.filename) == Path(origin)]
    return f"{origin}, line {lines[-1]}" if lines else origin


def quoted(error: BaseException) -> str:
    """The kind and the first line of a foreign error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    # The message goes on behind it.
    text = text.rstrip(".")
    return text if len(text) <= _MAX_QUOTE else f"{text[:_MAX_QUOTE]} ..."
