"""What it takes to do it again."""

from __future__ import annotations

from hsitf.report.document import Block, Commands, Section, Table
from hsitf.report.material import Material


def section(material: Material) -> Section:
    """Commands, versions, and the digests of what was made."""
    lines = [material.study.study.command] if material.study else []
    lines += [run.record.command for run in material.runs if material.study is None]
    lines += [bundle.record.command for bundle in material.bundles if material.study is None]
    lines += [material.bench_command] if material.bench_command else []
    blocks: list[Block] = [Commands(tuple(dict.fromkeys(lines)))]
    if material.study is not None:
        versions = material.study.study.versions
        blocks.append(
            Table(
                "source",
                "The study as it was written.",
                ("line",),
                tuple((line,) for line in material.study.study.source.splitlines()),
                folded=True,
            )
        )
    else:
        versions = material.runs[0].record.versions
    blocks.append(
        Table(
            "versions",
            "Versions.",
            ("package", "version"),
            tuple(versions.items()),
            left=2,
            folded=True,
        )
    )
    made = [(str(run.folder), "network", run.record.sha256) for run in material.runs]
    made += [(str(one.file), one.record.variant, one.record.sha256) for one in material.bundles]
    made += [(name, "scene", digest) for name, digest in material.described.sha256.items()]
    blocks.append(
        Table(
            "digests",
            "SHA-256 of what this report is of.",
            ("file", "what", "SHA-256"),
            tuple(made),
            left=3,
            folded=True,
        )
    )
    return Section("repeat", "Do it again", tuple(blocks))
