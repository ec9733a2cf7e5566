"""The most important numbers."""

from __future__ import annotations

from hsitf.report.data import ReportData
from hsitf.report.document import Block, Fact, Facts, Prose, Section
from hsitf.report.formatting import number, percent, points, size
from hsitf.runs import Run
from hsitf.sweep.record import CellRecord, CellSettings, CellValues, StudyResults
from hsitf.train.collapse import collapse_remark


def section(data: ReportData) -> Section:
    """The most important numbers, and how far they can be trusted."""
    blocks: list[Block] = []
    if data.study is not None:
        blocks += _study(data, data.study)
    elif data.runs:
        blocks += _runs(data)
    blocks += [Prose(_trust(data)), *_skipped(data)]
    return Section("summary", "Summary", tuple(blocks))


def _runs(data: ReportData) -> list[Block]:
    best = max(data.runs, key=lambda run: run.record.scores.oa)
    name, record = data.names[str(best.folder)], best.record
    facts = [
        Fact(
            "overall accuracy",
            percent(record.scores.oa),
            f"{name}, {record.split.test:,} test pixels",
        ),
        Fact("average accuracy", percent(record.scores.aa), f"kappa {record.scores.kappa:.3f}"),
        Fact(
            "leakage",
            percent(record.split.leakage_patch, 1),
            f"{record.split.kind} split: test patches that share pixels with training patches",
        ),
        Fact("parameters", number(record.parameters), name),
    ]
    own = [one for one in data.bundles if one.record.run_sha256 == record.sha256]
    small = min(own, key=lambda one: one.record.bytes, default=None)
    if small is not None:
        made = small.record
        facts += [
            Fact(
                "smallest file",
                size(made.bytes),
                f"{made.variant}: {points(-made.oa_drop / 100)} points, agrees on "
                f"{percent(made.agreement)}",
            ),
            Fact(
                "one inference",
                f"{made.latency_ms.p50:.3g} ms",
                f"{made.variant}, {made.latency_ms.engine}, {made.latency_ms.threads} thread(s)",
            ),
        ]
    remarks = [
        Prose(f"{data.names[str(run.folder)]}: {remark}")
        for run in data.runs
        if (remark := collapse_remark(run.record))
    ]
    return [Prose(_sentence(data, best)), Facts(tuple(facts)), *remarks]


def _sentence(data: ReportData, best: Run) -> str:
    record, described = best.record, data.scene_record
    rows, cols, bands = described.shape
    several = len(data.runs)
    network = record.plan.network
    who = network if several == 1 else f"The best of {several} networks, {network},"
    return (
        f"{described.name} has {rows} x {cols} pixels, {bands} bands and "
        f"{len(described.class_names)} classes. {who} names {percent(record.scores.oa)} of "
        f"{record.split.test:,} unseen test pixels correctly."
    )


def _study(data: ReportData, study: StudyResults) -> list[Block]:
    done = [(record, record.values) for record in study.done if record.values is not None]
    best, values = max(done, key=lambda one: one[1].oa)
    facts = [
        Fact(
            "cells",
            f"{len(study.done)} of {len(study.study.cells)}",
            f"{len(study.failed)} failed, {len(study.pending)} pending, "
            f"{len(study.study.left_out)} impossible",
        ),
        Fact("best accuracy", percent(values.oa), best.settings.text),
    ]
    smallest = _smallest(done)
    if smallest is not None:
        record, smallest_values, reference = smallest
        facts.append(
            Fact(
                "smallest file within a point",
                size(smallest_values.file_bytes or 0),
                f"{record.settings.text}: {percent(smallest_values.oa)} "
                f"(reference {percent(reference)})",
            )
        )
    hours = sum(record.cpu_seconds for record in study.records) / 3600
    facts.append(Fact("processor time", f"{hours:.2f} h", study.study.processor))
    described = data.scene_record
    lead = (
        f"{study.study.title} on {described.name} ({described.shape[0]} x {described.shape[1]} "
        f"pixels, {described.shape[2]} bands, {len(described.class_names)} classes): "
        f"{len(study.study.grids)} grids, every cell evaluated on test pixels."
    )
    return [Prose(lead), Facts(tuple(facts))]


def _smallest(
    done: list[tuple[CellRecord, CellValues]],
) -> tuple[CellRecord, CellValues, float] | None:
    """The smallest file that is within a point of its network on all bands, unpruned, in floats."""
    plain = {
        (record.settings.network, record.settings.split, record.settings.scene): values.oa
        for record, values in done
        if not is_changed(record.settings)
    }
    found = []
    for record, values in done:
        own = record.settings
        reference = plain.get((own.network, own.split, own.scene))
        if values.file_bytes and reference is not None and values.oa >= reference - 0.01:
            found.append((record, values, reference))
    return min(found, key=lambda one: one[1].file_bytes or 0, default=None)


def is_changed(settings: CellSettings) -> bool:
    """Whether bands, weights or bits are others than those of the network as it is."""
    return bool(settings.reduction or settings.pruning or settings.quantization)


def _trust(data: ReportData) -> str:
    splits = [run.record.split for run in data.runs]
    leaks = {one.kind: one.leakage_patch for one in splits if one.leakage_patch is not None}
    leaking = [kind for kind, share in leaks.items() if share > 0]
    sentence = ""
    if data.scene_record.synthetic:
        sentence = (
            "This scene is generated: its numbers say that the chain works, and how one setting "
            "compares with another, nothing of a real scene. "
        )
    if any(one.leakage_patch is None for one in splits):
        sentence += (
            "Networks that were trained elsewhere may have learned from the test pixels: which "
            "pixels they were trained on is not known. "
        )
    if leaking:
        others = "The others have" if len(leaks) > len(leaking) else "A disjoint split has"
        return sentence + (
            f"With the {' and '.join(leaking)} split, the patches of up to "
            f"{percent(max(leaks.values()), 1)} of the test pixels share pixels with training "
            f"patches: these accuracies are too good. {others} none of that."
        )
    if not leaks:
        return sentence
    return sentence + (
        "Training and test patches share no pixel. Normalization, reduction of bands and ranges "
        "of quantization were fitted to training pixels alone."
    )


def _skipped(data: ReportData) -> list[Block]:
    if not data.skipped:
        return []
    return [Prose("Passed over: " + " ".join(data.skipped), remark=True)]
