"""What is written down of an explanation."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.explain.settings import Settings
from hsitf.explain.similarity import Similarity


@dataclass(frozen=True)
class SubjectRecord:
    """What was explained.

    Attributes:
        name: Such as "Water" or "pixel 12,40 as Water".
        output: Number of the logit or filter.
        pixels: How many the mean is taken over; 0 of a filter.
        bands: The most important ones of the first network, as `--bands` takes them; empty where
            its inputs cannot be followed back to bands.
    """

    name: str
    output: int
    pixels: int
    bands: str


@dataclass(frozen=True)
class VariantRecord:
    """A network or file that was explained.

    Attributes:
        label: Its row in the figures.
        kind: "network", or the kind of file.
        folder: Of the run or the bundle.
        sha256: Of its network or file.
        oa: Overall accuracy on the test pixels.
        reduction: Of bands, such as "pca:30"; empty where it takes all of them.
        inputs: What it takes of a pixel: bands, or components in their place.
        seconds: Time that its explanation took.
        figures: What the method tells besides, the worst of all pixels, by name.
        similarity: To the first of them; by subject.
    """

    label: str
    kind: str
    folder: str
    sha256: str
    oa: float
    reduction: str
    inputs: int
    seconds: float
    figures: dict[str, float]
    similarity: tuple[Similarity, ...]


@dataclass(frozen=True)
class ExplanationRecord:
    """An explanation: the record beside its arrays and figures.

    Attributes:
        method: How it was made; `settings` of the method.
        backend: Of Keras.
        network: Name in the zoo of the first.
        scene: Name of the scene.
        synthetic: True where the scene was generated.
        split: Kind of the split whose test pixels are meant.
        patch: Side of the patch in pixels.
        bands: Of the scene.
        subjects: What was explained.
        variants: Which networks and files; the first is what the others are held against.
        top: The most important bands over all subjects, as `--bands` takes them; empty where they
            are not known.
        sha256: Of the arrays.
        versions: Of Python and the packages that matter.
        command: As typed.
    """

    schema: int
    method: str
    settings: Settings
    backend: str
    network: str
    scene: str
    synthetic: bool
    split: str
    patch: int
    bands: int
    subjects: tuple[SubjectRecord, ...]
    variants: tuple[VariantRecord, ...]
    top: str
    sha256: str
    versions: dict[str, str]
    command: str
