"""Lowering of PixelNormalization, for floats and for integers.

Integer files hold every tensor in 256 steps, and a normalized spectrum is a small difference of
large numbers: one rounded after the other, they would leave nothing of it. What follows is equal to
the definition and holds small numbers alone. With the mean spectrum `mu` of the training pixels,
`S` the layer's contrast, `d` a spectrum's mean (0 for unit length) and all numbers over `S`:

    v = x - d                       what is normalized
    z = mu - mean(mu), unit length  the direction of the mean spectrum: mean(z ** 2) = 1
    g = mean(z * v)                 the gain: 1 times |mu| where the spectrum is the mean one
    r = v - g * z                   the residual, which has nothing of a change of brightness
    q = mean(r ** 2) + FLOOR
    k = 1 / sqrt(g ** 2 + q)
    h = g * k                       cosine of the angle to the mean spectrum

    v * k = h * z + k * r           since mean(v ** 2) = g ** 2 + mean(r ** 2)

`d` and `g` are weighted sums of the bands, so that `r` is the only difference of large numbers: it
is one weighted sum in 32 bits, of the bands as they enter and of `d` and `g`. Nearly all of `h * z`
is the same for all spectra; the difference to that is

    1 - h = (1 - h ** 2) / (1 + h) = q * k ** 2 / (1 + h)

which is small where spectra resemble the mean one. Formulas that start from the contrast at the
mean spectrum instead have terms that grow with brightness and cancel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from keras import layers, ops

from hsitf.arrays import Float64Array
from hsitf.errors import IntegerFormError
from hsitf.layers.pixel_normalization import FLOOR, LIMIT, PixelNormalization
from hsitf.lower.context import LoweringContext
from hsitf.lower.convolution import SlidingAxis
from hsitf.lower.depthwise import scale_and_shift
from hsitf.lower.layers_convolution import apply_convolution
from hsitf.lower.layers_merging import combined
from hsitf.lower.layers_moving import concatenated
from hsitf.lower.layers_pooling import mean_along
from hsitf.lower.layout_tensor import (
    LayoutTensor,
    compact,
    dense_layout,
    logical_order,
    rearrange,
)

# Part of the name of the layer that makes normalized bands of counts, or differences of bands: what
# it takes has 16 bits in files of 8.
FROM_COUNTS = "from_counts"
# Added to 1 + h, which is 0 for the opposite of the mean spectrum.
_OPPOSITE = 1e-6
# How often a sum over the bands enters, rounded at other places each time.
_COPIES = 4
# Steps of one sign that 8 bits have for a weight, and a usual step of normalized bands: all of
# their values, from -8 to 8 standard deviations or so, in 256 steps.
_STEPS = 127
_STEP = 1 / 16
# What a sum varies by, where bands vary by 1: fewer values are extreme, so that it may be more.
_BRIGHTNESS_SHARE = 2.0


def pixel_normalization(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """PixelNormalization."""
    layer, (value,) = context.layer, inputs
    if layer.kind == "continuum":
        return _continuum(context, value)
    if layer.kind == "difference":
        return _difference(context, value)
    scaled = _Spectra(context, layer, value)
    return _small_residuals(scaled) if context.arithmetic.integer else _definition(scaled)


@dataclass(frozen=True, eq=False)
class _Spectra:
    """What is normalized: the context, the layer, and its input of any layout, (..., bands).

    A band is `scale * input + offset`, over the layer's contrast.
    """

    context: LoweringContext
    layer: PixelNormalization
    value: LayoutTensor

    @property
    def scale(self) -> Float64Array:
        """(bands,) float64."""
        own = np.ones_like(self.layer.scale) if self.layer.sensor_units else self.layer.scale
        return own / self.layer.contrast

    @property
    def offset(self) -> Float64Array:
        """(bands,) float64; for snv and difference without its mean, which does not matter."""
        if self.layer.sensor_units:
            return np.zeros_like(self.layer.offset)
        return self.layer.relevant_offset / self.layer.contrast

    def weighted(self, value: LayoutTensor, weights: Any, bias: Any, name: str) -> LayoutTensor:
        """Sums of (..., channels) with (channels, sums) weights and (sums,) biases."""
        spatial = len(value.shape) - 1
        kernel = np.asarray(weights, np.float32).reshape(*[1] * spatial, *np.shape(weights))
        place = self.context.for_part(name)
        still = [SlidingAxis()] * spatial
        return apply_convolution(value, kernel, np.asarray(bias, np.float32), still, place)

    def shifted(self, value: LayoutTensor, scale: Any, shift: Any, name: str) -> LayoutTensor:
        """`scale * value + shift`."""
        return scale_and_shift(value, scale, shift, self.context.for_part(name).name)

    def product(self, one: LayoutTensor, other: LayoutTensor, name: str) -> LayoutTensor:
        """The product of two tensors, with broadcasting."""
        return self._together(layers.Multiply(name=self.context.for_part(name).name), one, other)

    def sum(self, one: LayoutTensor, other: LayoutTensor, name: str) -> LayoutTensor:
        """The sum of two tensors, with broadcasting."""
        return self._together(layers.Add(name=self.context.for_part(name).name), one, other)

    def difference(self, one: LayoutTensor, other: LayoutTensor, name: str) -> LayoutTensor:
        """The difference of two tensors, with broadcasting."""
        return self._together(layers.Subtract(name=self.context.for_part(name).name), one, other)

    def _together(self, layer: Any, one: LayoutTensor, other: LayoutTensor) -> LayoutTensor:
        """Two tensors, of which one may have a single channel, with all axes that they have.

        With fewer axes, TensorFlow takes one for a bias and fails to convert it.
        """
        images = []
        for value in (one, other):
            value = rearrange(value, logical_order(value))
            images.append(value.reshaped(*value.shape))
        result = layer(images)
        shape = tuple(result.shape[1:])
        return LayoutTensor(result, dense_layout(shape, tuple(range(len(shape)))))


def _definition(spectra: _Spectra) -> LayoutTensor:
    """The definition, for snv and unit."""
    layer, x = spectra.layer, _spectrum(spectra)
    # Means are of no weights, which have 11 bits in float16 files: 1 / bands would be wrong in all
    # bands by the same share of what is much larger than the difference to the center.
    if spectra.layer.kind == "snv":
        x = spectra.difference(x, mean_along(x, (len(x.shape) - 1,)), "centered")
    square = mean_along(spectra.product(x, x, "squared"), (len(x.shape) - 1,))
    unit = spectra.product(x, _inverse_root(square, FLOOR), "unit")
    low, high = _in_two(-layer.center)
    near = replace(spectra.shifted(unit, 1.0, high, "near"), producer=None)
    return scale_and_shift(near, 1 / layer.deviation, low / layer.deviation, spectra.context.name)


def _spectrum(spectra: _Spectra) -> LayoutTensor:
    """Spectra over the layer's contrast, exact to twice 11 bits in float16 files."""
    low, high = _in_two(spectra.offset)
    fine, coarse = _in_two(spectra.scale)
    x = replace(spectra.shifted(spectra.value, coarse, low, "deviation"), producer=None)
    # What is wrong by the same share in all bands cancels.
    if np.ptp(spectra.scale):
        x = spectra.sum(x, spectra.shifted(spectra.value, fine, 0.0, "deviation_rest"), "scaled")
    return spectra.shifted(replace(x, producer=None), 1.0, high, "spectrum")


def _in_two(terms: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Small and large parts of terms, so that float16 files hold their sum in twice 11 bits.

    What is left of a spectrum after them is many times smaller than they are.
    """
    high = terms.astype(np.float16).astype(np.float64)
    return terms - high, high


def _inverse_root(value: LayoutTensor, more: float = 0.0) -> LayoutTensor:
    value = compact(value)
    tensor = value.tensor + more if more else value.tensor
    return LayoutTensor(ops.rsqrt(tensor), value.layout)


def _small_residuals(spectra: _Spectra) -> LayoutTensor:
    """By the residual to a change of brightness, for snv and unit; see the module."""
    layer = spectra.layer
    mean = layer.relevant_offset / layer.contrast
    size = float(np.sqrt(np.mean(mean**2)))
    z = mean / size if size else np.zeros_like(mean)
    bands = _normalized_bands(spectra)
    residual = _residual(spectra, bands, z)
    scale, count = layer.scale / layer.contrast, len(z)
    gain = spectra.weighted(bands, (z * scale / count)[:, None], [size], "gain")
    r = spectra.shifted(residual, layer.deviation, 0.0, "residual")
    squares = spectra.product(r, r, "squared")
    q = spectra.weighted(squares, np.full((count, 1), 1 / count), [FLOOR], "square")
    k = _inverse_root(spectra.sum(spectra.product(gain, gain, "gain_squared"), q, "total"))
    root = _inverse_root(spectra.product(gain, k, "cosine"), 1 + _OPPOSITE)
    sine = spectra.product(q, spectra.product(k, k, "contrast"), "sine")
    below = spectra.product(sine, spectra.product(root, root, "half"), "below")
    common = spectra.weighted(
        below, -(z / layer.deviation)[None], (z - layer.center) / layer.deviation, "common"
    )
    own = spectra.product(residual, k, "own")
    return spectra.sum(own, common, "standardized")


def _normalized_bands(spectra: _Spectra) -> LayoutTensor:
    """Bands of zero mean and unit deviation, as they enter or as they become of counts."""
    layer = spectra.layer
    if not layer.sensor_units:
        return spectra.value
    return spectra.shifted(spectra.value, 1 / layer.scale, -layer.offset / layer.scale, FROM_COUNTS)


def _residual(spectra: _Spectra, bands: LayoutTensor, z: Float64Array) -> LayoutTensor:
    """The residual of each band over the deviation that the layer makes 1.

    One weighted sum of the bands and of `d` and `g`, which are numbers of their own: among the
    weights of a band, theirs would be too small for 8 bits. They enter several times, each shifted
    by a part of a step, so that they are rounded more finely; their weights of all but one are such
    that 8 bits hold them, too.
    """
    layer, count = spectra.layer, len(z)
    scale = layer.scale / layer.contrast
    # By all bands together, a sum varies by this at most.
    directions = [(z, np.mean(np.abs(z) * scale))]
    if spectra.layer.kind == "snv":
        directions.append((np.ones(count), scale.mean()))
    directions = [(along, size / _BRIGHTNESS_SHARE) for along, size in directions if size]
    sums = [along * scale / count / size for along, size in directions]
    shifts = (np.arange(_COPIES) + 0.5) / _COPIES - 0.5
    brightness = spectra.weighted(
        bands,
        np.repeat(np.stack(sums, 1), _COPIES, axis=1),
        np.tile(shifts * _STEP, len(sums)),
        "brightness",
    )
    both = concatenated([bands, brightness], -1, spectra.context.for_part("beside").name)
    own = np.diag(scale / layer.deviation)
    weights = [-along * size / layer.deviation for along, size in directions]
    largest = np.max([np.diag(own), *np.abs(weights)], axis=0)
    rows = [row for each in weights for row in _shared(each, largest / _STEPS)]
    # The shifts of the copies cancel where their weights are equal, and are taken out elsewhere.
    shift = -np.tile(shifts * _STEP, len(weights)) @ np.stack(rows)
    return spectra.weighted(both, np.vstack([own, *rows]), shift, "unexplained")


def _shared(weights: Float64Array, step: Float64Array) -> list[Float64Array]:
    """Weights as a sum of several, all but the last of which are multiples of a step."""
    part = np.round(weights / _COPIES / step) * step
    return [*[part] * (_COPIES - 1), weights - (_COPIES - 1) * part]


def _difference(context: LoweringContext, value: LayoutTensor) -> LayoutTensor:
    """First difference: a weighted sum of two bands each, cut at a number of deviations."""
    layer = context.layer
    spectra = _Spectra(context, layer, value)
    factor, offset = spectra.scale, spectra.offset
    term = (np.diff(offset) - layer.center) / layer.deviation
    if context.arithmetic.integer:
        return _difference_in_one_sum(spectra, factor, term)
    before, after = (
        replace(value, layout=part, producer=None)
        for part in (value.layout[..., :-1], value.layout[..., 1:])
    )
    plain = combined(
        layers.Subtract(name=context.for_part("plain").name),
        [
            spectra.shifted(after, factor[1:] / layer.deviation, term, "after"),
            spectra.shifted(before, factor[:-1] / layer.deviation, 0.0, "before"),
        ],
    )
    return LayoutTensor(ops.clip(plain.tensor, -LIMIT, LIMIT), plain.layout)


def _difference_in_one_sum(
    spectra: _Spectra, factor: Float64Array, term: Float64Array
) -> LayoutTensor:
    """Difference by one sum in 32 bits, cut by the activation that engines compute with it.

    The cut has both signs, so that 0 is one of the 256 values that 8 bits have of it. Where it
    begins at 0, the middle lies between two of them, and all differences are wrong by half a step.
    """
    layer, count = spectra.layer, len(factor)
    step = 1 / LIMIT
    kernel = np.zeros((count, count - 1))
    made = np.arange(count - 1)
    kernel[made, made] = -factor[:-1] / layer.deviation * step
    kernel[made + 1, made] = factor[1:] / layer.deviation * step
    plain = spectra.weighted(spectra.value, kernel, term * step, "plain")
    # Neighboring bands are alike: in 8 bits, normalized or not, their difference is lost.
    cut_name = spectra.context.for_part(FROM_COUNTS).name
    cut = layers.Activation("hard_tanh", name=cut_name)(plain.tensor)
    return spectra.shifted(LayoutTensor(cut, plain.layout), LIMIT, 0.0, "standardized")


def _continuum(context: LoweringContext, value: LayoutTensor) -> LayoutTensor:
    """Continuum removal: as it is, on an image with the bands last."""
    layer = context.layer
    if context.arithmetic.integer:
        raise IntegerFormError(
            f"layer {layer.name!r}, continuum removal, has no integer form: its hull is the "
            "smallest of as many lines as there are bands, each rounded",
            received="a file that computes in integers",
            allowed="float files, or the pixel normalizations snv and unit",
            remedy="export another variant, such as float16, or train with "
            "--pixel-normalization snv",
        )
    value = rearrange(value, logical_order(value))
    bands = value.shape[-1]
    image = value.reshaped(value.layout.size // bands, 1, bands)
    copy = type(layer).from_config({**layer.get_config(), "name": context.name})
    return LayoutTensor(copy(image), dense_layout(value.shape, logical_order(value)))
