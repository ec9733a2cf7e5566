"""Study files whose numbers or combinations are beyond all bounds are refused at once."""

from __future__ import annotations

import time

import pytest

from hsitf.errors import InputError
from hsitf.sweep import study

HEAD = 'title = "t"\n[[grid]]\nname = "g"\nnetwork = "hu"\n'


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (f"seeds = {'9' * 5000}", "no TOML"),
        (f"seeds = {'9' * 400}", "more than 15 digits"),
        (f"layer_alpha = {{ dense = {'9' * 400} }}\nalpha = 1", "more than 15 digits"),
        ('seeds = "0:99998:1"\nalpha = "0:99998:1"', "combinations of values; allowed: 100,000"),
        ('bands = ["pca", "ica"]\ncomponents = "1:99998:1"', "reductions; allowed: 100,000"),
        (
            f"mixup = {[n / 1000 for n in range(400)]}\n"
            f"balanced_sampling = {[n / 1000 for n in range(400)]}",
            "160,000 combinations of training options",
        ),
    ],
)
def test_refused_before_anything_is_built(lines, words):
    begin = time.monotonic()
    with pytest.raises(InputError, match=words):
        study.parse("bomb", HEAD + lines + "\n")
    assert time.monotonic() - begin < 5


def test_the_count_is_that_of_the_combinations():
    text = HEAD + (
        'bands = ["all", "pca"]\ncomponents = [10, 30]\nalpha = [0, 0.5, 1]\nseeds = [0, 1]\n'
        'bits = ["none", "8,8,32"]\nvariant = ["none", "int8"]\nrecipe = ["paper", "robust"]\n'
    )
    (grid,) = study.parse("a", text).grids
    assert grid.count >= len(list(grid.combinations()))
    (plain,) = study.parse("a", HEAD).grids
    assert plain.count == len(list(plain.combinations())) == 1
