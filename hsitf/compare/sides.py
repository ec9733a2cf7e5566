"""What a user names to compare: folders of runs, summaries of several, patterns, or a mixture."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hsitf import records
from hsitf.compare.comparison import ComparisonSide
from hsitf.errors import InputError, MissingInputError
from hsitf.runs import RECORD, Run
from hsitf.train.repeat import SUMMARY, RepeatSummary

# Runs of one side; each is opened and its split read.
MAX_RUNS = 1000


@dataclass(frozen=True)
class _SidePaths:
    """A side as it is typed: its name, empty for its runs' own, and its paths and patterns."""

    name: str
    paths: tuple[str, ...]


def read_sides(
    words: Sequence[str], single_paths: Sequence[str] = ()
) -> tuple[ComparisonSide, ...]:
    """The sides that a user names, each with a name of its own.

    A path is the folder of a run, a folder of runs or of a summary, a `summary.json`, or a pattern
    such as `models/*/cao/disjoint-full-robust-seed*`.

    Args:
        words: `PATHS` or `NAME=PATHS` each, with paths separated by commas. Text that is a path,
            or a pattern that fits something, is not divided at its equals signs and commas.
        single_paths: `NAME=PATH` each: a name up to the first equals sign, and a path or pattern
            with whatever it holds. All of one name are one side, after those of `words`.

    Raises:
        InputError: There is no finished run, a name is missing, or two sides have the same name.
        DataError: A record is damaged.
    """
    named = [*map(_parsed, words), *_by_name(single_paths)]
    found = [_runs_of(side.paths) for side in named]
    own = [_own_name(several) for several in found]
    count = Counter(one for one, side in zip(own, named, strict=True) if not side.name)
    names = [
        side.name or (own_name if count[own_name] == 1 else f"{own_name} {','.join(side.paths)}")
        for side, own_name in zip(named, own, strict=True)
    ]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(
            "two sides have the same name",
            received=", ".join(twice),
            remedy="name each as NAME=PATHS",
        )
    return tuple(
        ComparisonSide(name, tuple(several)) for name, several in zip(names, found, strict=True)
    )


def runs_at(paths: str) -> list[Run]:
    """The finished runs at a path, a pattern, or several of them separated by commas.

    Raises:
        InputError: There is none.
        DataError: A record is damaged.
    """
    return _runs_of(_divided(paths))


def _parsed(word: str) -> _SidePaths:
    """A word of the command line: paths, or a name and paths."""
    if _matching(word):
        return _SidePaths("", (word,))
    name, equals, paths = word.partition("=")
    return _SidePaths(name, _divided(paths)) if equals else _SidePaths("", _divided(word))


def _divided(paths: str) -> tuple[str, ...]:
    """One path that holds commas, or several between commas."""
    return (paths,) if _matching(paths) else tuple(filter(None, paths.split(",")))


def _by_name(words: Sequence[str]) -> list[_SidePaths]:
    """Sides of `NAME=PATH`, in the order of their names' first mention."""
    found: dict[str, list[str]] = {}
    for word in words:
        name, _, path = word.partition("=")
        if not name or not path:
            raise InputError(
                "a side needs a name and a path",
                received=f"--side {word}",
                allowed="NAME=PATH; repeat it with the same name for more paths",
            )
        found.setdefault(name, []).append(path)
    return [_SidePaths(name, tuple(paths)) for name, paths in found.items()]


def _matching(path: str) -> list[str]:
    """What a path or pattern names; a path that is there is no pattern, whatever it holds."""
    if not path:
        return []
    # Unlike Path.exists, no error where a list of paths is longer than a path may be.
    if os.path.exists(path):
        return [path]
    return sorted(glob.glob(path)) if set(path) & set("*?[") else []


def _runs_of(paths: Sequence[str]) -> list[Run]:
    folders: dict[Path, None] = {}
    for path in paths:
        here = [folder for one in _matching(path) for folder in _folders(Path(one))]
        if not here:
            raise MissingInputError(
                "there is no finished run",
                received=path,
                remedy="name the folder of a run, of a summary, or a pattern of such folders; "
                "several paths that hold = or commas with --side NAME=PATH each",
            )
        folders |= dict.fromkeys(here)
    if not folders:
        raise InputError("a side names no runs", received="no path", remedy="give NAME=PATHS")
    if len(folders) > MAX_RUNS:
        raise InputError("too many runs on one side", received=len(folders), allowed=MAX_RUNS)
    return [Run.open(folder) for folder in folders]


def _folders(path: Path) -> list[Path]:
    """Folders of the finished runs that a path names."""
    if path.name == SUMMARY and path.is_file():
        return _summarized(path)
    if (path / RECORD).is_file():
        return [path]
    if (path / SUMMARY).is_file():
        return _summarized(path / SUMMARY)
    return sorted(one.parent for one in path.glob(f"*/{RECORD}"))


def _summarized(path: Path) -> list[Path]:
    """The runs of a summary: where it says, or beside it where the folder was moved."""
    found = []
    for run in records.read(RepeatSummary, path).runs:
        beside = path.parent.parent / Path(run).name
        folder = beside if (beside / RECORD).is_file() else Path(run)
        if not (folder / RECORD).is_file():
            raise MissingInputError(
                f"a run of {path} is missing", received=run, remedy="train it again"
            )
        found.append(folder)
    return found


def _own_name(found: Sequence[Run]) -> str:
    """What the runs of a side have in common: network, recipe, bands, labels, pruning."""
    made = [(run.record.plan, run.record.pruning) for run in found]
    labels = dict.fromkeys(
        " ".join(
            filter(
                None,
                [
                    plan.network,
                    plan.recipe_name if plan.recipe_name != "paper" else "",
                    plan.bands,
                    plan.pixel_normalization,
                    f"{plan.split.labelled} labelled" if plan.split.labelled else "",
                    f"pruned to {pruning.target}" if pruning else "",
                ],
            )
        )
        for plan, pruning in made
    )
    return ", ".join(labels)
