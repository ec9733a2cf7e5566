"""How good the networks are, by all measures, with intervals and leakage."""

from __future__ import annotations

from collections.abc import Sequence

from hsitf.records import RunRecord
from hsitf.report.data import ReportData
from hsitf.report.document import Block, Confusion, Prose, ReportTable, Section
from hsitf.report.formatting import class_colors, mean, number, percent
from hsitf.runs import Run
from hsitf.train.baselines_beside import BaselineScores, finished_baselines

# Confusion matrices that a page shows; all accuracies are in its table.
MAX_RUNS = 6


def section(data: ReportData) -> Section | None:
    """Accuracy tables and confusion matrices."""
    if not data.runs:
        return None
    blocks: list[Block] = [_table(data)]
    if beside := finished_baselines([run.folder for run in data.runs]):
        blocks.append(_baselines(beside))
    if remark := _different_pixels(data.runs):
        blocks.append(Prose(remark, remark=True))
    if data.summaries:
        blocks.append(_intervals(data))
    blocks.append(_classes(data))
    ranked = sorted(data.runs, key=lambda run: -run.record.scores.oa)
    kept = [run for run in ranked if run.record.scores.matrix][:MAX_RUNS]
    for number_, run in enumerate(kept, start=1):
        name = data.names[str(run.folder)]
        blocks.append(
            Confusion(
                f"confusion-{number_}",
                f"{name}: test pixels, rows are truth, columns what it names them.",
                run.record.scene.class_names,
                run.record.scores.matrix,
                class_colors(run.record.scene),
            )
        )
    return Section("accuracy", "Accuracy", tuple(blocks))


def _baselines(found: Sequence[BaselineScores]) -> ReportTable:
    rows = tuple(
        (
            one.network,
            "all" if one.labelled is None else str(one.labelled),
            str(one.splits),
            percent(one.oa),
            percent(one.aa),
            f"{one.kappa:.4f}",
        )
        for one in found
    )
    head = ("baseline", "labelled a class", "splits", "OA", "AA", "kappa")
    caption = "Baselines on the same test pixels."
    return ReportTable("baselines", caption, head, rows, text_columns=1)


def _table(data: ReportData) -> ReportTable:
    head: tuple[str, ...] = (
        "network",
        "bands",
        "split",
        "OA",
        "AA",
        "kappa",
        "leakage",
        "test pixels",
        "parameters",
        "us a pixel",
    )
    ranked = any(run.record.scores.top5 is not None for run in data.runs)
    if ranked:
        head = (*head[:4], "Top-5", *head[4:])
    rows = tuple(
        (
            data.names[str(run.folder)],
            record.plan.bands or "all",
            record.split.kind,
            percent(record.scores.oa),
            *((_top5(record),) if ranked else ()),
            percent(record.scores.aa),
            f"{record.scores.kappa:.4f}",
            percent(record.split.leakage_patch, 1),
            number(record.split.test),
            number(record.parameters),
            f"{record.predict_us:.0f}" if record.predict_us else "-",
        )
        for run in data.runs
        for record in (run.record,)
    )
    caption = (
        "On test pixels. Leakage: test pixels whose patch shares a pixel with a training patch; "
        "AA: mean of the classes' accuracies"
        + ("; Top-5: the pixel's class is among the five likeliest." if ranked else ".")
    )
    return ReportTable("accuracy", caption, head, rows, text_columns=3)


def _top5(record: RunRecord) -> str:
    return "-" if record.scores.top5 is None else percent(record.scores.top5)


def _different_pixels(runs: Sequence[Run]) -> str:
    """A remark where networks of one seed were judged on different test pixels."""
    splits: dict[tuple[str, int], set[str]] = {}
    for run in runs:
        split = run.record.split
        splits.setdefault((split.kind, split.seed), set()).add(split.sha256)
    if all(len(found) == 1 for found in splits.values()):
        return ""
    guards = sorted({run.record.split.guard for run in runs if run.record.split.kind == "disjoint"})
    counts = sorted(run.record.split.test for run in runs)
    advice = (
        f" Their guards are {', '.join(map(str, guards))} pixels; trained with --guard "
        f"{guards[-1]} they would share one split."
        if len(guards) > 1
        else ""
    )
    return (
        "These networks were not all judged on the same pixels "
        f"({counts[0]:,} to {counts[-1]:,} of them): small differences mean little.{advice}"
    )


def _support(runs: Sequence[Run], name: str) -> str:
    """Test pixels of a class: one number where all networks have as many, else the range."""
    counts = sorted(
        run.record.scores.support[run.record.scene.class_names.index(name)]
        for run in runs
        if name in run.record.scene.class_names
    )
    same = counts[0] == counts[-1]
    return number(counts[0]) if same else f"{number(counts[0])} to {number(counts[-1])}"


def _class_accuracy(run: Run, name: str) -> str:
    known = run.record.scene.class_names
    if name not in known:
        return "left out"
    return f"{100 * run.record.scores.per_class[known.index(name)]:.1f}"


def _intervals(data: ReportData) -> ReportTable:
    rows = tuple(
        (
            one.network,
            str(len(one.runs)),
            mean(one.oa),
            mean(one.aa),
            f"{one.kappa.mean:.4f} ± {one.kappa.half_width:.4f}",
            f"{one.seconds.mean:.0f}",
        )
        for one in data.summaries
    )
    head = ("network", "runs", "OA, %", "AA, %", "kappa", "training, s")
    return ReportTable(
        "intervals",
        "Over several seeds: mean and half of the 95 % interval (Student t).",
        head,
        rows,
    )


def _classes(data: ReportData) -> ReportTable:
    names = tuple(data.names[str(run.folder)] for run in data.runs)
    # A wider guard may have left out classes that other networks know.
    classes = dict.fromkeys(name for run in data.runs for name in run.record.scene.class_names)
    rows = tuple(
        (name, _support(data.runs, name), *(_class_accuracy(run, name) for run in data.runs))
        for name in classes
    )
    caption = "Accuracy by class, %, on test pixels."
    return ReportTable(
        "by-class",
        caption,
        ("class", "test pixels", *names),
        rows,
        collapsed=len(rows) > 8,
        colors=class_colors(data.scene_record),
    )
