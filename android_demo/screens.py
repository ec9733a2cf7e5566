"""Runs the app's screen on a desktop JVM: `python android_demo/screens.py FIXTURES APK PICTURES`.

Robolectric has Android's own views and draws them with Android's own library; resources and assets
are the APK's, and models run in its x86-64 library (see check.py). Of AndroidX Test, which is on
none of the registries that this project uses, stand-ins take what Robolectric tells it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from build import APP, CORE, RESOURCES, unpacked
from check import hosted
from tools import BUILD, DEMO, HERE, SCREENS, BuildError, classpath, finish, java, need, run

HEAP = "1500m"
TEST = "org.hsitf.demo.MainActivityTest"
ANDROID = "android-all-instrumented-14-robolectric-10818077-i7.jar"
FIXTURES = HERE / "core/src/test/java/org/hsitf/demo/core/Fixtures.java"


def main() -> None:
    """Runs the tests with what the command line names."""
    if len(sys.argv) != 4:
        raise BuildError("give the folder of the fixtures, the APK, and a folder for pictures")
    print(screens(*map(Path, sys.argv[1:])))


def screens(fixtures: Path, apk: Path, pictures: Path) -> str:
    """Compiles and runs the tests.

    Args:
        fixtures: Holds he.zip, an archive of `hsitf export --android`.
        apk: Built by build.py last; its bundle is the one that is classified.
        pictures: Gets the screen as PNG files, and the result of the benchmark.

    Returns:
        What JUnit printed.

    Raises:
        MissingError: A tool or an artifact is not here, or the machine is no Linux on x86-64.
        BuildError: A test failed, or something does not compile.
    """
    need("javac", "java")
    libraries, views = DEMO.fetched(), SCREENS.fetched()
    work = BUILD / "screens"
    shutil.rmtree(work, ignore_errors=True)
    for folder in (work / "classes", work / "com/android/tools", work / "android", pictures):
        folder.mkdir(parents=True, exist_ok=True)
    (work / "com/android/tools/test_config.properties").write_text(
        f"android_resource_apk={apk.resolve()}\n"
        f"android_merged_manifest={APP / 'AndroidManifest.xml'}\n"
        "android_custom_package=org.hsitf.demo\n"
    )
    (work / "android" / ANDROID).symlink_to(views / ANDROID)
    jars = [*unpacked(libraries, work)]
    jars += [path for path in sorted(views.glob("*.jar")) if path.name != ANDROID]
    jars += [libraries / "junit-4.13.2.jar", libraries / "hamcrest-core-1.3.jar"]
    path = classpath(work / "classes", work, *jars, libraries / RESOURCES)
    sources = [CORE, APP / "java", BUILD / "apk/gen", HERE / "screens/src"]
    run(
        "javac",
        "--release",
        "8",
        "-nowarn",
        "-encoding",
        "UTF-8",
        "-cp",
        path,
        "-d",
        work / "classes",
        *(file for folder in sources for file in java(folder)),
        FIXTURES,
    )
    preload = hosted(libraries, work)
    return run(
        "java",
        f"-Xmx{HEAP}",
        "--add-opens",
        "java.base/java.lang=ALL-UNNAMED",
        "-Drobolectric.offline=true",
        f"-Drobolectric.dependency.dir={work / 'android'}",
        f"-Djava.library.path={work}",
        f"-Dfixtures={fixtures.resolve()}",
        f"-Dresults={pictures.resolve()}",
        "-cp",
        path,
        "org.junit.runner.JUnitCore",
        TEST,
        env={"LD_PRELOAD": str(preload)},
    )


if __name__ == "__main__":
    finish(main)
