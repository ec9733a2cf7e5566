"""The folder of a page: files that any static server can serve."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from hashlib import sha256
from importlib import resources
from pathlib import Path

from hsitf.errors import InputError
from hsitf.export.android import CUBE, MANIFEST, check_device, device_files
from hsitf.export.bundle import Bundle
from hsitf.export.request import ExportRequest
from hsitf.files import replacing_folder
from hsitf.progress import Progress
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.targets import find_target
from hsitf.web.runtime import litert_js
from hsitf.web.unsigned import with_unsigned_borders

RUNTIME = "runtime"
ASSETS = (
    *("index.html", "style.css", "app.js", "classifier.js", "cube.js", "dropped.js", "engine.js"),
    *("golden.js", "map_files.js", "plot.js", "quantizer.js", "windows.js"),
)


def check_web(run: Run, request: ExportRequest) -> None:
    """Checks that a page can run the files, before anything is exported.

    Raises:
        InputError: A kind of file is not one that browsers take, or see `check_device`.
    """
    allowed = find_target("browser").variants
    for variant in request.variants:
        if variant.name not in allowed:
            raise InputError(
                f"a page takes no {variant.name} files",
                received=f"--web with --{variant.name}",
                allowed=", ".join(f"--{name}" for name in allowed),
            )
    if request.tta:
        raise InputError(
            "a page classifies without test-time augmentation",
            received="--web with --tta",
            remedy="leave one of them out",
        )
    if run.record.tile:
        raise InputError(
            "a page classifies with networks of patches",
            received=f"{run.record.plan.network}, which labels whole tiles",
            remedy="leave --web out, or name another network",
        )
    check_device(run, request, "page", "--web")


def write_sites(
    run: Run, bundles: Sequence[Bundle], progress: Progress, choice: SceneChoice | None = None
) -> list[Path]:
    """Writes the folder of a page for each variant among bundles of one run, beside their folders.

    Args:
        run: The trained network that they were exported from.
        bundles: Bundles of patches, of tiles, or both, of kinds that browsers take.
        progress: Receives progress messages.
        choice: Location of the scene, if it differs from the run's record.

    Returns:
        The folders, `web-<variant>`, in the order of the variants.

    Raises:
        InputError: npm, which fetches the runtime, is not installed.
        OutputError: A folder cannot be written.
    """
    runtime = litert_js(progress)
    data = run.data(choice)
    made = []
    for name in dict.fromkeys(bundle.record.variant for bundle in bundles):
        forms = [bundle for bundle in bundles if bundle.record.variant == name]
        place = forms[0].folder.parent / f"web-{name}"
        with replacing_folder(place) as folder:
            shutil.copytree(runtime, folder / RUNTIME)
            for asset in ASSETS:
                source = resources.files("hsitf.web") / "assets" / asset
                (folder / asset).write_bytes(source.read_bytes())
            models = {f"{_kind(form)}-{form.file.name}": form.file for form in forms}
            for file, content in device_files(data, forms, progress, CUBE):
                if file in models:
                    content = with_unsigned_borders(models[file])
                elif file == MANIFEST:
                    content = _manifest(json.loads(content), folder, models)
                (folder / file).write_bytes(content)
        made.append(place)
    return made


def _kind(bundle: Bundle) -> str:
    return "tiles" if bundle.record.tile else "patches"


def _manifest(manifest: dict[str, object], folder: Path, models: dict[str, Path]) -> bytes:
    """The manifest with the digests of the files as browsers get them."""
    sums = manifest["sha256"]
    if not isinstance(sums, dict):
        raise ValueError("a manifest has digests by name")
    for name in models:
        sums[name] = sha256((folder / name).read_bytes()).hexdigest()
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
