"""Fuzzing: damaged inputs of every kind that a verb or the API reads.

`make fuzz N=100000` runs this with a new seed, which it prints; `SEED=` repeats one. Faults are
written to a folder, each with its input, and end in a status that is not zero.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus" / "seeds.txt"
# Scripts of this folder, the writers of products, and the package itself.
sys.path[:0] = [str(HERE), str(HERE.parent / "scenes"), str(HERE.parent.parent)]
# Set before NumPy and TensorFlow are imported: children are forked from a single thread.
os.environ.update(
    TF_CPP_MIN_LOG_LEVEL="3",
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    TF_NUM_INTRAOP_THREADS="1",
    TF_NUM_INTEROP_THREADS="1",
)

from tries import InputKind, Outcome, attempt, damaged  # noqa: E402

_BATCH = 100


def kinds() -> list[InputKind]:
    """All kinds of inputs."""
    from hsitf.log_silencing import load_keras

    load_keras()
    import network_inputs
    import record_inputs
    import scene_inputs

    return [*scene_inputs.KINDS, *network_inputs.KINDS, *record_inputs.KINDS]


def tries_of(found: Sequence[InputKind], tries: int, seed: int) -> dict[str, list[int]]:
    """Seeds of the damage of each kind, in all as many as asked for, by the kinds' weights."""
    total = sum(one.weight for one in found)
    return {
        one.name: [seed * 1_000_000 + at for at in range(max(round(tries * one.weight / total), 1))]
        for one in found
    }


def corpus() -> dict[str, list[int]]:
    """Seeds by kind that once showed a fault."""
    found: dict[str, list[int]] = {}
    for line in CORPUS.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text:
            name, _, seed = text.rpartition(" ")
            found.setdefault(name.strip(), []).append(int(seed))
    return found


def run(
    found: Sequence[InputKind], seeds: dict[str, list[int]], faults: Path | None = None
) -> Iterator[Outcome]:
    """Tries all seeds of the kinds, in turn, so that any part of the whole is of all kinds.

    Args:
        found: The kinds.
        seeds: Seeds of each by its name.
        faults: Folder that faulty inputs are written to; None for none.
    """
    with tempfile.TemporaryDirectory(prefix="hsitf-fuzz-") as place:
        import network_inputs

        network_inputs.begin(Path(place))
        made: dict[str, Path] = {}
        left = {one.name: list(seeds.get(one.name, [])) for one in found}
        while any(left.values()):
            for one in found:
                now, left[one.name] = left[one.name][:_BATCH], left[one.name][_BATCH:]
                if not now:
                    continue
                if one.name not in made:
                    made[one.name] = Path(place) / str(len(made))
                    _make(one, made[one.name])
                for outcome in attempt(one, made[one.name], now):
                    if outcome.is_fault and faults is not None:
                        _keep(one, made[one.name], outcome, faults)
                    yield outcome


def _make(kind: InputKind, folder: Path) -> None:
    """Makes honest inputs in a child, so that no library starts threads here."""
    folder.mkdir()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            kind.make(folder)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise RuntimeError(f"honest inputs of {kind.name!r} cannot be made")


def _keep(kind: InputKind, honest: Path, outcome: Outcome, faults: Path) -> None:
    folder = faults / f"{kind.name} {outcome.seed}".replace("/", "-").replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(honest, folder / "input")
    (folder / "input" / kind.path).write_bytes(damaged(kind, honest, outcome.seed)[0])
    (folder / "outcome.json").write_text(json.dumps(asdict(outcome), indent=2) + "\n")


def table(outcomes: Sequence[Outcome]) -> str:
    """Kind x tries x faults."""
    rows = [("kind", "tries", "read", "refused", "faults", "slowest s", "most MB")]
    by_kind: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_kind.setdefault(one.kind, []).append(one)
    for name, own in [*by_kind.items(), ("all", list(outcomes))]:
        results = Counter(one.result for one in own)
        read, refused = results.pop("read", 0), results.pop("refused", 0)
        faults = ", ".join(f"{count} {what}" for what, count in sorted(results.items())) or "0"
        slowest, most = max(one.seconds for one in own), max(one.memory for one in own)
        rows.append(
            (
                name,
                str(len(own)),
                str(read),
                str(refused),
                faults,
                f"{slowest:.1f}",
                str(most >> 20),
            )
        )
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def main() -> int:
    """Runs tries and prints what came of them, also where it is ended before."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    parser = argparse.ArgumentParser(description="Damages inputs of every kind and reads them.")
    parser.add_argument("--tries", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None, help="a new one where left out")
    parser.add_argument("--kinds", default="", help="kinds whose names contain this")
    parser.add_argument("--only", action="store_true", help="the seed alone, of the kinds")
    parser.add_argument("--corpus", action="store_true", help="what once showed a fault, too")
    parser.add_argument("--faults", type=Path, default=None, help="folder of faulty inputs")
    parser.add_argument("--json", type=Path, default=None, help="file of all outcomes")
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    found = [one for one in kinds() if options.kinds in one.name]
    seeds = (
        {one.name: [seed] for one in found}
        if options.only
        else tries_of(found, options.tries, seed)
    )
    if options.corpus:
        known = corpus()
        seeds = {name: [*known.get(name, []), *own] for name, own in seeds.items()}
    total, start = sum(map(len, seeds.values())), time.monotonic()
    outcomes: list[Outcome] = []
    shown, last = set[tuple[str, str]](), start
    try:
        for one in run(found, seeds, options.faults):
            outcomes.append(one)
            if one.is_fault:
                # Of what fails in the same way, the first.
                reason = (one.detail.strip().splitlines() or [""])[-1]
                key = (one.kind, one.result + reason[:40])
                if key not in shown:
                    shown.add(key)
                    print(
                        f"FAULT {one.result}: {one.kind}, seed {one.seed}, {one.damage}", flush=True
                    )
                    print("    " + one.detail.strip().replace("\n", "\n    "), flush=True)
            if time.monotonic() - last > 10:
                last = time.monotonic()
                left = (last - start) / len(outcomes) * (total - len(outcomes))
                print(f"{len(outcomes):,} of {total:,}, {left / 60:.0f} min left", flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    print(table(outcomes))
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(one) for one in outcomes]))
    faults = sum(one.is_fault for one in outcomes)
    print(
        f"{len(outcomes):,} tries with seed {seed} in {time.monotonic() - start:.0f} s: "
        f"{faults} faults"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
