"""Networks that installed packages add, by entry points of the group `hsitf.networks`.

An entry point names a module with `NETWORK` and `build`, or anything else that has them. One that
is broken, or whose name is taken, does not keep the others away.
"""

from __future__ import annotations

import warnings
from collections import Counter
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hsitf.errors import InputError
from hsitf.zoo._own import OwnNetwork, can_be_named, quoted

GROUP = "hsitf.networks"


@cache
def plugins(shipped: tuple[str, ...]) -> dict[str, OwnNetwork]:
    """The networks of installed packages, without importing any.

    Args:
        shipped: Names that they cannot have, since hsitf has them itself.

    Returns:
        The networks by their names. What cannot be taken is named in a warning, once.
    """
    found = list(entry_points(group=GROUP))
    counts = Counter(one.name for one in found)
    taken = {}
    for one in found:
        if one.name in shipped:
            reason = "hsitf has a network of this name itself"
        elif counts[one.name] > 1:
            reason = "several packages have a network of this name"
        elif not can_be_named(one.name):
            reason = "a network cannot have this name"
        else:
            load = partial(_load, one)
            taken[one.name] = OwnNetwork(one.name, _package(one), load, packaged=True)
            continue
        warnings.warn(f"{one.name!r} of {_package(one)} is left out: {reason}", stacklevel=2)
    return taken


def _package(point: EntryPoint) -> str:
    return f"the package {point.dist.name}" if point.dist else f"the plug-in {point.value}"


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        raise InputError(
            f"the network {point.name!r} of {_package(point)} cannot be loaded",
            received=quoted(error),
            remedy="correct, update or uninstall that package",
        ) from error
