"""docs/results/literature.md from folders of studies: the literature's claims beside ours.

    PYTHONPATH=. python benchmarks/results.py STUDY_FOLDER ... > docs/results/literature.md

Everything is read from the records that `python -m hsitf.sweep` wrote; nothing is run. Verdicts
come first, the tables behind them after; what a study has not run is named with the time that it
takes.
"""

from __future__ import annotations

import math
import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from hsitf.errors import HsitfError
from hsitf.literature import (
    FAILS,
    HOLDS,
    REASONS,
    UNKNOWN,
    CheckedClaim,
    Paper,
    check_claims,
    load_claims,
)
from hsitf.sweep.record import CellMean, StudyResults
from hsitf.zoo import BASELINES

Lines = list[str]


def main() -> None:
    """Prints the page."""
    try:
        found = [StudyResults.open(Path(folder)) for folder in sys.argv[1:]]
    except HsitfError as error:
        sys.exit(str(error))
    if not found:
        sys.exit(__doc__)
    print("\n".join(page(found)))


def page(studies: Sequence[StudyResults]) -> Lines:
    """The lines of the page."""
    make = shlex.join(["python", "benchmarks/results.py", *map(_tail, studies)])
    lines = [
        "# Results: the literature's experiments repeated",
        "",
        "Generated from records, not written by hand:",
        "",
        "```sh",
        *dict.fromkeys(_typed(results) for results in studies),
        f"PYTHONPATH=. {make} > docs/results/literature.md",
        "```",
        "",
        *_scenes(studies),
        "",
        "Accuracies are overall accuracies on test pixels in percent; ± is the half-width of the "
        "95 % interval over runs (Student's t), where there are several. Leakage is the share of "
        "test pixels whose patch shares a pixel with a training patch.",
        "",
        *_literature(studies),
    ]
    for results in studies:
        lines += _study(results)
    return lines


def _typed(results: StudyResults) -> str:
    """The command that made a study, without the folders of the machine that it was typed on."""
    command = re.sub(r"--data-dir \S+", "--data-dir data", results.study.command)
    command = re.sub(r"--(scene|labels) \S*/(\S+)", r"--\1 data/\2", command)
    return re.sub(r" --(out|workers) \S+", "", command)


def _tail(results: StudyResults) -> str:
    return str(Path("studies") / results.folder.name)


def _name(results: StudyResults) -> str:
    return ", ".join(dict.fromkeys(scene.name for scene in results.study.scenes.values()))


def _scenes(studies: Sequence[StudyResults]) -> Lines:
    scenes = {scene.name: scene for study in studies for scene in study.study.scenes.values()}
    lines = []
    for one in scenes.values():
        kind = (
            "synthetic: its numbers do not apply to a real scene" if one.synthetic else "measured"
        )
        rows, cols, bands = one.shape
        lines.append(
            f"- `{one.name}`: {rows} x {cols} pixels, {bands} bands, {len(one.class_names)} "
            f"classes, {kind}."
        )
    return lines


# --- Claims -------------------------------------------------------------------------------------


def _literature(studies: Sequence[StudyResults]) -> Lines:
    """All claims, paper by paper: from the study that measures most of its claims."""
    verdicts = [check_claims(results) for results in studies]
    lines = ["## Claims of the literature", ""]
    for paper in dict.fromkeys(claim.paper.name for claim in load_claims()):
        of_paper = [[one for one in found if one.claim.paper.name == paper] for found in verdicts]
        known = [sum(one.verdict != UNKNOWN for one in found) for found in of_paper]
        chosen = max(range(len(studies)), key=known.__getitem__)
        lines += _paper(of_paper[chosen], studies[chosen])
    return lines


def _paper(found: Sequence[CheckedClaim], results: StudyResults) -> Lines:
    paper = found[0].claim.paper
    counts = Counter(one.verdict for one in found)
    reasons = Counter(REASONS[one.reason] for one in found if one.verdict == FAILS)
    lines = [
        f"### {paper.title}",
        "",
        f"Its figures are of {paper.scene}, {paper.split} split, {paper.runs} "
        f"{'run' if paper.runs == 1 else 'runs'}; ours are those of {results.study.title} "
        f"({_name(results)}).",
        "",
        *([paper.note, ""] if paper.note else []),
        "| verdict | claims |",
        "|---|---|",
        f"| {HOLDS} | {counts[HOLDS]} |",
        f"| {FAILS} | {counts[FAILS]} |",
        *(f"| - {reason} | {count} |" for reason, count in reasons.most_common()),
        f"| {UNKNOWN} | {counts[UNKNOWN]} |",
        "",
    ]
    rows = [
        (one.claim.text, one.claim.place, one.claim.value, one.measured, _verdict(one))
        for one in found
        if one.verdict != UNKNOWN
    ]
    if rows:
        lines += [*_markdown(("claim", "place", "its figures", "ours", "verdict"), rows), ""]
    if missing := [f"{one.claim.text} ({one.claim.place})" for one in found if not one.measured]:
        lines += ["Not measured:", "", *(f"- {text}" for text in missing), ""]
    return lines


def _verdict(one: CheckedClaim) -> str:
    why = ": ".join(filter(None, [REASONS.get(one.reason, ""), one.why]))
    return f"**{one.verdict}**" + (f"; {why}" if why else "")


# --- Tables -------------------------------------------------------------------------------------


def _study(results: StudyResults) -> Lines:
    """The tables of one study."""
    seconds = sum(record.cpu_seconds for record in results.records)
    lines = [
        f"## {results.study.title}: {_name(results)}",
        "",
        f"{len(results.done)} cells, {seconds / 3600:.1f} hours of processor time "
        f"({results.study.processor}); {len(results.failed)} failed, "
        f"{len(results.study.left_out)} impossible, {len(results.pending)} not run.",
        "",
        *_references(results),
    ]
    split = max(
        dict.fromkeys(splits := [mean.settings.split for mean in results.means]), key=splits.count
    )
    means = [mean for mean in results.means if mean.settings.split == split]
    plain = [m for m in means if not m.settings.variant and not m.settings.bits]
    for title, chosen, label, text in (
        (
            "Fewer bands",
            [m for m in plain if m.settings.bands and not m.settings.measure],
            lambda m: m.settings.reduction,
            _oa,
        ),
        (
            "Fewer weights, one by one: alpha, share of the weights that is gone, accuracy",
            [m for m in plain if not m.settings.bands and m.settings.measure == "alpha"],
            lambda m: m.settings.pruning,
            lambda m: f"{m.values['sparsity'].mean:.0%}: {_oa(m)}",
        ),
        (
            "Fewer channels: ratio, share of the weights that is gone, accuracy",
            [m for m in plain if not m.settings.bands and m.settings.measure not in ("", "alpha")],
            lambda m: m.settings.pruning,
            lambda m: f"{m.values['sparsity'].mean:.0%}: {_oa(m)}",
        ),
        (
            "Fewer bits, simulated: activations, weights, accumulators; change on the same pixels",
            [
                m
                for m in means
                if m.settings.bits and not m.settings.measure and not m.settings.bands
            ],
            lambda m: f"({m.settings.bits})",
            lambda m: f"{_oa(m)} ({_change(m)})",
        ),
        (
            "Fewer bands, then fewer weights: share of the weights that is gone, accuracy",
            [m for m in plain if m.settings.bands and m.settings.measure == "alpha"],
            lambda m: f"{m.settings.reduction}, {m.settings.pruning}",
            lambda m: f"{m.values['sparsity'].mean:.0%}: {_oa(m)}",
        ),
    ):
        if chosen:
            lines += [f"### {title}", "", *_pivot(chosen, label, text), ""]
    if files := [m for m in means if m.settings.variant]:
        lines += ["### Files", "", *_files(files), ""]
    return lines + _left(results)


def _references(results: StudyResults) -> Lines:
    """Networks with all bands and weights beside the study's: a line a network."""
    found: dict[str, dict[str, CellMean]] = {}
    for mean in results.means:
        own = mean.settings
        plain = not (own.bands or own.measure or own.bits or own.variant or own.training)
        if plain and own.recipe == "paper":
            found.setdefault(own.network, {})[own.split] = mean
    if not found:
        return []
    splits = sorted({split for by_split in found.values() for split in by_split}, reverse=True)
    paper = _paper_of(results)
    head = ["network", *(["the study's OA"] if paper else []), "epochs"]
    for split in splits:
        head += [f"{split}: OA", "AA", "kappa", "leakage"]
    head += ["weights", "training, s", "us a pixel", "memory, MB"]
    rows = []
    for network, by_split in found.items():
        first = next(iter(by_split.values()))
        row = [f"`{network}`"]
        row += [f"{paper.accuracies[network]:.2f}" if network in paper.accuracies else ""] * bool(
            paper
        )
        row.append("" if network in BASELINES else str(first.settings.epochs))
        for split in splits:
            mean = by_split.get(split)
            row += _accuracies(mean) if mean else [""] * 4
        weights = "" if network in BASELINES else _value(first, "parameters", ",.0f")
        rows.append(
            [
                *row,
                weights,
                _value(first, "train_seconds", ",.0f"),
                _value(first, "predict_us", ",.0f"),
                _value(first, "peak_memory", ",.0f", 1e-6),
            ]
        )
    return ["### Networks with all bands and weights", "", *_markdown(head, rows), ""]


def _accuracies(mean: CellMean) -> list[str]:
    """OA, AA, kappa and leakage of a network."""
    kappa, leakage = _value(mean, "kappa", ".3f"), _value(mean, "leakage", ".0%")
    return [_oa(mean), _value(mean, "aa", ".1f", 100), kappa, leakage]


def _paper_of(results: StudyResults) -> Paper | None:
    """The paper whose accuracies are of a scene of the study."""
    scenes = {scene.name for scene in results.study.scenes.values()}
    papers = {claim.paper.name: claim.paper for claim in load_claims()}.values()
    return next((one for one in papers if one.accuracies and one.scene in scenes), None)


def _left(results: StudyResults) -> Lines:
    """What has not been run, with the processor time of the network's cells that have."""
    lines: Lines = []
    if results.pending:
        seconds: dict[str, list[float]] = {}
        for record in results.records:
            seconds.setdefault(record.settings.network, []).append(record.cpu_seconds)
        counts = Counter(cell.settings.network for cell in results.pending)
        known = {
            network: sum(seconds[network]) / len(seconds[network]) * count / 60
            for network, count in counts.items()
            if network in seconds
        }
        rows = [
            (f"`{network}`", str(count), f"{known[network]:.0f}" if network in known else "")
            for network, count in counts.items()
        ]
        lines += ["### Not run", ""]
        lines += [
            *_markdown(("network", "cells", "minutes of a core, as its others took"), rows),
            "",
        ]
    lines += [f"- failed: {one.settings.text}: {one.message}" for one in results.failed]
    reasons = Counter(re.sub(r"received: .*?;", "", one.reason) for one in results.study.left_out)
    lines += [f"- impossible, {count} cells: {reason}" for reason, count in reasons.items()]
    return [*lines, ""] if lines else []


def _pivot(
    means: Sequence[CellMean],
    label: Callable[[CellMean], str],
    text: Callable[[CellMean], str],
) -> Lines:
    """A table with a line for each setting and a column for each network."""
    networks = list(dict.fromkeys(mean.settings.network for mean in means))
    found = {(label(mean), mean.settings.network): text(mean) for mean in means}
    rows = [
        (one, *(found.get((one, network), "") for network in networks))
        for one in dict.fromkeys(map(label, means))
    ]
    return _markdown(("", *(f"`{network}`" for network in networks)), rows)


def _oa(mean: CellMean) -> str:
    one = mean.values["oa"]
    spread = "" if math.isnan(one.half_width) else f" ± {100 * one.half_width:.1f}"
    return f"{100 * one.mean:.1f}{spread}"


def _value(mean: CellMean, name: str, spell: str, scale: float = 1.0) -> str:
    return format(scale * mean.values[name].mean, spell) if name in mean.values else ""


def _change(mean: CellMean) -> str:
    before = mean.values.get("oa_before")
    return "" if before is None else f"{100 * (mean.values['oa'].mean - before.mean):+.1f}"


def _files(means: Sequence[CellMean]) -> Lines:
    head = ("network", "bands", "pruned", "file", "bytes", "OA", "change", "agreement", "integer")
    rows = [
        (
            f"`{m.settings.network}`",
            m.settings.reduction or "all",
            m.settings.pruning,
            m.settings.variant,
            _value(m, "file_bytes", ",.0f"),
            _oa(m),
            _change(m),
            _value(m, "agreement", ".2%"),
            _value(m, "integer_share", ".2f"),
            _value(m, "ms", ".3f"),
        )
        for m in means
    ]
    return _markdown((*head, "p50, ms"), rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Lines:
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


if __name__ == "__main__":
    main()
