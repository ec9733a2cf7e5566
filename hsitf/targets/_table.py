"""Targets as tables."""

from __future__ import annotations

from hsitf.tables import format_table
from hsitf.targets import Target, all_targets, find_target

HEAD = ("target", "what it is", "files", "cost of an inference", "fast memory", "tools")


def format_targets() -> str:
    """Formats all targets, one line each."""
    rows = [
        (
            name,
            target.title,
            ", ".join(target.variants),
            _cost(target),
            _memory(target),
            _tools(target),
        )
        for name, target in all_targets()
    ]
    return format_table(HEAD, rows, len(HEAD))


def format_target(name: str) -> str:
    """Formats one target with everything that is known of it.

    Raises:
        InputError: There is no such target.
    """
    target = find_target(name)
    lines = [
        f"{name}: {target.title}",
        target.description,
        f"Files: {', '.join(target.variants)}.",
        f"Cost of an inference: {_cost(target)}.",
    ]
    if target.memory is not None:
        lines.append(f"Fast memory: {_memory(target)} ({target.memory.source}).")
    if target.rejects is not None:
        lines.append("Its delegate's published rules are checked by hsitf bench.")
    for tool in target.toolchain:
        state = "installed" if tool.installed() else f"not installed: {tool.remedy}"
        lines.append(f"Needs {tool.name}: {state}.")
    lines.append(f"hsitf export --model cao --target {name}")
    return "\n".join(lines)


def _cost(target: Target) -> str:
    if target.cost is None:
        return "rules alone" if target.rejects else "measured on the device"
    return f"{target.cost.unit}, {target.cost.basis}"


def _memory(target: Target) -> str:
    return "-" if target.memory is None else f"{target.memory.sram_bytes / 1024:,.0f} KiB"


def _tools(target: Target) -> str:
    states = ["installed" if tool.installed() else "missing" for tool in target.toolchain]
    return ", ".join(states) or "-"
