"""Pages of the reference that are made from the package itself.

    python docs/site/generated_pages.py

writes them; a test says when they are out of date. No page needs TensorFlow to be loaded.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import typer

from hsitf.commands.application import VERBS, all_verbs
from hsitf.scenes.catalog import CATALOG, CatalogEntry
from hsitf.targets import all_targets

ROOT = Path(__file__).resolve().parents[2]


def pages() -> dict[str, str]:
    """All generated pages, by their paths below docs/."""
    return {
        "reference/verbs.md": _verbs(),
        "reference/scenes.md": _scenes(),
        "reference/targets.md": _targets(),
    }


def _verbs() -> str:
    lines = [
        "# Commands",
        "",
        "Each verb is `hsitf VERB` or `python -m hsitf.VERB`. Made from the command line",
        "itself, as `hsitf VERB --help` shows it.",
        "",
    ]
    group = typer.main.get_command(all_verbs())
    for name in VERBS:
        command = group.commands[name]  # type: ignore[attr-defined]
        lines += [f"## {name}", "", *_command(f"hsitf {name}", command)]
        for inner, one in getattr(command, "commands", {}).items():
            lines += [f"### {name} {inner}", "", *_command(f"hsitf {name} {inner}", one)]
    return "\n".join(lines)


def _command(words: str, command: Any) -> list[str]:
    """The help of a command and its options, panel by panel."""
    lines = [_plain(command.help or ""), ""]
    if hasattr(command, "commands"):
        return lines
    panels: dict[str, list[Any]] = defaultdict(list)
    for parameter in command.params:
        if parameter.name != "help" and not getattr(parameter, "hidden", False):
            panels[getattr(parameter, "rich_help_panel", None) or "Options"].append(parameter)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    usage = " ".join([words, *(p.name.upper() for p in arguments), "[OPTIONS]"])
    lines += ["```text", usage, "```", ""]
    for panel, parameters in panels.items():
        lines += [f"**{panel}**", "", "| option | | default |", "|---|---|---|"]
        lines += [_option(parameter) for parameter in parameters]
        lines += [""]
    return lines


def _option(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name.upper()}`"
    else:
        names = ", ".join(f"`{one}`" for one in [*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    if parameter.required:
        shown = "required"
    elif default is None or default is False or default in ((), []) or callable(default):
        shown = ""
    else:
        shown = f"`{default}`"
    many = (
        " Repeatable." if parameter.multiple and "epeatable" not in (parameter.help or "") else ""
    )
    return f"| {names} | {_cell(parameter.help or '')}{many} | {shown} |"


def _plain(text: str) -> str:
    """Text of a help page without its markup."""
    return re.sub(r"\[/?(?:bold|dim|italic|cyan|green|yellow)\]", "", text).strip()


def _cell(text: str) -> str:
    text = _plain(text).replace("\n", " ").replace("|", "\\|")
    return re.sub(r"<(\w+)>", r"&lt;\1&gt;", text)


def _scenes() -> str:
    lines = [
        "# Scenes in the catalog",
        "",
        "Named by `--scene`. Those that are downloaded go to `~/.cache/hsitf/scenes`, or",
        "`$HSITF_DATA`; the others are looked for in the folder that `--data-dir` names. Products",
        "of sensors, and files of your own, are named by their paths:",
        "[products](products.md), [scenes of your own](../how-to/scenes.md).",
        "",
        "| scene | sensor, place | rows x cols x bands | classes | files |",
        "|---|---|---|---|---|",
    ]
    for name in CATALOG:
        entry = CATALOG[name]
        lines.append(
            f"| `{name}` | {entry.sensor}, {entry.location} "
            f"| {entry.rows} x {entry.cols} x {entry.bands} "
            f"| {len(entry.class_names)} | {_origin(entry)} |"
        )
    lines += [
        "",
        "Beside them: `fields`, generated, of 145 x 145 pixels, 200 bands and 16 classes, and the",
        "sets of pictures `cifar10`, `cifar100` and `ucmerced`.",
        "",
    ]
    return "\n".join(lines)


def _origin(entry: CatalogEntry) -> str:
    """Whether the files of a scene are downloaded, else what they are called."""
    files = [file for layout in entry.layouts for file in (layout.cube, layout.labels)]
    if any(file.address for file in files):
        return "downloaded"
    names = dict.fromkeys(f"`{file.name}`" for file in files)
    return f"yours: {', '.join(names)}"


def _targets() -> str:
    lines = [
        "# Targets",
        "",
        "The devices that `--target` names; how they are used stands in",
        "[make a file for a device](../how-to/targets.md).",
        "",
        "| target | device | files | cost of an inference | fast memory |",
        "|---|---|---|---|---|",
    ]
    for name, target in all_targets():
        cost = (
            f"{target.cost.unit}, {target.cost.basis}"
            if target.cost
            else ("published rules alone" if target.rejects else "measured on the device")
        )
        memory = f"{target.memory.sram_bytes // 1024:,} KiB" if target.memory else ""
        files = ", ".join(target.variants)
        lines.append(f"| `{name}` | {target.title} | {files} | {cost} | {memory} |")
    lines.append("")
    for name, target in all_targets():
        lines += [f"## {name}", "", target.description, ""]
        lines += [f"- Needs {tool.name}: {tool.remedy}." for tool in target.toolchain]
        lines += [""] if target.toolchain else []
    return "\n".join(lines)


def main() -> None:
    """Writes the pages."""
    for path, text in pages().items():
        (ROOT / "docs" / path).write_text(text.rstrip() + "\n")


if __name__ == "__main__":
    main()
