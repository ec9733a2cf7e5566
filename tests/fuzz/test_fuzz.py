"""2,000 damaged inputs from a fixed seed, what was found before, and that faults are seen at all.

`make fuzz N=100000` tries more, with a new seed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import mutators
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
TRIES = 2000

# Kinds that do what inputs must never make the program do.
BAD_KINDS = """
import json, os, sys, tempfile, time
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import tries
from mutators import flip
from hsitf.errors import DataError
tries.SECONDS, tries.WAITING, tries.FLOOR = 2, 8, 16 << 20

def make(folder):
    (folder / "a").write_bytes(bytes(100))

def honest(folder):
    return not any((folder / "a").read_bytes())

def bad(act):
    return lambda folder: None if honest(folder) else act(folder)

def refuse(folder):
    raise DataError("damaged")

def leave(folder):
    Path("half").write_text("half")
    raise DataError("damaged")

def part(folder):
    Path("whole.part").write_text("half")

def spoil(folder):
    (folder / "a").write_bytes(b"")
    raise DataError("damaged")

def spin(folder):
    while True:
        pass

ACTS = {
    "read": lambda folder: None,
    "refused": refuse,
    "traceback": lambda folder: {}["a"],
    "crash": lambda folder: os.kill(os.getpid(), 11),
    "growth": lambda folder: bytearray(48 << 20),
    "hang": spin,
    "hang in a library": lambda folder: time.sleep(60),
    "outside": lambda folder: Path(sys.argv[3], "evil").write_text("evil"),
    "outside by a program": lambda folder: os.system("true"),
    "leftover": leave,
    "leftover of a part": part,
    "leftover in the place of an input": spoil,
    "leftover of a temporary file": lambda folder: tempfile.mkstemp(),
}
with tempfile.TemporaryDirectory() as place:
    make(Path(place))
    for name, act in ACTS.items():
        kind = tries.InputKind(name, "a", make, bad(act), (flip,))
        print(json.dumps([name, [one.result for one in tries.attempt(kind, Path(place), [1, 2])]]))
"""


def run(arguments: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=1200, **options
    )


def test_every_kind_of_fault_is_seen(tmp_path):
    """What faulty readers do is called by its name; each is tried twice, in one child or two."""
    done = run(["-c", BAD_KINDS, str(HERE), str(HERE.parent.parent), str(tmp_path)])
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        name, results = json.loads(line)
        assert results == [name.split()[0]] * 2, name
    assert len(done.stdout.splitlines()) == 13


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "outcomes.json"
    options = ["--tries", str(TRIES), "--seed", "0", "--corpus", "--json", str(path)]
    done = run([str(HERE / "campaign.py"), *options], env={**os.environ, "PYTHONHASHSEED": "0"})
    assert path.is_file(), done.stderr[-3000:]
    return json.loads(path.read_bytes())


def test_no_damage_is_a_fault(outcomes):
    faults = [one for one in outcomes if one["result"] not in ("read", "refused")]
    assert not faults, "\n\n".join(
        f"{one['result']}: {one['kind']}, seed {one['seed']}, {one['damage']}\n{one['detail']}"
        for one in faults
    )


def test_all_kinds_are_damaged(outcomes):
    """Damage is found where it matters: of every ten inputs three or more are refused."""
    assert len(outcomes) >= TRIES
    assert len({one["kind"] for one in outcomes}) > 120
    assert np.mean([one["result"] == "refused" for one in outcomes]) > 0.3


def test_the_corpus_is_of_kinds_that_exist(outcomes):
    lines = (HERE / "corpus" / "seeds.txt").read_text().splitlines()
    texts = [line.partition("#")[0].strip() for line in lines]
    known = {text.rpartition(" ")[0].strip() for text in texts if text}
    assert known <= {one["kind"] for one in outcomes}


# --- what damages them ------------------------------------------------------------------------

JSON_TEXT = json.dumps({"a": [1, 2.5, "b"], "c": {"d": True, "e": None}}).encode()


def npy(values):
    import io

    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


CONTENTS = {
    mutators.BYTES: bytes(range(256)) * 4,
    mutators.JSON: JSON_TEXT,
    mutators.LINES: b'title = "a"\n[[grid]]\nname = "b"\nseeds = [0, 1]\n',
    mutators.NPY: npy(np.arange(12.0).reshape(3, 4)),
    mutators.ZIP: mutators.packed([("a.npy", npy(np.arange(3))), ("b.json", JSON_TEXT)]),
    mutators.XML: b"<?xml version='1.0'?><a>" + b"<b c='1'>2</b>\n" * 20 + b"</a>",
}


@pytest.mark.parametrize("family", CONTENTS, ids=["bytes", "JSON", "lines", "npy", "zip", "XML"])
def test_damage(family):
    """The same seed does the same, others do other things, and nearly all change something."""
    content = CONTENTS[family]
    found = [mutators.damage(content, family, Random(seed)) for seed in range(300)]
    again = [mutators.damage(content, family, Random(seed)) for seed in range(300)]
    assert found == again
    assert len({damaged for damaged, _ in found}) > 150
    assert sum(damaged == content for damaged, _ in found) < 20
    assert all(what for _, what in found)


def test_damage_of_json_by_its_structure():
    """Most of it is still JSON, so that it gets past the parser."""
    parsed = 0
    for seed in range(200):
        damaged, _ = mutators.json_value(JSON_TEXT, Random(seed))
        try:
            json.loads(damaged)
            parsed += 1
        except (ValueError, RecursionError):
            pass
    assert parsed > 150
