"""Published rules of delegates, one file each: `refuses` says why an operator is not taken."""

from __future__ import annotations

from collections.abc import Iterable

from hsitf.contents import Node

# Axes that a tensor may have.
MAX_RANK = 4


def shape_refuses(node: Node) -> str:
    """What all delegates ask of shapes: known when converting, and of four axes at most."""
    tensors = (*node.inputs, *node.outputs)
    if any(tensor.dynamic for tensor in tensors):
        return f"{node.op} has a tensor whose size is known only when running"
    rank = max((len(tensor.shape) for tensor in tensors), default=0)
    return f"{node.op} has a tensor of {rank} axes" if rank > MAX_RANK else ""


def type_refuses(node: Node, allowed: Iterable[str]) -> str:
    """Refuses an operator that computes in another type than these."""
    kind = node.inputs[0].dtype if node.inputs else "none"
    return "" if kind in set(allowed) else f"{node.op} computes in {kind}"
