"""Unstructured (fine-grained) pruning of a request: final masks and schedule."""

from __future__ import annotations

from functools import partial

import keras

from hsitf.prune.request import PruningRequest
from hsitf.prune.sparse import SparsitySchedule, iterative
from hsitf.prune.weights import (
    Masks,
    magnitude_limits,
    masked_share,
    masks_by_layer_sparsity,
    masks_by_magnitude,
    masks_by_sparsity,
    masks_by_tensor_sparsity,
)


def final_masks(model: keras.Model, request: PruningRequest) -> Masks:
    """The masks of a trained network if the whole request is applied at once."""
    if request.measure == "alpha":
        return masks_by_magnitude(model, magnitude_limits(model, request.thresholds))
    return _at_share(model, request.target, request)


def sparsity_schedule(model: keras.Model, request: PruningRequest) -> SparsitySchedule:
    """When a network loses weights.

    Args:
        model: The trained network.
        request: A request with the measure alpha or sparsity.

    Returns:
        Alpha rises in equal steps where the request is for alpha; else, and for gradual pruning,
        the sparsity rises to the requested one, or to the one that alpha gives: of the whole
        network, or of each tensor where layers have alphas of their own.
    """
    if request.measure == "alpha" and request.schedule != "gradual":
        return iterative(model, request.thresholds, request.iterations, request.recipe.epochs)
    starts = [
        sum(request.epochs(before) for before in range(1, step))
        for step in range(1, request.iterations + 1)
    ]
    removed = [request.removed_share(step) for step in range(1, request.iterations + 1)]
    if request.layer_alphas:
        # What each layer loses in the end is its own choice; of the whole, another one would go.
        shares = {path: masked_share([mask]) for path, mask in final_masks(model, request).items()}
        return SparsitySchedule(
            {
                start: partial(
                    masks_by_tensor_sparsity,
                    shares={path: share * part for path, share in shares.items()},
                )
                for start, part in zip(starts, removed, strict=True)
            }
        )
    # Rounded to whole weights; rounded twice, a layer could lose one less than at once.
    final = (
        request.target if request.per_layer else masked_share(final_masks(model, request).values())
    )
    return SparsitySchedule(
        {
            start: partial(_at_share, share=final * part, request=request)
            for start, part in zip(starts, removed, strict=True)
        }
    )


def _at_share(model: keras.Model, share: float, request: PruningRequest) -> Masks:
    """Masks for a sparsity, of each layer or of the whole network."""
    choose = masks_by_layer_sparsity if request.per_layer else masks_by_sparsity
    return choose(model, share)
