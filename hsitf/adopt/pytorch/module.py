"""What a module of PyTorch computes of patches, in whichever layout it takes them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from hsitf.arrays import Float32Array
from hsitf.errors import InputError

# Largest difference of logits, as a share of the largest where that is above 1.
TOLERANCE = 1e-4
# Patches that a module is tried on: more than one, since toolboxes drop axes of one.
_TRIED = 4

# By what they are called, layouts of patches (n, rows, cols, bands), the likely ones first. Those
# with one axis less are for spectra.
_LAYOUTS: dict[str, Callable[[Float32Array], Float32Array]] = {
    "(n, 1, bands, rows, cols)": lambda x: x.transpose(0, 3, 1, 2)[:, None],
    "(n, bands, rows, cols)": lambda x: x.transpose(0, 3, 1, 2),
    "(n, rows, cols, bands)": lambda x: x,
    "(n, 1, rows, cols, bands)": lambda x: x[:, None],
}
_SPECTRA: dict[str, Callable[[Float32Array], Float32Array]] = {
    "(n, bands)": lambda x: x[:, 0, 0],
    "(n, 1, bands)": lambda x: x[:, 0],
    "(n, bands, 1)": lambda x: x[:, 0, 0, :, None],
}


@dataclass(frozen=True, eq=False)
class ModuleReference:
    """A module with the layout of its input.

    Attributes:
        module: A copy in evaluation mode, on the CPU.
        layout: Name of the layout.
        patch: Side of the patches in pixels.
        classes: Number of its logits.
    """

    module: Any
    layout: str
    patch: int
    classes: int

    def outputs(self, inputs: Sequence[Float32Array]) -> Float32Array:
        """Logits (n, classes) of one array of patches (n, rows, cols, bands)."""
        import torch

        arranged = (_LAYOUTS | _SPECTRA)[self.layout](np.asarray(inputs[0], np.float32))
        with torch.no_grad():
            found = self.module(torch.from_numpy(np.ascontiguousarray(arranged)))
        # The second output is what a decoder reconstructs.
        first = found[0] if isinstance(found, tuple | list) else found
        return self._logits(first.numpy(), len(arranged))

    def _logits(self, found: Float32Array, count: int) -> Float32Array:
        """Logits of the center, where the module has some for every pixel."""
        if found.shape[:2] != (count, self.classes):
            raise ValueError(f"outputs of shape {found.shape}")
        places = [slice(None), slice(None), *(size // 2 for size in found.shape[2:])]
        return np.asarray(found[tuple(places)], np.float32)


def agreeing(module: Any, models: Iterable[keras.Model]) -> tuple[keras.Model, ModuleReference]:
    """The first of some networks that computes what a module does, and the module's layout.

    Args:
        module: A `torch.nn.Module`, which is copied.
        models: Networks `(n, rows, cols, bands)` -> `(n, classes)` with its weights.

    Raises:
        InputError: The module takes patches in no known layout, or none computes the same.
    """
    copied = copy.deepcopy(module).cpu().float().eval()
    differences: dict[str, float] = {}
    problem = ""
    for model in models:
        _, patch, _, bands = model.input_shape
        shape = (_TRIED, patch, patch, bands)
        patches = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        logits = np.asarray(model(patches, training=False))
        for layout in (*_SPECTRA, *_LAYOUTS) if patch == 1 else _LAYOUTS:
            reference = ModuleReference(copied, layout, patch, logits.shape[1])
            try:
                theirs = reference.outputs([patches])
            # What a module raises at an input that it does not take.
            except Exception as error:
                problem = problem or f"{layout}: {str(error).splitlines()[0] if str(error) else ''}"
                continue
            difference = float(np.abs(theirs - logits).max())
            if difference <= TOLERANCE * max(1.0, float(np.abs(theirs).max())):
                return model, reference
            differences[layout] = min(difference, differences.get(layout, difference))
    if not differences:
        raise InputError(
            "the module takes patches in no layout that PyTorch toolboxes have",
            received=problem,
            allowed=", ".join(_SPECTRA | _LAYOUTS),
            remedy="wrap it in a module whose forward takes (n, 1, bands, rows, cols)",
        )
    layout, difference = min(differences.items(), key=lambda item: item[1])
    raise InputError(
        "the module has the layers of this network but computes something else",
        received=f"logits that differ by {difference:.1e} with patches as {layout}",
        allowed=f"{TOLERANCE:g} of the largest logit",
        remedy="export it to ONNX with torch.onnx.export, and adopt that file",
    )
