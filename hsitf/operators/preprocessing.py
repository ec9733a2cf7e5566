"""Layers of `keras.layers` that prepare data, and containers for code of other libraries."""

from __future__ import annotations

from hsitf.operators.refusals import everywhere
from hsitf.operators.row import OperatorType, Role, Rows

_AUGMENTATION = OperatorType(
    Role.OPAQUE,
    refusals=everywhere(
        "it augments pictures while training",
        "leave it out of the network and augment with the options of training",
    ),
)
_TABULAR = OperatorType(
    Role.OPAQUE,
    refusals=everywhere(
        "it prepares text, categories or sound",
        "prepare the data outside the network and feed it with reflectances",
    ),
)
_FOREIGN = OperatorType(
    Role.OPAQUE,
    refusals=everywhere(
        "it runs code that cannot be read off its type",
        "write a layer of your own and register it, or build it from Keras' layers",
    ),
)
_INCOMPLETE = OperatorType(
    Role.OPAQUE,
    refusals=everywhere(
        "it is the base of other layers and computes nothing",
        "use a layer that is made of it",
    ),
)

LAYERS: Rows = {
    **dict.fromkeys(
        (
            "AugMix",
            "AutoContrast",
            "ContrastLimitedAdaptiveHistogramEqualization",
            "CutMix",
            "Equalization",
            "MaxNumBoundingBoxes",
            "MixUp",
            "RandAugment",
            "RandomBrightness",
            "RandomColorDegeneration",
            "RandomColorJitter",
            "RandomContrast",
            "RandomCrop",
            "RandomElasticTransform",
            "RandomErasing",
            "RandomFlip",
            "RandomGaussianBlur",
            "RandomGrayscale",
            "RandomHue",
            "RandomInvert",
            "RandomPerspective",
            "RandomPosterization",
            "RandomRotation",
            "RandomSaturation",
            "RandomSharpness",
            "RandomShear",
            "RandomTranslation",
            "RandomZoom",
            "Solarization",
        ),
        _AUGMENTATION,
    ),
    **dict.fromkeys(
        (
            "CategoryEncoding",
            "Discretization",
            "HashedCrossing",
            "Hashing",
            "IntegerLookup",
            "MelSpectrogram",
            "STFTSpectrogram",
            "StringLookup",
            "TextVectorization",
        ),
        _TABULAR,
    ),
    **dict.fromkeys(
        (
            "FlaxLayer",
            "JaxLayer",
            "Lambda",
            "Pipeline",
            "TFSMLayer",
            "TorchModuleWrapper",
        ),
        _FOREIGN,
    ),
    "Layer": _INCOMPLETE,
    "Wrapper": _INCOMPLETE,
}
