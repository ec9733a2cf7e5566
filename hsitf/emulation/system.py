"""A minimal AArch64 system that runs LiteRT, downloaded once and cached.

It consists of Debian packages, which `debootstrap` fetches and checks against the archive's
signatures, and of wheels, which pip checks against the digests in `wheels.txt`. They are unpacked,
never installed: nothing of them runs but under emulation.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hsitf.errors import HsitfError, InputError
from hsitf.files import cache_folder, replacing_folder, sha256
from hsitf.progress import Progress

WHEELS = Path(__file__).with_name("wheels.txt")
# The release with Python 3.11, the version of the wheels.
SUITE, PYTHON = "bookworm", "3.11"
# Required programs, and the Debian packages that contain them.
PROGRAMS = {
    "qemu-aarch64": "qemu-user",
    "debootstrap": "debootstrap",
    "dpkg-deb": "dpkg",
    "cc": "gcc",
}
# Packages that Python and LiteRT need; the others are not unpacked.
_NEEDED = (
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "zlib1g",
    "libexpat1",
    "libffi8",
    "libbz2-1.0",
    "liblzma5",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "python3.11-minimal",
)


@dataclass(frozen=True)
class EmulatedSystem:
    """The unpacked system.

    Attributes:
        system: Root folder of the system.
        packages: Folder of the Python packages.
    """

    system: Path
    packages: Path

    @property
    def python(self) -> Path:
        """Path of its Python interpreter."""
        return self.system / "usr/bin" / f"python{PYTHON}"


def absent_programs() -> list[str]:
    """The programs needed for emulation that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def check_programs() -> None:
    """Checks that the programs needed for emulation are installed.

    Raises:
        InputError: A program is missing; the message has the command that installs it.
    """
    absent = absent_programs()
    if absent:
        wanted = " ".join(dict.fromkeys(PROGRAMS[name] for name in absent))
        raise InputError(
            "emulated Arm cores need programs that are not installed",
            received=f"no {', no '.join(absent)}",
            allowed="Linux with Debian's packages",
            remedy=f"install them: apt-get install {wanted}",
        )


def emulated_system(progress: Progress) -> EmulatedSystem:
    """The system, downloaded and unpacked on first use (130 MB, a minute).

    Args:
        progress: Receives progress messages.

    Raises:
        InputError: A required program is not installed.
        HsitfError: The packages cannot be fetched or unpacked.
        OutputError: The cache cannot be written.
    """
    place = cache_folder() / f"arm-{SUITE}-{sha256(WHEELS)[:12]}"
    found = EmulatedSystem(place / "system", place / "packages")
    if found.python.is_file():
        return found
    progress.say(f"fetching LiteRT for AArch64 and a small Debian to run it, to {place}")
    with replacing_folder(place) as folder:
        _fill(EmulatedSystem(folder / "system", folder / "packages"), folder / "fetched")
        shutil.rmtree(folder / "fetched")
    return found


def _fill(made: EmulatedSystem, fetched: Path) -> None:
    for folder in (made.system, made.packages, fetched):
        folder.mkdir()
    debian = fetched / "debian"
    _run(
        [
            "debootstrap",
            "--download-only",
            "--arch=arm64",
            "--variant=minbase",
            "--include=python3-minimal,libpython3-stdlib",
            SUITE,
            str(debian),
        ]
    )
    archives = debian / "var/cache/apt/archives"
    for name in _NEEDED:
        packed = sorted(archives.glob(f"{name}_*.deb"))
        if not packed:
            raise _failed(f"Debian's package {name} was not fetched", "debootstrap")
        _run(["dpkg-deb", "-x", str(packed[0]), str(made.system)])
    wheels = fetched / "wheels"
    _run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "--implementation=cp",
            f"--python-version={PYTHON}",
            "--platform=manylinux_2_27_aarch64",
            "--platform=manylinux_2_28_aarch64",
            "-r",
            str(WHEELS),
            "-d",
            str(wheels),
        ]
    )
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as packed_wheel:
            packed_wheel.extractall(made.packages)


def _run(words: Sequence[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise _failed(lines[-1], Path(words[0]).name)


def _failed(reason: str, program: str) -> HsitfError:
    return HsitfError(
        "the system for emulated Arm cores cannot be put together",
        received=f"{program}: {reason}",
        remedy="see to the network and to the programs, then repeat the command",
    )
