"""What a user says about a network trained elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hsitf.adopt.preprocessing.options import PreprocessingOptions
from hsitf.records import SceneChoice
from hsitf.scenes.splits import SplitOptions


@dataclass(frozen=True)
class AdoptionRequest:
    """A network trained elsewhere, and how it is to be used.

    Attributes:
        source: Path of its file, or a model in memory.
        scene: The scene that it was trained for.
        name: Name of the network, by which its folder is named; empty for the file's stem.
        run: Name of the run's folder; None for the default.
        network: Network of the zoo that a checkpoint is of; empty to recognize it.
        preprocessing: What is computed of a pixel's bands before they enter.
        input_axes: Axes of each input, in their order; empty to recognize them by their sizes.
        class_order: Class of the scene of each output, by number from 1 or name, "-" for none;
            empty for the scene's order.
        background: "first", "last" or "none": where an output for background stands; empty to
            accept one in front where there is one output more than classes.
        output: Name of the output to take, of several; empty for the one that fits.
        split: How the labelled pixels are split; its patch is that of the network.
        patch: Side of the patch, where an input leaves it open; None to take that of the input.
        accept_chance: Whether a network is adopted that is no better than chance.
    """

    source: Path | Any
    scene: SceneChoice
    name: str = ""
    run: str | None = None
    network: str = ""
    preprocessing: PreprocessingOptions = field(default_factory=PreprocessingOptions)
    input_axes: tuple[tuple[str, ...], ...] = ()
    class_order: tuple[str, ...] = ()
    background: str = ""
    output: str = ""
    split: SplitOptions = field(default_factory=SplitOptions)
    patch: int | None = None
    accept_chance: bool = False
