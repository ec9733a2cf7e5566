"""How a map agrees with labels: on which pixels, for which classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.metrics import Scores, confusion, scores
from hsitf.records import SceneRecord
from hsitf.runs import Run
from hsitf.scenes import RasterSource
from hsitf.scenes.class_numbers import number_in
from hsitf.tables import format_table

_TEST_PIXELS = "test pixels"
# Of a split's map of sets.
TEST_ZONE = 3
# Classes that a message lists.
_MAX_LISTED = 12


@dataclass(frozen=True)
class MapEvaluation:
    """A map held against labels.

    Attributes:
        scores: Accuracy over the classes that the labels have; None where there is no pixel to
            evaluate.
        pixels: Which pixels these are, such as "1,984 test pixels".
        notes: What is not counted and why, one sentence each.
        own_test_pixels: Whether they are the test pixels of the network's own split.
    """

    scores: Scores | None
    pixels: str
    notes: tuple[str, ...] = ()
    own_test_pixels: bool = False


def evaluate(
    source: RasterSource,
    called: NDArray[np.integer],
    class_names: Sequence[str],
    run: Run | None,
    dropped: Sequence[str] = (),
) -> MapEvaluation | None:
    """Holds a map against the labels of its scene.

    Of the scene that the network was trained on, test pixels alone are evaluated; with other labels
    of that scene, pixels that it was not trained on.

    Args:
        source: The scene and its labels.
        called: (rows, cols) classes from 1, 0 for pixels without a class.
        class_names: The classes of the network.
        run: The run of the network, which knows its training pixels; None where it is not at hand.
        dropped: Classes that the network was trained without.

    Returns:
        The evaluation; None where the scene has no labels.
    """
    if source.labels is None:
        return None
    pairs = matched_classes(source.class_names, class_names)
    labels = source.labels.ravel()
    chosen, named = _evaluated_pixels(source, run)
    present = np.flatnonzero(np.bincount(labels, minlength=len(source.class_names) + 1)[1:]) + 1
    common = [number for number in present.tolist() if number in pairs]
    if not common:
        return MapEvaluation(None, named, (_nothing_common(source, present, class_names),))
    table = np.zeros(len(source.class_names) + 1, np.int64)
    table[list(pairs)] = list(pairs.values())
    truth, said = table[labels], called.ravel().astype(np.int64)
    # A pixel without a class is not evaluated: it has no valid spectrum.
    known = np.flatnonzero((truth > 0) & (said > 0) & chosen)
    notes = _lacking(source, labels, pairs, class_names, dropped)
    if _has_names(source.class_names) != _has_names(class_names):
        whose = "network" if _has_names(source.class_names) else "labels"
        notes = (f"Classes are matched by number: those of the {whose} have no names.", *notes)
    if not len(known):
        return MapEvaluation(None, named, (*notes, f"No accuracy: there are no {named}."))
    matrix = confusion(truth[known] - 1, said[known] - 1, len(class_names))
    return MapEvaluation(scores(matrix), f"{len(known):,} {named}", notes, named == _TEST_PIXELS)


def matched_classes(labels: Sequence[str], network: Sequence[str]) -> dict[int, int]:
    """The network's class (from 1) of each class of the labels (from 1) that it has.

    Classes are matched by name where both bring names, else by their numbers in the label files.
    """
    if _has_names(labels) and _has_names(network):
        found = {name.casefold(): number for number, name in enumerate(network, start=1)}
        keys: list[object] = [name.casefold() for name in labels]
        return {n: found[str(key)] for n, key in enumerate(keys, start=1) if key in found}
    numbers = {_number(name, n): n for n, name in enumerate(network, start=1)}
    wanted = [_number(name, n) for n, name in enumerate(labels, start=1)]
    return {n: numbers[number] for n, number in enumerate(wanted, start=1) if number in numbers}


def format_confusion(
    matrix: Sequence[Sequence[int]], class_names: Sequence[str], pixels: str
) -> str:
    """A confusion matrix with its classes, under a line that says which pixels it counts.

    Classes that the labels do not have are columns alone.
    """
    numbers = [str(number) for number in range(1, len(class_names) + 1)]
    rows = [
        (f"{number} {name}", *map(str, row))
        for number, name, row in zip(numbers, class_names, matrix, strict=True)
        if any(row)
    ]
    title = f"Confusion on {pixels}: rows are the labels' classes, columns those of the map."
    return "\n".join([title, format_table(("class", *numbers), rows)])


def _has_names(names: Sequence[str]) -> bool:
    return any(number_in(name) is None for name in names)


def _number(name: str, place: int) -> int:
    """The number of a class in its label file, as its name says it; else its place."""
    number = number_in(name)
    return place if number is None else number


def _evaluated_pixels(source: RasterSource, run: Run | None) -> tuple[NDArray[np.bool_], str]:
    """Which pixels may be evaluated, as a flat mask, and what they are called."""
    rows, cols, _ = source.shape
    mask = np.ones(rows * cols, bool)
    if run is None:
        return mask, "labelled pixels"
    then = run.record.scene
    first, size, known = _trained_part(source, then)
    here, there = {digest for _, digest in source.sources}, set(known)
    # A generated scene has no files.
    generated = source.synthetic and then.synthetic and source.name == then.name
    if size != (rows, cols) or not (here & there or generated):
        return mask, "labelled pixels"
    zones = run.split().zones()[first : first + rows, :cols].ravel()
    if here == there:
        return zones == TEST_ZONE, _TEST_PIXELS
    return (zones == 0) | (
        zones == TEST_ZONE
    ), "labelled pixels that the network was not trained on"


def _trained_part(
    source: RasterSource, then: SceneRecord
) -> tuple[int, tuple[int, int], list[str]]:
    """First row, size and SHA-256 of files of the scene of a run, or of the image of it."""
    whole = 0, (then.shape[0], then.shape[1]), list(then.sha256.values())
    here, first, found = {digest for _, digest in source.sources}, 0, []
    for image in then.images:
        digests = [d for file, d in then.sha256.items() if file.startswith(f"{image.name}/")]
        part = first, (image.rows, image.cols), digests
        # Several images may lie in one file; then their names tell them apart.
        if image.name == source.name:
            return part
        if here & set(digests) and source.shape[:2] == part[1]:
            found.append(part)
        first += image.rows
    return found[0] if found else whole


def _lacking(
    source: RasterSource,
    labels: NDArray[np.integer],
    pairs: Mapping[int, int],
    class_names: Sequence[str],
    dropped: Sequence[str],
) -> tuple[str, ...]:
    """What the labels and the network do not share, as far as the labels mark it."""
    counts = np.bincount(labels, minlength=len(source.class_names) + 1)
    notes = []
    found = sorted(pairs[number] for number in pairs if counts[number])
    if len(found) < len(class_names):
        listed = _listed([class_names[number - 1] for number in found])
        notes.append(
            f"The labels have {len(found)} of the network's {len(class_names)} classes: {listed}; "
            "accuracy is over these."
        )
    strange = [
        (name, int(counts[number]))
        for number, name in enumerate(source.class_names, start=1)
        if number not in pairs and counts[number] and name not in dropped
    ]
    if strange:
        total = sum(count for _, count in strange)
        notes.append(
            f"The network does not have {_listed([name for name, _ in strange])}: {total:,} "
            "labelled pixels are not counted."
        )
    return tuple(notes)


def _nothing_common(
    source: RasterSource, present: NDArray[np.integer], class_names: Sequence[str]
) -> str:
    if not len(present):
        return "No accuracy: the labels mark no pixel."
    marked = [source.class_names[number - 1] for number in present.tolist()]
    return (
        f"No accuracy: the labels ({_listed(marked)}) have none of the network's classes "
        f"({_listed(class_names)})."
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more
