"""What building and testing the demo share: commands, artifacts, messages."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "android"
ARTIFACTS = BUILD / "artifacts"
SUMS = HERE / "artifacts.sha256"
PACKAGES = {
    "javac": "openjdk-17-jdk-headless", "java": "openjdk-17-jdk-headless", "mvn": "maven",
    "aapt2": "aapt", "zipalign": "zipalign", "apksigner": "apksigner", "gcc": "gcc",
}  # fmt: skip


class BuildError(Exception):
    """Something that a user can mend; its text says how."""


class MissingError(BuildError):
    """A tool or an artifact that is not here."""


def need(*tools: str) -> None:
    """Refuses to start without these commands.

    Raises:
        MissingError: They are not all there.
    """
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        packages = " ".join(dict.fromkeys(PACKAGES[tool] for tool in missing))
        raise MissingError(f"no {', '.join(missing)}; as root: apt-get install {packages}")


def run(*words: str | Path, env: dict[str, str] | None = None) -> str:
    """Runs a command; what it printed.

    Raises:
        BuildError: It failed; with what it printed.
    """
    done = subprocess.run(
        [str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    if done.returncode:
        raise BuildError(f"{Path(words[0]).name} failed:\n{done.stdout.strip()}")
    return done.stdout


def artifacts() -> Path:
    """The folder of the artifacts that pom.xml names, fetched where they are not there yet.

    Raises:
        MissingError: One cannot be fetched.
        BuildError: One is not what its checksum says.
    """
    expected = dict(
        reversed(line.split(maxsplit=1)) for line in SUMS.read_text(encoding="ascii").splitlines()
    )
    if not all((ARTIFACTS / name).is_file() for name in expected):
        need("mvn")
        try:
            run("mvn", "-B", "-q", "-f", HERE / "pom.xml", "dependency:copy",
                f"-Dartifacts={ARTIFACTS}")  # fmt: skip
        except BuildError as error:
            raise MissingError(f"Maven Central cannot be reached: {error}") from error
    for name, digest in expected.items():
        with (ARTIFACTS / name).open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest() if sys.version_info >= (
                3, 11
            ) else hashlib.sha256(stream.read()).hexdigest()  # fmt: skip
        if found != digest:
            raise BuildError(f"{ARTIFACTS / name} has another SHA-256 than {SUMS.name}; remove it")
    return ARTIFACTS


def classpath(*paths: Path) -> str:
    """Paths as javac and java take them."""
    return os.pathsep.join(map(str, paths))


def compiled(sources: Sequence[Path], path: str, into: Path) -> None:
    """Compiles Java for Java 8, every warning an error.

    Raises:
        BuildError: It does not compile.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    # Java 8 is what the dexer takes; that it is old is no news. Artifacts carry what is not ours.
    run("javac", "--release", "8", "-Xlint:all,-options,-path,-classfile", "-Werror", "-g",
        "-encoding", "UTF-8", "-cp", path, "-d", into, *sources)  # fmt: skip


def java(folder: Path) -> list[Path]:
    """Java sources under a folder."""
    return sorted(folder.rglob("*.java"))


def finish(action: Callable[[], None]) -> None:
    """Runs a script's action; what a user can mend ends in one message."""
    try:
        action()
    except BuildError as error:
        sys.exit(f"android_demo: {error}")
