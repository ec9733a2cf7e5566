"""Which scene was read, and which of its pixels were used for training and evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.ranges import Amount, ColorValue, Count, Positive, Share
from hsitf.records.relations import check_lengths, check_name


@dataclass(frozen=True)
class SceneChoice:
    """Which scene, as the user names it.

    Attributes:
        source: A catalog name or the path of a cube.
        data_dir: Folder that holds the catalog's files.
        labels: Path of the label map of a cube named by its path.
        variable: Variable of the cube in its file.
        train_map: Path of the training pixels' label map, for a fixed split.
        drop: Names of classes to leave unlabelled.
        keep_all: Whether classes that are too small for a disjoint split are refused rather than
            left out.
        nodata: Value that stands for no data, in place of what the file declares.
        axes: Order of the cube's axes, such as "rows,bands,cols"; None as the file has it.
        all_bands: Whether bands that a bad-band list names are kept.
        wavelengths: Path of a file with the band centers, where the cube's has none.
        classes: Path of a file with number, name and color of each class.
        class_column: Column of a vector layer or table that holds the class.
        align: Whether labels on another grid are resampled to the cube's.
        picture_size: Rows and cols that the pictures of a folder are resized to; None to leave them
            as they are.
    """

    source: str
    data_dir: str | None = None
    labels: str | None = None
    variable: str | None = None
    labels_variable: str | None = None
    train_map: str | None = None
    drop: tuple[str, ...] = ()
    nodata: float | None = None
    axes: str | None = None
    all_bands: bool = False
    wavelengths: str | None = None
    classes: str | None = None
    class_column: str | None = None
    align: bool = False
    keep_all: bool = False
    picture_size: int | None = None


@dataclass(frozen=True)
class ImageRecord:
    """One image of a scene of several.

    Attributes:
        name: Name within the scene.
        rows: Its rows; images lie one below the other, in their order.
        cols: Its columns.
        set: "train", "validation" or "test", as the user assigned it or it was drawn; empty where
            the image has no labels, or the scene is not split by image.
    """

    name: str
    rows: Positive
    cols: Positive
    set: str = ""


@dataclass(frozen=True)
class SceneRecord:
    """The scene as it was read.

    Attributes:
        name: Catalog name, or the file's stem.
        shape: (rows, cols, bands).
        class_names: One name per class.
        synthetic: True where the cube was generated.
        sha256: SHA-256 of each file, by file name.
        wavelengths: Band centers in nanometers; empty where unknown.
        band_numbers: Indices of the bands in the source, in their order; empty where they are all
            of the source's.
        class_colors: One color per class, where the labels bring them; else empty.
        left_out_classes: Names of classes that were left out because they are too small for the
            split.
        product: Name of the sensor's product that was recognized; empty for a plain file.
        scale: Factor from the numbers of the cube to physical units, one for all bands or one per
            band; empty where the files name none.
        offset: What is added after it, likewise.
        fwhm: Full widths at half maximum in nanometers; empty where unknown.
        source_bands: Number of bands in the source's files; 0 where all of them are used.
        images: The images of a scene of several; empty where it is one.
    """

    name: str
    shape: tuple[Positive, Positive, Positive]
    class_names: tuple[str, ...]
    synthetic: bool
    sha256: dict[str, str]
    wavelengths: tuple[Amount, ...] = ()
    band_numbers: tuple[Count, ...] = ()
    class_colors: tuple[tuple[ColorValue, ColorValue, ColorValue], ...] = ()
    left_out_classes: tuple[str, ...] = ()
    product: str = ""
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    fwhm: tuple[Amount, ...] = ()
    source_bands: Count = 0
    images: tuple[ImageRecord, ...] = ()

    def __post_init__(self) -> None:
        check_name("scene", self.name)
        classes, bands = len(self.class_names), self.shape[2]
        check_lengths(f"{classes} classes", {"class_colors": self.class_colors}, (0, classes))
        of_bands = {"wavelengths": self.wavelengths, "fwhm": self.fwhm}
        of_bands["band_numbers"] = self.band_numbers
        check_lengths(f"{bands} bands", of_bands, (0, bands))
        converted = {"scale": self.scale, "offset": self.offset}
        check_lengths(f"{bands} bands", converted, (0, 1, bands))


@dataclass(frozen=True)
class SplitRecord:
    """Which pixels were used for training and evaluation, and how far apart they are.

    Attributes:
        kind: disjoint, random, fixed or images.
        seed: Seed of the random split.
        guard: Width of the guard band in pixels.
        train: Number of training pixels; `validation` and `test` likewise.
        left_out: Labelled pixels in no set: those in the guard band, and those not requested.
        leakage_pixel: Share of test pixels with a training pixel inside their own patch; None
            where the network was trained elsewhere, on pixels that are not known.
        leakage_patch: Share of test pixels whose patch shares a pixel with a training patch; None
            likewise.
        sha256: SHA-256 of the pixels of the three sets.
        validation_per_class: Number of validation pixels of each class; empty in records of before
            they were counted.
    """

    kind: str
    seed: int
    guard: Count
    train: Count
    validation: Count
    test: Count
    left_out: Count
    leakage_pixel: Share | None
    leakage_patch: Share | None
    sha256: str
    validation_per_class: tuple[Count, ...] = ()

    @property
    def summary(self) -> str:
        """The kind of split with its leakage, as tables and titles state it."""
        return split_summary(self.kind, self.leakage_patch)


def split_summary(kind: str, leakage: float | None) -> str:
    """A kind of split with its leakage, as tables and titles state it.

    Args:
        kind: disjoint, random, fixed or images.
        leakage: Share of test pixels whose patch shares a pixel with a training patch; None where
            the training pixels are not known.
    """
    if leakage is None:
        return f"{kind} split, leakage not known (trained elsewhere)"
    return f"{kind} split, leakage {leakage:.1%}"
