"""How good the networks are, by all measures, with intervals and leakage."""

from __future__ import annotations

from hsitf.report.data import ReportData
from hsitf.report.document import Block, Confusion, ReportTable, Section
from hsitf.report.formatting import class_colors, mean, number, percent

# Confusion matrices that a page shows; all accuracies are in its table.
MAX_RUNS = 6


def section(data: ReportData) -> Section | None:
    """Accuracy tables and confusion matrices."""
    if not data.runs:
        return None
    blocks: list[Block] = [_table(data)]
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


def _table(data: ReportData) -> ReportTable:
    head = (
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
    rows = tuple(
        (
            data.names[str(run.folder)],
            record.plan.bands or "all",
            record.split.kind,
            percent(record.scores.oa),
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
        "AA: mean of the classes' accuracies."
    )
    return ReportTable("accuracy", caption, head, rows, text_columns=3)


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
    support = data.runs[0].record.scores.support
    rows = tuple(
        (
            name,
            number(support[index]),
            *(f"{100 * run.record.scores.per_class[index]:.1f}" for run in data.runs),
        )
        for index, name in enumerate(data.scene_record.class_names)
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
