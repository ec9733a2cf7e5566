from __future__ import annotations

import numpy as np
import pytest

from hsitf.errors import DataError
from hsitf.metrics import scores
from hsitf.records import Epoch
from hsitf.train.pictures import confusion_figure, training_figure

HISTORY = [Epoch(2.0, 0.5, 0.001, 1.0), Epoch(1.0, 0.8, 0.001, 1.0), Epoch(0.5, 0.7, 0.001, 1.0)]


def test_the_kept_epoch_is_marked():
    loss, accuracy = training_figure(HISTORY, 2).axes
    assert loss.lines[0].get_ydata().tolist() == [2.0, 1.0, 0.5]
    curve, kept = accuracy.lines
    assert curve.get_ydata().tolist() == [50, 80, 70]
    assert (kept.get_xdata().tolist(), kept.get_ydata().tolist()) == ([2], [80])
    # A pruned network that fine-tuning made no better.
    assert len(training_figure(HISTORY, 0).axes[1].lines) == 1


def test_a_confusion_matrix_is_in_percent_of_its_rows():
    # 3 of 4, and 5 of 5; no test pixel of the third class.
    found = scores(np.array([[3, 1, 0], [0, 5, 0], [0, 0, 0]]))
    axes, _ = confusion_figure(found, ("a", "b$", "c")).axes
    assert [text.get_text() for text in axes.texts] == ["75", "25", "100"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", r"b\$", "c"]
    assert axes.get_title().startswith("OA 88.89%")


def test_what_is_not_there_is_refused():
    with pytest.raises(DataError, match="no epochs"):
        training_figure([], 0)
    found = scores(np.array([[1, 0], [0, 1]]))
    old = type(found)(found.oa, found.aa, found.kappa, found.per_class, found.f1, found.support)
    with pytest.raises(DataError, match="no confusion matrix"):
        confusion_figure(old, ("a", "b"))
