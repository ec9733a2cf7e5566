"""The Android demo: its archives, its Java on a desktop JVM, and the APK."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import android_fixtures
import numpy as np
import pytest
from conftest import ROOT

import hsitf
from hsitf.errors import InputError
from hsitf.export.android import CUBE, DELTA, HEADER, MANIFEST, Counts, check_android, preview
from hsitf.export.bundle import Bundle
from hsitf.export.request import ExportRequest
from hsitf.export.variants import variant
from hsitf.figures import palette
from hsitf.runtimes import LiteRT, scan
from hsitf.scenes.patches import PatchSource

DEMO = ROOT / "android_demo"
CAO = ("--model", "cao", "--epochs", "8")
# Geometry: 24 bands are enough for he, whose patch of 7 leaves room for a random split only.
HE = ("--model", "he", "--split", "random", "--train", "60", "--epochs", "6")


def tool(name: str):
    """A module of android_demo/, which is no package."""
    sys.path.insert(0, str(DEMO))
    try:
        spec = importlib.util.spec_from_file_location(name, DEMO / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(DEMO))


def script(name: str, *words: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, DEMO / f"{name}.py", *map(str, words)], capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def archives(shell):
    """Archives of tiny networks; accuracy is not asked for."""
    for words, more in ((CAO, ("--tile", "8")), (HE, ("--float32",))):
        assert (done := shell("train", *words, *shell.SCENE)).returncode == 0, done.stderr
        done = shell(
            "export",
            *words[:-2],
            *shell.SCENE,
            "--int8",
            *more,
            "--android",
            "--max-drop",
            "100",
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        assert "For the Android demo: export/tiny/" in done.stdout
    folder = shell.folder / "export/tiny"
    return {
        "cao": folder / "cao/android-int8.zip",
        "he": folder / "he/android-int8.zip",
        "he-float32": folder / "he/android-float32.zip",
    }


def content(archive: Path, name: str) -> bytes:
    with zipfile.ZipFile(archive) as opened:
        return opened.read(name)


def manifest(archive: Path) -> dict:
    return json.loads(content(archive, MANIFEST))


# --- the archive


def test_whole_counts_stay_as_they_are():
    cube = np.array([[[0, 65535], [7, 8]]], np.float32)
    found = Counts.of(cube)
    assert (found.gain, found.offset, found.exact) == (1, 0, True)
    np.testing.assert_array_equal(found.counts, cube)
    below = Counts.of(cube - 3)
    assert (below.gain, below.offset, below.exact) == (1, -3, True)
    np.testing.assert_array_equal(below.values(), cube - 3)


@pytest.mark.parametrize("high", [1.0, 1e-20, 1e30, 70000.0])
def test_other_values_are_rounded_to_even_steps(high):
    cube = np.random.default_rng(0).uniform(-high, high, (5, 6, 7)).astype(np.float32)
    found = Counts.of(cube)
    assert not found.exact
    assert (found.counts.min(), found.counts.max()) == (0, 65535)
    assert np.abs(found.values() - cube).max() <= 0.51 * found.gain + 1e-6 * high


def test_a_constant_cube_is_a_cube():
    found = Counts.of(np.full((2, 2, 2), 0.3, np.float32))
    np.testing.assert_allclose(found.values(), np.float32(0.3))


def test_the_cubes_file_by_hand():
    cube = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    file = Counts.of(cube).file()
    assert file[:8] == b"HSICUBE1"
    assert struct.unpack_from("<iiiiff", file, 8) == (HEADER, 2, 3, 4, 1.0, 0.0)
    counts = np.frombuffer(file, "<u2", offset=HEADER).reshape(2, 4, 3)
    np.testing.assert_array_equal(counts[1, 2], cube[1, :, 2])


def test_differences_between_bands_by_hand():
    cube = np.array([[[5, 3, 65535], [0, 300, 1]]], np.float32)
    # Per band and col: 5 0, -2 300, -4 (65532 in 16 bits) -299.
    folded = np.array([10, 0, 3, 600, 7, 597])
    expected = [*(folded & 255), *(folded >> 8)]
    assert list(Counts.of(cube).delta()[HEADER:]) == expected


def test_the_manifest_knows_every_file(archives, tiny):
    for archive in archives.values():
        found = manifest(archive)
        with zipfile.ZipFile(archive) as opened:
            names = set(opened.namelist())
            assert names == {MANIFEST, DELTA, *found["sha256"]} - {CUBE}
            for name in names - {MANIFEST, DELTA}:
                digest = found["sha256"][name]
                assert hashlib.sha256(opened.read(name)).hexdigest() == digest
        assert (found["rows"], found["cols"], found["bands"]) == tiny.cube.shape
        assert [one["name"] for one in found["classes"]] == [f"class {n}" for n in range(1, 5)]
        assert found["classes"][0]["color"] == "#{:02x}{:02x}{:02x}".format(*palette(4)[0])
        truth = np.frombuffer(content(archive, "truth.u8"), np.uint8)
        np.testing.assert_array_equal(truth, tiny.labels.ravel())
        assert np.count_nonzero(np.frombuffer(content(archive, "sets.u8"), np.uint8) == 3) > 100


def test_the_cube_is_the_scene_to_the_bit(archives, tiny):
    counts = Counts.of(tiny.cube)
    assert content(archives["cao"], DELTA) == counts.delta()
    assert manifest(archives["cao"])["sha256"][CUBE] == hashlib.sha256(counts.file()).hexdigest()
    assert manifest(archives["cao"])["exact"] is True


def test_forms_are_the_bundles(archives, shell):
    forms = {form["kind"]: form for form in manifest(archives["cao"])["forms"]}
    for kind, name in (("patches", "int8"), ("tiles", "int8-tile8")):
        bundle = Bundle.open(shell.folder / "export/tiny/cao" / name)
        assert content(archives["cao"], forms[kind]["model"]) == bundle.file.read_bytes()
        assert json.loads(content(archives["cao"], forms[kind]["record"]))["tile"] == (
            bundle.record.tile
        )
    assert [form["kind"] for form in manifest(archives["he"])["forms"]] == ["patches"]


def test_the_map_is_computed_by_the_file(archives, shell, tiny):
    bundle = Bundle.open(shell.folder / "export/tiny/he/int8")
    source = PatchSource.from_cube(bundle.record.normalizer.apply(tiny.cube), bundle.record.patch)
    expected = np.empty(1600, np.uint8)
    for places, logits in scan(LiteRT(bundle.file), source, np.arange(1600)):
        expected[places] = logits.argmax(axis=1) + 1
    found = np.frombuffer(content(archives["he"], "patches-map.u8"), np.uint8)
    np.testing.assert_array_equal(found, expected)


def test_the_same_export_makes_the_same_archive(archives, shell):
    with zipfile.ZipFile(archives["he"]) as opened:
        assert {info.date_time for info in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_preview_is_a_picture(tiny):
    assert preview(tiny).startswith(b"\x89PNG")


def test_other_files_than_tflite_are_rejected(shell):
    done = shell("export", "--model", "hu", *shell.SCENE, "--onnx", "--android", "--out", "none")
    assert done.returncode == InputError.status, done.stderr
    assert "this is for .tflite files" in done.stderr
    assert not (shell.folder / "none").exists()


def test_bands_reduced_outside_of_the_file_are_rejected():
    run = SimpleNamespace(
        reducer=lambda: SimpleNamespace(foldable=True, spec="pca:5"),
        record=SimpleNamespace(scene=SimpleNamespace(class_names=("a", "b"), images=())),
    )
    # By default floats are fused and integers are not.
    check_android(run, ExportRequest((variant("float32"),), android=True))
    for request in (
        ExportRequest((variant("int8"),), android=True),
        ExportRequest((variant("float32"),), fold_preprocessing=False, android=True),
    ):
        with pytest.raises(InputError, match="add --fold-preprocessing, or leave --android out"):
            check_android(run, request)
    check_android(run, ExportRequest((variant("int8"),), fold_preprocessing=True, android=True))


def test_files_with_folded_preprocessing_take_counts(archives, shell):
    done = shell(
        "export",
        *HE[:-2],
        *shell.SCENE,
        "--float32",
        "--fold-preprocessing",
        "--android",
        "--out",
        "fused",
    )
    assert done.returncode == 0, done.stderr
    archive = shell.folder / "fused/tiny/he/android-float32.zip"
    record = json.loads(content(archive, "patches-record.json"))
    assert record["folded_preprocessing"] == "normalization"
    assert set(record["normalizer"]["offset"]) == {0.0}


# --- Java


def java_sources(part: str) -> list[Path]:
    return sorted((DEMO / part).rglob("*.java"))


def test_the_core_knows_nothing_of_android():
    for source in java_sources("core/src/main"):
        found = re.findall(r"^import (?:static )?([\w.]+)", source.read_text(), re.MULTILINE)
        assert all(name.startswith(("java.", "org.json.")) for name in found), source


def test_only_what_minSdkVersion_has():  # noqa: N802
    for source in java_sources("core/src/main") + java_sources("app/src/main"):
        text = source.read_text()
        # Android has these from API 26 on; the dexer cannot translate lambdas.
        newer = r"java\.nio\.file|java\.time|String\.join|->|::|\bvar "
        assert not re.search(newer, text), source


def skip_where_missing(done: subprocess.CompletedProcess) -> None:
    lines = done.stderr.strip().splitlines()
    if done.returncode and lines and re.search(r"as root: apt-get|cannot be reached", done.stderr):
        pytest.skip(lines[0])


def test_java_repeats_python_to_the_bit(archives, tmp_path):
    """JUnit: core, damaged bundles, and the maps of real files in the APK's own library."""
    android_fixtures.write(tmp_path)
    for name, archive in archives.items():
        (tmp_path / f"{name}.zip").write_bytes(archive.read_bytes())
    done = script("check", tmp_path)
    skip_where_missing(done)
    assert done.returncode == 0, done.stderr[-4000:]
    (count,) = re.findall(r"^OK \((\d+) tests\)", done.stdout, re.MULTILINE)
    assert int(count) >= 35


def test_the_desktop_library_differs_in_its_dynamic_section_only():
    unversioned = tool("check").unversioned
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    program = struct.pack("<IIQQQQQQ", 2, 6, 120, 120, 120, 64, 64, 8)
    entries = [(1, 5), (5, 40), (0x6FFFFFFE, 7), (0, 0)]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    found = unversioned(header + program + dynamic + b"code")
    kept = [struct.unpack_from("<QQ", found, 120 + 16 * n) for n in range(4)]
    assert kept == [(5, 40), (0, 0), (0, 0), (0, 0)]
    assert found[:120] == header + program
    assert found.endswith(b"code")


# --- the APK


@pytest.fixture(scope="module")
def apk(archives, tmp_path_factory):
    path = tmp_path_factory.mktemp("apk") / "demo.apk"
    done = script("build", archives["cao"], path)
    skip_where_missing(done)
    assert done.returncode == 0, done.stderr
    return path


def classes_of_dex(dex: bytes) -> set[str]:
    """Names of the classes that a .dex file defines."""
    strings, types = (struct.unpack_from("<I", dex, at)[0] for at in (60, 68))
    count, defined = struct.unpack_from("<II", dex, 96)
    names = set()
    for number in range(count):
        (kind,) = struct.unpack_from("<I", dex, defined + 32 * number)
        (name,) = struct.unpack_from("<I", dex, types + 4 * kind)
        (start,) = struct.unpack_from("<I", dex, strings + 4 * name)
        # Class names are short: their length takes one byte, or two.
        start += 2 if dex[start] & 0x80 else 1
        names.add(dex[start : dex.index(0, start)].decode())
    return names


def test_the_signature_holds(apk):
    done = subprocess.run(["apksigner", "verify", "-v", apk], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for scheme in ("v2", "v3"):
        assert re.search(rf"using {scheme} scheme .*: true", done.stdout)


def test_the_manifest(apk):
    done = subprocess.run(["aapt2", "dump", "badging", apk], capture_output=True, text=True)
    said = done.stdout
    assert f"package: name='org.hsitf.demo' versionCode='1' versionName='{hsitf.__version__}'" in (
        said
    )
    for line in ("sdkVersion:'24'", "targetSdkVersion:'36'", "application-debuggable"):
        assert line in said
    assert "launchable-activity: name='org.hsitf.demo.MainActivity'" in said
    assert "uses-permission" not in said
    assert "native-code: 'arm64-v8a' 'armeabi-v7a' 'x86_64'" in said


def test_benchmarks_are_started_by_the_shell_alone(apk):
    done = subprocess.run(
        ["aapt2", "dump", "xmltree", "--file", "AndroidManifest.xml", apk],
        capture_output=True,
        text=True,
    )
    (alias,) = done.stdout.split("E: activity-alias")[1:]
    assert ':name(0x01010003)=".Benchmarks"' in alias
    assert 'permission(0x01010006)="android.permission.DUMP"' in alias


def test_the_contents(apk, archives):
    whole = apk.read_bytes()
    with zipfile.ZipFile(apk) as opened:
        assert opened.testzip() is None
        names = set(opened.namelist())
        libraries = {name for name in names if name.startswith("lib/")}
        assert libraries == {
            f"lib/{abi}/lib{name}_jni.so"
            for abi in ("arm64-v8a", "armeabi-v7a", "x86_64")
            for name in ("tensorflowlite", "tensorflowlite_gpu")
        }
        assert {"AndroidManifest.xml", "classes.dex", "resources.arsc"} <= names
        assert opened.read("assets/demo.zip") == archives["cao"].read_bytes()
        # Android maps these as they lie; of the libraries it unpacks compressed ones.
        for name in ("resources.arsc", "assets/demo.zip"):
            info = opened.getinfo(name)
            assert info.compress_type == zipfile.ZIP_STORED
            lengths = struct.unpack_from("<HH", whole, info.header_offset + 26)
            assert (info.header_offset + 30 + sum(lengths)) % 4 == 0
    assert len(whole) < 15_000_000


def test_the_dexer_accepts_every_class(apk):
    with zipfile.ZipFile(apk) as opened:
        found = classes_of_dex(opened.read("classes.dex"))
    expected = set()
    work = ROOT / "build/android/apk"
    for jar in work.glob("*.jar"):
        with zipfile.ZipFile(jar) as opened:
            expected |= {name for name in opened.namelist() if name.endswith(".class")}
    compiled = {
        str(path.relative_to(work / "classes")) for path in (work / "classes").rglob("*.class")
    }
    assert len(expected) > 35
    assert len(compiled) > 35
    assert found == {f"L{name.removesuffix('.class')};" for name in expected | compiled}


def test_twice_the_same_bytes(apk, archives, tmp_path):
    again = tmp_path / "again.apk"
    assert script("build", archives["cao"], again).returncode == 0
    assert again.read_bytes() == apk.read_bytes()


def test_an_invalid_bundle_is_reported(tmp_path):
    done = script("build", tmp_path / "none.zip", tmp_path / "demo.apk")
    skip_where_missing(done)
    assert done.returncode == 1
    assert "is no archive" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_tools_are_named_with_their_packages(monkeypatch):
    tools = tool("tools")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(tools.MissingError, match="apt-get install aapt zipalign"):
        tools.need("aapt2", "zipalign")


def test_other_artifacts_than_pinned_are_rejected(tmp_path):
    tools = tool("tools")
    (tmp_path / "one.jar").write_bytes(b"exchanged")
    (tmp_path / "artifacts.sha256").write_text(f"{'0' * 64}  one.jar\n")
    with pytest.raises(tools.BuildError, match=r"one\.jar has another SHA-256"):
        tools.Artifacts(tmp_path / "pom.xml", "copy", tmp_path).fetched()


# --- the screen


@pytest.mark.slow
def test_the_screen_on_a_desktop(apk, archives, tmp_path):
    """Robolectric: rotation, background, cancel, dialogs, self-test, benchmark, in the APK."""
    (tmp_path / "he.zip").write_bytes(archives["he"].read_bytes())
    done = script("screens", tmp_path, apk, tmp_path / "pictures")
    skip_where_missing(done)
    assert done.returncode == 0, done.stderr[-4000:]
    assert re.search(r"^OK \(11 tests\)", done.stdout, re.MULTILINE)
    names = {path.stem for path in (tmp_path / "pictures").glob("*.png")}
    assert names == {"start", "running", "done", "landscape", "dialog"}
