"""The iterations of structured pruning: what is cut, and how the rest is fine-tuned."""

from __future__ import annotations

from dataclasses import replace

import keras

from hsitf import records
from hsitf.cost import Cost, cost
from hsitf.data import SceneData
from hsitf.errors import InputError
from hsitf.metrics import Scores
from hsitf.progress import Progress
from hsitf.prune.combination import EvidenceBatches
from hsitf.prune.evidence import Samples
from hsitf.prune.job import STEP, PruningJob, PruningStep, network_file, state_file
from hsitf.prune.plans import PruningPlan, compose, group_sizes, select
from hsitf.prune.ranking import rank
from hsitf.prune.request import PruningRequest
from hsitf.prune.steps import (
    drop_exceeded,
    fine_tune,
    min_accuracy,
    resumed_step,
    save_network,
    scores_on,
)
from hsitf.prune.target import search_ratio
from hsitf.prune.thinning import thin
from hsitf.prune.tracing import trace
from hsitf.seeding import seeded
from hsitf.tile_networks import is_tile_network
from hsitf.train.tile_inputs import sample_tiles

# Class-balanced training patches that criteria look at, at least.
NUM_SAMPLES = 512
# Tiles around training pixels, of networks that label tiles, at least.
NUM_TILES = 64
# Batches of most criteria that look at data, where no number is given.
_USUAL_BATCHES = 5


def prune_channels(network: keras.Model, job: PruningJob) -> tuple[PruningStep, keras.Model]:
    """Prunes and fine-tunes until the target or the largest allowed drop is reached.

    Returns:
        The last iteration within the bound, and its network.
    """
    request, data, folder, progress = job.request, job.data, job.folder, job.progress
    whole = cost(network)
    step, current = resumed_step(folder, request.iterations)
    floor = min_accuracy(network, request, data)
    samples = calibration_samples(data, request.evidence_batches, network)
    if current is None:
        current = network
    for number in range(step.number + 1 if step else 1, request.iterations + 1):
        plan = plan_iteration(current, request, number, network, samples, progress)
        # The seed of a copied dropout is drawn when it is built.
        with seeded(job.origin.record.plan.seed):
            smaller = thin(current, plan)
        scores = scores_on(smaller, data, data.split.test)
        progress.say(_format_iteration(request, number, whole, cost(smaller), scores))
        state = state_file(folder, number)
        best, reached, fitted = fine_tune(smaller, job, request.epochs(number), state)
        if reached < floor:
            if step is None:
                raise drop_exceeded(reached, floor)
            progress.say(f"step {number} lost too much; step {step.number} is kept")
            break
        step = PruningStep(
            records.SCHEMA,
            number,
            compose(step.plan, plan) if step else plan,
            scores,
            fitted.history,
            best,
            fitted.seconds + (step.seconds if step else 0.0),
            save_network(smaller, network_file(folder, number)),
        )
        # From here on the next step is the one to resume.
        records.write(step, folder / STEP)
        state.unlink(missing_ok=True)
        network_file(folder, number - 1).unlink(missing_ok=True)
        current = smaller
    if step is None:
        raise InputError("nothing was pruned", remedy="take one iteration or more")
    return step, current


def plan_iteration(
    network: keras.Model,
    request: PruningRequest,
    number: int,
    origin: keras.Model,
    samples: Samples,
    progress: Progress | None = None,
) -> PruningPlan:
    """The plan of one iteration for the network as the iterations before left it.

    Ratios and counts refer to the original network, so that the iterations end where one-shot
    pruning would.

    Args:
        network: The current network.
        request: The pruning request.
        number: Number of the iteration, from 1.
        origin: The network as it was trained.
        samples: Calibration data, for criteria that need data.
        progress: Receives a message where the criterion does not distinguish channels; nobody does
            where None.

    Raises:
        InputError: See `rank`, `select` and `search_ratio`.
    """
    ranking = rank(
        network, request.criterion, samples, request.config.prune_io, request.evidence_batches
    )
    if progress is not None:
        for message in ranking.tie_messages:
            progress.say(message)
    whole, before, now = cost(origin), group_sizes(trace(origin)), request.removed_share(number)
    ratios = {name: ratio * now for name, ratio in request.config.ratios.items()}
    kinds = {kind: ratio * now for kind, ratio in request.config.kinds.items()}
    config = replace(request.config, ratio=0.0, ratios=ratios, kinds=kinds)
    if request.measure == "ratio":
        return select(ranking, replace(config, ratio=request.target * now), before)
    full = getattr(whole, request.measure)
    target = request.target * full if request.target <= 1 else request.target
    # A count, since the network is no longer the one that shares are of.
    limit = max(full - (full - target) * now, 1 + 1e-9)
    return search_ratio(ranking, request.measure, limit, whole, config, before)


def calibration_samples(
    data: SceneData, batches: EvidenceBatches | None = None, network: keras.Model | None = None
) -> Samples:
    """Class-balanced training patches with their classes.

    Args:
        data: The scene.
        batches: Batches that are drawn from them: where these have more samples together than are
            taken otherwise, as many as they have.
        network: What takes them; tiles with the classes of their pixels where it labels these.
    """
    few = 0
    if batches is not None and batches.size is not None:
        few = batches.size * (batches.count or _USUAL_BATCHES)
    if network is not None and is_tile_network(network):
        tiles, classes = sample_tiles(data, int(network.inputs[0].shape[1]), max(NUM_TILES, few))
        return Samples((tiles,), classes)
    pixels = data.calibration_pixels(max(NUM_SAMPLES, few))
    return Samples((data.patches.extract(pixels),), data.targets(pixels))


def _format_iteration(
    request: PruningRequest, number: int, original: Cost, remaining: Cost, pruned_scores: Scores
) -> str:
    step = f"step {number} of {request.iterations}: " if request.iterations > 1 else ""
    return (
        f"{step}{remaining.parameters / original.parameters:.1%} of the parameters and "
        f"{remaining.macs / original.macs:.1%} of the multiply-accumulates are left; OA before "
        f"fine-tuning {pruned_scores.oa:.2%}"
    )
