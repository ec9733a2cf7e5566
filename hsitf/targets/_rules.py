"""What the published rules of delegates have in common.

`rejects` gives the reason why an operator is not supported; empty where it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from hsitf.inspection import Node

# Largest number of axes of a tensor.
MAX_RANK = 4


def reject_shapes(node: Node) -> str:
    """Reason why shapes are not supported: dynamic sizes or more than four axes."""
    tensors = (*node.inputs, *node.outputs)
    if any(tensor.dynamic for tensor in tensors):
        return f"{node.op} has a tensor whose size is known only at run time"
    rank = max((len(tensor.shape) for tensor in tensors), default=0)
    return f"{node.op} has a tensor of {rank} axes" if rank > MAX_RANK else ""


def reject_types(node: Node, allowed: Iterable[str]) -> str:
    """Reason why the type of an operator is not supported."""
    kind = node.inputs[0].dtype if node.inputs else "none"
    return "" if kind in set(allowed) else f"{node.op} computes in {kind}"
