"""Which stage can take which layer: writes docs/reference/layers.md from the tables of rules.

    python benchmarks/layer_matrix.py [--check]

Every layer class of `keras.layers` and every operation of `keras.ops` that a functional model can
contain is either ruled or refused, with a reason and a remedy, for each stage.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import keras
from keras.src.applications.convnext import LayerScale, StochasticDepth

from hsitf import layers as own_layers
from hsitf.lower import rules as lowering
from hsitf.lower import tile_rules
from hsitf.operators import Capability, OperatorType, Refusal, find_type
from hsitf.prune import rules as pruning

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "layers.md"
# No stage meets an input: networks are walked from what it makes.
NEVER_MET = {"InputLayer"}
HEADINGS = {
    Capability.COST: "counted",
    Capability.PRUNE: "pruned",
    Capability.LOWER: "lowered",
    Capability.TILE: "whole tile",
    Capability.QUANTIZE: "quantized",
    Capability.DRAW: "drawn",
}
YES, NO = "yes", "-"


def layer_types() -> list[type]:
    """Layer classes of `keras.layers`, of the networks of Keras, and of hsitf, by name."""
    found = {
        value
        for module in (keras.layers, own_layers)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, keras.Layer)
    }
    found |= {LayerScale, StochasticDepth}
    return sorted(found, key=lambda kind: kind.__name__)


def operation_types() -> list[type]:
    """Classes of operations that functions of `keras.ops` and activations put into a model."""
    modules = [keras.ops, keras.activations]
    modules += [value for value in vars(keras.ops).values() if isinstance(value, types.ModuleType)]
    used: set[str] = set()
    for module in modules:
        for function in map(inspect.unwrap, filter(callable, vars(module).values())):
            if isinstance(function, types.FunctionType):
                used |= _names(function.__code__)
    found = {
        kind
        for kind in _subclasses(keras.Operation)
        if not issubclass(kind, keras.Layer)
        and kind.__module__.startswith("keras.")
        and kind.__name__ in used | {"GetItem"}
    }
    return sorted(found, key=lambda kind: kind.__name__)


def _names(code: types.CodeType) -> set[str]:
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _subclasses(kind: type) -> set[type]:
    return {found for child in kind.__subclasses__() for found in {child, *_subclasses(child)}}


def is_ruled(kind: type, row: OperatorType, capability: Capability) -> bool:
    """Whether a stage has what it needs to take a type, refusals left aside."""
    lowered = lowering.TABLE.find_type(kind) is not None
    tables = {
        Capability.PRUNE: pruning.TABLE.find_type(kind) is not None,
        Capability.LOWER: lowered,
        # Without a rule of its own, a layer is applied to each patch by itself.
        Capability.TILE: lowered,
        # What is quantized is the lowered network.
        Capability.QUANTIZE: lowered,
    }
    # Counting and drawing read the row.
    return tables.get(capability, Capability.COST not in row.refusals)


def answer(kind: type, capability: Capability) -> Refusal | None:
    """None where a stage takes a type, else why not.

    Raises:
        ValueError: A stage both takes and refuses the type, or does neither.
    """
    row = find_type(kind)
    if row is None:
        raise ValueError(f"{kind.__name__} has no row in hsitf/operators")
    refusal = row.refusal(capability)
    if is_ruled(kind, row, capability) == (refusal is not None):
        both = "both ruled and refused" if refusal else "neither ruled nor refused"
        raise ValueError(f"{kind.__name__} is {both} for {capability.name}")
    return refusal


def counts(kinds: Iterable[type]) -> dict[Capability, tuple[int, int]]:
    """By stage, how many types it takes and how many it refuses."""
    found = {}
    for capability in Capability:
        refused = sum(answer(kind, capability) is not None for kind in kinds)
        found[capability] = (len(list(kinds)) - refused, refused)
    return found


def page() -> str:
    """The documentation page."""
    kinds = [kind for kind in layer_types() if kind.__name__ not in NEVER_MET]
    operations = operation_types()
    parts = [
        "# Supported layers and operations",
        "",
        "Made by `python benchmarks/layer_matrix.py` from the tables in `hsitf/operators`,",
        "`hsitf/prune/rules/`, `hsitf/lower/rules.py` and `hsitf/lower/tile_rules.py`. What a",
        "stage refuses is listed below the tables, with the reason and the remedy. *per patch*:",
        "exact, but computed for each pixel's patch by itself. A layer of your own is made known",
        "with `hsitf.operators.register`.",
        "",
        "Networks are lowered whose inputs have at most three axes, such as (rows, cols, bands);",
        "what takes more axes inside (3-D convolutions, TimeDistributed) follows a Reshape.",
        "",
        "| | " + " | ".join(HEADINGS.values()) + " |",
        "|---|" + "---|" * len(HEADINGS),
    ]
    for title, group in (("layers", kinds), ("operations", operations)):
        cells = [f"{yes} of {yes + no}" for yes, no in counts(group).values()]
        parts.append(f"| {title} | " + " | ".join(cells) + " |")
    parts += ["", "## Layers", "", *_table(kinds)]
    parts += ["", "## Operations", "", *_table(operations), ""]
    parts += ["## Why not", "", *_reasons([*kinds, *operations])]
    return "\n".join(parts) + "\n"


def _table(kinds: list[type]) -> list[str]:
    """One line for each type that any stage of rewriting takes; the others together."""
    lines = ["| type | " + " | ".join(HEADINGS.values()) + " |", "|---|" + "---|" * len(HEADINGS)]
    others: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for kind in kinds:
        cells = tuple(_cell(kind, capability) for capability in HEADINGS)
        if cells[1] == cells[2] == NO:
            others[cells].append(kind.__name__)
        else:
            lines.append(f"| {kind.__name__} | " + " | ".join(cells) + " |")
    for cells, names in others.items():
        lines.append(f"| {', '.join(names)} | " + " | ".join(cells) + " |")
    return lines


def _cell(kind: type, capability: Capability) -> str:
    if answer(kind, capability) is not None:
        return NO
    if capability is Capability.TILE and tile_rules.TABLE.find_type(kind) is None:
        return "per patch"
    return YES


def _reasons(kinds: list[type]) -> list[str]:
    found: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for kind in kinds:
        stages: dict[Refusal, list[str]] = defaultdict(list)
        for capability, heading in HEADINGS.items():
            refusal = answer(kind, capability)
            if refusal is not None:
                stages[refusal].append(heading)
        for refusal, headings in stages.items():
            found[refusal.reason, refusal.remedy, tuple(headings)].append(kind.__name__)
    return [
        f"- Not {', '.join(headings)}: {', '.join(names)}. Because {reason}; {remedy}."
        for (reason, remedy, headings), names in found.items()
    ]


def main() -> None:
    """Writes the page, or says whether it is current."""
    if "--check" in sys.argv:
        sys.exit(None if PAGE.read_text() == page() else f"{PAGE} is not current")
    PAGE.write_text(page())
    for title, group in (("layers", layer_types()), ("operations", operation_types())):
        kinds = [kind for kind in group if kind.__name__ not in NEVER_MET]
        for capability, (ruled, refused) in counts(kinds).items():
            print(f"{title} {capability.name.lower()}: {ruled} ruled, {refused} refused")


if __name__ == "__main__":
    main()
