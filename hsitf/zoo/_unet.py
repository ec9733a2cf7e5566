"""What the networks of whole tiles are made of: convolutions, pooling and repeated pixels."""

from __future__ import annotations

from keras import KerasTensor, layers

from hsitf.errors import InputError

# Two poolings by 2.
STRIDE = 4


def check_side(name: str, side: int) -> None:
    """Refuses a tile whose pixels the poolings of a network would not bring back.

    Args:
        name: Name of the network.
        side: Side of the tile in pixels.

    Raises:
        InputError: It is no multiple of 4.
    """
    if side < STRIDE or side % STRIDE:
        raise InputError(
            f"{name} halves a tile twice and doubles it again",
            received=f"a side of {side}",
            allowed=f"multiples of {STRIDE}",
            remedy="give another side",
        )


def conv(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    """A convolution (3, 3) without bias, normalization and ReLU."""
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def pooled(x: KerasTensor, name: str) -> KerasTensor:
    """The largest of each 2 x 2 pixels."""
    return layers.MaxPooling2D(2, name=name)(x)


def raised(x: KerasTensor, name: str) -> KerasTensor:
    """Every pixel 2 x 2 times."""
    return layers.UpSampling2D(2, name=name)(x)
