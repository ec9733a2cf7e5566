"""Runs the demo's tests on a desktop JVM: `python android_demo/check.py FIXTURES`.

They run the app's own code with the x86-64 library of TensorFlow Lite that the APK carries. It is
made for Android's C library, of which it takes 125 functions, nearly all as in glibc: without the
versions that its symbols carry, and with the rest preloaded, it loads and computes on a desktop.
"""

from __future__ import annotations

import platform
import struct
import sys
import zipfile
from pathlib import Path

from build import AARS, ANDROID, APP, CORE, unpacked
from tools import (
    BUILD,
    DEMO,
    HERE,
    BuildError,
    MissingError,
    classpath,
    compiled,
    finish,
    java,
    need,
    run,
)

LIBRARY = "libtensorflowlite_jni.so"
HEAP = "64m"
# Of the app what needs no Android.
PLAIN = ("TfliteEngine.java", "Run.java")
# Entries of an ELF file's dynamic section: needed libraries, symbol versions.
_DYNAMIC = 2
_DROPPED = {1, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF}


def main() -> None:
    """Compiles and runs the tests with the fixtures that the command line names."""
    if len(sys.argv) != 2:
        raise BuildError("give the folder of fixtures that tests/android/test_android.py writes")
    print(check(Path(sys.argv[1])))


def check(fixtures: Path) -> str:
    """Compiles and runs the tests.

    Args:
        fixtures: Made by the Python side.

    Returns:
        What JUnit printed.

    Raises:
        MissingError: A tool or an artifact is not here, or see `hosted`.
        BuildError: A test failed, or something does not compile.
    """
    need("javac", "java")
    libraries = DEMO.fetched()
    work = BUILD / "check"
    work.mkdir(parents=True, exist_ok=True)
    jars = unpacked(libraries, work)
    tests = [*java(HERE / "core" / "src" / "test"), *java(HERE / "app" / "src" / "test")]
    plain = [APP / "java" / "org" / "hsitf" / "demo" / name for name in PLAIN]
    path = classpath(
        work / "classes",
        *jars,
        libraries / "junit-4.13.2.jar",
        libraries / "hamcrest-core-1.3.jar",
        libraries / ANDROID,
    )
    compiled([*java(CORE), *plain, *tests], path, work / "classes")
    preload = hosted(libraries, work)
    names = [test_class(test) for test in tests if test.stem.endswith("Test")]
    return run(
        "java",
        f"-Xmx{HEAP}",
        f"-Djava.library.path={work}",
        f"-Dfixtures={fixtures.resolve()}",
        "-cp",
        path,
        "org.junit.runner.JUnitCore",
        *names,
        env={"LD_PRELOAD": str(preload)},
    )


def test_class(source: Path) -> str:
    """Name of the class in a source file."""
    return ".".join(source.with_suffix("").parts[source.parts.index("org") :])


def hosted(libraries: Path, work: Path) -> Path:
    """Makes the Android library loadable here.

    Returns:
        What has to be preloaded.

    Raises:
        MissingError: There is no C compiler, or the machine is no Linux on x86-64.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise MissingError("the library that runs in these tests is for Linux on x86-64")
    need("gcc")
    with zipfile.ZipFile(libraries / f"{AARS[0]}.aar") as aar:
        library = unversioned(aar.read(f"jni/x86_64/{LIBRARY}"))
    (work / LIBRARY).write_bytes(library.replace(b"\0dlsym\0", b"\0dlsxm\0"))
    shim = work / "libbionic.so"
    run(
        "gcc",
        "-shared",
        "-fPIC",
        "-O1",
        "-fno-builtin",
        "-w",
        "-o",
        shim,
        HERE / "app" / "src" / "test" / "c" / "bionic.c",
        "-Wl,--no-as-needed",
        "-lm",
        "-ldl",
        "-lpthread",
    )
    return shim


def unversioned(library: bytes) -> bytes:
    """A 64-bit ELF library without needed libraries and versions of symbols; its code untouched."""
    changed = bytearray(library)
    (table,) = struct.unpack_from("<Q", changed, 32)
    (count,) = struct.unpack_from("<H", changed, 56)
    for number in range(count):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", changed, table + 56 * number)
        if kind == _DYNAMIC:
            entries = [struct.unpack_from("<QQ", changed, offset + at) for at in range(0, size, 16)]
            kept = [entry for entry in entries if entry[0] and entry[0] not in _DROPPED]
            kept += [(0, 0)] * (len(entries) - len(kept))
            for place, entry in enumerate(kept):
                struct.pack_into("<QQ", changed, offset + 16 * place, *entry)
    return bytes(changed)


if __name__ == "__main__":
    finish(main)
