"""How good the networks are, by all measures, with intervals and leakage."""

from __future__ import annotations

from hsitf.report.document import Block, Confusion, Section, Table
from hsitf.report.material import Material
from hsitf.report.words import mean, number, percent

# Confusion matrices that a page shows; all accuracies are in its table.
MOST = 6


def section(material: Material) -> Section | None:
    """Accuracy tables and confusion matrices."""
    if not material.runs:
        return None
    blocks: list[Block] = [_table(material)]
    if material.summaries:
        blocks.append(_intervals(material))
    blocks.append(_classes(material))
    ranked = sorted(material.runs, key=lambda run: -run.record.scores.oa)
    kept = [run for run in ranked if run.record.scores.matrix][:MOST]
    for number_, run in enumerate(kept, start=1):
        name = material.names[str(run.folder)]
        blocks.append(
            Confusion(
                f"confusion-{number_}",
                f"{name}: test pixels, rows are truth, columns what it names them.",
                run.record.scene.class_names,
                run.record.scores.matrix,
            )
        )
    return Section("accuracy", "Accuracy", tuple(blocks))


def _table(material: Material) -> Table:
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
            material.names[str(run.folder)],
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
        for run in material.runs
        for record in (run.record,)
    )
    caption = (
        "On test pixels. Leakage: test pixels whose patch shares a pixel with a training patch; "
        "AA: mean of the classes' accuracies."
    )
    return Table("accuracy", caption, head, rows, left=3)


def _intervals(material: Material) -> Table:
    rows = tuple(
        (
            one.network,
            str(len(one.runs)),
            mean(one.oa),
            mean(one.aa),
            f"{one.kappa.mean:.4f} ± {one.kappa.half:.4f}",
            f"{one.seconds.mean:.0f}",
        )
        for one in material.summaries
    )
    head = ("network", "runs", "OA, %", "AA, %", "kappa", "training, s")
    return Table(
        "intervals",
        "Over several seeds: mean and half of the 95 % interval (Student t).",
        head,
        rows,
    )


def _classes(material: Material) -> Table:
    names = tuple(material.names[str(run.folder)] for run in material.runs)
    support = material.runs[0].record.scores.support
    rows = tuple(
        (
            name,
            number(support[place]),
            *(f"{100 * run.record.scores.per_class[place]:.1f}" for run in material.runs),
        )
        for place, name in enumerate(material.described.class_names)
    )
    caption = "Accuracy by class, %, on test pixels."
    return Table("by-class", caption, ("class", "test", *names), rows, folded=len(rows) > 8)
