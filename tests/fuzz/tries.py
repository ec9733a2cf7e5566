"""One damaged input after the other, read in forked children that are watched.

A child reads many inputs in a row. It is ended and replaced where one hangs or crashes it. What
counts as a fault is said at `Fault`; everything else is an input that was read, or one that was
refused with a message.
"""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import mutators

from hsitf import hdf5_trial, litert_trial

SECONDS = 20
"""Processor time that reading one input may take."""

WAITING = 6 * SECONDS
"""Time on the clock, which other work on the machine uses, too: what waits for ever ends here."""

GROWTH = 1.2
"""How often the memory of reading the honest input a damaged one may take."""

FLOOR = 64 << 20
"""Bytes on top of it. Small inputs take less than a megabyte, so that what a library loads for
the first message or the first figure would count as growth: of 25,000 tries none took more than
39 MB. A file that is unpacked or a header that is believed takes far more."""

# What ends a child before it takes the whole machine. Not the measure: that is `GROWTH`.
_ADDRESS_SPACE = 4 << 30
_FILE_SIZE = 512 << 20
# A child that has read as many is replaced, since libraries keep what they have read.
_TRIES_OF_A_CHILD = 200
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect")
_CHANGING = ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.chmod")
# Files that may end their reader, or take its memory, are tried in processes of their own.
_TRIALS = (hdf5_trial.PROGRAM, litert_trial.PROGRAM)
_DEVICES = ("/dev/null", "/dev/tty", "/proc/self")

# The mistakes a user can make, and nothing else, are errors that the program expects.
Expected = tuple[type[BaseException], ...]


@dataclass(frozen=True)
class InputKind:
    """A kind of input that a verb or the API reads.

    Attributes:
        name: What it is called in tables.
        path: The file that is damaged, below the folder that `make` fills.
        make: Writes honest inputs into an empty folder, the same ones each time.
        read: Reads them from that folder; what it writes goes to the current folder.
        mutators: Kinds of damage that fit.
        weight: Share of the tries, where most kinds have 1.
        expected: Errors that refuse an input, besides the program's own.
        here: Whether its folder is the current one, where outputs go, too.
    """

    name: str
    path: str
    make: Callable[[Path], None]
    read: Callable[[Path], object]
    mutators: Sequence[mutators.Mutator]
    weight: float = 1.0
    expected: Expected = ()
    here: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a try.

    Attributes:
        kind: Name of the kind.
        seed: Seed of the damage.
        damage: What the damage was.
        result: "read", "refused", or what kind of fault it is: "traceback", "hang", "growth",
            "crash", "outside" (a file outside of the output folder, a program that was started, a
            connection) or "leftover" (a file that a refused input left behind, or changed).
        detail: The message, the last lines of the traceback, or what was written where.
        seconds: Processor time that it took.
        memory: By how many bytes the process grew at most.
    """

    kind: str
    seed: int
    damage: str
    result: str
    detail: str = ""
    seconds: float = 0.0
    memory: int = 0

    @property
    def is_fault(self) -> bool:
        """Whether the program did what it must not do."""
        return self.result not in ("read", "refused")


def damaged(kind: InputKind, honest: Path, seed: int) -> tuple[bytes, str]:
    """The damaged content of a kind's file for a seed, and what was done to it."""
    random = Random(f"{kind.name} {seed}")
    return mutators.damage((honest / kind.path).read_bytes(), kind.mutators, random)


def attempt(kind: InputKind, honest: Path, seeds: Sequence[int]) -> Iterator[Outcome]:
    """Reads a damaged input for each seed.

    Args:
        kind: What is read.
        honest: Folder that `kind.make` has filled.
        seeds: Seeds of the damage.

    Yields:
        What came of each, in their order.

    Raises:
        RuntimeError: The honest input itself cannot be read.
    """
    left = list(seeds)
    while left:
        found = _in_a_child(kind, honest, left[:_TRIES_OF_A_CHILD])
        for one in found:
            left.remove(one.seed)
            yield one


def _in_a_child(kind: InputKind, honest: Path, seeds: Sequence[int]) -> Iterator[Outcome]:
    """Outcomes of the first seeds, as far as one child gets."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(source)
            _child(kind, honest, seeds, os.fdopen(sink, "w"))
            status = 0
        finally:
            # Without the ends of libraries, which may take long or crash themselves.
            os._exit(status)
    os.close(sink)
    started: dict[str, Any] | None = None
    lines = _Lines(source)
    try:
        while True:
            line = lines.next(WAITING)
            if line is None:
                os.kill(child, signal.SIGKILL)
                break
            if not line:
                break
            told = json.loads(line)
            if "result" in told:
                yield Outcome(**told)
                started = None
            elif "broken" in told:
                raise RuntimeError(f"the honest input of {kind.name!r}: {told['broken']}")
            else:
                started = told
    finally:
        os.close(source)
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if started is not None:
        hangs = code == -signal.SIGKILL
        detail = f"longer than {WAITING} s" if hangs else f"status {code}"
        yield Outcome(**started, result="hang" if hangs else "crash", detail=detail)
    elif code:
        raise RuntimeError(f"the child that reads {kind.name!r} ended with status {code}")


class _Lines:
    """Lines of a pipe, waited for for a time."""

    def __init__(self, source: int) -> None:
        self._source, self._kept = source, b""

    def next(self, seconds: float) -> str | None:
        """The next line; empty at the end, None where none came in time."""
        end = time.monotonic() + seconds
        while b"\n" not in self._kept:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._source], [], [], left)[0]:
                return None
            piece = os.read(self._source, 1 << 16)
            if not piece:
                return ""
            self._kept += piece
        line, _, self._kept = self._kept.partition(b"\n")
        return line.decode()


# --- in the child -----------------------------------------------------------------------------


def _child(kind: InputKind, honest: Path, seeds: Sequence[int], answers: Any) -> None:
    def tell(**facts: object) -> None:
        print(json.dumps(facts), file=answers, flush=True)

    # Who ends the whole sends this to the children, too, whose parent ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    # Beside the honest input, where its maker removes what a killed child leaves.
    with tempfile.TemporaryDirectory(dir=honest.parent, prefix="child-") as place:
        sandbox = _Sandbox(Path(place), honest, kind.here)
        watch = _Watch(sandbox.root)
        try:
            # Once for what is imported and loaded with the first input, once to be measured.
            _read(kind, sandbox)
            sandbox.clear()
            before = _resident(reset=True)
            _read(kind, sandbox)
            allowed = GROWTH * max(_peak() - before, 0) + FLOOR
        except BaseException:
            tell(broken=traceback.format_exc()[-2000:])
            return
        sandbox.clear()
        _limit(resource.RLIMIT_AS, _status("VmSize") + _ADDRESS_SPACE)
        _limit(resource.RLIMIT_FSIZE, _FILE_SIZE)
        for seed in seeds:
            content, damage = damaged(kind, honest, seed)
            facts = {"kind": kind.name, "seed": seed, "damage": damage}
            tell(**facts)
            outcome = _one(kind, sandbox, watch, content, allowed, facts)
            tell(**asdict(outcome))
            sandbox.clear()


def _one(
    kind: InputKind,
    sandbox: _Sandbox,
    watch: _Watch,
    content: bytes,
    allowed: float,
    facts: dict[str, Any],
) -> Outcome:
    sandbox.put(kind.path, content)
    watch.start()
    before, start = _resident(reset=True), time.process_time()
    # A hang in Python ends in a traceback that says where it is.
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    result, detail = "read", ""
    try:
        try:
            _read(kind, sandbox)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except _TooLongError:
        result, detail = "hang", _where()
    except kind.expected as error:
        result, detail = "refused", str(error)
    except BaseException as error:
        result, detail = ("refused", str(error)) if _is_message(error) else ("traceback", _where())
    seconds, memory = time.process_time() - start, max(_peak() - before, 0)
    found = watch.stop()
    if result in ("read", "refused"):
        if memory > allowed:
            result, detail = "growth", f"{memory >> 20} MB of {int(allowed) >> 20}: {detail}"
        elif found:
            result, detail = "outside", "; ".join(found)
        elif left := sandbox.leftovers(refused=result == "refused"):
            result, detail = "leftover", f"{', '.join(left)}: {detail}"
    return Outcome(**facts, result=result, detail=detail[-1500:], seconds=seconds, memory=memory)


def _read(kind: InputKind, sandbox: _Sandbox) -> None:
    os.chdir(sandbox.out)
    kind.read(sandbox.given)


def _is_message(error: BaseException) -> bool:
    from hsitf.errors import HsitfError

    return isinstance(error, HsitfError)


def _where() -> str:
    return traceback.format_exc()


class _TooLongError(BaseException):
    """Reading takes too long; no library that catches exceptions is to swallow it."""


def _too_long(number: int, frame: object) -> None:
    raise _TooLongError


class _Sandbox:
    """The folders of a child: what is given, where it works, its home and its temporary files.

    Args:
        root: An empty folder.
        honest: What is given.
        here: Whether that is also where it works.
    """

    def __init__(self, root: Path, honest: Path, here: bool) -> None:
        self.root, self._honest = root, honest
        self.given = root / "given"
        self.out = self.given if here else root / "out"
        shutil.copytree(honest, self.given, symlinks=True)
        for name, variables in (
            ("out", ()),
            ("home", ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HSITF_DATA", "MPLCONFIGDIR")),
            ("tmp", ("TMPDIR",)),
        ):
            (root / name).mkdir()
            for variable in variables:
                os.environ[variable] = str(root / name)
        tempfile.tempdir = str(root / "tmp")
        sys.dont_write_bytecode = True
        self._kept = self._listed()

    def put(self, path: str, content: bytes) -> None:
        """Writes a damaged file in the place of the honest one."""
        (self.given / path).write_bytes(content)
        self._kept = self._listed()

    def leftovers(self, refused: bool) -> list[str]:
        """Files that ought not to be there now, or not to have changed."""
        changed = {name for name, _ in self._listed() ^ self._kept}
        if refused:
            return sorted(changed)
        # Of what is complete, all outside of the output folder; in it, parts on the way.
        place = os.path.relpath(self.out, self.root) + os.sep
        return sorted(
            name
            for name in changed
            if not name.startswith(place) or "/." in name or name.endswith((".part", ".tmp"))
        )

    def clear(self) -> None:
        """Makes everything as it was."""
        if self._listed() == self._kept:
            return
        os.chdir(self.root)
        for name in ("given", "out", "home", "tmp"):
            shutil.rmtree(self.root / name)
            if name == "given":
                shutil.copytree(self._honest, self.given, symlinks=True)
            else:
                (self.root / name).mkdir()
        self._kept = self._listed()

    def _listed(self) -> set[tuple[str, int]]:
        """Names of all files and folders, files with the time of their last change."""
        found = set()
        for folder, folders, names in os.walk(self.root):
            place = os.path.relpath(folder, self.root)
            found |= {(os.path.join(place, name), 0) for name in folders}
            for name in names:
                facts = os.lstat(os.path.join(folder, name))
                found.add((os.path.join(place, name), facts.st_mtime_ns))
        return found


class _Watch:
    """Notes what Python writes outside of the sandbox, runs, or connects to."""

    def __init__(self, root: Path) -> None:
        self._inside = (str(root), str(root.resolve()), *_DEVICES)
        self._on, self._found = False, set[str]()
        sys.addaudithook(self._hear)

    def start(self) -> None:
        """From now on."""
        self._on, self._found = True, set()

    def stop(self) -> list[str]:
        """What was noted."""
        self._on = False
        return sorted(self._found)

    def _hear(self, event: str, facts: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "subprocess.Popen" and facts[1][1:2] == ["-c"] and facts[1][2] in _TRIALS:
            return
        if event in _STARTING:
            self._found.add(f"{event} {facts[:2]!r}"[:200])
        elif event == "open":
            path, mode, flags = facts
            writes = isinstance(flags, int) and flags & _WRITING
            if writes or any(letter in str(mode or "") for letter in "wax+"):
                self._check(event, path)
        elif event in _CHANGING:
            for path in facts[: 2 if event in ("os.rename", "os.link") else 1]:
                self._check(event, path)

    def _check(self, event: str, path: Any) -> None:
        if isinstance(path, int):
            return
        whole = os.path.abspath(os.fsdecode(path))
        if not whole.startswith(self._inside):
            self._found.add(f"{event} {whole}"[:200])


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (value if hard < 0 else min(value, hard), hard))


def _resident(reset: bool) -> int:
    """Bytes of this process in memory; from now on its peak is counted anew."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    raise RuntimeError(f"no {name} in /proc/self/status")
