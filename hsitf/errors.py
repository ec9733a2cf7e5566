"""Errors that a user can cause and fix.

Every message has the same four parts: what is wrong, what was received, what is allowed, and what
to do next. The command line prints it without a traceback and exits with the error's status. For
callers from Python, each is also one of Python's own exceptions: a ValueError, a FileNotFoundError
where something is missing, or an OSError where a file cannot be written.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Characters of what was received that a message quotes.
_MAX = 2000


class HsitfError(Exception):
    """Base of all errors that end in a message for the user rather than a traceback.

    Args:
        what: What is wrong, one clause without a full stop.
        received: What hsitf was given.
        allowed: What hsitf accepts.
        remedy: What to do next, an imperative.
    """

    status = 1

    def __init__(
        self,
        what: str,
        *,
        received: object = None,
        allowed: object = None,
        remedy: str | None = None,
    ) -> None:
        self.what, self.received, self.allowed, self.remedy = what, received, allowed, remedy
        parts = [what]
        if received is not None:
            text = str(received)
            parts.append("received: " + (text if len(text) <= _MAX else text[:_MAX] + "..."))
        if allowed is not None:
            parts.append(f"allowed: {allowed}")
        if remedy is not None:
            parts.append(remedy)
        super().__init__(_printable("; ".join(parts) + "."))


def _printable(text: str) -> str:
    """A text without what would steer a terminal: files say what they like in their names."""
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in text
    )


class InputError(HsitfError, ValueError):
    """An option, a name or a combination of them that is not valid."""

    status = 2


class DataError(HsitfError, ValueError):
    """A file or an array whose content is not what it has to be."""

    status = 3


class MissingInputError(InputError, FileNotFoundError):
    """A file or folder that the user names and that is not there."""


class MissingDataError(DataError, FileNotFoundError):
    """A companion file that is missing."""


class OutputError(HsitfError, OSError):
    """A path that cannot be written: no permission or no space."""

    status = 4


class ResourceError(HsitfError, MemoryError):
    """The process may not take as much of the machine as the work needs."""


class LoweringError(HsitfError, ValueError):
    """A network that cannot be lowered exactly for inference."""

    status = 5


class IntegerFormError(LoweringError):
    """A layer can be computed in floats alone."""


class VerificationError(HsitfError, ValueError):
    """An exported file whose accuracy is not within the bound of its network's."""

    status = 6


def unknown(kind: str, received: str, allowed: Iterable[str]) -> InputError:
    """The error for a name that is not in a list, with the nearest spellings first.

    Args:
        kind: What the name refers to, such as "network".
        received: The name as typed.
        allowed: All names that exist.
    """
    names = list(allowed)
    near = difflib.get_close_matches(received.lower(), [n.lower() for n in names], n=3, cutoff=0.5)
    nearest = [n for n in names if n.lower() in near]
    remedy = f"did you mean {' or '.join(nearest)}?" if nearest else "name one of these"
    return InputError(
        f"unknown {kind} {received!r}", allowed=", ".join(names), remedy=remedy.rstrip("?")
    )
