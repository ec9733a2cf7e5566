"""Which candidate is chosen, and which ones are on the front."""

from __future__ import annotations

import sys

import pytest

from hsitf.compress.bounds import CompressionBounds
from hsitf.compress.choice import choose, pareto_front
from hsitf.compress.losses import Drop, Fidelity
from hsitf.compress.record import CompressionCandidate, Step
from hsitf.compress.request import CompressionRequest, SearchOptions
from hsitf.errors import InputError, VerificationError


def candidate(
    key: str, size: float, loss: float, milliseconds: float = 1.0
) -> CompressionCandidate:
    drop = Drop(loss, loss - 1, loss + 1, 5)
    fidelity = Fidelity(0.9, 100, 0.9, {"oa": 0.7, "aa": 0.6, "kappa": 0.5}, drop, loss)
    costs = {"bytes": size, "macs": 10 * size, "latency_ms": milliseconds}
    return CompressionCandidate(Step(key, "", "cut", 1.0), 1, 1, (), 0, 0.0, fidelity, costs)


FOUND = [
    candidate("original", 100, 0.0),
    candidate("a", 60, 0.3),
    candidate("b", 40, 0.9),
    # Smaller than a and better: a is not on the front.
    candidate("c", 50, 0.2),
]


def test_the_smallest_within_the_drop():
    assert choose(FOUND, CompressionBounds(max_drop=0.5)).key == "c"
    assert choose(FOUND, CompressionBounds(max_drop=1.0)).key == "b"
    assert choose(FOUND, CompressionBounds(max_drop=0.0)).key == "original"


def test_without_a_drop_the_most_accurate_within_the_cost():
    assert choose(FOUND, CompressionBounds(max_bytes=70)).key == "c"
    assert choose(FOUND, CompressionBounds(max_bytes=45)).key == "b"


def test_all_bounds_count():
    slow = [candidate("slow", 10, 0.0, milliseconds=9.0), candidate("fast", 20, 0.4)]
    assert choose(slow, CompressionBounds(max_drop=0.5)).key == "slow"
    assert choose(slow, CompressionBounds(max_drop=0.5, max_latency_ms=2.0)).key == "fast"


def test_where_nothing_meets_the_bounds_the_nearest_is_named():
    with pytest.raises(VerificationError, match=r"the nearest, b: file, bytes 40, 0\.90") as caught:
        choose(FOUND, CompressionBounds(max_bytes=30))
    assert "file, bytes at most 30" in str(caught.value)
    with pytest.raises(VerificationError, match="the nearest, original"):
        choose(FOUND[:1], CompressionBounds(max_drop=0.5, max_bytes=99))
    with pytest.raises(VerificationError, match=r"the nearest, b: .*0\.90 points"):
        choose(FOUND, CompressionBounds(max_drop=0.5, max_bytes=45))


def test_the_front_has_what_no_other_surpasses():
    assert pareto_front(FOUND, "bytes") == ("b", "c", "original")


def test_a_cost_that_was_not_measured_meets_no_bound():
    with pytest.raises(VerificationError):
        choose(FOUND, CompressionBounds(max_arena=1e9))


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_learning_rate_that_is_none(rate):
    with pytest.raises(InputError, match="learning rate is out of range"):
        SearchOptions(learning_rate=rate)


def test_an_arena_needs_a_file_of_microcontrollers_and_their_interpreter(monkeypatch):
    bounds = CompressionBounds(max_arena=10_000)
    with pytest.raises(InputError, match="--max-arena with --variant onnx"):
        CompressionRequest(bounds, SearchOptions("onnx"))
    monkeypatch.setitem(sys.modules, "tflite_micro.python.tflite_micro", None)
    with pytest.raises(InputError, match=r"needs tflite-micro.*pip install"):
        CompressionRequest(bounds)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "nothing to compress to"),
        ({"max_drop": -1.0}, "accuracy drop is out of range"),
        ({"max_drop": 0.5, "metric": "f1"}, "unknown measure of accuracy"),
        ({"max_bytes": 0.0}, "bound of file, bytes is out of range"),
        ({"max_latency_ms": float("nan")}, "out of range"),
    ],
)
def test_bounds_that_are_none(bounds, message):
    with pytest.raises(InputError, match=message):
        CompressionBounds(**bounds)


def test_what_is_made_small_is_what_is_bounded():
    assert CompressionBounds(max_drop=1.0).minimized == "bytes"
    assert CompressionBounds(max_drop=1.0).steered_by == "parameters"
    bounded = CompressionBounds(max_drop=1.0, max_latency_ms=2.0)
    assert (bounded.minimized, bounded.steered_by) == ("latency_ms", "macs")


def test_a_cost_on_a_target_is_bounded_and_named():
    bounds = CompressionBounds(max_target_cost=5e4, target="ethos-u55-256")
    assert bounds.costs == {"target_cost": 5e4}
    assert bounds.steered_by == "macs"
    assert bounds.excess({"target_cost": 6e4}) == {"target_cost": pytest.approx(0.2)}
    assert "cost on the target at most 50,000" in bounds.text
    with pytest.raises(InputError, match="add --target"):
        CompressionBounds(max_target_cost=5e4)


@pytest.mark.parametrize(
    ("bounds", "options", "message"),
    [
        ({"max_target_cost": 1.0, "target": "gpu"}, {}, "is not known"),
        ({"max_drop": 1.0, "target": "edgetpu"}, {"variant": "float32"}, "takes no float32"),
        ({"max_drop": 1.0, "target": "ethos-u55"}, {}, "did you mean ethos-u55-"),
    ],
)
def test_targets_that_cannot_be_compressed_for_are_refused(bounds, options, message):
    with pytest.raises(InputError, match=message):
        CompressionRequest(CompressionBounds(**bounds), SearchOptions(**options))
