from __future__ import annotations

import gc

import numpy as np
import pytest

from hsitf import measure
from hsitf.measure import ROUNDS, RUNS, WARM_UP, Timing, interleaved, peak_memory, processor


def test_percentiles_by_hand():
    timing = Timing(first=9.0, runs=np.arange(101.0))
    assert [timing.percentile(q) for q in (0, 50, 90, 100)] == [0, 50, 90, 100]


def test_actions_take_turns(monkeypatch):
    monkeypatch.setattr(measure, "SECONDS_PER_ROUND", np.inf)
    calls = []
    found = interleaved({name: lambda name=name: calls.append(name) for name in "ab"})
    assert calls[:2] == ["a", "b"]
    rounds = calls[2 + 2 * WARM_UP :]
    assert rounds == (["a"] * RUNS + ["b"] * RUNS) * ROUNDS
    assert list(found) == ["a", "b"]
    for timing in found.values():
        assert timing.runs.shape == (ROUNDS * RUNS,)
        assert timing.first >= 0
        assert (timing.runs >= 0).all()


def test_slow_action_runs_once_a_round(monkeypatch):
    monkeypatch.setattr(measure, "SECONDS_PER_ROUND", -1.0)
    assert len(interleaved({"a": lambda: None})["a"].runs) == ROUNDS


def test_garbage_collector_rests_and_comes_back():
    seen = []
    interleaved({"a": lambda: seen.append(gc.isenabled())})
    assert seen[0]
    assert not any(seen[1 + WARM_UP :])
    assert gc.isenabled()


def test_garbage_collector_comes_back_after_a_failure():
    runs = iter(range(1 + WARM_UP + 3))
    with pytest.raises(StopIteration):
        interleaved({"a": lambda: next(runs)})
    assert gc.isenabled()


def test_peak_memory_never_falls():
    before = peak_memory()
    block = np.ones(50 << 20, np.uint8)
    after = peak_memory()
    assert after >= before > 1 << 20
    assert after >= block.nbytes


def test_processor_names_its_cores():
    assert processor().endswith(" cores")


def test_a_peak_can_be_forgotten():
    block = np.ones(40_000_000)
    high = measure.peak_memory()
    del block
    measure.reset_peak_memory()
    if measure.peak_memory() == high:
        pytest.skip("this system does not let a process forget its peak")
    assert measure.peak_memory() < high - 2e8
