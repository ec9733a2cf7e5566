"""What stages hand on: frozen dataclasses, JSON in and out.

A record lies beside every file that hsitf writes and says what the file is, how it came about
and what it is worth.
"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hsitf.bands.reducer import Reducer
from hsitf.errors import DataError, HsitfError
from hsitf.files import explained, replacing, sha256
from hsitf.metrics import Scores
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.splits import SplitOptions
from hsitf.zoo import Recipe

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# Raised when a record's meaning changes; older ones are then refused by name.
SCHEMA = 1

# Packages that decide on numbers.
_DECISIVE = ("keras", "tensorflow", "jax", "torch", "numpy", "ai-edge-litert", "onnxruntime")

T = TypeVar("T")

_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


@dataclass(frozen=True)
class SceneChoice:
    """Which scene, as the user names it.

    Attributes:
        source: A catalog name or the path of a cube.
        data_dir: Folder that holds the catalog's files.
        labels: Path of the label map of a cube named by its path.
        variable: Variable of the cube in its file; `labels_variable` likewise.
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
class TrainingPlan:
    """Everything that decides on a training run's result, and nothing else.

    Attributes:
        network: Name in the zoo.
        scene: What to learn from.
        split: Which pixels teach and which judge.
        recipe: How to train.
        schedule: full, short or custom: how the epochs compare with the paper's.
        seed: Of weights, order, sides and dropout.
        turn: Whether each patch is shown turned or mirrored at random, one of eight ways.
        bands: How the bands are reduced, such as "pca:30"; empty where all are taken.
        radiation: Whether a tenth of the patches is shown brighter or darker, with noise.
        mixture: Whether a tenth of the patches is shown mixed with another of its class.
        balanced: Whether the loss of a pixel is weighted by the inverse frequency of its class.
        patience: Epochs without a better validation accuracy after which training ends; 0 for
            never.
        precision: float32, or what Keras computes in beside it: mixed_float16, mixed_bfloat16.
        xla: Whether XLA compiles the step, where that is not its backend's own way.
    """

    network: str
    scene: SceneChoice
    split: SplitOptions
    recipe: Recipe
    schedule: str
    seed: int
    turn: bool = True
    bands: str = ""
    radiation: bool = False
    mixture: bool = False
    balanced: bool = False
    patience: int = 0
    precision: str = "float32"
    xla: bool = False

    @property
    def patch(self) -> int:
        """Side of the patch in pixels."""
        return self.split.patch


@dataclass(frozen=True)
class SceneRecord:
    """The scene as it was read.

    Attributes:
        name: Catalog name, or the file's stem.
        shape: (rows, cols, bands).
        class_names: One name a class.
        synthetic: True where the cube was generated.
        sha256: By file name.
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
    """Which pixels taught, which judged, and how far apart they were.

    Attributes:
        kind: disjoint, random or fixed.
        seed: Of the drawing.
        guard: Width of the guard band in pixels.
        train: Number of training pixels; `validation` and `test` likewise.
        left_out: Labelled pixels in no set (guard band, or not asked for).
        leakage_pixel: Share of test pixels with a training pixel inside their own patch.
        leakage_patch: Share of test pixels whose patch shares a pixel with a training patch.
        sha256: Of the pixels of the three sets.
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


@dataclass(frozen=True)
class BandsRecord:
    """How bands were reduced; what is needed to do it again lies in `bands.npz`.

    Attributes:
        text: As a user writes it, such as "pca:30".
        components: What is left of a pixel.
        chosen: Numbers of the bands that were selected, from 0; empty where they were combined.
        fusable: Whether the reduction can go into an exported file.
        remark: What everyone who reads these results has to know.
        sha256: Of bands.npz.
    """

    text: str
    components: int
    chosen: tuple[int, ...]
    fusable: bool
    remark: str
    sha256: str

    @classmethod
    def of(cls, reducer: Reducer, path: Path) -> BandsRecord:
        """The record of a reducer saved at `path`."""
        return cls(
            reducer.text,
            reducer.components,
            reducer.chosen,
            reducer.fusable,
            reducer.remark,
            sha256(path),
        )


@dataclass(frozen=True)
class Beginning:
    """What a training run began with, until its record says how it ended.

    Attributes:
        plan: What was asked for.
        scene: The scene as it was then.
        split: Its split as it was then.
    """

    schema: int
    plan: TrainingPlan
    scene: SceneRecord
    split: SplitRecord


@dataclass(frozen=True)
class Epoch:
    """One pass over the training pixels: its mean loss, the accuracy after it, its rate."""

    loss: float
    validation_oa: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Standing:
    """What a network costs and what it is worth at one moment of its pruning.

    Sizes and times of files are 0 where files were not measured, as in studies.

    Attributes:
        parameters: Number of its weights.
        nonzero: Of them, how many are not zero.
        macs: Multiply-accumulates of one patch.
        bytes_float32: Of its float32 .tflite file.
        bytes_int8: Of its int8 .tflite file.
        bytes_zipped: Of its float32 weights, deflated.
        ms_float32: Median time of one patch through the float32 file on this machine.
        ms_int8: The same through the int8 file.
        oa: Overall accuracy of the network on the test pixels.
        aa: Average accuracy.
        kappa: Cohen's kappa.
    """

    parameters: int
    nonzero: int
    macs: int
    bytes_float32: int
    bytes_int8: int
    bytes_zipped: int
    ms_float32: float
    ms_int8: float
    oa: float
    aa: float
    kappa: float


@dataclass(frozen=True)
class Pruning:
    """How a network was pruned, and what that did to it.

    Attributes:
        origin: Folder of the run it was made from.
        origin_sha256: Digest of that run's network.
        kind: channels (structured) or weights (fine-grained).
        criterion: What chose what goes.
        target: What was asked for, such as "macs 0.5".
        schedule: one-shot, iterative or gradual.
        steps: How often something was cut and the rest fine-tuned.
        approximate: Why the thinned network is not exactly the masked original; empty where it
            is.
        before: The network it was made from.
        thinned: After the cut, before fine-tuning. Where there were several steps: after the
            last cut. Sizes and times are those of the fine-tuned network, which has its shape;
            of single weights the accuracy is that of all that goes going at once.
        after: After fine-tuning.
        threads: That times were measured with; 0 where they were not.
        processor: That they were measured on.
    """

    origin: str
    origin_sha256: str
    kind: str
    criterion: str
    target: str
    schedule: str
    steps: int
    approximate: tuple[str, ...]
    before: Standing
    thinned: Standing
    after: Standing
    threads: int
    processor: str


@dataclass(frozen=True)
class RunRecord:
    """A trained network: the record beside `network.keras`.

    Attributes:
        plan: What was asked for.
        paper: Citation of the network.
        parameters: Number of its weights.
        scene: The data it learned from.
        split: Which pixels.
        normalizer: What maps the scene's units to what the network takes.
        history: By epoch.
        best_epoch: Whose weights were kept, counted from 1; 0 where a pruned network was kept
            as it was before fine-tuning.
        scores: On the test pixels.
        seconds: Of training, interruptions left out.
        peak_memory: Of the process, bytes.
        sha256: Of network.keras.
        versions: Of Python and the packages that matter.
        command: As typed.
        pruning: How it was pruned; None where it was not.
        unlabelled: Pixels without a label whose spectra were reconstructed in training; 0 where
            the network has no decoder.
        bands: How bands were reduced before the network; None where it takes all of them.
        predict_us: Microseconds that the trained network takes a test pixel, in batches.
        gpu_memory: Largest memory taken on the first GPU, bytes; 0 where none computed.
        backend: What Keras ran on.
    """

    schema: int
    plan: TrainingPlan
    paper: str
    parameters: int
    scene: SceneRecord
    split: SplitRecord
    normalizer: Normalizer
    history: tuple[Epoch, ...]
    best_epoch: int
    scores: Scores
    seconds: float
    peak_memory: int
    sha256: str
    versions: dict[str, str]
    command: str
    pruning: Pruning | None = None
    unlabelled: int = 0
    bands: BandsRecord | None = None
    predict_us: float = 0.0
    gpu_memory: int = 0
    backend: str = "tensorflow"

    @property
    def components(self) -> int:
        """What the network takes of a pixel: bands, or components in their place."""
        return self.scene.shape[2] if self.bands is None else self.bands.components


@dataclass(frozen=True)
class Operator:
    """How often an operator occurs in an exported file, computing in which type."""

    op: str
    dtype: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """An input or output of an exported file.

    `real = scale * (stored - zero_point)` where the type is an integer; else both are None.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True)
class Latency:
    """Time of one inference in milliseconds: percentiles over runs on one machine."""

    p50: float
    p90: float
    p99: float
    first: float
    runs: int
    threads: int
    engine: str
    processor: str


@dataclass(frozen=True)
class Micro:
    """A file in the interpreter of microcontrollers.

    Attributes:
        arena: Memory that it takes besides the file, bytes; 0 where it does not run.
        difference: Largest difference of a stored output to the interpreter of phones, in steps.
        refused: Why it does not run; nothing where it does.
    """

    arena: int
    difference: float
    refused: str = ""


@dataclass(frozen=True)
class ExportRecord:
    """An exported file and what it is worth: `record.json` of a bundle.

    Attributes:
        model: Network's name in the zoo.
        scene: Name of the scene.
        synthetic: True where the scene was generated: its numbers are of a synthetic scene.
        split: Which pixels taught and which judged.
        leakage: Share of test pixels whose patch shares a pixel with a training patch.
        variant: What was asked for, such as int8.
        file: Name inside the bundle.
        bytes: Its size.
        bytes_float32: Size of the float32 .tflite of the same network.
        sha256: Its digest (of a folder: of its files with their names).
        batch: Patches an inference takes.
        tile: Side of the tile in pixels that an inference takes in their place, the pixels
            around it besides: `patch - 1` rows and columns more; 0 where it takes patches.
        oa_keras: Overall accuracy of the trained network on the test pixels.
        oa: That of the file; `aa` and `kappa` likewise.
        oa_drop: Their difference in percentage points, positive where the file is worse.
        agreement: Share of test pixels on which the file and the network name the same class.
        max_abs_logit_error: Largest difference of a logit on the test pixels.
        relative_logit_error: The same over the network's largest absolute logit.
        test_pixels: How many were compared.
        lowering_error: Largest difference of a logit that the rewrite for inference made.
        width: Channels that the rewrite gave the arithmetic at least, where it could.
        operators: Of the file, by type they compute in.
        integer_share: Share of the arithmetic operators that compute in integers.
        max_rank: Greatest rank of a tensor in the file.
        latency_ms: One inference of `batch` patches on this machine.
        input: What the device feeds; normalized by `normalizer` before.
        output: What it gets.
        class_names: One name an output.
        normalizer: What maps the sensor's units to what the file takes, or what its reduction
            of bands takes.
        patch: Side of the patch in pixels.
        bands: What the file takes of a pixel: bands, or components in their place.
        calibration: Patches that quantization ranges were measured on; 0 where there is none.
        versions: Of Python and the packages that matter.
        run: Folder of the trained network.
        run_sha256: Digest of that network's file.
        command: As typed.
        pruning: How the network was pruned; None where it was not.
        reduction: How normalized bands are reduced before the file; None where it takes all of
            them. `bands.npz` beside the file holds what does it.
        fused: What the file itself does to the sensor's units before the network: a reduction
            of bands such as "pca:30", "normalization", or nothing where it is empty.
        means: What an integer file took beyond the converter's own ranges, in words.
        wavelengths: Of the sensor's bands in nanometers; empty where unknown.
        micro: The file in the interpreter of microcontrollers; None where not asked for.
        parameters: Weights of the network that it was made of; None in older records.
        macs: Multiply-accumulates of that network for one patch.
    """

    schema: int
    model: str
    scene: str
    synthetic: bool
    split: SplitRecord
    leakage: float
    variant: str
    file: str
    bytes: int
    bytes_float32: int
    sha256: str
    batch: int
    oa_keras: float
    oa: float
    aa: float
    kappa: float
    oa_drop: float
    agreement: float
    max_abs_logit_error: float
    relative_logit_error: float
    test_pixels: int
    lowering_error: float
    width: int
    operators: tuple[Operator, ...]
    integer_share: float
    max_rank: int
    latency_ms: Latency
    input: Tensor
    output: Tensor
    class_names: tuple[str, ...]
    normalizer: Normalizer
    patch: int
    bands: int
    calibration: int
    versions: dict[str, str]
    run: str
    run_sha256: str
    command: str
    pruning: Pruning | None = None
    reduction: BandsRecord | None = None
    fused: str = ""
    tile: int = 0
    means: tuple[str, ...] = ()
    micro: Micro | None = None
    wavelengths: tuple[float, ...] = ()
    parameters: int | None = None
    macs: int | None = None


def write(record: object, path: Path) -> None:
    """Writes a record as indented JSON, moved into place when complete.

    Raises:
        OutputError: The file cannot be written.
        ValueError: The record holds a number that is none, which JSON cannot tell.
    """
    content = _adapter(type(record)).dump_python(record, mode="json")
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read(kind: type[T], path: Path) -> T:
    """Reads a record of type `kind` from JSON.

    Raises:
        DataError: The file is missing, is not such a record, or is of another schema.
    """
    if not path.is_file():
        raise DataError(
            "no record", received=str(path), remedy="name a folder that hsitf wrote, or make it"
        )
    with explained(path):
        text = path.read_bytes()
    return parse(kind, text, str(path))


def parse(kind: type[T], text: bytes, name: str) -> T:
    """Reads a record of type `kind` from the text of a file, called `name` in messages.

    Raises:
        DataError: The text is not such a record, or is of another schema.
    """
    from pydantic import ValidationError

    if (schema := _schema(text)) != SCHEMA:
        raise DataError(
            f"{name} is of another version of hsitf",
            received=f"schema {schema}",
            allowed=f"schema {SCHEMA}",
            remedy="make it again with this version",
        )
    try:
        found: T = _adapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise _damaged(name, kind, f"{place}: {first['msg']}") from error
    # What a class refuses of its own values is a damaged record here, not a wrong option.
    except HsitfError as error:
        raise _damaged(name, kind, error.what) from error
    return found


def _adapter(kind: type) -> TypeAdapter[Any]:
    """What checks records of a kind; made once, since a study reads thousands."""
    from pydantic import TypeAdapter

    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _damaged(name: str, kind: type, reason: str) -> DataError:
    return DataError(
        f"{name} is not a {kind.__name__}",
        received=reason,
        remedy="make it again with this version of hsitf",
    )


def _schema(text: bytes) -> object:
    """The schema that a record's text states; the current one where it states none."""
    try:
        content = json.loads(text)
    # Brackets within brackets without end exhaust the parser.
    except (ValueError, RecursionError):
        return SCHEMA
    return content.get("schema", SCHEMA) if isinstance(content, dict) else SCHEMA


def versions() -> dict[str, str]:
    """Versions of Python, hsitf and the installed packages that decide on numbers."""
    from hsitf import __version__

    found = {"python": platform.python_version(), "hsitf": __version__}
    installed = {item.metadata["Name"].lower(): item.version for item in metadata.distributions()}
    for name in _DECISIVE:
        if name in installed:
            found[name] = installed[name]
    return found


def command() -> str:
    """The command line of this process, as it can be typed again."""
    import shlex

    first = Path(sys.argv[0])
    module = first.parent.name if first.name == "__main__.py" else first.name
    spelled = f"python -m hsitf.{module}" if first.name == "__main__.py" else module
    if module == "hsitf":
        spelled = "python -m hsitf" if first.name == "__main__.py" else "hsitf"
    return " ".join([spelled, *map(shlex.quote, sys.argv[1:])])
