"""What is written down of networks in few bits; reading it loads no Keras."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.quantize.request import Order
from hsitf.quantize.schemes import Bits

# What stands for a signal without any noise, in decibels.
NOISELESS = 200.0


@dataclass(frozen=True)
class Cell:
    """A network in so many bits.

    Attributes:
        bits: Of its numbers.
        oa: Overall accuracy; `aa` and `kappa` likewise.
        agreement: Share of the pixels on which it says what the float network says.
        saturated: Share of the sums that saturated, by layer.
        weight_bytes: What kernels and biases take.
    """

    bits: Bits
    oa: float
    aa: float
    kappa: float
    agreement: float
    saturated: dict[str, float]
    weight_bytes: int

    @property
    def most_saturated(self) -> tuple[str, float]:
        """The layer whose sums saturated most often, and how often; nothing where none sums."""
        return max(self.saturated.items(), key=lambda item: item[1], default=("", 0.0))


@dataclass(frozen=True)
class Study:
    """Cells of one network, one scheme and the same pixels.

    Attributes:
        network: Name in the zoo.
        scene: Name of the scene; `synthetic` where it was generated.
        run: Folder of the trained network.
        run_sha256: Digest of its file.
        order: What was asked for.
        oa: Of the float network; `aa` and `kappa` likewise.
        pixels: Test pixels judged on.
        products: Products of one sum, by layer: what an accumulator's width follows from.
        float_bytes: What the weights take in float32.
        cells: In the order in which they were asked for first.
        versions: Of Python and the packages that matter.
    """

    schema: int
    network: str
    scene: str
    synthetic: bool
    run: str
    run_sha256: str
    order: Order
    oa: float
    aa: float
    kappa: float
    pixels: int
    products: dict[str, int]
    float_bytes: int
    cells: tuple[Cell, ...]
    versions: dict[str, str]


@dataclass(frozen=True)
class Layer:
    """One layer in few bits.

    Attributes:
        name: Of the layer.
        weights: How many it has, biases left out.
        weight_range: Least and greatest trained weight, normalization behind it multiplied in.
        weight_scale: Least and greatest unit among the channels.
        range: Least and greatest number that left it on the calibration patches.
        scale: Of one step of what leaves it.
        snr: Signal to noise of what leaves it when all layers are rounded, in decibels; its
            own rounding is not yet in it.
        snr_alone: Signal to noise of the logits when it alone is rounded, decibels.
        agreement_alone: Share of test pixels that keep their class when it alone is rounded.
        oa_alone: Overall accuracy then.
        clipped: Share of what leaves it that lay outside its grid.
        saturated: Share of its sums that saturated; 0 for recurrent layers, whose sums are
            floats.
        accumulator: Bits with which no sum saturates; 0 for recurrent layers.
    """

    name: str
    weights: int
    weight_range: tuple[float, float]
    weight_scale: tuple[float, float]
    range: tuple[float, float]
    scale: float
    snr: float
    snr_alone: float
    agreement_alone: float
    oa_alone: float
    clipped: float
    saturated: float
    accumulator: int


@dataclass(frozen=True)
class Sensitivity:
    """The layers of a trained network in so many bits.

    Attributes:
        network: Name in the zoo.
        scene: Name of the scene; `synthetic` where it was generated.
        run: Folder of the trained network.
        run_sha256: Digest of its file.
        order: How it was asked for.
        bits: Of its numbers.
        oa_float: Overall accuracy of the float network.
        oa: That of the network with all layers in few bits.
        snr: Signal to noise of its logits, decibels.
        pixels: Test pixels judged on.
        layers: In the order of the forward pass.
    """

    schema: int
    network: str
    scene: str
    synthetic: bool
    run: str
    run_sha256: str
    order: Order
    bits: Bits
    oa_float: float
    oa: float
    snr: float
    pixels: int
    layers: tuple[Layer, ...]
