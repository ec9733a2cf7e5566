"""A scene in the bands and units of the network that classifies it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array, Float64Array
from hsitf.classify.source import Classifier, classifier_of_run
from hsitf.data import label_options, raster_options
from hsitf.errors import InputError
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.scenes import RasterSource, open_raster
from hsitf.scenes.resampling import BandResampling, Spectrometer, are_same_bands, resample_bands
from hsitf.sensors import is_by_wavelength, run_at_sensor


def open_for_site(
    choice: SceneChoice, classifier: Classifier, run: Run | None, strict_bands: bool
) -> tuple[RasterSource, Classifier, Run | None]:
    """The scene that a user names, and what classifies it.

    A trained network by wavelength is taken to the bands of a scene of another sensor, which is
    said in the notes; for any other classifier the scene is brought to the bands of the network.

    Args:
        choice: The scene.
        classifier: The network.
        run: The run that it is of; None for an exported file.
        strict_bands: Whether other bands are refused.

    Raises:
        InputError: The scene and the network cannot be brought together.
    """
    if run is not None and not strict_bands and is_by_wavelength(run):
        site = _opened(choice, classifier)
        known = site.wavelengths is not None and _is_of_another_sensor(site, classifier, False)
        if known:
            assert site.wavelengths is not None
            run = run_at_sensor(run, Spectrometer(site.wavelengths, site.fwhm), site.name)
            was = len(classifier.normalizer.offset)
            classifier = classifier_of_run(run)
            site = open_site(choice, classifier, strict_bands)
            note = (
                f"Computed the first layer of {classifier.name}, trained on {was} bands, for the "
                f"{site.shape[2]} bands of {site.name}."
            )
            return replace(site, notes=(*site.notes, note)), classifier, run
    return open_site(choice, classifier, strict_bands), classifier, run


def open_site(choice: SceneChoice, classifier: Classifier, strict_bands: bool) -> RasterSource:
    """The scene that a user names, with the network's bands in the network's units.

    The bands of another sensor are resampled by wavelength, and the units of a scene whose files
    state their scale are converted where those of the network's scene state theirs; both are said
    in the notes.

    Args:
        choice: The scene.
        classifier: The network.
        strict_bands: Whether other bands are refused, rather than resampled.

    Raises:
        InputError: The scene cannot be brought to the network's bands.
    """
    site = _opened(choice, classifier)
    resampling = None
    if _is_of_another_sensor(site, classifier, strict_bands):
        if strict_bands:
            raise classifier.other_bands(site)
        resampling = _resampling(site, classifier)
    return _in_network_units(site, classifier, resampling)


def _opened(choice: SceneChoice, classifier: Classifier) -> RasterSource:
    return open_raster(
        choice.source,
        choice.data_dir,
        labels=choice.labels,
        variable=choice.variable,
        label_options=label_options(choice),
        raster=raster_options(choice),
        band_numbers=classifier.band_numbers,
        source_bands=classifier.source_bands,
    )


def _is_of_another_sensor(site: RasterSource, classifier: Classifier, strict_bands: bool) -> bool:
    expected = len(classifier.normalizer.offset)
    if site.wavelengths is None or not classifier.wavelengths:
        unknown = bool(classifier.wavelengths) and strict_bands
        if site.shape[2] != expected or unknown:
            raise classifier.other_bands(site)
        return False
    return not are_same_bands(site.wavelengths, np.asarray(classifier.wavelengths))


def _resampling(site: RasterSource, classifier: Classifier) -> BandResampling:
    assert site.wavelengths is not None
    fwhm = np.asarray(classifier.fwhm) if classifier.fwhm else None
    network = Spectrometer(np.asarray(classifier.wavelengths), fwhm)
    try:
        return resample_bands(Spectrometer(site.wavelengths, site.fwhm), network)
    except InputError as error:
        raise InputError(
            f"{classifier.name} takes bands that {site.name} does not have",
            received=error.received,
            allowed=error.allowed,
            remedy=error.remedy,
        ) from error


@dataclass(frozen=True, eq=False)
class _Units:
    """Units of two scenes: `physical = scale * stored + offset`, each of one or (bands,) numbers.

    Attributes:
        site: Scale and offset of the scene that is classified.
        network: Scale and offset of the scene that the network was trained on.
    """

    site: tuple[Float64Array, Float64Array]
    network: tuple[Float64Array, Float64Array]

    def to_physical(self, values: Float32Array) -> Float32Array:
        scale, offset = self.site
        return np.asarray(values * scale + offset, np.float32)

    def to_network(self, values: Float32Array) -> Float32Array:
        scale, offset = self.network
        return np.asarray((values - offset) / scale, np.float32)


def _in_network_units(
    site: RasterSource, classifier: Classifier, resampling: BandResampling | None
) -> RasterSource:
    """The scene with the numbers that a sensor of the network would have stored."""
    notes = list(site.notes)
    if site.wavelengths is None and classifier.wavelengths:
        notes.append(
            f"{site.name} has no wavelengths: its bands are taken by number, as {classifier.scene} "
            "has them (--wavelengths FILE gives them)."
        )
    units = _units(site, classifier, notes, resampling is not None)
    if resampling is not None:
        notes.append(resampling.summary)
    if resampling is None and units is None:
        return replace(site, notes=tuple(notes))

    def read(start: int, stop: int) -> Float32Array:
        values = site.read(start, stop)
        # Bands with units of their own mix in physical ones alone.
        values = values if units is None else units.to_physical(values)
        values = values if resampling is None else resampling.apply(values)
        return values if units is None else units.to_network(values)

    rows, cols, _ = site.shape
    kept = site.wavelengths if resampling is None else np.asarray(classifier.wavelengths)
    return replace(
        site,
        shape=(rows, cols, len(classifier.normalizer.offset)),
        read=read,
        # What was computed of other bands or units is not resumed.
        digest=f"{site.digest}-{_fingerprint(resampling, units)}",
        wavelengths=kept,
        fwhm=None,
        notes=tuple(notes),
    )


def _units(
    site: RasterSource, classifier: Classifier, notes: list[str], resampled: bool
) -> _Units | None:
    """The units of both scenes where both state them, and they differ; else None."""
    there = _numbers(site.scale), _numbers(site.offset)
    here = _numbers(classifier.scale or 1.0), _numbers(classifier.offset or 0.0)
    stated = bool((there[0] != 1).any() or (there[1] != 0).any())
    known = bool(classifier.scale or classifier.offset)
    if stated and known:
        if all(_are_equal(one, other) for one, other in zip(there, here, strict=True)):
            return None
        notes.append(
            f"Converted {site.name} to the units of {classifier.scene}, by the scales that both "
            "state."
        )
        return _Units(there, here)
    if stated and resampled and max(map(len, there)) > 1:
        raise InputError(
            f"the bands of {site.name} have scales of their own, and those of {classifier.scene} "
            "are not known",
            received="other bands than the network's, which would be mixed in different units",
            remedy="convert the scene to the units of the network's before",
        )
    if stated or known:
        which = site.name if stated else f"{classifier.scene}, the network's own scene,"
        notes.append(
            f"Only {which} states the scale of its numbers: they are taken as they are. Check that "
            "both are in the same units."
        )
    return None


def _numbers(values: float | Sequence[float] | NDArray[np.float64]) -> Float64Array:
    return np.atleast_1d(np.asarray(values, np.float64))


def _are_equal(one: Float64Array, other: Float64Array) -> bool:
    return len({len(one), len(other), 1}) < 3 and bool((one == other).all())


def _fingerprint(resampling: BandResampling | None, units: _Units | None) -> str:
    known = hashlib.sha256()
    if resampling is not None:
        known.update(resampling.weights.tobytes())
    if units is not None:
        for numbers in (*units.site, *units.network):
            known.update(numbers.tobytes())
    return known.hexdigest()[:16]
