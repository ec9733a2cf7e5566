"""What an exported file is made of, where it came from and what it is worth."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.records.run import BandsRecord, Pruning
from hsitf.records.scene import SplitRecord
from hsitf.scenes.normalize import Normalizer


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
