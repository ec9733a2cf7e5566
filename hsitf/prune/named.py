"""Refusal of ratios for layers and kinds of channels that lose nothing."""

from __future__ import annotations

from collections.abc import Sequence

from hsitf.errors import InputError
from hsitf.prune.config import PruningConfig
from hsitf.prune.ranking import Ranking
from hsitf.prune.tracing import DependencyGroup, groups_of


def check_named(
    ranking: Ranking, config: PruningConfig, prunable: Sequence[DependencyGroup]
) -> None:
    """Refuses a ratio that would remove nothing, with the reason.

    Args:
        ranking: Ranking of the network's channels.
        config: How much to remove, and where not to.
        prunable: The groups that may lose channels by this ranking and configuration.

    Raises:
        InputError: A layer or kind with a ratio has no channels that may go.
    """
    groups = groups_of(ranking.trace)
    for name, ratio in config.ratios.items():
        own = [group for group in groups if name in group.layers]
        if ratio and not any(name in group.layers for group in prunable):
            raise InputError(
                f"layer {name!r} loses no channels",
                received=f"ratio {ratio:g}",
                allowed=f"layers such as {_listed(_layers(prunable))}",
                remedy=_reason(own, ranking, config),
            )
    kinds = list(dict.fromkeys(group.kind for group in prunable))
    for kind, ratio in config.kinds.items():
        if not ratio or kind in kinds:
            continue
        own = [group for group in groups if group.kind == kind]
        raise InputError(
            f"this network has no {kind} that may go" if own else f"this network has no {kind}",
            received=f"{kind}={ratio:g}",
            allowed=_listed(kinds) or "none",
            remedy=_reason(own, ranking, config)
            if own
            else "name a kind that it has; --groups prints them",
        )


def _layers(groups: Sequence[DependencyGroup]) -> list[str]:
    return [group.layers[0] for group in groups]


def _listed(names: Sequence[str]) -> str:
    shown = list(dict.fromkeys(names))
    return ", ".join(shown[:9]) + (", ..." if len(shown) > 9 else "")


def _reason(own: Sequence[DependencyGroup], ranking: Ranking, config: PruningConfig) -> str:
    """Why channels stay, or what lets them go."""
    fixed = [group for group in own if group.protected]
    if own and len(fixed) == len(own):
        reason = next((group.reason for group in fixed if group.reason), "")
        return reason or "leave it out: these are coupled with inputs, outputs or positions"
    if config.exact and all(group.approximate for group in own if not group.protected):
        return "leave out --exact: these channels only go approximately"
    if any(set(group.layers) & set(config.ignored) for group in own):
        return "leave it out here, or leave out --ignore"
    return f"take a criterion that scores these channels, as taylor does; not {ranking.criterion}"
