"""Files on a phone: the demo's benchmark, started and read through adb.

The app and its archives are those of `docs/android.md`. What comes back from a device is data
from elsewhere and is checked.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hsitf import records
from hsitf.bench.measured import Bench, Row
from hsitf.errors import DataError, InputError
from hsitf.export.android import MANIFEST
from hsitf.measure import Schedule
from hsitf.progress import Progress
from hsitf.records import ExportRecord

APK = Path("build/hsitf-demo.apk")
PACKAGE = "org.hsitf.demo"
DELEGATES = ("XNNPACK", "CPU", "GPU", "NNAPI")
ENGINE = "android"
# Seconds that a classification may take on the device, and that starting takes at most.
SECONDS = 30
PATIENCE = 90
_POLL = 1.0
_REMOTE = "/data/local/tmp/hsitf-bundle.zip"
_BUNDLE = "bundle.zip"


@dataclass(frozen=True)
class Wanted:
    """How a device measures.

    Attributes:
        apk: The app.
        serial: Of the device; None where only one is connected.
        delegates: By name.
        threads: Of each.
    """

    apk: Path = APK
    serial: str | None = None
    delegates: tuple[str, ...] = (DELEGATES[0],)
    threads: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        for delegate in self.delegates:
            if delegate not in DELEGATES:
                raise InputError(
                    f"unknown delegate {delegate!r}",
                    allowed=", ".join(DELEGATES),
                    remedy="name one of these",
                )
        if bad := [count for count in self.threads if not 1 <= count <= 64]:
            raise InputError("threads are out of range", received=bad[0], allowed="1 to 64")
        if not self.apk.is_file():
            raise InputError(
                f"there is no app at {self.apk}", remedy="build it with make apk, or name --apk"
            )


@dataclass(frozen=True)
class DeviceRow:
    """A form of a model on a device, as `Measured.java` writes it; times in milliseconds."""

    form: str
    model: str
    variant: str
    sha256: str
    delegate: str
    threads: int
    bytes: int
    runs: int
    first_ms: float
    p0_ms: float
    p25_ms: float
    p50_ms: float
    p75_ms: float
    p90_ms: float
    p99_ms: float
    p100_ms: float
    mean_ms: float
    std_ms: float
    begin_ms: float
    last_ms: float
    seconds: float
    pixels: int
    pixels_per_second: float
    peak_memory: int
    alike: int
    oa: float | None = None
    golden_outputs: int = 0
    golden_differing: int = 0
    golden_largest: float | None = None
    golden_cut_differing: int = -1


@dataclass(frozen=True)
class DeviceResult:
    """What a device found, as `Benchmark.java` writes it.

    Attributes:
        id: Of the request that it answers.
        device: Maker and model; `hardware`, `android`, `abi` and `cores` say more.
        runtime: Version of TensorFlow Lite in the app.
        rows: Each form, delegate and number of threads.
        refused: What could not be measured, and why.
    """

    format: int
    id: str
    device: str
    hardware: str
    android: str
    abi: str
    cores: int
    runtime: str
    rows: tuple[DeviceRow, ...]
    refused: tuple[str, ...]
    scene: str = ""
    synthetic: bool = False

    @property
    def name(self) -> str:
        """The device, in words."""
        return (
            f"{self.device} ({self.hardware}, {self.abi}), {self.cores} cores, "
            f"Android {self.android}"
        )


def archives(paths: Sequence[Path]) -> list[Path]:
    """The archives for the app under paths.

    Raises:
        InputError: There is none.
        DataError: A file that is named is none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            if not zipfile.is_zipfile(path):
                raise DataError(
                    f"{path} is no archive for the Android demo",
                    received="no zip file",
                    remedy="write one: python -m hsitf.export --model cao --int8 --android",
                )
            found.append(path)
        else:
            found += sorted(path.rglob("android-*.zip"))
    if not found:
        raise InputError(
            "nothing to measure on a device",
            received=", ".join(map(str, paths)),
            allowed="archives that export --android writes, or folders of them",
            remedy="write one: python -m hsitf.export --model cao --int8 --android",
        )
    return list(dict.fromkeys(found))


def measure(found: Sequence[Path], wanted: Wanted, progress: Progress) -> Bench:
    """Installs the app, pushes each archive, runs its benchmark and reads the result.

    Args:
        found: Archives.
        wanted: How.
        progress: Told what happens.

    Raises:
        InputError: There is no adb, no device or more than one, or the device refuses.
        DataError: An archive is damaged, or what the device says is not a result.
    """
    device = _device(wanted.serial)
    progress.start("measuring on the device", len(found))
    device.run("install", "-r", str(wanted.apk))
    rows: list[Row] = []
    for path in found:
        forms = _records(path)
        result = device.benchmark(path, wanted, len(forms))
        for text in result.refused:
            progress.say(f"{path.name}: {text}")
        for one in result.rows:
            progress.say(f"{_title(one)}: {_golden(one)}")
            rows.append(_row(path, one, result, forms))
        progress.advance(1, path.name)
    if not rows:
        raise DataError(
            "the device measured nothing",
            received="see above",
            remedy="name other delegates, or open the app and run its self-test",
        )
    # The app warms up once, and one form is done before the next.
    return Bench.of(rows, Schedule(1, max(row.runs for row in rows), 1))


@dataclass(frozen=True)
class Device:
    """A device that adb reaches.

    Attributes:
        adb: The program.
        serial: Of the device.
    """

    adb: str
    serial: str

    def run(self, *words: str, timeout: float = 300) -> str:
        """Runs an adb command; what it printed.

        Raises:
            InputError: It failed, or took too long.
        """
        command = [self.adb, "-s", self.serial, *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise InputError(
                f"adb {words[0]} did not end",
                received=f"{timeout:.0f} s",
                remedy="look at the device, which may ask for something",
            ) from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise InputError(
                f"adb {words[0]} failed",
                received=said,
                remedy="look at the device, which may ask for something",
            )
        return done.stdout

    def benchmark(self, path: Path, wanted: Wanted, forms: int) -> DeviceResult:
        """Runs the benchmark with an archive.

        Raises:
            InputError: The device refuses, or does not answer in time.
            DataError: Its answer is none.
        """
        name = uuid.uuid4().hex
        self.run("push", str(path), _REMOTE)
        self.run(
            "shell",
            f"run-as {PACKAGE} mkdir -p files && "
            f"cat {_REMOTE} | run-as {PACKAGE} sh -c 'cat > files/{_BUNDLE}'; rm -f {_REMOTE}",
        )
        self.run(
            "shell",
            "am",
            "start",
            "-S",
            "-W",
            "-n",
            f"{PACKAGE}/.MainActivity",
            "--ez",
            "benchmark",
            "true",
            "--es",
            "id",
            name,
            "--es",
            "bundle",
            _BUNDLE,
            "--es",
            "delegates",
            ",".join(wanted.delegates),
            "--es",
            "threads",
            ",".join(map(str, wanted.threads)),
            "--ei",
            "seconds",
            str(SECONDS),
        )
        runs = forms * len(wanted.delegates) * len(wanted.threads)
        until = time.monotonic() + PATIENCE + 2 * SECONDS * runs
        while time.monotonic() < until:
            time.sleep(_POLL)
            if (text := self._result()) is not None and f'"id":"{name}"' in text:
                return records.parse(DeviceResult, text.encode(), "what the device answered")
        raise InputError(
            "the device does not answer",
            received="no result of the benchmark",
            remedy=f"look at its log: adb -s {self.serial} logcat -s hsitf",
        )

    def _result(self) -> str | None:
        """The result that lies on the device, whosever it is; None where there is none."""
        try:
            return self.run("exec-out", "run-as", PACKAGE, "cat", "files/benchmark.json")
        except InputError:
            return None


def _device(serial: str | None) -> Device:
    adb = shutil.which("adb")
    if adb is None:
        raise InputError(
            "there is no adb to reach a device with",
            remedy="install it, on Debian as root with apt-get install adb",
        )
    done = subprocess.run([adb, "devices"], capture_output=True, text=True, timeout=60)
    lines = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    states = {name: state.strip() for name, state in lines}
    ready = [name for name, state in states.items() if state == "device"]
    told = ", ".join(f"{name} ({state})" for name, state in states.items()) or "none"
    if serial is not None and serial not in ready:
        raise InputError(f"there is no device {serial}", received=told, remedy="connect it")
    if serial is None and len(ready) != 1:
        raise InputError(
            "there is no device" if not ready else "there is more than one device",
            received=told,
            remedy="connect one, switch USB debugging on and allow this computer on its screen"
            if not ready
            else "name one with --serial",
        )
    return Device(adb, serial or ready[0])


def _records(path: Path) -> dict[str, tuple[ExportRecord, int]]:
    """By kind of form, the record in an archive, and bytes of its model there, deflated."""
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for form in json.loads(archive.read(MANIFEST))["forms"]:
                record = records.parse(ExportRecord, archive.read(form["record"]), str(path))
                found[form["kind"]] = record, archive.getinfo(form["model"]).compress_size
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{path} is no archive for the Android demo",
            received=str(error),
            remedy="write one: python -m hsitf.export --model cao --int8 --android",
        ) from error
    return found


def _title(one: DeviceRow) -> str:
    return f"{one.model} {one.variant}, {one.form}, {one.delegate}, {one.threads} threads"


def _golden(one: DeviceRow) -> str:
    alike = f"{one.alike:,} of {one.pixels:,} pixels as in the exporter's map"
    if not one.golden_differing:
        return f"golden vectors repeated to the bit, {alike}"
    return (
        f"{one.golden_differing} of {one.golden_outputs} golden outputs differ, by "
        f"{one.golden_largest} at most, {alike}"
    )


def _row(
    path: Path, one: DeviceRow, result: DeviceResult, forms: dict[str, tuple[ExportRecord, int]]
) -> Row:
    if one.form not in forms or forms[one.form][0].sha256 != one.sha256:
        raise DataError(
            "the device measured another model",
            received=_title(one),
            allowed=str(path),
            remedy="measure again",
        )
    record, zipped = forms[one.form]
    pixels = record.tile**2 or record.batch
    form = f"-dense{record.tile}" if record.tile else f"-batch{record.batch}" * (record.batch > 1)
    return Row(
        name=f"{record.model} {record.variant}{form}",
        path=str(path),
        format="tflite",
        network=record.model,
        variant=record.variant + form,
        scene=record.scene,
        synthetic=record.synthetic,
        engine=ENGINE,
        engine_name=f"TensorFlow Lite ({one.delegate})",
        version=result.runtime,
        threads=one.threads,
        processor=result.name,
        bytes=one.bytes,
        zipped=zipped,
        parameters=record.parameters,
        macs=record.macs,
        oa=one.oa,
        agreement=record.agreement,
        integer_share=record.integer_share,
        operators=sum(operator.count for operator in record.operators),
        delegates=None,
        delegated_share=None,
        first_ms=one.first_ms,
        p50_ms=one.p50_ms,
        p90_ms=one.p90_ms,
        p99_ms=one.p99_ms,
        min_ms=one.p0_ms,
        max_ms=one.p100_ms,
        mean_ms=one.mean_ms,
        std_ms=one.std_ms,
        begin_ms=one.begin_ms,
        last_ms=one.last_ms,
        spread=(one.p75_ms - one.p25_ms) / one.p50_ms,
        runs=one.runs,
        pixels_per_second=pixels / one.p50_ms * 1e3,
        memory=one.peak_memory,
    )
