"""Records of bit studies and layer sensitivities; reading them does not load Keras."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.compat import formerly
from hsitf.quantize.request import BitStudyRequest
from hsitf.quantize.schemes import Bits
from hsitf.ranges import Count, Kappa, Positive, Share

# Signal-to-noise ratio that is reported for a signal without noise, in decibels.
NOISELESS_DB = 200.0


@dataclass(frozen=True)
class BitStudyCell:
    """A network at one triple of bit widths.

    Attributes:
        bits: Bit widths of activations, weights and accumulators.
        oa: Overall accuracy.
        aa: Average accuracy over the classes.
        kappa: Cohen's kappa.
        agreement: Share of pixels with the same class as in the float network.
        saturated: Share of saturated sums, by layer.
        weight_bytes: Bytes of kernels and biases.
    """

    bits: Bits
    oa: Share
    aa: Share
    kappa: Kappa
    agreement: Share
    saturated: dict[str, Share]
    weight_bytes: Count

    @property
    def most_saturated(self) -> tuple[str, float]:
        """Layer with the largest share of saturated sums, and the share; ("", 0) without layers."""
        return max(self.saturated.items(), key=lambda item: item[1], default=("", 0.0))


@formerly(request="order", run_folder="run", products_per_sum="products")
@dataclass(frozen=True)
class BitStudy:
    """Results of a bit study: one network, one scheme, the same pixels.

    Attributes:
        network: Name of the network in the zoo.
        scene: Name of the scene.
        synthetic: True where the scene was generated.
        run_folder: Folder of the trained network.
        run_sha256: SHA-256 of the network's file.
        request: Scheme and sample sizes.
        oa: Overall accuracy of the float network.
        aa: Average accuracy of the float network.
        kappa: Cohen's kappa of the float network.
        pixels: Number of test pixels evaluated.
        products_per_sum: Products in one sum, by layer; they determine the accumulator bits.
        float_bytes: Bytes of the weights in float32.
        cells: Results in the order in which they were first requested.
        versions: Versions of Python and the relevant packages.
    """

    schema: int
    network: str
    scene: str
    synthetic: bool
    run_folder: str
    run_sha256: str
    request: BitStudyRequest
    oa: Share
    aa: Share
    kappa: Kappa
    pixels: Count
    products_per_sum: dict[str, Count]
    float_bytes: Positive
    cells: tuple[BitStudyCell, ...]
    versions: dict[str, str]


@formerly(required_accumulator_bits="accumulator")
@dataclass(frozen=True)
class LayerSensitivity:
    """Sensitivity of one layer to quantization.

    Attributes:
        name: Name of the layer.
        weights: Number of its weights, biases left out.
        weight_range: Smallest and largest trained weight, with batch normalization folded in.
        weight_scale: Smallest and largest accumulator scale among the channels.
        range: Smallest and largest output on the calibration patches.
        scale: Scale of its quantized output.
        snr: Signal-to-noise ratio of its output when all layers are quantized, in decibels,
            before the output itself is quantized.
        snr_alone: Signal-to-noise ratio of the logits when only this layer is quantized, decibels.
        agreement_alone: Share of test pixels that keep their class when only this layer is
            quantized.
        oa_alone: Overall accuracy when only this layer is quantized.
        clipped: Share of its outputs outside the quantized range.
        saturated: Share of its sums that saturated; 0 for recurrent layers, whose sums are
            floats.
        required_accumulator_bits: Bits with which no sum saturates; 0 for recurrent layers.
    """

    name: str
    weights: Count
    weight_range: tuple[float, float]
    weight_scale: tuple[float, float]
    range: tuple[float, float]
    scale: float
    snr: float
    snr_alone: float
    agreement_alone: Share
    oa_alone: Share
    clipped: Share
    saturated: Share
    required_accumulator_bits: Count


@formerly(request="order", run_folder="run")
@dataclass(frozen=True)
class SensitivityReport:
    """Sensitivity of every layer of a trained network at one triple of bit widths.

    Attributes:
        network: Name of the network in the zoo.
        scene: Name of the scene.
        synthetic: True where the scene was generated.
        run_folder: Folder of the trained network.
        run_sha256: SHA-256 of the network's file.
        request: Scheme and sample sizes.
        bits: Bit widths of activations, weights and accumulators.
        oa_float: Overall accuracy of the float network.
        oa: Overall accuracy with all layers quantized.
        snr: Signal-to-noise ratio of the logits with all layers quantized, decibels.
        pixels: Number of test pixels evaluated.
        layers: Layers in the order of the forward pass.
    """

    schema: int
    network: str
    scene: str
    synthetic: bool
    run_folder: str
    run_sha256: str
    request: BitStudyRequest
    bits: Bits
    oa_float: Share
    oa: Share
    snr: float
    pixels: Count
    layers: tuple[LayerSensitivity, ...]
