"""A verified file's bundle: its record, golden vectors and labels beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hsitf import records, runs
from hsitf.bands import save
from hsitf.cost import Cost, cost
from hsitf.errors import DataError
from hsitf.export import bundle, c_source
from hsitf.export.convert import CALIBRATION_PATCHES
from hsitf.export.verification import VerifiedFile
from hsitf.files import sha256, size
from hsitf.lower.test_time_augmentation import SIDES
from hsitf.measure import Timing, interleaved, processor
from hsitf.progress import Progress
from hsitf.records import ExportRecord, Latency
from hsitf.runs import Run
from hsitf.runtimes import Runtime, tile_overlap
from hsitf.tile_networks import at_side, is_tile_network


def announce_replacement(folder: Path, run: Run, progress: Progress) -> None:
    """Says so where a bundle of another run will be replaced."""
    if not (folder / bundle.RECORD).is_file():
        return
    try:
        then = records.read(ExportRecord, folder / bundle.RECORD)
    except DataError as error:
        progress.say(f"replacing {folder}, which cannot be read: {error}")
        return
    if then.run_sha256 != run.record.sha256:
        progress.say(f"replacing {folder}, which was exported from {then.run_folder}")


def write_bundles(verified: Sequence[VerifiedFile]) -> None:
    """Measures the latency of verified files in turns and writes the bundle of each.

    Raises:
        OutputError: A folder cannot be written.
    """
    actions = {
        item.job.variant.name: item.runtime.action(item.golden.stored_inputs[: item.job.batch])
        for item in verified
    }
    timings = interleaved(actions)
    for item in verified:
        _write_bundle(item, timings[item.job.variant.name])


def _write_bundle(item: VerifiedFile, timing: Timing) -> None:
    """Writes everything else of a bundle into the folder of its file.

    Args:
        item: The verified file.
        timing: How long its inferences took.

    Raises:
        OutputError: The folder cannot be written.
    """
    folder, model = item.file.parent, item.model
    record = _record(item, timing)
    if model.data.reducer is not None:
        with (folder / runs.BANDS).open("wb") as stream:
            save(model.data.reducer, stream)
    item.golden.save(folder / bundle.GOLDEN)
    labels = "".join(f"{name}\n" for name in record.class_names)
    (folder / bundle.LABELS).write_text(labels, encoding="utf-8")
    if item.job.c_source:
        c_source.write(record, item.file, folder)
    records.write(record, folder / bundle.RECORD)


def _record(item: VerifiedFile, timing: Timing) -> ExportRecord:
    job, model, verification = item.job, item.model, item.verification
    trained, run = model.reference.run, model.reference.run.record
    scene, lowered, work = model.data.scene, model.lowered_for(job), _cost(item)
    return ExportRecord(
        schema=records.SCHEMA,
        model=job.network,
        scene=scene.name,
        synthetic=scene.synthetic,
        split=run.split,
        leakage=run.split.leakage_patch,
        variant=job.variant.name,
        file=item.file.name,
        bytes=size(item.file),
        bytes_float32=model.float32_bytes,
        sha256=sha256(item.file),
        batch=job.batch,
        tile=job.tile,
        overlap=tile_overlap(item.runtime, run.plan.patch),
        oa_keras=verification.reference.oa,
        oa=verification.scores.oa,
        aa=verification.scores.aa,
        kappa=verification.scores.kappa,
        top5=verification.scores.top5,
        oa_drop=verification.oa_drop,
        agreement=verification.agreement,
        max_abs_logit_error=verification.max_abs_error,
        relative_logit_error=verification.relative_error,
        test_pixels=verification.pixels,
        lowering_error=lowered.error,
        channel_alignment=model.arithmetic(job).channel_alignment,
        operators=item.contents.operators,
        integer_share=item.contents.integer_share,
        max_rank=item.contents.max_rank,
        latency_ms=_latency(timing, item.runtime),
        input=item.runtime.input,
        output=item.runtime.output,
        class_names=scene.class_names,
        normalizer=model.data.normalizer,
        patch=run.plan.patch,
        bands=model.data.bands,
        calibration_patches=_calibration_patch_count(item),
        applied_techniques=model.techniques + item.techniques,
        tflm=item.tflm,
        wavelengths=run.scene.wavelengths,
        band_numbers=run.scene.band_numbers,
        class_colors=run.scene.class_colors,
        source_bands=run.scene.source_bands,
        fwhm=run.scene.fwhm,
        scale=run.scene.scale,
        offset=run.scene.offset,
        versions=records.versions(),
        run_folder=str(trained.folder),
        run_sha256=run.sha256,
        command=records.command(),
        pruning=run.pruning,
        band_reduction=None if job.recipe.fold_preprocessing else run.bands,
        folded_preprocessing=_folded(item),
        parameters=work.parameters,
        macs=work.macs * (SIDES if job.tta else 1),
        tta=job.tta,
        target=item.target,
        golden=item.golden.record,
    )


def _cost(item: VerifiedFile) -> Cost:
    """Weights of the network, and its multiply-accumulates for a patch or a whole tile."""
    network = item.model.network
    return cost(at_side(network, item.job.tile) if is_tile_network(network) else network)


def _folded(item: VerifiedFile) -> str:
    """What the file itself does to sensor units, as records say it; "" where nothing."""
    if not item.job.recipe.fold_preprocessing:
        return ""
    bands = item.model.reference.run.record.bands
    return bands.spec if bands else "normalization"


def _calibration_patch_count(item: VerifiedFile) -> int:
    """Patches that ranges were measured on; 0 where none are."""
    if not item.job.variant.calibrated:
        return 0
    if not item.job.tile or is_tile_network(item.model.network):
        return len(item.model.calibration)
    return len(item.model.data.calibration_pixels(CALIBRATION_PATCHES))


def _latency(timing: Timing, runtime: Runtime) -> Latency:
    return Latency(
        p50=1e3 * timing.percentile(50),
        p90=1e3 * timing.percentile(90),
        p99=1e3 * timing.percentile(99),
        first=1e3 * timing.first,
        runs=len(timing.runs),
        threads=runtime.threads,
        engine=runtime.engine,
        processor=processor(),
    )
