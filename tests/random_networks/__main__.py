"""Checks random networks: `python tests/random_networks 1000 --seed 7`."""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    """Prints the table; exits with 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**31)
    parser.add_argument("--first", type=int, default=0, help="number of the first network")
    chosen = parser.parse_args()

    from network_campaign import run

    print(f"seed {chosen.seed}", flush=True)
    found = run(chosen.count, chosen.seed, chosen.first, lambda text: print(text, flush=True))
    print(found)
    sys.exit(bool(found.faults))


if __name__ == "__main__":
    main()
