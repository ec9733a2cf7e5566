"""Workers of studies."""

from __future__ import annotations

import time

import pytest

from hsitf.sweep import cluster

pytest.importorskip("distributed")


def test_a_worker_whose_memory_does_not_shrink_goes_on(monkeypatch):
    """Dask would have it wait until its memory is below four fifths of the limit: for ever."""
    limit = 400 << 20
    monkeypatch.setattr("distributed.system.MEMORY_LIMIT", limit)

    def fill(share):
        import builtins

        import psutil

        room = int(share * limit) - psutil.Process().memory_info().rss
        builtins.kept = bytearray(max(room, 0))
        # A page is taken when it is written.
        builtins.kept[::4096] = bytes([1]) * len(builtins.kept[::4096])

    with cluster.local_workers(1) as client:
        client.submit(fill, 0.88).result(timeout=60)
        # Longer than the worker takes to look at its memory.
        time.sleep(1)
        assert client.submit(len, "abc").result(timeout=20) == 3
