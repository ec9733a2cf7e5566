"""Products with a matrix of weights."""

from __future__ import annotations

from hsitf.layers import WavelengthFilters
from hsitf.operators import counting
from hsitf.operators.convolution import KERNEL
from hsitf.operators.refusals import everywhere
from hsitf.operators.row import OperatorType, Role, Rows

_NO_TOKENS = everywhere(
    "it looks up rows of a table by integers, which spectra are not",
    "feed the network with reflectances",
)

LAYERS: Rows = {
    "Dense": OperatorType(Role.PRODUCES, kernels=(KERNEL,), macs=counting.kernel_per_output),
    # Its matrix is computed from means and widths, and keeps all channels.
    WavelengthFilters: OperatorType(Role.MIXES, macs=counting.every_input_per_output),
    "EinsumDense": OperatorType(Role.PRODUCES, macs=counting.einsum_layer),
    "Embedding": OperatorType(Role.OPAQUE, refusals=_NO_TOKENS),
    "ReversibleEmbedding": OperatorType(Role.OPAQUE, refusals=_NO_TOKENS),
}
