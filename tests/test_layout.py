from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

KERNELS = "TF_ENABLE_ONEDNN_OPTS"

# The one direction of the house: a module imports only from those above it.
ORDER = [
    "errors",
    "registry",
    "arithmetic",
    "compat",
    "arrays",
    "bounds",
    "ranges",
    "files",
    "invocation",
    "locks",
    "trust",
    "array_files",
    "hdf5_trial",
    "hdf5_files",
    "flatbuffer",
    "litert_trial",
    "onnx_files",
    "log_silencing",
    "progress",
    "measure",
    "seeding",
    "tables",
    "figures",
    "scenes",
    "metrics",
    "layers",
    "graph",
    "zoo",
    "bands",
    "records",
    "data",
    "locations",
    "runs",
    "sensors",
    "tile_networks",
    "operators",
    "cost",
    "train",
    "adopt",
    "options",
    "band_comparison",
    "compare",
    "lower",
    "inspection",
    "runtimes",
    "emulation",
    "targets",
    "verify",
    "quantize",
    "export",
    "web",
    "prune",
    "compress",
    "smoothing",
    "classify",
    "draw",
    "bench",
    "explain",
    "sweep",
    "literature",
    "report",
    "api",
    "commands",
]
# `python -m hsitf.VERB` hands on to the command line, which stands above all.
FRONT = {"__main__"}


def modules() -> list[Path]:
    return sorted((ROOT / "hsitf").rglob("*.py"))


def level(path: Path) -> str:
    return path.relative_to(ROOT / "hsitf").parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts == ["hsitf"]:
                found |= {alias.name for alias in node.names}
            elif parts[0] == "hsitf":
                found.add(parts[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("hsitf.")}
    return found - {"__version__"}


def test_every_module_has_its_place():
    found = {level(path) for path in modules()} - {"__init__"} - FRONT
    assert found == set(ORDER)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path):
    if path.name == "__main__.py":
        assert imported(path) == {"commands"}
        return
    own = level(path)
    if own == "__init__":
        # For type checkers alone; at run time `hsitf` imports what is asked for.
        assert imported(path) == {"api"}
        return
    above = set(ORDER[: ORDER.index(own) + 1])
    assert imported(path) <= above, f"{own} imports from below"


@pytest.mark.parametrize("folder", ["models", "export"])
def test_artifact_folders_hold_no_code(folder):
    tracked = subprocess.run(
        ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert not [name for name in tracked if name.endswith((".py", ".sh", ".java", ".ipynb"))]


@pytest.mark.parametrize(
    "module",
    [
        "hsitf",
        "hsitf.commands.application",
        "hsitf.zoo",
        "hsitf.commands.train",
        "hsitf.commands.prune",
        "hsitf.commands.export",
        "hsitf.commands.sweep",
    ],
)
def test_importing_a_verb_loads_nothing_heavy(module):
    code = (
        f"import sys, {module}; heavy = {{'tensorflow', 'keras', 'numpy', 'scipy', 'pydantic'}}; "
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", ["hsitf.classify.run", "hsitf.runs", "hsitf.bench.report"])
def test_importing_what_a_verb_imports_first_loads_no_tensorflow(module):
    """Keras is loaded by `load_keras`, without the lines that TensorFlow prints as it starts."""
    code = f"import sys, {module}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "verb", ["", ".train", ".prune", ".export", ".scenes", ".bench", ".draw", ".sweep", ".report"]
)
def test_help_loads_no_tensorflow(verb):
    code = (
        "import runpy, sys\n"
        "sys.argv = ['hsitf', '--help']\n"
        f"try: runpy.run_module('hsitf{verb}', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.parametrize(("given", "kept"), [(None, "1"), ("0", "0")])
@pytest.mark.parametrize("module", ["hsitf", "hsitf.train.loop"])
def test_whatever_is_imported_first_computes_with_the_same_kernels(module, given, kept):
    # On processors without AVX-512 VNNI TensorFlow would decide otherwise, and train differently.
    outside = {name: value for name, value in os.environ.items() if name != KERNELS}
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}, os; print(os.environ[{KERNELS!r}])"],
        cwd=ROOT,
        env=outside | ({KERNELS: given} if given else {}),
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == kept, done.stderr


def test_no_two_public_classes_share_a_name():
    bearers: dict[str, list[str]] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bearers.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in bearers.items() if len(paths) > 1} == {}


def test_the_package_is_typed():
    assert (ROOT / "hsitf/py.typed").is_file()
    assert '"py.typed"' in (ROOT / "pyproject.toml").read_text()
