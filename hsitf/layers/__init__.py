"""Layers that papers and normalizations need and Keras lacks."""

from hsitf.layers.pixel_normalization import PixelNormalization
from hsitf.layers.response_normalization import LocalResponseNormalization

__all__ = ["LocalResponseNormalization", "PixelNormalization"]
