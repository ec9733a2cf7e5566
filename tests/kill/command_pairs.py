"""Types pairs of commands that write or read the same things at once, and prints what came of it.

python tests/kill/command_pairs.py --tries 20
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from folder_contents import damage, differences, pieces
from kill_suite import PRELOADED, TIMEOUT_S, CommandForker, KillSuite
from killed_commands import RUN, KilledCommand, command


@dataclass(frozen=True)
class CommandPair:
    """Two commands at once.

    Attributes:
        title: Name in tables.
        first: A command.
        second: Another one, or the same.
        refusal: What one of them may be refused with; empty where both have to succeed.
        compared: Whether the folder is compared with what the two leave one after the other.
    """

    title: str
    first: KilledCommand
    second: KilledCommand
    refusal: str = ""
    compared: bool = True


def _twice(title: str, line: str, refusal: str = "") -> CommandPair:
    return CommandPair(title, command(line), command(line), refusal)


EXPORT = f"export --from {RUN} --float32 --int8"
PAIRS = (
    _twice("baseline, baseline", "train -m knn {scene} --run b"),
    _twice("train, train", "train -m hu {scene} --epochs 1 --batch-size 200 --run b"),
    CommandPair(
        "train, prune",
        command("train -m hu {scene} --epochs 1 --batch-size 200 --run b"),
        command(f"prune --from {RUN} --ratio 0.5 --epochs 1 --run c"),
    ),
    _twice("export, export", EXPORT),
    CommandPair(
        "export, classify",
        command(EXPORT),
        command("classify --from export/tiny/hu/float32 -o new.tif"),
    ),
    _twice("prune, prune", f"prune --from {RUN} --ratio 0.5 --epochs 1 --run b"),
    _twice(
        "compress, compress",
        f"compress --from {RUN} --max-drop 60 --epochs 1 --minutes 0.05 --run b",
    ),
    _twice(
        "sweep, sweep",
        "sweep small.toml --labels labels.npy --workers 1 --out study",
        "another sweep is running",
    ),
    _twice(
        "classify, classify", "classify --from export/tiny/hu/float32 -o m.tif", "exists already"
    ),
    CommandPair(
        "bench, export",
        command("bench export --rounds 2 --runs 2 --warm-up 1 --out results"),
        command(EXPORT),
        compared=False,
    ),
    _twice(
        "adopt, adopt",
        f"adopt {RUN}/network.keras --name mine --accept-chance {{scene}} --run b",
        "holds a network already",
    ),
)


class PairSuite:
    """Types pairs of commands in copies of one prepared folder.

    Args:
        suite: Prepares the folder, and runs one command of each pair.
        other: Runs the other command.
    """

    def __init__(self, suite: KillSuite, other: CommandForker) -> None:
        self.suite, self.other = suite, other

    def faults(self, pair: CommandPair, tries: int, generator: random.Random) -> list[str]:
        """What was wrong with a pair in so many tries."""
        suite, found = self.suite, []
        expected = suite.undisturbed(pair.first, pair.second)
        for number in range(tries):
            folder = suite.copy()
            delay = generator.choice([0.0, 0.0, generator.uniform(0, expected.seconds / 2)])
            with ThreadPoolExecutor(2) as pool:
                first = pool.submit(self._typed, suite.forker, pair.first, folder, 0.0)
                second = pool.submit(self._typed, self.other, pair.second, folder, delay)
                done = [first.result(), second.result()]
            wrong = [one for one in done if one.returncode]
            refused = [one for one in wrong if pair.refusal and pair.refusal in one.stderr]
            where = f"try {number + 1}, {delay:.1f} s apart"
            if len(refused) < len(wrong) or len(wrong) > 1:
                found += [f"{where}: {one.returncode} {one.stderr[-400:]}" for one in wrong]
            found += [f"{where}: {one}" for one in damage(folder)]
            if pair.compared and (
                differing := differences(expected.pieces, pieces(folder), expected.volatile)
            ):
                found.append(f"{where}: differs in {differing[:6]}")
            shutil.rmtree(folder.parent)
        return found

    def _typed(
        self, forker: CommandForker, one: KilledCommand, folder: Path, delay: float
    ) -> subprocess.CompletedProcess[str]:
        time.sleep(delay)
        return forker.run(one.verb, one.words, folder, self.suite.env, TIMEOUT_S)


def main() -> None:
    """Types every pair; ends with status 1 where there is a fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tries", type=int, default=20, help="of each pair")
    parser.add_argument("--seed", type=int, default=None, help="of the times between the two")
    parser.add_argument("--only", default="", help="a part of the pairs' names")
    parser.add_argument("--template", type=Path, help="prepared folder; made if it is not there")
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    place = Path(tempfile.mkdtemp(prefix="hsitf-pairs-"))
    suite = KillSuite(place, CommandForker(PRELOADED))
    suite.prepare(options.template)
    pairs, faults = PairSuite(suite, CommandForker(PRELOADED)), 0
    for pair in PAIRS:
        if options.only in pair.title:
            begin = time.monotonic()
            found = pairs.faults(pair, options.tries, random.Random(seed))
            faults += len(found)
            seconds = time.monotonic() - begin
            print(f"{pair.title:24} {options.tries} tries {len(found)} faults {seconds:.0f} s")
            for one in found:
                print(f"    {one}", flush=True)
    suite.close()
    pairs.other.close()
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
