"""`python -m hsitf.quantize` as a user types it."""

from __future__ import annotations

import json

import pytest

NAME = "bits-channel-symmetric-min-max-200"
HE = ("--model", "he", "--split", "random", "--train", "60")


@pytest.fixture(scope="module")
def studied(shell):
    trained = shell("train", *HE, *shell.SCENE, "--epochs", "4")
    assert trained.returncode == 0, trained.stderr
    done = shell(
        "quantize",
        *HE,
        *shell.SCENE,
        "--bits",
        "8,8,32",
        "--bits",
        "2,8,32",
        "--max-samples",
        "200",
    )
    assert done.returncode == 0, done.stderr
    return done, shell.folder / "models/tiny/he/random-custom-seed0-quantized"


def test_the_table_has_a_line_a_triple(studied):
    lines = studied[0].stdout.splitlines()
    assert any(line.startswith("8,8,32 ") for line in lines)
    assert any(line.startswith("2,8,32 ") for line in lines)
    for suffix in ("png", "svg"):
        assert (studied[1] / f"{NAME}.{suffix}").stat().st_size > 1000


def test_few_bits_cost_accuracy(studied):
    record = json.loads((studied[1] / f"{NAME}.json").read_text())
    by_bits = {tuple(cell["bits"].values()): cell for cell in record["cells"]}
    assert by_bits[8, 8, 32]["oa"] > by_bits[2, 8, 32]["oa"]


def test_what_is_known_is_not_computed_again(studied, shell):
    again = shell(
        "quantize",
        *HE,
        *shell.SCENE,
        "--bits",
        "8,8,32",
        "--bits",
        "4,4,32",
        "--max-samples",
        "200",
    )
    assert again.returncode == 0, again.stderr
    record = json.loads((studied[1] / f"{NAME}.json").read_text())
    assert len(record["cells"]) == 3


def test_layers_are_reported(studied, shell):
    done = shell("quantize", *HE, *shell.SCENE, "--layers", "--max-samples", "50")
    assert done.returncode == 0, done.stderr
    assert "dB" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no bits to study"),
        (("--bits", "8,8"), "bits are three whole numbers"),
        (("--bits", "0,8,32"), "the bits of activations are out of range"),
        (("--bits", "8,8,32", "--calibration", "kls"), "did you mean kl"),
        (("--bits", "8,8,32", "--patches", "0"), "ranges cannot be measured"),
        (("--layers", "--bits", "8,8,32", "--bits", "4,4,32"), "2 triples"),
    ],
)
def test_bad_orders_are_explained(shell, words, message):
    done = shell("quantize", *HE, *shell.SCENE, *words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_it_stays_quiet(studied):
    assert "WARNING" not in studied[0].stderr
    assert "W0000" not in studied[0].stderr
