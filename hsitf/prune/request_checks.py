"""What a pruning request cannot ask for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hsitf.errors import InputError
from hsitf.prune.combination import EvidenceBatches, check_evidence
from hsitf.prune.config import PruningConfig
from hsitf.prune.schedule import check_iterations, check_schedule

if TYPE_CHECKING:
    from hsitf.prune.request import PruningRequest

# An index into a larger codebook takes more than a byte.
MAX_CLUSTERS = 256


def check_request(request: PruningRequest) -> None:
    """Refuses what is out of range, or has no meaning beside the rest.

    Raises:
        InputError: Something is.
    """
    check_schedule(request.schedule)
    check_iterations(request.schedule, request.iterations, request.recipe.epochs)
    if request.max_drop is not None and not 0 <= request.max_drop <= 100:
        raise InputError(
            "the accuracy drop is out of range",
            received=request.max_drop,
            allowed="0 to 100 percentage points",
        )
    _check_weights(request)
    _check_untrained(request)
    _check_evidence(request)
    _check_target(request)
    _check_distillation(request)


def _check_weights(request: PruningRequest) -> None:
    """Refuses options of structured and unstructured pruning where they have no meaning."""
    if request.kind == "weights" and request.config != PruningConfig():
        raise InputError(
            "unstructured pruning takes no options of layers or channels",
            received=f"--{request.measure} with options of structured pruning",
            remedy="leave out --layer, --prune, --global, --round-to, --min-channels, --ignore, "
            "and --exact",
        )
    if request.layer_alphas and request.measure != "alpha":
        raise InputError(
            "only alpha differs by layer where single weights are pruned",
            received=f"--layer-alpha with --{request.measure}",
            remedy="give --alpha, or leave --layer-alpha out",
        )
    _check_clusters(request)
    if request.per_layer and (request.measure != "sparsity" or not request.removes):
        beside = request.measure if request.removes else "cluster alone"
        raise InputError(
            "only a sparsity can be that of each layer",
            received=f"--per-layer with --{beside}",
            remedy="leave out --per-layer, or give --sparsity",
        )
    if request.measure == "alpha":
        # What is out of range is refused now.
        _ = request.thresholds


def _check_clusters(request: PruningRequest) -> None:
    if request.clusters and not 2 <= request.clusters <= MAX_CLUSTERS:
        raise InputError(
            "the number of values of a codebook is out of range",
            received=request.clusters,
            allowed=f"2 to {MAX_CLUSTERS}, what an index of a byte distinguishes",
        )
    if request.clusters and request.kind == "channels":
        raise InputError(
            "weights are clustered alone or after unstructured pruning",
            received=f"--cluster with --{request.measure}",
            remedy="prune the channels first, then --cluster the result with --from",
        )
    if request.only_clusters and request.schedule != "one-shot":
        raise InputError(
            "weights that are not removed are not removed in steps",
            received=f"--schedule {request.schedule} with --cluster alone",
            remedy="leave it out, or give --alpha or --sparsity, too",
        )


def _check_evidence(request: PruningRequest) -> None:
    """Refuses numbers of samples that are out of range, or that nothing looks at."""
    batches = request.evidence_batches
    if request.kind == "channels":
        check_evidence(request.criterion, batches)
    elif batches != EvidenceBatches():
        raise InputError(
            "single weights are chosen by their size, without samples",
            received="--batches or --batch-samples",
            remedy="leave them out",
        )


def _check_untrained(request: PruningRequest) -> None:
    """Refuses what has no meaning for a network that was not trained."""
    if not request.untrained:
        return
    odd = {
        f"--{request.measure}": request.kind == "weights",
        f"--schedule {request.schedule}": request.schedule != "one-shot",
        "--max-drop": request.max_drop is not None,
        "--distill": request.distill,
    }
    if found := [name for name, is_given in odd.items() if is_given]:
        raise InputError(
            "an untrained network loses channels, at once, and has learned nothing to keep",
            received=f"--untrained with {' and '.join(found)}",
            allowed="--ratio, --macs, --parameters or --bytes",
            remedy="leave them out, or train the network first",
        )


def _check_target(request: PruningRequest) -> None:
    below_one = request.measure in ("ratio", "sparsity")
    config = request.config
    # Ratios and alphas of layers and kinds do without one for all, and so does clustering.
    without = config.ratios or config.kinds or request.layer_alphas or request.only_clusters
    own = [*config.ratios.values(), *config.kinds.values(), *request.layer_alphas.values()]
    if config.kinds and not request.target and not any(own) and not request.only_clusters:
        raise InputError(
            "nothing would be removed",
            received="ratios of 0 alone",
            allowed="a ratio above 0 for a layer, a kind, or all",
        )
    least = request.target >= 0 if without else request.target > 0
    if not least or (below_one and request.target >= 1) or not math.isfinite(request.target):
        allowed = {
            "ratio": "above 0 to below 1, the share of channels to remove",
            "sparsity": "above 0 to below 1, the share of zero weights",
            "alpha": "above 0, in standard deviations",
        }.get(request.measure, "above 0 to 1, the share to keep, or a count above 1")
        raise InputError(
            f"the {request.measure} to prune to is out of range",
            received=request.target,
            allowed=allowed,
        )


def _check_distillation(request: PruningRequest) -> None:
    if request.distillation_options and not request.distill:
        raise InputError(
            "nothing teaches the pruned network",
            received="--temperature, --teacher-weight or --unlabelled-weight without --distill",
            remedy="add --distill, or leave them out",
        )
    _ = request.distillation
