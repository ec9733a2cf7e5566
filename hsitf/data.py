"""A scene prepared for networks: split, normalized on its training pixels, patches on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from hsitf import scenes
from hsitf.array_files import MAX_UNPACKED, read_arrays
from hsitf.bands import Reducer, TrainingSpectra, fit
from hsitf.bands.reducer import BLOCK
from hsitf.errors import DataError, InputError
from hsitf.records import ImageRecord, SceneChoice, SceneRecord, SplitRecord
from hsitf.scenes.image_list import SETS, find_image_list, read_image_list
from hsitf.scenes.labels import LabelOptions
from hsitf.scenes.metadata import RasterOptions, parse_axes, read_wavelengths
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.readers import read_array
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import SmallClassesError, Split, SplitOptions, leakage, split
from hsitf.scenes.splits.few_labels import classes_below, with_few_labels

# Unlabelled pixels for each training pixel, at most. A batch of the papers' 100 then holds nine
# labelled ones on average, and one in 14,000 holds none; the time of an epoch stays bounded.
MAX_UNLABELLED_FACTOR = 10


@dataclass(frozen=True, eq=False)
class SceneData:
    """The data for training and verification.

    Attributes:
        scene: The scene as it was read.
        split: Its training, validation and test pixels.
        normalizer: The normalization, fitted to the training pixels.
        patches: Patches of the normalized scene after band reduction.
        reducer: The band reduction, fitted to the training pixels; None where all bands are used.
        sensor_units: Whether patches are in the sensor's units.
    """

    scene: Scene
    split: Split
    normalizer: Normalizer
    patches: PatchSource
    reducer: Reducer | None = None
    sensor_units: bool = False

    def in_sensor_units(self) -> SceneData:
        """The same scene in the sensor's units, for networks that prepare bands themselves."""
        count = self.scene.bands
        nothing = Normalizer((0.0,) * count, (1.0,) * count)
        cube, images = self.normalizer.fill(self.scene.cube), self.scene.images
        source = PatchSource.from_cube(cube, self.patches.patch, images)
        return replace(self, normalizer=nothing, patches=source, reducer=None, sensor_units=True)

    @property
    def bands(self) -> int:
        """Number of inputs per pixel: bands, or components of a reduction."""
        return self.patches.bands

    def targets(self, pixels: NDArray[np.int64]) -> NDArray[np.int32]:
        """Classes of `pixels` (flat indices) as the networks count them: 0 .. classes - 1."""
        return self.scene.labels.ravel()[pixels] - 1

    @cached_property
    def unlabelled(self) -> NDArray[np.int64]:
        """Pixels without a label that a decoder may learn from: sorted flat indices.

        For a split with separated sets (disjoint, fixed), only pixels whose patches share no pixel
        with a validation or test patch, and which the guard band of a disjoint split leaves to the
        training side. DeepHyperX also reconstructs the test pixels; we do not, because a leakage of
        0 % has to mean that training has used nothing of the test set, spectra included. For a
        random split, where training patches overlap with test patches anyway, all unlabelled
        pixels.

        At most `MOST_UNLABELLED` times as many as there are training pixels, drawn by the split's
        seed.
        """
        candidates = (self.scene.labels == 0) & self.scene.valid
        if self.split.kind != "random":
            candidates &= ~self.near_evaluation()
        pixels = np.flatnonzero(candidates).astype(np.int64)
        drawn = np.random.default_rng(self.split.seed).permutation(pixels)
        return np.sort(drawn[: MAX_UNLABELLED_FACTOR * len(self.split.train)])

    def near_evaluation(self) -> NDArray[np.bool_]:
        """(rows, cols) where a training pixel would be too near to validation and test pixels."""
        # Zones 2 and 3 are validation and test. Patches share a pixel where their centers are
        # less than `patch` rows and cols apart.
        distance = max(self.patches.patch - 1, self.split.guard)
        zones = self.split.zones()
        near = self.split.near(zones > 1, 2 * distance + 1)
        if self.split.kind == "images":
            # Nothing of an image that does not train is used.
            for image in self.scene.images:
                near[image.block] |= not (zones[image.block] == 1).any()
        return near

    def calibration_pixels(self, count: int) -> NDArray[np.int64]:
        """Training pixels to calibrate on, flat indices, about `count`.

        Each class contributes the same number of pixels; a class with fewer pixels contributes all
        of them. Ranges measured on the frequent classes only would clip the values of rare ones.
        """
        generator = np.random.default_rng(self.split.seed)
        classes = self.targets(self.split.train)
        each = max(1, count // self.scene.classes)
        chosen = np.concatenate(
            [
                generator.permutation(self.split.train[classes == label])[:each]
                for label in range(self.scene.classes)
            ]
        )
        return generator.permutation(chosen)

    def scene_record(self) -> SceneRecord:
        """What to write down of the scene, with the set of each image."""
        record = describe_scene(self.scene)
        if self.split.kind != "images":
            return record
        zones = self.split.zones()
        # Where the scene does not say it, the set of most of its pixels: regions of images that
        # train may validate.
        found = [
            np.bincount(zones[one.block].ravel(), minlength=4)[1:] for one in self.scene.images
        ]
        sets = [SETS[int(count.argmax())] if count.any() else "" for count in found]
        known = [
            replace(one, set=one.set or name) for one, name in zip(record.images, sets, strict=True)
        ]
        return replace(record, images=tuple(known))

    def split_record(self) -> SplitRecord:
        """What to write down of the split, leakage measured."""
        leaked = leakage(self.split, self.patches.patch)
        return SplitRecord(
            kind=self.split.kind,
            seed=self.split.seed,
            guard=self.split.guard,
            train=len(self.split.train),
            validation=len(self.split.validation),
            test=len(self.split.test),
            left_out=self.split.unused,
            leakage_pixel=leaked.pixel,
            leakage_patch=leaked.patch,
            sha256=self.split.digest(),
            validation_per_class=tuple(
                np.bincount(
                    self.targets(self.split.validation), minlength=self.scene.classes
                ).tolist()
            ),
        )


def describe_scene(scene: Scene) -> SceneRecord:
    """What to write down of a scene."""
    rows, cols, bands = scene.cube.shape
    return SceneRecord(
        name=scene.name,
        shape=(rows, cols, bands),
        class_names=scene.class_names,
        synthetic=scene.synthetic,
        sha256=scene.sources,
        wavelengths=() if scene.wavelengths is None else tuple(scene.wavelengths.tolist()),
        band_numbers=scene.band_numbers,
        class_colors=scene.class_colors,
        left_out_classes=scene.left_out_classes,
        source_bands=scene.source_bands,
        product=scene.product,
        scale=_stated(scene.scale, 1.0),
        offset=_stated(scene.offset, 0.0),
        fwhm=() if scene.fwhm is None else tuple(scene.fwhm.tolist()),
        images=tuple(
            ImageRecord(image.name, image.rows, image.cols, image.set) for image in scene.images
        ),
    )


def _stated(values: float | NDArray[np.float64], default: float) -> tuple[float, ...]:
    """A factor or offset as records hold it: empty where no file stated another one."""
    stated = np.atleast_1d(np.asarray(values, np.float64))
    return () if (stated == default).all() else tuple(stated.tolist())


def raster_options(choice: SceneChoice) -> RasterOptions:
    """What a user says about a cube.

    Raises:
        InputError: The axes name no cube.
        DataError: The file of wavelengths holds none.
    """
    return RasterOptions(
        choice.nodata,
        None if choice.axes is None else parse_axes(choice.axes),
        choice.all_bands,
        None if choice.wavelengths is None else read_wavelengths(Path(choice.wavelengths)),
    )


def label_options(choice: SceneChoice) -> LabelOptions:
    """What a user says about a label map."""
    classes = None if choice.classes is None else Path(choice.classes).expanduser()
    return LabelOptions(choice.labels_variable, classes, choice.class_column, choice.align)


def image_choices(choice: SceneChoice) -> dict[str, SceneChoice]:
    """Each image of a scene of several as a scene of its own, by its name; else nothing.

    Raises:
        InputError: The file that lists the images is damaged.
    """
    named = choice.source.lower() in {name.lower() for name in scenes.names()}
    path = None if named else find_image_list(Path(choice.source).expanduser())
    if path is None:
        return {}
    listed = read_image_list(path)
    classes = choice.classes or (None if listed.classes is None else str(listed.classes))
    return {
        image.name: replace(
            choice,
            source=str(image.cube),
            labels=None if image.labels is None else str(image.labels),
            variable=image.variable or choice.variable,
            labels_variable=image.labels_variable,
            class_column=image.class_column or choice.class_column,
            nodata=choice.nodata if image.nodata is None else image.nodata,
            axes=image.axes or choice.axes,
            classes=classes,
        )
        for image in listed.images
    }


def read_scene(choice: SceneChoice) -> Scene:
    """Reads the scene that a user named, labelled or not.

    Raises:
        InputError: See `scenes.load`.
        DataError: See `scenes.load`.
    """
    return scenes.load(
        choice.source,
        choice.data_dir,
        labels=choice.labels,
        variable=choice.variable,
        label_options=label_options(choice),
        raster=raster_options(choice),
        picture_size=choice.picture_size,
    )


def load_scene(choice: SceneChoice) -> Scene:
    """Reads the scene that a user named, without the classes that were dropped.

    Raises:
        InputError: See `scenes.load`; or a class to drop does not exist.
        DataError: See `scenes.load`; or no pixel is labelled.
    """
    scene = read_scene(choice)
    if not scene.labels.any():
        raise DataError(
            f"{scene.name} has no labelled pixels",
            received="a label map of zeros, or none",
            remedy="give the label map with --labels",
        )
    return scene.without_classes(choice.drop)


def reload_scene(choice: SceneChoice, then: SceneRecord) -> Scene:
    """Reads the scene that a network was trained on, without the classes that it left out.

    Raises:
        InputError: See `scenes.load`.
        DataError: See `scenes.load`; or it is another scene.
    """
    return as_trained(load_scene(choice), then)


def as_trained(scene: Scene, then: SceneRecord) -> Scene:
    """A scene without the classes that an earlier run of it left out.

    Raises:
        DataError: It is another scene.
    """
    # Of another scene, which has no such class, the check names what differs.
    if set(then.left_out_classes) <= set(scene.class_names):
        scene = scene.leaving_out(then.left_out_classes)
    check_same_scene(scene, then)
    return scene


def prepare(
    scene: Scene,
    options: SplitOptions,
    train_map: NDArray[np.integer] | None = None,
    bands: str = "",
    *,
    keep_all: bool = False,
) -> SceneData:
    """Splits a scene and prepares patches of size `options.patch`.

    Args:
        scene: The scene as it was read.
        options: How to split it.
        train_map: Label map of the training pixels of a fixed split.
        bands: Specification of the band reduction, such as "pca:30"; empty where all bands are
            used.
        keep_all: Whether classes that are too small for a disjoint split are refused, rather than
            left out of the scene.

    Raises:
        InputError: The patch does not fit into the scene, or see `splits.split`, `bands.fit`.
        DataError: See `splits.split`.
    """
    # The cheap complaint about the patch comes before the search for a split.
    PatchSource.check_size(scene.cube.shape, options.patch, scene.images)
    check_whole_pictures(scene.picture_side, options.patch)
    scene, parts = split_scene(scene, options, train_map, keep_all=keep_all)
    normalizer = Normalizer.fit(scene.cube, parts.train)
    reducer = _fit_reducer(scene, parts, normalizer, bands) if bands else None
    return restore(scene, parts, normalizer, options.patch, reducer)


def check_whole_pictures(picture_side: int, patch: int) -> None:
    """Refuses a patch that is a part of a picture, or more than one.

    Args:
        picture_side: Rows and cols of the pictures of a scene; 0 for an image of pixels.
        patch: Side of the patch in pixels.

    Raises:
        InputError: It is.
    """
    if picture_side and patch != picture_side:
        raise InputError(
            "the samples of this scene are whole pictures",
            received=f"a patch of {patch} x {patch} of pictures of {picture_side} x {picture_side}",
            allowed=f"a patch of {picture_side}",
            remedy=f"leave --patch out, or resize the pictures with --picture-size {patch}",
        )


def split_scene(
    scene: Scene,
    options: SplitOptions,
    train_map: NDArray[np.integer] | None = None,
    *,
    keep_all: bool = False,
) -> tuple[Scene, Split]:
    """The scene without the classes that are too small for its split, and the split.

    Args and errors are those of `prepare`.
    """
    if options.kind == "fixed" and train_map is None:
        train_map = scene.training
    while True:
        names = scene.class_names
        try:
            parts = split(
                scene.labels,
                options,
                class_names=names,
                train_map=train_map,
                images=scene.images,
                of_pictures=bool(scene.picture_side),
            )
            return _with_few_labels(scene, parts, options.labelled)
        except SmallClassesError as error:
            # Two classes have to be left.
            if keep_all or options.kind != "disjoint" or len(names) < len(error.classes) + 2:
                raise
            scene = scene.leaving_out([names[number - 1] for number in error.classes])


def _with_few_labels(scene: Scene, parts: Split, count: int | None) -> tuple[Scene, Split]:
    """A split with a number of labelled pixels a class; the scene says which have fewer."""
    if count is None:
        return scene, parts
    fewer = classes_below(parts, scene.labels, count)
    if fewer:
        listed = ", ".join(f"{scene.class_names[c - 1]} ({n})" for c, n in fewer.items())
        note = f"Fewer than {count} training pixels, all kept: {listed}."
        scene = replace(scene, notes=(*scene.notes, note))
    return scene, with_few_labels(parts, scene.labels, count)


def _fit_reducer(scene: Scene, parts: Split, normalizer: Normalizer, bands: str) -> Reducer:
    """Fits a band reduction to the training pixels (transductive ones to the whole scene)."""
    spectra = scene.cube.reshape(-1, scene.bands)
    training = training_spectra(scene, parts, normalizer)
    # A transductive technique returns a component for every pixel, those without data included.
    return fit(bands, training, lambda: normalizer.apply(spectra), scene.wavelengths)


def training_spectra(scene: Scene, parts: Split, normalizer: Normalizer) -> TrainingSpectra:
    """The training pixels, as reductions of bands are fitted to them."""
    spectra = scene.cube.reshape(-1, scene.bands)[parts.train]
    classes = scene.labels.ravel()[parts.train].astype(np.int32) - 1
    return TrainingSpectra(normalizer.apply(spectra), classes, parts.seed)


def restore(
    scene: Scene, parts: Split, normalizer: Normalizer, patch: int, reducer: Reducer | None = None
) -> SceneData:
    """The data of an earlier run: its own split, normalization and bands on the same scene."""
    if len(normalizer.offset) != scene.bands:
        raise DataError(
            "the normalization belongs to another number of bands",
            received=f"{len(normalizer.offset)} offsets",
            allowed=f"{scene.bands}, one a band",
            remedy="train the network again",
        )
    if reducer is not None and reducer.bands != scene.bands:
        raise DataError(
            "the reduction of bands belongs to another number of them",
            received=f"{reducer.bands} bands",
            allowed=scene.bands,
            remedy="train the network again",
        )
    with np.errstate(over="ignore"):
        normalized = preprocess(scene.cube, normalizer, reducer)
    if bad := int(normalized.size - np.count_nonzero(np.isfinite(normalized))):
        raise DataError(
            f"{bad} values of {scene.name} are too large to be normalized",
            received=f"values from {np.nanmin(scene.cube):g} to {np.nanmax(scene.cube):g}",
            allowed="values that stay finite in float32 when divided by their band's deviation",
            remedy="they may be no-data values: mask or fill them before",
        )
    patches = PatchSource.from_cube(normalized, patch, scene.images)
    return SceneData(scene, parts, normalizer, patches, reducer)


def preprocess(
    cube: NDArray[np.float32], normalizer: Normalizer, reducer: Reducer | None
) -> NDArray[np.float32]:
    """Network input of a cube: (rows, cols, bands or components) float32.

    Bands are reduced row by row, so that no second cube of all bands is needed.
    """
    if reducer is None:
        return normalizer.apply(cube)
    rows, cols, bands = cube.shape
    if not reducer.is_pixelwise:
        whole = reducer.apply(normalizer.apply(cube).reshape(-1, bands))
        return whole.reshape(rows, cols, -1)
    reduced = np.empty((rows, cols, reducer.components), np.float32)
    step = max(1, BLOCK // cols)
    for start in range(0, rows, step):
        block = normalizer.apply(cube[start : start + step])
        reduced[start : start + step] = reducer.apply(block.reshape(-1, bands)).reshape(
            len(block), cols, -1
        )
    return reduced


def save_split(parts: Split, stream: BinaryIO) -> None:
    """Writes the pixels of a split as .npz."""
    np.savez_compressed(
        stream,
        train=parts.train,
        validation=parts.validation,
        test=parts.test,
        shape=np.array(parts.shape),
        image_rows=np.array(parts.image_rows, np.int64),
    )


def load_split(path: Path, record: SplitRecord) -> Split:
    """Reads the pixels of a split beside its record.

    Raises:
        DataError: The file is missing or is not a split.
    """
    pixels = record.train + record.validation + record.test
    with read_arrays(
        path, "the pixels of a split", "train the network again", MAX_UNPACKED + 8 * pixels
    ) as file:
        rows, cols = (int(size) for size in file["shape"])
        sets = [np.asarray(file[name], np.int64) for name in ("train", "validation", "test")]
        starts = np.asarray(file.get("image_rows", ()), np.int64)
        if any(one.ndim != 1 for one in (*sets, starts)):
            raise ValueError("pixels that are no list")
        images = starts.tolist()
        if images and (images[0] != 0 or images != sorted(set(images)) or images[-1] >= rows):
            raise ValueError("images that do not lie one below the other")
    train, validation, test = sets
    found = Split(
        record.kind,
        train,
        validation,
        test,
        record.guard,
        record.seed,
        (rows, cols),
        unused=record.left_out,
        image_rows=tuple(images),
    )
    if found.digest() != record.sha256:
        raise DataError(
            f"{path} is not the split that its record describes",
            received="other pixels in its sets",
            remedy="train the network again",
        )
    return found


def read_train_map(path: str | None) -> NDArray[np.integer] | None:
    """Reads the label map of training pixels of a fixed split, None where there is none."""
    if path is None:
        return None
    found = read_array(Path(path))
    missing = np.isin(found.values, found.metadata.nodata)
    return np.asarray(np.where(missing, 0, found.values))


def check_same_scene(found: Scene, expected: SceneRecord) -> None:
    """Refuses a scene other than the one a network was trained on.

    Raises:
        DataError: Its files, shape or classes differ.
    """
    images = [(image.name, image.rows, image.cols) for image in found.images]
    known = [(image.name, image.rows, image.cols) for image in expected.images]
    now = (found.cube.shape, found.class_names, images, _digests(found.sources, images))
    then = (expected.shape, expected.class_names, known, _digests(expected.sha256, known))
    for what, received, allowed in zip(
        ("shape", "classes", "images", "files"), now, then, strict=True
    ):
        if received != allowed:
            if what == "files":
                received = _changed(found.sources, expected.sha256)
                allowed = _changed(expected.sha256, found.sources)
            raise DataError(
                f"{found.name} is not the scene that the network was trained on: other {what}",
                received=received,
                allowed=allowed,
                remedy="give the original files with --data-dir, or train again",
            )


def _changed(files: Mapping[str, str], others: Mapping[str, str]) -> str:
    """The files whose content is not among that of others, with the beginning of its SHA-256."""
    known = set(others.values())
    changed = [f"{name} ({digest[:12]})" for name, digest in files.items() if digest not in known]
    return ", ".join(changed) or "fewer files"


def _digests(sources: Mapping[str, str], images: Sequence[tuple[str, int, int]]) -> list[list[str]]:
    """What the files of each image are known by: they keep their content under other names."""
    if not images:
        return [sorted(sources.values())]
    return [
        sorted(digest for file, digest in sources.items() if file.startswith(f"{name}/"))
        for name, _, _ in images
    ]
