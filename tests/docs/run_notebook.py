"""Runs the code of a notebook, as a program: what `python run_notebook.py NOTEBOOK` is given.

Cells share a namespace, and the value of a cell's last expression is shown as notebooks show it, so
that its table or picture is made, too.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any


def code_cells(notebook: Path) -> list[str]:
    """The text of each cell of code."""
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def run(notebook: Path) -> None:
    """Runs all cells; an exception ends the program with its traceback."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, text in enumerate(code_cells(notebook), start=1):
        tree = ast.parse(text)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        place = f"{notebook.name}, cell {number}"
        exec(compile(tree, place, "exec"), names)
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), place, "eval"), names)
            if shown is not None:
                print(shown._repr_html_() if hasattr(shown, "_repr_html_") else repr(shown))


if __name__ == "__main__":
    run(Path(sys.argv[1]).resolve())
