"""hsitf takes a hyperspectral scene and one of the literature's classification networks to a
small, verified file that runs on an edge device, and says with measured numbers what was lost
and what was gained on the way. Each stage is a package of its own and a verb on the command
line (`python -m hsitf VERB`); `hsitf.api` has the same for Python and notebooks. Nothing heavy is
imported before it is used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsitf.api import (
        CompressedNetwork,
        ExportedNetwork,
        LoadedScene,
        SceneMap,
        TrainedNetwork,
        adopt_network,
        build_network,
        classify_scene,
        compare_networks,
        load_bundle,
        load_run,
        load_scene,
        lower_model,
        prune_model,
        quantize_model,
        train_network,
        train_on_splits,
        verify_file,
    )

# TensorFlow leaves oneDNN's kernels off on processors without AVX-512 VNNI, where they train `he`
# six times as fast. Here, so that every process computes with the same ones, whatever it imports
# first: a run that is resumed is to go on bit by bit.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.2.0.dev0"

__all__ = [
    "CompressedNetwork",
    "ExportedNetwork",
    "LoadedScene",
    "SceneMap",
    "TrainedNetwork",
    "adopt_network",
    "build_network",
    "classify_scene",
    "compare_networks",
    "load_bundle",
    "load_run",
    "load_scene",
    "lower_model",
    "prune_model",
    "quantize_model",
    "train_network",
    "train_on_splits",
    "verify_file",
]


def __getattr__(name: str) -> object:
    """What `hsitf.api` offers, imported when it is first asked for (PEP 562)."""
    if name in __all__:
        return getattr(importlib.import_module("hsitf.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
