"""How a trained network is trained on."""

from __future__ import annotations

from dataclasses import replace

from hsitf.zoo import Recipe

# Optimizers whose steps are as long as the rate however small the gradients are.
_NORMALIZING = ("adam", "adamax", "nadam", "rmsprop")


def fine_tuning_recipe(recipe: Recipe) -> Recipe:
    """How a network trained by a recipe is fine-tuned: as it was trained, with Adam at a tenth.

    With a fresh optimizer at the full learning rate, Adam moves a network that has lost little as
    far as an untrained one: `cao` on Samson, at half its multiply-accumulates, fell from 94.7 to
    93.0 %. Plain gradient descent at a tenth of its rate does not recover: `hu` on `fields` lost 7
    points.
    """
    # A trained network is warm; an average over epochs in which channels or weights are removed
    # would hold what was removed.
    recipe = replace(recipe, warmup=0.0, ema_epochs=0.0)
    if recipe.optimizer not in _NORMALIZING:
        return recipe
    return replace(recipe, learning_rate=recipe.learning_rate / 10)
