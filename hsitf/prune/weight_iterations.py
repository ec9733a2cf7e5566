"""Unstructured pruning and weight clustering: what becomes of single weights, and retraining."""

from __future__ import annotations

from dataclasses import replace

import keras

from hsitf import records
from hsitf.graph import copy_weights
from hsitf.prune.clusters import make_codebooks, shared_weights
from hsitf.prune.dead import dead_channels
from hsitf.prune.job import STEP, PruningJob, PruningStep, network_file, state_file
from hsitf.prune.request import PruningRequest
from hsitf.prune.sparse import retrain
from hsitf.prune.steps import (
    drop_exceeded,
    fine_tune,
    min_accuracy,
    resumed_step,
    save_network,
    scores_on,
)
from hsitf.prune.thinning import thin
from hsitf.prune.unstructured import final_masks, sparsity_schedule
from hsitf.prune.weights import apply_masks, masked_share
from hsitf.seeding import seeded


def check_weights(network: keras.Model, request: PruningRequest) -> None:
    """Refuses what cannot be done to a network's single weights.

    Raises:
        InputError: It has no layer of a kind or name that has an alpha of its own, or fewer values
            than a codebook.
    """
    if request.removes:
        final_masks(network, request)
    if request.clusters:
        make_codebooks(network, request.clusters)


def prune_weights(network: keras.Model, job: PruningJob) -> tuple[PruningStep, keras.Model]:
    """Zeroes and retrains single weights, clusters the rest, and removes channels that died of it.

    Returns:
        The whole as one iteration, and its network.
    """
    if not job.request.clusters:
        step, current = _zero_weights(network, job)
    else:
        step, current = _clustered(network, job)
    return step, thin(current, step.plan)


def _zero_weights(network: keras.Model, job: PruningJob) -> tuple[PruningStep, keras.Model]:
    """Zeroes and retrains single weights.

    Returns:
        What became of it, with the channels that are not dead; and the network with all of them.
    """
    request, data, progress = job.request, job.data, job.progress
    final = final_masks(network, request)
    current = _seeded_network(job)
    apply_masks(current, final)
    pruned_scores = scores_on(current, data, data.split.test)
    progress.say(
        f"sparsity {masked_share(final.values()):.1%}, OA before retraining {pruned_scores.oa:.2%}"
    )
    floor = min_accuracy(network, request, data)
    copy_weights(network, current)
    fitted = retrain(
        current,
        sparsity_schedule(network, request),
        job.fine_tuning_plan(request.recipe.epochs),
        data,
        state_file(job.folder, 1),
        progress,
        job.guidance,
    )
    reached = fitted.history[fitted.best_epoch - 1].validation_oa
    if reached < floor:
        raise drop_exceeded(reached, floor)
    step = PruningStep(
        records.SCHEMA,
        request.iterations,
        dead_channels(current),
        pruned_scores,
        fitted.history,
        fitted.best_epoch,
        fitted.seconds,
        sha256="",
    )
    return step, current


def _seeded_network(job: PruningJob) -> keras.Model:
    """The network to prune, its dropouts seeded as the plan says: no file holds their seeds."""
    with seeded(job.origin.record.plan.seed):
        return job.origin.network()


def _clustered(network: keras.Model, job: PruningJob) -> tuple[PruningStep, keras.Model]:
    """Clusters the weights, behind unstructured pruning where that is asked for.

    Returns:
        As `_zero_weights`; the scores before fine-tuning are those of the codebooks before they
        are trained.
    """
    request, data, folder = job.request, job.data, job.folder
    if request.removes and not (folder / STEP).is_file():
        done, sparse = _zero_weights(network, job)
        path = network_file(folder, request.iterations)
        # From here on clustering is what is resumed.
        records.write(replace(done, sha256=save_network(sparse, path)), folder / STEP)
        state_file(folder, 1).unlink(missing_ok=True)
    # Read back as a resumed run reads it: dropout then draws the same.
    with seeded(job.origin.record.plan.seed):
        pruned, current = resumed_step(folder, request.iterations)
    if current is None:
        current = _seeded_network(job)
    codebooks, few = make_codebooks(current, request.clusters)
    if few:
        job.progress.say(
            f"{', '.join(few)}: no more than {request.clusters} distinct values, which are the "
            "codebook; give --cluster fewer to share these, too"
        )
    with shared_weights(current, codebooks):
        scores = scores_on(current, data, data.split.test)
        job.progress.say(
            f"{request.clusters} values a kernel, OA before the codebooks are trained "
            f"{scores.oa:.2%}"
        )
        state = state_file(folder, request.iterations + 1)
        best, reached, fitted = fine_tune(current, job, request.recipe.epochs, state)
    if reached < (floor := min_accuracy(network, request, data)):
        raise drop_exceeded(reached, floor)
    step = PruningStep(
        records.SCHEMA,
        request.iterations,
        dead_channels(current),
        scores,
        fitted.history,
        best,
        fitted.seconds + (pruned.seconds if pruned else 0.0),
        sha256="",
    )
    return step, current
