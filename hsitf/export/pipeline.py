"""From a trained network to verified bundles: lower, convert, verify, measure, publish."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf import records, runs, runtimes, verify
from hsitf.bands import Reducer, save
from hsitf.contents import Contents
from hsitf.cost import cost
from hsitf.data import Data
from hsitf.errors import DataError, VerificationError
from hsitf.export import bundle, c_source
from hsitf.export.bundle import Bundle, Golden
from hsitf.export.calibration import Calibration
from hsitf.export.convert import (
    CALIBRATION_PATCHES,
    Lowered,
    calibration_patches,
    calibration_tiles,
    lowered_for,
    plain_size,
    weight_bytes,
)
from hsitf.export.means import CORRECTED, EQUALIZED, Bench, Form, attempts
from hsitf.export.micro import rehearse
from hsitf.export.request import Request
from hsitf.export.variants import VARIANTS, Variant
from hsitf.files import needing, replacing_folder, sha256, size
from hsitf.lower.fused import fused
from hsitf.measure import Timing, interleaved, processor
from hsitf.progress import Progress
from hsitf.quantize.aware import EPOCHS, taught
from hsitf.quantize.corrected import correct
from hsitf.quantize.equalized import equalize
from hsitf.quantize.ranges import METHODS
from hsitf.quiet import quietly
from hsitf.records import ExportRecord, Latency, Micro, RunRecord, SceneChoice
from hsitf.runs import Run
from hsitf.runtimes import Floats, Runtime
from hsitf.targets import FLOAT, Target
from hsitf.verify import Bounds, Verification

if TYPE_CHECKING:
    import keras

GOLDEN_PATCHES = 16
_HELP = "add --equalize and --correct-bias, or --max-drop 0.5, which tries what helps"


@dataclass(frozen=True, eq=False)
class Exported:
    """A file that has passed verification, not yet published."""

    variant: Variant
    folder: Path
    file: Path
    runtime: Runtime
    contents: Contents
    verification: Verification
    golden: Golden
    means: tuple[str, ...]
    micro: Micro | None


@dataclass(frozen=True)
class Way:
    """From the trained network to the one that a file is made of.

    Attributes:
        fuse: With what comes before it.
        apart: With normalization as a layer of its own there; see `fused`.
        teach: Taught to bear rounding before.
    """

    fuse: bool
    apart: bool
    teach: bool

    @classmethod
    def of(cls, request: Request, variant: Variant, reducer: Reducer | None) -> Way:
        """The way to a kind of file."""
        fuse = request.fuses(variant, reducer)
        return cls(fuse, fuse and variant.calibrated, request.teaches(variant))


@dataclass(frozen=True, eq=False)
class Origin:
    """The trained network, and what it says itself.

    Attributes:
        run: Where it comes from.
        data: Its scene, split and normalization.
        network: As it was trained.
        reference: (test pixels, classes) float32, its logits.
        validation: The same of the validation pixels; empty where nothing is chosen on them.
    """

    run: Run
    data: Data
    network: keras.Model
    reference: Floats
    validation: Floats


@dataclass(frozen=True, eq=False)
class Source:
    """The trained network with what it is judged on.

    Attributes:
        run: Where it comes from.
        data: Its scene, split and normalization.
        network: That it was made of, with what comes before it where that is fused.
        lowered: The network rewritten for each target that the variants ask for.
        reference: (test pixels, classes) float32 logits of the trained network.
        validation: The same of the validation pixels; empty where nothing is chosen on them.
        bytes_float32: Size of the plain .tflite, the yardstick of all others.
        calibration: Class-balanced training patches, or tiles of them.
        means: What the network took beyond its training, in words.
    """

    run: Run
    data: Data
    network: keras.Model
    lowered: dict[Target, Lowered]
    reference: Floats
    validation: Floats
    bytes_float32: int
    calibration: Floats
    means: tuple[str, ...] = ()


def export(
    run: Run, request: Request, progress: Progress, choice: SceneChoice | None = None
) -> tuple[list[Bundle], list[VerificationError]]:
    """Exports a trained network and publishes the files that pass verification.

    Args:
        run: The trained network.
        request: What to export.
        progress: Told what happens.
        choice: Where the scene is now, if not where the run found it.

    Returns:
        The published bundles in the order asked for, and what kept the others back.

    Raises:
        InputError: The scene cannot be found.
        DataError: The scene or the network is not the one of the run's record.
        LoweringError: The network cannot be rewritten for inference.
        OutputError: The bundles cannot be written.
    """
    origin = _origin(run, request, progress, choice or run.record.plan.scene)
    sources = _sources(origin, request, progress)
    refused: list[VerificationError] = []
    with ExitStack() as publishing:
        passed = []
        for variant in request.variants:
            place = bundle.folder(
                origin.data.scene.name,
                run.label,
                variant.name,
                request.batch,
                request.root,
                request.tile,
            )
            _announce(place, run, progress)
            try:
                with ExitStack() as attempt:
                    folder = attempt.enter_context(replacing_folder(place))
                    passed.append(_passing(origin, sources, variant, request, folder, progress))
                    publishing.enter_context(attempt.pop_all())
            except VerificationError as error:
                refused.append(error)
        timings = _timings(passed, request.batch)
        for item in passed:
            _write(sources[item.variant.name], item, request, timings[item.variant.name])
    places = [
        bundle.folder(
            run.record.scene.name,
            run.label,
            item.variant.name,
            request.batch,
            request.root,
            request.tile,
        )
        for item in passed
    ]
    return [Bundle.open(place) for place in places], refused


def _announce(place: Path, run: Run, progress: Progress) -> None:
    """Says so where a bundle of another run will be replaced."""
    if not (place / bundle.RECORD).is_file():
        return
    try:
        then = records.read(ExportRecord, place / bundle.RECORD)
    except DataError as error:
        progress.say(f"replacing {place}, which cannot be read: {error}")
        return
    if then.run_sha256 != run.record.sha256:
        progress.say(f"replacing {place}, which was exported from {then.run}")


def _origin(run: Run, request: Request, progress: Progress, choice: SceneChoice) -> Origin:
    data = run.data(choice)
    with quietly():
        network = run.network()
    reference = verify.logits(runtimes.Keras(network), data, data.split.test, progress)
    chosen = request.max_drop is not None and any(v.mended for v in request.variants)
    judges = data.split.validation if chosen else data.split.validation[:0]
    validation = verify.logits(runtimes.Keras(network), data, judges, progress)
    return Origin(run, data, network, reference, validation)


def _sources(origin: Origin, request: Request, progress: Progress) -> dict[str, Source]:
    """By variant, the network that it is made of: with or without what comes before it."""
    reducer = origin.data.reducer
    ways = {v.name: Way.of(request, v, reducer) for v in request.variants}
    made = {}
    for way in set(ways.values()):
        targets = {request.target(v) for v in request.variants if ways[v.name] == way}
        made[way] = _source(origin, request, targets, way, progress)
    return {name: made[way] for name, way in ways.items()}


def _source(
    origin: Origin, request: Request, targets: set[Target], way: Way, progress: Progress
) -> Source:
    """The network of one way, rewritten for its targets."""
    run, data, network = origin.run, origin.data, origin.network
    own = taught(network, run.record.plan, data, EPOCHS, progress)[0] if way.teach else network
    with quietly():
        # The file is judged against the network as it was trained, on bands as prepared for it.
        whole = own
        if way.fuse:
            whole = fused(own, data.normalizer, data.reducer, way.apart)
        seen = data.raw() if way.fuse else data
        lowered = {
            target: lowered_for(whole, seen, request.batch, target, request.tile)
            for target in targets | {FLOAT}
        }
    return Source(
        run,
        seen,
        whole,
        lowered,
        origin.reference,
        origin.validation,
        plain_size(lowered[FLOAT].model),
        calibration_tiles(seen, request.tile)
        if request.tile
        else calibration_patches(seen, request.batch),
        (f"quantization-aware training, {EPOCHS} epochs",) if way.teach else (),
    )


def _passing(
    origin: Origin,
    sources: dict[str, Source],
    variant: Variant,
    request: Request,
    folder: Path,
    progress: Progress,
) -> Exported:
    """Converts and verifies a variant; where nothing keeps its bound, of a network taught to.

    Raises:
        VerificationError: See `_convert`.
    """
    try:
        return _convert(sources[variant.name], variant, request, folder, progress)
    except VerificationError as error:
        if not variant.mended or request.max_drop is None or request.teaches(variant):
            raise
        refused = error
        progress.say(f"{variant.name} loses too much by any ranges: training it with rounding")
    way = replace(Way.of(request, variant, origin.data.reducer), teach=True)
    # What is written down of the file is of this source from now on.
    sources[variant.name] = _source(origin, request, {request.target(variant)}, way, progress)
    try:
        return _convert(sources[variant.name], variant, request, folder, progress)
    except VerificationError:
        # What the network as it was trained lacks is what a user should read.
        raise refused from None


def _convert(
    source: Source, variant: Variant, request: Request, folder: Path, progress: Progress
) -> Exported:
    """Converts and verifies one variant inside `folder`.

    Raises:
        VerificationError: The file is not worth what its network is worth, or is not what its
            variant promises.
    """
    name = f"{source.run.record.plan.network}-{variant.name}"
    progress.start(f"converting to {variant.name}", 1)
    file = folder / f"{source.run.record.plan.network}{variant.suffix}"
    bounds = variant.bounds
    if request.max_drop is not None:
        bounds = replace(bounds, oa_drop=request.max_drop)
    refused: VerificationError | None = None
    with needing(weight_bytes(source.lowered[request.target(variant)].model), folder):
        for means in _attempts(source, variant, request, file, progress):
            try:
                return _verified(source, variant, request, file, bounds, name, means, progress)
            except VerificationError as error:
                # What the first, most honest attempt lacks is what a user should read.
                refused = refused or error
    if refused is None:
        raise ValueError("there is always a first attempt")
    raise refused


def _attempts(
    source: Source, variant: Variant, request: Request, file: Path, progress: Progress
) -> Iterator[tuple[str, ...]]:
    """Writes the file, again and again where an integer one is to keep a bound.

    Yields:
        What each file took beyond the converter, in words.
    """
    lowered = source.lowered[request.target(variant)].model
    method = request.method(variant)
    calibration = Calibration(source.calibration, method, request.coarse(variant))
    own = ("one scale a dense layer",) if calibration.coarse else ()
    with tempfile.TemporaryDirectory(dir=file.parent) as place:
        folder = Path(place)
        if not variant.mended or request.max_drop is None:
            yield own + _made(lowered, calibration, variant, request, file, folder, progress)
            return
        data, pixels = source.data, source.data.split.validation

        def judge(path: Path) -> float:
            runtime = variant.runtime(path, request.threads)
            return verify.verify(runtime, source.validation, data, pixels).oa_drop

        tries = folder / "tries"
        tries.mkdir()
        bench = Bench(
            tries,
            own,
            _forms(lowered, calibration, variant, request, folder),
            source.calibration,
            [method] if method else list(METHODS),
            (True,) if request.corrects(variant) else (False, True),
            judge,
            request.max_drop,
            progress,
        )
        for attempt in attempts(bench):
            shutil.copyfile(attempt.file, file)
            yield attempt.means


def _made(
    lowered: keras.Model,
    calibration: Calibration,
    variant: Variant,
    request: Request,
    file: Path,
    folder: Path,
    progress: Progress,
) -> tuple[str, ...]:
    """Writes a file by exactly the means that were asked for, and says which."""
    means = () if calibration.method is None else (f"ranges by {calibration.method}",)
    if request.equalizes(variant):
        lowered, scaled = equalize(lowered, calibration.patches)
        if scaled:
            means = (EQUALIZED, *means)
        else:
            progress.say(f"{variant.name}: no channel can be equalized")
    variant.convert(lowered, calibration, file)
    if request.corrects(variant):
        plain = folder / "float32.tflite"
        VARIANTS["float32"].convert(lowered, calibration, plain)
        if correct(plain, file, calibration.patches, file, progress):
            means = (*means, CORRECTED)
        else:
            progress.say(f"{variant.name}: no bias can be corrected")
    return means


def _forms(
    lowered: keras.Model, calibration: Calibration, variant: Variant, request: Request, folder: Path
) -> Iterator[Form]:
    """The lowered network as it is, and with its channels equalized where that changes any."""
    if not request.equalizes(variant):
        yield _form(lowered, (), calibration, variant, folder / "float32.tflite")
    equal, scaled = equalize(lowered, calibration.patches)
    if scaled or request.equalizes(variant):
        means = (EQUALIZED,) if scaled else ()
        yield _form(equal, means, calibration, variant, folder / "equalized.tflite")


def _form(
    network: keras.Model,
    means: tuple[str, ...],
    calibration: Calibration,
    variant: Variant,
    path: Path,
) -> Form:
    VARIANTS["float32"].convert(network, calibration, path)

    def plain(path: Path) -> None:
        variant.convert(network, calibration, path)

    return Form(means, path, None if calibration.method else plain)


def _verified(
    source: Source,
    variant: Variant,
    request: Request,
    file: Path,
    bounds: Bounds,
    name: str,
    means: tuple[str, ...],
    progress: Progress,
) -> Exported:
    """Checks that a file is what its variant promises and is worth what its network is worth.

    Raises:
        VerificationError: It is not.
    """
    made_of = variant.contents(file)
    if variant.integer and made_of.integer_share < 1:
        floats = [f"{o.count} {o.op} in {o.dtype}" for o in made_of.floating]
        raise VerificationError(
            f"{name} is not integer throughout, so it was not published",
            received=", ".join(floats),
            allowed="arithmetic in int8 only",
            remedy="choose another variant",
        )
    runtime = variant.runtime(file, request.threads)
    verification = verify.verify(runtime, source.reference, source.data, progress=progress)
    helps = variant.mended and request.max_drop is None
    verification.check(bounds, name, _HELP if helps else "")
    golden = _golden(source, runtime)
    micro = rehearse(file, golden) if request.rehearses(variant) else None
    return Exported(
        variant, file.parent, file, runtime, made_of, verification, golden, means, micro
    )


def _golden(source: Source, runtime: Runtime) -> Golden:
    """Golden vectors at test pixels spread evenly over the scene; of a dense form, one tile."""
    test = source.data.split.test
    if side := runtimes.tile(runtime):
        return _golden_tile(source, runtime, side)
    count = -(-GOLDEN_PATCHES // runtime.batch) * runtime.batch
    places = np.linspace(0, len(test) - 1, count).astype(np.int64)
    pixels = test[places]
    return Golden.of(runtime, pixels, source.data.patches.cut(pixels), source.reference[places])


def _golden_tile(source: Source, runtime: Runtime, side: int) -> Golden:
    """The tile around a test pixel in the middle, with the network's logits at all its pixels."""
    test, patches = source.data.split.test, source.data.patches
    pixel = test[len(test) // 2 : len(test) // 2 + 1]
    ((window, _, (inside,)),) = patches.tiles(pixel, side)
    first = pixel - inside // side * patches.cols - inside % side
    cut = replace(patches, padded=window, rows=side, cols=side)
    network = runtimes.Keras(source.network)
    found = [logits for _, logits in runtimes.scan(network, cut, np.arange(side * side))]
    expected = np.concatenate(found).reshape(1, side, side, -1)
    return Golden.of(runtime, first, window[None], expected)


def _timings(passed: Sequence[Exported], batch: int) -> dict[str, Timing]:
    return interleaved(
        {
            item.variant.name: item.runtime.action(item.golden.stored_inputs[:batch])
            for item in passed
        }
    )


def _write(source: Source, item: Exported, request: Request, timing: Timing) -> None:
    """Writes record, golden vectors and labels beside the file."""
    run: RunRecord = source.run.record
    verification, scene = item.verification, source.data.scene
    work = cost(source.network)
    record = ExportRecord(
        schema=records.SCHEMA,
        model=run.plan.network,
        scene=scene.name,
        synthetic=scene.synthetic,
        split=run.split,
        leakage=run.split.leakage_patch,
        variant=item.variant.name,
        file=item.file.name,
        bytes=size(item.file),
        bytes_float32=source.bytes_float32,
        sha256=sha256(item.file),
        batch=request.batch,
        tile=request.tile,
        oa_keras=verification.reference.oa,
        oa=verification.scores.oa,
        aa=verification.scores.aa,
        kappa=verification.scores.kappa,
        oa_drop=verification.oa_drop,
        agreement=verification.agreement,
        max_abs_logit_error=verification.max_abs_error,
        relative_logit_error=verification.relative_error,
        test_pixels=verification.pixels,
        lowering_error=source.lowered[request.target(item.variant)].error,
        width=request.target(item.variant).width,
        operators=item.contents.operators,
        integer_share=item.contents.integer_share,
        max_rank=item.contents.max_rank,
        latency_ms=_latency(timing, item.runtime),
        input=item.runtime.input,
        output=item.runtime.output,
        class_names=scene.class_names,
        normalizer=source.data.normalizer,
        patch=run.plan.patch,
        bands=source.data.bands,
        calibration=_calibrated(source, request) if item.variant.calibrated else 0,
        means=source.means + item.means,
        micro=item.micro,
        wavelengths=run.scene.wavelengths,
        versions=records.versions(),
        run=str(source.run.folder),
        run_sha256=run.sha256,
        command=records.command(),
        pruning=run.pruning,
        reduction=None if source.data.is_raw else run.bands,
        fused="" if not source.data.is_raw else run.bands.text if run.bands else "normalization",
        parameters=work.parameters,
        macs=work.macs,
    )
    if source.data.reducer is not None:
        with (item.folder / runs.BANDS).open("wb") as stream:
            save(source.data.reducer, stream)
    item.golden.save(item.folder / bundle.GOLDEN)
    labels = "".join(f"{name}\n" for name in scene.class_names)
    (item.folder / bundle.LABELS).write_text(labels, encoding="utf-8")
    if request.writes_c(item.variant):
        c_source.write(record, item.file, item.folder)
    records.write(record, item.folder / bundle.RECORD)


def _calibrated(source: Source, request: Request) -> int:
    """Patches that ranges were measured on."""
    if not request.tile:
        return len(source.calibration)
    return len(source.data.balanced(CALIBRATION_PATCHES))


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
