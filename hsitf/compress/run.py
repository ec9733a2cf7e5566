"""A compression: search, choice, and the published file with its proof."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from hsitf import records
from hsitf.arithmetic import FLOAT
from hsitf.compress.candidate_builder import latency_ms
from hsitf.compress.choice import choose, pareto_front
from hsitf.compress.chosen_run import COMPRESSION, save_chosen
from hsitf.compress.controls import control_candidates
from hsitf.compress.figure import front_figure
from hsitf.compress.final_evaluation import evaluate_finally
from hsitf.compress.preparation import begun, check_validation, prepare_search
from hsitf.compress.record import CompressionCandidate, CompressionRecord, FinalEvaluation
from hsitf.compress.request import CompressionRequest
from hsitf.compress.search import Search
from hsitf.compress.table import write_csv
from hsitf.errors import VerificationError
from hsitf.export.bundle import EXPORT, Bundle
from hsitf.export.convert import float32_size, lower_and_check
from hsitf.export.pipeline import export
from hsitf.export.request import ExportRequest
from hsitf.export.variants import Variant
from hsitf.figures import save
from hsitf.locks import one_writer
from hsitf.log_silencing import suppressed_output
from hsitf.measure import processor
from hsitf.metrics import format_drop
from hsitf.progress import Progress
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.runtimes import Keras
from hsitf.targets import find_target
from hsitf.train.run import check_name
from hsitf.verify import runtime_logits

FIGURES = ("front.png", "front.svg")
TABLE = "front.csv"


@dataclass(frozen=True, eq=False)
class Compression:
    """A finished compression.

    Attributes:
        record: The search and its result.
        run: The chosen network, a run like any other.
        bundle: Its published file.
    """

    record: CompressionRecord
    run: Run
    bundle: Bundle


def compress(
    origin: Run,
    request: CompressionRequest,
    name: str | None,
    progress: Progress,
    choice: SceneChoice | None = None,
    root: Path = EXPORT,
) -> Compression:
    """Compresses a trained network until a bound is met, and publishes the file.

    Candidates are kept in the folder of the new run: an interrupted search goes on where it was,
    and a search with other bounds uses those that are there.

    Args:
        origin: The trained network.
        request: Bounds, and how to search.
        name: Name of the new run's folder, beside the origin's; `<origin>-compressed` where None.
        progress: Receives progress and messages.
        choice: Where the scene is now, if not at the path of the record.
        root: Folder of the published bundle.

    Returns:
        Record, run and bundle.

    Raises:
        InputError: The request is not possible, or the folder belongs to something else.
        DataError: The scene or the network is not the one of the origin's record.
        LoweringError: The network cannot be rewritten for inference.
        VerificationError: No network meets the bounds, or the chosen file does not keep them on
            test pixels; front and candidates are kept.
        OutputError: The folder cannot be written.
    """
    if name is not None:
        check_name(name)
    origin.check_patches("compressed by a search")
    folder = origin.folder.parent / (name or f"{origin.folder.name}-compressed")
    check_validation(origin.record.split.validation, request)
    with one_writer(progress.say, folder):
        return _compressed(origin, request, folder, progress, choice, root)


def _compressed(
    origin: Run,
    request: CompressionRequest,
    folder: Path,
    progress: Progress,
    choice: SceneChoice | None,
    root: Path,
) -> Compression:
    """The compression in a folder that no other command writes; see `compress`."""
    begin = time.monotonic()
    data = origin.data(choice)
    start = begun(folder, origin, request)
    network = origin.network()
    search = prepare_search(folder, start, origin, data, request, progress)
    candidates = list(search.candidates(network))
    candidates = _measured_in_turns(candidates, search)
    front = pareto_front(candidates, request.bounds.minimized)
    write_csv(candidates, front, folder / TABLE)
    with suppressed_output():
        whole = float32_size(lower_and_check(network, data, 1, FLOAT).model)
    _draw(folder, candidates, front, origin, request)
    progress.say(f"the front: {folder / FIGURES[0]} and {folder / TABLE}")
    chosen = choose(candidates, request.bounds)
    _draw(folder, candidates, front, origin, request, chosen.key)
    progress.say(f"{chosen.key} is chosen")
    steps = _ancestors(chosen, candidates)
    controls = [candidates[0]]
    if request.controls and len(steps) > 1:
        trained = origin.record.plan
        controls += control_candidates(search, network, trained, chosen, len(steps) - 1)
    final = _final_evaluations([chosen, *controls], search, network, request)
    _check_final(final[chosen.key], request, chosen)
    run = save_chosen(folder, origin, network, chosen, search)
    published, refused = export(
        run,
        _publication(search.builder.files.variant, root, request.bounds.target, chosen),
        progress,
        choice or origin.scene_choice(),
    )
    if refused:
        raise refused[0]
    _say_what_differs(published[0], chosen, request, progress)
    record = CompressionRecord(
        schema=records.SCHEMA,
        network=origin.record.plan.network,
        scene=origin.record.scene.name,
        synthetic=origin.record.scene.synthetic,
        split=origin.record.split,
        bounds=request.bounds,
        start=start,
        candidates=(*candidates, *controls[1:]),
        front=front,
        minimized=request.bounds.minimized,
        chosen=chosen.key,
        steps=steps,
        bytes_float32=whole,
        final_evaluations=final,
        seconds=time.monotonic() - begin,
        processor=processor(),
        versions=records.versions(),
        command=records.command(),
    )
    records.write(record, folder / COMPRESSION)
    return Compression(record, run, published[0])


def _publication(
    kind: Variant, root: Path, target: str | None, chosen: CompressionCandidate
) -> ExportRequest:
    """How the chosen file is published: as it was evaluated, with the inputs of the network.

    Its accuracy was compared with the original's, of which alone the bounds are; what it loses
    against the network that it was converted from is among that. A target with a cost chooses how
    its file is lowered.
    """
    bounds = replace(kind.bounds, agreement=0.0, oa_drop=100.0)
    kinds = (replace(kind, bounds=bounds),)
    tuned = target is not None and find_target(target).cost is not None
    return ExportRequest(
        kinds,
        root=root,
        fold_preprocessing=False,
        target=target,
        channel_alignment=None if tuned else chosen.channel_alignment,
    )


def _say_what_differs(
    published: Bundle, chosen: CompressionCandidate, request: CompressionRequest, progress: Progress
) -> None:
    """Says where a published file is not the evaluated one to the byte, and what it costs then."""
    record = published.record
    if record.sha256 == chosen.file_sha256:
        return
    why = "lowered for its target" if record.target else "written anew"
    progress.say(
        f"the published file is {why}, not the candidate's to the byte: {record.bytes:,} bytes, "
        f"{chosen.costs['bytes']:,.0f} of the one that was evaluated"
    )
    most = request.bounds.max_bytes
    if most is not None and record.bytes > most:
        progress.say(f"that is more than the {most:,.0f} bytes asked for")


def _draw(
    folder: Path,
    candidates: Sequence[CompressionCandidate],
    front: Sequence[str],
    origin: Run,
    request: CompressionRequest,
    chosen: str = "",
) -> None:
    drawn = front_figure(candidates, front, origin.record, request.bounds, chosen)
    for name in FIGURES:
        save(drawn, folder / name)


def _measured_in_turns(
    candidates: Sequence[CompressionCandidate], search: Search
) -> list[CompressionCandidate]:
    """The candidates with their latencies measured in turns, which alone can be compared."""
    files, data = search.builder.files, search.builder.data
    opened = {one.key: files.variant.runtime(files.file(one.key), 1) for one in candidates}
    found = latency_ms(opened, data.patches.extract(data.split.train[:1]))
    return [replace(one, costs=one.costs | {"latency_ms": found[one.key]}) for one in candidates]


def _final_evaluations(
    some: Sequence[CompressionCandidate],
    search: Search,
    network: keras.Model,
    request: CompressionRequest,
) -> dict[str, FinalEvaluation]:
    """What test pixels say of candidates, by key."""
    builder = search.builder
    files, data, progress = builder.files, builder.data, builder.progress
    original = runtime_logits(Keras(network), data, data.split.test, progress)
    return {
        one.key: evaluate_finally(
            original, files.variant.runtime(files.file(one.key), 1), data, request.bounds, progress
        )
        for one in some
    }


def _check_final(
    final: FinalEvaluation, request: CompressionRequest, chosen: CompressionCandidate
) -> None:
    """Refuses a file that certainly loses more than it may."""
    drop = request.bounds.max_drop
    if drop is None or final.drop.low <= drop:
        return
    raise VerificationError(
        "the chosen network loses more on test pixels than it may, so nothing was published",
        received=f"{chosen.key}: {format_drop(final.drop.points)} "
        f"(95 %: {final.drop.low:.2f} to {final.drop.high:.2f}), "
        f"{chosen.fidelity.expected_drop:.2f} expected",
        allowed=request.bounds.text,
        remedy="validation pixels told too little of these: train with more of them, give more "
        "--epochs, or allow a larger drop",
    )


def _ancestors(
    chosen: CompressionCandidate, candidates: Sequence[CompressionCandidate]
) -> tuple[str, ...]:
    """Keys from the original to a candidate."""
    by_key = {one.key: one for one in candidates}
    keys = [chosen.key]
    while parent := by_key[keys[0]].step.parent:
        keys.insert(0, parent)
    return tuple(keys)
