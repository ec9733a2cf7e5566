"""Convolutions of one to three spatial axes."""

from __future__ import annotations

from functools import partial

from hsitf.operators import counting
from hsitf.operators.row import KernelAxes, OperatorType, Role, Rows

KERNEL = KernelAxes("kernel")
DEPTHWISE = KernelAxes("kernel", reads=-2, makes=(-2, -1))

_convolution = partial(
    OperatorType, Role.PRODUCES, kernels=(KERNEL,), macs=counting.kernel_per_output
)
_transposed = partial(
    OperatorType,
    Role.PRODUCES,
    kernels=(KernelAxes("kernel", reads=-1, makes=(-2,)),),
    macs=counting.kernel_per_input,
)
_separable = partial(
    OperatorType,
    Role.PRODUCES,
    kernels=(
        KernelAxes("depthwise_kernel", reads=-2, makes=(-2, -1)),
        KernelAxes("pointwise_kernel"),
    ),
    macs=counting.separable,
)
_depthwise = partial(
    OperatorType, Role.PASSES, kernels=(DEPTHWISE,), macs=counting.kernel_per_output
)

LAYERS: Rows = {
    "Conv1D": _convolution(rank=1),
    "Conv2D": _convolution(rank=2),
    "Conv3D": _convolution(rank=3),
    "Conv1DTranspose": _transposed(rank=1),
    "Conv2DTranspose": _transposed(rank=2),
    "Conv3DTranspose": _transposed(rank=3),
    "SeparableConv1D": _separable(rank=1),
    "SeparableConv2D": _separable(rank=2),
    "DepthwiseConv1D": _depthwise(rank=1),
    "DepthwiseConv2D": _depthwise(rank=2),
}
