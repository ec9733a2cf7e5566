"""Which versions and which command line a record came from."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path

# Packages that decide on numbers.
_DECISIVE = ("keras", "tensorflow", "jax", "torch", "numpy", "ai-edge-litert", "onnxruntime")


def versions() -> dict[str, str]:
    """Versions of Python, hsitf and the installed packages that decide on numbers."""
    from hsitf import __version__

    found = {"python": platform.python_version(), "hsitf": __version__}
    installed = {item.metadata["Name"].lower(): item.version for item in metadata.distributions()}
    for name in _DECISIVE:
        if name in installed:
            found[name] = installed[name]
    return found


def command() -> str:
    """The command line of this process, as it can be typed again."""
    import shlex

    first = Path(sys.argv[0])
    module = first.parent.name if first.name == "__main__.py" else first.name
    spelled = f"python -m hsitf.{module}" if first.name == "__main__.py" else module
    if module == "hsitf":
        spelled = "python -m hsitf" if first.name == "__main__.py" else "hsitf"
    return " ".join([spelled, *map(shlex.quote, sys.argv[1:])])
