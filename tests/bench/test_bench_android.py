"""`python -m hsitf.bench --android`, with an adb that plays a phone."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

# A phone: what it is told is written down, what it answers follows from it and from its mood.
ADB = """#!{python}
import json, os, pathlib, re, sys
home, words = pathlib.Path(os.environ["PHONE"]), sys.argv[1:]
mood = os.environ.get("MOOD", "")
with (home / "told").open("a") as log:
    log.write(" ".join(words) + "\\n")
if words == ["devices"]:
    print("List of devices attached")
    for line in os.environ.get("DEVICES", "phone1 device").split(","):
        print(line.replace(" ", "\\t"))
    sys.exit()
assert words[:2] == ["-s", "phone1"], words
words = words[2:]
if words[0] == "install" and mood == "refusing":
    print("Failure [INSTALL_FAILED_USER_RESTRICTED]", file=sys.stderr)
    sys.exit(1)
if words[0] == "push":
    (home / "bundle.zip").write_bytes(pathlib.Path(words[1]).read_bytes())
if words[:2] == ["shell", "am"]:
    extras = dict(zip(words[words.index("-n") + 2 :], words[words.index("-n") + 3 :]))
    (home / "id").write_text(words[words.index("id") + 1])
if words[0] == "exec-out":
    if not (home / "id").exists():
        sys.exit(1)
    answer = json.loads((home / "answer.json").read_text())
    answer["id"] = (home / "id").read_text()
    if mood == "babbling":
        answer["rows"] = [{{"form": "patches"}}]
    if mood == "mistaken":
        answer["rows"][0]["sha256"] = "0"
    if mood == "unable":
        answer["rows"], answer["refused"] = [], ["GPU cannot be measured here"]
    print(json.dumps(answer, separators=(",", ":")))
"""


@pytest.fixture(scope="module")
def archive(shell):
    hu = ("--model", "hu", *shell.SCENE)
    assert (done := shell("train", *hu, "--epochs", "2")).returncode == 0, done.stderr
    done = shell("export", *hu, "--int8", "--android", "--max-drop", "100")
    assert done.returncode == 0, done.stderr
    return shell.folder / "export/tiny/hu/android-int8.zip"


def answer(record: dict) -> dict:
    times = dict.fromkeys(
        [f"p{q}_ms" for q in (0, 25, 75, 90, 99, 100)] + ["mean_ms", "begin_ms", "last_ms"], 0.5
    )
    row = {
        "form": "patches",
        "model": "hu",
        "variant": "int8",
        "sha256": record["sha256"],
        "delegate": "XNNPACK",
        "threads": 2,
        "bytes": record["bytes"],
        "runs": 1599,
        "first_ms": 3.5,
        **times,
        "p50_ms": 0.25,
        "p90_ms": 0.75,
        "std_ms": 0.1,
        "seconds": 2.0,
        "pixels": 1600,
        "pixels_per_second": 800.0,
        "peak_memory": 90_000_000,
        "oa": 0.75,
        "alike": 1599,
        "golden_outputs": 64,
        "golden_differing": 1,
        "golden_largest": 1,
        "golden_cut_differing": 0,
    }
    return {
        "format": 1,
        "device": "Maker Phone",
        "hardware": "soc",
        "android": "15 (API 35)",
        "abi": "arm64-v8a",
        "cores": 8,
        "runtime": "2.16.1",
        "scene": "tiny",
        "synthetic": False,
        "rows": [row],
        "refused": [],
    }


@pytest.fixture
def phone(shell, archive, tmp_path):
    """Types `hsitf bench --android` where an adb plays a phone in a mood."""
    adb = tmp_path / "bin/adb"
    adb.parent.mkdir()
    adb.write_text(ADB.format(python=sys.executable))
    adb.chmod(adb.stat().st_mode | stat.S_IXUSR)
    record = json.loads((shell.folder / "export/tiny/hu/int8/record.json").read_text())
    (tmp_path / "answer.json").write_text(json.dumps(answer(record)))
    (tmp_path / "demo.apk").write_bytes(b"an app")

    def bench(*words: str, path: str | None = None, **mood: str) -> subprocess.CompletedProcess:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PHONE": str(tmp_path), **mood}
        env["PATH"] = path if path is not None else f"{adb.parent}:{os.environ['PATH']}"
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "hsitf.bench",
                "--android",
                "--apk",
                tmp_path / "demo.apk",
                "--out",
                tmp_path / "results",
                *words,
            ],
            cwd=shell.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=240,
        )

    return bench


def test_a_phone_is_measured(phone, tmp_path, archive):
    done = phone("export/tiny", "--threads", "2")
    assert done.returncode == 0, done.stderr
    (record,) = (tmp_path / "results").glob("bench-*.json")
    (row,) = json.loads(record.read_text())["rows"]
    assert (row["name"], row["engine"], row["threads"]) == ("hu int8", "android", 2)
    assert row["engine_name"] == "TensorFlow Lite (XNNPACK)"
    assert row["version"] == "2.16.1"
    assert (row["p50_ms"], row["p90_ms"], row["oa"]) == (0.25, 0.75, 0.75)
    assert row["pixels_per_second"] == 4000
    assert row["processor"] == "Maker Phone (soc, arm64-v8a), 8 cores, Android 15 (API 35)"
    assert "TensorFlow Lite (XNNPACK)" in done.stdout
    assert "1 of 64 golden outputs differ, by 1.0 at most, 1,599 of 1,600" in done.stderr
    assert (tmp_path / "bundle.zip").read_bytes() == archive.read_bytes()
    told = (tmp_path / "told").read_text()
    assert f"install -r {tmp_path / 'demo.apk'}" in told
    assert "am start -S -W -n org.hsitf.demo/.Benchmarks --ez benchmark true" in told
    assert "--es delegates XNNPACK --es threads 2" in told


@pytest.mark.parametrize(
    ("mood", "words", "message", "status"),
    [
        ({"DEVICES": "phone1 unauthorized"}, (), "there is no device; received: phone1 (un", 2),
        ({"DEVICES": "phone1 device,phone2 device"}, (), "name one with --serial", 2),
        ({}, ("--serial", "other"), "there is no device other; received: phone1 (device)", 2),
        ({}, ("--delegate", "TPU"), "unknown delegate 'TPU'; allowed: XNNPACK, CPU, GPU", 2),
        ({}, ("--apk", "none.apk"), "there is no app at none.apk; build it with make apk", 2),
        ({}, ("nowhere",), "export --model cao --int8 --android", 2),
        ({}, ("tiny.npy",), "tiny.npy is not an archive for the Android demo", 3),
        ({"MOOD": "refusing"}, (), "adb install failed; received: Failure [INSTALL_FAILED", 2),
        ({"MOOD": "babbling"}, (), "what the device answered is not a DeviceResult", 3),
        ({"MOOD": "mistaken"}, (), "the device measured another model", 3),
        ({"MOOD": "unable"}, (), "GPU cannot be measured here", 3),
    ],
)
def test_impossible_requests_are_rejected(phone, tmp_path, mood, words, message, status):
    done = phone(*(words or ("export/tiny",)), **mood)
    assert message in done.stderr.replace("\n", " ")
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_without_adb_the_remedy_is_named(phone, tmp_path):
    done = phone("export/tiny", path=str(Path(sys.executable).parent))
    assert done.returncode == 2
    assert "there is no adb to reach a device with" in done.stderr
    assert "apt-get install adb" in done.stderr
