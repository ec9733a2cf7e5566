"""Images of one sensor become one scene: the same bands, one numbering of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.files import sha256
from hsitf.scenes.class_numbers import number_in
from hsitf.scenes.image_list import ImageList
from hsitf.scenes.metadata import NOWHERE, Color
from hsitf.scenes.readers import check_fits_memory
from hsitf.scenes.scene import Scene, SceneImage

# Images that a note lists by name.
_MAX_LISTED = 12


def stack_images(listed: ImageList, scenes: list[Scene]) -> Scene:
    """One scene of several images.

    The cubes are stacked along their rows; narrower ones end in columns without data. Classes are
    those of all images, by name where the labels bring names, else by number.

    Args:
        listed: The images as they are listed.
        scenes: Each image as a scene of its own; emptied here, so that no image is held for long
            beside the whole.

    Raises:
        InputError: The images have other bands, or some name their classes and others do not.
    """
    notes: list[str] = []
    bands = _shared_bands(listed, scenes, notes)
    scale = _shared_unit(listed, [scene.scale for scene in scenes], scenes, bands)
    offset = _shared_unit(listed, [scene.offset for scene in scenes], scenes, bands)
    names, colors = _class_names(listed, scenes), _class_colors(scenes)
    images = _placed(listed, scenes)
    notes += [
        f"{image.name}: {note}"
        for image, scene in zip(images, scenes, strict=True)
        for note in scene.notes
    ]
    shape = (sum(image.rows for image in images), max(image.cols for image in images))
    check_fits_memory(listed.path, (*shape, len(bands)), 4)
    cube = np.full((*shape, len(bands)), np.nan, np.float32)
    labels = np.zeros(shape, np.int32)
    first, whole = scenes[0], all(_is_whole(scene, len(bands)) for scene in scenes)
    sources = {listed.path.name: sha256(listed.path)}
    for image in images:
        scene = scenes.pop(0)
        cube[image.block] = scene.cube[:, :, _positions(scene, bands)]
        numbers = [0, *(names.index(name) + 1 for name in scene.class_names)]
        labels[image.block] = np.array(numbers, np.int32)[scene.labels]
        # Files of two images may have the same name.
        sources |= {f"{image.name}/{name}": digest for name, digest in scene.sources.items()}
    places = _positions(first, bands)
    return replace(
        first,
        name=listed.name,
        cube=cube,
        labels=labels,
        class_names=names,
        class_colors=tuple(colors[name] for name in names) if set(names) <= set(colors) else (),
        wavelengths=None if first.wavelengths is None else first.wavelengths[places],
        fwhm=None if first.fwhm is None else first.fwhm[places],
        scale=scale,
        offset=offset,
        rgb_bands=_rgb_bands(first, bands),
        sources=sources,
        band_numbers=() if whole else tuple(bands),
        source_bands=0 if whole else _file_bands(first),
        georeference=NOWHERE,
        notes=(_summary(images), *notes),
        images=images,
    )


def _own_bands(scene: Scene) -> list[int]:
    """Numbers of a scene's bands in its file."""
    return list(scene.band_numbers) or list(range(scene.bands))


def _file_bands(scene: Scene) -> int:
    """Number of bands in a scene's file."""
    return scene.source_bands or scene.bands


def _positions(scene: Scene, bands: Sequence[int]) -> list[int]:
    """Where bands of the file are in a scene."""
    own = {band: at for at, band in enumerate(_own_bands(scene))}
    return [own[band] for band in bands]


def _is_whole(scene: Scene, count: int) -> bool:
    return not scene.band_numbers and scene.bands == count


def _shared_unit(
    listed: ImageList,
    values: Sequence[float | NDArray[np.float64]],
    scenes: Sequence[Scene],
    bands: Sequence[int],
) -> float | NDArray[np.float64]:
    """The scale, or the offset, of all images, on the bands that they share.

    Raises:
        InputError: They differ, so that equal numbers mean other things.
    """
    chosen = [
        np.asarray(value, np.float64)[_positions(scene, bands)] if np.ndim(value) else value
        for value, scene in zip(values, scenes, strict=True)
    ]
    for image, other in zip(listed.images[1:], chosen[1:], strict=True):
        if not np.allclose(chosen[0], other, rtol=1e-6, atol=0):
            raise InputError(
                f"images {listed.images[0].name} and {image.name} are in other units",
                received=f"scale or offset {np.ravel(chosen[0])[0]:g} and {np.ravel(other)[0]:g}",
                allowed="the same scale and offset in all images of a scene",
                remedy="bring them to the same units before",
            )
    return chosen[0]


def _rgb_bands(scene: Scene, bands: Sequence[int]) -> tuple[int, int, int]:
    own, kept = _own_bands(scene), np.asarray(bands)
    red, green, blue = (int(np.abs(kept - own[band]).argmin()) for band in scene.rgb_bands)
    return red, green, blue


def _shared_bands(listed: ImageList, scenes: Sequence[Scene], notes: list[str]) -> list[int]:
    """Numbers of the bands that all images have, in the order of the first.

    Raises:
        InputError: Images are of other sensors, as far as their bands show it.
    """
    first, names = scenes[0], [image.name for image in listed.images]
    own = _own_bands(first)
    shared = [band for band in own if all(band in _own_bands(scene) for scene in scenes)]
    for name, scene in zip(names[1:], scenes[1:], strict=True):
        counts = _file_bands(first), _file_bands(scene)
        if counts[0] != counts[1]:
            raise _other_bands(names[0], name, f"{counts[0]} and {counts[1]} bands")
        if (first.wavelengths is None) != (scene.wavelengths is None):
            known = names[0] if scene.wavelengths is None else name
            other = name if scene.wavelengths is None else names[0]
            raise InputError(
                f"image {known} has wavelengths and image {other} has none",
                allowed="wavelengths of all images, or of none",
                remedy="give them with --wavelengths FILE",
            )
        if first.wavelengths is None or scene.wavelengths is None:
            # Their numbers are all that is known of them.
            continue
        here = first.wavelengths[_positions(first, shared)]
        there = scene.wavelengths[_positions(scene, shared)]
        # A band that is off by more than half the distance to its neighbors is another band.
        apart = float(np.abs(np.diff(here)).min()) / 2 if len(here) > 1 else np.inf
        (off,) = np.nonzero(np.abs(here - there) > apart)
        if len(off) or not shared:
            at = int(off[0]) if len(off) else 0
            pair = f"band {shared[at] + 1} at {here[at]:g} and {there[at]:g} nm" if shared else ""
            raise _other_bands(names[0], name, pair or "no band in common")
    if lost := sorted({band for scene in scenes for band in _own_bands(scene)} - set(shared)):
        shown = ", ".join(str(band + 1) for band in lost[:_MAX_LISTED])
        more = ", ..." if len(lost) > _MAX_LISTED else ""
        notes.append(f"Left out bands that not all images have: {shown}{more}.")
    return shared


def _other_bands(first: str, second: str, received: str) -> InputError:
    return InputError(
        f"images {first} and {second} have other bands",
        received=received,
        allowed="the same bands in all images of a scene",
        remedy="list images of one sensor",
    )


def _class_names(listed: ImageList, scenes: Sequence[Scene]) -> tuple[str, ...]:
    """The classes of all images.

    Raises:
        InputError: Some images name their classes, and others number them.
    """
    labelled = [
        (image.name, scene.class_names)
        for image, scene in zip(listed.images, scenes, strict=True)
        if scene.class_names
    ]
    every = list(dict.fromkeys(name for _, names in labelled for name in names))
    numbers = {name: number_in(name) for name in every}
    if None not in numbers.values():
        return tuple(sorted(every, key=lambda name: numbers[name] or 0))
    unnamed = [names for names in labelled if all(numbers[name] is not None for name in names[1])]
    if unnamed:
        named = next(names for names in labelled if names not in unnamed)
        raise InputError(
            f"images of {listed.path} number their classes in two ways",
            received=f"{named[0]}: {', '.join(named[1])}; {unnamed[0][0]}: "
            f"{', '.join(unnamed[0][1])}",
            allowed="names of classes in all labels, or in none",
            remedy='list the classes in a file and name it there: classes = "FILE"',
        )
    folded: dict[str, str] = {}
    for name in every:
        if (other := folded.setdefault(name.casefold(), name)) != name:
            raise InputError(
                f"classes of {listed.path} differ in upper and lower case alone",
                received=f"{other} and {name}",
                remedy="spell them alike, or apart",
            )
    return tuple(every)


def _class_colors(scenes: Sequence[Scene]) -> dict[str, Color]:
    """Colors by class, of the first image that has one."""
    found: dict[str, Color] = {}
    for scene in scenes:
        for name, color in zip(scene.class_names, scene.class_colors, strict=False):
            found.setdefault(name, color)
    return found


def _placed(listed: ImageList, scenes: Sequence[Scene]) -> tuple[SceneImage, ...]:
    heights = [scene.cube.shape[0] for scene in scenes]
    firsts: NDArray[np.int64] = np.concatenate([[0], np.cumsum(heights)[:-1]]).astype(np.int64)
    return tuple(
        SceneImage(
            image.name,
            first,
            scene.cube.shape[0],
            scene.cube.shape[1],
            image.set,
            scene.georeference,
        )
        for image, scene, first in zip(listed.images, scenes, firsts.tolist(), strict=True)
    )


def _summary(images: Sequence[SceneImage]) -> str:
    shown = [
        f"{image.name} ({image.rows} x {image.cols}{', ' + image.set if image.set else ''})"
        for image in images[:_MAX_LISTED]
    ]
    more = ", ..." if len(images) > _MAX_LISTED else ""
    return f"{len(images)} images: {', '.join(shown)}{more}."
