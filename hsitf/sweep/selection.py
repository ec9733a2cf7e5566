"""Part of a study: some of its grids, networks, splits, labelled pixels, and fewer epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hsitf.errors import InputError, unknown
from hsitf.sweep.study import ParameterGrid, StudyFile, networks_of_disjoint_splits


@dataclass(frozen=True)
class StudySelection:
    """What is run of a study.

    Attributes:
        networks: Names of networks, as the study has them; none for all.
        splits: Number of splits (seeds) of each grid, at most; None for all.
        labelled: Numbers of labelled pixels a class, 0 for all pixels; none for those of the study.
        epochs: Epochs in place of the study's, before `epochs_factor`; None for those.
        grids: Names of grids; none for all.
    """

    networks: tuple[str, ...] = ()
    splits: int | None = None
    labelled: tuple[int, ...] = ()
    epochs: int | None = None
    grids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("splits", "epochs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is out of range", received=value, allowed="1 or more")


def parse_words(text: str | None) -> tuple[str, ...]:
    """Words between commas; none where there is no text.

    Raises:
        InputError: There is a text without a word, as an empty variable of a shell leaves it, which
            would select all.
    """
    found = tuple(dict.fromkeys(filter(None, map(str.strip, (text or "").split(",")))))
    if text is not None and not found:
        raise InputError(
            "a part of a study is asked for, but nothing is named",
            received=repr(text),
            remedy="name parts between commas, or leave the option out for all",
        )
    return found


def parse_labelled(text: str | None) -> tuple[int, ...]:
    """Numbers of labelled pixels between commas; "all" is 0.

    Raises:
        InputError: One is no number.
    """
    words = parse_words(text)
    for word in words:
        if word != "all" and not (word.isascii() and word.isdecimal() and int(word) > 0):
            raise InputError(
                "the numbers of labelled pixels are not understood",
                received=word,
                allowed="whole numbers from 1, and all, between commas, such as 5,20,all",
            )
    return tuple(0 if word == "all" else int(word) for word in words)


def select(study: StudyFile, selection: StudySelection) -> StudyFile:
    """A part of a study, whose cells are the same as in the whole.

    Grids of which nothing is left are left out. Splits keep the guard that the networks of the
    whole study need.

    Raises:
        InputError: The study has no such grid, network or number of labelled pixels.
    """
    _check("grid", selection.grids, [grid.name for grid in study.grids])
    _check("network", selection.networks, [name for g in study.grids for name in g.networks])
    counts = [count for grid in study.grids for count in grid.labelled]
    _check(
        "number of labelled pixels",
        [str(count or "all") for count in selection.labelled],
        [str(count or "all") for count in sorted(set(counts), key=lambda n: (n == 0, n))],
    )
    wanted = selection.grids
    found = [_selected(one, selection) for one in study.grids if not wanted or one.name in wanted]
    grids = tuple(grid for grid in found if grid.networks and grid.labelled)
    if not grids:
        raise InputError(
            "nothing is left of the study",
            received="grids, networks and numbers of labelled pixels that no grid has together",
            remedy="select others",
        )
    names = [grid.name for grid in grids]
    return replace(
        study,
        grids=grids,
        reference=study.reference if study.reference in names else "",
        networks=networks_of_disjoint_splits(study),
    )


def _selected(grid: ParameterGrid, selection: StudySelection) -> ParameterGrid:
    networks, labelled = selection.networks, selection.labelled
    return replace(
        grid,
        networks=tuple(one for one in grid.networks if not networks or one in networks),
        labelled=tuple(one for one in grid.labelled if not labelled or one in labelled),
        seeds=grid.seeds[: selection.splits],
        epochs=grid.epochs if selection.epochs is None else {"": selection.epochs},
    )


def _check(what: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    for one in wanted:
        if one not in known:
            raise unknown(f"{what} of this study", one, list(dict.fromkeys(known)))
