"""Types commands in hostile environments, and prints a table of verbs and environments.

    python tests/kill/hostile.py

Each has to end well, or with one message and a status, and leaves nothing half-written. As root,
folders that are read-only or nearly full are mounted.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from environments import ENVIRONMENTS
from folder_contents import damage
from kill_suite import HERE, PRELOADED, TIMEOUT_S, CommandForker, KillSuite
from killed_commands import COMMANDS, KilledCommand

# Status of a command that a signal ends.
STATUS = {"SIGINT": 130, "SIGTERM": 143}
MOUNTED = ("read-only", "full disk")
# Bytes that are left on a nearly full disk.
ROOM = 24_000


def faults(
    suite: KillSuite, command: KilledCommand, kind: str, seconds: float = 0.0
) -> tuple[str, list[str]]:
    """The message of a command in an environment, and what is wrong with how it ended.

    Args:
        suite: Has the folder that the command is typed in a copy of.
        command: The command.
        kind: Name of the environment.
        seconds: When a signal comes.
    """
    with _folder(suite, kind) as folder:
        before = _names(folder)
        try:
            done = suite.forker.run(
                command.verb,
                command.words,
                folder,
                suite.env,
                TIMEOUT_S,
                (HERE / "environments.py", {"kind": kind, "seconds": seconds}),
            )
        except subprocess.TimeoutExpired:
            return "", ["it did not end"]
        messages = [line for line in done.stderr.splitlines() if line.startswith("hsitf: ")]
        found = [f"left {name}" for name in _names(folder) - before if "/." in f"/{name}"]
        found += damage(folder)
    if "Traceback" in done.stderr or done.returncode < 0:
        found.append(f"status {done.returncode}: {done.stderr[-600:]}")
    if done.returncode and len(messages) != 1:
        found.append(f"{len(messages)} messages: {done.stderr[-600:]}")
    if kind in STATUS and done.returncode not in (0, STATUS[kind]):
        found.append(f"status {done.returncode} instead of {STATUS[kind]}")
    return f"{done.returncode} {''.join(messages)}".strip(), found


@contextmanager
def _folder(suite: KillSuite, kind: str) -> Iterator[Path]:
    """A copy of the prepared folder, on a disk of its own where the environment is the disk's."""
    copied = suite.copy()
    if kind not in MOUNTED:
        try:
            yield copied
        finally:
            shutil.rmtree(copied.parent)
        return
    disk = copied.parent / "disk"
    disk.mkdir()
    blocks = sum(-(-p.stat().st_size // 4096) for p in copied.rglob("*") if p.is_file())
    size = 4096 * blocks + (ROOM if kind == "full disk" else 1 << 24)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], check=True)
    try:
        shutil.copytree(copied, disk / "user")
        if kind == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield disk / "user"
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
        shutil.rmtree(copied.parent)


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def main() -> None:
    """Types every command in every environment; ends with status 1 where there is a fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="names of commands, such as train,export")
    parser.add_argument("--kinds", default=",".join(ENVIRONMENTS), help="environments")
    parser.add_argument("--seed", type=int, default=0, help="of the times of signals")
    parser.add_argument("--template", type=Path, help="prepared folder; made if it is not there")
    options = parser.parse_args()
    generator = random.Random(options.seed)
    suite = KillSuite(Path(tempfile.mkdtemp(prefix="hsitf-hostile-")), CommandForker(PRELOADED))
    suite.prepare(options.template)
    count = 0
    for command in COMMANDS:
        if options.only and command.title not in options.only.split(","):
            continue
        for kind in options.kinds.split(","):
            if kind in MOUNTED and os.geteuid() != 0:
                continue
            message, found = faults(suite, command, kind, generator.uniform(0.2, 5))
            count += len(found)
            print(f"{command.title:28} {kind:16} {len(found)} faults  {message[:150]}", flush=True)
            for one in found:
                print(f"    {one}", flush=True)
    suite.close()
    sys.exit(bool(count))


if __name__ == "__main__":
    main()
