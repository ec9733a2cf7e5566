"""Networks that call everything one class, and what to try then."""

from __future__ import annotations

from hsitf.metrics import Scores
from hsitf.records import RunRecord

# Kappa of a network that is no better than chance, for records without a confusion matrix.
_CHANCE = 1e-9


def collapsed_class(scores: Scores) -> int | None:
    """The class (from 0) that all test pixels are called although they are of several.

    None where a network distinguishes classes, or has only one to find. -1 where the record is of
    before confusion matrices were kept, and kappa says that it is no better than chance.
    """
    if sum(count > 0 for count in scores.support) < 2:
        return None
    if not scores.matrix:
        return -1 if abs(scores.kappa) < _CHANCE else None
    columns = [sum(column) for column in zip(*scores.matrix, strict=True)]
    called = [number for number, count in enumerate(columns) if count]
    return called[0] if len(called) == 1 else None


def collapse_remark(record: RunRecord) -> str:
    """What to try where a network has collapsed; empty where it has not.

    Args:
        record: Record of a run, trained here or elsewhere.
    """
    number = collapsed_class(record.scores)
    if number is None:
        return ""
    name = f"{record.scene.class_names[number]!r}" if number >= 0 else "one class"
    said = f"The network calls all {record.split.test:,} test pixels {name}: it has learned nothing"
    if record.adopted is not None and record.pruning is None:
        return (
            f"{said} of this scene, or is fed something else than it was trained with. Check the "
            "preprocessing, the units of the bands and the order of the classes it was adopted "
            "with."
        )
    look = (
        "check the values and labels with hsitf scenes show --out picture.png: no-data values "
        "that are not declared spoil the normalization"
    )
    if not record.history:
        return f"{said}. Try --class-weights, and {look}."
    recipe = record.plan.recipe
    rate = recipe.learning_rate / 10
    weights = "" if record.plan.class_weights else ", --class-weights"
    return (
        f"{said}. Try a lower learning rate (--learning-rate {rate:g}, it was "
        f"{recipe.learning_rate:g}), more epochs (--epochs, there were {len(record.history)})"
        f"{weights}, or another --optimizer than {recipe.optimizer}; {look}."
    )
