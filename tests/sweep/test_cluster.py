"""Workers of studies."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hsitf.sweep import cluster

pytest.importorskip("distributed")

# By itself: a process that has computed with TensorFlow has threads of its own, and none of them
# is to meet those of a cluster.
PROGRAM = """
import time

from hsitf.sweep import cluster

LIMIT = 1 << 30


def fill(share):
    import builtins

    import psutil

    room = int(share * LIMIT) - psutil.Process().memory_info().rss
    builtins.kept = bytearray(max(room, 0))
    # A page is taken when it is written.
    builtins.kept[::4096] = bytes([1]) * len(builtins.kept[::4096])


if __name__ == "__main__":
    import distributed.system

    distributed.system.MEMORY_LIMIT = LIMIT
    with cluster.local_workers(1) as client:
        client.submit(fill, 0.88).result(timeout=60)
        # Longer than the worker takes to look at its memory.
        time.sleep(1)
        print(client.submit(len, "abc").result(timeout=20))
"""


class LateCluster:
    """A cluster whose worker does not end in time, as on a busy machine."""

    def __init__(self, **options):
        self.options = options

    def close(self):
        raise TimeoutError


class NoClient:
    def __init__(self, running):
        self.running = running

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def test_a_worker_that_ends_late_does_not_end_a_study(monkeypatch):
    monkeypatch.setattr("distributed.LocalCluster", LateCluster)
    monkeypatch.setattr("distributed.Client", NoClient)
    with cluster.local_workers(2) as client:
        assert client.running.options["n_workers"] == 2
    # What fails while it works is told.
    with pytest.raises(KeyError), cluster.local_workers(1):
        raise KeyError


@pytest.mark.slow
def test_a_worker_whose_memory_does_not_shrink_goes_on(tmp_path):
    """Dask would have it wait until its memory is below four fifths of the limit: for ever."""
    (tmp_path / "fills_memory.py").write_text(PROGRAM)
    command = [sys.executable, "-X", "faulthandler", "fills_memory.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "3\n"
