"""A trained network by wavelength on the bands of another sensor, as a run of its own.

Its first layer, `WavelengthFilters`, is computed for the other band centers; all weights stay.
Normalization goes along: the other sensor would have measured the training pixels' means and
deviations between those of the network's bands. Bands where the network was trained on none weigh
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hsitf import zoo
from hsitf.arrays import Float64Array
from hsitf.data import SceneData, reload_scene, restore
from hsitf.errors import DataError, InputError
from hsitf.progress import Progress
from hsitf.records import RunRecord, SceneChoice
from hsitf.runs import Run
from hsitf.scenes import open_raster
from hsitf.scenes.metadata import read_wavelengths
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.resampling import COVERED, Spectrometer, band_weights

if TYPE_CHECKING:
    import keras

    from hsitf.graph import Call
    from hsitf.layers import WavelengthFilters

# Suffixes of files that hold band centers and nothing else.
LISTS = (".txt", ".csv")


def is_by_wavelength(run: Run) -> bool:
    """Whether the network of a run takes the bands of other sensors without resampling."""
    facts = zoo.facts(run.record.plan.network)
    return facts is not None and facts.by_wavelength


@dataclass(frozen=True)
class RunAtSensor(Run):
    """A run whose network takes another sensor's bands; its record and data are of these.

    Attributes:
        trained: The run as it was trained.
        sensor: Name of the other sensor, for folders.
        bands: Its bands.
    """

    trained: Run
    sensor: str
    bands: Spectrometer

    def network(self) -> keras.Model:
        """The trained network for the other bands.

        Raises:
            DataError: Its file is damaged.
        """
        return at_centers(self.trained.network(), self.bands.centers)

    def data(self, choice: SceneChoice | None = None) -> SceneData:
        """The scene as the other sensor would measure it: simulated, by resampling.

        Raises:
            InputError: The scene cannot be found.
            DataError: It is not the one of the run's record.
        """
        then = self.trained.record
        scene = reload_scene(choice or self.scene_choice(), then.scene)
        weights = _weights(self.trained, self.network(), self.bands)
        cube = scene.cube[..., _chosen(self.trained)] @ weights.astype(np.float32)
        record = self.record.scene
        rgb = np.abs(self.bands.centers[:, None] - np.array([640.0, 550.0, 460.0])).argmin(axis=0)
        measured = replace(
            scene,
            cube=np.ascontiguousarray(cube, np.float32),
            wavelengths=self.bands.centers,
            fwhm=self.bands.fwhm,
            rgb_bands=tuple(rgb.tolist()),
            band_numbers=(),
            source_bands=0,
            scale=np.asarray(record.scale) if record.scale else 1.0,
            offset=np.asarray(record.offset) if record.offset else 0.0,
        )
        return restore(measured, self.split(), self.record.normalizer, then.plan.patch)

    @property
    def label(self) -> str:
        """Short name for its files, with the sensor's name."""
        return f"{super().label}-{self.sensor}"


def run_at_sensor(run: Run, bands: Spectrometer, sensor: str) -> RunAtSensor:
    """The run of a network by wavelength for the bands of another sensor.

    Args:
        run: The trained network.
        bands: The other sensor's bands.
        sensor: Its name, for folders and messages.

    Raises:
        InputError: The network is no function of wavelength, or the sensor lacks what it needs.
    """
    if not is_by_wavelength(run):
        raise InputError(
            f"{run.record.plan.network} takes the bands that it was trained on alone",
            received=f"the bands of {sensor}",
            allowed="networks by wavelength, such as deephs_hyve",
            remedy="classify scenes of other sensors with it, which resamples them, or train "
            "deephs_hyve",
        )
    network = run.network()
    _check_centers(run, filters_of(network))
    _check_covered(filters_of(network), bands, sensor)
    return RunAtSensor(run.folder, _record(run, network, bands), run, sensor, bands)


def at_sensor(run: Run, path: Path, progress: Progress) -> RunAtSensor:
    """The same for a sensor that a user names by a file, which its name is taken from.

    Args:
        run: The trained network.
        path: See `read_sensor`.
        progress: Receives what files are verified on.

    Errors are those of `run_at_sensor` and `read_sensor`.
    """
    found = run_at_sensor(run, read_sensor(path.expanduser()), path.stem)
    progress.say(
        f"Files take the {len(found.bands.centers)} bands of {found.sensor}, and are verified on "
        f"{run.record.scene.name} as that sensor would measure it, by resampling."
    )
    return found


def read_sensor(path: Path) -> Spectrometer:
    """The bands of a sensor: those of a cube's file, or a list of band centers.

    Args:
        path: A cube, or a text file (.txt, .csv) as `--wavelengths` takes it.

    Raises:
        InputError: There is no such file, or a cube that states no wavelengths.
        DataError: The file is damaged.
    """
    if path.suffix.lower() in LISTS:
        centers = np.asarray(read_wavelengths(path))
        if (np.diff(centers) <= 0).any():
            raise InputError(
                f"the band centers of {path} are not in ascending order",
                received=f"{centers[0]:g} nm first, {centers[-1]:g} nm last",
                allowed="each center above the one before",
                remedy="list them in ascending order; the file takes the bands in that order",
            )
        return Spectrometer(centers)
    site = open_raster(str(path))
    if site.wavelengths is None:
        raise InputError(
            f"{site.name} states no wavelengths",
            received=path,
            allowed="a cube whose file states a wavelength for each band, or a list (.txt, .csv)",
            remedy="write the band centers in nanometers into a .txt file",
        )
    return Spectrometer(site.wavelengths, site.fwhm)


def filters_of(network: keras.Model) -> WavelengthFilters:
    """The first layer of a network by wavelength.

    Raises:
        DataError: The network has none.
    """
    from hsitf.layers import WavelengthFilters

    found = [layer for layer in network.layers if isinstance(layer, WavelengthFilters)]
    if len(found) != 1:
        raise DataError(
            f"{network.name} is no network by wavelength",
            received=f"{len(found)} layers of filters over wavelength",
            allowed="one, which the bands enter",
            remedy="train the network again",
        )
    return found[0]


def at_centers(network: keras.Model, centers: Float64Array) -> keras.Model:
    """A network by wavelength for other bands; the layers behind the first are shared.

    Args:
        network: The network.
        centers: (bands,) float64 nanometers.
    """
    import keras

    from hsitf.graph import unwrap_single, walk

    old = filters_of(network)
    new = old.at(centers)
    (given,) = network.inputs
    inputs = keras.Input((*given.shape[1:-1], len(centers)), name=given.name)

    def visit(call: Call, values: list[Any]) -> Any:
        result = call.call_with(new if call.operation is old else call.operation, values)
        return list(result) if isinstance(result, list | tuple) else result

    outputs = walk(network, [inputs], visit)
    new.set_weights(old.get_weights())
    return keras.Model(inputs, unwrap_single(outputs), name=network.name)


def _chosen(run: Run) -> NDArray[np.intp]:
    """Indices of the bands of the run's scene that its network takes."""
    reducer = run.reducer()
    count = len(run.record.normalizer.offset)
    return np.arange(count) if reducer is None else np.asarray(reducer.selected, np.intp)


def _weights(run: Run, network: keras.Model, bands: Spectrometer) -> Float64Array:
    """(network's bands, other bands): how the other sensor's bands follow from the network's.

    Zero for bands that weigh nothing.
    """
    record, chosen = run.record.scene, _chosen(run)
    fwhm = np.asarray(record.fwhm)[chosen] if record.fwhm else None
    own = Spectrometer(np.asarray(record.wavelengths)[chosen], fwhm)
    order = np.argsort(own.centers, kind="stable")
    fwhm = None if own.fwhm is None else own.fwhm[order]
    weights = np.empty((len(chosen), len(bands.centers)))
    weights[order] = band_weights(Spectrometer(own.centers[order], fwhm), bands)
    return weights * _weighs(filters_of(network), bands)


def _weighs(filters: WavelengthFilters, bands: Spectrometer) -> NDArray[np.bool_]:
    """(other bands,) whether a band lies where the network was trained."""
    known: NDArray[np.bool_] = filters.at(bands.centers).covered > 0
    return known


def _record(run: Run, network: keras.Model, bands: Spectrometer) -> RunRecord:
    """The run's record with the other sensor's bands in the place of its own."""
    record, chosen = run.record, _chosen(run)
    scale, offset = (
        np.broadcast_to(np.asarray(values or default, np.float64), len(record.normalizer.offset))
        for values, default in ((record.scene.scale, (1.0,)), (record.scene.offset, (0.0,)))
    )
    center, deviation = np.asarray(record.normalizer.offset), np.asarray(record.normalizer.scale)
    units = record.scene.scale, record.scene.offset
    if max(map(len, units)) > 1:
        # Bands with units of their own mix in physical ones alone.
        center, deviation, units = center * scale + offset, deviation * scale, ((1.0,), (0.0,))
    weights, weighs = _weights(run, network, bands), _weighs(filters_of(network), bands)
    normalizer = Normalizer(
        tuple((center[chosen] @ weights).tolist()),
        tuple(np.where(weighs, deviation[chosen] @ weights, 1.0).tolist()),
    )
    rows, cols, _ = record.scene.shape
    scene = replace(
        record.scene,
        shape=(rows, cols, len(bands.centers)),
        wavelengths=tuple(bands.centers.tolist()),
        fwhm=() if bands.fwhm is None else tuple(bands.fwhm.tolist()),
        band_numbers=(),
        source_bands=0,
        scale=units[0],
        offset=units[1],
    )
    return replace(record, scene=scene, normalizer=normalizer, bands=None)


def _check_centers(run: Run, filters: WavelengthFilters) -> None:
    """Refuses a run whose network is of other bands than its record says."""
    centers = np.asarray(run.record.scene.wavelengths)
    chosen = _chosen(run)
    if len(centers) <= chosen.max(initial=0) or not np.array_equal(
        centers[chosen], filters.centers
    ):
        raise DataError(
            f"the network of {run.folder} is of other wavelengths than its record says",
            received=f"filters from {filters.centers.min():g} to {filters.centers.max():g} nm",
            remedy="train the network again",
        )


def _check_covered(filters: WavelengthFilters, bands: Spectrometer, sensor: str) -> None:
    """Refuses a sensor that lacks a part of the spectrum that a filter sums over."""
    other = filters.at(bands.centers)
    other.build((None, len(bands.centers)))
    other.set_weights(filters.get_weights())
    before, now = filters.kernel.sum(axis=0), other.kernel.sum(axis=0)
    lacking = now < COVERED * before
    if lacking.any():
        worst = int(np.argmin(now / np.maximum(before, 1e-12)))
        at = filters.wavelengths[worst]
        raise InputError(
            f"{sensor} does not cover the wavelengths of the network",
            received=f"bands from {bands.centers.min():g} to {bands.centers.max():g} nm, with "
            f"{now[worst] / before[worst]:.0%} of the filter at {at:.0f} nm",
            allowed=f"{COVERED:.0%} of each filter; the network was trained from "
            f"{filters.centers.min():g} to {filters.centers.max():g} nm",
            remedy="train a network on bands that both sensors have (hsitf train --bands "
            "nm:LOW-HIGH)",
        )
