"""What a reader of foreign files returns, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hsitf.arrays import Float32Array

if TYPE_CHECKING:
    import keras

# Inputs of the model, in their order, to its outputs: computed by the framework that wrote it.
ReferenceOutputs = Callable[[Sequence[Float32Array]], Float32Array]


@dataclass(frozen=True)
class ReadingContext:
    """What is known about a network before its file is read.

    Attributes:
        components: Numbers per pixel that enter the network: bands of the scene, or components of
            the reduction in front.
        classes: Classes of the scene.
        network: Name of a network of the zoo that the file is to hold weights of; empty where the
            user named none.
        patch: Side of the patch in pixels; None where the user named none.
    """

    components: int
    classes: int
    network: str = ""
    patch: int | None = None


@dataclass(frozen=True, eq=False)
class SourceNetwork:
    """A network trained elsewhere, as its author shaped it.

    Attributes:
        model: Functional Keras 3 model with the trained weights; inputs and outputs as the author
            has them, channels last or not.
        framework: What wrote the file, such as "Keras 2" or "PyTorch".
        network: Name of the network of the zoo whose layers it has; empty for a network of its
            author's own.
        remarks: What was changed or assumed in reading, each a clause in the past tense, such as
            "pruning wrappers were stripped".
        activation_ranges: Smallest and largest value of layers' outputs, by layer name, where
            quantization-aware training learned them.
        reference: Computes the model's outputs with the framework that wrote it, to compare with;
            None where that is not installed or the file alone cannot be run.
    """

    model: keras.Model
    framework: str
    network: str = ""
    remarks: tuple[str, ...] = ()
    activation_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    reference: ReferenceOutputs | None = None


@dataclass(frozen=True)
class SourceFormat:
    """A kind of file that networks trained elsewhere come in.

    Attributes:
        description: What it is, for messages and docs.
        suffixes: Lower-case suffixes of its files.
        read: Reads a file.

    Raises of `read`:
        InputError: The file holds what cannot be adopted; the message says what to do.
        DataError: The file is damaged or not what its suffix says.
    """

    description: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, ReadingContext], SourceNetwork]
