"""What a user names to compare: folders of runs, summaries of several, patterns, or a mixture."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hsitf import records
from hsitf.compare.comparison import ComparisonSide
from hsitf.errors import InputError, MissingInputError
from hsitf.runs import RECORD, Run
from hsitf.train.repeat import SUMMARY, RepeatSummary

# Runs of one side; each is opened and its split read.
MAX_RUNS = 1000


def read_sides(words: Sequence[str]) -> tuple[ComparisonSide, ...]:
    """The sides that a user names, each with a name of its own.

    Args:
        words: `PATHS` or `NAME=PATHS` each, with paths separated by commas: the folder of a run,
            a folder of runs or of a summary, a `summary.json`, or a pattern such as
            `models/*/cao/disjoint-full-robust-seed*`.

    Raises:
        InputError: There is no finished run, or two sides have the same name.
        DataError: A record is damaged.
    """
    named = [word.partition("=") if "=" in word else ("", "", word) for word in words]
    found = [_runs_of(paths) for _, _, paths in named]
    own = [_own_name(several) for several in found]
    count = Counter(one for one, (name, _, _) in zip(own, named, strict=True) if not name)
    names = [
        name or (own_name if count[own_name] == 1 else f"{own_name} {paths}")
        for (name, _, paths), own_name in zip(named, own, strict=True)
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


def _runs_of(paths: str) -> list[Run]:
    folders: dict[Path, None] = {}
    for path in filter(None, paths.split(",")):
        matching = sorted(glob.glob(path)) if set(path) & set("*?[") else [path]
        here = [folder for one in matching for folder in _folders(Path(one))]
        if not here:
            raise MissingInputError(
                "there is no finished run",
                received=path,
                remedy="name the folder of a run, of a summary, or a pattern of such folders",
            )
        folders |= dict.fromkeys(here)
    if not folders:
        raise InputError("a side names no runs", received=repr(paths), remedy="give NAME=PATHS")
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
