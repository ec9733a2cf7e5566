"""Kills commands at every move into place and at random, and prints a table of what came of it.

python tests/kill/kills.py --kills 500
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from kill_suite import PRELOADED, CommandForker, KillSuite, all_moves
from killed_commands import COMMANDS


def main() -> None:
    """Runs the suite; ends with status 1 where there is a fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=500, help="kills in all, about")
    parser.add_argument("--seed", type=int, default=None, help="of the random times")
    parser.add_argument("--only", default="", help="names of commands, such as train,export")
    parser.add_argument("--template", type=Path, help="prepared folder; made if it is not there")
    options = parser.parse_args()
    seed = random.randrange(2**32) if options.seed is None else options.seed
    generator = random.Random(seed)
    print(f"seed {seed}", flush=True)
    place = Path(tempfile.mkdtemp(prefix="hsitf-kills-"))
    chosen = [one for one in COMMANDS if not options.only or one.title in options.only.split(",")]
    suite = KillSuite(place, CommandForker(PRELOADED))
    suite.prepare(options.template)
    share, faults, total = -(-options.kills // len(chosen)), 0, 0
    print(f"{'command':32} {'moves':>6} {'s':>5} {'at moves':>9} {'at random':>10} {'faults':>7}")
    for command in chosen:
        begin = time.monotonic()
        try:
            moves = suite.undisturbed(command).moves
        except RuntimeError as error:
            print(f"{command.title:32} cannot be run: {error}", flush=True)
            faults += 1
            continue
        every = all_moves(moves)
        at_moves = every if len(every) <= share else sorted(generator.sample(every, share))
        first = suite.at_moves(command, at_moves)
        second = suite.at_random(command, max(2, share - first.kills), generator)
        found = first.faults + second.faults
        faults, total = faults + len(found), total + first.kills + second.kills
        print(
            f"{command.title:32} {moves:6} {suite.undisturbed(command).seconds:5.1f} "
            f"{first.kills:9} {second.kills:10} {len(found):7}   {time.monotonic() - begin:.0f} s",
            flush=True,
        )
        for one in found:
            print(f"    {one}", flush=True)
    print(f"{total} kills, {faults} faults", flush=True)
    suite.close()
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
