"""The scenes that can be loaded by name, one entry each; data only.

Adding a scene is adding a `CatalogEntry` to `CATALOG`, or from outside
`CATALOG.register(name, CatalogEntry(...))`. Nothing here computes anything:
`hsitf.scenes.load` reads the files as an entry describes them and checks them against it.

Wavelengths are nominal. They spread the sensor's published range evenly over its channels and drop
the channels that the published set leaves out, which suffices for an RGB image and an axis label;
the true centers can differ by some tens of nanometers (AVIRIS consists of four spectrometers that
overlap). Where it is not published which channels were dropped, or where the channels are not
evenly spaced at all (HYDICE has a prism), a scene has no wavelengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hsitf.registry import Registry

BASE_URL = "https://www.ehu.eus/ccwintco/uploads/"
"""Scene collection of the Computational Intelligence Group, University of the Basque Country."""


class LabelEncoding(Enum):
    """How a layout's files are to be understood.

    Attributes:
        LABEL_MAP: Cube (rows, cols, bands), labels (rows, cols).
        ABUNDANCES: Cube (bands, pixels), labels from abundances (classes, pixels): the class of a
            pixel is the one with the largest share. Pixels are in column-major order: pixel k is in
            row `k % rows` and column `k // rows`.
    """

    LABEL_MAP = "label map"
    ABUNDANCES = "abundances"


@dataclass(frozen=True)
class CatalogFile:
    """One variable of one file.

    Attributes:
        name: File name.
        variable: Name of the variable; None where the file holds a single array.
        folder: Where it is served below `BASE_URL`, with a slash at the end; None where it is not
            served and the user has to provide it.
        sha256: SHA-256 of the file that the literature uses, where it was at hand; a download has
            to have it.
    """

    name: str
    variable: str | None = None
    folder: str | None = None
    sha256: str | None = None

    @property
    def address(self) -> str | None:
        """Where it is downloaded from; None where it is not served."""
        return None if self.folder is None else BASE_URL + self.folder + self.name


@dataclass(frozen=True)
class SceneLayout:
    """One set of files that holds a scene.

    Attributes:
        cube: File of the cube.
        labels: File of the label map or the abundances.
        label_encoding: How the labels are stored.
        label_values: Pairs (value in the file, label) where the file numbers its classes otherwise.
        class_names: Names of the classes of these labels where they are not the scene's.
        note: A caveat about these labels; logged when they are used.
    """

    cube: CatalogFile
    labels: CatalogFile
    label_encoding: LabelEncoding = LabelEncoding.LABEL_MAP
    label_values: tuple[tuple[int, int], ...] | None = None
    class_names: tuple[str, ...] | None = None
    note: str | None = None


@dataclass(frozen=True)
class BandCenters:
    """Nominal band centers of a scene.

    Attributes:
        ranges: Evenly spaced stretches of the sensor's channels: first center and last center in
            nanometers, number of channels.
        removed: First and last channel, counted from 1 and both included, of each stretch that
            the published set leaves out.
    """

    ranges: tuple[tuple[float, float, int], ...]
    removed: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class CatalogEntry:
    """What is known of a scene before its files are opened.

    Attributes:
        name: Name to load it by.
        sensor: Instrument.
        location: Location of the scene.
        rows: Rows of the cube.
        cols: Columns of the cube.
        bands: Bands of the cube.
        class_names: One name per class, in the order of the labels.
        rgb_bands: Band indices, counted from 0, for a red-green-blue picture.
        layouts: Sets of files that hold it; the first one found is read.
        spectrum: Nominal band centers, None where unknown.
    """

    name: str
    sensor: str
    location: str
    rows: int
    cols: int
    bands: int
    class_names: tuple[str, ...]
    rgb_bands: tuple[int, int, int]
    layouts: tuple[SceneLayout, ...]
    spectrum: BandCenters | None = None


# Salinas' 224 channels without the water bands 108-112, 154-167 and 224, as its publishers say.
_SALINAS = BandCenters(((400.0, 2500.0, 224),), ((108, 112), (154, 167), (224, 224)))

_JASPER_CLASSES = ("Tree", "Water", "Soil", "Road")
_JASPER_RANGE = (380.0, 2500.0, 224)
_JASPER_ABUNDANCES = CatalogFile("end4.mat", "A")

_URBAN_CLASSES = ("Asphalt", "Grass", "Tree", "Roof", "Metal", "Dirt")
_URBAN_ABUNDANCES = CatalogFile("end6_groundTruth.mat", "A")

# Six classes as in the literature; a land-cover map of a user comes without their names.
_LAND_COVER = ("class 1", "class 2", "class 3", "class 4", "class 5", "class 6")
_CHANGE_CLASSES = ("Unchanged", "Changed")
_CHANGE_VALUES = ((0, 1), (1, 2))
_CHANGE_NOTE = (
    "its labels are the map of changes between two dates (1 unchanged, 2 changed), its cube the "
    "first date: one date alone does not show what changed; give a land-cover map as labels to "
    "classify land cover"
)

CATALOG: Registry[CatalogEntry] = Registry(
    "scene",
    {
        entry.name: entry
        for entry in (
            CatalogEntry(
                name="IndianPines",
                sensor="AVIRIS",
                location="Indiana, USA",
                rows=145,
                cols=145,
                bands=200,
                class_names=(
                    "Alfalfa",
                    "Corn-notill",
                    "Corn-mintill",
                    "Corn",
                    "Grass-pasture",
                    "Grass-trees",
                    "Grass-pasture-mowed",
                    "Hay-windrowed",
                    "Oats",
                    "Soybean-notill",
                    "Soybean-mintill",
                    "Soybean-clean",
                    "Wheat",
                    "Woods",
                    "Buildings-Grass-Trees-Drives",
                    "Stone-Steel-Towers",
                ),
                rgb_bands=(43, 21, 11),
                layouts=(
                    SceneLayout(
                        CatalogFile(
                            "Indian_pines_corrected.mat",
                            "indian_pines_corrected",
                            "6/67/",
                            "ec2f8808710919d566f70f0d4aa885aae1ddfd42b734aba71c5e12ca65450939",
                        ),
                        CatalogFile("Indian_pines_gt.mat", "indian_pines_gt", "c/c4/"),
                    ),
                ),
                # 220 channels without the water bands 104-108, 150-163 and 220, as published.
                spectrum=BandCenters(((400.0, 2500.0, 220),), ((104, 108), (150, 163), (220, 220))),
            ),
            CatalogEntry(
                name="Salinas",
                sensor="AVIRIS",
                location="Salinas Valley, California, USA",
                rows=512,
                cols=217,
                bands=204,
                class_names=(
                    "Brocoli_green_weeds_1",
                    "Brocoli_green_weeds_2",
                    "Fallow",
                    "Fallow_rough_plow",
                    "Fallow_smooth",
                    "Stubble",
                    "Celery",
                    "Grapes_untrained",
                    "Soil_vinyard_develop",
                    "Corn_senesced_green_weeds",
                    "Lettuce_romaine_4wk",
                    "Lettuce_romaine_5wk",
                    "Lettuce_romaine_6wk",
                    "Lettuce_romaine_7wk",
                    "Vinyard_untrained",
                    "Vinyard_vertical_trellis",
                ),
                rgb_bands=(43, 21, 11),
                layouts=(
                    SceneLayout(
                        CatalogFile("Salinas_corrected.mat", "salinas_corrected", "a/a3/"),
                        CatalogFile("Salinas_gt.mat", "salinas_gt", "f/fa/"),
                    ),
                ),
                spectrum=_SALINAS,
            ),
            CatalogEntry(
                name="SalinasA",
                sensor="AVIRIS",
                location="Part of Salinas",
                rows=83,
                cols=86,
                bands=204,
                class_names=(
                    "Brocoli_green_weeds_1",
                    "Corn_senesced_green_weeds",
                    "Lettuce_romaine_4wk",
                    "Lettuce_romaine_5wk",
                    "Lettuce_romaine_6wk",
                    "Lettuce_romaine_7wk",
                ),
                rgb_bands=(43, 21, 11),
                layouts=(
                    SceneLayout(
                        CatalogFile("SalinasA_corrected.mat", "salinasA_corrected", "1/1a/"),
                        CatalogFile("SalinasA_gt.mat", "salinasA_gt", "a/aa/"),
                        # Its classes keep the numbers they have in Salinas.
                        label_values=((0, 0), (1, 1), (10, 2), (11, 3), (12, 4), (13, 5), (14, 6)),
                    ),
                ),
                spectrum=_SALINAS,
            ),
            CatalogEntry(
                name="PaviaC",
                sensor="ROSIS",
                location="Center of Pavia, Italy",
                rows=1096,
                cols=715,
                bands=102,
                class_names=(
                    "Water",
                    "Trees",
                    "Asphalt",
                    "Self-Blocking Bricks",
                    "Bitumen",
                    "Tiles",
                    "Shadows",
                    "Meadows",
                    "Bare Soil",
                ),
                rgb_bands=(55, 41, 12),
                layouts=(
                    SceneLayout(
                        CatalogFile("Pavia.mat", "pavia", "e/e3/"),
                        CatalogFile("Pavia_gt.mat", "pavia_gt", "5/53/"),
                    ),
                ),
                # ROSIS' range over the bands kept; which of its 115 were dropped is not published.
                spectrum=BandCenters(((430.0, 860.0, 102),)),
            ),
            CatalogEntry(
                name="PaviaU",
                sensor="ROSIS",
                location="University of Pavia, Italy",
                rows=610,
                cols=340,
                bands=103,
                class_names=(
                    "Asphalt",
                    "Meadows",
                    "Gravel",
                    "Trees",
                    "Painted metal sheets",
                    "Bare Soil",
                    "Bitumen",
                    "Self-Blocking Bricks",
                    "Shadows",
                ),
                rgb_bands=(55, 41, 12),
                layouts=(
                    SceneLayout(
                        CatalogFile("PaviaU.mat", "paviaU", "e/ee/"),
                        CatalogFile("PaviaU_gt.mat", "paviaU_gt", "5/50/"),
                    ),
                ),
                spectrum=BandCenters(((430.0, 860.0, 103),)),
            ),
            CatalogEntry(
                name="KSC",
                sensor="AVIRIS",
                location="Kennedy Space Center, Florida, USA",
                rows=512,
                cols=614,
                bands=176,
                class_names=(
                    "Scrub",
                    "Willow swamp",
                    "Cabbage palm hammock",
                    "Cabbage palm/oak hammock",
                    "Slash pine",
                    "Oak/broadleaf hammock",
                    "Hardwood swamp",
                    "Graminoid marsh",
                    "Spartina marsh",
                    "Cattail marsh",
                    "Salt marsh",
                    "Mud flats",
                    "Water",
                ),
                rgb_bands=(43, 21, 11),
                layouts=(
                    SceneLayout(
                        CatalogFile("KSC.mat", "KSC", "2/26/"),
                        CatalogFile("KSC_gt.mat", "KSC_gt", "a/a6/"),
                    ),
                ),
            ),
            CatalogEntry(
                name="Botswana",
                sensor="EO-1 Hyperion",
                location="Okavango Delta, Botswana",
                rows=1476,
                cols=256,
                bands=145,
                class_names=(
                    "Water",
                    "Hippo grass",
                    "Floodplain grasses 1",
                    "Floodplain grasses 2",
                    "Reeds",
                    "Riparian",
                    "Firescar",
                    "Island interior",
                    "Acacia woodlands",
                    "Acacia shrublands",
                    "Acacia grasslands",
                    "Short mopane",
                    "Mixed mopane",
                    "Exposed soils",
                ),
                rgb_bands=(75, 33, 15),
                layouts=(
                    SceneLayout(
                        CatalogFile("Botswana.mat", "Botswana", "7/72/"),
                        CatalogFile("Botswana_gt.mat", "Botswana_gt", "5/58/"),
                    ),
                ),
                # Hyperion's two spectrometers (USGS band table); the publishers list those kept:
                # 10-55, 82-97, 102-119, 134-164, 187-220.
                spectrum=BandCenters(
                    ((355.59, 1057.68, 70), (851.92, 2577.08, 172)),
                    ((1, 9), (56, 81), (98, 101), (120, 133), (165, 186), (221, 242)),
                ),
            ),
            CatalogEntry(
                name="Samson",
                sensor="SAMSON",
                location="Crop of a shore",
                rows=95,
                cols=95,
                bands=156,
                class_names=("Soil", "Tree", "Water"),
                rgb_bands=(105, 60, 20),
                layouts=(
                    SceneLayout(
                        CatalogFile("samson_1.mat", "V"),
                        CatalogFile("end3.mat", "A"),
                        label_encoding=LabelEncoding.ABUNDANCES,
                    ),
                    SceneLayout(
                        CatalogFile("samson_dataset.mat", "Y"),
                        CatalogFile("samson_dataset.mat", "A"),
                        label_encoding=LabelEncoding.ABUNDANCES,
                    ),
                ),
                spectrum=BandCenters(((401.0, 889.0, 156),)),
            ),
            CatalogEntry(
                name="JasperRidge-198",
                sensor="AVIRIS",
                location="Jasper Ridge, California, USA",
                rows=100,
                cols=100,
                bands=198,
                class_names=_JASPER_CLASSES,
                rgb_bands=(30, 16, 8),
                layouts=(
                    SceneLayout(
                        CatalogFile("jasperRidge2_R198.mat", "Y"),
                        _JASPER_ABUNDANCES,
                        label_encoding=LabelEncoding.ABUNDANCES,
                    ),
                ),
                # 224 channels without 1-3, 108-112, 154-166 and 220-224, as its publishers say.
                spectrum=BandCenters(
                    (_JASPER_RANGE,), ((1, 3), (108, 112), (154, 166), (220, 224))
                ),
            ),
            CatalogEntry(
                name="JasperRidge-224",
                sensor="AVIRIS",
                location="Jasper Ridge, California, USA",
                rows=100,
                cols=100,
                bands=224,
                class_names=_JASPER_CLASSES,
                rgb_bands=(30, 16, 8),
                layouts=(
                    SceneLayout(
                        CatalogFile("jasperRidge2_F224.mat", "Y"),
                        _JASPER_ABUNDANCES,
                        label_encoding=LabelEncoding.ABUNDANCES,
                    ),
                ),
                spectrum=BandCenters((_JASPER_RANGE,)),
            ),
            CatalogEntry(
                name="Urban-162",
                sensor="HYDICE",
                location="Copperas Cove, Texas, USA",
                rows=307,
                cols=307,
                bands=162,
                class_names=_URBAN_CLASSES,
                rgb_bands=(45, 20, 8),
                layouts=(
                    SceneLayout(
                        CatalogFile("Urban_R162.mat", "Y"),
                        _URBAN_ABUNDANCES,
                        label_encoding=LabelEncoding.ABUNDANCES,
                    ),
                ),
            ),
            CatalogEntry(
                name="Urban-210",
                sensor="HYDICE",
                location="Copperas Cove, Texas, USA",
                rows=307,
                cols=307,
                bands=210,
                class_names=_URBAN_CLASSES,
                rgb_bands=(45, 20, 8),
                layouts=(
                    SceneLayout(
                        CatalogFile("Urban_F210.mat", "Y"),
                        _URBAN_ABUNDANCES,
                        label_encoding=LabelEncoding.ABUNDANCES,
                    ),
                ),
            ),
            CatalogEntry(
                name="China",
                sensor="EO-1 Hyperion",
                location="Yuncheng, Jiangsu, China",
                rows=420,
                cols=140,
                bands=154,
                class_names=_LAND_COVER,
                rgb_bands=(29, 20, 10),
                layouts=(
                    SceneLayout(
                        CatalogFile("China_Change_Dataset.mat", "T1"),
                        CatalogFile("China_Change_Dataset.mat", "Binary"),
                        label_values=_CHANGE_VALUES,
                        class_names=_CHANGE_CLASSES,
                        note=_CHANGE_NOTE,
                    ),
                ),
            ),
            CatalogEntry(
                name="USA",
                sensor="EO-1 Hyperion",
                location="Hermiston, Oregon, USA",
                rows=307,
                cols=241,
                bands=154,
                class_names=_LAND_COVER,
                rgb_bands=(29, 20, 10),
                layouts=(
                    SceneLayout(
                        CatalogFile("USA_Change_Dataset.mat", "T1"),
                        CatalogFile("USA_Change_Dataset.mat", "Binary"),
                        label_values=_CHANGE_VALUES,
                        class_names=_CHANGE_CLASSES,
                        note=_CHANGE_NOTE,
                    ),
                ),
            ),
        )
    },
)
"""All scenes, in the order of the printed list."""
