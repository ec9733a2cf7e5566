"""What a search begins with: its folder, and everything that candidates are made with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hsitf import records
from hsitf.compress.candidate_builder import CandidateBuilder
from hsitf.compress.candidates import CandidateFiles
from hsitf.compress.fidelity import FidelityEvaluator
from hsitf.compress.proposals import CutContext
from hsitf.compress.record import SearchStart
from hsitf.compress.request import CompressionRequest, SearchOptions
from hsitf.compress.schedule import SearchClock, default_epochs, epoch_seconds
from hsitf.compress.search import Search
from hsitf.cost import cost
from hsitf.data import SceneData
from hsitf.errors import InputError
from hsitf.export.variants import variant
from hsitf.files import is_unused
from hsitf.progress import Progress
from hsitf.prune.run import calibration_samples
from hsitf.records import TrainingPlan
from hsitf.runs import Run
from hsitf.runtimes import Keras
from hsitf.train.fine_tuning import distilled_plan, fine_tuning_recipe
from hsitf.train.guidance import Guidance
from hsitf.train.pseudo_labels import softmax
from hsitf.train.teachers import Distillation

SEARCH = "search"
START = "start.json"


def check_validation(pixels: int, request: CompressionRequest) -> None:
    """Refuses validation pixels that cannot tell a loss as small as the bound.

    Args:
        pixels: Number of validation pixels.
        request: What is asked for.

    Raises:
        InputError: There are none, or one pixel is more than the drop.
    """
    drop = request.bounds.max_drop
    if not pixels:
        raise InputError(
            "networks are chosen on validation pixels, and there are none",
            received="a run without validation pixels",
            remedy="train the network with another --split",
        )
    if drop is not None and 0 < drop < 100 / pixels:
        raise InputError(
            "the validation pixels cannot tell so small a drop",
            received=f"--max-drop {drop:g} with {pixels:,} validation pixels",
            allowed=f"{100 / pixels:.2f} points or more, one pixel of them",
            remedy="allow a larger drop, or train with more validation pixels",
        )


def begun(folder: Path, origin: Run, request: CompressionRequest) -> SearchStart:
    """What the candidates in a folder belong to; the folder is begun where there is none.

    Args:
        folder: Folder of the compression.
        origin: The trained network.
        request: What is asked for.

    Raises:
        InputError: The folder belongs to something else.
        OutputError: It cannot be written.
    """
    options = request.options
    seconds = epoch_seconds(origin.record, options)
    epochs = options.epochs or default_epochs(request.minutes, seconds)
    start = SearchStart(
        records.SCHEMA,
        str(origin.folder),
        origin.record.sha256,
        request.bounds.steered_by,
        replace(options, epochs=epochs),
    )
    path = folder / SEARCH / START
    if path.is_file():
        then = records.read(SearchStart, path)
        # Candidates of as many epochs as fitted then are as good now.
        if options.epochs is None:
            start = replace(start, options=replace(start.options, epochs=then.options.epochs))
        if replace(start, origin="") == replace(then, origin=""):
            return start
        received = _difference(then, start)
    elif not is_unused(folder):
        received = "other contents"
    else:
        records.write(start, path)
        return start
    raise InputError(
        f"{folder} belongs to another run or search",
        received=received,
        remedy="give this search another name with --run, or remove that folder",
    )


def _difference(then: SearchStart, now: SearchStart) -> str:
    """What keeps a search from the candidates of an earlier one."""
    if then.origin_sha256 != now.origin_sha256:
        return "candidates of another network"
    old, new = ({"cost that is reduced": one.steered_by} | vars(one.options) for one in (then, now))
    return "; ".join(
        f"{name.replace('_', ' ')} {new[name]}, the candidates there have {old[name]}"
        for name in new
        if new[name] != old[name]
    )


def prepare_search(
    folder: Path,
    start: SearchStart,
    origin: Run,
    data: SceneData,
    request: CompressionRequest,
    progress: Progress,
) -> Search:
    """A search that goes on where candidates are there already.

    Args:
        folder: Folder of the compression.
        start: What its candidates belong to.
        origin: The trained network.
        data: Its scene.
        request: What is asked for.
        progress: Receives progress and messages.
    """
    network, options = origin.network(), start.options
    plan = _fine_tuning_plan(origin.record.plan, options)
    guidance = None
    if options.distill:
        guidance = Guidance.distilled(origin, plan, data, Distillation(), progress)
    evaluator = FidelityEvaluator.of(Keras(network), data, request.bounds.metric, progress)
    files = CandidateFiles(folder / SEARCH, variant(options.variant))
    # Where every pixel is in a set, cuts are compared on validation pixels.
    compared = evaluator.unlabelled if len(evaluator.unlabelled) else data.split.validation
    logits = evaluator.unlabelled_logits if len(evaluator.unlabelled) else evaluator.original
    cuts = CutContext(
        start.steered_by,
        cost(network),
        calibration_samples(data),
        data.patches,
        compared,
        softmax(logits),
        options.round_to,
    )
    bounds = request.bounds
    builder = CandidateBuilder(
        data,
        plan,
        guidance,
        evaluator,
        files,
        arena=bounds.max_arena is not None,
        target=bounds.target,
        steered_by=start.steered_by,
        progress=progress,
    )
    clock = SearchClock(60 * request.minutes, epoch_seconds(origin.record, options))
    rates = tuple(share * plan.recipe.learning_rate for share in options.rate_shares)
    return Search(builder, cuts, request.bounds, clock, plan.recipe.epochs, rates)


def _fine_tuning_plan(trained: TrainingPlan, options: SearchOptions) -> TrainingPlan:
    """How a candidate is fine-tuned."""
    plan = (
        distilled_plan(trained)
        if options.distill
        else replace(trained, recipe=fine_tuning_recipe(trained.recipe), schedule="custom")
    )
    recipe = replace(plan.recipe, epochs=options.epochs or plan.recipe.epochs)
    if options.learning_rate is not None:
        recipe = replace(recipe, learning_rate=options.learning_rate)
    return replace(plan, recipe=recipe, seed=options.seed)
