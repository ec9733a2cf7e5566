"""What a user can cause and mend.

Every message is made of the same four parts: what is wrong, what was received, what is
allowed, and what to do next. The command line prints it on its own, without a traceback, and
exits with the error's status.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HsitfError(Exception):
    """Base of all errors that end in a message for the user rather than a traceback.

    Args:
        what: What is wrong, one clause without a full stop.
        received: What hsitf was given.
        allowed: What it can take.
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
            parts.append(f"received: {received}")
        if allowed is not None:
            parts.append(f"allowed: {allowed}")
        if remedy is not None:
            parts.append(remedy)
        super().__init__("; ".join(parts) + ".")


class InputError(HsitfError):
    """An option, a name or a combination of them that cannot be followed."""

    status = 2


class DataError(HsitfError):
    """A file or an array whose content is not what it has to be."""

    status = 3


class OutputError(HsitfError):
    """A place that cannot be written to: no permission, no room."""

    status = 4


class LoweringError(HsitfError):
    """A network that cannot be rewritten exactly for inference."""

    status = 5


class VerificationError(HsitfError):
    """An exported file that is not worth what its network is worth."""

    status = 6


def unknown(kind: str, received: str, allowed: Iterable[str]) -> InputError:
    """The error for a name that is not in a list, with the nearest spellings first.

    Args:
        kind: What the name should have named, such as "network".
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
