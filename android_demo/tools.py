"""What building and testing the demo share: commands, artifacts, messages."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "android"
PACKAGES = {
    "javac": "openjdk-17-jdk-headless",
    "java": "openjdk-17-jdk-headless",
    "mvn": "maven",
    "aapt2": "aapt",
    "zipalign": "zipalign",
    "apksigner": "apksigner",
    "gcc": "gcc",
}


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
        [str(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(env or {})},
    )
    if done.returncode:
        raise BuildError(f"{Path(words[0]).name} failed:\n{done.stdout.strip()}")
    return done.stdout


@dataclass(frozen=True)
class Artifacts:
    """Files that Maven fetches once, with their pinned checksums.

    Attributes:
        pom: Names them.
        goal: Of Maven's dependency plugin, which copies them.
        folder: Where they lie.
    """

    pom: Path
    goal: str
    folder: Path

    def fetched(self) -> Path:
        """The folder with all of them, fetched where they are not there yet.

        Raises:
            MissingError: One cannot be fetched.
            BuildError: One is not what its checksum says.
        """
        sums = self.pom.with_name("artifacts.sha256").read_text(encoding="ascii").splitlines()
        expected = {name: digest for digest, name in (line.split() for line in sums)}
        if not all((self.folder / name).is_file() for name in expected):
            need("mvn")
            try:
                run(
                    "mvn",
                    "-B",
                    "-q",
                    "-f",
                    self.pom,
                    f"dependency:{self.goal}",
                    f"-Dartifacts={self.folder}",
                )
            except BuildError as error:
                raise MissingError(f"Maven Central cannot be reached: {error}") from error
        for name, digest in expected.items():
            if sha256(self.folder / name) != digest:
                raise BuildError(f"{self.folder / name} has another SHA-256 than is pinned")
        return self.folder


DEMO = Artifacts(HERE / "pom.xml", "copy", BUILD / "artifacts")
SCREENS = Artifacts(HERE / "screens" / "pom.xml", "copy-dependencies", BUILD / "screens-artifacts")


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


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
    run(
        "javac",
        "--release",
        "8",
        "-Xlint:all,-options,-path,-classfile",
        "-Werror",
        "-g",
        "-encoding",
        "UTF-8",
        "-cp",
        path,
        "-d",
        into,
        *sources,
    )


def java(folder: Path) -> list[Path]:
    """Java sources under a folder."""
    return sorted(folder.rglob("*.java"))


def finish(action: Callable[[], None]) -> None:
    """Runs a script's action; what a user can mend ends in one message."""
    try:
        action()
    except BuildError as error:
        sys.exit(f"android_demo: {error}")
