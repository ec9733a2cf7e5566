"""Recipes by name: the paper's own, and one made for ground that was not seen."""

from __future__ import annotations

from hsitf.zoo import Recipe

RECIPES = ("paper", "robust")
# Of what a verb trains because it finds no network: the one that is better on unseen ground of
# three real scenes. `train` itself follows the paper where it is not asked for another.
DEFAULT_RECIPE = "robust"

# Steps of Adam are as long as its rate. The papers' rates of plain gradient descent and Adagrad are
# about ten times those that their networks take from Adam, Adadelta's about a thousand times.
_ADAM_SHARE = {
    "sgd": 0.1,
    "adagrad": 0.1,
    "adadelta": 1e-3,
}
# Of a paper's rate of 0.1 or 0.01 with large batches there would be more left than any network of
# the zoo takes.
_LARGEST_RATE = 1e-3
_WEIGHT_DECAY = 0.05
_WARMUP = 0.05
_LABEL_SMOOTHING = 0.1
_EMA_EPOCHS = 1.0

# Shape of the Beta distribution of the weights of mixtures.
ROBUST_MIXUP = 0.2


def robust_recipe(recipe: Recipe, with_decoder: bool) -> Recipe:
    """The robust recipe of a network: the same for all, but for batch size, epochs and rate.

    Adam with decoupled weight decay, warm-up, cosine decay, label smoothing and an average of the
    weights. The learning rate is the paper's, a tenth of it where the paper has plain gradient
    descent, and at most 0.001.

    Args:
        recipe: The recipe of the paper.
        with_decoder: Whether the network learns with a decoder, whose targets are not smoothed.
    """
    rate = recipe.learning_rate * _ADAM_SHARE.get(recipe.optimizer, 1.0)
    return Recipe(
        optimizer="adam",
        learning_rate=min(rate, _LARGEST_RATE),
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        decoupled_weight_decay=_WEIGHT_DECAY,
        warmup=_WARMUP,
        cosine_decay=True,
        label_smoothing=0.0 if with_decoder else _LABEL_SMOOTHING,
        ema_epochs=_EMA_EPOCHS,
    )
