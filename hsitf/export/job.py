"""Everything that is decided about one exported file before work on it begins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hsitf.arithmetic import Arithmetic
from hsitf.bands import Reducer
from hsitf.bounds import Bounds
from hsitf.errors import InputError
from hsitf.export.bundle import bundle_folder
from hsitf.export.request import ExportRequest
from hsitf.export.tiles import tile_of_file
from hsitf.export.variants import TFLITE, Variant
from hsitf.runs import Run


@dataclass(frozen=True)
class PreprocessingRecipe:
    """What is done to the trained network before it is lowered.

    Jobs of one recipe share the network that it makes.

    Attributes:
        fold_preprocessing: Whether normalization and band reduction become its first layers.
        separate_normalization: Whether normalization then stays a layer of its own, which
            integer files need; see `hsitf.lower.preprocessing`.
        qat: Whether it first trains on with quantization simulated.
    """

    fold_preprocessing: bool
    separate_normalization: bool
    qat: bool


@dataclass(frozen=True)
class Job:
    """One file to export, with every decision made.

    Attributes:
        variant: The kind of file.
        network: Name of the network, which the file is named by.
        folder: Folder of the bundle, once it is published.
        recipe: What is done to the trained network first.
        arithmetic: Arithmetic that the network is lowered for.
        batch: Patches an inference takes.
        tile: Side in pixels of the tile that an inference takes in their place; 0 for patches.
        threads: Threads of the engine that verifies and measures the file.
        bounds: How far the file may be from its network.
        range_estimator: What chooses the ranges; None for the converter's own.
        per_tensor_dense: Whether dense layers have one scale for all their weights; see
            `hsitf.export.calibration.Calibration`.
        equalize: Whether channels are equalized before ranges are measured.
        correct_bias: Whether the biases of the file take back the mean error of quantization.
        max_drop: Points of overall accuracy that the file may lose on validation pixels, with
            accuracy-recovery techniques applied until it does not lose more; None where nothing
            is tried.
        learned_ranges: Whether ranges that quantization-aware training learned are used.
        c_source: Whether the file is also written as a C array.
        tflm: Whether the file is also run in TensorFlow Lite Micro.
        tta: Whether the file computes the mean over the eight sides of a patch.
        target: Name of the target that it is made for; None for none.
        labels_tiles: Whether the network labels all pixels of a tile by itself.
    """

    variant: Variant
    network: str
    folder: Path
    recipe: PreprocessingRecipe
    arithmetic: Arithmetic
    batch: int
    tile: int
    threads: int
    bounds: Bounds
    range_estimator: str | None
    per_tensor_dense: bool
    equalize: bool
    correct_bias: bool
    max_drop: float | None
    learned_ranges: bool
    c_source: bool
    tflm: bool
    tta: bool = False
    target: str | None = None
    labels_tiles: bool = False

    @classmethod
    def of(cls, request: ExportRequest, variant: Variant, run: Run, reducer: Reducer | None) -> Job:
        """Decides everything about one file of a request.

        Args:
            request: What the user asked for.
            variant: The kind of file, one of the request's.
            run: The trained network.
            reducer: Its band reduction; None where it takes all bands.

        Raises:
            InputError: The network's patches have no sides, or it labels tiles and cannot be
                exported so.
        """
        if request.tta and run.record.plan.patch == 1:
            raise InputError(
                "a patch of one pixel looks the same from all sides",
                received=f"--tta for {run.record.plan.network}, whose patch is 1 x 1",
                remedy="leave --tta out, or name a network with larger patches",
            )
        tile = tile_of_file(request, run.record)
        recovers = variant.supports_recovery
        tflite = variant.format is TFLITE
        estimator = request.calibration if variant.selectable_ranges else None
        fold = request.folds_preprocessing(variant, reducer)
        bounded = request.max_drop is not None
        arithmetic = variant.arithmetic
        if request.channel_alignment is not None:
            arithmetic = replace(arithmetic, channel_alignment=request.channel_alignment)
        return cls(
            variant=variant,
            network=run.record.plan.network,
            folder=bundle_folder(
                run.record.scene.name,
                run.label,
                variant.name,
                request.batch,
                request.root,
                tile,
                request.tta,
                request.target,
            ),
            recipe=PreprocessingRecipe(fold, fold and variant.calibrated, request.qat and recovers),
            # Ranges that are chosen are another quantizer's, which takes roots but no logarithms.
            arithmetic=replace(
                arithmetic, square_root_powers=recovers and (bounded or estimator is not None)
            ),
            batch=request.batch,
            tile=tile,
            labels_tiles=run.record.tile > 0,
            threads=request.threads,
            bounds=replace(variant.bounds, oa_drop=request.max_drop)
            if request.max_drop is not None
            else variant.bounds,
            range_estimator=estimator,
            # The Android demo's runtime is TensorFlow Lite 2.16, which is to name every pixel as
            # Python does. Ranges that are chosen have one scale a unit in any case, and a fully
            # convolutional form has no dense layers.
            per_tensor_dense=request.android
            and tflite
            and variant.calibrated
            and not tile
            and estimator is None,
            equalize=request.equalize and variant.calibrated,
            correct_bias=request.correct_bias and recovers,
            max_drop=request.max_drop if recovers else None,
            # Training again moves the weights that ranges were learned with.
            learned_ranges=recovers
            and estimator is None
            and not request.qat
            and run.record.adopted is not None
            and bool(run.record.adopted.activation_ranges),
            c_source=request.c_array and tflite,
            tflm=request.tflm and tflite,
            tta=request.tta,
            target=request.target,
        )

    @property
    def label(self) -> str:
        """What messages call the file, such as "cao-int8"."""
        return f"{self.network}-{self.variant.name}"

    @property
    def file_name(self) -> str:
        """Name of the file inside its bundle."""
        return f"{self.network}{self.variant.suffix}"

    def with_qat(self) -> Job:
        """The same job with a network that trains on with quantization simulated first."""
        return replace(self, recipe=replace(self.recipe, qat=True), learned_ranges=False)
