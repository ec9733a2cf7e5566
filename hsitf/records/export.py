"""Records of exported files: contents, provenance, accuracy and latency."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.arithmetic import ConvolutionMethod
from hsitf.compat import formerly
from hsitf.errors import DataError
from hsitf.ranges import (
    Amount,
    ColorValue,
    Count,
    Kappa,
    Points,
    Positive,
    PositiveAmount,
    Share,
)
from hsitf.records.relations import check_lengths, check_name
from hsitf.records.run import BandsRecord, PruningRecord
from hsitf.records.scene import SplitRecord
from hsitf.scenes.normalize import Normalizer


@dataclass(frozen=True)
class OperatorCount:
    """Number of occurrences of an operator in an exported file, by the type it computes in."""

    op: str
    dtype: str
    count: Count


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of an exported file.

    `real = scale * (stored - zero_point)` where the type is an integer; else both are None.
    """

    name: str
    shape: tuple[Positive, ...]
    dtype: str
    scale: PositiveAmount | None = None
    zero_point: int | None = None


@dataclass(frozen=True)
class Latency:
    """Time of one inference in milliseconds: percentiles over runs on one machine."""

    p50: Amount
    p90: Amount
    p99: Amount
    first: Amount
    runs: Count
    threads: Count
    engine: str
    processor: str


@formerly(arena_bytes="arena", max_output_difference="difference", failure="refused")
@dataclass(frozen=True)
class TflmReport:
    """Result of running a file in TensorFlow Lite Micro.

    Attributes:
        arena_bytes: Bytes of the tensor arena, the memory needed besides the file; 0 where the file
            does not run.
        max_output_difference: Largest difference of a stored output to LiteRT, in quantized steps.
        failure: Why the file does not run; empty where it does.
    """

    arena_bytes: Count
    max_output_difference: Amount
    failure: str = ""


@dataclass(frozen=True)
class GoldenRecord:
    """How far kernels other than those of a file's golden vectors are from them.

    Attributes:
        engine: Engine whose outputs have to be repeated to the bit by the same kernels.
        other_engine: Engine with other kernels, which round elsewhere.
        outputs: Golden outputs that were compared.
        differing: Those of them that the other engine computes differently.
        largest: Largest difference, in quantized steps of integers, in the unit of the outputs of
            floats: what any further runtime may be off.
    """

    engine: str
    other_engine: str
    outputs: Count
    differing: Count
    largest: Amount


@dataclass(frozen=True)
class TargetRecord:
    """What an exported file costs on the target that it was made for.

    Attributes:
        name: Name of the target.
        cost: Cost of one inference; None where only rules of the target are known.
        default_cost: Cost of the same network lowered without regard to the target; likewise.
        unit: Unit of both; empty likewise.
        basis: How they are known, such as "estimated by Arm's compiler".
        tool: What they were determined with: name, version and configuration.
        methods: Convolutions that are computed in another way than `channel_alignment` says, by
            the names of their lowered layers.
        sram_bytes: Fast memory in use at once; None where unknown.
        flash_bytes: Bytes in flash or DRAM: weights and program, and activations where the device
            keeps them there; None where unknown.
        bytes_moved: Bytes read and written in all memories; None where unknown.
        operators: Number of operators that the tool counts; None where it counts none.
        cpu_operators: Those left to the CPU beside an accelerator, with the reasons.
        files: What the bundle holds for the target besides the file.
    """

    name: str
    cost: Amount | None
    default_cost: Amount | None
    unit: str
    basis: str
    tool: str
    methods: dict[str, ConvolutionMethod]
    sram_bytes: Count | None = None
    flash_bytes: Count | None = None
    bytes_moved: Count | None = None
    operators: Count | None = None
    cpu_operators: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class TuningRecord:
    """How convolutions are computed on a target, as it was chosen by their cost.

    Attributes:
        schema: Version of the record format.
        key: Digest of what the choice is valid for.
        channel_alignment: Smallest number of channels where a layer has no method of its own.
        methods: Methods of layers, by the names of their lowered layers.
        cost: Cost of one inference in the target's unit.
        default_cost: Cost without a choice.
        tried: Number of files that were measured.
    """

    schema: int
    key: str
    channel_alignment: Count
    methods: dict[str, ConvolutionMethod]
    cost: Amount
    default_cost: Amount
    tried: Count


@formerly(
    channel_alignment="width",
    folded_preprocessing="fused",
    applied_techniques="means",
    tflm="micro",
    band_reduction="reduction",
    run_folder="run",
    calibration_patches="calibration",
)
@dataclass(frozen=True)
class ExportRecord:
    """An exported file, its accuracy and its provenance: `record.json` of a bundle.

    Attributes:
        schema: Version of the record format.
        model: Name of the network in the zoo.
        scene: Name of the scene.
        synthetic: True where the scene was generated: all numbers are of a synthetic scene.
        split: Training, validation and test pixels.
        leakage: Share of test pixels whose patch shares a pixel with a training patch; None where
            the network was trained elsewhere, on pixels that are not known.
        variant: Kind of exported file, such as int8.
        file: File name inside the bundle.
        bytes: Size of the file.
        bytes_float32: Size of the float32 .tflite of the same network.
        sha256: SHA-256 of the file (of a folder: of its files with their names).
        batch: Patches per inference.
        oa_keras: Overall accuracy of the trained network on the test pixels; with test-time
            augmentation, if the file has it.
        oa: Overall accuracy of the file on the test pixels.
        aa: Average accuracy of the file over the classes.
        kappa: Cohen's kappa of the file.
        oa_drop: `oa_keras` - `oa` in percentage points, positive where the file is worse.
        agreement: Share of test pixels that the file and the network classify alike.
        max_abs_logit_error: Largest absolute difference of a logit on the test pixels.
        relative_logit_error: `max_abs_logit_error` over the network's largest absolute logit.
        test_pixels: Number of test pixels compared.
        lowering_error: Largest absolute difference of a logit caused by lowering.
        channel_alignment: Smallest number of channels that lowering gave convolutions where it
            could.
        operators: Operators of the file by the type they compute in.
        integer_share: Share of arithmetic operators that compute in integers.
        max_rank: Largest rank of a tensor in the file.
        latency_ms: Latency of one inference on this machine.
        input: Input tensor; the device normalizes it by `normalizer` first.
        output: Output tensor.
        class_names: One name per output.
        normalizer: Maps the sensor's units to the input of the file or of its band reduction.
        patch: Side of the patch in pixels.
        bands: Bands per pixel of the input, or components in their place.
        calibration_patches: Number of calibration patches; 0 where the file is not calibrated.
        versions: Versions of Python and the relevant packages.
        run_folder: Folder of the trained network.
        run_sha256: SHA-256 of the network's file.
        command: Command line of the export.
        pruning: How the network was pruned; None where it was not.
        band_reduction: Reduction of normalized bands before the file, stored in `bands.npz` beside
            it; None where the file takes all bands.
        folded_preprocessing: Preprocessing of the sensor's units inside the file: a band reduction
            such as "pca:30", "normalization", or empty.
        tile: Side in pixels of the tile that an inference takes, with a halo of `patch - 1` rows
            and columns in addition; 0 where it takes patches. Of a network of tiles, with all of
            the halo inside.
        golden: How far other kernels are from its golden vectors; None where its format has one
            engine here, and in older records.
        overlap: Pixels at each side of such a tile that do not see their whole window, so that the
            next tile classifies them; 0 for all other networks.
        applied_techniques: Quantization and accuracy-recovery techniques beyond the converter's
            own, in words.
        tflm: Result in TensorFlow Lite Micro; None where not requested.
        wavelengths: Wavelengths of the sensor's bands in nanometers; empty where unknown.
        band_numbers: Indices of these bands in the files of the scene, in the order in which the
            file takes them; empty where they are all of these.
        class_colors: One color per class, where the labels have them; else empty.
        source_bands: Number of bands in those files; 0 where the file takes all of them.
        fwhm: Full widths at half maximum of the sensor's bands in nanometers; empty where unknown.
        scale: Factor from the sensor's numbers to physical units, one for all bands or one per
            band; empty where the scene's files name none.
        offset: What is added after it, likewise.
        parameters: Weights of the network; None in older records.
        macs: Multiply-accumulates of the network for one patch, or of a network of tiles for one
            tile; None in older records.
        tta: Whether the file computes the mean over the eight flips and rotations of a patch
            (test-time augmentation).
        top5: Top-5 accuracy of the file; None for five classes or fewer, and in older records.
        target: Its cost on the target that it was made for; None where it was made for none.
    """

    schema: int
    model: str
    scene: str
    synthetic: bool
    split: SplitRecord
    leakage: Share | None
    variant: str
    file: str
    bytes: Positive
    bytes_float32: Positive
    sha256: str
    batch: Positive
    oa_keras: Share
    oa: Share
    aa: Share
    kappa: Kappa
    oa_drop: Points
    agreement: Share
    max_abs_logit_error: Amount
    relative_logit_error: Amount
    test_pixels: Count
    lowering_error: Amount
    channel_alignment: Count
    operators: tuple[OperatorCount, ...]
    integer_share: Share
    max_rank: Count
    latency_ms: Latency
    input: TensorSpec
    output: TensorSpec
    class_names: tuple[str, ...]
    normalizer: Normalizer
    patch: Positive
    bands: Positive
    calibration_patches: Count
    versions: dict[str, str]
    run_folder: str
    run_sha256: str
    command: str
    pruning: PruningRecord | None = None
    band_reduction: BandsRecord | None = None
    folded_preprocessing: str = ""
    tile: Count = 0
    applied_techniques: tuple[str, ...] = ()
    tflm: TflmReport | None = None
    wavelengths: tuple[Amount, ...] = ()
    band_numbers: tuple[Count, ...] = ()
    class_colors: tuple[tuple[ColorValue, ColorValue, ColorValue], ...] = ()
    source_bands: Count = 0
    fwhm: tuple[Amount, ...] = ()
    scale: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    parameters: Count | None = None
    macs: Count | None = None
    tta: bool = False
    top5: Share | None = None
    target: TargetRecord | None = None
    overlap: Count = 0
    golden: GoldenRecord | None = None

    def __post_init__(self) -> None:
        for kind, name in (("network", self.model), ("scene", self.scene), ("file", self.file)):
            check_name(kind, name)
        classes, bands = len(self.class_names), len(self.normalizer.offset)
        named = {"the output": range(self.output.shape[-1] if self.output.shape else 0)}
        check_lengths(f"{classes} classes", named, (classes,))
        check_lengths(f"{classes} classes", {"class_colors": self.class_colors}, (0, classes))
        if not classes:
            raise DataError("class_names is empty")
        of_bands = {"wavelengths": self.wavelengths, "fwhm": self.fwhm}
        of_bands["band_numbers"] = self.band_numbers
        check_lengths(f"{bands} bands", of_bands, (0, bands))
        converted = {"scale": self.scale, "offset": self.offset}
        check_lengths(f"{bands} bands", converted, (0, 1, bands))
        self._check_input()

    def _check_input(self) -> None:
        """Refuses an input of another shape than batch, patch, tile and bands say."""
        side = self.patch if not self.tile else self.tile
        batch = 1 if self.tile else self.batch
        shape = self.input.shape
        # A tile form takes the halo of its tile, too.
        sides = {side, side + self.patch - 1} if self.tile else {side}
        if len(shape) != 4 or shape[0] != batch or not sides >= set(shape[1:3]):
            raise DataError(
                "the input is not of the batch, patch and tile that the record has",
                received=f"{shape} for batch {batch}, patch {self.patch}, tile {self.tile}",
            )
