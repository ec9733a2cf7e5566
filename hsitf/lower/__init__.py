"""Lowering: exact rewrites of a trained network with operators that edge delegates support.

A lowered network computes the same logits with 2-D operators alone: no 3-D or 1-D convolution,
static shapes, no tensor of more than four axes. LiteRT has no integer kernel for CONV_3D and
most delegates do not support a fifth axis, so this comes before every conversion.
"""

from hsitf.lower.fully_convolutional import to_fully_convolutional
from hsitf.lower.rewrite import difference, lower

__all__ = ["difference", "lower", "to_fully_convolutional"]
