"""What is written down of an explanation."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.bands import former_spec
from hsitf.compat import formerly, formerly_written
from hsitf.explain.settings import MethodSettings
from hsitf.explain.similarity import Similarity
from hsitf.ranges import Amount, Count, Share


@dataclass(frozen=True)
class OutputRecord:
    """What was explained.

    Attributes:
        name: Display name, such as "Water" or "pixel 12,40 as Water".
        output: Number of the logit or filter.
        pixels: Number of pixels in the mean; 0 for a filter.
        bands: The most important bands of the first network, as a specification for `--bands`;
            empty where its inputs cannot be mapped back to bands.
    """

    name: str
    output: int
    pixels: Count
    bands: str


@formerly(metrics="figures")
@formerly_written(reduction=former_spec)
@dataclass(frozen=True)
class SourceRecord:
    """A network or file that was explained.

    Attributes:
        label: Label of its row in the figures.
        kind: "network", or the variant of the file.
        folder: Folder of the run or the bundle.
        sha256: SHA-256 of its network or file.
        oa: Overall accuracy on the test pixels.
        reduction: Band reduction, such as "pca:30"; empty where it uses all bands.
        inputs: Number of inputs per pixel: bands, or components of a reduction.
        seconds: Duration of its explanation.
        metrics: Further numbers of the method, the worst over the pixels, by name.
        similarity: Similarity to the first of the sources, for each output.
    """

    label: str
    kind: str
    folder: str
    sha256: str
    oa: Share
    reduction: str
    inputs: Count
    seconds: Amount
    metrics: dict[str, float]
    similarity: tuple[Similarity, ...]


@formerly(outputs="subjects", sources="variants", top_bands="top")
@dataclass(frozen=True)
class ExplanationRecord:
    """An explanation: the record beside its arrays and figures.

    Attributes:
        method: Name of the method; `settings` are its settings.
        backend: Keras backend.
        network: Name of the first network in the zoo.
        scene: Name of the scene.
        synthetic: True where the scene was generated.
        split: Kind of the split whose test pixels are used.
        patch: Side of the patch in pixels.
        bands: Number of bands of the scene.
        outputs: The explained outputs.
        sources: The explained networks and files; the first is the reference of the similarities.
        top_bands: The most important bands over all outputs, as a specification for `--bands`;
            empty where they are not known.
        sha256: SHA-256 of the arrays.
        versions: Versions of Python and the packages that matter.
        command: The command line as typed.
    """

    schema: int
    method: str
    settings: MethodSettings
    backend: str
    network: str
    scene: str
    synthetic: bool
    split: str
    patch: Count
    bands: Count
    outputs: tuple[OutputRecord, ...]
    sources: tuple[SourceRecord, ...]
    top_bands: str
    sha256: str
    versions: dict[str, str]
    command: str
