"""Commands killed at every move into place and at random times, and then repeated.

After a kill, every published file is whole, and records describe the files beside them. After the
repetition, the folder holds what an undisturbed command leaves there, and nothing else.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT)]

from folder_contents import changed, damage, differences, pieces  # noqa: E402
from forked_commands import CommandForker  # noqa: E402
from killed_commands import PREPARATION, STUDY, KilledCommand  # noqa: E402

TIMEOUT_S = 300.0
# Kills at random times before a command may come to its end.
CHAIN = 4
# What most commands import, so that each takes its own time alone.
PRELOADED = (
    "hsitf.api",
    "hsitf.train.run",
    "hsitf.train.loop",
    "hsitf.export.pipeline",
    "hsitf.prune.curve",
    "hsitf.classify.run",
    "hsitf.bench.report",
    "hsitf.explain.run",
    "hsitf.report.make",
    "hsitf.compress.run",
    "hsitf.adopt.run",
    "scipy.io",
    "rasterio",
    "sklearn.svm",
    "sklearn.neighbors",
    "spectral.io.envi",
)


@dataclass
class Undisturbed:
    """What a command leaves that nobody kills.

    Attributes:
        moves: Number of its moves into place.
        seconds: Time that it takes.
        pieces: What its folder holds.
        volatile: What differs from one time to the next, such as times.
    """

    moves: int
    seconds: float
    pieces: dict[str, str]
    volatile: set[str]


@dataclass
class KillCount:
    """What came of the kills of a command.

    Attributes:
        kills: Number of kills.
        faults: What was wrong after a kill, or after the repetition.
    """

    kills: int = 0
    faults: list[str] = field(default_factory=list)


class KillSuite:
    """Kills commands in copies of one prepared folder.

    Args:
        place: A folder of its own.
        forker: What runs the commands.
    """

    def __init__(self, place: Path, forker: CommandForker) -> None:
        self.place, self.forker = place, forker
        self.template = place / "template"
        self._undisturbed: dict[tuple[KilledCommand, ...], Undisturbed] = {}
        self.env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_NUM_INTRAOP_THREADS": "1",
            "XDG_CONFIG_HOME": str(place / "configuration"),
            "TMPDIR": str(place / "temporary"),
        }
        (place / "temporary").mkdir(parents=True)

    def prepare(
        self,
        there: Path | None = None,
        commands: tuple[tuple[str, ...], ...] = PREPARATION,
    ) -> None:
        """Makes the folder that all commands start from copies of.

        Args:
            there: Where it lies already, or is kept for the next time.
            commands: What is typed in it, beside the scene that it holds.
        """
        if there is not None and there.is_dir():
            shutil.copytree(there, self.template)
            return
        from hsitf.scenes.synthetic import synthesize

        scene = synthesize("tiny", 40, 40, 24, 4, seed=0)
        self.template.mkdir()
        np.save(self.template / "tiny.npy", scene.cube)
        np.save(self.template / "labels.npy", scene.labels)
        (self.template / "small.toml").write_text(STUDY)
        for verb, *words in commands:
            done = self.forker.run(verb, tuple(words), self.template, self.env, TIMEOUT_S)
            if done.returncode:
                raise RuntimeError(f"{verb} {' '.join(words)}: {done.stderr}")
        if there is not None:
            shutil.copytree(self.template, there)

    def undisturbed(self, *commands: KilledCommand) -> Undisturbed:
        """What commands leave, one after the other, that nobody kills: of two tries."""
        if commands not in self._undisturbed:
            found, moves, seconds = [], 0, 0.0
            for _ in range(2):
                folder = self.copy()
                begin = time.monotonic()
                for command in dict.fromkeys(commands):
                    moves = self._typed(command, folder)
                seconds = time.monotonic() - begin
                found.append(pieces(folder))
                shutil.rmtree(folder.parent)
            self._undisturbed[commands] = Undisturbed(moves, seconds, found[0], changed(*found))
        return self._undisturbed[commands]

    def at_moves(self, command: KilledCommand, moves: list[tuple[int, bool]]) -> KillCount:
        """Kills a command at moves into place, each time in a new folder, and repeats it.

        Args:
            command: The command.
            moves: Number of the move, from 1, and whether the kill comes right after it.
        """
        count = KillCount()
        for at, after in moves:
            folder = self.copy()
            self._kill(command, folder, {"at": at, "after": after})
            when = f"{'after' if after else 'before'} move {at}"
            count.kills += 1
            self._check_whole(command, folder, when, count)
            self._check_repeated(command, folder, when, count)
        return count

    def at_random(self, command: KilledCommand, number: int, generator: random.Random) -> KillCount:
        """Kills a command at random times, several times in one folder, and then repeats it."""
        count = KillCount()
        while count.kills < number:
            folder, times = self.copy(), []
            while len(times) < min(CHAIN, number - count.kills):
                seconds = generator.uniform(0.05, max(0.1, self.undisturbed(command).seconds))
                try:
                    self.forker.run(command.verb, command.words, folder, self.env, seconds)
                except subprocess.TimeoutExpired:
                    times.append(f"{seconds:.2f} s")
                    self._check_whole(command, folder, times[-1], count)
                else:
                    break
            count.kills += len(times)
            self._check_repeated(command, folder, " and ".join(times), count)
        return count

    def _kill(self, command: KilledCommand, folder: Path, how: dict[str, object]) -> None:
        before = (HERE / "killing.py", {"count": str(self.place / "count"), **how})
        done = self.forker.run(command.verb, command.words, folder, self.env, TIMEOUT_S, before)
        if done.returncode != -9:
            raise RuntimeError(f"{command.title} was not killed: {done.returncode} {done.stderr}")

    def _check_whole(
        self, command: KilledCommand, folder: Path, when: str, count: KillCount
    ) -> None:
        count.faults += [f"{command.title}, {when}: {one}" for one in damage(folder)]

    def _check_repeated(
        self, command: KilledCommand, folder: Path, when: str, count: KillCount
    ) -> None:
        expected = self.undisturbed(command)
        try:
            self._typed(command, folder)
        except RuntimeError as error:
            count.faults.append(f"{command.title}, {when}: {error}")
        else:
            found = differences(expected.pieces, pieces(folder), expected.volatile)
            if found:
                count.faults.append(f"{command.title}, {when}: differs in {found[:6]}")
        shutil.rmtree(folder.parent)

    def _typed(self, command: KilledCommand, folder: Path) -> int:
        """Runs a command to its end; returns the number of its moves into place."""
        counter = self.place / "count"
        counter.write_text("0")
        before = (HERE / "killing.py", {"count": str(counter)})
        done = self.forker.run(command.verb, command.words, folder, self.env, TIMEOUT_S, before)
        if done.returncode and not (command.refusal and command.refusal in done.stderr):
            raise RuntimeError(f"status {done.returncode}: {done.stderr[-500:]}")
        return int(counter.read_text())

    def close(self) -> None:
        """Ends the process that runs the commands, and removes all folders."""
        self.forker.close()
        shutil.rmtree(self.place, ignore_errors=True)

    def copy(self) -> Path:
        """A new copy of the prepared folder."""
        folder = Path(tempfile.mkdtemp(dir=self.place)) / "user"
        # What is resumed may look at times.
        shutil.copytree(self.template, folder)
        return folder


def all_moves(moves: int) -> list[tuple[int, bool]]:
    """Before and after each of a number of moves."""
    return [(at, after) for at in range(1, moves + 1) for after in (False, True)]
