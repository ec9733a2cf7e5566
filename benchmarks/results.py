"""docs/results.md from the folders of studies: what was measured, beside the literature.

    PYTHONPATH=. python benchmarks/results.py STUDY_FOLDER ... > docs/results.md

Everything is read from the records that `python -m hsitf.sweep` wrote; nothing is run.
"""

from __future__ import annotations

import math
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from hsitf.errors import HsitfError
from hsitf.literature import FAILS, HOLDS, UNKNOWN, CheckedClaim, check_claims, load_claims
from hsitf.sweep.record import CellMean, StudyResults

Table = list[Sequence[str]]
# What a fine curve is along: cells of these grids differ in one setting.
CURVES = (
    (
        "Band reduction",
        (
            "extraction",
            "extraction-curve",
            "extraction-nmf",
            "extraction-others",
            "extraction-lda",
            "few",
            "least",
            "selection",
        ),
    ),
    ("Unstructured pruning", ("fine",)),
    ("Structured pruning", ("coarse",)),
    ("Band reduction, then pruning, then quantization", ("pipelines",)),
)


def main() -> None:
    """Prints the page."""
    try:
        found = [StudyResults.open(Path(folder)) for folder in sys.argv[1:]]
    except HsitfError as error:
        sys.exit(str(error))
    if not found:
        sys.exit(__doc__)
    print("\n".join(page(found)))


def page(studies: Sequence[StudyResults]) -> list[str]:
    """The lines of the page."""
    lines = [
        "# Results of the quick studies",
        "",
        "Generated from records, not written by hand:",
        "",
        "```sh",
        *dict.fromkeys(_typed(results) for results in studies),
        shlex.join(
            ["PYTHONPATH=.", "python", "benchmarks/results.py", *map(_tail, studies)]
        ).replace("'PYTHONPATH=.'", "PYTHONPATH=.")
        + " > docs/results.md",
        "```",
        "",
        *_scenes(studies),
        "",
    ]
    by_name: dict[str, list[StudyResults]] = {}
    for results in studies:
        by_name.setdefault(results.study.name, []).append(results)
    for name, group in by_name.items():
        lines += [f"## {group[0].study.title}", ""]
        if name.startswith("compression"):
            lines += _literature(group)
        for results in group:
            lines += _study(results)
    return lines


def _typed(results: StudyResults) -> str:
    """The command that made a study, without the folders of the machine that it was typed on."""
    return re.sub(r"--data-dir \S+", "--data-dir data", results.study.command)


def _tail(results: StudyResults) -> str:
    return str(Path("studies") / results.folder.name)


def _name(results: StudyResults) -> str:
    (scene,) = {scene.name for scene in results.study.scenes.values()}
    return scene


def _scenes(studies: Sequence[StudyResults]) -> list[str]:
    lines = []
    for scene in {_name(results): results for results in studies}.values():
        (one,) = scene.study.scenes.values()
        kind = (
            "synthetic: its numbers do not apply to a real scene" if one.synthetic else "measured"
        )
        rows, cols, bands = one.shape
        lines.append(
            f"- `{one.name}`: {rows} x {cols} pixels, {bands} bands, {len(one.class_names)} "
            f"classes, {kind}."
        )
    lines += [
        "",
        "Quick studies train once and for fewer epochs than the papers, so there are no "
        "intervals; splits are disjoint unless stated otherwise. They show what a few minutes of "
        "training reach, and which claims of the literature already hold then.",
    ]
    return lines


def _literature(group: Sequence[StudyResults]) -> list[str]:
    """All claims, with a verdict for each scene."""
    verdicts = [check_claims(results) for results in group]
    lines = ["### Claims of the literature", ""]
    lines += [
        f"`{_name(results)}`: {_count(found, HOLDS)} hold, {_count(found, FAILS)} do not, "
        f"{_count(found, UNKNOWN)} are not measured by the quick study.  "
        for results, found in zip(group, verdicts, strict=True)
    ]
    lines += [
        "",
        "The literature's figures are of Indian Pines with a random split of 80 %, in which "
        "most test patches share pixels with training patches, and of six runs of full length.",
        "",
    ]
    head = ["", "claim", "literature", "checked", *map(_name, group)]
    rows: Table = []
    for number, claim in enumerate(load_claims()):
        cells = [_verdict(found[number]) for found in verdicts]
        rows.append((claim.topic, claim.text, claim.value, claim.criterion, *cells))
    return [*lines, *_markdown(head, rows), ""]


def _count(found: Sequence[CheckedClaim], verdict: str) -> int:
    return sum(one.verdict == verdict for one in found)


def _verdict(one: CheckedClaim) -> str:
    if one.verdict == UNKNOWN:
        return UNKNOWN
    return f"**{one.verdict}**: {one.measured}"


def _study(results: StudyResults) -> list[str]:
    """The tables of one study on one scene."""
    name = _name(results)
    seconds = sum(record.cpu_seconds for record in results.records)
    lines = [
        f"### `{name}`",
        "",
        f"{len(results.done)} cells, {seconds / 60:.0f} minutes of processor time "
        f"({results.study.processor}); {len(results.failed)} failed, "
        f"{len(results.study.left_out)} impossible"
        + (f", {len(results.pending)} have not been run." if results.pending else "."),
        "",
    ]
    lines += [f"- failed: {one.settings.text}: {one.message}" for one in results.failed]
    lines += [f"- impossible: {one.settings.text}: {one.reason}" for one in results.study.left_out]
    plain = [m for m in results.means if not m.settings.variant and not m.settings.bits]
    networks = [m for m in plain if not m.settings.bands and not m.settings.measure]
    lines += ["", "Trained networks without compression:", "", *_networks(networks), ""]
    if files := [m for m in results.means if m.settings.variant]:
        lines += ["Files:", "", *_files(files), ""]
    if bits := [
        m
        for m in results.means
        if m.settings.bits and not m.settings.measure and not m.settings.bands
    ]:
        lines += [
            "Simulated bits, OA in % (change in points on the same pixels):",
            "",
            *_bits(bits),
            "",
        ]
    for title, grids in CURVES:
        means = [m for m in plain if set(grids) & set(m.grids) and m not in networks]
        if means:
            lines += [f"{title}:", "", *_changes(means, networks), ""]
    rest = [
        m
        for m in plain
        if m not in networks
        and not any(set(grids) & set(m.grids) for _, grids in CURVES)
        and "cao" not in " ".join(m.grids)
    ]
    if rest:
        lines += ["Others:", "", *_changes(rest, networks), ""]
    return lines


def _oa(mean: CellMean) -> str:
    one = mean.values["oa"]
    return f"{100 * one.mean:.2f}" + (
        "" if math.isnan(one.half_width) else f" ± {100 * one.half_width:.2f}"
    )


def _value(mean: CellMean, name: str, spell: str, scale: float = 1.0) -> str:
    return format(scale * mean.values[name].mean, spell) if name in mean.values else ""


def _networks(means: Sequence[CellMean]) -> list[str]:
    head = (
        "network",
        "split",
        "leakage",
        "epochs",
        "OA, %",
        "AA, %",
        "kappa",
        "weights",
        "MACs",
        "float32, bytes",
        "training, s",
        "inference, us a pixel",
        "peak memory, MB",
    )
    rows = [
        (
            f"`{m.settings.network}`",
            m.settings.split,
            _value(m, "leakage", ".1%"),
            str(m.settings.epochs),
            _oa(m),
            _value(m, "aa", ".2f", 100),
            _value(m, "kappa", ".3f"),
            _value(m, "parameters", ",.0f"),
            _value(m, "macs", ",.0f"),
            _value(m, "weight_bytes", ",.0f"),
            _value(m, "train_seconds", ".0f"),
            _value(m, "predict_us", ".0f"),
            _value(m, "peak_memory", ".0f", 1e-6),
        )
        for m in means
    ]
    return _markdown(head, rows)


def _files(means: Sequence[CellMean]) -> list[str]:
    head = (
        "network",
        "bands",
        "pruned",
        "file",
        "bytes",
        "OA, %",
        "change",
        "agreement",
        "integer",
        "p50, ms",
    )
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
    return _markdown(head, rows)


def _change(mean: CellMean) -> str:
    before = mean.values.get("oa_before")
    return "" if before is None else f"{100 * (mean.values['oa'].mean - before.mean):+.2f}"


def _bits(means: Sequence[CellMean]) -> list[str]:
    networks = list(dict.fromkeys(mean.settings.network for mean in means))
    found = {(m.settings.network, m.settings.bits): m for m in means}
    rows = []
    for bits in dict.fromkeys(mean.settings.bits for mean in means):
        cells = [found.get((network, bits)) for network in networks]
        rows.append(
            (f"({bits})", *("" if m is None else f"{_oa(m)} ({_change(m)})" for m in cells))
        )
    return _markdown(("activations, weights, accumulators", *(f"`{n}`" for n in networks)), rows)


def _changes(means: Sequence[CellMean], networks: Sequence[CellMean]) -> list[str]:
    reference = {(m.settings.network, m.settings.split): m for m in networks}
    head = (
        "network",
        "bands",
        "pruned",
        "sparsity",
        "nonzero weights",
        "MACs",
        "OA, %",
        "kappa",
        "to all bands and weights",
    )
    rows = []
    for m in means:
        own, whole = m.settings, reference.get((m.settings.network, m.settings.split))
        change = (
            "" if whole is None else f"{100 * (m.values['oa'].mean - whole.values['oa'].mean):+.2f}"
        )
        rows.append(
            (
                f"`{own.network}`",
                own.reduction or "all",
                own.pruning,
                _value(m, "sparsity", ".1%") if own.measure else "",
                _value(m, "nonzero", ",.0f"),
                _value(m, "macs", ",.0f"),
                _oa(m),
                _value(m, "kappa", ".3f"),
                change,
            )
        )
    return _markdown(head, rows)


def _markdown(head: Sequence[str], rows: Table) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


if __name__ == "__main__":
    main()
