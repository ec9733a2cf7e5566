"""How trained networks are trained on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hsitf import zoo
from hsitf.train.fine_tuning import distilled_recipe, fine_tuning_recipe
from hsitf.zoo import Recipe

NETWORKS = [name for name in zoo.names() if name not in zoo.BASELINES]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_the_zoo_can_be_trained_on(name):
    """Of `deephs` and `roy` the rate falls in the paper's way, beside which there is no other."""
    recipe = zoo.network(name).recipe
    for found in (fine_tuning_recipe(recipe), distilled_recipe(recipe)):
        assert (found.optimizer, found.learning_rate) == (recipe.optimizer, recipe.learning_rate)
        assert (found.warmup, found.epochs) == (0.0, recipe.epochs)
    assert distilled_recipe(recipe).cosine_decay


def test_adam_follows_a_cosine_and_plain_gradient_descent_its_paper():
    recipe = Recipe("adam", 1e-3, milestones=(0.5,), learning_rate_decay=1e-6, ema_epochs=2.0)
    found = fine_tuning_recipe(recipe)
    expected = replace(recipe, cosine_decay=True, milestones=(), learning_rate_decay=0.0)
    assert found == replace(expected, ema_epochs=0.0)
    descent = Recipe("sgd", 0.1, milestones=(0.5,))
    assert fine_tuning_recipe(descent) == descent
