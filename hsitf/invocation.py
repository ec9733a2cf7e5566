"""The command line of this process, for records and for those who wait for it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def command() -> str:
    """The command line of this process, as it can be typed again."""
    first = Path(sys.argv[0] if sys.argv else "")
    module = first.parent.name if first.name == "__main__.py" else first.name
    spelled = f"python -m hsitf.{module}" if first.name == "__main__.py" else module
    if module == "hsitf":
        spelled = "python -m hsitf" if first.name == "__main__.py" else "hsitf"
    return " ".join([spelled, *map(shlex.quote, sys.argv[1:])])
