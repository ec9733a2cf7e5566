"""How to reproduce the results."""

from __future__ import annotations

from hsitf.report.data import ReportData
from hsitf.report.document import Block, Commands, ReportTable, Section


def section(data: ReportData) -> Section:
    """Commands, versions, and SHA-256 of the files."""
    lines = [data.study.study.command] if data.study else []
    lines += [run.record.command for run in data.runs if data.study is None]
    lines += [bundle.record.command for bundle in data.bundles if data.study is None]
    lines += [data.bench_command] if data.bench_command else []
    blocks: list[Block] = [Commands(tuple(dict.fromkeys(lines)))]
    if data.study is not None:
        versions = data.study.study.versions
        blocks.append(
            ReportTable(
                "source",
                "The study as it was written.",
                ("line",),
                tuple((line,) for line in data.study.study.source.splitlines()),
                collapsed=True,
            )
        )
    else:
        versions = data.runs[0].record.versions
    blocks.append(
        ReportTable(
            "versions",
            "Versions.",
            ("package", "version"),
            tuple(versions.items()),
            text_columns=2,
            collapsed=True,
        )
    )
    made = [(str(run.folder), "network", run.record.sha256) for run in data.runs]
    made += [(str(one.file), one.record.variant, one.record.sha256) for one in data.bundles]
    made += [(name, "scene", digest) for name, digest in data.scene_record.sha256.items()]
    blocks.append(
        ReportTable(
            "digests",
            "SHA-256 of what this report is of.",
            ("file", "what", "SHA-256"),
            tuple(made),
            text_columns=3,
            collapsed=True,
        )
    )
    return Section("repeat", "Reproduction", tuple(blocks))
