"""Why stages cannot take some operators, and what can be done: one constant a kind of reason."""

from __future__ import annotations

from collections.abc import Mapping

from hsitf.operators.row import Capability, Refusal

Refusals = Mapping[Capability, Refusal]


def refuse(reason: str, remedy: str, *stages: Capability) -> dict[Capability, Refusal]:
    """The same refusal for several stages; those that build on one of them refuse too."""
    return dict.fromkeys(stages, Refusal(reason, remedy))


def everywhere(reason: str, remedy: str) -> dict[Capability, Refusal]:
    """A refusal for all stages."""
    return refuse(reason, remedy, Capability.COST, Capability.PRUNE, Capability.LOWER)


def in_rewriting(reason: str, remedy: str) -> dict[Capability, Refusal]:
    """A refusal to prune and to lower; the operator is counted and drawn."""
    return refuse(reason, remedy, Capability.PRUNE, Capability.LOWER)
