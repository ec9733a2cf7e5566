"""Benchmarks files on an Android device: runs the demo's benchmark through adb.

The app and its archives are documented in `docs/how-to/android.md`. Results of a device are
untrusted data and are validated.
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
from hsitf.array_files import DAMAGE
from hsitf.bench.measurement import BenchResult, BenchRow
from hsitf.errors import DataError, HsitfError, InputError
from hsitf.export.android import MANIFEST
from hsitf.export.bundle import form_suffix
from hsitf.measure import MeasurementSchedule
from hsitf.progress import Progress
from hsitf.ranges import Amount, Count, Share
from hsitf.records import ExportRecord

APK = Path("build/hsitf-demo.apk")
PACKAGE = "org.hsitf.demo"
DELEGATES = ("XNNPACK", "CPU", "GPU", "NNAPI")
ENGINE = "android"
# Time limits of a classification on the device and of starting the app, in seconds.
SECONDS = 30
START_TIMEOUT = 90
# A manifest or record of an archive takes some kilobytes.
MAX_TEXT = 16 << 20
_POLL = 1.0
_REMOTE = "/data/local/tmp/hsitf-bundle.zip"
_BUNDLE = "bundle.zip"


@dataclass(frozen=True)
class DeviceMeasurement:
    """Settings of a benchmark on a device.

    Attributes:
        apk: Path of the app.
        serial: Serial number of the device; None where only one is connected.
        delegates: Names of the delegates to measure.
        threads: Numbers of threads to measure each delegate with.

    Raises:
        InputError: A delegate is unknown, a number is out of range, or there is no app.
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
    """Measurements of a model on a device, as `Measured.java` writes them; times in ms."""

    form: str
    model: str
    variant: str
    sha256: str
    delegate: str
    threads: Count
    bytes: Count
    runs: Count
    first_ms: Amount
    p0_ms: Amount
    p25_ms: Amount
    p50_ms: Amount
    p75_ms: Amount
    p90_ms: Amount
    p99_ms: Amount
    p100_ms: Amount
    mean_ms: Amount
    std_ms: Amount
    begin_ms: Amount
    last_ms: Amount
    seconds: Amount
    pixels: Count
    pixels_per_second: Amount
    peak_memory: Count
    alike: Count
    oa: Share | None = None
    golden_outputs: Count = 0
    golden_differing: Count = 0
    golden_largest: float | None = None
    golden_cut_differing: int = -1


@dataclass(frozen=True)
class DeviceResult:
    """Result of a device, as `Benchmark.java` writes it.

    Attributes:
        format: Version of the format.
        id: Identifier of the request that it answers.
        device: Manufacturer and model.
        hardware: Name of the hardware.
        android: Version of Android.
        abi: Binary interface, such as arm64-v8a.
        cores: Number of processor cores.
        runtime: Version of TensorFlow Lite in the app.
        rows: Measurements by input form, delegate and number of threads.
        refused: Configurations that could not be measured, with reasons.
        scene: Name of the scene.
        synthetic: True where the scene was generated.
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
        """Description of the device."""
        return (
            f"{self.device} ({self.hardware}, {self.abi}), {self.cores} cores, "
            f"Android {self.android}"
        )


def archives(paths: Sequence[Path]) -> list[Path]:
    """Finds the app's archives under paths.

    Raises:
        InputError: There is none.
        DataError: A named file is not an archive.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_file():
            if not zipfile.is_zipfile(path):
                raise DataError(
                    f"{path} is not an archive for the Android demo",
                    received="not a zip file",
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


def measure_on_device(
    found: Sequence[Path], wanted: DeviceMeasurement, progress: Progress
) -> BenchResult:
    """Installs the app, pushes each archive, runs its benchmark and reads the result.

    Args:
        found: Paths of the archives.
        wanted: Settings of the benchmark.
        progress: Receives progress messages.

    Raises:
        InputError: There is no adb, no device or more than one, or the device refuses.
        DataError: An archive is damaged, or the device's answer is not a result.
    """
    device = _device(wanted.serial)
    progress.start("measuring on the device", len(found))
    device.run("install", "-r", str(wanted.apk))
    rows: list[BenchRow] = []
    for path in found:
        forms = _records(path)
        result = device.benchmark(path, wanted, len(forms))
        for text in result.refused:
            progress.say(f"{path.name}: {text}")
        for one in result.rows:
            row = _row(path, one, result, forms)
            progress.say(f"{_title(one)}: {_golden(one, forms[one.form][0])}")
            rows.append(row)
        progress.advance(1, path.name)
    if not rows:
        raise DataError(
            "the device measured nothing",
            received="see above",
            remedy="name other delegates, or open the app and run its self-test",
        )
    # The app warms up once, and measures one input form after the other.
    return BenchResult.of(rows, MeasurementSchedule(1, max(row.runs for row in rows), 1))


@dataclass(frozen=True)
class Device:
    """A device connected through adb.

    Attributes:
        adb: Path of adb.
        serial: Serial number of the device.
    """

    adb: str
    serial: str

    def run(self, *words: str, timeout: float = 300) -> str:
        """Runs an adb command and returns its output.

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
            message = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise InputError(
                f"adb {words[0]} failed",
                received=message,
                remedy="look at the device, which may ask for something",
            )
        return done.stdout

    def benchmark(self, path: Path, wanted: DeviceMeasurement, forms: int) -> DeviceResult:
        """Runs the benchmark with an archive.

        Raises:
            InputError: A command fails, or the device does not answer in time.
            DataError: The answer is not a result.
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
            f"{PACKAGE}/.Benchmarks",
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
        until = time.monotonic() + START_TIMEOUT + 2 * SECONDS * runs
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
        """The result stored on the device, of any request; None where there is none."""
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
    connected = ", ".join(f"{name} ({state})" for name, state in states.items()) or "none"
    if serial is not None and serial not in ready:
        raise InputError(f"there is no device {serial}", received=connected, remedy="connect it")
    if serial is None and len(ready) != 1:
        raise InputError(
            "there is no device" if not ready else "there is more than one device",
            received=connected,
            remedy="connect one, switch USB debugging on and allow this computer on its screen"
            if not ready
            else "name one with --serial",
        )
    return Device(adb, serial or ready[0])


def _records(path: Path) -> dict[str, tuple[ExportRecord, int]]:
    """Records in an archive and deflated sizes of their models, by input form."""
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for form in json.loads(_member(archive, MANIFEST))["forms"]:
                record = records.parse(ExportRecord, _member(archive, form["record"]), str(path))
                found[form["kind"]] = record, archive.getinfo(form["model"]).compress_size
    except HsitfError:
        # A record that cannot be read explains itself.
        raise
    except DAMAGE as error:
        raise DataError(
            f"{path} is not an archive for the Android demo",
            received=str(error),
            remedy="write one: python -m hsitf.export --model cao --int8 --android",
        ) from error
    return found


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The content of a text in an archive, which may say of itself to be larger than any is."""
    size = archive.getinfo(name).file_size
    if size > MAX_TEXT:
        raise ValueError(f"{name} of {size:,} bytes; {MAX_TEXT:,} at most")
    return archive.read(name)


def _title(one: DeviceRow) -> str:
    return f"{one.model} {one.variant}, {one.form}, {one.delegate}, {one.threads} threads"


def _golden(one: DeviceRow, record: ExportRecord) -> str:
    alike = f"{one.alike:,} of {one.pixels:,} pixels as in the exporter's map"
    if not one.golden_differing:
        return f"golden vectors repeated to the bit, {alike}"
    return (
        f"{one.golden_differing} of {one.golden_outputs} golden outputs differ, by "
        f"{one.golden_largest} at most, {alike}{_tolerance(record)}"
    )


def _tolerance(record: ExportRecord) -> str:
    if record.golden is None:
        return ""
    return f"; the exporter's other kernels differ by {record.golden.largest:g} at most"


def _row(
    path: Path, one: DeviceRow, result: DeviceResult, forms: dict[str, tuple[ExportRecord, int]]
) -> BenchRow:
    if one.form not in forms or forms[one.form][0].sha256 != one.sha256:
        raise DataError(
            "the device measured another model",
            received=_title(one),
            allowed=str(path),
            remedy="measure again",
        )
    record, zipped = forms[one.form]
    pixels = record.tile**2 or record.batch
    form = form_suffix(record.batch, record.tile)
    return BenchRow(
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
        zipped_bytes=zipped,
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
        peak_memory_bytes=one.peak_memory,
    )
