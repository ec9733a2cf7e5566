"""Exact rewrites of a trained network into what edge delegates run.

A lowered network computes the same logits with 2-D operators alone: no 3-D or 1-D convolution,
static shapes, no tensor of more than four axes. LiteRT has no integer kernel for CONV_3D and
most delegates refuse a fifth axis, so this comes before every conversion.
"""

from hsitf.lower.dense import dense
from hsitf.lower.rewrite import difference, lower

__all__ = ["dense", "difference", "lower"]
