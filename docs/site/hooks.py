"""What mkdocs does as it builds the site: documents of the repository's root become pages."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]

# Documents of the root, and what they are called as pages.
DOCUMENTS = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}

_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s#]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the documents of the root."""
    for name, page in DOCUMENTS.items():
        text = (ROOT / name).read_text()
        files.append(File.generated(config, page, content=_as_page(text)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links that lead out of docs/ lead to pages, or, to source files, become text."""

    def led(match: re.Match[str]) -> str:
        text, target, anchor = match.group(1), match.group(2), match.group(3) or ""
        folder = posixpath.dirname(page.file.src_uri)
        place = posixpath.normpath(posixpath.join("docs", folder, target))
        if "//" in target or place.startswith("docs/"):
            return match.group(0)
        if place not in DOCUMENTS:
            return text
        there = posixpath.relpath(DOCUMENTS[place], folder or ".")
        return f"[{text}]({there}{anchor})"

    return _LINK.sub(led, markdown)


def _as_page(text: str) -> str:
    """A document of the root, whose links are those of a page of docs/."""
    text = re.sub(r"\]\(docs/([^)]+)\)", r"](\1)", text)
    for name, page in DOCUMENTS.items():
        text = text.replace(f"]({name})", f"]({page})")
    return text
