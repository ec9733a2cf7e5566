"""The built-in scene: simulated farmland, for trials without a download.

A pixel is a linear mixture of material spectra: leaves over ground, and the ground of plant litter
and soil. Cover, litter and soil vary from field to field, smoothly within a field and from pixel to
pixel; then come optical blur, illumination and noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.scenes.scene import Scene

_Random = np.random.Generator

# The solar range that imaging spectrometers such as AVIRIS cover, in nanometers.
_FIRST, _LAST = 400.0, 2500.0
_RED, _GREEN, _BLUE = 640.0, 550.0, 460.0
# Reflectance is delivered as whole numbers, 10,000 for a perfect reflector.
_COUNTS = 10_000


# --- materials -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReflectanceModel:
    """A reflectance spectrum: a continuum with absorption features.

    Attributes:
        continuum: Pairs of nanometers and reflectance, joined by a monotone cubic.
        absorptions: Triples of center and width (standard deviation) in nanometers and depth,
            the share of the continuum that is missing at the center.
    """

    continuum: tuple[tuple[float, float], ...]
    absorptions: tuple[tuple[float, float, float], ...]

    def reflectance(self, wavelengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """(bands,) float64 reflectance from 0 to 1 at (bands,) wavelengths in nanometers."""
        from scipy.interpolate import PchipInterpolator

        spectrum = np.asarray(PchipInterpolator(*zip(*self.continuum, strict=True))(wavelengths))
        for center, width, depth in self.absorptions:
            spectrum = spectrum * (1 - depth * np.exp(-(((wavelengths - center) / width) ** 2) / 2))
        return spectrum


def _leaf(edge: float, plateau: float, chlorophyll: float, water: float) -> ReflectanceModel:
    """Green leaves.

    Args:
        edge: Middle of the red edge in nanometers; chlorophyll-rich leaves have it further up.
        plateau: Reflectance in the near infrared, determined by the inner structure of the leaf.
        chlorophyll: Depth of its absorption.
        water: Depth of the absorption at 1940 nm; the weaker water bands follow it.
    """
    return ReflectanceModel(
        continuum=(
            (400, 0.10),
            (edge - 35, 0.15),
            (edge, 0.07 + 0.5 * plateau),
            (edge + 45, plateau),
            (1300, 0.98 * plateau),
            (1650, 0.76 * plateau),
            (2200, 0.50 * plateau),
            (2500, 0.28 * plateau),
        ),
        absorptions=(
            (450, 42, chlorophyll),
            (668, 26, chlorophyll),
            (970, 24, 0.08 * water),
            (1200, 36, 0.18 * water),
            (1450, 52, 0.78 * water),
            (1940, 70, water),
        ),
    )


def _litter(level: float, cellulose: float) -> ReflectanceModel:
    """Dead plants: no chlorophyll, a slow rise, cellulose at 2100 nm and lignin at 2300 nm."""
    continuum = (
        (400, 0.18),
        (700, 0.60),
        (1000, 0.86),
        (1300, 1.0),
        (1650, 0.98),
        (2000, 0.82),
        (2500, 0.55),
    )
    return ReflectanceModel(
        continuum=tuple((nm, level * part) for nm, part in continuum),
        absorptions=(
            (1450, 45, 0.16),
            (1730, 22, 0.04),
            (1940, 55, 0.24),
            (2100, 45, cellulose),
            (2300, 38, 0.7 * cellulose),
        ),
    )


def _soil(level: float, iron: float, clay: float) -> ReflectanceModel:
    """Bare soil: iron oxide near 500 and 870 nm, bound water, hydroxyl of clay at 2200 nm."""
    continuum = (
        (400, 0.22),
        (600, 0.48),
        (800, 0.68),
        (1300, 0.92),
        (1800, 1.0),
        (2150, 0.97),
        (2500, 0.80),
    )
    return ReflectanceModel(
        continuum=tuple((nm, level * part) for nm, part in continuum),
        absorptions=(
            (500, 45, iron),
            (870, 60, 0.6 * iron),
            (1415, 28, 0.12),
            (1920, 40, 0.22),
            (2205, 24, clay),
        ),
    )


MATERIALS: dict[str, ReflectanceModel] = {
    "corn": _leaf(edge=718, plateau=0.50, chlorophyll=0.66, water=0.72),
    "soybean": _leaf(edge=714, plateau=0.57, chlorophyll=0.60, water=0.68),
    "cereal": _leaf(edge=706, plateau=0.41, chlorophyll=0.34, water=0.46),
    "oat": _leaf(edge=711, plateau=0.46, chlorophyll=0.52, water=0.62),
    "alfalfa": _leaf(edge=719, plateau=0.60, chlorophyll=0.68, water=0.76),
    "grass": _leaf(edge=713, plateau=0.48, chlorophyll=0.56, water=0.66),
    "tree": _leaf(edge=721, plateau=0.42, chlorophyll=0.72, water=0.74),
    "stalks": _litter(level=0.42, cellulose=0.20),
    "straw": _litter(level=0.52, cellulose=0.26),
    "forest litter": _litter(level=0.26, cellulose=0.12),
    "dark soil": _soil(level=0.20, iron=0.10, clay=0.08),
    "bright soil": _soil(level=0.36, iron=0.20, clay=0.15),
    # Carbonate of limestone absorbs at 2335 nm.
    "gravel": ReflectanceModel(
        ((400, 0.20), (600, 0.32), (1000, 0.38), (1800, 0.42), (2500, 0.36)),
        ((1920, 40, 0.10), (2335, 30, 0.16)),
    ),
    # Painted roofs and asphalt between them: nearly flat, hydrocarbon at 1720 and 2310 nm.
    "roof": ReflectanceModel(
        ((400, 0.17), (560, 0.20), (700, 0.29), (1300, 0.31), (2500, 0.27)),
        ((1725, 18, 0.08), (2310, 25, 0.14)),
    ),
    # Open water absorbs all of the near infrared.
    "water": ReflectanceModel(
        ((400, 0.07), (560, 0.075), (700, 0.035), (900, 0.012), (2500, 0.004)), ()
    ),
}


# --- land cover ------------------------------------------------------------------------------


@dataclass(frozen=True)
class LandCover:
    """The composition of the parcels of a class.

    Attributes:
        name: Name of the class.
        leaf: Material of the canopy.
        canopy: Share of the ground that the canopy covers.
        litter: Material on the soil.
        litter_share: Share of the visible ground under litter; the rest is soil.
        size: Pixels of the class in the scene of 145 x 145.
        parcels: Fields of the class; three or more allow disjoint training, validation and test
            fields.
        roughness: Variation of the canopy and its shadows from pixel to pixel, relative to a row
            crop.
    """

    name: str
    leaf: str
    canopy: float
    litter: str
    litter_share: float
    size: int
    parcels: int
    roughness: float = 1.0


# Conditions of one crop differ in litter alone, as after no, reduced and clean tillage of last
# year's fields; sizes are as unequal as those of the field's standard scenes. The order lets a
# smaller scene take the first few and still hold easy and hard pairs.
COVERS = (
    LandCover("Corn, no till", "corn", 0.42, "stalks", 0.75, 1500, 5),
    LandCover("Soybean, reduced till", "soybean", 0.40, "stalks", 0.42, 2500, 7),
    LandCover("Woods", "tree", 0.88, "forest litter", 0.80, 1300, 4, 1.8),
    LandCover("Pasture", "grass", 0.72, "straw", 0.45, 560, 4),
    LandCover("Soybean, no till", "soybean", 0.40, "stalks", 0.75, 1050, 5),
    LandCover("Corn, reduced till", "corn", 0.42, "stalks", 0.42, 900, 5),
    LandCover("Grass with trees", "tree", 0.70, "straw", 0.45, 800, 4, 1.8),
    LandCover("Soybean, clean till", "soybean", 0.40, "stalks", 0.08, 660, 4),
    LandCover("Corn, clean till", "corn", 0.42, "stalks", 0.08, 300, 4),
    LandCover("Hay, windrowed", "grass", 0.30, "straw", 0.85, 520, 3),
    LandCover("Farmstead", "grass", 0.32, "roof", 0.80, 420, 5, 1.8),
    LandCover("Winter wheat", "cereal", 0.56, "straw", 0.60, 260, 3),
    LandCover("Alfalfa", "alfalfa", 0.72, "straw", 0.25, 120, 3),
    LandCover("Gravel yard", "grass", 0.08, "gravel", 0.85, 110, 3),
    LandCover("Pasture, mowed", "grass", 0.50, "straw", 0.60, 95, 3),
    LandCover("Oats", "oat", 0.58, "straw", 0.25, 55, 3),
)

# Unlabelled covers between the fields of the classes, and along their margins.
_OTHER = (
    LandCover("Fallow", "grass", 0.15, "straw", 0.15, 0, 0),
    LandCover("Sorghum", "corn", 0.62, "straw", 0.30, 0, 0),
    LandCover("Clover", "alfalfa", 0.60, "straw", 0.30, 0, 0),
    LandCover("Meadow", "grass", 0.85, "straw", 0.50, 0, 0),
    LandCover("Pond", "water", 1.0, "forest litter", 0.50, 0, 0, 0.1),
)
_OTHER_SHARES = (0.30, 0.25, 0.20, 0.20, 0.05)
_MARGIN = LandCover("Margin", "grass", 0.55, "gravel", 0.35, 0, 0)


def fields(seed: int = 0) -> Scene:
    """The built-in scene: 145 x 145 pixels, 200 bands from 400 to 2500 nm, 16 classes.

    Args:
        seed: Seed of the layout, the field variation and the noise.
    """
    return synthesize("fields", rows=145, cols=145, bands=200, classes=16, seed=seed)


def synthesize(name: str, rows: int, cols: int, bands: int, classes: int, seed: int = 0) -> Scene:
    """Farmland of any size, in whole counts of 10,000 times reflectance.

    Each class has at least three fields further apart than a guard band of 8 pixels (2 in scenes
    of fewer than 100 rows or cols), so that a disjoint split can train, validate and test it.

    Args:
        name: Name of the scene.
        rows: Rows, 32 or more.
        cols: Cols, 32 or more.
        bands: Bands, spread evenly over 400 to 2500 nm.
        classes: Number of classes, the first of `COVERS`.
        seed: Seed of the layout, the field variation and the noise.

    Raises:
        InputError: A size is out of range, or the fields do not fit into so small a scene.
    """
    _check_sizes(rows, cols, bands, classes)
    rng = np.random.default_rng(seed)
    wavelengths = np.linspace(_FIRST, _LAST, bands)
    covers = COVERS[:classes]
    parcels, of_class = _layout(rows, cols, covers, rng)
    margin = _margin(parcels)
    labels = np.where(margin, 0, of_class[parcels]).astype(np.int32)
    abundances = _abundances(parcels, of_class, margin, covers, rng)
    spectra = np.stack([m.reflectance(wavelengths) for m in MATERIALS.values()])
    reflectance = _blurred(abundances) @ spectra * _illumination(rows, cols, rng)[..., None]
    reflectance += _noise_level(wavelengths) * rng.standard_normal(reflectance.shape)
    red, green, blue = (int(abs(wavelengths - nm).argmin()) for nm in (_RED, _GREEN, _BLUE))
    return Scene(
        name=name,
        cube=np.maximum(np.rint(_COUNTS * reflectance), 0).astype(np.float32),
        labels=labels,
        class_names=tuple(cover.name for cover in covers),
        wavelengths=wavelengths,
        rgb_bands=(red, green, blue),
        synthetic=True,
    )


def _check_sizes(rows: int, cols: int, bands: int, classes: int) -> None:
    if min(rows, cols) < 32 or bands < 3:
        raise InputError(
            "too small for a synthetic scene",
            received=f"{rows} x {cols} pixels, {bands} bands",
            allowed="32 x 32 pixels and 3 bands or more",
        )
    if not 1 <= classes <= len(COVERS):
        raise InputError(
            "no such number of classes in a synthetic scene",
            received=classes,
            allowed=f"1 to {len(COVERS)}",
        )


# --- layout ----------------------------------------------------------------------------------

# Share of the scene that is to be labelled; Indian Pines has 49 %.
_LABELLED = 0.54
_MIN_PIXELS = 12  # of a parcel, without its margin: 3 x 4
# Fields lie along one direction, off the flight line; borders stray from it by a few degrees.
_HEADING, _STRAY = np.radians(9.0), np.radians(2.5)
# Of so many layouts the one whose narrowest field is the least narrow; more until one fits.
_CHOICE, _ATTEMPTS = 30, 200


def _layout(
    rows: int, cols: int, covers: Sequence[LandCover], rng: _Random
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A map of parcels, and the class of each parcel (0 = none).

    Raises:
        InputError: No layout was found in which each class has three separated fields.
    """
    gap = 8 if min(rows, cols) >= 100 else 2
    best: tuple[float, NDArray[np.int64], NDArray[np.int64]] | None = None
    for attempt in range(_ATTEMPTS):
        of_class, areas = _parcel_list(rows * cols, covers, rng)
        parcels = np.zeros((rows, cols), np.int64)
        _partition(parcels, np.argwhere(parcels == 0), np.arange(len(areas)), areas, rng)
        inner = np.where(_margin(parcels), -1, parcels)
        labels = np.where(inner < 0, 0, of_class[parcels])
        if all(_has_separated_fields(parcels, labels == c, gap) for c in range(1, len(covers) + 1)):
            squareness = _squareness(parcels, inner)[of_class > 0].min()
            if best is None or squareness > best[0]:
                best = squareness, parcels, of_class
        if best is not None and attempt + 1 >= _CHOICE:
            return best[1:]
    raise InputError(
        "the fields of a synthetic scene do not fit",
        received=f"{len(covers)} classes in {rows} x {cols} pixels",
        remedy="ask for fewer classes or a larger scene",
    )


def _squareness(parcels: NDArray[np.int64], inner: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pixels of each parcel off its margin, over those of a square of its area."""
    areas = np.bincount(parcels.ravel())
    kept = np.bincount(inner[inner >= 0], minlength=len(areas))
    return np.asarray(kept / np.maximum(np.sqrt(areas) - 2, 1) ** 2)


def _parcel_list(
    pixels: int, covers: Sequence[LandCover], rng: _Random
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Class and area of each parcel; neighbors in the list become neighbors in the map.

    The fields of a class are distributed over that many neighborhoods, and within a neighborhood
    parcels are sorted by area, so that small ones are not slivers of large ones.
    """
    scale = _LABELLED * pixels / sum(cover.size for cover in covers)
    classes, areas = [], []
    for number, cover in enumerate(covers, start=1):
        parts = rng.uniform(0.6, 1.4, cover.parcels)
        sizes = np.maximum(scale * cover.size * parts / parts.sum(), _MIN_PIXELS)
        classes += [number] * cover.parcels
        areas += list((np.sqrt(sizes) + 2) ** 2)
    spare = max(pixels - sum(areas), 0.04 * pixels)
    others = max(3, len(areas) // 6)
    classes += [0] * others
    areas += list(spare * rng.dirichlet(np.full(others, 4.0)))
    of_class, area = np.array(classes), np.array(areas)

    neighborhoods = max(cover.parcels for cover in covers)
    dealt = np.empty(len(area), np.int64)
    for number in range(len(covers) + 1):
        members = np.flatnonzero(of_class == number)
        dealt[members] = rng.permutation(max(neighborhoods, len(members)))[: len(members)]
    order = np.lexsort((-area, dealt % neighborhoods))
    return of_class[order], area[order]


def _partition(
    parcels: NDArray[np.int64],
    points: NDArray[np.int64],
    numbers: NDArray[np.int64],
    areas: NDArray[np.float64],
    rng: _Random,
) -> None:
    """Divides points among parcels by area, halving again and again across the longer side."""
    if len(numbers) == 1:
        parcels[points[:, 0], points[:, 1]] = numbers[0]
        return
    middle = np.cumsum(areas[numbers]) / areas[numbers].sum()
    at = int(np.clip(abs(middle - 0.5).argmin() + 1, 1, len(numbers) - 1))
    along = np.array([np.cos(_HEADING), np.sin(_HEADING)])
    across = np.array([-along[1], along[0]])
    longer = max((along, across), key=lambda side: float(np.ptp(points @ side)))
    stray = rng.normal(0, _STRAY)
    tilted = np.array(
        [
            np.cos(stray) * longer[0] - np.sin(stray) * longer[1],
            np.sin(stray) * longer[0] + np.cos(stray) * longer[1],
        ]
    )
    points = points[np.argsort(points @ tilted, kind="stable")]
    first = round(float(middle[at - 1]) * len(points))
    _partition(parcels, points[:first], numbers[:at], areas, rng)
    _partition(parcels, points[first:], numbers[at:], areas, rng)


def _margin(parcels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pixels next to another parcel."""
    from scipy.ndimage import maximum_filter, minimum_filter

    return np.asarray(maximum_filter(parcels, 3) != minimum_filter(parcels, 3))


def _has_separated_fields(parcels: NDArray[np.int64], members: NDArray[np.bool_], gap: int) -> bool:
    """Whether a class has three fields further apart than `gap`, each of some pixels."""
    from scipy.ndimage import maximum_filter

    found, free = 0, members
    for number in np.unique(parcels[members]):
        field = free & (parcels == number)
        if np.count_nonzero(field) >= _MIN_PIXELS // 2:
            found += 1
            free = free & ~maximum_filter(field, 2 * gap + 1, mode="constant")
    return found >= 3


# --- fields ----------------------------------------------------------------------------------

# Standard deviations of a share of the ground (canopy, litter): between the fields of a class,
# smoothly within a field, and from pixel to pixel before the optics blur them. Set so that a
# support vector machine on single spectra is right on about 80 % of the test pixels of a disjoint
# split, and on about 90 % when it sees the mean of 5 x 5 pixels.
_BETWEEN, _WITHIN, _PIXEL = 0.01, 0.01, 0.22
_PATCHINESS = 3.0  # pixels over which the state of a field changes
_REGION = 18.0  # pixels over which soils and light change
# The optics of a pushbroom sensor smear a pixel over its neighbors: full width 1.6 pixels.
_BLUR = 0.7


def _abundances(
    parcels: NDArray[np.int64],
    of_class: NDArray[np.int64],
    margin: NDArray[np.bool_],
    covers: Sequence[LandCover],
    rng: _Random,
) -> NDArray[np.float64]:
    """(rows, cols, materials) shares of the materials at each pixel, summing to 1."""
    canopies = _field_variation(parcels, rng)
    litters = _field_variation(parcels, rng)
    bright = np.clip(0.5 + 0.06 * _smooth(parcels.shape, _REGION, rng), 0, 1)
    pixel = rng.standard_normal((2, *parcels.shape))
    others = rng.choice(len(_OTHER), size=len(of_class), p=_OTHER_SHARES)
    index = {name: at for at, name in enumerate(MATERIALS)}
    abundances = np.zeros((*parcels.shape, len(MATERIALS)))
    grown = [covers[c - 1] if c else _OTHER[o] for c, o in zip(of_class, others, strict=True)]
    masks = [(cover, (parcels == at) & ~margin) for at, cover in enumerate(grown)]
    for cover, mask in [*masks, (_MARGIN, margin)]:
        rough = _PIXEL * cover.roughness
        canopy = cover.canopy + canopies[mask] + rough * pixel[0][mask]
        litter = cover.litter_share + litters[mask] + rough * pixel[1][mask]
        canopy, litter = np.clip(canopy, 0, 1), np.clip(litter, 0, 1)
        soil = (1 - canopy) * (1 - litter)
        abundances[mask, index[cover.leaf]] += canopy
        abundances[mask, index[cover.litter]] += (1 - canopy) * litter
        abundances[mask, index["bright soil"]] += soil * bright[mask]
        abundances[mask, index["dark soil"]] += soil * (1 - bright[mask])
    return abundances


def _field_variation(parcels: NDArray[np.int64], rng: _Random) -> NDArray[np.float64]:
    """(rows, cols) how far the state of a field departs from its class, without pixel noise."""
    between = _BETWEEN * rng.standard_normal(int(parcels.max()) + 1)
    return between[parcels] + _WITHIN * _smooth(parcels.shape, _PATCHINESS, rng)


def _smooth(shape: tuple[int, ...], scale: float, rng: _Random) -> NDArray[np.float64]:
    """A smooth random field of mean 0 and standard deviation 1."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(rng.standard_normal(shape), scale, mode="wrap")
    return np.asarray((field - field.mean()) / field.std())


def _blurred(abundances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The abundances after the optics: a Gaussian mean of each pixel's surroundings."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(abundances, (_BLUR, _BLUR, 0), mode="nearest"))


# --- light and noise -------------------------------------------------------------------------


def _illumination(rows: int, cols: int, rng: _Random) -> NDArray[np.float64]:
    """(rows, cols) brightness: slopes and haze change it smoothly, shadows from pixel to pixel."""
    slopes = 0.02 * _smooth((rows, cols), _REGION, rng)
    shadows = 0.04 * rng.standard_normal((rows, cols))
    return np.asarray(np.exp(slopes + shadows))


def _noise_level(wavelengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """(bands,) standard deviation of the noise, in reflectance.

    Water vapor at 1400 and 1900 nm leaves little light to measure, and so do the sun below
    450 nm and beyond 2400 nm.
    """
    vapor = 0.04 * np.exp(-(((wavelengths - 1385) / 35) ** 2) / 2)
    vapor += 0.05 * np.exp(-(((wavelengths - 1875) / 45) ** 2) / 2)
    ends = 0.010 * np.exp(-(wavelengths - _FIRST) / 40) + 0.016 * np.exp((wavelengths - _LAST) / 60)
    return np.asarray(0.0065 + vapor + ends)
