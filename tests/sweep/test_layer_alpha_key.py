from __future__ import annotations

from dataclasses import replace

import pytest

from hsitf.errors import InputError
from hsitf.prune.thresholds import Thresholds
from hsitf.records import SceneChoice
from hsitf.sweep.cells import expand_cells, pruning_request_of
from hsitf.sweep.execute import _pruned_name
from hsitf.sweep.plan import stages_of_cell
from hsitf.sweep.study import parse
from hsitf.zoo import Recipe

STUDY = """
title = "Alphas"
[[grid]]
name = "he"
network = "hu"
epochs = 2
alpha = [0, 0.5]
layer_alpha = [{ first_convolution = 0.05, last_dense = 1.2 }, { dense = 0.3 }]
"""


def cells(text: str):
    return [
        c.settings
        for c in expand_cells(parse("own", text), {"fields": SceneChoice("fields")}).cells
    ]


def test_alphas_of_layers_are_a_grid():
    found = cells(STUDY)
    assert [(one.target, one.layer_alphas) for one in found] == [
        (0.0, "first_convolution=0.05;last_dense=1.2"),
        (0.5, "first_convolution=0.05;last_dense=1.2"),
        (0.0, "dense=0.3"),
        (0.5, "dense=0.3"),
    ]
    order = pruning_request_of(found[1], Recipe("sgd", 0.1, epochs=2), {})
    assert order.thresholds == Thresholds(0.5, first_convolution=0.05, last_dense=1.2)
    assert found[1].pruning == "alpha 0.5 first_convolution=0.05;last_dense=1.2"
    # All of them are pruned from one trained network, under names of their own.
    assert len({stages_of_cell(one)[0] for one in found}) == 1
    assert len({_pruned_name(one) for one in found}) == 4
    assert len({one.id for one in found}) == 4


def test_cells_without_them_are_found_as_before():
    (plain,) = cells(STUDY.replace("[0, 0.5]", "0.5").split("layer_alpha")[0])
    # The id that this cell had before there were alphas of layers.
    assert plain.id == "bd3017f115aefde4"
    assert replace(plain, layer_alphas="dense=1").id != plain.id


def test_sums_of_criteria_are_cells():
    text = STUDY.split("alpha")[0] + 'ratio = 0.5\ncriterion = ["l2", "0.7*lfp+0.3*l1"]\n'
    found = cells(text)
    assert _pruned_name(found[1]) == "0.7lfp+0.3l1-ratio0.5-2epochs"
    with pytest.raises(InputError, match="unknown criterion 'lpf'"):
        cells(text.replace("0.3*l1", "0.3*lpf"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("layer_alpha = { last_dense = -1 }", "tables of alphas from 0.*last_dense"),
        ("layer_alpha = 1", "layer_alpha has 1"),
        ("layer_alpha = {}", "layer_alpha has {}"),
        ("layer_alpha = []", r"layer_alpha has \[\]"),
    ],
)
def test_other_tables_are_refused(line, said):
    text = STUDY.split("layer_alpha")[0]
    with pytest.raises(InputError, match=said):
        parse("own", f"{text}{line}\n")


def test_alphas_of_layers_need_one_for_the_others():
    text = STUDY.replace("alpha = [0, 0.5]\n", "sparsity = 0.5\n", 1)
    with pytest.raises(InputError, match="layer_alpha is given without alpha"):
        parse("own", text)


def test_layers_that_a_network_lacks_are_refused_before_anything_runs():
    text = STUDY.replace("last_dense", "last_dens")
    with pytest.raises(
        InputError, match=r"(?s)impossible.*unknown layer or kind.*last_dens.*last_dense"
    ):
        cells(text)
    left = expand_cells(
        parse("own", text + 'impossible = "leave out"\n'), {"fields": SceneChoice("fields")}
    )
    assert {cell.settings.layer_alphas for cell in left.cells} == {"dense=0.3"}
    assert len(left.left_out) == 2
