"""Learned ranges of a network, by the names that its layers have in the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsitf.adopt.source import SourceNetwork
from hsitf.graph import input_names, operations

if TYPE_CHECKING:
    import keras


def renamed_ranges(source: SourceNetwork, network: keras.Model) -> dict[str, tuple[float, float]]:
    """The ranges that a network brings, by the names of the network built from it.

    Args:
        source: The network as its author shaped it.
        network: The same layers on patches, in the same order, some under another name.

    Returns:
        Ranges by layer; that of the patch encloses those of all inputs.
    """
    ranges = source.activation_ranges
    if not ranges:
        return {}
    found = {}
    entering = [ranges[name] for name in input_names(source.model) if name in ranges]
    if entering:
        (patch,) = input_names(network)
        found[patch] = (min(low for low, _ in entering), max(high for _, high in entering))
    left = [(type(one), str(one.name)) for one in operations(network)]
    for one in dict.fromkeys(operations(source.model)):
        if one.name not in ranges:
            continue
        # What was left out or put in front has no range; a copy has its name, or that and a number.
        alike = [
            at
            for at, (kind, name) in enumerate(left)
            if kind is type(one) and (name == one.name or _numbered(name, str(one.name)))
        ]
        if alike:
            found[left[alike[0]][1]] = ranges[one.name]
            left = left[alike[0] + 1 :]
    return found


def _numbered(name: str, stem: str) -> bool:
    return name.startswith(f"{stem}_") and name[len(stem) + 1 :].isdecimal()
