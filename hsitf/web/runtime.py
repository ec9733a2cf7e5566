"""LiteRT.js, the runtime of the pages: fetched once by npm, checked, and cached.

Nothing is fetched when a page is opened: its folder holds the runtime. The packages are pinned by
version and SHA-256; of each only the files that a page needs are unpacked, nothing of them is run
here.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hsitf.errors import DataError, HsitfError
from hsitf.files import cache_folder, replacing_folder, sha256
from hsitf.progress import Progress
from hsitf.targets import Toolchain

# Largest unpacked file; the largest one that is needed has 10 MB.
_MAX_FILE = 64 * 2**20

NPM = Toolchain("npm", lambda: shutil.which("npm") is not None, "apt-get install npm")


@dataclass(frozen=True)
class NpmPackage:
    """A package of npm.

    Attributes:
        name: Name of the package.
        version: Its version.
        sha256: Digest of its archive.
        files: Files that are taken, by their names in a page's folder.
    """

    name: str
    version: str
    sha256: str
    files: dict[str, str]


PACKAGES = (
    NpmPackage(
        "@litertjs/core",
        "2.5.3",
        "a97660833e9e7e1063c95e12016718881240b14f7438728a2f62785e912d30fd",
        {
            "litert.js": "package/dist/index.js",
            "wasm/litert_wasm_internal.js": "package/wasm/litert_wasm_internal.js",
            "wasm/litert_wasm_internal.wasm": "package/wasm/litert_wasm_internal.wasm",
        },
    ),
    NpmPackage(
        "@litertjs/wasm-utils",
        "2.5.3",
        "ce2a1f8379c067be49e59752e5a7f40db6be09f6e497f0f11e59f17b515366a7",
        {"wasm-utils.js": "package/dist/index.js"},
    ),
)


def litert_js(progress: Progress) -> Path:
    """Folder with LiteRT.js, fetched on first use (12 MB).

    Args:
        progress: Receives progress messages.

    Raises:
        InputError: npm is not installed.
        HsitfError: A package cannot be fetched.
        DataError: A package is not the pinned one.
    """
    place = cache_folder() / f"litertjs-{PACKAGES[0].version}-{PACKAGES[0].sha256[:12]}"
    if place.is_dir():
        return place
    NPM.check("browser")
    progress.say(f"fetching LiteRT.js to {place}")
    with replacing_folder(place) as folder:
        for package in PACKAGES:
            _unpack(package, folder)
    return place


def _unpack(package: NpmPackage, folder: Path) -> None:
    with TemporaryDirectory() as name:
        done = subprocess.run(
            ["npm", "pack", "--silent", f"{package.name}@{package.version}"],
            cwd=name,
            capture_output=True,
            text=True,
            check=False,
        )
        archives = list(Path(name).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise HsitfError(
                f"{package.name} cannot be fetched",
                received=f"npm: {lines[-1]}",
                remedy="see to the network and to npm, then repeat the command",
            )
        if (found := sha256(archives[0])) != package.sha256:
            raise DataError(
                f"{package.name} {package.version} is not the package that was pinned",
                received=f"SHA-256 {found}",
                allowed=package.sha256,
                remedy="see where npm fetches packages from",
            )
        with tarfile.open(archives[0]) as archive:
            for target, member in package.files.items():
                stream = archive.extractfile(member)
                if stream is None or archive.getmember(member).size > _MAX_FILE:
                    raise DataError(f"{package.name} has no file {member}", received=package.name)
                (folder / target).parent.mkdir(parents=True, exist_ok=True)
                (folder / target).write_bytes(stream.read())
