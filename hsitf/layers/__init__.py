"""Layers that papers and normalizations need and Keras lacks."""

from hsitf.layers.learned_scale import LearnedScale
from hsitf.layers.pixel_normalization import PixelNormalization
from hsitf.layers.response_normalization import LocalResponseNormalization
from hsitf.layers.scaled_attention import ScaledAttention
from hsitf.layers.tokens import LearnedTokens, PositionEmbedding
from hsitf.layers.wavelength_filters import WavelengthFilters

__all__ = [
    "LearnedScale",
    "LearnedTokens",
    "LocalResponseNormalization",
    "PixelNormalization",
    "PositionEmbedding",
    "ScaledAttention",
    "WavelengthFilters",
]
