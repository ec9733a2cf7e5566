"""What a reader takes away in a minute."""

from __future__ import annotations

from hsitf.report.document import Block, Fact, Facts, Prose, Section
from hsitf.report.material import Material
from hsitf.report.words import number, percent, points, size
from hsitf.runs import Run
from hsitf.sweep.record import CellRecord, Settings, StudyResults, Values


def section(material: Material) -> Section:
    """The most important numbers, and how far they can be trusted."""
    blocks: list[Block] = []
    if material.study is not None:
        blocks += _study(material, material.study)
    elif material.runs:
        blocks += _runs(material)
    blocks += [Prose(_trust(material)), *_passed(material)]
    return Section("summary", "Summary", tuple(blocks))


def _runs(material: Material) -> list[Block]:
    best = max(material.runs, key=lambda run: run.record.scores.oa)
    name, record = material.names[str(best.folder)], best.record
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
    own = [one for one in material.bundles if one.record.run_sha256 == record.sha256]
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
    return [Prose(_sentence(material, best)), Facts(tuple(facts))]


def _sentence(material: Material, best: Run) -> str:
    record, described = best.record, material.described
    rows, cols, bands = described.shape
    several = len(material.runs)
    who = "It" if several == 1 else f"The best of {several} networks, {record.plan.network},"
    return (
        f"{described.name} has {rows} x {cols} pixels, {bands} bands and "
        f"{len(described.class_names)} classes. {who} names {percent(record.scores.oa)} of "
        f"{record.split.test:,} test pixels right that it has not learned from."
    )


def _study(material: Material, study: StudyResults) -> list[Block]:
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
        record, worth, reference = smallest
        facts.append(
            Fact(
                "smallest file within a point",
                size(worth.file_bytes or 0),
                f"{record.settings.text}: {percent(worth.oa)} (reference {percent(reference)})",
            )
        )
    hours = sum(record.cpu_seconds for record in study.records) / 3600
    facts.append(Fact("processor time", f"{hours:.2f} h", study.study.processor))
    described = material.described
    lead = (
        f"{study.study.title} on {described.name} ({described.shape[0]} x {described.shape[1]} "
        f"pixels, {described.shape[2]} bands, {len(described.class_names)} classes): "
        f"{len(study.study.grids)} grids, every cell judged on test pixels."
    )
    return [Prose(lead), Facts(tuple(facts))]


def _smallest(done: list[tuple[CellRecord, Values]]) -> tuple[CellRecord, Values, float] | None:
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


def is_changed(settings: Settings) -> bool:
    """Whether bands, weights or bits are others than those of the network as it is."""
    return bool(settings.reduction or settings.pruning or settings.quantization)


def _trust(material: Material) -> str:
    leaks = {run.record.split.kind: run.record.split.leakage_patch for run in material.runs}
    leaking = [kind for kind, share in leaks.items() if share > 0]
    told = ""
    if material.described.synthetic:
        told = (
            "This scene is generated: its numbers say that the chain works, and how one setting "
            "compares with another, nothing of a real scene. "
        )
    if leaking:
        others = "The others have" if len(leaks) > len(leaking) else "A disjoint split has"
        return told + (
            f"With the {' and '.join(leaking)} split, the patches of up to "
            f"{percent(max(leaks.values()), 1)} of the test pixels share pixels with training "
            f"patches: these accuracies are too good. {others} none of that."
        )
    return told + (
        "Training and test patches share no pixel. Normalization, reduction of bands and ranges "
        "of quantization were fitted to training pixels alone."
    )


def _passed(material: Material) -> list[Block]:
    if not material.passed:
        return []
    return [Prose("Passed over: " + " ".join(material.passed), quiet=True)]
