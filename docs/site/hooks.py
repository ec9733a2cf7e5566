"""Adds the generated pages to the site as mkdocs builds it."""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))

from generated_pages import pages


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called once the files of docs/ are known."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files
