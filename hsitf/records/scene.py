"""Which scene was read, and which of its pixels were used for training and evaluation."""

from __future__ import annotations

from dataclasses import dataclass


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
    """

    source: str
    data_dir: str | None = None
    labels: str | None = None
    variable: str | None = None
    labels_variable: str | None = None
    train_map: str | None = None
    drop: tuple[str, ...] = ()


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
    """

    name: str
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    synthetic: bool
    sha256: dict[str, str]
    wavelengths: tuple[float, ...] = ()


@dataclass(frozen=True)
class SplitRecord:
    """Which pixels were used for training and evaluation, and how far apart they are.

    Attributes:
        kind: disjoint, random or fixed.
        seed: Seed of the random split.
        guard: Width of the guard band in pixels.
        train: Number of training pixels; `validation` and `test` likewise.
        left_out: Labelled pixels in no set: those in the guard band, and those not requested.
        leakage_pixel: Share of test pixels with a training pixel inside their own patch.
        leakage_patch: Share of test pixels whose patch shares a pixel with a training patch.
        sha256: SHA-256 of the pixels of the three sets.
    """

    kind: str
    seed: int
    guard: int
    train: int
    validation: int
    test: int
    left_out: int
    leakage_pixel: float
    leakage_patch: float
    sha256: str
