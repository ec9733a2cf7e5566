"""Builds the demo's APK without Android Studio: `python android_demo/build.py BUNDLE.zip APK`.

The same sources, bundle and tools make the same bytes: entries carry one date and one order, and
the debug key lies beside this file.
"""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tools import BUILD, DEMO, HERE, BuildError, classpath, compiled, finish, java, need, run

APP = HERE / "app" / "src" / "main"
CORE = HERE / "core" / "src" / "main" / "java"
AARS = (
    "tensorflow-lite-2.16.1",
    "tensorflow-lite-api-2.16.1",
    "tensorflow-lite-gpu-2.16.1",
    "tensorflow-lite-gpu-api-2.14.0",
)
ABIS = ("arm64-v8a", "armeabi-v7a", "x86_64")
ANDROID = "android-all-7.0.0_r1-robolectric-r1.jar"
RESOURCES = "android-all-14-robolectric-10818077.jar"
DEXER = "dalvik-dx-14.0.0_r21.jar"
MIN_SDK = 24
# The earliest date that archives can tell.
DATE = (1980, 1, 1, 0, 0, 0)
# What Android maps as it lies in the archive.
STORED = {"resources.arsc", "assets/demo.zip"}


def main() -> None:
    """Builds what the command line names."""
    if len(sys.argv) != 3:
        raise BuildError("give an archive that hsitf export --android wrote, and the APK to make")
    apk(Path(sys.argv[1]), Path(sys.argv[2]))


def apk(bundle: Path, out: Path) -> None:
    """Compiles, dexes, packs, aligns and signs.

    Args:
        bundle: Goes into the assets.
        out: The APK, written when it is whole.

    Raises:
        MissingError: A tool or an artifact is not here.
        BuildError: A step failed.
    """
    need("javac", "java", "aapt2", "zipalign", "apksigner")
    if not zipfile.is_zipfile(bundle):
        raise BuildError(f"{bundle} is no archive; write one: python -m hsitf.export --android ...")
    libraries = DEMO.fetched()
    work = BUILD / "apk"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    resources(libraries, work)
    jars = unpacked(libraries, work)
    path = classpath(*jars, libraries / ANDROID)
    compiled([*java(CORE), *java(APP / "java"), *java(work / "gen")], path, work / "classes")
    dex(libraries, [work / "classes", *jars], work / "classes.dex")
    pack(work, bundle, libraries)
    run("zipalign", "-f", "-p", "4", work / "packed.apk", work / "aligned.apk")
    run(
        "apksigner",
        "sign",
        "--ks",
        HERE / "debug.keystore",
        "--ks-pass",
        "pass:android",
        "--min-sdk-version",
        str(MIN_SDK),
        "--v1-signing-enabled",
        "false",
        "--v4-signing-enabled",
        "false",
        "--out",
        work / "signed.apk",
        work / "aligned.apk",
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(work / "signed.apk", out)
    print(f"{out}: {out.stat().st_size:,} bytes")


def resources(libraries: Path, work: Path) -> None:
    """Compiles layouts and strings; writes R.java and an APK without code."""
    run("aapt2", "compile", "--dir", APP / "res", "-o", work / "res.zip")
    # This aapt2 is older than <uses-native-library>, which it passes on with a warning.
    run(
        "aapt2",
        "link",
        "--warn-manifest-validation",
        "--debug-mode",
        "--version-name",
        version(),
        "-I",
        libraries / RESOURCES,
        "--manifest",
        APP / "AndroidManifest.xml",
        "--java",
        work / "gen",
        "-o",
        work / "resources.apk",
        work / "res.zip",
    )


def version() -> str:
    """The version of hsitf: the app of a version reads the bundles of that version."""
    text = (HERE.parent / "hsitf" / "__init__.py").read_text(encoding="utf-8")
    return next(re.finditer(r'^__version__ = "(.+)"$', text, re.MULTILINE))[1]


def unpacked(libraries: Path, work: Path) -> list[Path]:
    """The classes of the AARs."""
    jars = []
    for name in AARS:
        with zipfile.ZipFile(libraries / f"{name}.aar") as aar:
            jars.append(work / f"{name}.jar")
            jars[-1].write_bytes(aar.read("classes.jar"))
    return jars


def dex(libraries: Path, classes: list[Path], out: Path) -> None:
    """Turns classes into Dalvik's form.

    Raises:
        BuildError: The dexer refused one, or had something to say of it.
    """
    said = run(
        "java",
        "-cp",
        libraries / DEXER,
        "com.android.dx.command.Main",
        "--dex",
        f"--min-sdk-version={MIN_SDK}",
        f"--output={out}",
        *classes,
    )
    if said.strip():
        raise BuildError(f"the dexer is not content:\n{said.strip()}")


def pack(work: Path, bundle: Path, libraries: Path) -> None:
    """Puts everything into one archive, in one order and with one date."""
    with zipfile.ZipFile(work / "packed.apk", "w") as archive:
        for name, content in sorted(contents(work, bundle, libraries)):
            kind = zipfile.ZIP_STORED if name in STORED else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, DATE), content, kind, 9)


def contents(work: Path, bundle: Path, libraries: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the APK."""
    with zipfile.ZipFile(work / "resources.apk") as made:
        for name in made.namelist():
            yield name, made.read(name)
    yield "classes.dex", (work / "classes.dex").read_bytes()
    yield "assets/demo.zip", bundle.read_bytes()
    for name in AARS:
        with zipfile.ZipFile(libraries / f"{name}.aar") as aar:
            for entry in aar.namelist():
                if entry.startswith("jni/") and entry.split("/")[1] in ABIS:
                    yield "lib" + entry.removeprefix("jni"), aar.read(entry)


if __name__ == "__main__":
    finish(main)
