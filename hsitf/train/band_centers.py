"""The band centers that a network by wavelength is trained on."""

from __future__ import annotations

import numpy as np

from hsitf import zoo
from hsitf.data import SceneData
from hsitf.errors import InputError
from hsitf.records import TrainingPlan


def band_centers(plan: TrainingPlan, data: SceneData) -> tuple[float, ...] | None:
    """Centers of the bands that a plan's network takes, in nanometers.

    Args:
        plan: The plan.
        data: The scene, its bands all there or selected.

    Returns:
        One number a band; None for a network that is no function of wavelength.

    Raises:
        InputError: The network is one, and its bands have no wavelengths.
    """
    facts = zoo.facts(plan.network)
    if facts is None or not facts.by_wavelength:
        return None
    what = f"the first layer of {plan.network} is a function of wavelength"
    remedy = "train deephs, which takes bands by their number"
    if data.scene.wavelengths is None:
        raise InputError(
            what,
            received=f"{data.scene.name}, whose files state no wavelengths",
            allowed="scenes with a wavelength for each band",
            remedy=f"give them with --wavelengths FILE, or {remedy}",
        )
    chosen = np.arange(data.scene.bands)
    if data.reducer is not None:
        if not data.reducer.selected:
            raise InputError(
                what,
                received=f"--bands {data.reducer.spec}, whose components have no wavelength",
                allowed="all bands, or selected ones such as select: and nm:",
                remedy=f"leave --bands out, or {remedy}",
            )
        chosen = np.asarray(data.reducer.selected)
    if plan.pixel_normalization:
        raise InputError(
            what,
            received=f"--pixel-normalization {plan.pixel_normalization}, which is of the bands of "
            "one sensor",
            remedy=f"leave it out, or {remedy}",
        )
    return tuple(np.asarray(data.scene.wavelengths, np.float64)[chosen].tolist())
