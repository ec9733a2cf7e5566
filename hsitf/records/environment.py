"""Which versions a record came from."""

from __future__ import annotations

import platform
from importlib import metadata

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
