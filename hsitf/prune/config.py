"""How much of a network is pruned, and where not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hsitf.compat import formerly
from hsitf.errors import InputError
from hsitf.prune.kind_names import check_kind


@formerly(global_pruning="everywhere", min_channels="least", prune_io="free")
@dataclass(frozen=True)
class PruningConfig:
    """How much to remove, and where not to.

    Attributes:
        ratio: Share of the channels to remove, 0 to below 1. Of a group of w channels the integer
            part of w * (1 - ratio) is kept.
        ratios: Ratios of single layers, in place of `ratio`.
        global_pruning: Whether the least important channels of the whole network are removed
            (global pruning), or the same share of each group (local pruning).
        round_to: The number of kept channels of each group is rounded up to a multiple of this.
        min_channels: Number of channels that every group keeps at least.
        ignored: Layers that lose no channels.
        exact: Whether to keep channels that cannot be removed exactly.
        prune_io: Inputs and output layers that may lose channels too; by default none may.
        kinds: Ratios of all channels of a kind, such as the heads of attention (see
            `kind_names.KINDS`), in place of `ratio`; that of a layer comes first.

    Raises:
        InputError: A value is out of range.
    """

    ratio: float = 0.0
    ratios: Mapping[str, float] = field(default_factory=dict)
    global_pruning: bool = False
    round_to: int = 1
    min_channels: int = 1
    ignored: tuple[str, ...] = ()
    exact: bool = False
    prune_io: tuple[str, ...] = ()
    kinds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.kinds:
            check_kind(name)
        for name, value in {"ratio": self.ratio, **self.ratios, **self.kinds}.items():
            if not 0 <= value < 1:
                raise InputError(
                    f"the pruning ratio of {name} is out of range"
                    if name != "ratio"
                    else "the pruning ratio is out of range",
                    received=value,
                    allowed="0 to below 1, the share of channels to remove",
                )
        if min(self.round_to, self.min_channels) < 1:
            raise InputError(
                "a group keeps at least one channel",
                received=f"round_to {self.round_to}, min_channels {self.min_channels}",
                allowed="1 or more",
            )
