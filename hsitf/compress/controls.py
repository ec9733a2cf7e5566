"""Controls: simpler ways to a network of the same cost, to see whether the search earned its time.

Besides these, the original's own file (nothing cut) is a control that every search has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import keras

from hsitf.compress.candidate_builder import CandidateBuilder
from hsitf.compress.record import CompressionCandidate, Step
from hsitf.compress.search import Search
from hsitf.errors import InputError
from hsitf.graph import functional
from hsitf.prune.config import PruningConfig
from hsitf.prune.ranking import rank
from hsitf.prune.target import search_ratio
from hsitf.prune.thinning import thin
from hsitf.records import TrainingPlan
from hsitf.seeding import seeded
from hsitf.train.fine_tuning import fine_tuning_recipe

UNTRAINED = "same widths, from nothing"
UNIFORM = "one uniform cut by l2"


def control_candidates(
    search: Search,
    original: keras.Model,
    trained: TrainingPlan,
    chosen: CompressionCandidate,
    steps: int,
) -> Iterator[CompressionCandidate]:
    """Networks as costly as the chosen one, made in simpler ways.

    Args:
        search: The search that chose.
        original: The network as it was trained.
        trained: The plan of its training.
        chosen: The chosen candidate, which is cut.
        steps: Number of cuts that led to it.
    """
    builder = replace(search.builder, guidance=None)
    progress = builder.progress
    key = f"untrained-{chosen.share:.4f}"
    if (found := builder.recall(key)) is None:
        progress.say(f"control: {UNTRAINED}")
        found = _from_nothing(builder, trained, chosen, key)
    yield found
    key = f"uniform-{chosen.share:.4f}"
    if (found := builder.recall(key)) is None:
        progress.say(f"control: {UNIFORM}")
        try:
            found = _uniform(builder, search, original, trained, chosen, steps, key)
        except InputError as error:
            # Cut at once, some layer would be left without channels.
            progress.say(f"there is no such control: {error}")
            return
    yield found


def _from_nothing(
    builder: CandidateBuilder, trained: TrainingPlan, chosen: CompressionCandidate, key: str
) -> CompressionCandidate:
    """The chosen widths with fresh weights, trained on labels as the original was."""
    with seeded(builder.plan.seed):
        network = keras.models.clone_model(functional(builder.files.network(chosen)))
    builder = replace(builder, plan=trained)
    step = Step(key, chosen.key, UNTRAINED, chosen.share)
    rates = (trained.recipe.learning_rate,)
    return builder.finish(step, network, builder.files.plan(chosen), rates=rates)


def _uniform(
    builder: CandidateBuilder,
    search: Search,
    original: keras.Model,
    trained: TrainingPlan,
    chosen: CompressionCandidate,
    steps: int,
    key: str,
) -> CompressionCandidate:
    """One cut of the same share of every layer, fine-tuned with labels as `hsitf prune` does.

    It gets as many epochs as all cuts of the chosen one together.
    """
    cuts = search.cuts
    with seeded(builder.plan.seed):
        plan = search_ratio(
            rank(original, "l2"), cuts.measure, chosen.share, cuts.full_cost, PruningConfig()
        )
        smaller = thin(original, plan)
    recipe = replace(fine_tuning_recipe(trained.recipe), epochs=steps * search.epochs)
    builder = replace(builder, plan=replace(trained, recipe=recipe, schedule="custom"))
    step = Step(key, "original", UNIFORM, chosen.share, "l2", "local")
    return builder.finish(step, smaller, plan, rates=(recipe.learning_rate,))
