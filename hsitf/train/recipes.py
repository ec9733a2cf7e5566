"""Recipes by name: the paper's own, and one made for ground that was not seen."""

from __future__ import annotations

from hsitf.zoo import Recipe

RECIPES = ("paper", "robust")
# Of what a verb trains because it finds no network: the one that is better on unseen ground, in the
# mean over networks, of each of three real scenes. `train` itself follows the paper where it is not
# asked for another.
DEFAULT_RECIPE = "robust"

# Steps of Adam are as long as its rate. The papers' rates of plain gradient descent and Adagrad are
# about ten times those that their networks take from Adam, Adadelta's about a thousand times.
_ADAM_SHARE = {
    "sgd": 0.1,
    "adagrad": 0.1,
    "adadelta": 1e-3,
}
# The rate for batches up to a number of patches, in proportion to larger ones: as regularized, a
# network learns too little in the same epochs at a lower one (santara, with batches of 200, on a
# split of Indian Pines: 54.4, 69.7 and 73.1 % in validation at 0.0005, 0.001 and 0.002).
_RATE = 1e-3
_BATCH = 100
# Networks whose papers take less than this part of it keep their papers' rate.
_LEAST_PART = 0.25
_WEIGHT_DECAY = 0.05
_WARMUP = 0.05
_LABEL_SMOOTHING = 0.1
_EMA_EPOCHS = 1.0

# Shape of the Beta distribution of the weights of mixtures.
ROBUST_MIXUP = 0.2


def robust_recipe(recipe: Recipe, with_decoder: bool) -> Recipe:
    """The robust recipe of a network: the same for all, but for batch size, epochs and rate.

    Adam with decoupled weight decay, warm-up, cosine decay, label smoothing and an average of the
    weights. The learning rate is 0.001, in proportion to batches beyond 100 patches. Where the
    paper's own, brought to Adam's steps, is less than a quarter of that, it stays.

    Args:
        recipe: The recipe of the paper.
        with_decoder: Whether the network learns with a decoder, whose targets are not smoothed.
    """
    usual = _RATE * max(1.0, recipe.batch_size / _BATCH)
    own = recipe.learning_rate * _ADAM_SHARE.get(recipe.optimizer, 1.0)
    return Recipe(
        optimizer="adam",
        learning_rate=usual if own >= _LEAST_PART * usual else own,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        decoupled_weight_decay=_WEIGHT_DECAY,
        warmup=_WARMUP,
        cosine_decay=True,
        label_smoothing=0.0 if with_decoder else _LABEL_SMOOTHING,
        ema_epochs=_EMA_EPOCHS,
    )
